"""The main use: real irises, classified as scikit-learn's SVC(gamma="scale") classifies them."""
import csv
import threading

from harness import SOURCE, HostTest, in_parallel, main

with open(SOURCE / "samples" / "iris" / "expected.csv", newline="") as file:
    ROWS = [([float(row[name]) for name in ("sepal_len", "sepal_width", "petal_len", "petal_width")],
             int(row["class"])) for row in csv.DictReader(file)]
FEATURES = [features for features, _ in ROWS]
CLASSES = [label for _, label in ROWS]


class Iris(HostTest):
    def setUp(self):
        self.host = self.start(plugin="libiris.so")

    def test_one_flower_is_a_setosa(self):
        reply = self.host.post("/classify", "[[4.9,3.0,1.4,0.2]]")
        self.assertEqual((reply.status, reply.body), (200, b"[0]"))
        self.assertEqual(reply.header("content-type"), "application/json")

    def test_all_rows_in_one_request_agree_with_scikit_learn(self):
        self.assertEqual(len(FEATURES), 150)  # more than max_batch: split and joined again
        for route in ("/classify", "/v1/models/iris_classifier/predict"):
            self.assertEqual(self.host.post(route, FEATURES).json(), CLASSES)

    def test_150_concurrent_requests_of_one_row_each_get_their_own_answer(self):
        all_set = threading.Barrier(len(ROWS))

        def ask(features):
            client = self.host.client()
            client.connection.connect()
            all_set.wait()
            try:
                return client.request("POST", "/classify", [features]).json()
            finally:
                client.close()
        answers = in_parallel([lambda f=f: ask(f) for f in FEATURES])
        self.assertEqual(answers, [[label] for label in CLASSES])

    def test_the_second_api_is_at_its_own_route_and_not_at_its_name(self):
        self.assertEqual(self.host.post("/v1/models/iris_classifier/predict", FEATURES[:2]).json(), CLASSES[:2])
        self.assertEqual(self.host.post("/any_name", FEATURES[:2]).status, 404)

    def test_no_rows_are_no_classes(self):
        self.assertEqual(self.host.post("/classify", "[]").json(), [])

    def test_many_requests_pass_over_one_connection(self):
        client = self.host.client()
        self.addCleanup(client.close)
        client.request("POST", "/classify", FEATURES[:1])
        local = client.connection.sock.getsockname()
        for features, label in ROWS:
            self.assertEqual(client.request("POST", "/classify", [features]).json(), [label])
        self.assertEqual(client.connection.sock.getsockname(), local)


class C99(HostTest):
    def test_the_plain_c_plugin_answers(self):
        host = self.start(plugin="libc99.so")
        self.assertEqual(host.post("/twice", "[[1.5, 2], [-3, 0]]").json(), [[3.0, 4.0], [-6.0, 0.0]])
        self.assertEqual(host.post("/countdown", "[3]").body,
                         b"data: [3.0]\n\ndata: [2.0]\n\ndata: [1.0]\n\ndata: [DONE]\n\n")
        self.assertEqual(host.post("/countdown", "[0]").body, b"data: [DONE]\n\n")
        self.assertEqual(host.post("/countdown", "[1,2]").status, 400)


if __name__ == "__main__":
    main()
