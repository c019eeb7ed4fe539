"""Listening sockets: TCP of both families, Unix sockets, inherited sockets, the admin port; and
the errors when it cannot listen."""
import contextlib
import json
import os
import socket
import stat
import subprocess
import sys
import unittest
from pathlib import Path

from harness import EXE, LAB, SLOW, Client, HostTest, Run, eventually, main
from http_wire import Wire, head

# Executes the command in its arguments, with the given sockets as descriptors 3, 4, ... and the
# environment variables that systemd sets.
INHERIT = """
import os, sys
fds, command = [int(fd) for fd in sys.argv[1].split(",")], sys.argv[2:]
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
    os.close(fd)
os.environ.update(LISTEN_FDS=str(len(fds)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="a:b")
os.execv(command[0], command)
"""


def through_systemd(*sockets):
    """The arguments with which Host and Run inherit the sockets."""
    fds = [each.fileno() for each in sockets]
    return {"launcher": (sys.executable, "-c", INHERIT, ",".join(map(str, fds))), "pass_fds": fds}


def has_ipv6():
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


# Executes the command in its arguments with another file as /etc/hosts.
WITH_HOSTS = 'mount --bind "$0" /etc/hosts && exec "$@"'


def may_mount():
    return subprocess.run(("unshare", "-m", "true"), capture_output=True, check=False).returncode == 0


class Sockets(HostTest):
    def ask(self, url, method="GET", path="/livez", body=None):
        with Client(url) as client:
            return client.request(method, path, body)

    def serves(self, url):
        self.assertEqual(self.ask(url).body, b"ok\n")
        self.assertEqual(self.ask(url, "POST", "/echo", [[1]]).json(), [[1]])

    def fails(self, *arguments, **options):
        return Run("--plugin", LAB, *arguments, **options)


