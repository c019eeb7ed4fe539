"""Content codings of requests: gzip and deflate are taken off, others are refused."""
import gzip
import zlib

from .case import Case, chunked, either, goes_on, sized
from .limits import MAX_BODY, pieces

PASSES_ON = "passes coded bodies on as they are"
GZIPPED = gzip.compress(b"abc", mtime=0).decode("latin-1")
DEFLATED = zlib.compress(b"abc").decode("latin-1")
BOMB = gzip.compress(b"x" * 10 * MAX_BODY, mtime=0).decode("latin-1")


def coded(coding, body):
    return sized(body, f"Content-Encoding: {coding}")


INFLATED = [
    Case("a gzipped body is inflated", "9110 8.4.1.3",
         coded("gzip", GZIPPED), goes_on(200), shows="abcabc"),
    Case("a deflated body is inflated", "9110 8.4.1.2",
         coded("deflate", DEFLATED), goes_on(200), shows="abcabc"),
    Case("content codings are case-insensitive", "9110 8.4.1",
         coded("GZip", GZIPPED), goes_on(200), shows="abcabc"),
    Case("a gzipped body may come in chunks", "9112 7.1",
         chunked(pieces(GZIPPED, 7), "Content-Encoding: gzip"), goes_on(200), shows="abcabc"),
    Case("what follows a gzipped body is the next request", "9112 9.3",
         coded("gzip", GZIPPED) + sized("d"), goes_on(200, 200), shows="abcabcdd"),
]

REFUSED = [
    Case("a body of another coding is refused", "9110 15.5.16",
         coded("br", "abc"), either(415), nginx=goes_on(200), why=PASSES_ON),
    Case("a body of a coding that nobody knows is refused", "9110 15.5.16",
         coded("rot13", "abc"), either(415), nginx=goes_on(200), why=PASSES_ON),
    Case("a body that was coded twice is refused", "9110 15.5.16",
         coded("gzip, gzip", GZIPPED), either(415), nginx=goes_on(200), why=PASSES_ON),
    Case("a body that was coded in two headers is refused", "9110 15.5.16",
         sized(GZIPPED, "Content-Encoding: gzip", "Content-Encoding: deflate"), either(415),
         nginx=goes_on(200), why=PASSES_ON),
    Case("a body that is not what its coding says is refused", "9110 15.5.1",
         coded("gzip", "abc"), either(400), nginx=goes_on(200), why=PASSES_ON),
    Case("a gzipped body that breaks off is refused", "9110 15.5.1",
         coded("gzip", GZIPPED[:-4]), either(400), nginx=goes_on(200), why=PASSES_ON),
    Case("a gzipped body with a wrong sum is refused", "9110 15.5.1",
         coded("gzip", GZIPPED[:-8] + "\0" * 8), either(400), nginx=goes_on(200), why=PASSES_ON),
    Case("a body that would inflate beyond the limit is refused", "9110 15.5.14",
         coded("gzip", BOMB), either(413), nginx=goes_on(200), why=PASSES_ON),
]

CASES = INFLATED + REFUSED
