"""
A commit message before git has cleaned it: find the links, put ours in. Git owns the trailer grammar.

`git interpret-trailers` is asked, never allowed to edit: as an editor it rewrites other
people's lines, matches keys by prefix and obeys `trailer.*`. So one line is inserted by us,
and git says whether it sees the link and everything else as before.
"""

from ampcommit.gitcmd import Git, clean
from ampcommit.link import KEY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

BLANK = b" \t\r\n"  # what git calls space; not VT, FF or NBSP
_CUT = b" ------------------------ >8 ------------------------\n"
_AUTO = b"#;@!$%^&|:"  # the candidates of core.commentChar=auto
_SIGNED = b"Signed-off-by: "
# What people and forges put before a trailer that is none: indentation, bullets, quotes, emphasis.
_ORNAMENT = b" \t\r\n\v\f*->+`_|#\xc2\xa0\xef\xbb\xbf"


class Trailer:
    """A trailer as git sees it: its key as written, its value unfolded."""

    __slots__ = ("key", "value")

    def __init__(self, key: bytes, value: bytes) -> None:
        self.key = key
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trailer) and (self.key, self.value) == (other.key, other.value)

    __hash__ = None  # type: ignore[assignment]  # compared, never a key

    @property
    def ours(self) -> bool:
        """Say whether this is our key, as git compares keys."""
        return self.key.lower() == KEY.lower().encode()


class Draft:
    """The message file of a commit in the making, and how git will clean it up."""

    __slots__ = ("_kept", "comment", "scissors", "strips", "text", "verbatim")

    def __init__(self, text: bytes, *, comment: bytes = b"#", cleanup: str = "", editor: bool = False) -> None:
        self.text = text
        self.comment = _detected(text, editor) if comment == b"auto" else comment
        # As builtin/commit.c decides; `--cleanup` on the command line is invisible to a hook.
        self.strips = cleanup == "strip" or (editor and cleanup in ("", "default"))
        self.verbatim = cleanup == "verbatim"
        self.scissors = editor and cleanup == "scissors"
        self._kept: bytes | None = None

    def kept(self) -> bytes:
        """Return what git makes of the text: cut at the scissors, cleaned as configured."""
        if self._kept is None:
            self._kept = self._cleaned()
        return self._kept

    def _cleaned(self) -> bytes:
        text = self.text[: self._cut()]
        if self.verbatim:
            return text
        paragraphs: list[bytes] = []
        blank = False
        for raw in text.split(b"\n"):
            if self.strips and raw.startswith(self.comment):
                continue
            line = raw.rstrip(BLANK)
            if line and blank and paragraphs:
                paragraphs.append(b"")
            if line:
                paragraphs.append(line)
            blank = not line
        return b"".join(line + b"\n" for line in paragraphs)

    def untouched(self, template: bytes | None) -> bool:
        """Say whether git will abort: there is no text, only sign-offs, or the *template* as it was."""
        if self.verbatim:
            return not self.text
        kept = self.kept()
        if template is None or _nothing(kept):
            return _nothing(kept)
        before = Draft(template, comment=self.comment)
        before.strips = self.strips
        return kept.startswith(before.kept()) and _nothing(kept[len(before.kept()) :])

    @property
    def has_diff(self) -> bool:
        """Say whether there is a scissors line, below which `git commit -v` shows the diff."""
        return self._cut() < len(self.text)

    def with_line(self, line: bytes, *, join: bool, above_comments: bool) -> "Draft":
        """
        Return the draft with *line* put in: into the last paragraph (*join*) or as one of its own.

        It stands above the scissors and above an old `Conflicts:` block, and above or behind comments at the end.
        """
        # Behind a block git reads past `#`, whatever this clone's comment character is.
        end = self._end((self.comment, b"#") if join else (self.comment,) if above_comments else ())
        # Nothing but comments above: then they are the message.
        content = len(self.text[:end].rstrip(BLANK)) or len(self.text[: self._seen()].rstrip(BLANK))
        at = self.text.find(b"\n", content) + 1
        glued = b"" if at else self._eol(len(self.text))  # no line feed at the end of the file
        at = at or len(self.text)
        eol = glued or self._eol(at)
        inserted = glued + (b"" if join else eol) + line + eol
        changed = Draft(self.text[:at] + inserted + self.text[at:])
        for name in ("comment", "scissors", "strips", "verbatim"):
            setattr(changed, name, getattr(self, name))
        return changed

    def _eol(self, at: int) -> bytes:
        """Return the line end that the text uses before *at*."""
        feed = self.text.rfind(b"\n", 0, at)
        return b"\r\n" if feed > 0 and self.text[feed - 1 : feed] == b"\r" else b"\n"

    def _cut(self) -> int:
        """
        Return where git cuts the text off at a scissors line, the length if it does not.

        With `git commit -v` it does, and so does the clean-up `scissors`: at the first line of that shape,
        whoever wrote it. That it was `-v` shows at git's own line, which has a comment below it.
        """
        cut = self.comment + _CUT
        first = _line_of(self.text, cut, 0)
        cuts = self.scissors or cut + self.comment in self.text[first:]
        return first if cuts else len(self.text)

    def _seen(self) -> int:
        """Return where the text ends for who reads its trailers: at the cut, and at a scissors line that is kept."""
        return self._cut() if self.strips else min(self._cut(), _line_of(self.text, b"#" + _CUT, 0))

    def _end(self, ignored: "tuple[bytes, ...]") -> int:
        """Return where blank lines, a `Conflicts:` block and comments end the text, as ignored_log_message_bytes."""
        end = cut = self._seen()
        at, inside, conflicts = 0, False, False
        while at < cut:
            following = self.text.find(b"\n", at, cut) + 1 or cut
            line = self.text[at:following]
            comment = line.startswith(ignored)
            named = (line if self.verbatim else line.rstrip(BLANK) + b"\n") == b"Conflicts:\n"
            if comment or not line.strip(BLANK) or named:
                end = end if inside else at
                inside, conflicts = True, conflicts or named
            elif not (conflicts and line.startswith(b"\t")):
                inside = conflicts = False
            at = following
        return end if inside else cut


