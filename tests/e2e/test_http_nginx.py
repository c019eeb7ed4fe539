"""A second opinion on the table of http_cases: each case's bytes are sent to nginx, too, and it
must say what the table says it does. So every difference between the two servers is a known one."""
import shutil
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import eventually, main
from http_cases import ALL, MAX_BODY
from http_wire import connect, converse, run_all

# Debian 12's, whose verdicts are in the table; another one may be stricter or laxer.
VERSION = "nginx/1.22."
PATHS = ("/livez", "/repeat", "/echo", "/seen", "/slow")
# The body of a request is read by what hands it on, so there is an upstream, which is nginx itself.
CONFIG = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
worker_rlimit_nofile 1024;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  client_max_body_size {max_body};
  client_header_buffer_size 8k;
  large_client_header_buffers 12 8k;
  proxy_ignore_client_abort on;
  lingering_timeout 1s;
  server {{
    listen 127.0.0.1:{port};
    add_header X-Request-Id $http_x_request_id always;
    location / {{ return 404; }}
    {locations}
  }}
  server {{
    listen unix:{folder}/upstream;
    location / {{ return 200 "ok\\n"; }}
  }}
}}
"""
PROGRAM = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def version():
    if PROGRAM is None:
        return ""
    return subprocess.run([PROGRAM, "-v"], capture_output=True, text=True, check=True).stderr


class Nginx(unittest.TestCase):
    def setUp(self):
        if VERSION not in version():
            self.skipTest(f"needs {VERSION}x, found: {version() or 'none'}")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        upstream = f"http://unix:{self.folder}/upstream"
        locations = "\n    ".join(
            f"location = {path} {{ proxy_pass {upstream}; }}" for path in PATHS)
        (self.folder / "nginx.conf").write_text(CONFIG.format(
            max_body=MAX_BODY, port=self.port, folder=self.folder, locations=locations))
        self.process = subprocess.Popen(
            [PROGRAM, "-p", folder.name, "-c", "nginx.conf", "-e", "stderr"])
        self.addCleanup(self.stop)
        eventually(self.answers, what="nginx's answer")

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def answers(self):
        self.assertIsNone(self.process.poll(), "nginx did not start")
        try:
            connect(self.port).close()
            return True
        except ConnectionError:
            return False

    def test_nginx_says_what_the_table_says_it_does(self):
        def run(case):
            with connect(self.port) as connection:
                return converse(connection, case, case.nginx or case.verdict, case.sends)

        for case, outcome in run_all(ALL, run):
            # It does not linger after all errors, so some of its ends are resets.
            if outcome.ending.startswith("breaks off"):
                outcome.ending = "closes"
            with self.subTest(case.promise, sends=case.sends[:300]):
                expected = case.nginx or case.verdict
                self.assertTrue(outcome.is_as(expected), f"expected: {expected}; seen: {outcome}")

    def test_every_difference_is_explained_and_none_is_pretended(self):
        for case in ALL:
            with self.subTest(case.promise):
                self.assertEqual(case.nginx is not None, bool(case.why))
                self.assertNotEqual(case.nginx, case.verdict)


if __name__ == "__main__":
    main()
