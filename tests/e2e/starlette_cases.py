"""Requests through middleware, which Starlette and bentohost must answer alike.

Intended differences are in `ours`: bentohost's own answer, and the reason. A field is "status",
"body" or the name of a header. None means a missing header, or a body that is not compared.
The comparison holds for Starlette 0.26 (Debian 12) to 0.46 (Debian 13). If a later Starlette
answers as we do, the first such version is the third item: before it the two differ, from it on they must
not.
"""
import dataclasses
import typing

MOVED_FOR_GOOD = "a move to https is for good, and 308 keeps the method like 307"
CACHES = "Fetch, \"CORS protocol and HTTP caches\": a cache must not give it to other origins"
CREDENTIALS = "Fetch, 3.2.5: with credentials a browser takes * for no permission"
PROBLEM = "errors of the host are problem+json"
ESCAPED = "a path's own ?, # and % stay escaped, or the URL is another one"
CASE = "RFC 3986 3.2.2: names of hosts are the same in any case"
IPV6 = "RFC 3986 3.2.2: an IPv6 address stands in brackets"
WEIGHT = "RFC 9110 12.4.2: a weight of 0 means not acceptable"
NEGOTIATED = "RFC 9110 12.5.5: the answer would be another one with gzip accepted"


@dataclasses.dataclass(frozen=True)
class Case:
    method: str
    path: str
    headers: dict
    ours: typing.Mapping[str, tuple] = dataclasses.field(default_factory=dict)


def get(path="/plain/9", ours=None, method="GET", **headers):
    return Case(method, path, {"Host": "example.com", "Accept-Encoding": "identity",
                               **{name.replace("_", "-"): value for name, value in headers.items()}},
                ours or {})


def preflight(origin, method, headers=None, ours=None):
    wanted = {"Access_Control_Request_Headers": headers} if headers is not None else {}
    return get("/plain/9", ours, "OPTIONS", Origin=origin, Access_Control_Request_Method=method, **wanted)


ORIGIN = "https://a.example"

