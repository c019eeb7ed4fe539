"""The sample of a service that is made from its model's file: two models, one library."""
import shutil

from harness import BUILD, HostTest, Run, eventually, main

PLUGINS = BUILD / "plugins"


class Linear(HostTest):
    def setUp(self):
        self.models = {name: self.folder() / f"linear_{name}.txt" for name in ("iris", "weather")}
        for path in self.models.values():
            shutil.copy(next(BUILD.glob(f"lib*/**/bentohost/plugins/{path.name}")), path)

    def begin(self):
        arguments = [word for name, path in self.models.items()
                     for word in ("--plugin", f"{name}=liblinear.so", "--set", f"{name}.model={path}")]
        return self.start("--reload", *arguments, plugin=None)

    def change(self, name, old, new):
        path = self.models[name]
        path.with_suffix(".new").write_text(path.read_text().replace(old, new))
        path.with_suffix(".new").rename(path)

    def test_two_models_of_one_library(self):
        host = self.begin()
        self.assertEqual(host.get("/iris/model").json()["labels"], ["setosa", "versicolor", "virginica"])
        self.assertEqual(host.post("/iris/classify", [[5.1, 3.5, 1.4, 0.2], [5.9, 3.0, 5.1, 1.8]]).body,
                         b"setosa\nvirginica\n")
        self.assertEqual(host.get("/weather/model").json()["inputs"], ["temperature", "humidity", "wind"])
        self.assertEqual(host.post("/weather/classify", [[12, 95, 3]]).body, b"umbrella\n")
        self.assertEqual(host.post("/weather/classify", [[12, 95, 3, 1]]).status, 400)
        (scores,) = host.post("/weather/scores", [[12, 95, 3]]).json()
        for score, expected in zip(scores, (2.25, -5.17, -0.75), strict=True):
            self.assertAlmostEqual(score, expected)

    def test_each_is_reloaded_when_its_file_changes(self):
        host = self.begin()
        self.change("weather", "umbrella ", "raincoat ")
        eventually(lambda: host.post("/weather/classify", [[12, 95, 3]]).body == b"raincoat\n", seconds=30,
                   what="the reload")
        self.change("weather", "raincoat ", "raincoat 1 ")
        line = host.log_line("reload failed")
        self.assertIn("expected raincoat, its bias, and 3 weights", line)
        self.assertEqual(host.post("/weather/classify", [[12, 95, 3]]).body, b"raincoat\n")
        self.assertEqual(host.metrics()['bentohost_generation{service="iris"}'], 1)

    def test_a_file_that_is_not_there_is_told(self):
        done = Run("--port", "0", "--plugin", "liblinear.so", "--set", "linear.model=/no/such/model.txt")
        self.assert_refused(done, "configure failed: /no/such/model.txt: no such file")


if __name__ == "__main__":
    main()