def _line_of(text: bytes, line: bytes, start: int) -> int:
    """Return where *line* stands in *text* from *start* (the start of a line) on, the length if it does not."""
    if text.startswith(line, start):
        return start
    at = text.find(b"\n" + line, start)
    return at + 1 if at >= 0 else len(text)


def _nothing(text: bytes) -> bool:
    """Say whether *text* counts as empty for git: blank, or sign-offs alone."""
    return not any(line.strip(BLANK) and not line.startswith(_SIGNED) for line in text.split(b"\n"))


def _detected(text: bytes, editor: bool) -> bytes:
    """Return the character that git chose for core.commentChar=auto: one that began no line of the message."""
    candidates = [bytes([code]) for code in _AUTO]
    for candidate in candidates:
        # Git's own cut line, with the sentence below it.
        if candidate in text.partition(candidate + _CUT)[2][:1]:
            return candidate
    last = text.rstrip(BLANK).rpartition(b"\n")[2][:1]
    if editor and last in candidates:  # its help ends the file
        return last
    return next((one for one in candidates if b"\n" + one not in b"\n" + text), b"#")


def trailers(text: bytes, environ: "Mapping[str, str]") -> list[Trailer]:
    """
    Return the trailers that git sees in a commit with this *text*, under a clean configuration.

    `GitError` if it does not answer.
    """
    text = _without_blank_lines(text)  # as git reads a commit; interpret-trailers would take the title for a block
    if not _possible(text):
        return []
    # --no-divider: else a line `---` above the scissors makes git before 2.45 run for ever.
    listed = Git(environ=clean(environ))("interpret-trailers", "--parse", "--no-divider", stdin=text)
    found = []
    for line in listed.split(b"\n")[:-1]:
        key, _, value = line.partition(b":")
        found.append(Trailer(key.strip(BLANK), value.strip(BLANK)))
    return found


def plain_trailers(text: bytes) -> list[Trailer] | None:
    """
    Return the trailers of a commit with this *text* where its shape leaves no doubt; None where only git can tell.

    No doubt leaves a last paragraph in which nothing looks like a trailer, and one with nothing but `Key: value`.
    """
    text = _without_blank_lines(text)
    if not _possible(text):
        return []
    above, _, block = text.rpartition(b"\n\n")
    lines = block.removesuffix(b"\n").split(b"\n")
    if not above or b"\r" in text or b"#" + _CUT in text or b"Conflicts:\n" in text + b"\n":
        return None
    found = []
    for line in lines:
        key, colon, value = line.partition(b":")
        if not colon or not key.isascii() or not key.replace(b"-", b"a").isalnum():
            return None
        found.append(Trailer(key, value.strip(BLANK)))
    return found


def _without_blank_lines(text: bytes) -> bytes:
    """Return *text* from its first line that is not blank."""
    content = len(text) - len(text.lstrip(BLANK))
    return text[text.rfind(b"\n", 0, content) + 1 :]


def _possible(text: bytes) -> bool:
    """
    Say whether git could see a trailer; when it certainly could not, it is not asked.

    Trailers stand in the last paragraph, behind which git passes over comments, and each has a colon.
    """
    if b"#" + _CUT in text or b"Conflicts:\n" in text:  # git passes over lines with a tab, too, and blank ones between
        return True
    content = False
    for line in reversed(text.split(b"\n")[1:]):
        if b":" in line:
            return True
        if content and not line.strip(BLANK):
            return False
        content = content or not (line.startswith(b"#") or not line.strip(BLANK))
    return False


def linked(draft: Draft, url: str, seen: list[Trailer], environ: "Mapping[str, str]") -> Draft | None:
    """
    Return *draft* with the link as its last trailer of our key; None if there is no way to make git see it.

    *seen* are the trailers git sees now; they must all be there afterwards, and ours behind them.
    """
    ours = Trailer(KEY.encode(), url.encode())
    line = ours.key + b": " + ours.value
    # Joining a paragraph that is no block would make trailers of somebody's prose. Comments that will be
    # kept are the author's text, and stay above.
    joined = [(True, True)] if seen else []
    for join, above_comments in (*joined, (False, draft.strips), (False, not draft.strips)):
        changed = draft.with_line(line, join=join, above_comments=above_comments)
        if trailers(changed.kept(), environ) == [*seen, ours]:
            return changed
    return None


def displaced(text: bytes) -> list[bytes]:
    """Return the lines that carry our key, however decorated; git may see some of them as trailers, or none."""
    key = KEY.lower().encode()
    if key not in text.lower():
        return []
    found = []
    for line in text.split(b"\n"):
        bare = line.lstrip(_ORNAMENT)
        if bare[: len(key)].lower() == key and bare[len(key) :].lstrip(b" \t*`_").startswith(b":"):
            found.append(line)
    return found


def subject_and_body(text: bytes) -> "tuple[str, str]":
    """Return git's `%s` (the first paragraph on one line) and `%b` (the rest) of *text*."""
    lines = text.lstrip(BLANK).split(b"\n")
    end = next((at for at, line in enumerate(lines) if not line.strip(BLANK)), len(lines))
    subject = b" ".join(line.strip(BLANK) for line in lines[:end])
    return _decoded(subject), _decoded(b"\n".join(lines[end:]).strip(BLANK))


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")  # every byte one character: near enough to count them
