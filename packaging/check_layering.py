#!/usr/bin/env python3
"""Includes go down only: checks every #include of host/ and sdk/ against the rooms' floors.

usage: check_layering.py [root] | --self-test

A room may include itself and the rooms below. Each of httplib.h and dlfcn.h has one room that may
include it, so that a change of that library stays in one place. The SDK is what strangers compile:
it includes its own headers, the standard library's and RapidJSON's; its optional part also the one
library that each header of it is for.
"""

import pathlib
import re
import sys
import tempfile

FLOORS = {
    "base": 1,
    "http": 2, "wire": 2, "observe": 2,
    "plugin": 3, "runner": 3, "supervise": 3,
    "service": 4,
    "reload": 5,
    "app": 6,
}
# A worker process is a loaded plugin at the end of a pipe.
SAME_FLOOR = {("runner", "plugin")}
ONLY_ROOM = {"httplib.h": "http", "dlfcn.h": "plugin"}
# They look up what is loaded, and load nothing.
LOOKS_UP = {"host/base/code_names.cc", "host/base/exits.cc"}

# The SDK's optional part: who includes none of these needs no other library.
SDK_OPTIONAL = {
    "bento/http_client.hpp": ("httplib.h",),
    "bento/httplib_version.hpp": ("httplib.h",),
    "bento/httplib_app.hpp": ("httplib.h",),
    "bento/middleware/gzip.hpp": ("zlib.h",),
    "bento/middleware/ip_allow.hpp": ("arpa/inet.h",),
    "bento/middleware/jwt.hpp": ("openssl/",),
    "bento/middleware/secret_file.hpp": ("sys/stat.h",),
}

C_HEADERS = {
    "assert.h", "complex.h", "ctype.h", "errno.h", "fenv.h", "float.h", "inttypes.h", "iso646.h",
    "limits.h", "locale.h", "math.h", "setjmp.h", "signal.h", "stdarg.h", "stdbool.h", "stddef.h",
    "stdint.h", "stdio.h", "stdlib.h", "string.h", "tgmath.h", "time.h", "uchar.h", "wchar.h",
    "wctype.h",
}
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
SOURCES = {".h", ".hpp", ".c", ".cc"}


def host_fault(room, quote, header):
    """Why a file of host/<room> may not include `header`; None if it may."""
    if header in ONLY_ROOM and ONLY_ROOM[header] != room:
        return f"only host/{ONLY_ROOM[header]} includes {header}"
    target = header.split("/")[0]
    if target == "bento" or (quote == "<" and target not in FLOORS):
        return None
    if target not in FLOORS or "/" not in header:
        return "write the path from host/, beginning with the room"
    if ".." in header.split("/"):
        return "write the path without '..'"
    if target == room or FLOORS[target] < FLOORS[room] or (room, target) in SAME_FLOOR:
        return None
    return f"{room} (floor {FLOORS[room]}) may not include {target} (floor {FLOORS[target]})"


def sdk_fault(path, header):
    """Why the file of sdk/ at `path` may not include `header`; None if it may."""
    if header.startswith(SDK_OPTIONAL.get("/".join(path.parts[2:]), ())):
        return None
    first = header.split("/")[0]
    if first in ("bento", "rapidjson") and ".." not in header.split("/"):
        return None
    if header in C_HEADERS or re.fullmatch(r"[a-z_0-9]+", header):  # C++'s have no suffix
        return None
    return "the SDK includes bento/, standard headers and rapidjson/ only: see SDK_OPTIONAL"


def faults_of_file(root, path):
    parts = path.relative_to(root).parts
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, header = match.groups()
        if parts[0] == "sdk":
            fault = sdk_fault(path.relative_to(root), header)
        elif parts[1] not in FLOORS:
            fault = f"host/{parts[1]} has no floor: give it one in check_layering.py"
        elif header == "dlfcn.h" and "/".join(parts) in LOOKS_UP:
            continue
        else:
            fault = host_fault(parts[1], quote, header)
        if fault:
            yield f"{path.relative_to(root)}:{number}: {line.strip()}\n    {fault}"


def check(root):
    """(number of files, faults) of the tree at `root`."""
    files = [path for folder in ("host", "sdk") for path in sorted((root / folder).rglob("*"))
             if path.suffix in SOURCES and path.is_file()]
    return len(files), [fault for path in files for fault in faults_of_file(root, path)]


ALLOWED = {
    "host/base/a.h": '#include "base/status.h"\n#include <string>\n#include "bento/abi.h"',
    "host/http/a.cc": "#include <httplib.h>",
    "host/plugin/a.cc": '#include <dlfcn.h>\n#include "wire/frame.h"',
    "host/runner/a.cc": '#include "plugin/library.h"\n#include <Poco/Process.h>',
    "host/app/main/a.cc": '#include "service/ndarray.h"',
    "sdk/include/bento/a.hpp": "#include <bento/abi.h>\n#include <vector>\n"
                               "#include <stdint.h>\n#include <rapidjson/document.h>",
    "sdk/include/bento/middleware/gzip.hpp": "#include <zlib.h>",
}
FORBIDDEN = {
    "host/base/up.h": '#include "wire/frame.h"',
    "host/http/sideways.h": '#include "wire/frame.h"',
    "host/plugin/sideways.cc": '#include "runner/pool.h"',
    "host/service/up.cc": "#include <app/options.h>",
    "host/service/sideways.cc": '#include "reload/watcher.h"',
    "host/base/around.cc": '#include "../wire/frame.h"',
    "host/base/through.cc": '#include "base/../wire/frame.h"',
    "host/wire/roomless.cc": '#include "frame.h"',
    "host/app/http.cc": "#include <httplib.h>",
    "host/runner/dl.cc": "  #  include <dlfcn.h>",
    "host/attic/a.cc": "#include <string>",
    "sdk/include/bento/host.hpp": '#include "base/status.h"',
    "sdk/include/bento/posix.hpp": "#include <unistd.h>",
    "sdk/include/bento/poco.hpp": "#include <Poco/Process.h>",
    "sdk/include/bento/gzip.hpp": "#include <zlib.h>",
}


def self_test():
    """Each forbidden include is found, in its file, and no allowed one is."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in {**ALLOWED, **FORBIDDEN}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text + "\n")
        found = [fault.split(":")[0] for fault in check(root)[1]]
    for name in FORBIDDEN:
        if found.count(name) != 1:
            print(f"self-test: {name} should be one fault, was {found.count(name)}")
    for name in set(found) - set(FORBIDDEN):
        print(f"self-test: {name} should be allowed")
    return sorted(found) == sorted(FORBIDDEN)


def main(arguments):
    if arguments == ["--self-test"]:
        return 0 if self_test() else 1
    here = pathlib.Path(__file__).resolve().parent.parent
    count, faults = check(pathlib.Path(arguments[0]) if arguments else here)
    if faults or not count:
        print("\n".join(faults) or "check_layering: no sources found")
        return 1
    print(f"check_layering: {count} files include downwards only")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
