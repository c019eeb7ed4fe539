"""Reloads and deaths of mounted programs while they serve."""
import os
import signal
import subprocess
import threading

from harness import EXE, SLOW, eventually, main
from mount_case import MountCase

# A WSGI app without any package.
APP = """
import os, time
def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep({slow})
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"{text} %d" % os.getpid()]
"""


class Load:
    """Asks for a path on several connections until it is over; keeps the statuses and bodies that it got."""

    def __init__(self, host, path="/", connections=4):
        self.host, self.path, self.over = host, path, threading.Event()
        self.bodies, self.bad, self.lock = {}, [], threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(connections)]

    def run(self):
        with self.host.client() as client:
            while not self.over.is_set():
                try:
                    reply = client.request("GET", self.path)
                except OSError as error:
                    with self.lock:
                        self.bad.append(error)
                    return
                with self.lock:
                    if reply.status == 200:
                        text = reply.body.split()[0]
                        self.bodies[text] = self.bodies.get(text, 0) + 1
                    else:
                        self.bad.append(reply)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


class Reload(MountCase):
    def setUp(self):
        self.apps = self.folder()
        self.write("one")

    def write(self, text, slow=0):
        # Renamed into place, as careful editors do; a new size or time tells the change.
        new = self.apps / "new"
        new.write_text(APP.format(text=text, slow=slow))
        new.rename(self.apps / "app.py")

    def host(self, *more):
        return self.mount("/=wsgi:app:app", more=("--admin-bind", "127.0.0.1:0", *more), cwd=self.apps)

    def admin(self, host):
        line = host.log_line("the admin port is at")
        return line.rsplit(" ", 1)[-1]

    def reload(self, host, *arguments):
        return subprocess.run([EXE, "reload", *arguments, self.admin(host), "mounts"], check=False,
                              capture_output=True, text=True, timeout=60 * SLOW)

    def test_a_new_version_takes_over_and_loses_nothing(self):
        host = self.host("--reload")
        first = host.descendants()
        with Load(host) as load:
            eventually(lambda: load.bodies.get(b"one", 0) > 50)
            self.write("second")
            eventually(lambda: load.bodies.get(b"second", 0) > 50, seconds=30)
        self.assertEqual(load.bad, [])
        eventually(lambda: not set(first) & {int(pid) for pid in host.descendants() if pid != host.serving_pid})
        self.assertEqual(host.get("/").body.split()[0], b"second")

    def test_an_error_in_the_new_version_leaves_the_old_one(self):
        host = self.host("--reload")
        with Load(host) as load:
            eventually(lambda: load.bodies.get(b"one", 0) > 50)
            (self.apps / "app.py").write_text("def broken(:\n")
            host.log_line("SyntaxError")
            eventually(lambda: any("reload" in line and "mounts" in line for line in host.stderr_lines))
            seen = load.bodies[b"one"]
            eventually(lambda: load.bodies[b"one"] > seen + 50)
            self.write("third")
            eventually(lambda: load.bodies.get(b"third", 0) > 50, seconds=30)
        self.assertEqual(load.bad, [])

    def test_requests_in_flight_finish_in_the_old_one(self):
        self.write("one", slow=1.5 * SLOW)
        host = self.host()
        slow = []
        thread = threading.Thread(target=lambda: slow.append(host.get("/slow").body.split()[0]))
        thread.start()
        eventually(lambda: host.metrics()['bentohost_mount_requests_in_flight{mount="/",service="mounts"}'] == 1)
        self.write("second", slow=1)
        done = self.reload(host)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        self.assertEqual(host.get("/").body.split()[0], b"second")
        thread.join()
        self.assertEqual(slow, [b"one"])

    def test_the_command_and_the_signal(self):
        host = self.host()
        pid = host.get("/").body.split()[1]
        done = self.reload(host)
        self.assertIn("unchanged", done.stdout + done.stderr)
        self.assertEqual(host.get("/").body.split()[1], pid)
        done = self.reload(host, "--force")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotEqual(host.get("/").body.split()[1], pid)
        self.write("signalled")
        host.process.send_signal(signal.SIGHUP)
        eventually(lambda: host.get("/").body.split()[0] == b"signalled")
        (self.apps / "app.py").write_text("nonsense")
        done = self.reload(host)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("NameError", done.stdout + done.stderr)
        self.assertEqual(host.get("/").body.split()[0], b"signalled")


class Deaths(MountCase):
    def setUp(self):
        self.apps = self.folder()
        (self.apps / "app.py").write_text(APP.format(text="one", slow=0))

    def test_each_process_may_be_killed_under_load(self):
        host = self.mount("/=wsgi:app:app", "/other=wsgi:app:app", cwd=self.apps)
        for which in ("app", "guardian"):
            with self.subTest(which):
                with Load(host, "/other") as other:
                    eventually(lambda: sum(other.bodies.values()) > 20)
                    app = victim = int(host.get("/").body.split()[1])
                    if which == "guardian":
                        victim = next(pid for pid in host.descendants() if app in children(pid))
                    os.kill(victim, signal.SIGKILL)
                    # Each request is answered, at worst with 502 or 503, and soon with 200 again.
                    statuses = []

                    def is_back():
                        reply = host.get("/")
                        statuses.append(reply.status)
                        return reply.status == 200 and int(reply.body.split()[1]) != app
                    eventually(is_back, seconds=20)
                    self.assertLessEqual(set(statuses), {200, 502, 503})
                    seen = sum(other.bodies.values())
                    eventually(lambda: sum(other.bodies.values()) > seen + 20)
                self.assertEqual([reply for reply in other.bad if getattr(reply, "status", 0) not in (502, 503)], [])

    def test_an_app_that_dies_again_and_again_is_told_of_and_not_respawned_at_once(self):
        host = self.mount("/=wsgi:app:app", cwd=self.apps)
        host.get("/")
        (self.apps / "app.py").write_text("raise SystemExit('no more')\n")
        os.kill(int(host.get("/").body.split()[1]), signal.SIGKILL)
        reply = eventually(lambda: (reply := host.get("/")).status == 503 and reply)
        self.assertTrue(int(reply.header("retry-after")) >= 1)
        self.assertIn("/", reply.json()["detail"])
        ready = host.get("/readyz")
        self.assertEqual(ready.status, 503)
        self.assertIn("the app at / is not running", ready.json()["detail"])
        for wait in ("0.1", "0.2", "0.4", "0.8"):
            host.log_line(f"it starts again in {wait} s")
        (self.apps / "app.py").write_text(APP.format(text="again", slow=0))
        eventually(lambda: host.get("/").status == 200, seconds=60)
        self.assertEqual(host.get("/readyz").status, 200)

    def test_recycling(self):
        host = self.mount("/=wsgi:app:app", more=("--mount-set", "/.max_requests=50"), cwd=self.apps)
        first = host.get("/").body.split()[1]
        with Load(host) as load:
            eventually(lambda: host.get("/").body.split()[1] != first, seconds=20)
        self.assertEqual(load.bad, [])

    def test_the_serving_process_may_crash(self):
        host = self.mount("/=wsgi:app:app", cwd=self.apps)
        app = int(host.get("/").body.split()[1])
        os.kill(host.serving_pid, signal.SIGKILL)

        def is_back():
            try:
                return host.get("/").status == 200
            except OSError:
                return False
        eventually(is_back, seconds=30)
        self.assertNotEqual(int(host.get("/").body.split()[1]), app)
        eventually(lambda: not os.path.exists(f"/proc/{app}"), seconds=3)


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


if __name__ == "__main__":
    main()
