"""Shutdown: requests in flight are answered, the runners end, and the exit code says how it ended."""
import os
import signal
import threading
import time

from harness import AT_ONCE, SLOW, HostTest, eventually, is_alive, is_pending, main
from http_wire import Wire, connect, get, sized
from supervisor_case import CRASHES


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
        children = eventually(lambda: len(pids := host.serving_children()) == 2 and host.runners() and pids)
        self.assertEqual(host.stop(), 0)
        self.assertFalse(any(is_alive(pid) for pid in children))

    def start_in_on_ready(self, *arguments):
        """A host that serves while its plugin is in on_ready, and the FIFO: on_ready returns when it is written to."""
        fifo = self.folder() / "fifo"
        os.mkfifo(fifo)
        host = self.start("--set", f"crashes.on_ready_until={fifo}", *arguments, plugin=CRASHES, ready=False)
        host.find_port()
        eventually(lambda: host.get("/readyz").status == 200)
        return host, fifo

    def test_a_signal_during_on_ready_loses_no_request(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            for arguments in ((), ("--no-supervisor",)):
                host, fifo = self.start_in_on_ready(*arguments)
                with connect(host.port) as connection:
                    wire = Wire(connection)
                    wire.send(get(f"/wait/{500 * SLOW}"))
                    eventually(lambda host=host: host.metrics()["bentohost_http_requests_in_flight"] == 2)
                    host.process.send_signal(number)
                    eventually(lambda host=host, number=number: not is_pending(number, host.pid))
                    fifo.write_text("go")
                    self.assertEqual(wire.answer().status, 200)
                self.assertEqual(host.process.wait(20 * SLOW), 0)

    def test_an_on_ready_that_hangs_is_not_waited_for_longer_than_requests(self):
        host, _ = self.start_in_on_ready("--timeout-graceful-shutdown", str(0.3 * SLOW))
        host.process.terminate()
        self.assertEqual(host.process.wait(AT_ONCE), 128 + signal.SIGTERM)
        host.log_line("on_ready does not return")

    def test_a_second_signal_ends_even_an_on_ready_that_hangs(self):
        for arguments in ((), ("--no-supervisor",)):
            host, _ = self.start_in_on_ready(*arguments)
            for _ in range(2):
                host.process.terminate()
                eventually(lambda host=host: not is_pending(signal.SIGTERM, host.pid))
            self.assertEqual(host.process.wait(AT_ONCE), 128 + signal.SIGTERM)

    def test_idle_connections_do_not_hold_it(self):
        host = self.start()
        clients = [host.client() for _ in range(10)]
        for client in clients:
            self.addCleanup(client.close)
            self.assertEqual(client.request("GET", "/livez").status, 200)
        began = time.monotonic()
        self.assertEqual(host.stop(), 0)
        self.assertLess(time.monotonic() - began, AT_ONCE)

    def test_a_second_signal_ends_it_at_once(self):
        host = self.start()
        children = host.descendants()
        thread, replies = self.begin_slow(host, int(20000 * SLOW))
        host.process.send_signal(signal.SIGTERM)
        eventually(lambda: host.get("/readyz").status == 503)
        began = time.monotonic()
        host.process.send_signal(signal.SIGTERM)
        self.assertEqual(host.process.wait(10), 128 + signal.SIGTERM)
        self.assertLess(time.monotonic() - began, AT_ONCE)
        eventually(lambda: not any(is_alive(pid) for pid in children))
        thread.join()
        self.assertNotEqual(getattr(replies[0], "status", None), 200)

    def test_the_graceful_timeout_bounds_the_wait(self):
        for path in ("/nap", "/slow"):
            host = self.start("--timeout-graceful-shutdown", "0.5")
            thread, _ = self.begin_slow(host, int(20000 * SLOW), path)
            children = host.descendants()
            began = time.monotonic()
            host.process.send_signal(signal.SIGTERM)
            self.assertEqual(host.process.wait(15 * SLOW), 0)
            self.assertLess(time.monotonic() - began, AT_ONCE)
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


class Delay(HostTest):
    def test_readyz_says_at_once_that_we_go_while_apis_answer_as_ever(self):
        delay = 3 * SLOW
        host = self.start("--drain-delay", str(delay))
        with host.client() as old:
            self.assertEqual(old.request("GET", "/readyz").status, 200)
            host.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            reply = eventually(lambda: (r := old.request("GET", "/readyz")).status == 503 and r)
            self.assertLess(time.monotonic() - began, delay / 2)
            self.assertIn("shutting down", reply.json()["detail"])
            asked = 0
            while time.monotonic() - began < 0.8 * delay:
                for reply in (old.request("POST", "/echo", [[1]]), host.post("/echo", [[1]])):
                    self.assertEqual((reply.status, reply.header("connection")), (200, None))
                self.assertEqual(host.get("/readyz").status, 503)
                asked += 1
            self.assertGreater(asked, 2)
            self.assertEqual(host.process.wait(20 * SLOW), 0)
            self.assertGreater(time.monotonic() - began, delay)

    def test_a_second_signal_ends_it_at_once(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            host = self.start("--drain-delay", "60")
            children = host.descendants()
            host.process.send_signal(signal.SIGTERM)
            eventually(lambda: host.get("/readyz").status == 503)
            began = time.monotonic()
            host.process.send_signal(number)
            self.assertEqual(host.process.wait(10), 128 + number)
            self.assertLess(time.monotonic() - began, AT_ONCE)
            eventually(lambda: not any(is_alive(pid) for pid in children))


class LastRequests(HostTest):
    def ask(self, host, data):
        connection = connect(host.port)
        self.addCleanup(connection.close)
        wire = Wire(connection)
        wire.send(data)
        return wire

    def test_an_idle_connection_gets_a_last_chance(self):
        host = self.start()
        wires = [self.ask(host, get()) for _ in range(3)]
        for wire in wires:
            self.assertEqual(wire.answer().header("connection"), "")
        host.process.send_signal(signal.SIGTERM)
        host.log_line("stopping")
        wires[0].send(get())
        wires[1].send(sized("[[1]]", to="/echo"))
        answers = [wire.answer() for wire in wires[:2]]
        self.assertEqual([answer.status for answer in answers], [200, 503])
        self.assertEqual([answer.header("connection") for answer in answers], ["close"] * 2)
        self.assertEqual(answers[1].header("retry-after"), "1")
        for wire in wires:  # the third one has sent nothing
            self.assertEqual(wire.to_the_end(), b"")
        self.assertEqual(host.process.wait(20 * SLOW), 0)
        self.assertNotIn("cut", host.stderr())

    def test_a_request_that_has_begun_to_come_may_come_whole(self):
        host = self.start()
        whole = sized("[[1]]", to="/echo")
        wire = self.ask(host, get() + whole[:20])
        self.assertEqual(wire.answer().status, 200)
        host.process.send_signal(signal.SIGTERM)
        host.log_line("stopping")
        wire.send(whole[20:])
        answer = wire.answer()
        self.assertEqual((answer.status, answer.header("connection")), (503, "close"))
        self.assertEqual(host.process.wait(20 * SLOW), 0)

    def test_a_stream_whose_handler_heeds_the_end_ends_whole(self):
        host = self.start()
        wire = self.ask(host, sized("", to="/beats"))
        eventually(lambda: host.metrics()["bentohost_http_streams_open"] == 1)
        host.process.send_signal(signal.SIGTERM)
        answer = wire.answer()
        self.assertRegex(answer.body, b"^(tick\n)+the end\n$")
        self.assertEqual(wire.to_the_end(), b"")
        self.assertEqual(host.process.wait(20 * SLOW), 0)
        self.assertNotIn("cut", host.stderr())

    def test_streams_that_go_on_are_cut_at_the_deadline_and_the_log_says_how_many(self):
        host = self.start("--timeout-graceful-shutdown", "0.5")
        wires = [self.ask(host, sized("for ever", to="/beats")) for _ in range(3)]
        for wire in wires:
            wire.until(b"tick\n")
        host.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        for wire in wires:
            received = wire.to_the_end()
            self.assertIn(b"tick\n", received)
            self.assertFalse(received.endswith(b"0\r\n\r\n"))  # the client sees that the response is not whole
        self.assertGreater(time.monotonic() - began, 0.49)
        self.assertEqual(host.process.wait(20 * SLOW), 0)
        self.assertRegex(host.log_line("connections were cut"), "connections=3$")


if __name__ == "__main__":
    main()
