#!/usr/bin/env python3
"""Runs .http files against the real bentohost; README.md says how they are written.

    run_http_cases.py BUILD_DIR [--over-tls | --against-nginx] [--only WORDS] FILE...

Each file's cases are run as they stand, and in the other ways that its line "# also:" names; with an option,
in that way alone.
"""
import argparse
import concurrent.futures
import difflib
import shlex
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

import case_file
from case_file import CLOSES, Expected
from exchange import Outcome, converse, drip, render
from harness import EXE, PLUGINS, Host  # which takes the build folder off the command line
from http_wire import connect, run_all

SANITIZERS = ("AddressSanitizer", "ThreadSanitizer", "runtime error:", "LeakSanitizer")
AT_ONCE = 4  # hosts that start or stop
# As many connections as are fed in a fraction of the time that a server lingers after a refusal.
DRIPS = 64
SENT = 2000  # characters of what was sent that are shown


class Certificate:
    """One for localhost, made for this run."""

    def __init__(self, folder):
        self.certificate, self.key = Path(folder) / "certificate.pem", Path(folder) / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-days", "1", "-subj", "/CN=localhost", "-keyout", self.key,
                        "-out", self.certificate], check=True, capture_output=True)
        self.context = ssl.create_default_context(cafile=self.certificate)
        self.context.check_hostname = False
        self.arguments = ["--ssl-certfile", str(self.certificate), "--ssl-keyfile", str(self.key)]


def admin_port(host):
    return next(port for port in host.listening_ports() if port != host.port)


class Hosts:
    """A host for each plugin and options that cases name."""

    def __init__(self, tls=None):
        self.tls, self.running = tls, {}

    def start_for(self, cases):
        first = {(case.plugin, case.options): case for case in reversed(cases)}
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(self.start, [case for key, case in first.items() if key not in self.running]))

    def start(self, case):
        prefix, is_below, name = case.plugin.rpartition("=")
        path = PLUGINS / f"lib{name}.so"  # a plugin of the tests; bentohost finds samples by their names
        plugin = prefix + is_below + (str(path) if path.exists() else name)
        host = Host("--access-log", "off", *shlex.split(case.options), *(self.tls.arguments if self.tls else ()),
                    plugin=plugin, ready=False)
        self.running[case.plugin, case.options] = host
        try:
            host.wait_ready()
        except AssertionError as error:
            raise case_file.WrongFile(f"{case.path}:{case.line}: there is no host with --plugin {plugin} "
                                      f"{case.options}: {error}") from None

    def connect(self, case):
        host = self.running[case.plugin, case.options]
        connection = connect(admin_port(host) if case.port else host.port)
        # Without the peer's close_notify an end might be an attacker's (RFC 8446 6.1).
        return self.tls.context.wrap_socket(connection, suppress_ragged_eofs=False) if self.tls else connection

    def stop(self):
        """Ends all, and returns what was wrong with their ends."""
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            codes = pool.map(Host.stop, self.running.values())
        faults = []
        for (plugin, options), host, code in zip(self.running, self.running.values(), codes):
            marks = [mark for mark in SANITIZERS if mark in host.stderr()]
            if code or marks:
                faults.append(f"the host of {plugin} {options} ended with {code} {marks}:\n{host.stderr()}")
        return faults


class Report:
    def __init__(self):
        self.passed, self.failures = 0, []

    def judge(self, case, outcome, mode=""):
        wanted, seen = render(case, outcome)
        if wanted == seen:
            self.passed += 1
            return
        self.failures.append(case)
        diff = difflib.unified_diff(wanted, seen, "expected", "came", lineterm="", n=100)
        print(f"\nFAILED {case.path}:{case.line}: {case.name}{f' ({mode})' if mode else ''}\n\n{sent(case)}\n",
              *diff, sep="\n")


def sent(case):
    text = case.first.decode("utf-8", "backslashreplace").replace("\r\n", "\n").replace("\r", "\\r")
    text = text if len(text) <= SENT else f"{text[:SENT]}... ({len(case.first)} bytes)"
    return "\n".join("  > " + line for line in text.split("\n"))


