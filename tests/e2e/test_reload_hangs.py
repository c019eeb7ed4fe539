"""Reloads of plugins that do not return: each times out, while the old generation serves on."""
import os
import threading
import time
import unittest

from harness import AT_ONCE, SLOW, command_line, eventually, main
from reload_case import ReloadTest, ReloadUnderLoad


class Hangs(ReloadUnderLoad):
    def test_in_open(self):
        self.begin()
        self.refuses("open_hangs", "probe", "bento_entry.open", "10 s")
        self.takes_a_better_one()

    def test_in_open_with_all_descriptors_closed(self):
        self.begin()
        self.refuses("open_hangs_deaf", "probe", "bento_entry.open", "10 s")
        self.takes_a_better_one()

    def test_in_open_and_the_end_of_the_host_does_not_wait_for_it(self):
        for plugin in ("open_hangs", "open_hangs_deaf"):
            self.begin()
            self.put(plugin)
            replies = []
            waiting = threading.Thread(target=lambda: replies.append(self.reload()))
            waiting.start()
            eventually(lambda: any(b"probe" in command_line(pid)
                                   for pid in self.host.serving_children()), what="the probe")
            self.traffic.end()
            began = time.monotonic()
            self.assertEqual(self.host.stop(), 0, self.host.stderr())
            self.assertLess(time.monotonic() - began, 8 * SLOW)  # less than the limit of a probe
            waiting.join()
            self.assertIn("the server is shutting down", replies[0].json()["detail"])
            self.assertNotIn("does not return", self.host.stderr())

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
            self.assertIn(f"did not return within {0.1 * SLOW:g} s", self.reload().json()["detail"])
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
        self.assertIn("does not return; ending without it", self.host.stderr())

    def test_in_create_and_the_end_of_the_host_does_not_wait_for_it(self):
        self.begin()  # with the default limit of a minute
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
        self.assertLess(time.monotonic() - began, 3 * AT_ONCE)


class Gentleness(ReloadTest):
    """A process that a reload starts has low priority while it starts, and the usual one afterwards."""

    def priority_of_the_runner(self):
        for child in self.host.serving_children():
            try:
                return os.sched_getscheduler(child), os.getpriority(os.PRIO_PROCESS, child)
            except ProcessLookupError:
                pass
        return None

    @unittest.skipIf(os.geteuid() != 0, "only root can take a priority back")
    def test_is_a_runner_that_starts_and_the_longer_it_takes_the_less(self):
        self.begin("--reload-timeout", str(2 * SLOW))
        self.put("runner_hangs")
        reload = threading.Thread(target=self.reload)
        reload.start()
        for priority in ((os.SCHED_IDLE, 0), (os.SCHED_OTHER, 10)):  # the probe has the first one, too
            eventually(lambda wanted=priority: self.priority_of_the_runner() == wanted, what=f"{priority}")
        reload.join()

    def test_ends_when_the_runner_is_ready(self):
        own = os.getpriority(os.PRIO_PROCESS, 0)
        self.begin()
        self.reloads("runner_echoes")
        self.assertEqual(self.priority_of_the_runner(), (os.SCHED_OTHER, own))


if __name__ == "__main__":
    main()
