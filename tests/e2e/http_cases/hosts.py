"""The Host header: exactly one, and a valid one."""
from .case import KEEPS_TABS, Case, closes, get, goes_on, head

HARDLY_LOOKS = "refuses a Host for blanks, slashes and control bytes, and for little else"


def with_host(value):
    return head("GET /livez HTTP/1.1", f"Host: {value}")


PRESENCE = [
    Case("HTTP/1.1 without a Host is refused", "9112 3.2",
         head("GET /livez HTTP/1.1"), closes(400)),
    Case("HTTP/1.0 needs no Host", "9112 3.2",
         head("GET /livez HTTP/1.0"), closes(200)),
    Case("two Hosts are refused", "9112 3.2",
         get("/livez", "Host: y"), closes(400)),
    Case("two Hosts are refused even if they are equal", "9112 3.2",
         get("/livez", "Host: x"), closes(400)),
    Case("two Hosts are refused in HTTP/1.0, too", "9112 3.2",
         head("GET /livez HTTP/1.0", "Host: x", "Host: y"), closes(400)),
    Case("two Hosts are refused however far apart and in whatever letters", "9112 3.2",
         get("/livez", "A: b", "C: d", "hOST: y"), closes(400)),
    Case("a Host's name is case-insensitive", "9110 5.1",
         head("GET /livez HTTP/1.1", "hOsT: x"), goes_on(200)),
    Case("an empty Host is one", "9112 3.2",
         with_host(""), goes_on(200), nginx=closes(400), why="serves by name, and wants one"),
]

VALUES = [
    Case("a Host may have a port", "9110 7.2",
         with_host("example.com:3000"), goes_on(200)),
    Case("a Host's port may be empty", "3986 3.2.3",
         with_host("example.com:"), goes_on(200)),
    Case("a Host may be an IPv4 address", "3986 3.2.2",
         with_host("127.0.0.1:3000"), goes_on(200)),
    Case("a Host may be an IPv6 address", "3986 3.2.2",
         with_host("[2001:db8::1]"), goes_on(200)),
    Case("a Host may be an IPv6 address with a port", "3986 3.2.2",
         with_host("[::1]:3000"), goes_on(200)),
    Case("a Host may have escapes", "3986 3.2.2",
         with_host("ex%C3%A4mple.com"), goes_on(200)),
    Case("blanks around a Host are none of it", "9110 5.5",
         with_host("\t x \t"), goes_on(200), nginx=closes(400), why=KEEPS_TABS),
    Case("a Host with a blank is refused", "9112 3.2",
         with_host("x y"), closes(400)),
    Case("a Host with a slash is refused", "9112 3.2",
         with_host("x/livez"), closes(400)),
    Case("a Host that is a URL is refused", "9112 3.2",
         with_host("http://x"), closes(400)),
    Case("a Host with a user is refused", "9112 3.2",
         with_host("user@x"), closes(400), nginx=goes_on(200), why=HARDLY_LOOKS),
    Case("a Host with a query is refused", "9112 3.2",
         with_host("x?a"), closes(400), nginx=goes_on(200), why=HARDLY_LOOKS),
    Case("a Host with a quote is refused", "9112 3.2",
         with_host('"x"'), closes(400), nginx=goes_on(200), why=HARDLY_LOOKS),
    Case("a Host beyond ASCII is refused", "9112 3.2",
         with_host("\xe4"), closes(400), nginx=goes_on(200), why=HARDLY_LOOKS),
    Case("a Host with a broken escape is refused", "9112 3.2",
         with_host("x%2"), closes(400), nginx=goes_on(200), why=HARDLY_LOOKS),
    Case("a Host's port is a number", "9112 3.2",
         with_host("x:80a"), closes(400), nginx=goes_on(200), why=HARDLY_LOOKS),
    Case("a Host has one port", "9112 3.2",
         with_host("x:80:80"), closes(400), nginx=goes_on(200), why=HARDLY_LOOKS),
    Case("an IPv6 address needs its brackets", "9112 3.2",
         with_host("::1"), closes(400)),
    Case("an IPv6 address needs its last bracket", "9112 3.2",
         with_host("[::1"), closes(400), nginx=goes_on(200), why=HARDLY_LOOKS),
    Case("nothing but a port stands behind a bracket", "9112 3.2",
         with_host("[::1]x"), closes(400), nginx=goes_on(200), why=HARDLY_LOOKS),
]

CASES = PRESENCE + VALUES
