"""A program on cpp-httplib, mounted as it is: framing, connections and limits are the host's."""
import gzip
import http.client
import os

from harness import PLUGINS, HostTest, eventually, in_parallel, main

MIB = 1 << 20


class HttplibApp(HostTest):
    def setUp(self):
        self.host = self.start(plugin=str(PLUGINS / "liblegacy.so"))

    def open_streams(self):
        return self.host.metrics()["bentohost_http_streams_open"]

    def test_many_requests_pass_over_one_connection(self):
        client = self.host.client()
        self.addCleanup(client.close)
        client.request("GET", "/legacy/users/0")
        local = client.connection.sock.getsockname()
        for i in range(20):
            reply = client.request("GET", f"/legacy/users/{i}")
            self.assertEqual((reply.status, reply.body), (200, b"user %d" % i))
            self.assertEqual(reply.header("content-length"), str(len(reply.body)))
            self.assertTrue(reply.header("x-request-id"))
            self.assertIsNone(reply.header("connection"))
        self.assertEqual(client.connection.sock.getsockname(), local)
        self.assertEqual(client.request("GET", "/legacy/nowhere").status, 404)
        self.assertEqual(client.request("GET", "/legacy/from").body, b"127.0.0.1")

    def test_its_handlers_call_runners(self):
        replies = in_parallel([lambda i=i: self.host.post("/legacy/shout", f"{i}").body for i in range(8)])
        self.assertEqual(replies, [b"%d!" % i for i in range(8)])

    def test_requests_run_side_by_side(self):
        replies = in_parallel([lambda i=i: self.host.get(f"/legacy/users/{i}").body for i in range(20)])
        self.assertEqual(replies, [b"user %d" % i for i in range(20)])

    def test_head_and_ranges(self):
        reply = self.host.request("HEAD", "/legacy/sized")
        self.assertEqual((reply.status, reply.header("content-length"), reply.body), (200, "10", b""))
        self.assertEqual(self.host.request("HEAD", "/legacy/ticks").status, 200)
        reply = self.host.get("/legacy/sized", {"Range": "bytes=2-4"})
        self.assertEqual((reply.status, reply.body), (206, b"234"))
        eventually(lambda: self.open_streams() == 0)

    def test_bodies_of_any_framing(self):
        body = os.urandom(MIB)
        client = self.host.client()
        self.addCleanup(client.close)
        self.assertEqual(client.request("POST", "/legacy/size", body).body, b"%d" % MIB)
        client.connection.request("POST", "/legacy/size", iter([body[:9], body]), encode_chunked=True,
                                  headers={"Transfer-Encoding": "chunked"})
        self.assertEqual(client.connection.getresponse().read(), b"%d" % (MIB + 9))
        zipped = client.request("POST", "/legacy/size", gzip.compress(body), {"Content-Encoding": "gzip"})
        self.assertEqual(zipped.body, b"%d" % MIB)
        self.assertEqual(client.request("POST", "/legacy/size", b"").body, b"0")

    def test_a_body_beyond_the_hosts_limit_is_413(self):
        host = self.start("--max-body", "1k", plugin=str(PLUGINS / "liblegacy.so"))
        self.assertEqual(host.post("/legacy/size", b"x" * 1025).status, 413)
        client = host.client()
        self.addCleanup(client.close)
        client.connection.request("POST", "/legacy/size", iter([b"x" * 600] * 2), encode_chunked=True,
                                  headers={"Transfer-Encoding": "chunked"})
        self.assertEqual(client.connection.getresponse().status, 413)

    def test_a_client_that_leaves_ends_the_content_provider(self):
        client = self.host.client()
        client.connection.request("GET", "/legacy/ticks")
        self.assertEqual(client.connection.getresponse().read(10), b"tick\ntick\n")
        self.assertEqual(self.open_streams(), 1)
        client.close()
        eventually(lambda: self.open_streams() == 0)

    def test_an_answer_that_breaks_off_is_cut(self):
        client = self.host.client()
        self.addCleanup(client.close)
        with self.assertRaises(http.client.IncompleteRead):
            client.request("GET", "/legacy/breaks")
        self.host.log_line("ended before its answer did")


if __name__ == "__main__":
    main()
