"""Shared by the tests of reloads: a host whose plugin file is replaced, and a load on it meanwhile."""
import http.client
import shutil
import threading
from pathlib import Path

from harness import PLUGINS, Client, HostTest, eventually, is_alive, samples_of

GOOD = (PLUGINS / "libgood.so").read_bytes()
PACE = 0.002  # seconds between the requests of one client


class Load:
    """A few clients that request the service's version all the time, each over one connection."""

    def __init__(self, host, clients=2):
        self.host, self.versions, self.failures = host, [], []
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        for thread in self.threads:
            thread.start()

    def _ask(self):
        with self.host.client() as client:
            while not self.over.wait(PACE):
                try:
                    reply = client.request("POST", "/version", "?", {"content-type": "text/plain"})
                except (OSError, http.client.HTTPException) as error:
                    self.failures.append(error)
                    return
                if reply.status == 200:
                    self.versions.append(reply.body.decode())
                else:
                    self.failures.append(reply)

    def wait_for_more(self, count=4):
        """Waits until this many more requests have ended, in any way."""
        before = len(self.versions) + len(self.failures)
        eventually(lambda: len(self.versions) + len(self.failures) >= before + count or
                   not any(thread.is_alive() for thread in self.threads), what="more answers")

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


class ReloadTest(HostTest):
    """One host (self.host) that serves self.file, a copy of a plugin of the service `bad`."""

    def begin(self, *arguments, plugin="good", **options):
        self.file = self.folder() / "libbad.so"
        self.put(plugin)
        self.host = self.start("--admin-bind", "127.0.0.1:0", *arguments, plugin=str(self.file),
                               **options)
        (port,) = set(self.host.listening_ports()) - {self.host.port}
        self.admin = f"http://127.0.0.1:{port}"
        return self.host

    def load(self, **options):
        load = Load(self.host, **options)
        self.addCleanup(load.end)
        load.wait_for_more()
        return load

    def put(self, plugin):
        """Replaces the file by a plugin, given by name or as bytes, as `mv` and installers do."""
        new = self.file.with_suffix(".new")
        if isinstance(plugin, bytes):
            new.write_bytes(plugin)
        else:
            shutil.copy(PLUGINS / f"lib{plugin}.so", new)
        new.rename(self.file)

    def ask(self, method, path, timeout=60):
        with Client(self.admin, timeout) as client:
            return client.request(method, path)

    def reload(self, service="bad", query=""):
        return self.ask("POST", f"/plugins/{service}/reload{query}")

    def reloads(self, plugin, query=""):
        """Replaces the file by the plugin, and asserts that it serves."""
        self.put(plugin)
        reply = self.reload(query=query)
        self.assertEqual((reply.status, reply.json()["result"]), (200, "ok"), reply)
        return reply.json()

    def report(self, service="bad"):
        """The entry of a service in GET /plugins."""
        plugins = self.ask("GET", "/plugins").json()["plugins"]
        return next(plugin for plugin in plugins if plugin["service"] == service)

    def state_of(self, generation):
        """The state of a generation, or None when it is no longer listed."""
        return next((one["state"] for one in self.report()["generations"]
                     if one["generation"] == generation), None)

    def ends_as(self, generation, state):
        eventually(lambda: self.state_of(generation) in ("retired", "unmapped"),
                   what=f"the end of generation {generation}")
        self.assertEqual(self.state_of(generation), state, self.host.stderr())

    def metric(self, name, **labels):
        text = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        return samples_of(self.ask("GET", "/metrics")).get(f"{name}{{{text}}}", 0.0)

    def version(self):
        return self.host.post("/version", "?").body.decode()

    def has_children(self, count):
        """Asserts that this many child processes are left when those that are ending have gone."""
        eventually(lambda: len([pid for pid in self.host.serving_children() if is_alive(pid)]) == count,
                   what=f"the end of all children but {count}")

    def mapped_copies(self):
        """The names of the copies that the host has mapped."""
        maps = Path(f"/proc/{self.host.serving_pid}/maps").read_text()
        paths = {Path(line.split()[5]) for line in maps.splitlines() if "libbad.so" in line}
        return {f"{path.parent.name}/{path.name}" for path in paths}


class ReloadUnderLoad(ReloadTest):
    """Each test has one host, under load; at the end a good plugin can still be reloaded."""

    def begin(self, *arguments, **options):
        super().begin(*arguments, **options)
        self.children = len(self.host.serving_children())
        self.traffic = self.load()

    def refuses(self, plugin, step, *words, status=422):
        before = self.metric("bentohost_reload_total", service="bad", result=step)
        self.put(plugin)
        reply = self.reload()
        problem = reply.json()
        self.assertEqual((reply.status, problem.get("step")), (status, step), problem)
        self.assertEqual(reply.header("content-type"), "application/problem+json")
        self.assertEqual((problem["result"], problem["generation"]), (step, 1), problem)
        self.assertIn(step, problem["steps_ms"])
        for word in words:
            self.assertIn(word, problem["detail"])
        self.serves_on(step, problem["detail"])
        self.assertEqual(self.metric("bentohost_reload_total", service="bad", result=step), before + 1)

    def serves_on(self, step, detail):
        self.traffic.wait_for_more()
        self.assertEqual((self.traffic.failures, set(self.traffic.versions)), ([], {"good"}))
        self.assertEqual(self.ask("GET", "/readyz").status, 200)
        report = self.report()
        self.assertEqual((report["last_error"]["step"], report["last_error"]["message"]), (step, detail))
        self.assertEqual([one["state"] for one in report["generations"]], ["serving"])
        self.assertEqual(self.metric("bentohost_generation", service="bad"), 1)
        self.host.log_line(f"reload failed, generation 1 serves on: {detail}"[:200])
        self.has_children(self.children)

    def takes_a_better_one(self, generation=2):
        told = self.reloads("better")
        self.assertEqual(told["generation"], generation)
        eventually(lambda: self.traffic.versions[-1] == "better", what="an answer of the new one")
        self.traffic.end()
        self.assertEqual((self.traffic.failures, set(self.traffic.versions)), ([], {"good", "better"}))
        self.ends_as(1, "retired")
