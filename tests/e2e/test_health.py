"""The operator's view: health, metrics, the access log."""
import json
import re
import shutil
import signal
import subprocess
import os
import threading
import time
import unittest

from harness import AT_ONCE, SLOW, HostTest, eventually, main


class Health(HostTest):
    def test_a_host_that_serves_is_live_and_ready(self):
        host = self.start()
        for path in ("/livez", "/readyz", "/healthz"):
            self.assertEqual((host.get(path).status, host.get(path).body), (200, b"ok\n"))

    def test_a_host_whose_runners_start_is_live_and_says_what_it_waits_for(self):
        host = self.start("--set", "lab.start_ms=1500", ready=False).find_port()
        reply = eventually(lambda: (reply := host.get("/readyz")).status == 503 and reply)
        self.assertIn("worker 0 is starting", eventually(
            lambda: (d := host.get("/readyz").json()["detail"]) != "starting" and d))
        self.assertEqual(host.get("/livez").status, 200)
        self.assertEqual(host.stdout_lines, [line for line in host.stdout_lines if "ready in" not in line])
        host.wait_ready()
        self.assertEqual(host.get("/readyz").status, 200)

    def test_one_broken_runner_of_two_is_named(self):
        host = self.start()
        (pid,) = host.runners()["other"]
        os.kill(pid, signal.SIGSTOP)
        self.assertEqual(host.get("/readyz").status, 200)  # it may come back
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: host.runners().get("other", [pid]) != [pid])
        eventually(lambda: host.get("/readyz").status == 200)


class Metrics(HostTest):
    def setUp(self):
        self.host = self.start()

    def test_promtool_finds_nothing_to_complain_of(self):
        self.host.post("/echo", [[1]])
        promtool = shutil.which("promtool")
        if promtool is None:
            self.skipTest("promtool is not installed")
        text = self.host.get("/metrics")
        self.assertEqual(text.header("content-type"), "text/plain; version=0.0.4; charset=utf-8")
        lint = subprocess.run([promtool, "check", "metrics"], input=text.body, capture_output=True, check=False)
        self.assertEqual((lint.returncode, lint.stdout + lint.stderr), (0, b""))

    def test_counts_are_those_of_the_requests_that_were_made(self):
        for _ in range(3):
            self.host.post("/echo", [[1], [2]])
        self.host.post("/echo", "[[")
        self.host.get("/echo")
        m = self.host.metrics()
        total = "bentohost_http_requests_total"
        self.assertEqual(m[total + '{code="200",method="POST",route="/echo"}'], 3)
        self.assertEqual(m[total + '{code="400",method="POST",route="/echo"}'], 1)
        self.assertEqual(m[total + '{code="405",method="GET",route="/echo"}'], 1)
        self.assertEqual(m['bentohost_http_request_duration_seconds_count{method="POST",route="/echo"}'], 4)
        self.assertEqual(m['bentohost_batch_size_sum{method="echo",runner="worker",service="lab"}'], 6)
        self.assertEqual(m['bentohost_queue_wait_seconds_count{method="echo",runner="worker",service="lab"}'], 3)
        self.assertEqual(m['bentohost_queue_depth{method="echo",runner="worker",service="lab"}'], 0)
        self.assertEqual(m['bentohost_runner_up{runner="worker",service="lab",worker="0"}'], 1)
        self.assertEqual(m["bentohost_http_requests_in_flight"], 1)
        for name in ("start_time_seconds", "open_fds", "max_fds", "resident_memory_bytes", "cpu_seconds_total"):
            self.assertGreater(m["process_" + name], 0)
        self.assertTrue(any(name.startswith("bentohost_build_info{") for name in m))

    def test_unknown_paths_and_methods_make_no_series(self):
        self.host.get("/nowhere")
        self.host.request("FROB0", "/nowhere")
        self.host.metrics()
        before = len(self.host.metrics())
        for i in range(300):
            self.host.get(f"/nowhere/{i}")
        self.host.request("FROB1", "/nowhere")
        self.host.request("FROB2", "/nowhere")
        after = self.host.metrics()
        self.assertEqual(len(after), before)
        self.assertEqual(after['bentohost_http_requests_total{code="404",method="GET",route="__unmatched__"}'], 301)
        self.assertEqual(after['bentohost_http_requests_total{code="404",method="OTHER",route="__unmatched__"}'], 3)


