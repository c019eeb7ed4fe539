#!/usr/bin/env python3
"""Includes go down only: checks every #include of host/ and sdk/ against the rooms.

usage: check_layering.py [root] | --floors [root] | --self-test

A room is a folder of host/ with a line bento_room(<room> USES <lower rooms>) in its CMakeLists.txt. A
room may include itself and the rooms that this line names, and the rooms must not form a circle; the same
holds for folders inside a room. Each of the libraries in ONLY_ROOM has one room that may include it, so
that a change of that library stays in one place. Users compile the SDK: it includes only its own headers,
the standard library's and RapidJSON's; each header of its optional part may also include the one library
that it is for. --floors prints the rooms from the lowest to the highest.
"""

import pathlib
import re
import sys
import tempfile

ONLY_ROOM = {"httplib.h": "app", "dlfcn.h": "plugin", "openssl/": "http/net", "zlib.h": "http/parse",
             "prometheus/": "observe"}
# Rooms that may include them, too: types of these libraries are passed up as values.
ALSO = {"prometheus/": {"app", "runner", "service", "reload"}}
# Files that may use dlfcn.h: they look up loaded code, and load nothing.
LOOKS_UP = {"host/base/process/code_names.cc", "host/base/process/exits.cc"}

# The SDK's optional part: a plugin that includes none of these needs no other library.
SDK_OPTIONAL = {
    "bento/http_client.hpp": ("httplib.h",),
    "bento/httplib_app.hpp": ("httplib.h",),
    "bento/detail/httplib_connection.hpp": ("httplib.h",),
    "bento/detail/httplib_version.hpp": ("httplib.h",),
    "bento/detail/secret_file.hpp": ("sys/stat.h",),
    "bento/middleware/gzip.hpp": ("zlib.h",),
    "bento/middleware/ip_allow.hpp": ("arpa/inet.h",),
    "bento/middleware/jwt.hpp": ("openssl/",),
}

C_HEADERS = {
    "assert.h", "complex.h", "ctype.h", "errno.h", "fenv.h", "float.h", "inttypes.h", "iso646.h",
    "limits.h", "locale.h", "math.h", "setjmp.h", "signal.h", "stdarg.h", "stdbool.h", "stddef.h",
    "stdint.h", "stdio.h", "stdlib.h", "string.h", "tgmath.h", "time.h", "uchar.h", "wchar.h",
    "wctype.h",
}
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')
ROOM = re.compile(r"^bento_room\(([^)]*)\)", re.M)
SOURCES = {".h", ".hpp", ".c", ".cc"}


def rooms_of(root):
    """{room: the rooms that it uses}, from the CMakeLists.txt of its folder."""
    rooms = {}
    for path in sorted((root / "host").rglob("CMakeLists.txt")):
        for words in (match[1].split() for match in ROOM.finditer(path.read_text())):
            uses = words[words.index("USES") + 1:] if "USES" in words else []
            uses = uses[:uses.index("LINK")] if "LINK" in uses else uses
            rooms[words[0]] = uses
    return rooms


def floors_of(rooms):
    """({room: its floor}, the rooms without a floor, because they form a circle)."""
    floors = {}
    while True:
        found = {room: 1 + max((floors[used] for used in uses), default=0) for room, uses in rooms.items()
                 if room not in floors and all(used in floors for used in uses)}
        if not found:
            return floors, sorted(set(rooms) - set(floors))
        floors.update(found)


def room_of(folder, rooms):
    """The room of a folder of host/: the folder itself, or its nearest parent that is a room."""
    while folder and folder not in rooms:
        folder = folder.rpartition("/")[0]
    return folder


def host_fault(room, quote, header, rooms):
    """Why a file of host/<room> may not include `header`; None if it may."""
    for library, owner in ONLY_ROOM.items():
        if header.startswith(library) and room != owner and room.split("/")[0] not in ALSO.get(library, ()):
            return f"only host/{owner} includes {library}"
    first, _, rest = header.partition("/")
    is_of_the_host = any(name.split("/")[0] == first for name in rooms)
    if first == "bento" or (quote == "<" and not is_of_the_host):
        return None
    if not is_of_the_host or not rest:
        return "write the path from host/, beginning with the room"
    if ".." in header.split("/"):
        return "write the path without '..'"
    target = room_of(header.rpartition("/")[0], rooms)
    if target in (room, *rooms[room]):
        return None
    return f"{room} may not include {target}, which its bento_room() does not name"


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


def faults_of_file(root, path, rooms):
    name = path.relative_to(root)
    room = room_of("/".join(name.parts[1:-1]), rooms)
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, header = match.groups()
        if name.parts[0] == "sdk":
            fault = sdk_fault(name, header)
        elif not room:
            fault = f"host/{name.parts[1]} is no room: give it a bento_room()"
        elif header == "dlfcn.h" and str(name) in LOOKS_UP:
            continue
        else:
            fault = host_fault(room, quote, header, rooms)
        if fault:
            yield f"{name}:{number}: {line.strip()}\n    {fault}"


