"""Services that describe themselves after their options, from files: at the start, in workers, in reloads."""
import os
import signal

from harness import AT_ONCE, PLUGINS, Client, HostTest, Run, eventually, main
from reload_case import Load

PLUGIN = str(PLUGINS / "libconfigured.so")


class Configure(HostTest):
    def setUp(self):
        self.where = self.folder()
        self.model = self.where / "model.txt"

    def put(self, *lines):
        """Replaces the model's file by a rename."""
        new = self.model.with_suffix(".new")
        new.write_text("".join(f"{line}\n" for line in lines))
        new.rename(self.model)

    def options(self):
        return ("--set", f"configured.file={self.model}")

    def begin(self, *arguments):
        self.admin = f"unix:{self.where / 'admin.sock'}"
        return self.start("--admin-bind", self.admin, *self.options(), *arguments, plugin=PLUGIN)

    def reload(self):
        with Client(self.admin, timeout=60) as client:
            return client.request("POST", "/plugins/configured/reload")

    def refused(self, *words, within=AT_ONCE):
        done = Run("--port", "0", "--plugin", PLUGIN, *self.options())
        self.assert_refused(done, *words, within=within)

    # ---- the start ----

    def test_what_the_file_says_is_served(self):
        self.put("api first", "api second")
        host = self.begin()
        self.assertEqual(host.post("/first", "").body, b"configured")
        self.assertEqual(host.post("/second", "").body, b"configured")
        self.assertEqual(host.post("/say", "hello").body, b"configured: hello")
        self.assertEqual(host.post("/third", "").status, 404)

    def test_what_configure_says_ends_the_start(self):
        self.refused(PLUGIN, "configure failed", f"{self.model}: no such file")
        self.put("throw the weights are for another model")
        self.refused("configure failed: the weights are for another model")

    def test_a_configure_that_crashes_or_hangs_takes_only_the_probe_with_it(self):
        self.put("crash it")
        self.refused("SIGABRT", "bento_entry.configure")
        self.put("hang it")
        self.refused("did not come back from bento_entry.configure within 10 s", within=2 * AT_ONCE)

    def test_configure_changes_neither_the_name_nor_the_options(self):
        self.put("name other")
        self.refused("configure has changed the service's name from configured to other")
        self.put("option late")
        self.refused("configure has changed the options of service configured")

    def test_a_description_that_is_no_good_is_told(self):
        self.put("api metrics")
        self.refused("after configure", "metrics is a reserved name")
        self.put("watch model.txt")
        self.refused('the file "model.txt", to be watched, is not an absolute path')

    def test_options_are_checked_before(self):
        done = Run("--port", "0", "--plugin", PLUGIN, "--set", "configured.fiel=x")
        self.assert_refused(done, "there is no option fiel", "did you mean file?")

    def test_a_description_that_differs_between_processes_is_refused(self):
        self.put("process own")
        self.refused("the description of service configured has changed since it was loaded")

    # ---- workers ----

    def test_a_worker_whose_description_is_another_does_not_serve(self):
        self.put("api first")
        host = self.begin()
        self.put("api first", "api second")
        (pid,) = host.runners()["echo"]
        os.kill(pid, signal.SIGKILL)
        host.log_line("the description of service configured has changed since it was loaded")
        self.assertEqual(host.get("/readyz").status, 503)
        self.assertEqual(self.reload().status, 200)  # and then it does
        self.assertEqual(host.post("/say", "hello").body, b"configured: hello")
        self.assertEqual(host.post("/second", "").status, 200)

    # ---- reloads ----

    def test_a_new_file_is_a_reload(self):
        self.put("api version")
        host = self.begin("--reload")
        load = Load(host)
        self.addCleanup(load.end)
        for number in range(2, 5):
            self.put("api version", f"api number{number}")
            eventually(lambda: host.post(f"/number{number}", "").status == 200, seconds=30, what="the reload")
            self.assertEqual(host.post(f"/number{number - 1}", "").status, 404)
            load.wait_for_more()
        load.end()
        self.assertEqual(load.failures, [])
        self.assertEqual(set(load.versions), {"configured"})

    def test_a_file_that_is_written_in_place_is_a_reload_once_it_is_left_alone(self):
        self.put("api first")
        host = self.begin("--reload")
        with self.model.open("a") as file:
            file.write("api second\n")
            file.flush()
            file.write("api third\n")
        eventually(lambda: host.post("/third", "").status == 200, seconds=30, what="the reload")

    def test_a_bad_file_leaves_the_old_generation_serving_until_a_good_one_comes(self):
        self.put("api first")
        host = self.begin("--reload")
        self.put("throw line 1 is nonsense")
        host.log_line("reload failed, generation 1 serves on")
        line = host.log_line("line 1 is nonsense")
        self.assertIn("step=configure", line)
        self.assertEqual(host.post("/first", "").status, 200)
        failed = 'bentohost_reload_total{result="configure",service="configured"}'
        self.assertEqual(host.metrics()[failed], 1)
        self.put("api first", "api second")
        eventually(lambda: host.post("/second", "").status == 200, seconds=30, what="the reload")
        self.assertEqual(host.metrics()[failed], 1)  # one file, one attempt

    def test_a_reload_on_demand_sees_the_file_too(self):
        self.put("api first")
        host = self.begin()
        self.assertEqual(self.reload().json()["result"], "unchanged")
        self.put("api second")
        self.assertEqual(self.reload().json()["result"], "ok")
        self.assertEqual(host.post("/second", "").status, 200)
        self.assertEqual(self.reload().json()["result"], "unchanged")
        self.model.unlink()
        reply = self.reload()
        self.assertEqual((reply.status, reply.json()["step"]), (422, "configure"))
        self.assertIn(f"{self.model}: no such file", reply.json()["detail"])
        self.put("name other")
        self.assertEqual(self.reload().json()["step"], "configure")
        self.assertEqual(host.post("/second", "").status, 200)

    def test_what_is_watched_may_change_with_a_reload(self):
        other = self.where / "labels" / "labels.txt"
        other.parent.mkdir()
        other.write_text("1")
        self.put("api first")
        host = self.begin("--reload")
        self.put("api first", f"watch {other}", "api second")
        eventually(lambda: host.post("/second", "").status == 200, seconds=30, what="the reload")
        loaded = 'bentohost_generation{service="configured"}'
        self.assertEqual(host.metrics()[loaded], 2)
        other.write_text("22")
        eventually(lambda: host.metrics()[loaded] == 3, seconds=30, what="a reload for the other file")


if __name__ == "__main__":
    main()