# (title, the middleware from the outermost with its options, the requests)
GROUPS = [
    ("trusted hosts", [("trusted_host", {"allowed_hosts": ["example.com", "*.example.org"]})], [
        get(),
        get(Host="example.com:8000"),
        get(Host="a.example.org"),
        get(Host="a.b.example.org:1"),
        get(Host="example.org"),
        get(Host="badexample.org"),
        get(Host="example.com.evil.net"),
        get(Host="sub.example.com"),
        get("/nowhere", Host="evil.net"),
        get("/plain/9", Host="evil.net", method="OPTIONS"),
        get(Host="EXAMPLE.com", ours={"status": (200, CASE), "body": (b"x" * 9, CASE),
                                      "content-length": ("9", CASE)}),
    ]),
    ("trusted hosts by address", [("trusted_host", {"allowed_hosts": ["[::1]"]})], [
        get(Host="[::1]:8000", ours={"status": (200, IPV6), "body": (b"x" * 9, IPV6),
                                     "content-length": ("9", IPV6)}),
        get(Host="[::2]:8000"),
    ]),
    ("any host", [("trusted_host", {})], [get(), get(Host="evil.net")]),
    ("redirects to www", [("trusted_host", {"allowed_hosts": ["www.example.com"]})], [
        get("/plain/9?a=b%20c", Host="example.com:8000"),
        get(Host="www.example.com"),
        get(Host="example.org"),
        get(method="OPTIONS"),
    ]),
    ("no redirects to www",
     [("trusted_host", {"allowed_hosts": ["www.example.com"], "www_redirect": False})], [get()]),
    ("redirects to https", [("https_redirect", {})], [
        get(path, {"status": (308, MOVED_FOR_GOOD), **ours}, method, Host=host)
        for path, host, method, ours in (
            ("/plain/9?a=b%20c", "example.com", "GET", {}),
            ("/plain/9", "example.com:80", "GET", {}),
            ("/plain/9", "example.com:443", "GET", {}),
            ("/plain/9", "example.com:8000", "GET", {}),
            ("/plain/9", "[::1]:8000", "GET", {}),
            ("/plain/9", "[::1]:80", "GET", {"location": ("https://[::1]/plain/9", IPV6)}),
            ("/plain/9", "example.com", "OPTIONS", {}),
            ("/nowhere/%C3%A9", "example.com", "GET", {}),
            ("/a%3Fb%25", "example.com", "GET", {"location": ("https://example.com/a%3Fb%25", ESCAPED)}),
        )
    ]),
    ("CORS for one origin", [("cors", {
        "access_control_allow_origins": [ORIGIN], "access_control_allow_methods": ["GET", "PUT"],
        "access_control_allow_headers": ["X-One"], "access_control_expose_headers": ["X-A", "X-B"],
        "access_control_max_age": 5})], [
        get(ours={"vary": ("Origin", CACHES)}),
        get(Origin=ORIGIN),
        get("/varies", Origin=ORIGIN),
        get(Origin="https://b.example", ours={"vary": ("Origin", CACHES)}),
        get(Origin=ORIGIN, Cookie="a=b"),
        get("/nowhere", {"content-type": ("application/problem+json", PROBLEM), "body": (None, PROBLEM),
                         "content-length": (None, PROBLEM)}, Origin=ORIGIN),
        preflight(ORIGIN, "PUT"),
        preflight(ORIGIN, "PUT", "x-one, content-type"),
        preflight(ORIGIN, "PUT", "x-one,x-two"),
        preflight(ORIGIN, "DELETE"),
        preflight("https://b.example", "GET"),
        preflight("https://b.example", "DELETE", "x-two"),
        preflight("null", "GET"),
    ]),
    ("CORS for all", [("cors", {"access_control_allow_origins": ["*"], "access_control_allow_methods": ["*"],
                                "access_control_allow_headers": ["*"]})], [
        get(),
        get(Origin=ORIGIN),
        get(Origin=ORIGIN, Cookie="a=b"),
        preflight(ORIGIN, "PATCH"),
        preflight(ORIGIN, "PATCH", "x-any, x-thing"),
        preflight(ORIGIN, "BREW"),
    ]),
    ("CORS with credentials", [("cors", {"access_control_allow_origins": ["*"],
                                         "access_control_allow_credentials": True})], [
        get(ours={"vary": ("Origin", CACHES)}),
        get(Origin=ORIGIN, ours={"access-control-allow-origin": (ORIGIN, CREDENTIALS),
                                 "vary": ("Origin", CREDENTIALS)}),
        get(Origin=ORIGIN, Cookie="a=b"),
        preflight(ORIGIN, "GET"),
        preflight(ORIGIN, "PUT"),
    ]),
    ("CORS by a pattern", [("cors", {"access_control_allow_origin_regex": r"https://.*\.example"})], [
        get(Origin=ORIGIN),
        get(Origin="https://a.example.evil.net", ours={"vary": ("Origin", CACHES)}),
        preflight(ORIGIN, "GET"),
        preflight("https://a.example.evil.net", "GET"),
    ]),
    ("gzip", [("gzip", {})], [
        get("/plain/1000", Accept_Encoding="gzip"),
        get("/plain/1000", Accept_Encoding="deflate, gzip;q=0.5, br"),
        get("/plain/500", Accept_Encoding="gzip"),
        get("/plain/499", Accept_Encoding="gzip"),
        get("/plain/1000", {"vary": ("Accept-Encoding", NEGOTIATED, (0, 46))}),
        get("/plain/1000", {"content-encoding": (None, WEIGHT), "content-length": ("1000", WEIGHT)},
            Accept_Encoding="gzip;q=0"),
        get("/plain/1000", method="HEAD", Accept_Encoding="gzip"),
        get("/streamed/10", Accept_Encoding="gzip"),
        get("/streamed/0", Accept_Encoding="gzip"),
        get("/streamed/10", {"vary": ("Accept-Encoding", NEGOTIATED, (0, 46))}),
        get("/encoded", Accept_Encoding="gzip"),
        get("/varies", Accept_Encoding="gzip"),
    ]),
    ("gzip of short answers", [("gzip", {"minimum_size": 1, "compresslevel": 9})], [
        get("/plain/1", Accept_Encoding="gzip"),
        get("/plain/0", Accept_Encoding="gzip"),
    ]),
    ("one around the other", [("cors", {"access_control_allow_origins": [ORIGIN]}),
                              ("trusted_host", {"allowed_hosts": ["example.com"]}), ("gzip", {})], [
        get("/plain/1000", Origin=ORIGIN, Accept_Encoding="gzip"),
        get("/plain/1000", Origin=ORIGIN, Host="evil.net"),
        get("/plain/1000", Host="evil.net", ours={"vary": ("Origin", CACHES)}),
        preflight(ORIGIN, "GET"),
    ]),
]
