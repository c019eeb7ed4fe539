"""Limits: what is still taken and what is refused. The hosts of these tests have MAX_BODY."""
from .case import Case, chunked, closes, get, goes_on, head, post, sized

MAX_BODY = 100 * 1024  # --max-body 100k
EXACT_BODY = "x" * MAX_BODY
OWN_CODE = "answers 400 when a head is larger than its buffers: its 494 is for the log"
COUNTS_FURTHER = "counts to a thousand, if at all"


def request_line(size):
    """One of `size` bytes, its CR LF not counted."""
    return get("/livez?" + "x" * (size - len("GET /livez? HTTP/1.1")))


def pieces(body, size):
    """The body in chunks of `size` bytes."""
    chunks = (body[i:i + size] for i in range(0, len(body), size))
    return "".join(f"{len(chunk):x}\r\n{chunk}\r\n" for chunk in chunks) + "0\r\n\r\n"


HEADS = [
    Case("a request line of 8000 bytes is taken", "9112 3",
         request_line(8000), goes_on(200)),
    Case("a request line of 9000 bytes is too long", "9110 15.5.15",
         request_line(9000), closes(414)),
    Case("a request line of 100 kB is too long", "9110 15.5.15",
         request_line(100_000), closes(414)),
    Case("a request line that does not end is too long", "9110 15.5.15",
         b"GET /" + b"x" * 20_000, closes(414)),
    Case("a method that does not end is too long", "9110 15.5.15",
         b"x" * 20_000, closes((400, 414))),
    Case("a header of 7 kB is taken", "9110 5.4",
         get("/livez", "X: " + "y" * 7000), goes_on(200)),
    Case("a header of 30 kB is taken", "9110 5.4",
         get("/livez", "X: " + "y" * 30_000), goes_on(200), nginx=closes(400), why=OWN_CODE),
    Case("a head of 60 kB is taken", "9110 5.4",
         get("/livez", *["X: " + "y" * 6000] * 10), goes_on(200)),
    Case("a head of 100 kB is too large", "6585 5",
         get("/livez", *["X: " + "y" * 6000] * 17), closes(431), nginx=closes(400), why=OWN_CODE),
    Case("a header of 100 kB is too large", "6585 5",
         get("/livez", "X: " + "y" * 100_000), closes(431), nginx=closes(400), why=OWN_CODE),
    Case("a header name of 100 kB is too large", "6585 5",
         get("/livez", "X" * 100_000 + ": y"), closes(431), nginx=closes(400), why=OWN_CODE),
    Case("a header that does not end is too large", "6585 5",
         b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000, closes(431),
         nginx=closes(400), why=OWN_CODE),
    Case("a hundred headers are taken", "6585 5",
         get("/livez", *["X: y"] * 99), goes_on(200)),
    Case("a hundred and one headers are too many", "6585 5",
         get("/livez", *["X: y"] * 100), closes(431), nginx=goes_on(200), why=COUNTS_FURTHER),
    Case("ten thousand headers are too many", "6585 5",
         get("/livez", *["X: 123456789"] * 10_000), closes(431), nginx=closes(400), why=OWN_CODE),
]

BODIES = [
    Case("a body of the largest size is taken", "9110 15.5.14",
         sized(EXACT_BODY), goes_on(200), shows=EXACT_BODY * 2),
    Case("a body of one byte more is too large", "9110 15.5.14",
         sized(EXACT_BODY + "x"), closes(413)),
    Case("a body of twice that is too large", "9110 15.5.14",
         sized(EXACT_BODY * 2), closes(413)),
    Case("a body that would be too large is refused before it comes", "9110 15.5.14",
         post(f"Content-Length: {MAX_BODY + 1}"), closes(413)),
    Case("a body that would be too large is refused where none is wanted", "9110 15.5.14",
         get("/livez", f"Content-Length: {MAX_BODY + 1}"), closes(413)),
    Case("a body that would be too large is refused in HTTP/1.0", "9110 15.5.14",
         head("POST /repeat HTTP/1.0", f"Content-Length: {MAX_BODY + 1}"), closes(413)),
    Case("a chunked body of the largest size is taken", "9110 15.5.14",
         chunked(pieces(EXACT_BODY, 4096)), goes_on(200), shows=EXACT_BODY * 2),
    Case("a chunked body of one byte more is too large", "9110 15.5.14",
         chunked(pieces(EXACT_BODY + "x", 4096)), closes(413)),
    Case("a chunk that would be too large is refused before it has come", "9110 15.5.14",
         chunked(f"{MAX_BODY + 1:x}\r\nx"), closes(413)),
    Case("a chunk that would pass the limit is refused before it has come", "9110 15.5.14",
         chunked(f"2\r\nab\r\n{MAX_BODY - 1:x}\r\nx"), closes(413)),
    Case("tiny chunks reach the limit, too", "9110 15.5.14",
         chunked(pieces(EXACT_BODY + "x", 1)), closes(413)),
]

CASES = HEADS + BODIES
