"""A second opinion on the raw cases: their bytes are sent to nginx, too, which must do the same, or what a
case's line "# nginx: ..." says. So every difference between the two servers is a known one."""
import shutil
import socket
import subprocess
from pathlib import Path

from exchange import converse
from harness import eventually
from http_wire import connect, run_all

# Debian 12's, whose verdicts are in the files; another one may be stricter or laxer.
VERSION = "nginx/1.22."
PATHS = ("/livez", "/repeat", "/echo", "/seen", "/slow")
MAX_BODY = 100 * 1024  # as the options of these files have it
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


class Nginx:
    def __init__(self, program, folder):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        locations = "\n    ".join(f"location = {path} {{ proxy_pass http://unix:{folder}/upstream; }}"
                                  for path in PATHS)
        Path(folder, "nginx.conf").write_text(CONFIG.format(
            max_body=MAX_BODY, port=self.port, folder=folder, locations=locations))
        self.process = subprocess.Popen([program, "-p", folder, "-c", "nginx.conf", "-e", "stderr"])

    def __enter__(self):
        eventually(self.answers, what="nginx's answer")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError("nginx did not start")
        try:
            connect(self.port).close()
            return True
        except ConnectionError:
            return False


def run(files, report, words, folder):
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    version = program and subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
    if VERSION not in (version or ""):
        return print(f"SKIPPED: it needs {VERSION}x, found: {version or 'none'}")
    cases = [case for file in files for case in file.cases if words in case.name]
    with Nginx(program, folder) as nginx:
        def ask(case):
            with connect(nginx.port) as connection:
                return converse(connection, case, statuses=case.nginx[0] if case.nginx else None)

        for case, outcome in run_all(cases, ask):
            # It does not linger after all errors, so some of its ends are resets.
            if outcome.ending.startswith("breaks off"):
                outcome.ending = "closes"
            statuses, ending, _ = case.nginx or ([answer.status for answer in case.answers], case.ending, "")
            seen = [answer.status for answer in outcome.answers]
            if (seen, outcome.ending) == (statuses, ending):
                report.passed += 1
            else:
                report.failures.append(case)
                print(f"FAILED {case.path}:{case.line}: {case.name} (against nginx): expected "
                      f"{statuses} {ending}, came {seen} {outcome.ending}")
    return []
