"""Mounted programs: real FastAPI and Flask apps beside the APIs, and a server that misbehaves."""
import http.client
import json
import socket
import subprocess
import threading
import time
import unittest
from pathlib import Path

from harness import AT_ONCE, BUILD, LAB, SLOW, eventually, in_parallel, is_alive, main
from mount_case import APPS, HAS_FASTAPI, HAS_FLASK, HAS_GUNICORN, MIB, PYTHON, MountCase, raw


def headers_of(reply):
    return {name.lower(): value for name, value in reply.json()["headers"]}


@unittest.skipUnless(HAS_FASTAPI, "no FastAPI, uvicorn and websockets")
class Asgi(MountCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = None

    def host(self, prefix="/api"):
        return self.mount(f"{prefix}=asgi:fast:app")

    def test_routes_and_prefix(self):
        host = self.host()
        self.assertEqual(host.get("/api/hello").json()["hello"], "world")
        scope = host.get("/api/scope?a=1&b=%20").json()
        self.assertEqual((scope["path"], scope["root_path"], scope["raw_path"], scope["query"]),
                         ("/scope", "/api", "/scope", "a=1&b=%20"))
        self.assertEqual(scope["url_for"], f"http://127.0.0.1:{host.port}/api/hello")
        self.assertEqual(scope["scheme"], "http")
        self.assertEqual(scope["client"][0], "127.0.0.1")
        # Whole segments only, and the root of the mount with and without its slash.
        self.assertEqual(host.get("/apix/hello").status, 404)
        self.assertEqual(host.get("/api").status, 404)  # the app's own, of its "/"
        self.assertEqual(host.get("/api").json(), {"detail": "Not Found"})

    def test_raw_target_is_untouched(self):
        host = self.host()
        for path in ("/any/a%2Fb", "/any//x", "/any/%C3%A9", "/any/a;b=c", "/any/a+b"):
            self.assertEqual(host.get("/api" + path).json()["raw_path"], path)

    def test_redirects_of_slashes_stay_below_the_prefix(self):
        host = self.host()
        reply = host.get("/api/folder")
        self.assertEqual(reply.status, 307)
        self.assertEqual(reply.header("location"), f"http://127.0.0.1:{host.port}/api/folder/")
        self.assertEqual(host.get("/api/redirect").header("location"), "/elsewhere")

    def test_docs_and_openapi_know_the_prefix(self):
        host = self.host()
        self.assertIn(b"/api/openapi.json", host.get("/api/docs").body)
        self.assertEqual(host.get("/api/openapi.json").json()["servers"], [{"url": "/api"}])

    def test_forwarded_headers_are_replaced(self):
        host = self.host()
        evil = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil",
                "X-Forwarded-Port": "1", "X-Forwarded-Prefix": "/evil", "X-Real-IP": "6.6.6.6",
                "Forwarded": "for=6.6.6.6", "X_Forwarded_For": "6.6.6.6", "X-Mine": "kept",
                "Connection": "X-Dropped", "X-Dropped": "1", "Keep-Alive": "1", "TE": "trailers"}
        reply = host.get("/api/scope", headers=evil)
        headers = headers_of(reply)
        self.assertEqual(headers["x-forwarded-for"], "127.0.0.1")
        self.assertEqual(headers["x-forwarded-proto"], "http")
        self.assertEqual(headers["x-real-ip"], "127.0.0.1")
        self.assertEqual(headers["x-mine"], "kept")
        self.assertNotIn("6.6.6.6", str(reply.json()))
        self.assertNotIn("evil", str(reply.json()))
        for name in ("x-dropped", "keep-alive", "te", "x_forwarded_for"):
            self.assertNotIn(name, headers)
        self.assertEqual(headers["host"], f"127.0.0.1:{host.port}")
        self.assertEqual(headers["x-request-id"], reply.header("x-request-id"))

    def test_bodies_both_ways(self):
        host = self.host()
        for size in (0, 1, 70_000, 5 * MIB):
            body = bytes(size)
            self.assertEqual(host.post("/api/echo/", body).body, body)
        self.assertEqual(host.post("/api/length", b"x" * MIB).json(), {"size": MIB})
        self.assertEqual(len(host.get(f"/api/zeros/{3 * MIB}").body), 3 * MIB)

    def test_any_amount_passes_in_constant_memory(self):
        host = self.mount("/api=asgi:fast:app", more=("--max-body", "2g"))
        size = 256 * MIB

        def resident():
            return int(Path(f"/proc/{host.serving_pid}/statm").read_text().split()[1]) * 4096
        host.get("/api/hello")
        before, most = resident(), 0
        with host.client(timeout=120 * SLOW) as client:
            pieces = (bytes(MIB) for _ in range(256))
            client.connection.request("POST", "/api/length", body=pieces, encode_chunked=True,
                                      headers={"Transfer-Encoding": "chunked"})
            most = max(most, resident())
            self.assertEqual(json.loads(client.connection.getresponse().read()), {"size": size})
            client.connection.request("GET", f"/api/zeros/{size}")
            reply, got = client.connection.getresponse(), 0
            while piece := reply.read(MIB):
                got += len(piece)
                most = max(most, resident())
            self.assertEqual(got, size)
        if SLOW == 1:  # a sanitizer keeps freed memory
            self.assertLess(most - before, 24 * MIB)

    def test_a_chunked_upload(self):
        host = self.host()
        connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=30 * SLOW)
        self.addCleanup(connection.close)
        connection.request("POST", "/api/echo/", body=(b"a" * 1000 for _ in range(300)), encode_chunked=True,
                           headers={"Transfer-Encoding": "chunked"})
        self.assertEqual(connection.getresponse().read(), b"a" * 300_000)

    def test_an_early_answer_to_an_upload(self):
        host = self.host()
        with socket.create_connection(("127.0.0.1", host.port), timeout=30 * SLOW) as connection:
            connection.sendall(b"POST /api/early HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n" + bytes(MIB))
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
        self.assertTrue(answer.endswith(b"no, thanks"), answer)
        self.assertEqual(host.get("/api/hello").status, 200)

    def test_events_come_one_by_one_and_end_with_the_client(self):
        host = self.host()
        with socket.create_connection(("127.0.0.1", host.port), timeout=30 * SLOW) as connection:
            connection.sendall(b"GET /api/events HTTP/1.1\r\nHost: x\r\n\r\n")
            text, began = b"", time.monotonic()
            while b"data: 3\n\n" not in text:
                text += connection.recv(65536)
            self.assertLess(time.monotonic() - began, AT_ONCE)
        eventually(lambda: host.get("/api/cancelled").json() == 1)

    def test_an_exception_in_mid_stream_cuts_the_response(self):
        host = self.host()
        answer = raw(host, b"GET /api/broken HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b"x" * 1000, answer)
        self.assertFalse(answer.endswith(b"0\r\n\r\n"))
        self.assertEqual(host.get("/api/hello").status, 200)

    def test_what_the_app_answers_passes_unchanged(self):
        host = self.host()
        reply = host.get("/api/nothing")
        self.assertEqual((reply.status, reply.json()), (404, {"detail": "Not Found"}))
        self.assertEqual(host.get("/api/status/418").json(), {"detail": "as asked"})
        reply = host.get("/api/boom")
        self.assertEqual((reply.status, reply.body), (500, b"Internal Server Error"))
        host.log_line("RuntimeError: boom")
        self.assertEqual(host.request("HEAD", "/api/hello").status, 405)
        for code in (204, 304):
            self.assertEqual((host.get(f"/api/status/{code}").status, host.get(f"/api/status/{code}").body), (code, b""))
        cookies = [value for name, value in host.get("/api/cookies").headers if name.lower() == "set-cookie"]
        self.assertEqual(cookies, ["a=1; Path=/; SameSite=lax", "b=2; Path=/deep; SameSite=lax"])

    def test_cookies_may_get_the_prefix(self):
        host = self.mount("/api=asgi:fast:app", more=("--mount-set", "/api.prefix_cookies=on"))
        cookies = [value for name, value in host.get("/api/cookies").headers if name.lower() == "set-cookie"]
        self.assertEqual(cookies, ["a=1; Path=/api; SameSite=lax", "b=2; Path=/api/deep; SameSite=lax"])

    def test_a_websocket(self):
        host = self.host()
        script = """
import asyncio, json, sys, websockets
async def run(url):
    async with websockets.connect(url, subprotocols=["chat"], max_size=None) as socket:
        assert socket.subprotocol == "chat", socket.subprotocol
        for text in ("hello", "x" * 300_000):
            await socket.send(text)
            assert await socket.recv() == text
        await socket.send(b"\\0\\1" * 50_000)
        assert await socket.recv() == b"\\0\\1" * 50_000
        await socket.send("scope")
        print(await socket.recv())
        await socket.send("close")
        try:
            await socket.recv()
        except websockets.ConnectionClosed as e:
            assert e.code == 4000, e
asyncio.run(run(sys.argv[1]))
"""
        for prefix in ("/api/ws",):
            done = subprocess.run([PYTHON, "-c", script, f"ws://127.0.0.1:{host.port}{prefix}"], check=False,
                                  capture_output=True, text=True, timeout=60 * SLOW)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout), {"scheme": "ws", "root_path": "/api", "path": "/ws"})
        # A path without a WebSocket: an ordinary response.
        upgrade = (b"GET /api/nothing HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n"
                   b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        self.assertTrue(raw(host, upgrade).startswith(b"HTTP/1.1 403 "))
        # Any other upgrade is not passed on.
        h2c = b"GET /api/hello HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n"
        self.assertTrue(raw(host, h2c).startswith(b"HTTP/1.1 200 "))

    def test_a_deadline(self):
        host = self.mount("/=asgi:fast:app", more=("--timeout", str(0.5 * SLOW)))
        reply = host.get(f"/sleep/{20_000 * SLOW}")
        self.assertEqual((reply.status, reply.header("content-type")), (504, "application/problem+json"))
        self.assertEqual(host.get("/hello").status, 200)

    def test_factories_environment_and_folder(self):
        host = self.mount("/=asgi:fast:create()", more=("--mount-set", "/.env.FLAVOUR=sour"),
                          env={"SECRET": "of the host", "WEB_CONCURRENCY": "7"})
        self.assertEqual(host.get("/env/FLAVOUR").json(), "sour")
        self.assertIsNone(host.get("/env/SECRET").json())
        self.assertIsNone(host.get("/env/WEB_CONCURRENCY").json())

    def test_its_output_is_in_the_log(self):
        host = self.host()
        host.get("/api/print/3")
        host.log_line("line 2")
        host.log_line("to stderr")

    def test_health_metrics_and_apis_come_first(self):
        host = self.mount("/=asgi:fast:app", plugin=LAB)
        self.assertEqual(host.get("/livez").body, b"ok\n")
        self.assertIn(b"bentohost_mount_up", host.get("/metrics").body)
        self.assertEqual(host.post("/echo", b"x").status, host.post("/echo", b"x").status)
        self.assertEqual(host.get("/hello").json()["hello"], "world")

    def test_metrics(self):
        host = self.host()
        for _ in range(3):
            host.get("/api/hello")
        metrics = host.metrics()
        self.assertEqual(metrics['bentohost_mount_up{mount="/api",service="mounts"}'], 1)
        self.assertEqual(
            metrics['bentohost_mount_requests_total{mount="/api",outcome="answered",service="mounts"}'], 3)
        self.assertEqual(metrics['bentohost_mount_requests_in_flight{mount="/api",service="mounts"}'], 0)
        self.assertGreaterEqual(metrics['bentohost_mount_connections{mount="/api",service="mounts"}'], 1)

    def test_a_process_that_dies_comes_back(self):
        host = self.host()
        pid = host.get("/api/hello").json()["pid"]
        reply = host.get("/api/exit/3")
        self.assertEqual((reply.status, reply.header("content-type")), (502, "application/problem+json"))
        host.log_line("exited with code 3")

        def is_back():
            reply = host.get("/api/hello")
            self.assertIn(reply.status, (200, 503))
            if reply.status == 503:
                self.assertTrue(reply.header("retry-after"))
            return reply.status == 200 and reply.json()["pid"] != pid
        eventually(is_back, seconds=30)
        eventually(lambda: host.metrics()['bentohost_mount_up{mount="/api",service="mounts"}'] == 1)

    def test_two_processes_share_the_load_and_one_may_be_killed(self):
        host = self.mount("/=asgi:fast:app", more=("--mount-set", "/.processes=2"))
        pids = set()

        def ask():
            pids.update(host.get("/pid/20").json() for _ in range(10))
        in_parallel([ask] * 4)
        self.assertEqual(len(pids), 2)
        subprocess.run(["kill", "-9", str(pids.pop())], check=True)
        replies = [host.get("/hello").status for _ in range(50)]
        self.assertEqual(set(replies), {200})

    def test_nothing_is_left_when_the_host_is_killed(self):
        host = self.mount("/=asgi:fast:app", more=("--no-supervisor",))
        pid = host.get("/hello").json()["pid"]
        processes = [*host.descendants(), pid]
        host.process.kill()
        host.process.wait()
        eventually(lambda: not any(is_alive(pid) for pid in processes), seconds=3)

    def test_a_stop_finishes_requests(self):
        host = self.host()
        statuses = []
        thread = threading.Thread(target=lambda: statuses.append(host.get(f"/api/sleep/{800 * SLOW}").status))
        thread.start()
        eventually(lambda: host.metrics()['bentohost_mount_requests_in_flight{mount="/api",service="mounts"}'] == 1)
        processes = host.descendants()
        self.assertEqual(host.stop(), 0)
        thread.join()
        self.assertEqual(statuses, [200])
        self.assertFalse(any(is_alive(pid) for pid in processes))


@unittest.skipUnless(HAS_FLASK, "no Flask")
class Wsgi(MountCase):
    KIND = "wsgi"

    def host(self, prefix="/old", *more):
        return self.mount(f"{prefix}={self.KIND}:flasks:app", more=more)

    def test_prefix_and_environ(self):
        host = self.host()
        environ = host.get("/old/environ?a=1", headers={"X-Forwarded-For": "6.6.6.6", "Script_Name": "/evil"}).json()
        self.assertEqual((environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["QUERY_STRING"]),
                         ("/old", "/environ", "a=1"))
        self.assertEqual(environ["wsgi.url_scheme"], "http")
        self.assertNotIn("6.6.6.6", str(environ))
        self.assertNotIn("evil", str(environ))
        urls = host.get("/old/url").json()
        self.assertEqual(urls["relative"], "/old/hello")
        self.assertEqual(urls["absolute"], f"http://127.0.0.1:{host.port}/old/hello")
        self.assertEqual(host.get("/old/folder").header("location"), f"http://127.0.0.1:{host.port}/old/folder/")
        self.assertEqual(host.get("/old/go").header("location"), "/old/hello")
        self.assertEqual(host.get("/oldx/hello").status, 404)

    def test_bodies_both_ways(self):
        host = self.host()
        for size in (0, 1, 70_000, 5 * MIB):
            self.assertEqual(host.post("/old/echo", bytes(size)).body, bytes(size))
        self.assertEqual(len(host.get(f"/old/zeros/{3 * MIB}").body), 3 * MIB)

    def test_an_error_page_is_the_apps(self):
        host = self.host()
        reply = host.get("/old/boom")
        self.assertEqual((reply.status, reply.header("content-type")), (500, "text/html; charset=utf-8"))
        host.log_line("RuntimeError: boom")
        self.assertIn(b"Not Found", host.get("/old/nothing").body)

    def test_more_requests_than_threads_wait(self):
        host = self.host("/old", "--mount-set", "/old.threads=2")
        began = time.monotonic()
        statuses = []
        in_parallel([lambda: statuses.append(host.get("/old/sleep/200").status)] * 6)
        self.assertEqual(statuses, [200] * 6)
        self.assertGreater(time.monotonic() - began, 0.55)

    def test_slow_uploads_hold_no_threads(self):
        host = self.host("/old", "--mount-set", "/old.threads=2")
        heads = (b"POST /old/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
                 b"POST /old/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc")
        slow = []
        for head in heads * 2:
            slow.append(socket.create_connection(("127.0.0.1", host.port), timeout=30 * SLOW))
            self.addCleanup(slow[-1].close)
            slow[-1].sendall(head)
        in_flight = 'bentohost_mount_requests_in_flight{mount="/old",service="mounts"}'
        eventually(lambda: host.metrics()[in_flight] == 4)
        self.assertEqual(host.get("/old/hello").status, 200)
        slow[0].sendall(b"2\r\nde\r\n0\r\n\r\n")
        answer = b""
        while b"abcde" not in answer.replace(b"\r\n", b""):
            answer += slow[0].recv(65536)
        self.assertIn(b" 200 ", answer)

    def test_a_thread_that_works_for_a_client_that_has_left_is_not_free(self):
        host = self.host("/old", "--mount-set", "/old.threads=1")
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", host.port), timeout=30 * SLOW) as connection:
            connection.sendall(b"GET /old/sleep/1000 HTTP/1.1\r\nHost: x\r\n\r\n")
            in_flight = 'bentohost_mount_requests_in_flight{mount="/old",service="mounts"}'
            eventually(lambda: host.metrics()[in_flight] == 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
        eventually(lambda: host.metrics()[in_flight] == 0)
        self.assertEqual(host.get("/old/hello").status, 200)
        self.assertGreater(time.monotonic() - began, 0.95)

    def test_a_factory(self):
        host = self.mount(f"/old={self.KIND}:flasks:create_app()")
        self.assertEqual(host.get("/old/hello").json()["hello"], "flask")


class OwnWsgi(Wsgi):
    def test_the_client_address(self):
        self.assertEqual(self.host().get("/old/url").json()["remote"], "127.0.0.1")

    def test_two_sessions_with_prefixed_cookies(self):
        more = ("--mount-set", "/a.prefix_cookies=on", "--mount-set", "/b.prefix_cookies=on")
        host = self.mount("/a=wsgi:flasks:app", "/b=wsgi:flasks:app", more=more)
        cookie = next(value for name, value in host.get("/a/count").headers if name.lower() == "set-cookie")
        self.assertTrue(cookie.endswith("Path=/a"), cookie)


@unittest.skipUnless(HAS_GUNICORN, "no gunicorn")
class Gunicorn(Wsgi):
    KIND = "wsgi+gunicorn"


del Wsgi


class StartFailures(MountCase):
    def refused(self, mount, *words, more=(), code=78):
        done = self.run_mount(mount, more)
        self.assertEqual(done.returncode, code, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def run_mount(self, mount, more):
        return subprocess.run([BUILD / "bin" / "bentohost", "--port", "0", "--mount", mount,
                               "--mount-set", f"{mount.partition('=')[0]}.start_timeout={3 * SLOW}", *more],
                              cwd=APPS, capture_output=True, text=True, timeout=60 * SLOW, check=False)

    @unittest.skipUnless(HAS_FASTAPI, "no FastAPI")
    def test_python(self):
        python = ("--mount-set", f"/.interpreter={PYTHON}")
        self.refused("/=asgi:nothere:app", "mount /", "nothere", more=python)
        self.refused("/=asgi:fast:nothere", "mount /", "nothere", more=python)

    @unittest.skipUnless(HAS_FLASK, "no Flask")
    def test_wsgi(self):
        python = ("--mount-set", f"/.interpreter={PYTHON}")
        self.refused("/=wsgi:nothere:app", "mount /", "nothere", more=python)
        self.refused("/=wsgi:flasks:nothere", "mount /", "nothere", more=python)

    def test_commands(self):
        self.refused("/=http:/bin/false", "mount /", "exited with code 1")
        self.refused("/=http:sleep 1000", "mount /", "answer")
        self.refused("/=http:no-such-program-at-all", "no-such-program-at-all")

    def test_command_lines(self):
        for mount, word in (("old=asgi:a:b", "/"), ("/=what:a:b", "what"), ("/=asgi:a", "asgi"),
                            ("/livez=http:x", "livez")):
            self.assertNotEqual(self.run_mount(mount, ()).returncode, 0)
            self.assertIn(word, self.run_mount(mount, ()).stderr)


if __name__ == "__main__":
    main()
