"""
Commits whose verdict needs no judge: the shapes that leave no doubt, recognised at the speed of git.

Nearly every commit of a history that was kept well has one of them. What is recognised here gets the
verdict that `rules` would give it; a test holds the two together. All else goes to the judge.
"""

import re
from functools import lru_cache

from ampcommit.link import KEY
from ampcommit.record import ThreadId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ampcommit.settings import Settings

_MENTION = KEY.lower().encode().removesuffix(b"-id")  # of our key, in both spellings
_CO_AUTHOR = b"amp@ampcode.com"
_CUT = b" >8 "  # a scissors line hides from git what stands below it
_TRAILER = rb"[A-Za-z0-9-]++: [^\n]*+\n"
_ID = rb"T-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class Plain:
    """
    What needs no judge under one policy.

    `linked` knows a subject of fitting length in ASCII, a blank line, whatever else, and a last paragraph of
    nothing but trailers, one of which is a canonical link; nothing else in the text may name our key.
    """

    __slots__ = ("_links", "_shape", "_trailers")

    def __init__(self, settings: "Settings") -> None:
        least, most = max(1, settings.number("minSubject")), settings.number("maxSubject")
        title = rb"(?=[!-~])[ -~]{%d,%d}(?<! )\n\n" % (least, max(least, most))
        link = rb"(?i:%s): https://ampcode\.com/threads/(%s)\n" % (KEY.encode(), _ID)
        self._shape = re.compile(rb"%s(?:.*\n\n)?(?:%s)*?%s(?:%s)*" % (title, _TRAILER, link, _TRAILER), re.DOTALL)
        # Links anywhere are for the judge to find, a body for him to measure, records for him to miss.
        self._trailers = settings["linkIn"] == "trailer"
        self._links = self._trailers and least <= most and not (settings.number("minBody") or settings["record"])

    def linked(self, text: bytes) -> ThreadId | None:
        """Return the one thread to which *text* links, if it passes beyond doubt; None says nothing about it."""
        # The mentions come first: the expression takes quadratic time where many lines might be the one link.
        if not self._links or text.lower().count(_MENTION) != 1 or (b"#" in text and _CUT in text):
            return None
        found = self._shape.fullmatch(text)
        return _thread(found[1]) if found else None

    def silent(self, text: bytes) -> bool:
        """Say whether *text* has beyond doubt neither our key nor Amp as its co-author."""
        lower = text.lower()
        return self._trailers and _MENTION not in lower and _CO_AUTHOR not in lower


@lru_cache(maxsize=1024)  # a thread writes many commits
def _thread(raw: bytes) -> ThreadId:
    return ThreadId(raw.decode("ascii"))
