"""Large tensors go to the runners and back through shared memory, and nothing of it stays behind."""
import os
import signal

from harness import HostTest, eventually, in_parallel, is_alive, main

WIDTH = 64 * 1024  # int64: half a megabyte a row, twice what goes through a pipe
ARENA = "bentohost-arena"


def row(first, width=WIDTH):
    return [[first] + [7] * (width - 1)]


def arenas_of(pid):
    """The arenas that a process has mapped, and those that it has descriptors of."""
    with open(f"/proc/{pid}/maps") as maps:
        mapped = sum(ARENA in line for line in maps)
    open_ones = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            open_ones += ARENA in os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            pass  # closed meanwhile
    return mapped, open_ones


def shared_kb(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssShmem:"))


def fallbacks(host, reason):
    return host.metrics().get(f'bentohost_runner_arena_fallbacks_total{{reason="{reason}",runner="worker",service="lab"}}')


def arena_bytes(host):
    return host.metrics()['bentohost_runner_arena_bytes{runner="worker",service="lab"}']


class Arenas(HostTest):
    def echo(self, host, first, width=WIDTH):
        reply = host.post("/echo", row(first, width))
        self.assertEqual(reply.status, 200, reply)
        self.assertTrue(reply.json() == row(first, width))

    def test_large_tensors_pass_through_a_few_arenas_that_are_used_again(self):
        host = self.start()
        self.echo(host, 1)
        for first in range(2, 12):
            self.echo(host, first)
        self.assertEqual((fallbacks(host, "limit"), fallbacks(host, "refused")), (0, 0))
        # One for inputs and two for outputs: a result is read while the next one is made.
        self.assertLessEqual(arena_bytes(host), 3 * 8 * WIDTH * 1.25)
        mapped, open_ones = arenas_of(host.serving_pid)
        self.assertLessEqual(mapped, 3)
        self.assertEqual(mapped, open_ones)

    def test_small_tensors_need_none(self):
        host = self.start()
        self.echo(host, 1, width=100)
        self.assertEqual(arena_bytes(host), 0)

    def test_callers_of_a_batch_get_their_own_rows_out_of_one_arena(self):
        host = self.start()
        in_parallel([lambda n=n: self.echo(host, 100 + n) for n in range(12)])

    def test_beyond_the_bound_the_pipes_take_over(self):
        host = self.start("--max-arena-bytes=1m")
        in_parallel([lambda n=n: self.echo(host, 100 + n) for n in range(6)])
        self.echo(host, 1, width=4 * WIDTH)
        self.assertGreater(fallbacks(host, "limit"), 0)
        self.assertLessEqual(arena_bytes(host), 1 << 20)

    def test_zero_switches_them_off(self):
        host = self.start("--max-arena-bytes=0")
        self.echo(host, 1)
        self.assertEqual(arenas_of(host.serving_pid), (0, 0))
        self.assertEqual(arena_bytes(host), 0)

    def test_a_killed_worker_leaves_nothing_behind(self):
        host = self.start()
        self.echo(host, 1)
        serving = host.serving_pid
        self.assertGreater(shared_kb(serving), 0)
        before = len(os.listdir(f"/proc/{serving}/fd"))
        for first in range(2, 5):
            (pid,) = host.runners()["worker"]
            os.kill(pid, signal.SIGKILL)
            eventually(lambda: host.runners().get("worker", [pid]) != [pid])
            eventually(lambda: host.get("/readyz").status == 200)
            eventually(lambda: arenas_of(serving) == (0, 0))
            self.assertEqual((shared_kb(serving), arena_bytes(host)), (0, 0))
            self.echo(host, first)
        eventually(lambda: len(os.listdir(f"/proc/{serving}/fd")) <= before + 2)

    def test_a_worker_that_dies_of_a_large_call_costs_that_call_alone(self):
        host = self.start()
        reply = host.post("/fragile", row(-1))
        self.assertEqual(reply.status, 503, reply)
        eventually(lambda: host.get("/readyz").status == 200)
        self.assertEqual(arenas_of(host.serving_pid), (0, 0))
        self.echo(host, 1)

    def test_an_error_of_the_method_gives_the_memory_back(self):
        host = self.start()
        self.echo(host, 1)
        held = arena_bytes(host)
        for _ in range(20):
            self.assertEqual(host.post("/echo", row(-4)).status, 400)
        self.echo(host, 2)
        self.assertLessEqual(arena_bytes(host), held)

    def test_a_killed_host_takes_its_workers_and_the_memory_with_it(self):
        host = self.start()
        self.echo(host, 1)
        (pid,) = host.runners()["worker"]
        self.assertGreater(arenas_of(pid)[0], 0)
        os.kill(host.serving_pid, signal.SIGKILL)
        eventually(lambda: not is_alive(pid))  # and with it the last mapping: arenas have no names
        eventually(lambda: host.get("/readyz").status == 200)
        self.echo(host, 2)


if __name__ == "__main__":
    main()
