"""Streams and files: any amount in constant memory, one event at a time, and streams without a reader end."""
import http.client
import os
import re
import socket
import threading
import time
import zlib
from pathlib import Path

from harness import AT_ONCE, LAB, PLUGINS, SLOW, HostTest, eventually, in_parallel, main

MIB = 1 << 20
# How much a process may grow, however much passes through it. A sanitizer keeps freed memory.
GROWTH = 16 * MIB if SLOW == 1 else float("inf")
WWW, PAGES = PLUGINS / "www", str(PLUGINS / "libpages.so")


def resident(host):
    return int(Path(f"/proc/{host.serving_pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Watch:
    """The most memory that a host had while this was open."""

    def __init__(self, host):
        self.host, self.before, self.most = host, resident(host), 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.wait(0.005):
            self.most = max(self.most, resident(self.host))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def growth(self):
        return self.most - self.before


class StreamTest(HostTest):
    PLUGIN = LAB

    def setUp(self):
        self.host = self.start(plugin=self.PLUGIN)

    def ask(self, head, body=b"", host=None):
        """A connection on which the request has been sent."""
        connection = socket.create_connection(("127.0.0.1", (host or self.host).port), timeout=30 * SLOW)
        self.addCleanup(connection.close)
        connection.sendall(head.encode().replace(b"\n", b"\r\n") + b"\r\n\r\n" + body)
        return connection

    @staticmethod
    def read_all(connection):
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received

    def wait_for_streams(self, number):
        eventually(lambda: self.streams() == number, what=f"{number} streams")

    def streams(self):
        return int(self.host.get("/streaming").body.split()[0])


class Uploads(StreamTest):
    def test_256_mib_pass_through_constant_memory(self):
        piece, times = os.urandom(MIB), 256
        expected = 1
        for _ in range(times):
            expected = zlib.adler32(piece, expected)
        self.host.post("/upload", b"warm")
        for headers in ({"Content-Length": str(times * MIB)}, {"Transfer-Encoding": "chunked"}):
            client = self.host.client(timeout=120)
            self.addCleanup(client.close)
            chunked = "Transfer-Encoding" in headers
            with Watch(self.host) as watch:
                client.connection.request("POST", "/upload", (piece for _ in range(times)), headers,
                                          encode_chunked=chunked)
                response = client.connection.getresponse()
                answer = response.read()
            self.assertEqual(response.status, 200, answer)
            self.assertEqual(answer, b'{"bytes":%d,"adler32":%d}' % (times * MIB, expected))
            self.assertEqual(response.getheader("content-length"), str(len(answer)))
            self.assertLess(watch.growth(), GROWTH)

    def test_a_handler_sees_the_beginning_before_the_end_is_sent(self):
        connection = self.ask("POST /reflect HTTP/1.1\nHost: x\nContent-Length: 10", b"01234")
        received = b""
        while b"01234" not in received:
            received += connection.recv(4096)
        self.assertTrue(received.startswith(b"HTTP/1.1 200 "))
        connection.sendall(b"56789")
        while not received.endswith(b"0\r\n\r\n"):
            received += connection.recv(4096)
        self.assertIn(b"56789", received)

    def test_a_body_that_is_too_large_is_413_where_its_length_is_said_and_where_not(self):
        self.assertEqual(self.host.post("/tiny", b"1234").body, b"1234")
        self.assertEqual(self.host.post("/tiny", b"12345").status, 413)
        self.assertEqual(self.host.post("/upload", b"", {"Content-Length": str(2 << 30)}).status, 413)
        host = self.start("--max-body", "1k")
        for body in (b"7d0\r\n" + b"x" * 2000, b"258\r\n" + b"x" * 600 + b"\r\n258\r\n" + b"x" * 600):
            # Without a half-close, which in mid-request says that nobody waits for the response.
            answer = self.read_all(self.ask("POST /reflect HTTP/1.1\nHost: x\nTransfer-Encoding: chunked",
                                            body + b"\r\n0\r\n\r\n", host))
            if not answer.startswith(b"HTTP/1.1 413 "):  # the response had begun: then it is cut off
                self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer[:100])
                self.assertFalse(answer.endswith(b"0\r\n\r\n"), answer[-100:])

    def test_a_client_that_leaves_in_mid_body_ends_the_handler(self):
        connection = self.ask("POST /upload HTTP/1.1\nHost: x\nContent-Length: 1000", b"0123")
        self.wait_for_streams(1)
        begun = time.monotonic()
        connection.close()
        self.wait_for_streams(0)
        self.assertLess(time.monotonic() - begun, AT_ONCE)

    def test_what_a_handler_throws_is_the_answer_until_one_has_begun(self):
        reply = self.host.post("/breaks_off", b"before")
        self.assertEqual((reply.status, reply.json()["detail"]), (404, "no such stream"))
        with self.assertRaises(http.client.IncompleteRead) as broken:
            self.host.post("/breaks_off", b"after")
        self.assertEqual(broken.exception.partial, b"the beginning")
        eventually(lambda: "the middle of it" in self.host.stderr())

    def test_a_handler_that_answers_nothing_is_500(self):
        self.assertEqual(self.host.post("/says_nothing", b"").status, 500)


class Downloads(StreamTest):
    SIZE = 256 * MIB

    def test_a_slow_reader_costs_no_memory_and_gets_all(self):
        self.host.get("/download/1000000")
        for path in (f"/download/{self.SIZE}", f"/download/{self.SIZE}?sized"):
            client = self.host.client(timeout=120)
            self.addCleanup(client.close)
            with Watch(self.host) as watch:
                client.connection.request("GET", path)
                response = client.connection.getresponse()
                size = len(response.read(MIB))
                self.wait_for_idleness()  # nothing is read until the handler waits
                while piece := response.read(MIB):
                    size += len(piece)
            self.assertEqual(size, self.SIZE)
            self.assertLess(watch.growth(), GROWTH)
            length = str(self.SIZE) if "sized" in path else None
            self.assertEqual(response.getheader("content-length"), length)

    def wait_for_idleness(self):
        """Waits until the host uses no more processor time."""
        stat = Path(f"/proc/{self.host.serving_pid}/stat")
        looks = []

        def is_idle():
            used = stat.read_text().rpartition(")")[2].split()[11:13]
            if looks and looks[-1] != used:
                looks.clear()
            looks.append(used)
            return len(looks) > 25
        eventually(is_idle, what="a handler that waits")

    def test_head_tells_the_length_and_ends_at_once(self):
        reply = self.host.request("HEAD", f"/download/{self.SIZE}?sized")
        self.assertEqual((reply.status, reply.header("content-length"), reply.body), (200, str(self.SIZE), b""))
        client = self.host.client()
        self.addCleanup(client.close)
        self.assertEqual(client.request("HEAD", "/ticks").header("content-type"), "text/event-stream")
        self.assertEqual(client.request("GET", "/streaming").status, 200)
        self.wait_for_streams(0)

    def test_bytes_are_counted_as_they_were_sent_and_none_that_were_not(self):
        def counted(what, method, route):
            return self.host.metrics().get(
                f'bentohost_http_{what}_size_bytes_sum{{method="{method}",route="{route}"}}')

        def logged(request_id):
            return eventually(lambda: next((line for line in self.host.stdout_lines
                                            if request_id in line), None))
        self.host.post("/upload", b"x" * 1_000_000, {"X-Request-Id": "an-upload"})
        self.assertEqual(counted("request", "POST", "/upload"), 1_000_000)
        self.assertIn(" 1000000 ", logged("an-upload"))
        for path, route in (("/download/5000", "/download/{bytes}"), ("/livez", "/livez")):
            self.host.request("HEAD", path)
            self.assertEqual(counted("response", "HEAD", route), 0)

    def test_a_client_that_leaves_ends_the_handler(self):
        connection = self.ask(f"GET /download/{self.SIZE} HTTP/1.1\nHost: x")
        connection.recv(1000)
        self.wait_for_streams(1)
        begun = time.monotonic()
        connection.close()
        self.wait_for_streams(0)
        self.assertLess(time.monotonic() - begun, AT_ONCE)
        self.assertNotIn("could not be completed", self.host.stderr())

    def test_ten_at_once_get_each_their_own(self):
        def download(size):
            return len(self.host.get(f"/download/{size}").body)

        def upload(size):
            return self.host.post("/upload", b"x" * size).json()["bytes"]
        sizes = [MIB * i + i for i in range(5)]
        jobs = [lambda s=size, f=f: f(s) for size in sizes for f in (download, upload)]
        self.assertEqual(in_parallel(jobs), [size for size in sizes for _ in range(2)])


class Events(StreamTest):
    def read_events(self, connection, number):
        """The times at which these events arrived."""
        received, times = b"", []
        while len(times) < number:
            piece = connection.recv(65536)
            self.assertTrue(piece, "the stream ended")
            received += piece
            times += [time.monotonic()] * (len(re.findall(rb"\n\n", received)) - len(times))
        return received, times

    def test_events_arrive_one_by_one(self):
        connection = self.ask("GET /ticks HTTP/1.1\nHost: x\nAccept: text/event-stream")
        received, times = self.read_events(connection, 5)
        head, _, body = received.partition(b"\r\n\r\n")
        self.assertIn(b"Content-Type: text/event-stream", head)
        self.assertIn(b"Cache-Control: no-store", head)
        self.assertIn(b"id: 0\ndata: tick\ndata: 0\n\n", body)
        self.assertGreater(times[4] - times[0], 0.1, "all came in one")
        self.assertEqual(self.host.post("/ticks", "").status, 405)

    def test_a_client_that_leaves_ends_the_handler(self):
        connections = [self.ask("GET /ticks HTTP/1.1\nHost: x") for _ in range(10)]
        in_parallel([lambda c=c: self.read_events(c, 2) for c in connections])
        self.assertEqual(self.streams(), 10)
        begun = time.monotonic()
        for connection in connections:
            connection.close()
        self.wait_for_streams(0)
        self.assertLess(time.monotonic() - begun, AT_ONCE)

    def test_no_events_are_a_stream_too(self):
        reply = self.host.get("/no_events")
        self.assertEqual((reply.status, reply.header("content-type"), reply.body), (200, "text/event-stream", b""))

    def test_streams_end_when_the_host_does(self):
        connection = self.ask("GET /ticks HTTP/1.1\nHost: x")
        self.read_events(connection, 1)
        begun = time.monotonic()
        self.assertEqual(self.host.stop(), 0)
        self.assertLess(time.monotonic() - begun, AT_ONCE)
        self.assertTrue(self.read_all(connection).endswith(b"0\r\n\r\n"), "it was cut off, though it could end")


class Methods(StreamTest):
    def test_handlers_get_what_the_path_has_for_their_parameters(self):
        self.assertEqual(self.host.get("/models/iris/1:show").body, b"iris 1")
        self.assertEqual(self.host.get("/models/a%2fb/%C3%A9:show").status, 404)  # three segments
        self.assertEqual(self.host.get("/models/a%20b/%C3%A9:show").body, b"a b \xc3\xa9")
        reply = self.host.request("DELETE", "/models/iris")
        self.assertEqual((reply.status, reply.body), (200, b"no more iris"))

    def test_an_api_answers_its_own_method_alone(self):
        reply = self.host.post("/models/iris/1:show", "")
        self.assertEqual((reply.status, reply.header("allow")), (405, "GET, HEAD, OPTIONS"))
        reply = self.host.get("/models/iris")
        self.assertEqual((reply.status, reply.header("allow")), (405, "DELETE, OPTIONS"))
        reply = self.host.request("HEAD", "/models/iris/1:show")
        self.assertEqual((reply.status, reply.header("content-length"), reply.body), (200, "6", b""))


class Files(StreamTest):
    PLUGIN = PAGES

    def test_files_come_with_their_type_and_validators(self):
        reply = self.host.get("/static/style.css")
        self.assertEqual((reply.status, reply.body), (200, (WWW / "style.css").read_bytes()))
        self.assertTrue(reply.header("content-type").startswith("text/css"), reply.headers)
        self.assertEqual(reply.header("cache-control"), "max-age=60")
        self.assertEqual(reply.header("content-length"), str(len(reply.body)))
        for condition in ({"If-None-Match": reply.header("etag")},
                          {"If-Modified-Since": reply.header("last-modified")}):
            again = self.host.get("/static/style.css", condition)
            self.assertEqual((again.status, again.body, again.header("content-length")), (304, b"", None))
        self.assertEqual(self.host.get("/static/style.css", {"If-Match": '"another"'}).status, 412)

    def test_a_folder_is_its_index_and_has_a_slash_at_its_end(self):
        self.assertIn(b"front page", self.host.get("/static/").body)
        self.assertIn(b"The docs", self.host.get("/static/docs/").body)
        for path, location in (("/static", "./static/"), ("/static/docs", "./docs/"), ("/static?a=1", "./static/?a=1")):
            reply = self.host.get(path)
            self.assertEqual((reply.status, reply.header("location")), (301, location))

    def test_head_is_get_without_the_body(self):
        client = self.host.client()
        self.addCleanup(client.close)
        reply = client.request("HEAD", "/static/digits.txt")
        self.assertEqual((reply.status, reply.header("content-length"), reply.body), (200, "10", b""))
        self.assertEqual(client.request("HEAD", "/static/none").status, 404)
        self.assertEqual(client.request("GET", "/static/digits.txt").body, b"0123456789")

    def test_ranges(self):
        def ranged(text, headers=None):
            reply = self.host.get("/static/digits.txt", {"Range": text, **(headers or {})})
            return reply.status, reply.header("content-range"), reply.body
        eventually(lambda: not self.host.get("/static/digits.txt").header("etag").startswith("W/"),
                   what="a file that has settled")
        self.assertEqual(ranged("bytes=2-4"), (206, "bytes 2-4/10", b"234"))
        self.assertEqual(ranged("bytes=-3"), (206, "bytes 7-9/10", b"789"))
        self.assertEqual(ranged("bytes=8-"), (206, "bytes 8-9/10", b"89"))
        self.assertEqual(ranged("bytes=20-")[:2], (416, "bytes */10"))
        self.assertEqual(ranged("lines=1-2"), (200, None, b"0123456789"))
        etag = self.host.get("/static/digits.txt").header("etag")
        self.assertEqual(ranged("bytes=2-4", {"If-Range": etag})[0], 206)
        self.assertEqual(ranged("bytes=2-4", {"If-Range": '"another"'})[0], 200)
        reply = self.host.get("/static/digits.txt", {"Range": "bytes=0-1,5-6"})
        self.assertEqual(reply.status, 206)
        kind, boundary = reply.header("content-type").split("; boundary=")
        self.assertEqual(kind, "multipart/byteranges")
        parts = reply.body.split(b"--" + boundary.encode())
        self.assertEqual([part.strip().partition(b"\r\n\r\n")[2] for part in parts[1:3]], [b"01", b"56"])
        self.assertEqual(parts[3].strip(), b"--")

    def test_nothing_outside_of_the_folder_and_no_dot_files(self):
        self.assertTrue(Path(PAGES).exists() and (WWW / ".secret").exists())
        for path in ("/static/../libpages.so", "/static/..%2flibpages.so", "/static/%2e%2e/libpages.so",
                     "/static/docs/..%2f..%2flibpages.so", "/static/..%5clibpages.so", "/static//libpages.so",
                     "/static/%2fetc/passwd", "/static/.secret", "/static/%2esecret", "/static/docs/.%2e/.secret",
                     "/static/style.css%00.txt", "/static/style.css/", "/static/none", "/staticx", "/libpages.so"):
            answer = self.read_all(self.ask(f"GET {path} HTTP/1.1\nHost: x\nConnection: close"))
            self.assertRegex(answer, rb"^HTTP/1\.1 (400|404) ", path)

    def test_other_methods_are_refused(self):
        for method in ("POST", "PUT", "DELETE"):
            reply = self.host.request(method, "/static/style.css", "x")
            self.assertEqual((reply.status, reply.header("allow")), (405, "GET, HEAD, OPTIONS"), method)
        reply = self.host.request("OPTIONS", "/static/style.css")
        self.assertEqual((reply.status, reply.header("allow")), (204, "GET, HEAD, OPTIONS"))

    def test_a_large_file_passes_through_constant_memory(self):
        folder = self.folder()
        with open(folder / "large.bin", "wb") as file:
            file.truncate(256 * MIB)
        host = self.start("--set", f"pages.folder={folder}", plugin=PAGES)
        host.get("/static/")
        with Watch(host) as watch:
            client = host.client(timeout=120)
            self.addCleanup(client.close)
            client.connection.request("GET", "/files/large.bin")
            response, size = client.connection.getresponse(), 0
            while piece := response.read(MIB):
                size += len(piece)
        self.assertEqual((size, response.getheader("content-length")), (256 * MIB, str(256 * MIB)))
        self.assertLess(watch.growth(), GROWTH)

    def test_a_file_that_shrinks_while_it_is_sent_is_cut_off(self):
        folder = self.folder()
        with open(folder / "large.bin", "wb") as file:
            file.truncate(256 * MIB)
        host = self.start("--set", f"pages.folder={folder}", plugin=PAGES)
        client = host.client()
        self.addCleanup(client.close)
        client.connection.request("GET", "/files/large.bin")
        response = client.connection.getresponse()
        response.read(MIB)
        os.truncate(folder / "large.bin", 2 * MIB)
        with self.assertRaises(http.client.IncompleteRead):
            response.read()
        eventually(lambda: "became shorter" in host.stderr())

    def test_a_mount_is_below_its_services_prefix_and_one_label_in_the_metrics(self):
        host = self.start("--plugin", f"/deep/pages={PAGES}", plugin=None)
        self.assertIn(b"front page", host.get("/deep/pages/static/").body)
        self.assertEqual(host.get("/deep/pages/static").header("location"), "./static/")
        self.assertEqual(host.get("/static/").status, 404)
        metrics = host.get("/metrics").body.decode()
        self.assertIn('route="/deep/pages/static/*"', metrics)
        self.assertNotIn("index.html", metrics)


class Sample(HostTest):
    def setUp(self):
        self.host = self.start(plugin="libstreams.so")

    def test_an_upload_is_digested_as_it_comes(self):
        body = os.urandom(3 * MIB)
        self.assertEqual(self.host.post("/crc32", body).body, b"%08x\n" % zlib.crc32(body))
        self.assertEqual(self.host.post("/crc32", b"").body, b"00000000\n")

    def test_the_page_shows_the_events_that_there_are(self):
        page = self.host.get("/").body.decode()
        self.assertIn("text/css", self.host.get("/" + re.search('href="(.+?)"', page)[1]).header("content-type"))
        path = re.search(r'EventSource\("(.+?)/\d+"\)', page)[1]
        reply = self.host.get(f"/{path}/2", {"Accept": "text/event-stream"})
        self.assertEqual(reply.header("content-type"), "text/event-stream")
        self.assertEqual(reply.body, b"event: count\ndata: 2\n\nevent: count\ndata: 1\n\nevent: done\ndata: \n\n")
        names = set(re.findall(r'addEventListener\("(\w+)"', page))
        self.assertEqual(names, set(re.findall(r"event: (\w+)", reply.body.decode())))


if __name__ == "__main__":
    main()
