"""The end: requests in flight are answered, the runners go, and the exit code says how it was."""
import os
import signal
import threading
import time

from harness import SLOW, HostTest, children_of, eventually, is_alive, main


class Shutdown(HostTest):
    def begin_slow(self, host, ms, path="/nap"):
        replies = []

        def ask():
            try:
                replies.append(host.post(path, [[ms]]))
            except OSError as error:
                replies.append(error)
        thread = threading.Thread(target=ask)
        before = host.metrics()["bentohost_http_requests_in_flight"]
        thread.start()
        eventually(lambda: host.metrics()["bentohost_http_requests_in_flight"] > before)
        return thread, replies

    def test_a_request_in_flight_is_answered_while_readyz_says_that_we_go(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            for path in ("/nap", "/slow"):
                host = self.start()
                thread, replies = self.begin_slow(host, int(600 * SLOW), path)
                host.process.send_signal(number)
                reply = eventually(lambda: (r := host.get("/readyz")).status == 503 and r)
                self.assertIn("shutting down", reply.json()["detail"])
                self.assertEqual(reply.header("connection"), "close")
                self.assertEqual(host.get("/livez").status, 200)
                self.assertEqual(host.post("/echo", [[1]]).status, 503)
                thread.join()
                self.assertEqual(replies[0].status, 200, replies)
                self.assertEqual(host.process.wait(20 * SLOW), 0)

    def test_a_signal_to_the_whole_group_is_for_the_host_though_its_runners_get_it_too(self):
        for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C in a terminal; systemctl stop
            host = self.start(own_group=True)
            thread, replies = self.begin_slow(host, int(300 * SLOW))
            os.killpg(host.pid, number)
            thread.join()
            self.assertEqual(replies[0].status, 200, replies)
            self.assertEqual(host.process.wait(20 * SLOW), 0)

    def test_a_host_that_is_not_ready_yet_ends_as_well(self):
        host = self.start("--set", "lab.start_ms=60000", ready=False).find_port()
        children = eventually(lambda: len(pids := children_of(host.pid)) == 2 and host.runners() and pids)
        self.assertEqual(host.stop(), 0)
        self.assertFalse(any(is_alive(pid) for pid in children))

    def test_idle_connections_do_not_hold_it(self):
        host = self.start()
        clients = [host.client() for _ in range(10)]
        for client in clients:
            self.addCleanup(client.close)
            self.assertEqual(client.request("GET", "/livez").status, 200)
        began = time.monotonic()
        self.assertEqual(host.stop(), 0)
        self.assertLess(time.monotonic() - began, 4 * SLOW)

    def test_a_second_signal_ends_it_at_once(self):
        host = self.start()
        children = children_of(host.pid)
        thread, replies = self.begin_slow(host, int(20000 * SLOW))
        host.process.send_signal(signal.SIGTERM)
        eventually(lambda: host.get("/readyz").status == 503)
        began = time.monotonic()
        host.process.send_signal(signal.SIGTERM)
        self.assertEqual(host.process.wait(10), 128 + signal.SIGTERM)
        self.assertLess(time.monotonic() - began, 1 * SLOW)
        eventually(lambda: not any(is_alive(pid) for pid in children))
        thread.join()
        self.assertNotEqual(getattr(replies[0], "status", None), 200)

    def test_the_graceful_timeout_bounds_the_wait(self):
        for path in ("/nap", "/slow"):
            host = self.start("--timeout-graceful-shutdown", "0.5")
            thread, _ = self.begin_slow(host, int(20000 * SLOW), path)
            children = children_of(host.pid)
            began = time.monotonic()
            host.process.send_signal(signal.SIGTERM)
            self.assertEqual(host.process.wait(15 * SLOW), 0)
            self.assertLess(time.monotonic() - began, 6 * SLOW)
            thread.join()
            eventually(lambda: not any(is_alive(pid) for pid in children))
            eventually(lambda: "cut" in host.stderr())

    def test_under_load_each_request_is_answered_or_refused_in_words(self):
        host = self.start()
        outcomes, stopping = [], threading.Event()

        def ask():
            client = host.client()
            while True:
                try:
                    reply = client.request("POST", "/echo", [[1]])
                    outcomes.append(reply.status)
                    if reply.header("connection") == "close":
                        return
                except ConnectionRefusedError:
                    return
                except OSError as error:
                    if not stopping.is_set():
                        outcomes.append(repr(error))
                    return
        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        eventually(lambda: len(outcomes) > 500)
        stopping.set()
        self.assertEqual(host.stop(), 0)
        for thread in threads:
            thread.join()
        self.assertLessEqual(set(outcomes), {200, 503})


if __name__ == "__main__":
    main()
