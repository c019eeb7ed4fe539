"""The private copies of plugins: where they are made, and that none is left behind."""
import ctypes
import os
import shutil
import signal

from harness import LAB, Run, eventually, is_alive, main
from reload_case import GOOD, ReloadTest

MS_NOSUID, MS_NOEXEC = 2, 8  # mount(2)


class Copies(ReloadTest):
    def small_filesystem(self, kibibytes, flags=0):
        libc = ctypes.CDLL(None, use_errno=True)
        folder = self.folder()
        path = str(folder).encode()
        if libc.mount(b"tmpfs", path, b"tmpfs", MS_NOSUID | flags, f"size={kibibytes}k".encode()) != 0:
            self.skipTest(f"no file system can be mounted here: {os.strerror(ctypes.get_errno())}")
        self.addCleanup(libc.umount2, path, 2)  # MNT_DETACH
        return folder

    def test_that_do_not_fit_are_refused_while_the_old_generation_serves_on(self):
        room = self.small_filesystem(len(GOOD) // 1024 + 64)
        self.begin("--copy-dir", str(room))
        self.put(GOOD + b"\0" * len(GOOD) + b"\0" * 65536)
        load = self.load()
        reply = self.reload()
        self.assertEqual((reply.status, reply.json()["step"]), (409, "copy"), reply)
        for words in (str(room), "No space left"):
            self.assertIn(words, reply.json()["detail"])
        load.wait_for_more()
        load.end()
        self.assertEqual((load.failures, set(load.versions)), ([], {"good"}))
        self.assertEqual(len(list(room.glob("bentohost-*/*/libbad.so"))), 1)  # no partial copy
        self.reloads("better")
        self.assertEqual(self.version(), "better")

    def test_have_no_folder_to_go_to(self):
        done = Run("--plugin", LAB, "--port", "0", "--copy-dir", "/nowhere/at/all")
        self.assert_refused(done, "/nowhere/at/all", "--copy-dir")

    def test_do_not_go_where_no_code_can_be_loaded_from(self):
        room = self.small_filesystem(1024, MS_NOEXEC)
        done = Run("--plugin", LAB, "--port", "0", "--copy-dir", str(room))
        self.assert_refused(done, str(room), "noexec", "--copy-dir")
        self.assertEqual(list(room.iterdir()), [])
        other = self.folder()
        host = self.start(env={"CACHE_DIRECTORY": "", "RUNTIME_DIRECTORY": str(room),
                               "XDG_RUNTIME_DIR": str(other)})
        self.assertIn("noexec", host.log_line(str(room)))
        self.assertEqual(len(list(other.iterdir())), 1)

    def test_that_a_cleaner_of_temporary_files_removes_are_made_anew(self):
        room = self.folder()
        self.begin("--copy-dir", str(room), plugin="runner_echoes")
        for clean in (lambda: shutil.rmtree(next(room.iterdir())),
                      lambda: next(room.glob("*/*/libbad.so")).unlink(),
                      lambda: shutil.rmtree(room)):
            clean()
            (child,) = self.host.serving_children()
            os.kill(child, signal.SIGKILL)
            eventually(lambda: self.host.serving_children() not in ([], [child]) and
                       self.ask("GET", "/readyz").status == 200, what="another runner")
            self.assertEqual(self.reload().json()["result"], "unchanged")
            self.assertEqual(self.reload(query="?force=true").json()["result"], "ok")
            self.has_children(1)
        self.reloads("better")
        self.assertEqual(self.version(), "better")
        self.assertEqual(self.host.stop(), 0)
        self.assertEqual(list(room.iterdir()), [])

    def test_of_a_host_that_was_killed_are_removed_by_the_next_one_and_no_others(self):
        room = self.folder()
        host = self.start("--copy-dir", str(room), own_group=True)
        (abandoned,) = room.iterdir()
        self.start("--copy-dir", str(room))
        (others,) = set(room.iterdir()) - {abandoned}
        children = host.descendants()
        os.killpg(host.pid, signal.SIGKILL)
        host.process.wait()
        eventually(lambda: not any(is_alive(pid) for pid in children), what="the end of all children")
        self.assertTrue(any(abandoned.iterdir()))
        self.start("--copy-dir", str(room))
        self.assertFalse(abandoned.exists())
        self.assertTrue(others.exists())

    def test_are_gone_after_the_end(self):
        room = self.folder()
        self.begin("--copy-dir", str(room))
        self.reloads("better")
        self.reloads("good")
        (folder,) = room.iterdir()
        self.assertEqual(folder.stat().st_mode & 0o777, 0o700)
        self.assertEqual(self.host.stop(), 0)
        self.assertEqual(list(room.iterdir()), [])

    def test_are_gone_even_when_a_plugin_does_not_come_to_its_end(self):
        room = self.folder()
        self.begin("--copy-dir", str(room), plugin="destroy_hangs")
        self.assertEqual(self.host.stop(), 0)
        self.assertEqual(list(room.iterdir()), [])


if __name__ == "__main__":
    main()
