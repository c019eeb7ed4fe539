"""Metrics of a service's own: from handlers and from runners, through deaths and reloads."""
import os
import shutil
import signal
import subprocess
import unittest

from harness import PLUGINS, Run, eventually, in_parallel, main
from reload_case import ReloadTest

METERED = str(PLUGINS / "libmetered.so")


class CustomMetrics(ReloadTest):
    def value(self, host, series):
        return host.metrics().get(series)

    def tag(self, host, text):
        reply = host.post("/tag", text, {"Content-Type": "text/plain"})
        self.assertEqual(reply.status, 200, reply.body)
        return int(reply.body)

    def make(self, host, kind):
        self.assertEqual(host.post("/make", kind, {"Content-Type": "text/plain"}).status, 200)

    def test_handlers_count_at_once(self):
        host = self.start(plugin=METERED)
        self.assertEqual(self.value(host, 'metered_level{service="metered"}'), 0)
        in_parallel([lambda: [self.make(host, b"cup") for _ in range(50)]] * 4)
        self.make(host, 'a"b\\'.encode())
        self.assertEqual(self.value(host, 'metered_items_total{service="metered",kind="cup"}'), 200)
        self.assertEqual(self.value(host, 'metered_level{service="metered"}'), 100.5)
        self.assertIn(b'metered_items_total{service="metered",kind="a\\"b\\\\"} 1\n', host.get("/metrics").body)

    def test_labels_are_bounded(self):
        host = self.start(plugin=METERED)
        with host.client() as client:
            for i in range(1010):
                client.request("POST", "/make", str(i).encode(), {"Content-Type": "text/plain"})
        self.make(host, b"x" * 200)
        self.assertEqual(self.value(host, 'metered_items_total{service="metered",kind="other"}'), 11)

    def test_what_workers_count_is_added_up(self):
        host = self.start("--runner-workers", "2", plugin=METERED)
        pids = set()

        def call():
            pids.update(self.tag(host, b"12345") for _ in range(20))
        in_parallel([call] * 4)
        self.assertEqual(len(pids), 2)
        words = 'metered_words_total{service="metered",runner="tagger",language="en"}'
        eventually(lambda: self.value(host, words) == 5 * 80)
        metrics = host.metrics()
        self.assertEqual(metrics['metered_text_bytes_count{service="metered",runner="tagger"}'], 80)
        self.assertEqual(metrics['metered_text_bytes_bucket{service="metered",runner="tagger",le="10"}'], 80)
        for worker in "01":
            gauge = f'metered_last_bytes{{service="metered",runner="tagger",worker="{worker}"}}'
            self.assertEqual(metrics[gauge], 5)
        self.make(host, b"cup")
        self.assertEqual(
            self.value(host, 'metered_words_total{service="metered",language="in the host"}'), 1)

    def test_threads_of_an_idle_runner_are_heard(self):
        host = self.start(plugin=METERED)
        self.tag(host, b"later")
        eventually(lambda: self.value(
            host, 'metered_words_total{service="metered",runner="tagger",language="of a thread"}') == 1)

    def test_a_death_takes_back_no_count(self):
        host = self.start(plugin=METERED)
        words = 'metered_words_total{service="metered",runner="tagger",language="en"}'
        gauge = 'metered_last_bytes{service="metered",runner="tagger",worker="0"}'
        pid = self.tag(host, b"123")
        eventually(lambda: self.value(host, words) == 3 and self.value(host, gauge) == 3)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: self.value(host, gauge) is None)  # the next worker has set nothing
        self.assertEqual(self.value(host, words), 3)
        self.tag(host, b"1234")
        eventually(lambda: self.value(host, words) == 7 and self.value(host, gauge) == 4)

    def test_a_reload_goes_on_with_the_numbers(self):
        host = self.begin(plugin="metered")
        self.make(host, b"cup")
        self.tag(host, b"123")
        self.put("metered_2")
        reply = self.reload("metered")
        self.assertEqual(reply.json()["result"], "ok", reply)
        self.make(host, b"cup")
        self.tag(host, b"123")
        self.assertEqual(self.value(host, 'metered_items_total{service="metered",kind="cup"}'), 2)
        # The worker that has ended told what it had not told before.
        words = 'metered_words_total{service="metered",runner="tagger",language="en"}'
        eventually(lambda: self.value(host, words) == 6)

    def test_a_metric_that_is_there_already_is_refused_by_name(self):
        done = Run("--plugin", METERED, "--port", "0", "--set", "metered.conflict=true")
        self.assert_refused(done, "on_startup failed: the metric metered_level is there already, "
                            "with other labels, of the service metered")

    @unittest.skipUnless(shutil.which("promtool"), "no promtool on PATH")
    def test_promtool_has_no_complaint(self):
        host = self.start(plugin=METERED)
        self.make(host, b"cup")
        self.tag(host, b"123")
        eventually(lambda: b"metered_text_bytes_bucket" in host.get("/metrics").body)
        lint = subprocess.run(["promtool", "check", "metrics"], input=host.get("/metrics").body,
                              capture_output=True, check=False)
        self.assertEqual((lint.returncode, lint.stdout, lint.stderr), (0, b"", b""))


if __name__ == "__main__":
    main()
