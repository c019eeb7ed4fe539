"""An API that takes a struct and a web app on one runner, as programs and as a browser see them."""
import csv
import json
import re
import unittest
import urllib.parse

import browser
from harness import SOURCE, HostTest, eventually, in_parallel, main

NAMES = ("sepal_len", "sepal_width", "petal_len", "petal_width")
SPECIES = ("setosa", "versicolor", "virginica")
with open(SOURCE / "samples" / "iris" / "expected.csv", newline="") as file:
    FLOWERS = [({name: float(row[name]) for name in NAMES}, SPECIES[int(row["class"])])
               for row in csv.DictReader(file)]
VIRGINICA = {"sepal_len": 6.3, "sepal_width": 3.3, "petal_len": 6, "petal_width": 2.5}
PREDICTS = ("/predict", "/predict_app", "/predict_app_async")


class IrisWeb(HostTest):
    def setUp(self):
        self.host = self.start(plugin="libiris_web.so")

    def test_api_and_app_agree_with_scikit_learn(self):
        def ask(flower):
            return [self.host.post(route, flower).json() for route in PREDICTS]
        answers = in_parallel([lambda f=flower: ask(f) for flower, _ in FLOWERS[::10]])
        self.assertEqual(answers, [[{"species": species}] * 3 for _, species in FLOWERS[::10]])

    def test_what_is_no_flower_is_422_with_the_members_that_are_wrong(self):
        for route in PREDICTS:
            reply = self.host.post(route, {**VIRGINICA, "petal_len": "long"})
            self.assertEqual((reply.status, reply.header("content-type")), (422, "application/problem+json"))
            self.assertIn("/petal_len: ", reply.json()["detail"])
            self.assertEqual(self.host.post(route, "{").status, 400)
            reply = self.host.post(route, {"sepal_len": "x", "sepal_width": -1, "petal_len": 1})
            self.assertEqual(reply.json()["detail"],
                             '/sepal_len: expected a number, got "x"; /sepal_width: must be at least 0.0, got -1; '
                             "/petal_width: is missing")

    def test_the_app_tells_of_its_model(self):
        reply = self.host.get("/metadata")
        self.assertEqual((reply.status, reply.header("content-type")), (200, "application/json"))
        self.assertEqual(reply.json(), {"name": "iris_clf", "version": "1.0"})

    def test_methods_and_paths_that_the_app_does_not_have(self):
        reply = self.host.request("DELETE", "/metadata")
        self.assertEqual((reply.status, reply.header("allow")), (405, "GET, HEAD, OPTIONS"))
        reply = self.host.request("OPTIONS", "/predict_app")
        self.assertEqual((reply.status, reply.header("allow"), reply.body), (204, "POST, OPTIONS", b""))
        reply = self.host.request("HEAD", "/metadata")
        self.assertEqual((reply.status, reply.header("content-type"), reply.body), (200, "application/json", b""))
        self.assertEqual(self.host.get("/none").status, 404)
        for path in ("/static/none", "/static/..%2flibiris_web.so", "/static/"):
            self.assertIn(self.host.get(path).status, (400, 404), path)

    def test_apis_below_the_app_keep_their_methods(self):
        self.assertEqual(self.host.request("OPTIONS", "/predict").header("allow"), "POST, OPTIONS")
        for path, allow in (("/predict", "POST, OPTIONS"), ("/metadata", "GET, HEAD, OPTIONS")):
            reply = self.host.request("PUT", path)
            self.assertEqual((reply.status, reply.header("allow")), (405, allow))
            problem = reply.json()
            self.assertEqual(problem, {
                "type": "about:blank", "title": "Method Not Allowed", "status": 405,
                "detail": f"{path} takes {allow}, not PUT", "instance": path,
                "request_id": reply.header("x-request-id")})

    def test_a_slash_too_many_is_redirected(self):
        for path, location in (("/predict/?a=1", "../predict?a=1"), ("/metadata/", "../metadata")):
            reply = self.host.post(path, VIRGINICA)
            self.assertEqual((reply.status, reply.header("location")), (307, location))
        self.assertEqual(self.host.get("/none/").status, 404)

    def test_broken_json_is_told_in_the_same_words_by_apis_and_apps(self):
        for body in ("", "{", "[1,", '{"a" 1}', "nul", '{"a":"\n"}', "1e999", "[" * 1000, "{}\0"):
            details = [self.host.post(path, body).json()["detail"] for path in PREDICTS[:2]]
            self.assertEqual(details[0], details[1], body)
            self.assertRegex(details[0], "^line 1 column [0-9]+: ")

    def test_the_pages_have_what_they_load(self):
        for path in ("/", "/live"):
            page = self.host.get(path)
            self.assertEqual((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"))
            loaded = re.findall(r'(?:href|src)="(.+?)"', page.body.decode())
            self.assertIn("static/style.css", loaded)
            for url in loaded:
                self.assertEqual(self.host.get(urllib.parse.urljoin(path, url)).status, 200, url)
        self.assertEqual(self.host.get("/static/style.css").header("content-type"), "text/css; charset=utf-8")

    def test_flowers_come_as_events(self):
        client = self.host.client()
        self.addCleanup(client.close)
        client.connection.request("GET", "/flowers")
        response = client.connection.getresponse()
        self.assertEqual(response.getheader("content-type"), "text/event-stream")
        for _ in range(3):
            event = b"".join(iter(response.readline, b"\n")).decode()
            self.assertTrue(event.startswith("event: flower\n"), event)
            sighting = json.loads(re.search("^data: (.*)$", event, re.M)[1])
            self.assertEqual(set(sighting["flower"]), set(NAMES))
            self.assertEqual(self.host.post("/predict", sighting["flower"]).json(),
                             {"species": sighting["species"]})

    def test_below_a_prefix(self):
        host = self.start("--plugin", "/garden=libiris_web.so", plugin=None)
        self.assertEqual(host.post("/garden/predict_app", VIRGINICA).json(), {"species": "virginica"})
        self.assertIn(b"<form", host.get("/garden/").body)
        self.assertEqual(host.get("/metadata").status, 404)


@unittest.skipUnless(browser.PROGRAM, browser.MISSING)
class InABrowser(HostTest):
    def setUp(self):
        self.host = self.start(plugin="libiris_web.so")
        self.browser = self.enterContext(browser.Browser())

    def open(self, path):
        self.browser.open(f"http://127.0.0.1:{self.host.port}{path}")
        eventually(lambda: self.browser.evaluate('location.protocol == "http:" && document.readyState == "complete"'),
                   what="the page")

    def answer(self):
        """The page's answer, when it has one, and its class."""
        return eventually(lambda: self.browser.evaluate("answer.textContent && `${answer.className},${answer.textContent}`"),
                          what="an answer in the page")

    def test_the_form_classifies_the_flower_that_is_typed_into_it(self):
        self.open("/")
        for name, value in VIRGINICA.items():
            self.browser.evaluate(f'form.elements.{name}.value = "{value}"')
        self.browser.evaluate('document.querySelector("button").click()')
        self.assertEqual(self.answer(), "virginica,Iris virginica")

    def test_the_form_classifies_the_flower_that_a_link_names(self):
        self.open("/?" + urllib.parse.urlencode({**VIRGINICA, "petal_len": 1.4, "petal_width": 0.2}))
        self.assertEqual(self.answer(), "setosa,Iris setosa")

    def test_the_form_says_what_is_wrong(self):
        self.open("/?petal_len=&sepal_width=-1")
        self.assertEqual(self.answer(), "error,/sepal_width: must be at least 0.0, got -1; "
                                        "/petal_len: expected a number, got null")

    def test_the_live_page_fills_with_flowers(self):
        self.open("/live")
        eventually(lambda: (self.browser.evaluate("meadow.childElementCount") or 0) >= 5, what="five flowers")
        self.assertIn(self.answer(), [f"{species},Iris {species}" for species in SPECIES])


if __name__ == "__main__":
    main()
