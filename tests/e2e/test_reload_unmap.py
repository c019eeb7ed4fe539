"""--reload-unmap: plugins that can be closed safely are, others stay mapped with the reason, and nothing crashes."""
import subprocess
import unittest
from pathlib import Path

from harness import IS_SANITIZED, PLUGINS, eventually, main
from reload_case import ReloadTest


def has_unique_symbols(plugin):
    """Depends on the compiler: clang makes none."""
    symbols = subprocess.run(["readelf", "-W", "--dyn-syms", PLUGINS / f"lib{plugin}.so"],
                             capture_output=True, text=True, check=True).stdout
    return " UNIQUE " in symbols


class Unmap(ReloadTest):
    def is_replaced(self, plugin):
        """Asserts that its generation 1 serves, and then is replaced, under load."""
        self.begin("--reload-unmap", plugin=plugin)
        load = self.load()
        load.wait_for_more()
        self.reloads("better")
        eventually(lambda: load.versions[-1] == "better", what="an answer of the new one")
        load.end()
        self.assertEqual(load.failures, [])

    def goes(self, plugin):
        self.is_replaced(plugin)
        self.ends_as(1, "unmapped")
        self.assertEqual(self.mapped_copies(), {"2/libbad.so"})
        self.assertEqual(self.metric("bentohost_generations_mapped", service="bad"), 1)
        self.assertEqual(self.version(), "better")

    def stays(self, plugin, *words):
        self.is_replaced(plugin)
        self.ends_as(1, "retired")
        line = self.host.log_line("cannot be unmapped")
        for word in (*words, "libbad.so stays mapped", "generation=1"):
            self.assertIn(word, line)
        self.assertEqual(self.mapped_copies(), {"1/libbad.so", "2/libbad.so"})
        self.assertEqual(self.metric("bentohost_generations_mapped", service="bad"), 2)
        self.assertEqual(self.version(), "better")
        # A generation that stays does not keep the next one.
        self.reloads("good")
        self.ends_as(2, "unmapped")
        self.assertEqual(self.metric("bentohost_generations_mapped", service="bad"), 2)
        self.assertEqual(self.version(), "good")

    def test_of_an_ordinary_plugin(self):
        self.goes("good")

    def test_of_one_that_joins_its_thread(self):
        self.goes("joins_its_thread")

    def test_of_one_that_shows_more_than_its_entry(self):
        self.goes("two_symbols")

    def test_of_one_with_runners(self):
        self.begin("--reload-unmap", plugin="runner_echoes")
        self.assertEqual(self.version(), "bad")
        self.reloads("better")
        self.ends_as(1, "unmapped")
        self.has_children(0)

    def test_not_with_unique_statics(self):
        if not has_unique_symbols("unique_statics"):
            raise unittest.SkipTest("this compiler makes no STB_GNU_UNIQUE")
        self.assertFalse(has_unique_symbols("create_throws"))  # built with -fno-gnu-unique
        self.stays("unique_statics", "unique symbols", "Counter", "-fno-gnu-unique")

    def test_not_when_it_is_linked_so(self):
        self.stays("nodelete", "-z nodelete")

    def test_not_with_a_thread_left_behind(self):
        self.stays("leaves_a_thread", "runs its code", "destroy() must join")

    def test_not_while_threads_have_something_of_it_to_destroy(self):
        self.stays("thread_local_destructor", "thread_local")

    def test_of_one_that_was_refused_after_it_was_loaded(self):
        self.begin("--reload-unmap")
        for plugin in ("create_fails", "on_startup_fails", "create_throws", "on_ready_fails"):
            self.put(plugin)
            self.assertEqual(self.reload().status, 422)
            eventually(lambda: self.mapped_copies() == {"1/libbad.so"}, what=f"the end of {plugin}")
        eventually(lambda: self.metric("bentohost_generations_mapped", service="bad") == 1)
        self.assertEqual(self.version(), "good")

    def test_of_many_in_a_row(self):
        self.begin("--reload-unmap")
        for i in range(5):
            self.reloads("better" if i % 2 == 0 else "good")
            self.ends_as(i + 1, "unmapped")
        self.assertEqual(self.mapped_copies(), {"6/libbad.so"})


class Threads(ReloadTest):
    @unittest.skipIf(IS_SANITIZED, "sanitizers have threads of their own")
    def test_of_the_host_are_known_by_their_names(self):
        """Threads of start_host_thread() have a name; others would be taken for the plugin's threads."""
        self.begin("--reload", "--reload-unmap", "--watchdog", "10", plugin="runner_echoes")
        self.reloads("better")
        pid = self.host.serving_pid
        names = {task.name: (task / "comm").read_text().strip()
                 for task in Path(f"/proc/{pid}/task").iterdir()}
        self.assertEqual(names.pop(str(pid)), "bentohost")
        self.assertGreater(len(names), 3)
        self.assertNotIn("bentohost", names.values())


class WithoutUnmap(ReloadTest):
    def test_nothing_is_closed(self):
        self.begin()
        for plugin in ("nodelete", "unique_statics", "leaves_a_thread", "thread_local_destructor", "better"):
            self.reloads(plugin)
            self.version()
        for generation in range(1, 6):
            self.ends_as(generation, "retired")
        self.assertEqual(len(self.mapped_copies()), 6)
        self.assertEqual(self.metric("bentohost_generations_mapped", service="bad"), 6)
        self.assertNotIn("cannot be unmapped", self.host.stderr())


if __name__ == "__main__":
    main()
