#!/usr/bin/env python3
"""What bento_add_plugin() puts beside a plugin, in the build tree and when it is installed.

usage: cmake_test.py SOURCE_DIR C_COMPILER

A project of plugins in C is configured, built and installed in a temporary folder.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SECONDS = 120
PREAMBLE = """\
cmake_minimum_required(VERSION 3.25)
project(probe LANGUAGES C)
add_library(bento_abi INTERFACE)
add_library(bento::abi ALIAS bento_abi)
target_include_directories(bento_abi INTERFACE {source}/sdk/include)
set(BENTO_PLUGIN_SUBDIR lib/plugins)
include({source}/sdk/cmake/BentoAddPlugin.cmake)
"""


class Project(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        shutil.copy(SOURCE / "tests" / "abi" / "minimal.c", self.root / "web.c")
        for name in ("web_app.py", "templates/index.html", "templates/deep/a.txt", "templates/__pycache__/x.pyc",
                     "other/web_app.py"):
            self.write(name, name)
        self.plugins = self.root / "build" / "plugins"

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        # File systems and build tools compare times: what is written now is newer than any copy.
        later = path.stat().st_mtime + self.age
        os.utime(path, (later, later))
    age = 0

    def run_cmake(self, *arguments):
        done = subprocess.run(["cmake", *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
        return done.returncode, " ".join(done.stdout.split())

    def configure(self, text):
        (self.root / "CMakeLists.txt").write_text(PREAMBLE.format(source=SOURCE) + text)
        return self.run_cmake("-S", self.root, "-B", self.root / "build", "-G", "Ninja", f"-DCMAKE_C_COMPILER={COMPILER}")

    def build(self):
        code, said = self.run_cmake("--build", self.root / "build")
        self.assertEqual(code, 0, said)

    def files(self, folder):
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

    def test_puts_files_and_folders_beside_the_plugin(self):
        code, said = self.configure("bento_add_plugin(web SOURCES web.c FILES web_app.py templates/)\n")
        self.assertEqual(code, 0, said)
        self.build()
        there = ["libweb.so", "templates/deep/a.txt", "templates/index.html", "web_app.py"]
        self.assertEqual(self.files(self.plugins), there)
        code, said = self.run_cmake("--install", self.root / "build", "--prefix", self.root / "prefix")
        self.assertEqual(code, 0, said)
        self.assertEqual(self.files(self.root / "prefix" / "lib" / "plugins"), there)

    def test_copies_again_what_has_changed(self):
        self.assertEqual(self.configure("bento_add_plugin(web SOURCES web.c FILES web_app.py templates)\n")[0], 0)
        self.build()
        self.age = 5
        self.write("web_app.py", "changed")
        self.write("templates/index.html", "changed too")
        self.write("templates/new.html", "new")
        self.build()
        self.assertEqual((self.plugins / "web_app.py").read_text(), "changed")
        self.assertEqual((self.plugins / "templates" / "index.html").read_text(), "changed too")
        self.assertEqual((self.plugins / "templates" / "new.html").read_text(), "new")

    def test_takes_a_file_that_the_build_makes(self):
        code, said = self.configure("add_custom_command(OUTPUT made.txt COMMAND ${CMAKE_COMMAND} -E touch made.txt)\n"
                                    "bento_add_plugin(web SOURCES web.c FILES ${CMAKE_CURRENT_BINARY_DIR}/made.txt)\n")
        self.assertEqual(code, 0, said)
        self.build()
        self.assertIn("made.txt", self.files(self.plugins))

    def test_shares_one_file_and_refuses_two_of_one_name(self):
        one = "bento_add_plugin(web SOURCES web.c FILES web_app.py)\n"
        code, said = self.configure(one + "bento_add_plugin(second SOURCES web.c FILES web_app.py)\n")
        self.assertEqual(code, 0, said)
        self.build()
        self.assertEqual(self.files(self.plugins), ["libsecond.so", "libweb.so", "web_app.py"])
        code, said = self.configure(one + "bento_add_plugin(second SOURCES web.c FILES other/web_app.py)\n")
        self.assertNotEqual(code, 0)
        self.assertIn("rename one, or put it into a folder", said)

    def test_refuses_a_folder_that_is_not_there(self):
        for way in ("FILES nowhere/", "FOLDERS nowhere", "FOLDERS web_app.py"):
            code, said = self.configure(f"bento_add_plugin(web SOURCES web.c {way})\n")
            self.assertNotEqual(code, 0, way)
            self.assertIn("is not a folder", said)


if __name__ == "__main__":
    SOURCE, COMPILER = pathlib.Path(sys.argv[1]), sys.argv[2]
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
