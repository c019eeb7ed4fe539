"""Hot reload: each response is wholly of one version or the other, and no request is lost."""
import http.client
import shutil
import signal
import socket
import subprocess
import threading
import time

from harness import EXE, LAB, PLUGINS, SLOW, Client, HostTest, eventually, in_parallel, main

WINDOW = 0.2  # seconds for which a file must not change before it is examined
VERSIONS = {n: PLUGINS / f"libversioned_{n}.so" for n in (1, 2)}


class Reloads(HostTest):
    """A host whose plugin is a file, or a link, in the test's own folder."""

    def serve(self, *arguments, version=1, **options):
        self.where = self.folder()
        self.plugin = self.where / "libversioned.so"
        self.put(version)
        self.admin_path = self.where / "admin.sock"
        return self.start("--admin-bind", f"unix:{self.admin_path}", *arguments,
                          plugin=str(self.plugin), **options)

    def put(self, version):
        """Replaces the plugin by a rename, as is safe."""
        new = self.plugin.with_suffix(".new")
        shutil.copy(VERSIONS[version], new)
        new.rename(self.plugin)

    def link(self, version):
        """The target of a link has not changed for long: no need to wait for it."""
        new = self.plugin.with_suffix(".link")
        new.symlink_to(VERSIONS[version])
        new.rename(self.plugin)

    def admin(self, method, path):
        with Client(f"unix:{self.admin_path}", timeout=60) as client:
            return client.request(method, path)

    def reload(self, service="versioned", query=""):
        return self.admin("POST", f"/plugins/{service}/reload{query}")

    def plugins(self):
        return {p["service"]: p for p in self.admin("GET", "/plugins").json()["plugins"]}

    def states(self, service="versioned"):
        return [g["state"] for g in self.plugins()[service]["generations"]]


def version_of(reply):
    """The version of all parts of a response; None for a mixture."""
    versions = {reply.header("x-version"), *reply.body.decode().split()}
    return int(versions.pop()) if reply.status == 200 and len(versions) == 1 else None


class Load:
    """Keep-alive clients that send requests all the time, and the errors that they saw."""

    def __init__(self, host, clients):
        self.over = threading.Event()
        self.answers, self.wrong, self.acknowledged = 0, [], 0
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self._ask, args=(host.port, i % 2)) for i in range(clients)]
        for thread in self.threads:
            thread.start()

    def _ask(self, port, direct):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60 * SLOW)
        socket_of_it = None
        count = 0
        try:
            while not self.over.is_set():
                newest = self.acknowledged
                if direct:
                    connection.request("POST", "/direct", "[[0]]")
                else:
                    connection.request("GET", "/version")
                response = connection.getresponse()
                body = response.read().decode().strip("[]")
                socket_of_it = socket_of_it or connection.sock
                versions = {response.getheader("X-Version"), *body.split()}
                count += 1
                if response.status != 200 or len(versions) != 1 or connection.sock is not socket_of_it:
                    raise AssertionError(f"{response.status} {versions} {body}")
                if newest and int(versions.pop()) not in self.allowed(newest):
                    raise AssertionError(f"an old answer after reload {newest}")
        except Exception as error:
            self.wrong.append(error)
        finally:
            connection.close()
            with self.lock:
                self.answers += count

    def allowed(self, newest):
        """The n-th reload brings version 2 for an odd n; the next one may have happened meanwhile."""
        return {1 + newest % 2} if newest == self.acknowledged and not self.is_reloading else {1, 2}

    is_reloading = False

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()
        if self.wrong:
            raise self.wrong[0]
        return self.answers


