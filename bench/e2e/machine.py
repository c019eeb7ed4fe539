"""Describes the machine and the versions of programs, without names of machines or folders."""
import os
import platform
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Iterable


def _first_match(path: str, pattern: str) -> str:
    match = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    return match[1] if match else "unknown"


def version_of(program: str, flag: str) -> list[str]:
    """wrk and nginx print their version on either stream, and wrk with a failing exit code."""
    if shutil.which(program) is None:
        return []
    done = subprocess.run([program, flag], capture_output=True, text=True, check=False)
    match = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return [f"{program} {match[0]}"] if match else []


def _python_versions(packages: Iterable[str]) -> list[str]:
    found = []
    for package in packages:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            pass
    return found


def package_versions(*names: str) -> list[str]:
    """Versions of Debian packages, without Debian's own part of the version."""
    if shutil.which("dpkg-query") is None:
        return []
    found = []
    for name in names:
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True,
                              text=True, check=False)
        if match := re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", done.stdout):
            found.append(f"{name} {match[1]}")
    return found


def describe(packages: Iterable[str], others: Iterable[str] = ()) -> list[str]:
    """`packages`: Python packages; `others`: versions that the caller has formatted."""
    memory_gb = int(_first_match("/proc/meminfo", r"^MemTotal:\s+(\d+)")) / 2**20
    kernel = ".".join(platform.release().split(".")[:2])
    versions = (version_of("nginx", "-v") + version_of("wrk", "-v") +
                [f"Python {platform.python_version()}"] + _python_versions(packages) +
                list(others))
    return [f"{os.cpu_count()} cores of {_first_match('/proc/cpuinfo', r'^model name.*: (.*)')}, "
            f"{memory_gb:.0f} GB, Linux {kernel}, "
            + _first_match("/etc/os-release", r'^PRETTY_NAME="?([^"\n]*)') +
            "; wrk and the server under test share the cores as one session for the scheduler, over "
            "loopback, the others stopped",
            f"load average at the start: {os.getloadavg()[0]:.2f}; only figures of an "
            "otherwise idle machine mean anything",
            ", ".join(versions)]
