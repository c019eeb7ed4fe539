"""Libraries that a plugin brings along: they are found wherever the loader would find them beside the original, and
some cannot be loaded twice in one process."""
import shutil
import unittest
from pathlib import Path

from harness import IS_SANITIZED, PLUGINS, Run, main
from reload_case import ReloadTest
from test_reload_unmap import has_unique_symbols

BROUGHT = PLUGINS / "brought"
HELPER = PLUGINS / "helper" / "libhelper.so"


class LibrariesTest(ReloadTest):
    def lay_out(self, plugin, **libraries):
        """A plugin in a folder `plugins`, and libraries at places relative to it: {place: file}."""
        home = self.folder() / "plugins"
        for place, files in libraries.items():
            there = home / place.replace("parent_", "../").replace("here", ".")
            there.mkdir(parents=True, exist_ok=True)
            for name, file in files.items():
                shutil.copy(file, there / name)
        home.mkdir(exist_ok=True)
        return Path(shutil.copy(plugin, home / "libbad.so"))

    def begin_with(self, plugin, *arguments, **libraries):
        self.file = self.lay_out(plugin, **libraries)
        self.host = self.start("--admin-bind", "127.0.0.1:0", *arguments, plugin=str(self.file))
        (port,) = set(self.host.listening_ports()) - {self.host.port}
        self.admin = f"http://127.0.0.1:{port}"


class Found(LibrariesTest):
    def test_beside_below_and_above_by_runpath_and_by_rpath(self):
        for plugin in ("brings", "brings_rpath"):
            for place in ("here", "deps", "parent_lib"):
                self.begin_with(BROUGHT / f"lib{plugin}.so", **{place: {"libhelper.so": HELPER}})
                self.assertEqual(self.version(), "the helper", (plugin, place))
                self.assertEqual(self.reload(query="?force=true").json()["result"], "ok")
                self.assertEqual(self.version(), "the helper", (plugin, place))

    def test_by_a_neighbour_that_needs_another(self):
        self.begin_with(BROUGHT / "libbrings.so", deps={"libhelper.so": BROUGHT / "libouter.so",
                                                        "libinner.so": BROUGHT / "libinner.so"})
        self.assertEqual(self.version(), "the inner one")

    @unittest.skipIf(IS_SANITIZED, "the sanitizers' dlopen() is who asks, and has no RUNPATH")
    def test_by_a_plugin_that_opens_them_itself(self):
        self.begin_with(BROUGHT / "libopens_by_name.so", deps={"libhelper.so": HELPER})
        self.assertEqual(self.version(), "the helper")
        self.begin_with(BROUGHT / "libopens_by_address.so", here={"libhelper.so": HELPER})
        self.assertEqual(self.version(), "the helper")

    def test_and_may_be_overwritten_in_place(self):
        self.begin_with(BROUGHT / "libbrings.so", deps={"libhelper.so": HELPER})
        (self.file.parent / "deps" / "libhelper.so").write_bytes(b"no library")
        self.file.write_bytes(b"no plugin")
        self.assertEqual(self.version(), "the helper")


class Escaping(LibrariesTest):
    def test_paths_leave_nothing_outside_of_the_folder_of_copies(self):
        room = self.folder()
        plugin = self.lay_out(PLUGINS / "helper" / "libneeds_helper.so", parent_={"escaped.s": HELPER})
        plugin.write_bytes(plugin.read_bytes().replace(b"libhelper.so\0", b"../escaped.s\0"))
        done = Run("--plugin", str(plugin), "--port", "0", "--copy-dir", str(room))
        self.assert_refused(done, str(plugin), "../escaped.s", within=30)
        self.assertEqual(list(room.iterdir()), [])


class Different(LibrariesTest):
    """Libraries with the same name: the loader would give the first one to everybody."""

    def two(self, other):
        first = self.lay_out(BROUGHT / "libbrings.so", deps={"libhelper.so": HELPER})
        second = self.lay_out(BROUGHT / "libbrings_second.so", deps={"libhelper.so": other})
        return first, second

    def test_of_two_plugins_are_refused_at_the_start(self):
        first, second = self.two(BROUGHT / "libother_helper.so")
        done = Run("--plugin", str(first), "--plugin", f"/second={second}", "--port", "0")
        self.assert_refused(done, str(first), str(second), "libhelper.so", "SONAME", "another bentohost",
                            within=30)

    def test_of_two_plugins_are_none_when_they_are_the_same(self):
        first, second = self.two(HELPER)
        host = self.start("--plugin", f"/second={second}", plugin=str(first))
        self.assertEqual(host.post("/version", "?").body, b"the helper")
        self.assertEqual(host.post("/second/version", "?").body, b"the helper")

    def test_of_two_generations_are_refused_in_the_reload(self):
        self.begin_with(BROUGHT / "libbrings.so", deps={"libhelper.so": HELPER})
        helper = self.file.parent / "deps" / "libhelper.so"
        shutil.copy(BROUGHT / "libother_helper.so", helper)
        reply = self.reload(query="?force=true")
        self.assertEqual((reply.status, reply.json()["step"]), (409, "libraries"), reply)
        for words in ("libhelper.so", str(helper), "link it statically", "SONAME", "restart"):
            self.assertIn(words, reply.json()["detail"])
        self.assertEqual(self.version(), "the helper")


class Variables(ReloadTest):
    """Libraries and symbols that two generations would share."""

    def test_that_are_unique_are_refused_by_name(self):
        if not has_unique_symbols("unique_statics"):
            self.skipTest("this compiler makes no STB_GNU_UNIQUE")
        self.begin(plugin="unique_statics")
        reply = self.reload(query="?force=true")
        self.assertEqual((reply.status, reply.json()["step"]), (422, "symbols"), reply)
        for words in ("Counter<int>::value()::calls", "-fno-gnu-unique", "bento_add_plugin"):
            self.assertIn(words, reply.json()["detail"])
        self.assertEqual(self.version(), "bad")
        self.reloads("better")
        self.put("unique_statics")  # those of the first generation stay for good
        self.assertEqual(self.reload().json()["step"], "symbols")
        self.assertEqual(self.version(), "better")

    def test_that_are_constants_are_no_matter(self):
        self.begin(plugin="unique_constants")
        self.assertEqual(self.reload(query="?force=true").json()["result"], "ok")
        self.assertEqual(self.version(), "seven")

    def test_of_two_plugins_of_one_soname_are_their_own(self):
        self.begin(plugin=(BROUGHT / "libsoname_good.so").read_bytes())
        self.assertEqual(self.version(), "good")
        self.reloads((BROUGHT / "libsoname_better.so").read_bytes())
        self.assertEqual(self.version(), "better")


class Code(ReloadTest):
    def test_that_the_loader_has_written_to_serves_after_the_start_and_after_its_end(self):
        self.begin(plugin="text_relocations")
        self.assertEqual(self.version(), "as the loader wrote it")
        self.reloads("better")
        self.reloads("text_relocations")
        self.assertEqual(self.version(), "as the loader wrote it")


if __name__ == "__main__":
    main()