def check(root):
    """(number of files, faults) of the tree at `root`."""
    rooms = rooms_of(root)
    floors, round_and_round = floors_of(rooms)
    faults = [f"host/{room}: it uses a room that does not exist, or that uses this one: {' '.join(rooms[room])}"
              for room in round_and_round]
    files = [path for folder in ("host", "sdk") for path in sorted((root / folder).rglob("*"))
             if path.suffix in SOURCES and path.is_file()]
    return len(files), faults + [fault for path in files for fault in faults_of_file(root, path, rooms)]


TREE = {
    "base": "", "wire": "USES base", "http": "USES base", "http/parse": "USES base http",
    "http/net": "USES base http LINK OpenSSL::SSL", "plugin": "USES base wire",
    "runner": "USES base wire plugin", "service": "USES base\n  http wire plugin",
    "app": "USES base service http/net LINK Poco::Util",
}
ALLOWED = {
    "host/base/a.h": '#include "base/status.h"\n#include <string>\n#include "bento/abi.h"',
    "host/http/parse/a.cc": '#include "http/message.h"\n#include "http/parse/head.h"\n#include <zlib.h>',
    "host/http/net/a.cc": "#include <openssl/ssl.h>",
    "host/plugin/a.cc": '#include <dlfcn.h>\n#include "wire/frame.h"',
    "host/runner/a.cc": '#include "plugin/library.h"\n#include <Poco/Process.h>',
    "host/app/main/a.cc": '#include "service/ndarray.h"\n#include <httplib.h>',
    "sdk/include/bento/a.hpp": "#include <bento/abi.h>\n#include <vector>\n"
                               "#include <stdint.h>\n#include <rapidjson/document.h>",
    "sdk/include/bento/middleware/gzip.hpp": "#include <zlib.h>",
    "sdk/include/bento/detail/secret_file.hpp": "#include <sys/stat.h>",
}
FORBIDDEN = {
    "host/base/up.h": '#include "wire/frame.h"',
    "host/http/sideways.h": '#include "wire/frame.h"',
    "host/http/inside.cc": '#include "http/parse/head.h"',
    "host/http/parse/sideways.cc": '#include "http/net/listener.h"',
    "host/http/parse/tls.cc": "#include <openssl/ssl.h>",
    "host/plugin/sideways.cc": '#include "runner/pool.h"',
    "host/service/up.cc": "#include <app/options.h>",
    "host/service/unnamed.cc": '#include "http/net/listener.h"',
    "host/base/around.cc": '#include "../wire/frame.h"',
    "host/base/through.cc": '#include "base/../wire/frame.h"',
    "host/wire/roomless.cc": '#include "frame.h"',
    "host/service/http.cc": "#include <httplib.h>",
    "host/runner/dl.cc": "  #  include <dlfcn.h>",
    "host/attic/a.cc": "#include <string>",
    "sdk/include/bento/host.hpp": '#include "base/status.h"',
    "sdk/include/bento/posix.hpp": "#include <unistd.h>",
    "sdk/include/bento/poco.hpp": "#include <Poco/Process.h>",
    "sdk/include/bento/gzip.hpp": "#include <zlib.h>",
    "sdk/include/bento/secret_file.hpp": "#include <sys/stat.h>",
}


def self_test():
    """Finds each forbidden include in its file, no allowed one, and a circle."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        rooms = {f"host/{room}/CMakeLists.txt": f"bento_room({room} {uses})" for room, uses in TREE.items()}
        for name, text in {**rooms, **ALLOWED, **FORBIDDEN}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text + "\n")
        found = [fault.split(":")[0] for fault in check(root)[1]]
        (root / "host/base/CMakeLists.txt").write_text("bento_room(base USES app)\n")
        has_found_circle = check(root)[1][0].startswith("host/app: it uses a room")
    for name in FORBIDDEN:
        if found.count(name) != 1:
            print(f"self-test: {name} should be one fault, was {found.count(name)}")
    for name in set(found) - set(FORBIDDEN):
        print(f"self-test: {name} should be allowed")
    if not has_found_circle:
        print("self-test: rooms that form a circle should be a fault")
    return sorted(found) == sorted(FORBIDDEN) and has_found_circle


def print_floors(root):
    floors, _ = floors_of(rooms_of(root))
    for floor in sorted(set(floors.values())):
        print(floor, *(room for room in floors if floors[room] == floor))


def main(arguments):
    if arguments == ["--self-test"]:
        return 0 if self_test() else 1
    here = pathlib.Path(__file__).resolve().parent.parent
    if arguments[:1] == ["--floors"]:
        print_floors(pathlib.Path(arguments[1]) if arguments[1:] else here)
        return 0
    count, faults = check(pathlib.Path(arguments[0]) if arguments else here)
    if faults or not count:
        print("\n".join(faults) or "check_layering: no sources found")
        return 1
    print(f"check_layering: {count} files include downwards only")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
