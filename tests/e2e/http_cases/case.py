"""One case of the table: the bytes that a client sends, and what the RFCs say must come back.

Text in cases is Latin-1, so that "\\xff" is that byte. The paths are those of the plugin `lab`:
/livez answers GET with "ok", /repeat a POST with its body twice, /seen one with what it was asked.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """The final answers in order, and what becomes of the connection after the last one.

    A status may be a tuple, where the RFC leaves a choice. `goes_on` is None where it does not
    matter, as long as the answer's Connection header tells the truth.
    """
    statuses: tuple
    goes_on: bool | None

    def __str__(self):
        def one(status):
            return "/".join(map(str, status)) if isinstance(status, tuple) else str(status)
        ending = {True: "goes on", False: "closes", None: "goes on or closes"}[self.goes_on]
        return " ".join((*map(one, self.statuses), ending))


def goes_on(*statuses):
    return Verdict(statuses, True)


def closes(*statuses):
    return Verdict(statuses, False)


def either(*statuses):
    return Verdict(statuses, None)


@dataclass(frozen=True)
class Case:
    promise: str             # its name: what is tested, in words
    rfc: str                 # number and section that ask for it
    sends: bytes
    verdict: Verdict
    nginx: Verdict | None = None  # None: the same verdict
    why: str = ""            # where nginx differs: the reason
    shows: str = ""          # is somewhere in the answers' bodies, one after the other
    hides: str = ""          # is nowhere in them
    header: tuple = ()       # (name, value) of the last answer
    bodiless: tuple = ()     # indexes of answers whose Content-Length is of a body that stays away
    later: bytes = b""       # sent once 100 Continue has come, which is then the first status
    may_continue: bool = False    # a 100 Continue may come, and is passed over
    half_close: bool = False      # the client ends its side of the connection behind the bytes


def head(*lines, body=""):
    """A message of these lines, and a body that they have to frame."""
    return "".join(line + "\r\n" for line in (*lines, "")).encode("latin-1") + as_bytes(body)


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("latin-1")


def get(target="/livez", *headers):
    return head(f"GET {target} HTTP/1.1", "Host: x", *headers)


def post(*headers, body="", to="/repeat"):
    return head(f"POST {to} HTTP/1.1", "Host: x", *headers, body=body)


def sized(body, *headers, to="/repeat"):
    return post(f"Content-Length: {len(body)}", *headers, body=body, to=to)


def chunked(body, *headers, to="/repeat"):
    """The body as it stands: its chunks are the case."""
    return post("Transfer-Encoding: chunked", *headers, body=body, to=to)


# Reasons that nginx has more than once.
TAKES_LF = "takes a bare LF for the end of a line, as 9112 2.2 permits"
TAKES_ANY_METHOD = "has no list of methods for a path: that is its application's"
DROPS_NAME = "drops headers whose names it does not like, instead of the request"
KEEPS_TABS = "strips blanks around a value, and takes tabs for a part of it"
NO_ASTERISK = "does not know the asterisk as a target"
SILENT = "hangs up without a word on a client that has ended its side"
