"""Reloads of what cannot be served: refused with the step and the reason, while the old generation serves on."""
import ctypes
import os
import shutil
import signal
import threading
import time
from pathlib import Path

from harness import LAB, PLUGINS, SLOW, Run, eventually, is_alive, main
from reload_case import ReloadTest

GOOD = (PLUGINS / "libgood.so").read_bytes()


def with_byte(at, byte):
    return GOOD[:at] + bytes([byte]) + GOOD[at + 1:]


class UnderLoad(ReloadTest):
    """Of one host each, under load; in the end what is good is reloaded all the same."""

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


class Refusals(UnderLoad):
    def test_files_that_are_no_plugins(self):
        self.begin()
        self.refuses(b"", "elf", "libbad.so", "empty")
        self.refuses(b"hello\n" * 100, "elf", "a text file")
        self.refuses(GOOD[:len(GOOD) // 2], "elf", "truncated")
        self.refuses(GOOD[:200], "elf")
        self.refuses(with_byte(18, 183), "elf", "AArch64")
        self.refuses(with_byte(4, 1), "elf", "32-bit")
        self.refuses("no_entry", "elf", "bento_entry")
        self.takes_a_better_one()

    def test_a_file_that_is_gone_or_no_file(self):
        self.begin()
        for there in (lambda: None, self.file.mkdir):
            self.file.unlink()
            there()
            reply = self.reload()
            self.assertEqual((reply.status, reply.json()["step"]), (409, "copy"), reply)
            self.assertIn(str(self.file), reply.json()["detail"])
            self.serves_on("copy", reply.json()["detail"])
            if self.file.is_dir():
                self.file.rmdir()
            self.put("good")
        self.takes_a_better_one()

    def test_plugins_that_do_not_load(self):
        self.begin()
        self.refuses("missing_symbol", "probe", "nobody_has_this_function")
        self.refuses("other_major", "abi", "2.0", "1.0")
        self.refuses("size_zero", "abi", "size 0")
        self.refuses("open_fails", "probe", "no license for this machine")
        self.refuses("open_crashes", "probe", "SIGSEGV", "bento_entry.open")
        self.refuses("open_aborts", "probe", "SIGABRT", "the model license has expired")
        self.refuses("open_throws", "probe", "bento_entry.open", "thrown across the line")
        self.refuses("constructor_crashes", "probe", "SIGSEGV", "dlopen")
        self.takes_a_better_one()

    def test_descriptions_that_do_not_fit(self):
        self.begin("--plugin", LAB)
        self.refuses("duplicate_routes", "probe", "/same", "first", "second")
        self.refuses("reserved_route", "probe", "metrics")
        self.refuses("bad_schema", "probe", "schema")
        self.refuses("unknown_descriptor", "probe", "hologram")
        self.refuses("wants_an_option", "options", "bad", "model")
        self.refuses("echo_one", "probe", "echo_one", "not bad")
        self.refuses("taken_route", "routes", "/echo", "lab")
        self.takes_a_better_one()

    def test_services_that_do_not_start(self):
        self.begin("--reload-samples")
        self.refuses("create_fails", "create", "no database today")
        self.refuses("create_throws", "create", "thrown across the line")
        self.refuses("on_startup_fails", "on_startup", "the cache is locked")
        self.refuses("sample_fails", "sample", "bad.checked", "two were too many")
        self.refuses("on_ready_fails", "on_ready", "the model answers nonsense")
        self.takes_a_better_one()

    def test_runners_that_do_not_warm_up(self):
        self.begin("--reload-timeout", str(1 * SLOW))
        self.refuses("runner_create_fails", "runners", "model", "the model is not here", status=409)
        self.refuses("runner_crashes", "runners", "model", "SIGSEGV", status=409)
        self.refuses("runner_hangs", "runners", "model", "--reload-timeout", status=409)
        self.takes_a_better_one()

    def test_a_plugin_that_fails_is_not_tried_again_and_again(self):
        self.begin("--reload")
        self.put("open_fails")
        eventually(lambda: self.report()["failures"] == 1, what="the reload that fails")
        self.file.with_name("beside").touch()  # it looks at what has changed
        self.reloads("better")
        self.assertEqual(self.report()["failures"], 1)

    def test_of_a_service_that_is_not_here(self):
        self.begin()
        reply = self.reload("nobody")
        self.assertEqual(reply.status, 404)
        self.assertIn("nobody", reply.json()["detail"])
        self.takes_a_better_one()


class Hangs(UnderLoad):
    def test_in_open(self):
        self.begin()
        self.refuses("open_hangs", "probe", "bento_entry.open", "10 s")
        self.takes_a_better_one()

    def test_in_create_which_holds_up_no_later_reload_and_not_the_end(self):
        self.begin("--reload-timeout", str(1 * SLOW))
        self.refuses("create_hangs", "create", "did not return", "--reload-timeout")
        self.refuses("create_hangs", "create", "did not return", "--reload-timeout")
        self.refuses("create_fails", "create", "no database today")
        self.takes_a_better_one()
        self.ends_in_time()

    def test_in_create_as_often_as_there_are_threads_for_it_and_that_is_said(self):
        self.begin("--reload-timeout", str(0.1 * SLOW))
        self.put("create_hangs")
        for _ in range(16):
            self.assertIn("did not return", self.reload().json()["detail"])
        self.refuses("better", "create", "16 others", "restart bentohost")
        self.traffic.end()
        self.ends_in_time()

    def test_in_destroy_which_is_only_its_own_end(self):
        self.begin(plugin="destroy_hangs")
        self.reloads("better")
        eventually(lambda: self.state_of(1) == "retiring", what="the end of generation 1")
        self.traffic.wait_for_more()
        self.reloads("good")
        self.ends_as(2, "retired")
        self.assertEqual(self.state_of(1), "retiring")
        self.traffic.end()
        self.assertEqual(self.traffic.failures, [])
        self.ends_in_time()

    def test_in_create_and_the_end_of_the_host_does_not_wait_for_it(self):
        self.begin()  # with the minute that a reload has
        self.put("create_hangs")
        waiting = threading.Thread(target=self.reload)
        waiting.start()
        eventually(lambda: len(self.mapped_copies()) == 2, what="the one that hangs, loaded")
        self.traffic.end()
        self.ends_in_time()
        waiting.join()

    def ends_in_time(self):
        began = time.monotonic()
        self.assertEqual(self.host.stop(), 0, self.host.stderr())
        self.assertLess(time.monotonic() - began, 15 * SLOW)


class Allowed(ReloadTest):
    """What looks odd and is none of the host's business."""

    def test_a_newer_minor_and_more_symbols_than_one(self):
        self.begin()
        for plugin in ("newer_minor", "two_symbols", "two_symbols", "joins_its_thread"):
            self.reloads(plugin, "?force=true")
            self.assertEqual(self.version(), "bad")
        self.reloads("better")


class Helpers(ReloadTest):
    """A plugin that brings a library of its own, found by $ORIGIN."""

    def begin(self, *arguments):
        folder = self.folder()
        self.file = Path(shutil.copy(PLUGINS / "helper" / "libneeds_helper.so", folder))
        self.helper = Path(shutil.copy(PLUGINS / "helper" / "libhelper.so", folder))
        self.host = self.start("--admin-bind", "127.0.0.1:0", *arguments, plugin=str(self.file))
        (port,) = set(self.host.listening_ports()) - {self.host.port}
        self.admin = f"http://127.0.0.1:{port}"

    def test_is_found_beside_the_copy_and_reloaded_with_while_it_stays_the_same(self):
        self.begin()
        self.assertEqual(self.version(), "the helper")
        for _ in range(2):
            self.assertEqual(self.reload(query="?force=true").json()["result"], "ok")
            self.assertEqual(self.version(), "the helper")

    def test_refuses_to_go_on_with_the_old_one_when_it_was_replaced(self):
        self.begin()
        new = self.helper.with_name("new")
        shutil.copy(self.helper, new)
        new.rename(self.helper)
        reply = self.reload(query="?force=true")
        self.assertEqual((reply.status, reply.json()["step"]), (409, "libraries"), reply)
        for words in ("libhelper.so", str(self.helper), "link it statically", "SONAME", "restart"):
            self.assertIn(words, reply.json()["detail"])
        self.assertEqual(self.version(), "the helper")
        self.assertEqual(self.metric("bentohost_reload_total", service="bad", result="libraries"), 1)


MS_NOSUID = 2  # mount(2)


class Copies(ReloadTest):
    def small_filesystem(self, kibibytes):
        libc = ctypes.CDLL(None, use_errno=True)
        folder = self.folder()
        path = str(folder).encode()
        if libc.mount(b"tmpfs", path, b"tmpfs", MS_NOSUID, f"size={kibibytes}k".encode()) != 0:
            self.skipTest(f"no file system can be mounted here: {os.strerror(ctypes.get_errno())}")
        self.addCleanup(libc.umount2, path, 2)  # MNT_DETACH
        return folder

    def test_that_do_not_fit_are_refused_while_the_old_generation_serves_on(self):
        room = self.small_filesystem(len(GOOD) // 1024 + 64)
        self.begin("--copy-dir", str(room))
        self.put(GOOD + b"\0" * len(GOOD) + b"\0" * 65536)
        load = self.load()
        reply = self.reload()
        self.assertEqual((reply.status, reply.json()["step"]), (409, "copy"), reply)
        for words in (str(room), "No space left"):
            self.assertIn(words, reply.json()["detail"])
        load.wait_for_more()
        load.end()
        self.assertEqual((load.failures, set(load.versions)), ([], {"good"}))
        self.assertEqual(len(list(room.glob("bentohost-*/*-libbad.so"))), 1)  # no half of one
        self.reloads("better")
        self.assertEqual(self.version(), "better")

    def test_have_no_folder_to_go_to(self):
        done = Run("--plugin", LAB, "--port", "0", "--copy-dir", "/nowhere/at/all")
        self.assert_refused(done, "/nowhere/at/all", "--copy-dir")

    def test_of_a_host_that_was_killed_are_removed_by_the_next_one_and_no_others(self):
        room = self.folder()
        host = self.start("--copy-dir", str(room), own_group=True)
        (abandoned,) = room.iterdir()
        self.start("--copy-dir", str(room))
        (others,) = set(room.iterdir()) - {abandoned}
        children = host.descendants()
        os.killpg(host.pid, signal.SIGKILL)
        host.process.wait()
        eventually(lambda: not any(is_alive(pid) for pid in children), what="the end of all children")
        self.assertTrue(any(abandoned.iterdir()))
        self.start("--copy-dir", str(room))
        self.assertFalse(abandoned.exists())
        self.assertTrue(others.exists())

    def test_are_gone_after_the_end(self):
        room = self.folder()
        self.begin("--copy-dir", str(room))
        self.reloads("better")
        self.reloads("good")
        (folder,) = room.iterdir()
        self.assertEqual(folder.stat().st_mode & 0o777, 0o700)
        self.assertEqual(self.host.stop(), 0)
        self.assertEqual(list(room.iterdir()), [])

    def test_are_gone_even_when_a_plugin_does_not_come_to_its_end(self):
        room = self.folder()
        self.begin("--copy-dir", str(room), plugin="destroy_hangs")
        self.assertEqual(self.host.stop(), 0)
        self.assertEqual(list(room.iterdir()), [])


if __name__ == "__main__":
    main()
