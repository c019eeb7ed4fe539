#!/usr/bin/env python3
"""What a runner call from Python costs, beside the same model in the same process.

usage: python_runner_calls.py BUILD_DIR [--rounds N] [--calls N]

Serves samples/iris with --runner-bind and calls iris_clf.predict with one row of four doubles: in one thread, in 16
threads, and on an event loop with 1, 16 and 64 calls in flight, on asyncio and, where it is installed, uvloop.
Beside them scikit-learn's SVC, trained on the same file, with 1, 16 and 100 rows, if it is installed. The rounds are
interleaved; the figures are medians. CPU is this process's alone, in microseconds of a call.
"""
import argparse
import array
import asyncio
import csv
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SOURCE / "sdk" / "python"))
import bento_runner  # noqa: E402

ROW = [4.9, 3.0, 1.4, 0.2]


def argument(rows=1):
    try:
        import numpy
    except ImportError:
        return bento_runner.Tensor("float64", (rows, 4), array.array("d", ROW * rows))
    return numpy.array([ROW] * rows)


def measure(work, calls):
    """Seconds and CPU seconds of a call."""
    cpu, began = time.process_time(), time.perf_counter()
    work(calls)
    return (time.perf_counter() - began) / calls, (time.process_time() - cpu) / calls


def in_threads(method, threads, x):
    def work(calls):
        def caller():
            for _ in range(calls // threads):
                method.run(x)
        workers = [threading.Thread(target=caller) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    return work


def in_one_thread(method, x):
    def work(calls):
        for _ in range(calls):
            method.run(x)
    return work


def in_loop(client, method, callers, x, runner):
    def work(calls):
        async def caller():
            for _ in range(calls // callers):
                await method.async_run(x)

        async def run():
            await asyncio.gather(*(caller() for _ in range(callers)))
            await client.aclose()
        runner(run())
    return work


def uvloop_run():
    try:
        import uvloop
    except ImportError:
        return None

    def run(coroutine):
        loop = uvloop.new_event_loop()
        try:
            return loop.run_until_complete(coroutine)
        finally:
            loop.close()
    return run


def in_process(rows):
    """The model here, or None where scikit-learn is not installed."""
    try:
        import numpy
        from sklearn.svm import SVC
    except ImportError:
        return None
    with open(SOURCE / "samples" / "iris" / "iris.csv", newline="") as file:
        table = list(csv.reader(file))[1:]
    model = SVC(gamma="scale").fit([list(map(float, line[:4])) for line in table], [line[4] for line in table])
    x = numpy.array([ROW] * rows)

    def work(calls):
        for _ in range(calls):
            model.predict(x)
    return work


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=8000, help="of a scenario in a round")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/runners"
        host = subprocess.Popen([options.build / "bin" / "bentohost", "--plugin", "iris", "--port", "0",
                                 "--access-log", "off", "--runner-bind", f"unix:{path}"], stdout=subprocess.PIPE, text=True)
        try:
            host.stdout.readline()  # the ready line
            client = bento_runner.connect(path)
            method = client.runner("iris_clf").predict
            scenarios = {"1 thread": (in_one_thread(method, argument()), 1),
                         "1 thread, 100 rows": (in_one_thread(method, argument(100)), 1),
                         "16 threads": (in_threads(method, 16, argument()), 1)}
            for name, runner in (("asyncio", asyncio.run), ("uvloop", uvloop_run())):
                for callers in (1, 16, 64) if runner else ():
                    scenarios[f"{name}, {callers} in flight"] = (in_loop(client, method, callers, argument(), runner), 1)
            for rows in (1, 16, 100):
                work = in_process(rows)
                if work:
                    scenarios[f"scikit-learn in process, {rows} row{'s' * (rows > 1)}"] = (work, 4)
            found = {name: [] for name in scenarios}
            for round_ in range(options.rounds + 1):
                for name, (work, less) in scenarios.items():
                    one = measure(work, options.calls // less)
                    if round_ > 0:  # the first warms up
                        found[name].append(one)
        finally:
            host.terminate()
            host.wait()
    print(f"| caller, Python {sys.version.split()[0]} | calls/s | us a call | CPU us a call |\n|---|--:|--:|--:|")
    for name, measured in found.items():
        wall, cpu = (statistics.median(each[i] for each in measured) for i in (0, 1))
        print(f"| {name} | {1 / wall:,.0f} | {wall * 1e6:.1f} | {cpu * 1e6:.1f} |")


if __name__ == "__main__":
    main()
