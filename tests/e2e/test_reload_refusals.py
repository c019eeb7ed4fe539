"""Reloads of files that cannot be served: refused with the step and the reason, while the old generation serves on."""
import shutil
from pathlib import Path

from harness import LAB, PLUGINS, SLOW, eventually, main
from reload_case import GOOD, ReloadTest, ReloadUnderLoad


def with_byte(at, byte):
    return GOOD[:at] + bytes([byte]) + GOOD[at + 1:]


class Refusals(ReloadUnderLoad):
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
        self.refuses("other_major", "abi", "2.0", "speaks 1.")
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
        self.begin("--reload-timeout", str(5 * SLOW))
        self.refuses("runner_create_fails", "runners", "model", "the model is not here", status=409)
        self.refuses("runner_crashes", "runners", "model", "SIGSEGV", status=409)
        self.refuses("runner_hangs", "runners", "model", "--reload-timeout", status=409)
        self.takes_a_better_one()

    def test_a_plugin_that_fails_is_not_tried_again_and_again(self):
        self.begin("--reload")
        self.put("open_fails")
        eventually(lambda: self.report()["failures"] == 1, what="the reload that fails")
        self.file.with_name("beside").touch()  # only changed files are examined
        self.reloads("better")
        self.assertEqual(self.report()["failures"], 1)

    def test_of_a_service_that_is_not_here(self):
        self.begin()
        reply = self.reload("nobody")
        self.assertEqual(reply.status, 404)
        self.assertIn("nobody", reply.json()["detail"])
        self.takes_a_better_one()


class Allowed(ReloadTest):
    """Files that look odd but are not an error."""

    def test_a_newer_minor_and_more_symbols_than_one(self):
        self.begin()
        for plugin in ("newer_minor", "two_symbols", "two_symbols", "joins_its_thread"):
            self.reloads(plugin, "?force=true")
            self.assertEqual(self.version(), "bad")
        self.reloads("better")


class Helpers(ReloadTest):
    """A plugin with a library of its own, found by $ORIGIN."""

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
        new.write_bytes(self.helper.read_bytes() + b"another")
        new.rename(self.helper)
        reply = self.reload(query="?force=true")
        self.assertEqual((reply.status, reply.json()["step"]), (409, "libraries"), reply)
        for words in ("libhelper.so", str(self.helper), "link it statically", "SONAME", "restart"):
            self.assertIn(words, reply.json()["detail"])
        self.assertEqual(self.version(), "the helper")
        self.assertEqual(self.metric("bentohost_reload_total", service="bad", result="libraries"), 1)


if __name__ == "__main__":
    main()
