"""The Python programs of samples/, served as the host serves them, with a stand-in for their runner."""
import json
import unittest
from importlib.util import find_spec

from wsgi_worker import SDK, WorkerTest

SAMPLES = SDK.parents[1] / "samples"
JSON = [("Content-Type", "application/json")]
# In place of the package bento_runner: a classifier that knows a few things about irises.
RUNNER = """
    class RunnerError(Exception):
        def __init__(self, message, status):
            self.message, self.status = message, status
    class AsgiContext:
        def __init__(self, app):
            self.app = app
        async def __call__(self, scope, receive, send):
            await self.app(scope, receive, send)
    class Classes(list):
        def tolist(self):
            return list(self)
    class Method:
        def run(self, rows):
            if any(len(row) != 4 for row in rows):
                raise RunnerError("expected an array of shape (n, 4)", 400)
            return Classes(0 if row[2] < 2.5 else 1 if row[3] < 1.75 else 2 for row in rows)
        async def async_run(self, rows):
            return self.run(rows)
    class Tag:
        name, version = "iris_demo", "1.0"
    class Model:
        tag = Tag
    class Runner:
        predict, bento_model = Method(), Model
    def runner(name):
        assert name == "iris_clf"
        return Runner
"""
FLOWER = {"sepal_len": 6.2, "sepal_width": 3.2, "petal_len": 5.2, "petal_width": 2.2}


class Samples(WorkerTest):
    def flask(self, sample, module, app, prefix=""):
        return self.serve(RUNNER, "--root-path", prefix, name="bento_runner.py", app=f"{module}:{app}",
                          files=[SAMPLES / sample / f"{module}.py"])

    def fastapi(self, sample, module, prefix=""):
        return self.serve(RUNNER, name="bento_runner.py", files=[SAMPLES / sample / f"{module}.py"],
                          command=("uvicorn", f"{module}:app", "--uds", "SOCKET", "--root-path", prefix,
                                   "--forwarded-allow-ips", "*"))


@unittest.skipUnless(find_spec("flask"), "Flask is not installed")
class Flask(Samples):
    def test_iris_flask_classifies_and_says_what_it_does_not_take(self):
        worker = self.flask("iris_flask", "flask_app", "app")
        reply = worker.ask("/predict_flask", "POST", headers=JSON, body=b"[[5.9, 3, 5.1, 1.8], [4.9, 3, 1.4, 0.2]]")
        self.assertEqual((reply.status, json.loads(reply.body)), (200, [2, 0]))
        reply = worker.ask("/predict_flask", "POST", headers=[("Content-Type", "text/csv")], body=b"5.9,3,5.1,1.8")
        self.assertEqual((reply.status, reply.text), (415, "Content-Type not supported!\n"))
        reply = worker.ask("/predict_flask", "POST", headers=JSON, body=b"[[1, 2, 3]]")
        self.assertEqual((reply.status, json.loads(reply.body)), (400, {"error": "expected an array of shape (n, 4)"}))
        self.assertEqual(worker.ask("/predict_flask", "POST", headers=JSON, body=b"[[").status, 400)
        self.assertEqual(json.loads(worker.ask("/metadata").body), {"name": "iris_demo", "version": "1.0"})
        self.assertEqual(worker.stderr(), "")

    def test_the_shop_finds_itself_below_its_prefix(self):
        worker = self.flask("mounts/mounted_apps", "shop", "app", "/shop")
        basket = worker.ask("/shop/")
        self.assertEqual(json.loads(basket.body), {"pieces": 0, "buy": "http://example.org/shop/buy"})
        bought = worker.ask("/shop/buy", "POST")
        self.assertEqual((bought.status, bought.header("location")), (302, "/shop/"))
        cookie = bought.header("set-cookie")
        self.assertIn("Path=/", cookie)  # the host makes it /shop
        basket = worker.ask("/shop/", headers=[("Cookie", cookie.partition(";")[0])])
        self.assertEqual(json.loads(basket.body)["pieces"], 1)
        self.assertEqual(json.loads(worker.ask("/shop/whoami").body),
                         {"address": "192.0.2.7", "scheme": "http", "prefix": "/shop"})

    def test_the_blog_is_made_by_its_factory(self):
        worker = self.flask("mounts/mounted_apps", "blog", "create_app('A blog')", "/blog")
        self.assertEqual(json.loads(worker.ask("/blog/").body), {"title": "A blog", "visits": 1})


@unittest.skipUnless(find_spec("fastapi") and find_spec("uvicorn"), "FastAPI or uvicorn is not installed")
class FastAPI(Samples):
    def test_iris_fastapi_classifies_in_a_function_and_in_a_coroutine(self):
        worker = self.fastapi("iris_fastapi", "fastapi_app")
        for path in ("/predict_fastapi", "/predict_fastapi_async"):
            reply = worker.ask(path, "POST", headers=JSON, body=json.dumps(FLOWER).encode())
            self.assertEqual((reply.status, json.loads(reply.body)), (200, {"prediction": 2}), path)
            reply = worker.ask(path, "POST", headers=JSON, body=json.dumps({**FLOWER, "petal_len": "long"}).encode())
            self.assertEqual(reply.status, 422, path)
        self.assertEqual(json.loads(worker.ask("/metadata").body), {"name": "iris_demo", "version": "1.0"})

    def test_docs_load_their_files_from_where_they_are_mounted(self):
        for prefix in ("", "/iris"):
            worker = self.fastapi("iris_fastapi", "fastapi_app", prefix)
            page = worker.ask("/docs").text  # uvicorn gets paths without the prefix
            self.assertIn(f"{prefix}/openapi.json", page)
            self.assertIn("/predict_fastapi_async", json.loads(worker.ask("/openapi.json").body)["paths"])
            if find_spec("flasgger"):
                self.assertNotIn("https://", page)
                for file in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"):
                    self.assertIn(f"{prefix}/swagger-ui/{file}", page)
                    self.assertEqual(worker.ask(f"/swagger-ui/{file}").status, 200)

    def test_figures_know_their_prefix(self):
        worker = self.fastapi("mounts/mounted_apps", "figures", "/figures")
        found = json.loads(worker.ask("/").body)
        self.assertEqual((found["asked"], found["root_path"]), (1, "/figures"))
        self.assertEqual(found["docs"], "http://example.org/figures/docs")


if __name__ == "__main__":
    unittest.main()