class Swap(Reloads):
    def test_a_hundred_reloads_mix_nothing_and_lose_nothing(self):
        host = self.serve()
        load = Load(host, clients=16)
        try:
            for n in range(1, 101):
                self.link(1 + n % 2)
                load.is_reloading = True
                reply = self.reload()
                load.acknowledged, load.is_reloading = n, False
                self.assertEqual((reply.status, reply.json()["generation"]), (200, n + 1), reply.body)
                # After the acknowledgement, only the new version: on a new connection, and on the old ones.
                self.assertEqual(version_of(host.get("/version")), 1 + n % 2)
        finally:
            answers = load.stop()
        self.assertGreater(answers, 1000 / SLOW)
        eventually(lambda: self.states()[:-1] == ["retired"] * (len(self.states()) - 1))
        eventually(lambda: [len(pids) for pids in host.runners().values()] == [1])
        self.assertEqual(host.metrics()['bentohost_reload_total{result="ok",service="versioned"}'], 100)
        self.assertEqual(host.metrics()['bentohost_runner_up{runner="version_runner",service="versioned",worker="0"}'], 1)

    def test_routes_schemas_and_middleware_change_in_one_step(self):
        host = self.serve()
        self.assertEqual((host.get("/only_one").status, host.get("/only_two").status), (200, 404))
        self.put(2)
        self.assertEqual(self.reload().status, 200)
        self.assertEqual((host.get("/only_one").status, host.get("/only_two").status), (404, 200))
        self.assertEqual(host.get("/only_two").header("x-version"), "2")

    def test_a_stream_ends_on_the_generation_it_began_with_and_so_do_its_tasks(self):
        log = self.folder() / "log"
        host = self.serve("--set", f"versioned.log={log}")
        with socket.create_connection(("127.0.0.1", host.port), timeout=30 * SLOW) as connection:
            connection.sendall(b"POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                               b"1\r\nx\r\n")
            received = b""
            while b"\r\n\r\n2\r\n1\n" not in received:
                received += connection.recv(4096)
            self.put(2)
            self.assertEqual(self.reload().status, 200)
            self.assertEqual(version_of(host.get("/version")), 2)
            self.assertEqual(self.states(), ["draining", "serving"])
            self.assertEqual(self.plugins()["versioned"]["generations"][0]["requests"], 1)
            connection.sendall(b"0\r\n\r\n")
            while piece := connection.recv(4096):
                received += piece
        self.assertIn(b"X-Version: 1\r\n", received)
        self.assertTrue(received.endswith(b"2\r\n1\n\r\n2\r\n1\n\r\n0\r\n\r\n"), received)
        eventually(lambda: log.exists() and log.read_text() == "1\n", what="the background task")
        eventually(lambda: self.states() == ["retired", "serving"])

    def test_a_body_that_is_on_its_way_belongs_to_the_generation_of_its_head(self):
        host = self.serve()
        connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=30 * SLOW)
        connection.putrequest("POST", "/direct")
        connection.putheader("Content-Length", "5")
        connection.endheaders()
        connection.send(b"[[0")
        eventually(lambda: host.metrics()["bentohost_http_connections"] >= 1)
        self.assertEqual(version_of(host.get("/version")), 1)
        self.put(2)
        self.assertEqual(self.reload().status, 200)
        connection.send(b"]]")
        response = connection.getresponse()
        self.assertEqual((response.read(), response.getheader("X-Version")), (b"[[1]]", "1"))
        connection.close()
        eventually(lambda: self.states() == ["retired", "serving"])

    def test_the_same_bytes_are_nothing_to_do_unless_forced(self):
        self.serve()
        self.put(1)
        self.assertEqual(self.reload().json()["result"], "unchanged")
        reply = self.reload(query="?force=true").json()
        self.assertEqual((reply["result"], reply["generation"]), ("ok", 2))

    def test_middleware_around_all_is_reloaded_as_well(self):
        host = self.serve("--use", "secure_headers")
        self.assertEqual(host.get("/version").header("x-frame-options"), "DENY")
        reply = self.reload("secure_headers", "?force=true")
        self.assertEqual((reply.status, reply.json()["generation"]), (200, 2), reply.body)
        self.assertEqual(host.get("/version").header("x-frame-options"), "DENY")
        eventually(lambda: self.states("secure_headers") == ["retired", "serving"])
        self.assertEqual(self.states(), ["serving"])

    def test_one_service_is_reloaded_and_the_other_is_not_touched(self):
        host = self.serve("--plugin", f"/lab={LAB}")
        (before,) = host.runners()["worker"]
        self.put(2)
        self.assertEqual(self.reload().status, 200)
        self.assertEqual(host.runners()["worker"], [before])
        self.assertEqual(host.post("/lab/echo", [[1]]).json(), [[1]])

    def test_two_at_once_are_done_one_after_the_other(self):
        self.serve("--set", "versioned.start_ms=100")
        replies = in_parallel([lambda: self.reload(query="?force=true")] * 3)
        self.assertEqual(sorted(r.json()["generation"] for r in replies), [2, 3, 4])

    def test_samples_are_tried_before_the_swap(self):
        host = self.serve("--reload-samples")
        self.put(2)
        reply = self.reload().json()
        self.assertIn("sample", reply["steps_ms"])
        eventually(lambda: any(" reload " in line and "/direct" in line for line in host.stdout_lines),
                   what="a line of the access log")

    def test_a_service_that_there_is_not(self):
        self.serve()
        reply = self.reload("nosuch")
        self.assertEqual(reply.status, 404)
        self.assertIn("versioned", reply.json()["detail"])