class AccessLog(HostTest):
    def line(self, host, mark):
        return eventually(lambda: next((line for line in host.stdout_lines if mark in line), None))

    def test_each_request_is_one_line_on_stdout(self):
        host = self.start()
        host.post("/echo", "[[1]]", {"X-Request-Id": "line-1"})
        self.assertRegex(
            self.line(host, "line-1"),
            r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z 127\.0\.0\.1:\d+ "POST /echo" 200 5 5 \d+\.\d{3}ms '
            r"request_id=line-1$")
        host.request("POST", "/x%22%0Ay", "", {"X-Request-Id": "line-2"})
        self.assertNotIn('"y', self.line(host, "line-2"))

    def test_as_json_each_line_is_an_object(self):
        host = self.start("--log-format", "json")
        ready = json.loads(host.stdout_lines[0])
        self.assertIn("127.0.0.1", ready["url"])
        host.post("/echo", "[[1]]", {"X-Request-Id": "line-1"})
        record = json.loads(self.line(host, "line-1"))
        self.assertEqual({k: record[k] for k in ("method", "path", "route", "status", "request_bytes",
                                                 "response_bytes", "request_id")},
                         {"method": "POST", "path": "/echo", "route": "/echo", "status": 200,
                          "request_bytes": 5, "response_bytes": 5, "request_id": "line-1"})
        host.post("/throws", "x")
        error = eventually(lambda: [line for line in host.stderr_lines if "secret" in line])
        self.assertEqual(json.loads(error[0])["level"], "error")

    def test_it_can_be_off(self):
        host = self.start("--access-log", "off")
        host.post("/echo", "[[1]]")
        host.stop()
        self.assertEqual(len(host.stdout_lines), 1)

    def test_a_reader_that_stands_still_holds_up_neither_requests_nor_the_end(self):
        host = self.start("--timeout", str(2 * SLOW), deaf=True, ready=False).find_port()
        eventually(lambda: host.get("/readyz").status == 200)
        client = host.client()
        for _ in range(1500):  # a line on each stream, on each more than a pipe holds
            self.assertEqual(client.request("POST", "/throws", "x").status, 500)
        client.close()
        self.assertEqual(host.post("/babble", [[1]]).status, 200)  # the event loop writes, too
        eventually(lambda: host.metrics()["bentohost_access_log_dropped_total"] > 0)
        began = time.monotonic()
        self.assertEqual(host.stop(), 0)
        self.assertLess(time.monotonic() - began, AT_ONCE)

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full here")
    def test_a_full_disk_costs_lines_and_nothing_else(self):
        import harness
        real = subprocess.Popen
        with open("/dev/full", "w") as full, open(os.devnull) as null:
            process = real([harness.EXE, "--plugin", harness.LAB, "--port", "0"], stdout=full,
                           stderr=subprocess.PIPE, stdin=null, text=True)
        lines = []
        threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True).start()
        host = harness.Host.__new__(harness.Host)
        host.pid, host.process = process.pid, process
        try:
            host.find_port()
            eventually(lambda: host.get("/readyz").status == 200)
            eventually(lambda: host.metrics()["bentohost_access_log_dropped_total"] > 0)
            self.assertEqual(host.post("/echo", "[[1]]").status, 200)
        finally:
            process.terminate()
            self.assertEqual(process.wait(30), 0)
            process.stderr.close()


if __name__ == "__main__":
    main()