class Tcp(Sockets):
    def test_it_listens_wherever_it_is_bound_beside_host_and_port(self):
        host = self.start("--bind", "127.0.0.1:0", "--bind", "localhost:0", "--bind", ":0")
        self.assertEqual(len(host.urls), 4)
        self.assertRegex(host.urls[3], r"^http://(0\.0\.0\.0|\[::\]):\d+$")
        for url in host.urls:
            self.serves(url)

    @unittest.skipUnless(has_ipv6() and may_mount(), "there is no IPv6, or no leave to name its addresses")
    def test_a_name_is_all_addresses_that_it_has(self):
        hosts = self.folder() / "hosts"
        hosts.write_text("127.0.0.1 localhost\n127.0.0.2 localhost\n::1 localhost\n127.0.0.1 localhost\n")
        host = self.start("--host", "localhost", launcher=("unshare", "-m", "sh", "-c", WITH_HOSTS, hosts))
        self.assertEqual(len(host.urls), 1)
        port = host.urls[0].rpartition(":")[2]
        for name in ("127.0.0.1", "127.0.0.2", "[::1]"):
            self.serves(f"http://{name}:{port}")

    def test_with_bind_alone_nothing_else_is_opened(self):
        host = self.start("--bind", "127.0.0.1:0", "--bind", "127.0.0.1:0", listen=())
        self.assertEqual(sorted(host.urls),
                         [f"http://127.0.0.1:{port}" for port in host.listening_ports()])
        for url in host.urls:
            self.serves(url)

    def test_ipv6(self):
        if not has_ipv6():
            self.skipTest("this machine has no IPv6")
        host = self.start("--bind", "[::1]:0", listen=())
        self.assertRegex(host.urls[0], r"^http://\[::1\]:\d+$")
        self.serves(host.urls[0])
        self.assertIn("client [::1]:", self.ask(host.urls[0], "POST", "/seen", "").body.decode())
        host = self.start("--host", "::", "--port", "0", listen=())
        port = host.urls[0].rpartition(":")[2]
        for url in (f"http://[::1]:{port}", f"http://127.0.0.1:{port}"):
            self.serves(url)

    def test_a_port_that_is_busy_is_an_error_at_once_and_starts_nothing(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            for arguments in (("--port", port), ("--bind", f"127.0.0.1:{port}"),
                              ("--port", "0", "--admin-bind", f"localhost:{port}")):
                self.assert_refused(self.fails(*arguments), f":{port}", "in use")

    def test_a_second_server_on_a_port_is_refused_while_the_first_one_serves_on(self):
        host = self.start()
        self.assert_refused(self.fails("--port", str(host.port)), str(host.port), "in use")
        self.assertEqual(host.get("/livez").status, 200)

    def test_a_restart_does_not_wait_for_old_connections(self):
        host = self.start()
        with host.client() as client:
            self.assertEqual(client.request("GET", "/livez").status, 200)
            self.assertEqual(host.stop(), 0)  # the server closed first: TIME_WAIT is on its side
        again = self.start(listen=("--port", str(host.port)))
        self.assertEqual(again.get("/livez").status, 200)

    def test_what_is_no_address_is_told_with_the_right_form(self):
        for option in ("--bind", "--admin-bind"):
            for text in ("127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "::1:80",
                         "[::1:80", "unix:"):
                self.assert_refused(self.fails(option, text), option, "HOST:PORT", "unix:PATH",
                                    code=2)
        self.assert_refused(self.fails("--bind", "203.0.113.1:0"), "listen on 203.0.113.1:0")
        self.assert_refused(self.fails("--bind", "no such host:0"), "listen on no such host:0")
        self.assert_refused(self.fails("--forwarded-allow-ips", "127.0.0.1,nobody"), "nobody",
                            code=2)


class UnixFiles(Sockets):
    def test_their_permissions_are_their_groups_or_as_told(self):
        for arguments, mode in (((), 0o660), (("--unix-socket-mode", "600"), 0o600),
                                (("--unix-socket-mode", "666"), 0o666)):
            path = self.folder() / "x.sock"
            self.start("--bind", f"unix:{path}", *arguments)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), mode)
        done = self.fails("--bind", f"unix:{path}", "--unix-socket-mode", "9")
        self.assertIn("--unix-socket-mode 9: expected permissions in octal", done.stderr)

    def test_a_health_check_may_ask_there(self):
        path = self.folder() / "x.sock"
        self.start("--bind", f"unix:{path}")

        def check(where):
            return subprocess.run([EXE, "healthcheck", where], capture_output=True, text=True, check=False)
        done = check(f"unix:{path}")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = check(f"unix:{path}.none")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no answer from unix:", done.stderr)


class Unix(Sockets):
    def test_a_unix_socket_serves_and_is_gone_afterwards(self):
        path = self.folder() / "x.sock"
        host = self.start("--bind", f"unix:{path}", listen=())
        self.assertEqual((host.urls, host.listening_ports()), ([f"unix:{path}"], []))
        self.serves(host.urls[0])
        self.assertIn("client unix\n", self.ask(host.urls[0], "POST", "/seen", "").body.decode())
        self.assertEqual(host.stop(), 0)
        self.assertFalse(path.exists())

    def test_a_socket_that_a_dead_server_left_is_replaced(self):
        path = self.folder() / "x.sock"
        host = self.start("--bind", f"unix:{path}", "--no-supervisor")
        host.process.kill()
        host.stop()
        self.assertTrue(path.is_socket())
        self.serves(self.start("--bind", f"unix:{path}", listen=()).urls[0])

    def test_the_ready_line_is_json_whatever_the_sockets_name(self):
        path = str(self.folder() / 'a "b"\\c\n\x01.sock')
        host = self.start("--bind", f"unix:{path}", "--log-format", "json", listen=())
        (line,) = host.stdout_lines
        self.assertEqual(json.loads(line)["url"], f"unix:{path}")
        text = self.start("--bind", f"unix:{path}2", listen=())
        self.assertEqual(len(text.stdout_lines), 1)
        self.assertIn("b\"\\c\\x0a\\x01.sock2 (ready in", text.stdout_lines[0])

    def test_a_socket_of_a_server_that_lives_is_left_alone(self):
        path = self.folder() / "x.sock"
        host = self.start("--bind", f"unix:{path}", listen=())
        self.assert_refused(self.fails("--bind", f"unix:{path}"), str(path), "in use",
                            "another server")
        self.serves(host.urls[0])

    def test_what_is_no_socket_is_left_alone(self):
        folder = self.folder()
        (folder / "text").write_text("not ours")
        self.assert_refused(self.fails("--bind", f"unix:{folder}/text"), "text")
        self.assertEqual((folder / "text").read_text(), "not ours")
        self.assert_refused(self.fails("--bind", f"unix:{folder}/none/x"), "No such file")
        self.assert_refused(self.fails("--bind", "unix:" + "x" * 108), "107 bytes")

    def test_a_start_that_fails_leaves_no_socket(self):
        path = self.folder() / "x.sock"
        with socket.create_server(("127.0.0.1", 0)) as taken:
            busy = f"127.0.0.1:{taken.getsockname()[1]}"
            self.assert_refused(self.fails("--bind", f"unix:{path}", "--bind", busy), busy)
        self.assertFalse(path.exists())
        self.assert_refused(Run("--plugin", "/nowhere.so", "--bind", f"unix:{path}"), "/nowhere.so")
        self.assertFalse(path.exists())