class Triggers(Reloads):
    def await_generation(self, number):
        eventually(lambda: self.plugins()["versioned"]["generation"] == number, what=f"generation {number}")

    def test_sighup_reloads_what_has_changed(self):
        host = self.serve()
        self.put(2)
        host.process.send_signal(signal.SIGHUP)
        self.await_generation(2)
        self.assertEqual(version_of(host.get("/version")), 2)

    def test_the_command_reloads_and_says_so(self):
        self.serve()

        def command(*arguments):
            done = subprocess.run([EXE, "reload", *arguments], capture_output=True, text=True, timeout=60)
            return done.returncode, done.stdout + done.stderr
        url = f"unix:{self.admin_path}"
        self.put(2)
        self.assertEqual(command(url), (0, "versioned: reloaded, generation 2\n"))
        self.assertEqual(command(url, "versioned"), (0, "versioned: unchanged, generation 2\n"))
        self.assertEqual(command("--force", url)[1], "versioned: reloaded, generation 3\n")
        code, said = command(url, "nosuch")
        self.assertEqual((code, "there is no service nosuch" in said), (1, True))
        self.plugin.write_text("no plugin")
        code, said = command(url)
        self.assertEqual((code, "failed in elf" in said, "generation 3 serves on" in said), (1, True, True))
        self.assertEqual(command()[0], 2)
        self.assertEqual(command("unix:/nowhere/sock")[0], 1)

    def test_a_file_is_watched_however_it_is_replaced(self):
        host = self.serve("--reload")
        self.put(2)  # by a rename
        self.await_generation(2)
        shutil.copy(VERSIONS[1], self.plugin)  # in place
        self.await_generation(3)
        self.plugin.unlink()
        shutil.copy(VERSIONS[2], self.plugin)
        self.await_generation(4)
        self.link(1)
        self.await_generation(5)
        self.assertEqual(version_of(host.get("/version")), 1)
        self.assertEqual(self.plugins()["versioned"]["failures"], 0)

    def test_a_switch_of_kubernetes_links_is_seen(self):
        where = self.folder()
        for version in (1, 2):
            (where / f"..v{version}").mkdir()
            shutil.copy(VERSIONS[version], where / f"..v{version}" / "libversioned.so")
        (where / "..data").symlink_to("..v1")
        (where / "libversioned.so").symlink_to("..data/libversioned.so")
        host = self.start("--reload", plugin=str(where / "libversioned.so"))
        self.assertEqual(version_of(host.get("/version")), 1)
        (where / "..data_tmp").symlink_to("..v2")
        (where / "..data_tmp").rename(where / "..data")
        eventually(lambda: version_of(host.get("/version")) == 2)

    def test_a_file_that_is_slowly_written_is_waited_for(self):
        host = self.serve("--reload")
        whole = VERSIONS[2].read_bytes()
        began = wrote = time.monotonic()
        longest_pause, n = 0, 0
        with self.plugin.open("wb", buffering=0) as file:  # in place, over the file that is served
            while wrote - began < 5 * WINDOW:  # a byte after each response
                n += file.write(whole[n:n + 1])
                self.assertEqual(version_of(host.get("/version")), 1)
                longest_pause = max(longest_pause, time.monotonic() - wrote)
                wrote = time.monotonic()
            file.write(whole[n:])
        self.await_generation(2)
        self.assertEqual(version_of(host.get("/version")), 2)
        if longest_pause < WINDOW / 2:  # otherwise, on a busy machine, the file may have looked finished
            self.assertEqual(self.plugins()["versioned"]["failures"], 0, host.stderr())

    def test_a_thousand_touches_are_at_most_a_reload_each_window(self):
        host = self.serve("--reload")
        began = time.monotonic()
        for n in range(1000):
            shutil.copy(VERSIONS[1 + n % 2], self.plugin)
        windows = (time.monotonic() - began) / WINDOW + 2
        eventually(lambda: version_of(host.get("/version")) == 2, what="the last content")
        reloads = self.plugins()["versioned"]["reloads"]
        self.assertLessEqual(reloads, windows)
        self.assertEqual(self.plugins()["versioned"]["failures"], 0, host.stderr())

    def test_a_bad_file_is_told_of_once_and_not_at_each_stir(self):
        neighbour = self.folder() / "libecho_one.so"
        shutil.copy(PLUGINS / "libecho_one.so", neighbour)
        host = self.serve("--reload", "--plugin", f"/beside={neighbour}")
        self.plugin.write_text("no plugin")
        host.log_line("reload failed, generation 1 serves on")
        for generation in (2, 3, 4):
            (self.where / "stir").write_text(str(generation))
            with neighbour.open("ab") as file:  # changed later: when it is examined, so was the other
                file.write(b"x")
            eventually(lambda: self.plugins()["echo_one"]["generation"] == generation, what="the neighbour's reload")
        self.assertEqual(self.plugins()["versioned"]["failures"], 1)
        self.assertEqual(self.plugins()["versioned"]["last_error"]["step"], "elf")
        self.put(2)
        self.await_generation(2)


if __name__ == "__main__":
    main()
