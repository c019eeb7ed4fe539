"""The samples with programs of Python: APIs and programs on one runner, prefixes, cookies, and FastAPI's page offline."""
import csv
import json
import os
import subprocess
import unittest

import browser
from harness import SOURCE, HostTest, eventually, in_parallel, main

# Debian's packages belong to Debian's Python, whatever `python3` is on the PATH.
os.environ["PATH"] = "/usr/bin:" + os.environ["PATH"]
NAMES = ("sepal_len", "sepal_width", "petal_len", "petal_width")
with open(SOURCE / "samples" / "iris" / "expected.csv", newline="") as file:
    FLOWERS = [([float(row[name]) for name in NAMES], int(row["class"])) for row in csv.DictReader(file)]


def has(*modules):
    return subprocess.run(["python3", "-c", "import " + ", ".join(modules)], stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


HAS_FASTAPI = has("fastapi", "uvicorn")
HAS_FLASGGER = HAS_FASTAPI and has("flasgger")
HAS_FLASK = has("flask")


@unittest.skipUnless(HAS_FASTAPI, "FastAPI or uvicorn is not installed")
class IrisFastapi(HostTest):
    def setUp(self):
        self.host = self.start(plugin="libiris_fastapi.so")

    def test_api_function_and_coroutine_agree_with_scikit_learn(self):
        def ask(row):
            flower = dict(zip(NAMES, row))
            return [self.host.post(path, flower).json()
                    for path in ("/predict_bentoml", "/predict_fastapi", "/predict_fastapi_async")]
        answers = in_parallel([lambda row=row: ask(row) for row, _ in FLOWERS[::10]])
        self.assertEqual(answers, [[[kind], {"prediction": kind}, {"prediction": kind}] for _, kind in FLOWERS[::10]])

    def test_the_program_tells_of_its_service_and_refuses_what_is_no_flower(self):
        self.assertEqual(self.host.get("/metadata").json(), {"name": "iris_fastapi_demo", "version": "1.0"})
        self.assertEqual(self.host.post("/predict_fastapi", {"sepal_len": "long"}).status, 422)
        self.assertEqual(self.host.get("/none").json(), {"detail": "Not Found"})

    @unittest.skipUnless(HAS_FLASGGER and browser.PROGRAM, "flasgger is not installed, or " + browser.MISSING)
    def test_its_page_of_docs_works_without_the_internet(self):
        with browser.Browser() as page:
            page.open(f"http://127.0.0.1:{self.host.port}/docs")
            eventually(lambda: page.evaluate("[...document.querySelectorAll('.opblock-summary-path')]"
                                             ".some(path => path.textContent.includes('predict_fastapi_async'))"),
                       seconds=60, what="Swagger UI with the program's endpoints")
            loaded = page.evaluate("JSON.stringify(performance.getEntriesByType('resource').map(entry => entry.name))")
            self.assertEqual([url for url in json.loads(loaded)
                              if not url.startswith((f"http://127.0.0.1:{self.host.port}/", "data:"))], [])


@unittest.skipUnless(HAS_FLASK, "Flask is not installed")
class IrisFlask(HostTest):
    def test_api_and_program_agree_with_scikit_learn(self):
        host = self.start(plugin="libiris_flask.so")
        rows = [row for row, _ in FLOWERS]
        as_json = {"content-type": "application/json"}
        for path in ("/predict_bentoml", "/predict_flask"):
            self.assertEqual(host.request("POST", path, json.dumps(rows), as_json).json(), [kind for _, kind in FLOWERS])
        self.assertEqual(host.get("/metadata").json(), {"name": "iris_flask_demo", "version": "1.0"})
        reply = host.request("POST", "/predict_flask", "[[1, 2, 3, 4]]", {"content-type": "text/csv"})
        self.assertEqual((reply.status, reply.body), (415, b"Content-Type not supported!\n"))
        reply = host.request("POST", "/predict_flask", "[[1, 2, 3]]", as_json)
        self.assertEqual((reply.status, reply.json()), (400, {"error": "iris_clf.predict takes shape (n, 4), got (1, 3)"}))


@unittest.skipUnless(HAS_FLASK and HAS_FASTAPI, "Flask, FastAPI or uvicorn is not installed")
class MountedApps(HostTest):
    def setUp(self):
        self.host = self.start(plugin="libmounted_apps.so")
        self.cookies = {}

    def get(self, path):
        """As a browser, which keeps cookies by name and path."""
        sent = [cookie for (_, below), cookie in self.cookies.items() if path == below or path.startswith(below + "/")]
        reply = self.host.get(path, {"cookie": "; ".join(sent)} if sent else {})
        if reply.header("set-cookie"):
            self.keep(reply)
        return reply

    def keep(self, reply):
        cookie, *attributes = reply.header("set-cookie").split("; ")
        path = next(attribute[len("Path="):] for attribute in attributes if attribute.startswith("Path="))
        self.cookies[cookie.partition("=")[0], path] = cookie

    def test_apis_come_first_and_prefixes_are_whole_segments(self):
        self.assertEqual(self.host.post("/shop/price", {"pieces": 10}).json(), {"total": 20.0})
        self.assertEqual(self.host.get("/shop/whoami").json(),
                         {"address": "127.0.0.1", "prefix": "/shop", "scheme": "http"})
        self.assertEqual(self.host.get("/shopping").header("content-type"), "application/problem+json")
        self.assertEqual(self.host.get("/shop/none").header("content-type"), "text/html; charset=utf-8")
        root = f"http://127.0.0.1:{self.host.port}"
        self.assertEqual(self.host.get("/shop").header("location"), f"{root}/shop/")
        self.assertEqual(self.host.get("/figures/").json()["docs"], f"{root}/figures/docs")

    def test_the_sessions_of_two_programs_do_not_meet(self):
        self.keep(self.host.post("/shop/buy", ""))
        for visits in (1, 2):
            self.assertEqual(self.get("/blog/").json(), {"title": "A blog", "visits": visits})
            self.assertEqual(self.get("/shop/").json()["pieces"], 1)
        self.assertEqual(sorted(self.cookies), [("session", "/blog"), ("session", "/shop")])


if __name__ == "__main__":
    main()