class Inherited(Sockets):
    def test_sockets_that_systemd_passes_are_served_and_nothing_else_is_opened(self):
        path = self.folder() / "x.sock"
        with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as local:
            local.bind(str(path))
            local.listen()
            port = tcp.getsockname()[1]
            host = self.start(listen=(), **through_systemd(tcp, local))
        self.assertEqual(host.urls, [f"http://127.0.0.1:{port}", f"unix:{path}"])
        self.assertEqual(host.listening_ports(), [port])
        for url in host.urls:
            self.serves(url)
        self.runners_know_nothing_of_it(host)
        self.assertEqual(host.stop(), 0)
        self.assertTrue(path.exists())  # systemd removes it

    def runners_know_nothing_of_it(self, host):
        listening = {os.readlink(f"/proc/{host.pid}/fd/{fd}") for fd in (3, 4)}
        children = host.serving_children()
        self.assertEqual(len(children), 2)
        for pid in children:
            self.assertNotIn(b"LISTEN_", Path(f"/proc/{pid}/environ").read_bytes())
            theirs = {os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}
            self.assertFalse(theirs & listening)

    def test_beside_a_port_that_is_asked_for(self):
        with socket.create_server(("127.0.0.1", 0)) as tcp:
            host = self.start("--bind", "127.0.0.1:0", **through_systemd(tcp))
            self.assertEqual(len(host.listening_ports()), 3)
        for url in host.urls:
            self.serves(url)

    def test_connections_that_came_before_the_start_are_served(self):
        with socket.create_server(("127.0.0.1", 0)) as tcp:
            with Client(tcp.getsockname()[1]) as early:
                early.connection.connect()
                self.start(listen=(), **through_systemd(tcp))
                self.assertEqual(early.request("GET", "/livez").status, 200)

    def test_descriptors_for_another_process_are_not_ours(self):
        host = self.start(env={"LISTEN_FDS": "1", "LISTEN_PID": "1"})
        self.assertEqual(len(host.listening_ports()), 1)
        for pid in host.descendants():
            self.assertNotIn(b"LISTEN_", Path(f"/proc/{pid}/environ").read_bytes())

    def test_a_descriptor_that_does_not_listen_is_an_error(self):
        with open(os.devnull) as null:
            self.assert_refused(self.fails(**through_systemd(null)), "LISTEN_FDS", "3",
                                "not a listening socket")


