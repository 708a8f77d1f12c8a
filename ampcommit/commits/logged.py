"""Commits as `git log` tells of them, piece by piece, and the links in their messages."""

from ampcommit.batch import LACKING
from ampcommit.commits.history import History, Range
from ampcommit.commits.plain import Plain
from ampcommit.errors import GitError, MisuseError, SetupError
from ampcommit.gitcmd import Git, clean
from ampcommit.link import KEY
from ampcommit.place import Place
from ampcommit.rules import Case

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ampcommit.record import ThreadId
    from ampcommit.settings import Settings

    Told = tuple[bytes, ...]
    Links = tuple[ThreadId, ...]

MANY = 16_384
"""Commits about which notes are asked at once."""

_MENTION = KEY.lower().encode()
_SCHEME = b"https://"
# %aN and %aE: names as the repository's .mailmap has them. No field can hold NUL.
_LOG = ("-c", "core.commitGraph=false", "log", "--stdin", "-z", "--no-show-signature", "--encoding=UTF-8")
_FORMAT = "--format=%H%x00%aN%x00%aE%x00%at%x00%B"
_FIELDS = 5


def named(history: History, asked: str) -> Range:
    """Return the commits that *asked* names as `git log` takes it."""
    if asked:
        range_ = history.named(asked)
        return Range(range_.revisions) if range_.alone and not asked.endswith("^!") else range_
    head = history.commit("HEAD")
    if head is None:
        raise MisuseError("there are no commits here yet", hint="make one, or name a RANGE")
    return Range([head])


class Reader:
    """What the clone's own git tells of each commit: id, author, address, date, message; each time from the start."""

    def __init__(self, place: Place, environ: "Mapping[str, str]", range_: Range, most: int | None = None) -> None:
        # Not the git of `History`, which sees no .mailmap. What else is configured here changes none of the fields.
        self._git = Git(place.top, clean(environ, place.git_dir) | {"GIT_FLUSH": "0"})
        walk = ["--no-walk=unsorted"] if range_.alone else []
        self._question = (*_LOG, _FORMAT, *walk, *([] if most is None else [f"--max-count={most}"]))
        self._revisions = "\n".join([*range_.revisions, ""]).encode("ascii")

    def __iter__(self) -> "Iterator[list[Told]]":
        rest: list[bytes] = [b""]
        try:
            for piece in self._git.stream(*self._question, stdin=self._revisions):
                head, *tail = piece.split(b"\0")
                rest[-1] += head
                rest += tail
                whole = (len(rest) - 1) // _FIELDS * _FIELDS
                yield list(zip(*(rest[at:whole:_FIELDS] for at in range(_FIELDS)), strict=True))
                del rest[:whole]
        except GitError as error:
            raise SetupError(str(error), hint=LACKING) from error


def gathered(told: "Iterable[list[Told]]", size: int = MANY) -> "Iterator[list[Told]]":
    """Yield the same commits in pieces of about *size*: who asks about many at once wakes git less often."""
    waiting: list[Told] = []
    for piece in told:
        waiting += piece
        if len(waiting) >= size:
            yield waiting
            waiting = []
    yield waiting


class Messages:
    """The accepted links in messages, as *settings* say what is accepted."""

    def __init__(self, history: History, settings: "Settings") -> None:
        self._history = history
        self._settings = settings
        self._plain = Plain(settings)
        self._anywhere = settings["linkIn"] == "message"

    def of(self, piece: "list[Told]") -> "dict[bytes, Links]":
        """Return the links of those commits that have any; git is asked about all those at once that leave a doubt."""
        found: dict[bytes, Links] = {}
        doubtful = []
        for commit, *_, text in piece:
            if thread := self._plain.linked(text):
                found[commit] = (thread,)
            elif _MENTION in (lower := text.lower()) or (self._anywhere and _SCHEME in lower):
                doubtful.append((commit, b"", text))
        for one in self._history.batch(doubtful).commits:
            found[one.name] = tuple(Case(one.message, one.trailers, self._settings).links)
        return found
