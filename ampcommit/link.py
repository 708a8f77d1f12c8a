"""The link of a thread: which values of `Amp-Thread-ID` are accepted, and why others are not."""

from ampcommit.errors import MisuseError
from ampcommit.record import ThreadId

KEY = "Amp-Thread-ID"
"""The trailer that Amp writes, and that git compares without regard to case."""

HOST = "ampcode.com"
"""The host in Amp's own trailer, whatever server its client talks to."""

_PATH = "/threads/"
# Characters that a URL may hold and that cannot hide anything: no percent signs, no backslashes, ASCII only.
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?#@!$&'()*+,;=")


class Fault:
    """Why a value is not an accepted link: a finding's code, a sentence, and the thread it may have meant."""

    __slots__ = ("code", "meant", "reason", "value")

    def __init__(self, code: str, reason: str, value: str, meant: "ThreadId | None" = None) -> None:
        self.code = code
        self.reason = reason
        self.value = value
        self.meant = meant


def parse(value: str, hosts: "tuple[str, ...]" = ()) -> "ThreadId | Fault":
    """
    Return the thread that *value* links to, or the fault that forbids it.

    Accepted is `https://ampcode.com/threads/<id>` (or one of *hosts*), port 443 or none, with or
    without a trailing slash, a query and a fragment. The value is taken as a whole: it is never
    searched for something that would be acceptable.
    """
    if not value:
        return Fault("AC103", "the link is empty", value)
    scheme, colon, rest = value.partition("://")
    if colon and not rest.partition("/")[0].isascii():  # a look-alike
        return Fault("AC104", "the host of the link is not trusted", value)
    if not PLAIN.issuperset(value):
        return Fault("AC103", "the link holds a character that does not belong into it", value, _meant(value))
    if not colon:
        return Fault("AC103", "this is not a link", value, _meant(value))
    if scheme.lower() != "https":
        return Fault("AC104", "the link does not begin with https://", value)
    end = min([at for at in map(rest.find, "/?#") if at >= 0], default=len(rest))
    if not _trusted(rest[:end], hosts):
        return Fault("AC104", "the host of the link is not trusted", value)
    path = rest[end:].partition("#")[0].partition("?")[0]
    thread = ThreadId.maybe(path[len(_PATH) :].removesuffix("/")) if path.startswith(_PATH) else None
    return thread or Fault("AC103", "the link does not lead to a thread", value, _meant(path))


def named(text: str, hosts: "tuple[str, ...]" = ()) -> ThreadId:
    """Return the thread that a person names: an id in any case, `@T-…`, or a link; else `MisuseError`."""
    if thread := ThreadId.maybe(text.removeprefix("@")):
        return thread
    link = parse(text, hosts)
    if isinstance(link, Fault):
        raise MisuseError(f"{link.reason}: {text!a}", hint="name a thread by its id, T-…, or its link")
    return link


def _trusted(authority: str, hosts: "tuple[str, ...]") -> bool:
    """Say whether *authority* is a trusted host on the port of https; user names and other ports never are."""
    name, colon, port = authority.partition(":")
    return name.lower() in (HOST, *hosts) and (not colon or port == "443")


def _meant(value: str) -> "ThreadId | None":
    """Return the one thread id that stands in *value*, for a hint."""
    words = "".join(char if char.isalnum() or char == "-" else " " for char in value[:2048]).split()
    found = {thread for thread in map(ThreadId.maybe, words) if thread}
    return found.pop() if len(found) == 1 else None