def ending_over_tcp(connection, case, outcome):
    """Says so where the server is gone already, so that whatever the client still sends is answered by a
    reset, and the answer may be lost: a server must linger after an error."""
    was_refused = outcome.answers and outcome.answers[-1].status >= 400
    if case.ends_its_side or outcome.ending != CLOSES or not was_refused:
        return outcome
    try:
        connection.sendall(b"more")
        is_reset = connection.recv(1) != b""
    except ConnectionError:
        is_reset = True
    return Outcome(outcome.answers, "closes, and the client could lose the answer to a reset") if is_reset else outcome


def finish(hosts, connection, case, is_sent=False):
    with connection:
        outcome = converse(connection, case, is_sent)
        return outcome if hosts.tls else ending_over_tcp(connection, case, outcome)


def run_whole(file, hosts, report, cases, mode=""):
    def run(case):
        return finish(hosts, hosts.connect(case), case)

    hosts.start_for(cases)
    results = run_all(cases, run) if file.also else [(case, run(case)) for case in cases]
    for case, outcome in results:
        report.judge(case, outcome, mode)


def run_byte_by_byte(hosts, report, cases):
    for i in range(0, len(cases), DRIPS):
        some = cases[i:i + DRIPS]
        connections = [hosts.connect(case) for case in some]
        drip(connections, [case.first for case in some])
        dripped = {id(case): connection for case, connection in zip(some, connections)}
        for case, outcome in run_all(some, lambda case: finish(hosts, dripped[id(case)], case, is_sent=True)):
            report.judge(case, outcome, "byte by byte")


def is_refusal(case):
    """Whether all that is sent comes at once, and is answered by an error at the end."""
    return case.ending == CLOSES and case.answers and case.answers[-1].status >= 400 and \
        all(isinstance(step, Expected) for step in case.later)


def run_file(file, hosts, report, words):
    cases = [case for case in file.cases if words in case.name]
    if hosts.tls:
        # Half a connection cannot be closed there: the end of TLS is one of both directions.
        return run_whole(file, hosts, report, [case for case in cases if not case.ends_its_side], "over TLS")
    run_whole(file, hosts, report, cases)
    if "byte by byte" in file.also:
        run_byte_by_byte(hosts, report, cases)
    if "behind another" in file.also:
        run_whole(file, hosts, report, [case_file.behind_another(case) for case in cases if is_refusal(case)])
    return None


def has_tls():
    return "ssl-certfile" in subprocess.run([EXE, "--help"], capture_output=True, text=True, check=True).stdout


def run(files, report, words="", tls=None):
    """Runs files; what was wrong with the ends of their hosts."""
    hosts = Hosts(tls)
    try:
        for file in files:
            run_file(file, hosts, report, words)
    finally:
        faults = hosts.stop()
    return faults


def run_as_told(arguments, files, report):
    words = arguments.only
    with tempfile.TemporaryDirectory() as folder:
        if arguments.against_nginx:
            import nginx
            return nginx.run([file for file in files if "nginx" in file.also], report, words, folder)
        if not arguments.over_tls:
            return run(files, report, words)
        if not has_tls():
            return print("SKIPPED: this build has no TLS")
        return run([file for file in files if "TLS" in file.also], report, words, Certificate(folder))


def main():
    parser = argparse.ArgumentParser(usage=__doc__.replace("%", "%%"))
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--only", metavar="WORDS", default="", help="the cases whose names have these words")
    parser.add_argument("--over-tls", action="store_true")
    parser.add_argument("--against-nginx", action="store_true")
    arguments = parser.parse_args()
    report = Report()
    try:
        faults = run_as_told(arguments, [case_file.read(path) for path in arguments.files], report)
    except case_file.WrongFile as error:
        sys.exit(str(error))
    print(*faults or (), f"{report.passed} passed, {len(report.failures)} failed", sep="\n")
    sys.exit(bool(report.failures or faults))


if __name__ == "__main__":
    main()
