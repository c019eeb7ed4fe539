"""Hosts with mounted programs: the apps in apps/, and the Python that has their packages."""
import socket
import subprocess
from pathlib import Path

from harness import SLOW, HostTest

APPS = Path(__file__).resolve().parent / "apps"
# Debian's packages belong to Debian's Python, whatever `python3` is on the PATH.
PYTHON = "/usr/bin/python3"


def has(*modules):
    """Whether Debian's Python has these modules."""
    code = "; ".join(f"import {module}" for module in modules)
    return Path(PYTHON).exists() and subprocess.run([PYTHON, "-c", code], stderr=subprocess.DEVNULL,
                                                    check=False).returncode == 0


HAS_FASTAPI = has("fastapi", "uvicorn", "websockets")
HAS_FLASK = has("flask")
HAS_GUNICORN = has("flask", "gunicorn")

MIB = 1 << 20


def raw(host, request, seconds=30):
    """All bytes that come back for these, until the connection ends."""
    with socket.create_connection(("127.0.0.1", host.port), timeout=seconds * SLOW) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


class MountCase(HostTest):
    def start(self, *arguments, **options):
        options.setdefault("plugin", None)
        options.setdefault("cwd", APPS)
        return super().start(*arguments, **options)

    def mount(self, *mounts, more=(), **options):
        """A host with these --mount options, without plugins; Python apps run with PYTHON."""
        arguments = [word for mount in mounts for word in ("--mount", mount)]
        for mount in mounts:
            prefix, _, app = mount.partition("=")
            if not app.startswith("http:"):
                arguments += ["--mount-set", f"{prefix}.interpreter={PYTHON}"]
            arguments += ["--mount-set", f"{prefix}.start_timeout={30 * SLOW}"]
        return self.start(*arguments, *more, **options)

    def faulty(self, *more, **options):
        return self.mount(f"/=http:{PYTHON} faulty.py {{socket}}", more=more, **options)


