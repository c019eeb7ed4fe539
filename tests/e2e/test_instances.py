"""Services by the operator's names: one plugin twice, with options, runners, prefixes and reloads of its own."""
import os
import signal

from harness import AT_ONCE, LAB, PLUGINS, Client, HostTest, Run, eventually, main

PLUGIN = PLUGINS / "libconfigured.so"


class Instances(HostTest):
    def setUp(self):
        self.where = self.folder()
        self.admin = f"unix:{self.where / 'admin.sock'}"
        self.put("a", "api only_a")
        self.put("b", "api only_b")

    def put(self, name, *lines):
        (self.where / f"{name}.new").write_text("".join(f"{line}\n" for line in lines))
        (self.where / f"{name}.new").rename(self.where / f"{name}.txt")

    def arguments(self, *plugins):
        return tuple(word for plugin in plugins for word in ("--plugin", f"{plugin}={PLUGIN}")) + tuple(
            word for plugin in plugins for name in (plugin.partition("/")[0],)
            for word in ("--set", f"{name}.file={self.where / name}.txt"))

    def begin(self, *arguments, plugins=("a", "b"), **options):
        return self.start("--admin-bind", self.admin, *self.arguments(*plugins), *arguments, plugin=None,
                          **options)

    def ask(self, method, path):
        with Client(self.admin, timeout=60) as client:
            return client.request(method, path)

    def workers(self, host):
        """The pids of the workers by service, as their hosts' report names them."""
        metrics = host.metrics()
        return {name: sum(value for key, value in metrics.items()
                          if key.startswith("bentohost_runner_up{") and f'service="{name}"' in key)
                for name in ("a", "b")}

    def test_each_has_a_prefix_options_and_a_name_of_its_own(self):
        host = self.begin()
        self.assertEqual(host.post("/a/only_a", "").body, b"a")
        self.assertEqual(host.post("/b/only_b", "").body, b"b")
        self.assertEqual(host.post("/a/only_b", "").status, 404)
        self.assertEqual(host.post("/b/say", "x").body, b"b: x")  # in the worker, too
        services = [(one["service"], one["prefix"]) for one in self.ask("GET", "/plugins").json()["plugins"]]
        self.assertEqual(services, [("a", "/a"), ("b", "/b")])
        self.assertIn("a 1.0, b 1.0", host.stdout_lines[0])

    def test_prefixes_are_the_operators(self):
        host = self.begin(plugins=("a/", "b/deep/er"))
        self.assertEqual(host.post("/only_a", "").body, b"a")
        self.assertEqual(host.post("/deep/er/only_b", "").body, b"b")
        self.assertEqual(host.post("/b/only_b", "").status, 404)

    def test_metrics_and_the_log_name_the_service(self):
        host = self.begin("--runner-workers", "b.echo=2", "--log-format", "json")
        eventually(lambda: self.workers(host) == {"a": 1, "b": 2}, what="b's second worker")
        for name in ("a", "b", "b"):
            self.assertEqual(host.post(f"/{name}/say", "x").status, 200)
        calls = 'bentohost_runner_calls_total{method="say",result="ok",runner="echo",service="%s"}'
        metrics = host.metrics()
        self.assertEqual((metrics[calls % "a"], metrics[calls % "b"]), (1, 2))
        self.assertNotIn('service="configured"', "".join(metrics))

    def test_a_bare_runner_name_that_means_both_is_refused(self):
        done = Run("--port", "0", *self.arguments("a", "b"), "--runner-workers", "echo=2")
        self.assert_refused(done, "--runner-workers", "say which", "a.echo, b.echo")
        self.begin("--runner-workers", "echo=1", plugins=("a",))

    def test_one_that_dies_leaves_the_other_alone(self):
        host = self.begin()
        self.assertEqual(host.post("/a/crash", "x").status, 503)
        self.assertEqual(host.post("/b/say", "x").body, b"b: x")
        eventually(lambda: host.post("/a/say", "x").body == b"a: x", seconds=30, what="a's next worker")
        restarts = {key: value for key, value in host.metrics().items()
                    if key.startswith("bentohost_runner_restarts_total{")}
        self.assertEqual({key for key, value in restarts.items() if value and 'service="b"' in key}, set())
        self.assertTrue(any(value for key, value in restarts.items() if 'service="a"' in key), restarts)

    def test_each_reloads_by_itself(self):
        host = self.begin("--reload")
        self.put("b", "api only_b", "api more")
        eventually(lambda: host.post("/b/more", "").status == 200, seconds=30, what="b's reload")
        generation = 'bentohost_generation{service="%s"}'
        self.assertEqual([host.metrics()[generation % name] for name in ("a", "b")], [1, 2])
        self.put("a", "throw no more of a")
        self.assertIn("service=a", host.log_line("no more of a"))
        self.assertEqual(host.post("/a/only_a", "").body, b"a")
        self.assertEqual(self.ask("POST", "/plugins/b/reload?force=true").json()["generation"], 3)
        self.assertEqual(self.ask("POST", "/plugins/configured/reload").status, 404)

    def test_middleware_of_an_operator_goes_around_the_one_that_it_names(self):
        host = self.begin("--use", "a:secure_headers")
        header = "x-content-type-options"
        self.assertEqual(host.post("/a/only_a", "").header(header), "nosniff")
        self.assertIsNone(host.post("/b/only_b", "").header(header))

    def test_names_that_clash(self):
        self.put("configured", "api x")
        for arguments, words in (
                (self.arguments("a", "a/other"), ("two services are called a", "by its --plugin")),
                ((*self.arguments("a"), "--plugin", f"lab={PLUGIN}", "--plugin", LAB, "--set",
                  f"lab.file={self.where / 'b.txt'}"),
                 ("two services are called lab", "by its own name", "--plugin NAME=LIBRARY")),
                (("--plugin", LAB, "--plugin", f"/other={LAB}"), ("two services are called lab",)),
                ((*self.arguments("a"), "--set", "configured.file=x"), ("there is no such service", "here is a"))):
            done = Run("--port", "0", *arguments)
            self.assert_refused(done, *words, within=2 * AT_ONCE)

    def test_names_that_are_none(self):
        for plugin, words in ((f"1a={PLUGIN}", "is no name for a service"), (f"a-b={PLUGIN}", "is no name"),
                              (f"metrics={PLUGIN}", "/metrics is a page of bentohost itself"), ("a=", "expected")):
            done = Run("--port", "0", "--plugin", plugin)
            self.assert_refused(done, words, code=2)

    def test_a_signal_reloads_only_what_has_changed(self):
        host = self.begin()
        self.put("a", "api only_a", "api more")
        os.kill(host.serving_pid, signal.SIGHUP)
        eventually(lambda: host.post("/a/more", "").status == 200, seconds=30, what="a's reload")
        self.assertEqual(host.metrics()['bentohost_generation{service="b"}'], 1)


if __name__ == "__main__":
    main()
