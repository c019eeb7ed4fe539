"""The command line: errors are printed in one line, at once, and nothing half-started is left."""
import os
import re
import shutil
import signal
import socket
from pathlib import Path

from harness import (AT_ONCE, BUILD, LAB, PLUGINS, SLOW, HostTest, Run, eventually, is_alive,
                     main)

IRIS = next(BUILD.glob("lib*/**/bentohost/plugins/libiris.so"))


class Refusals(HostTest):
    def refuses(self, arguments, *words, **options):
        return self.assert_refused(Run("--port", "0", *arguments), *words, **options)

    def bad(self, name, *words, **options):
        return self.refuses(["--plugin", str(PLUGINS / f"lib{name}.so")], f"lib{name}.so", *words, **options)

    def test_files_that_are_no_plugins(self):
        folder = self.folder()
        whole = IRIS.read_bytes()
        for name, content, words in (("text.so", b"hello\n" * 100, ()), ("empty.so", b"", ("empty",)),
                                     ("half.so", whole[:len(whole) // 2], ("truncated",)),
                                     ("head.so", whole[:200], ())):
            (folder / name).write_bytes(content)
            self.refuses(["--plugin", str(folder / name)], name, *words)
        for name, at, byte, words in (("arm.so", 18, 183, "AArch64"), ("small.so", 4, 1, "32-bit")):
            (folder / name).write_bytes(whole[:at] + bytes([byte]) + whole[at + 1:])
            self.refuses(["--plugin", str(folder / name)], name, words)
        os.mkfifo(folder / "pipe.so")
        self.refuses(["--plugin", str(folder / "pipe.so")], "pipe.so", "pipe")
        self.refuses(["--plugin", str(folder)], "directory")
        self.refuses(["--plugin", "libnosuch.so"], "libnosuch.so", "BENTOHOST_PLUGIN_PATH", "there are", "libiris.so")
        self.refuses(["--plugin", "/nowhere/libiris.so"], "/nowhere/libiris.so", "no such file")

    def test_plugins_that_crash_are_named_with_the_step_and_the_signal(self):
        self.bad("open_crashes", "SIGSEGV", "bento_entry.open")
        self.bad("open_aborts", "SIGABRT", "the model license has expired")
        self.bad("open_throws", "bento_entry.open", "thrown across the line")
        self.bad("constructor_crashes", "SIGSEGV", "dlopen")

    def test_a_plugin_that_crashes_is_told_though_our_parent_ignores_its_own_children(self):
        done = Run("--port", "0", "--plugin", str(PLUGINS / "libopen_crashes.so"),
                   before=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assertIn("SIGSEGV", done.stderr)

    def test_a_plugin_that_hangs_takes_only_its_time_limit(self):
        for plugin in ("open_hangs", "open_hangs_deaf"):
            self.bad(plugin, "did not come back from bento_entry.open within 10 s", within=2 * AT_ONCE)

    def test_plugins_that_do_not_fit(self):
        self.bad("open_fails", "no license for this machine")
        self.bad("other_major", "2.0", "speaks 1.")
        self.bad("size_zero", "size 0")
        self.bad("no_entry", "bento_entry")
        self.bad("missing_symbol", "nobody_has_this_function")
        self.bad("missing_cpp_symbol", "_Z15scale_of_nobodyd (scale_of_nobody(double))")
        self.bad("duplicate_routes", "/same", "first", "second")
        self.bad("reserved_route", "metrics")
        self.bad("bad_schema", "schema")
        self.bad("unknown_descriptor", "hologram")
        self.refuses(["--plugin", str(PLUGINS / "libcreate_fails.so")], "no database today")

    def test_a_plugin_of_a_newer_minor_serves(self):
        host = self.start(plugin=str(PLUGINS / "libnewer_minor.so"))
        self.assertEqual(host.post("/first", "x").body, b"x")

    def test_routes_of_two_plugins_that_collide_and_the_way_out(self):
        line = self.refuses(["--plugin", str(PLUGINS / "libecho_one.so"), "--plugin", LAB], "/echo", "/PREFIX")
        self.assertIn("lab.echo", line)

    def test_two_services_of_one_name(self):
        self.refuses(["--plugin", LAB, "--plugin", f"/other={LAB}"], "lab", "two")

    def test_an_address_that_is_not_ours(self):
        self.refuses(["--plugin", LAB, "--host", "203.0.113.1"], "203.0.113.1", "--host")

    def test_a_signal_ends_even_a_start_that_hangs(self):
        for plugin, number in (("open_hangs", signal.SIGTERM), ("create_hangs", signal.SIGINT)):
            host = self.start(plugin=str(PLUGINS / f"lib{plugin}.so"), ready=False).find_port()
            if plugin == "open_hangs":
                eventually(host.serving_children, what="the probe")
            children = host.descendants()
            host.process.send_signal(number)
            self.assertEqual(host.process.wait(1 * SLOW), 128 + number)
            eventually(lambda: not any(is_alive(pid) for pid in children), what="the probe's end")

    def test_a_probe_does_not_outlive_a_host_that_is_killed(self):
        host = self.start(plugin=str(PLUGINS / "libopen_hangs.so"), ready=False)
        eventually(host.serving_children, what="the probe")
        children = host.descendants()
        host.process.kill()
        host.process.wait()
        eventually(lambda: not any(is_alive(pid) for pid in children), seconds=1, what="the probe's end")

    def test_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            done = Run("--plugin", LAB, "--port", port)
        self.assert_refused(done, port, "in use", "--port")

    def test_options_are_checked_before_any_code_of_the_plugin_runs(self):
        for setting, words in (("lab.nosuch=1", ("nosuch",)), ("lab.factor=x", ("factor", "number")),
                               ("lab.names=[1]", ("names",)), ("other.x=1", ("other", "lab")),
                               ("lab.start_ms=1.5", ("start_ms",)), ("lab.facter=1", ("did you mean factor?", "marker")),
                               ("lab.needs=1.10", ("for a text write '\"1.10\"'",))):
            self.refuses(["--plugin", LAB, "--set", setting], *words)
        done = Run("--plugin", LAB, "--set", "nonsense")
        self.assertEqual(done.returncode, 2)
        self.assertIn("SERVICE.OPTION=VALUE", done.stderr)

    def test_wrong_options_are_named(self):
        for arguments, word in ((["--bogus"], "bogus"), (["--port", "70000"], "65535"), (["--port"], "port"),
                                (["--timeout", "soon"], "seconds"), (["--access-log", "maybe"], "on or off"),
                                (["--log-level", "loud"], "warning"), (["--max-body", "1x"], "64m"),
                                (["--plugin", "no-name=libiris.so"], "no-name"), (["--threads", "0"], "threads"),
                                (["--runner-workers", "worker="], "RUNNER=N"),
                                (["stray"], "stray"), ([], "--plugin")):
            done = Run(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(word, done.stderr.splitlines()[0])

    def test_names_that_there_are_not_are_told_with_those_that_there_are(self):
        self.refuses(["--plugin", LAB, "--runner-workers", "nobody=2"], "nobody", "lab.worker, lab.other")
        self.refuses(["--plugin", LAB, "--use", "nosuch"], "--use nosuch", "there are", "libtrusted_host.so")
        self.refuses(["--plugin", LAB, "--use", "nosuch:trusted_host"], "--use nosuch:trusted_host", "here is lab")


class Help(HostTest):
    def test_help_and_version(self):
        done = Run("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for option in ("plugin", "set", "host", "port", "threads", "runner-workers", "timeout", "max-body",
                       "log-level", "log-format", "access-log", "timeout-graceful-shutdown", "version"):
            self.assertIn(f"--{option}", done.stdout)
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 100)
        for command in ("reload", "healthcheck"):
            for option in ("--help", "-h"):
                done = Run(command, option)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn(f"usage: bentohost {command} [--", done.stdout)
        self.assertRegex(Run("--version").stdout, r"^bentohost \d+\.\d+\.\d+\n$")


class Lookup(HostTest):
    def test_a_bare_name_is_found_from_any_folder(self):
        host = self.start(plugin="libiris.so", cwd=self.folder())
        self.assertEqual(host.get("/readyz").status, 200)

    def test_the_environment_comes_first_and_the_working_directory_last(self):
        folder = self.folder()
        shutil.copy(LAB, folder / "libiris.so")
        host = self.start(plugin="libiris.so", env={"BENTOHOST_PLUGIN_PATH": f"/nowhere:{folder}"})
        self.assertIn("lab", host.stdout_lines[0])
        shutil.copy(LAB, folder / "libmine.so")
        host = self.start(plugin="libmine.so", cwd=folder)
        self.assertIn("lab", host.stdout_lines[0])
        host = self.start(plugin="./libiris.so", cwd=folder)
        self.assertIn("lab", host.stdout_lines[0])

    def test_a_plugin_knows_its_folder_and_the_host_when_it_opens(self):
        host = self.start(plugin=str(PLUGINS / "libwants_folder.so"))
        self.assertEqual(host.post("/first", "x").body, b"x")

    def test_a_prefix_goes_in_front_of_a_services_routes(self):
        host = self.start("--plugin", f"/deep/lab={LAB}", plugin="libiris.so")
        self.assertEqual(host.post("/deep/lab/echo", [[1]]).status, 200)
        self.assertEqual(host.post("/echo", [[1]]).status, 404)
        self.assertEqual(host.post("/classify", [[4.9, 3.0, 1.4, 0.2]]).json(), [0])

    def test_settings_are_json_if_they_parse_else_text(self):
        host = self.start("--set", "lab.factor=2", "--set", 'lab.names=["x","y z"]', "--set", "lab.marker=a=b")
        self.assertEqual(host.post("/options", "").body, b"2.000000 x y z")

    def test_the_ready_line_is_one_line_with_the_url(self):
        host = self.start("--log-level", "off")
        self.assertEqual(len(host.stdout_lines), 1)
        self.assertTrue(re.search(r" serves lab 0\.1 at http://127\.0\.0\.1:\d+ \(ready in \d+ ms\)$",
                                  host.stdout_lines[0]), host.stdout_lines[0])
        self.assertEqual(len(host.serving_children()), 2)

    def test_a_plugin_that_is_replaced_while_it_runs_is_not_our_crash(self):
        folder = self.folder()
        copy = Path(shutil.copy(LAB, folder / "liblab.so"))
        host = self.start(plugin=str(copy))
        shutil.copy(LAB, folder / "new.so")
        (folder / "new.so").rename(copy)
        self.assertEqual(host.post("/echo", [[1]]).status, 200)


class Streams(HostTest):
    def test_without_standard_streams_the_log_goes_nowhere_and_not_into_a_connection(self):
        closing = ["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-']
        host = self.start(launcher=closing, ready=False).find_port()
        self.assertEqual([os.readlink(f"/proc/{host.pid}/fd/{fd}") for fd in range(3)], ["/dev/null"] * 3)
        # Plugins' output is read from pipes; it goes to the log, and so nowhere.
        eventually(lambda: host.get("/readyz").status == 200)
        serving = [os.readlink(f"/proc/{host.serving_pid}/fd/{fd}").split(":")[0] for fd in range(3)]
        self.assertEqual(serving, ["/dev/null", "pipe", "pipe"])
        self.assertEqual(host.post("/echo", [[1]]).json(), [[1]])


if __name__ == "__main__":
    main()