class AdminDoor(Sockets):
    def shows_operators_what_is_theirs_alone(self, url):
        for path in ("/livez", "/healthz", "/readyz"):
            self.assertEqual(self.ask(url, path=path).body, b"ok\n")
        self.assertIn(b"bentohost_build_info{", self.ask(url, path="/metrics").body)
        reply = self.ask(url, "POST", "/echo", [[1]])
        self.assertEqual(reply.status, 404)
        self.assertEqual(reply.header("content-type"), "application/problem+json")
        self.assertEqual(self.ask(url, path="/echo").status, 404)  # not even a 405
        self.assertEqual(self.ask(url, "POST", "/livez").header("allow"), "GET, HEAD, OPTIONS")
        self.assertNotIn("DELETE", self.ask(url, "OPTIONS", "*").header("allow"))  # a method of an API

    def test_over_tcp(self):
        host = self.start("--admin-bind", "127.0.0.1:0")
        self.assertEqual(len(host.urls), 1)  # the ready line is for clients
        (admin,) = set(host.listening_ports()) - {host.port}
        host.log_line(f"the admin port is at http://127.0.0.1:{admin}")
        self.shows_operators_what_is_theirs_alone(f"http://127.0.0.1:{admin}")
        self.serves(host.urls[0])

    def asked(self, port, *headers, method="GET", path="/livez"):
        with socket.create_connection(("127.0.0.1", port), timeout=10 * SLOW) as connection:
            wire = Wire(connection)
            wire.send(head(f"{method} {path} HTTP/1.1", "Connection: close", *headers))
            return wire.answer()

    def test_web_pages_are_refused(self):
        host = self.start("--admin-bind", "127.0.0.1:0", "--admin-host", "metrics.example")
        (port,) = set(host.listening_ports()) - {host.port}
        here = f"127.0.0.1:{port}"
        for headers, status in (
                ((f"Host: {here}",), 200), (("Host: localhost",), 200), (("Host: [::1]:1",), 200),
                (("Host: Metrics.Example:9090",), 200), ((f"Host: {here}", f"Origin: http://{here}"), 200),
                (("Host: evil.example",), 403), ((f"Host: evil.example:{port}",), 403),
                (("Host: 127.0.0.1.evil.example",), 403), (("Host: localhost.evil.example",), 403),
                ((f"Host: {here}", "Origin: http://evil.example"), 403),
                ((f"Host: {here}", "Origin: null"), 403),
                ((f"Host: {here}", "Origin: http://127.0.0.1:1"), 403)):
            answer = self.asked(port, *headers)
            self.assertEqual(answer.status, status, headers)
            answer = self.asked(port, *headers, method="POST", path="/plugins/none/reload")
            self.assertEqual(answer.status, 404 if status == 200 else 403, headers)
        self.assertIn(b"--admin-host", self.asked(port, "Host: evil.example").body)
        self.assertEqual(self.asked(host.port, "Host: any.example", "Origin: null").status, 200)

    def test_connections_are_bounded(self):
        host = self.start("--admin-bind", "127.0.0.1:0")
        (port,) = set(host.listening_ports()) - {host.port}
        with contextlib.ExitStack() as held:
            for _ in range(128):
                held.enter_context(socket.create_connection(("127.0.0.1", port)))
            self.assertEqual(self.asked(port, "Host: localhost").status, 503)
            self.serves(host.urls[0])
        eventually(lambda: self.asked(port, "Host: localhost").status == 200)
        self.assertEqual(host.metrics()['bentohost_http_rejected_total{reason="admin_connections"}'] >= 1, True)

    def test_over_a_unix_socket(self):
        path = self.folder() / "admin.sock"
        host = self.start("--admin-bind", f"unix:{path}")
        self.shows_operators_what_is_theirs_alone(f"unix:{path}")
        self.serves(host.urls[0])
        self.assertEqual(host.stop(), 0)
        self.assertFalse(path.exists())

    def test_it_says_that_a_host_is_not_ready_yet(self):
        path = self.folder() / "admin.sock"
        self.start("--admin-bind", f"unix:{path}", "--set", "lab.start_ms=60000", ready=False)

        def readiness():
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                return self.ask(f"unix:{path}", path="/readyz")
            return None
        reply = eventually(readiness, what="an answer")
        self.assertEqual(reply.status, 503)
        self.assertIn("starting", reply.json()["detail"])


if __name__ == "__main__":
    main()
