"""Commits that are looked at: what each one says, its trailers as git sees them, and what it changes."""

import gc
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ampcommit.batch import Batch, Commit
from ampcommit.commits.history import History, Range, opened
from ampcommit.errors import AmpcommitError, GitError, SetupError
from ampcommit.gate.ranges import Asked
from ampcommit.gate.verdict import Verdict
from ampcommit.gitcmd import Git, clean
from ampcommit.link import parse
from ampcommit.message import BLANK, Trailer, plain_trailers
from ampcommit.place import Place
from ampcommit.record import Sha, ThreadId
from ampcommit.rules import unique
from ampcommit.verbs import verify
from tests.conftest import OTHER, PARENT, Repo, examples, once, url

U = url(PARENT)
LINK = f"Amp-Thread-ID: {U}"
SECOND = f"Amp-Thread-ID: {url(OTHER)}"
SCISSORS = "# ------------------------ >8 ------------------------"
PERSON = b"T <t@example.com> 1500000000 +0000"

relaxed = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@contextmanager
def history(path: Path) -> Iterator[History]:
    """Open the history of the repository at *path*."""
    with opened(Place.of_folder(Git(str(path))), os.environ) as found:
        yield found


def looked_at(path: Path, commits: str | Sequence[Sha]) -> list[Commit]:
    """Return the commits that a range or a list of ids names, as one batch."""
    with history(path) as found:
        range_ = found.named(commits) if isinstance(commits, str) else Range(commits, alone=True)
        batch = found.batch([told for piece in found.told(range_) for told in piece]).commits
        for commit in batch:
            assert commit.trailers is not None  # asked for while git can be
        return batch


def written(repo: Repo, contents: Iterable[bytes], kind: str = "commit") -> list[Sha]:
    """Write *contents* as objects, whatever git thinks of them."""
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for number, content in enumerate(contents):
            names.append(f"{folder}/{number}")
            Path(names[-1]).write_bytes(content)
        options = ("-t", kind, "-w", "--literally", "--no-filters", "--stdin-paths")
        return [Sha(one) for one in repo("hash-object", *options, stdin="\n".join(names).encode()).split()]


def content(repo: Repo, message: bytes, header: bytes = b"", parents: Iterable[str] = (), tree: str = "") -> bytes:
    """Return a commit with exactly this message, with a tree without files unless *tree* is given."""
    over = b"".join(b"parent %b\n" % parent.encode() for parent in parents)
    top = (tree or repo("mktree", stdin=b"")).encode()
    return b"tree %b\n%bauthor %b\ncommitter %b\n%b\n%b" % (top, over, PERSON, PERSON, header, message)


def said(repo: Repo, *messages: tuple[bytes, bytes], parents: Iterable[str] = ()) -> list[Sha]:
    """Write a commit for each message and its further header."""
    tree = repo("mktree", stdin=b"")
    return written(repo, [content(repo, text, header, parents, tree) for text, header in messages])


def answer(repo: Repo, commits: Sequence[Sha], form: str) -> list[bytes]:
    """Return what `git log --format=` itself says of each commit, under a clean configuration."""
    argv = ["git", "log", "--no-walk=unsorted", "-z", "--encoding=UTF-8", f"--format={form}", "--stdin"]
    environ = clean(os.environ, str(repo.path / ".git"))
    done = subprocess.run(argv, env=environ, input="\n".join(commits).encode(), capture_output=True, check=True)
    return done.stdout.split(b"\0")[:-1]


def listed(answered: bytes) -> list[Trailer]:
    """Return the trailers in git's answer of lines with key and value."""
    pairs = [line.split(b":", 1) for line in answered.split(b"\n")[:-1]]
    return [Trailer(key.strip(BLANK), value.strip(BLANK)) for key, value in pairs]


def threads(values: bytes) -> list[ThreadId]:
    """Return the threads to which git's answer of values leads, each where it stands last."""
    links = [parse(value.decode("utf-8", "backslashreplace")) for value in values.split(b"\n")[:-1]]
    return unique([link for link in links if isinstance(link, ThreadId)])


def verdicts(repo: Repo, commits: Sequence[Sha], policy_at: Sha | None = None) -> list[Verdict]:
    """Return what `verify` says of the commits."""

    def asking(_: History) -> Asked:
        return Asked("these", [Range(commits, alone=True)], policy_at)

    with verify.commits(asking, os.environ, str(repo.path)) as report:
        return list(report)


# Messages.

REVERT = f"This reverts commit {'0' * 40}."
SQUASHED = f"* Add it\n\n{LINK}\n\n* Mend it\n\n  {SECOND}\n\n---------\n\nCo-authored-by: A <a@example.com>\n"
MENTIONED = "Amp <amp@ampcode.com>"


def _text(*paragraphs: str) -> bytes:
    """Return a subject and *paragraphs*."""
    return "\n\n".join(["Add the parser", *paragraphs, ""]).encode().removesuffix(b"\n")


# The situations of group P that concern the text of a commit, and the odd objects of S14.
SHAPES: dict[str, tuple[bytes, bytes]] = {
    "P01 a trailer": (_text(LINK), b""),
    "P02 below prose": (_text(f"prose\n{LINK}"), b""),
    "P03 in the subject": (f"Add the parser\n{LINK}\n".encode(), b""),
    "P03 in a subject of trailers": (f"Issue: 4\n{LINK}\n".encode(), b""),
    "P04 a quarter of trailers": (_text("a\nb\nc\nSigned-off-by: a"), b""),
    "P04 a quarter of trailers, one ours": (_text(f"a\nb\n{LINK}\nSigned-off-by: a"), b""),
    "P04 less than a quarter": (_text(f"a\nb\nc\nd\ne\nf\ng\n{LINK}\nSigned-off-by: a"), b""),
    "P06 displaced": (_text(LINK, "Co-authored-by: A <a@example.com>"), b""),
    "P07 as forges squash": (_text(SQUASHED), b""),
    "P08 blanks and case": (_text(f"AMP-thread-id :\t{U}  "), b""),
    "P08 no blank": (_text(f"Amp-Thread-ID:{U}"), b""),
    "P08 lower case": (_text(LINK.lower()), b""),
    "P08 another case": (_text(f"aMP-tHREAD-iD: {U}"), b""),
    "P09 another separator": (_text(f"Amp-Thread-ID= {U}"), b""),
    "P10 keys like it": (_text(f"A: x\nAmp: x\nAmp-Thread: {U}\nAmp-Thread-ID-Old: {U}"), b""),
    "P10 a key like it, and it": (_text(f"Amp-Thread: {U}\n{LINK}"), b""),
    "P11 indented": (_text(f" {LINK}"), b""),
    "P11 decorated": (_text(f"* {LINK}", f"> {LINK}", f"**Amp-Thread-ID:** {U}"), b""),
    "P12 folded": (_text(f"Amp-Thread-ID:\n {U}"), b""),
    "P12 folded with a blank inside": (_text(f"Amp-Thread-ID:\n {U}\n\t and more"), b""),
    "P13 a continuation": (_text(f"Note: x\n {LINK}"), b""),
    "P14 empty values": (_text("Amp-Thread-ID:\nAmp-Thread-ID: \nOther:\nAmp-Thread-ID:"), b""),
    "P15 on the next line": (_text(f"Amp-Thread-ID:\n{U}"), b""),
    "P16 twice": (_text(f"{LINK}\n{LINK}"), b""),
    "P17 several": (_text(f"{LINK}\nOther: x\n{SECOND}\n{LINK}"), b""),
    "P18 among others": (_text(f"Issue: 4\n{LINK}\nSigned-off-by: A <a@example.com>"), b""),
    "P19 as Amp writes it": (_text(f"{LINK}\nCo-authored-by: {MENTIONED}"), b""),
    "P23 a divider and scissors": (_text(f"---\nx\n{SCISSORS}\n{LINK}"), b""),
    "P24 below scissors": (_text("b", f"{SCISSORS}\n\n{LINK}"), b""),
    "P24 above scissors": (_text(LINK, SCISSORS), b""),
    "P24 scissors as the subject": (f"{SCISSORS}\n\n{LINK}\n".encode(), b""),
    "P24 scissors with more": (_text(f"{SCISSORS} x", LINK), b""),
    "P25 below a divider": (_text("b\n---", LINK), b""),
    "P25 a divider in the block": (_text(f"A: 1\n---\n{LINK}"), b""),
    "P25 a divider with a colon": (_text(f"---: 1\n{LINK}"), b""),
    "P27 only a sign-off": (b"\nSigned-off-by: A <a@example.com>\n", b""),
    "P29 no message": (b"", b""),
    "P29 blank lines": (b"\n \n\n", b""),
    "P30 nothing else": (f"\n{LINK}\n".encode(), b""),
    "P33 a hash sign": (f"#123 mend the parser\n\n{LINK}\n".encode(), b""),
    "P33 a comment behind it": (_text(LINK, "# comment: x"), b""),
    "P33 a comment in the block": (_text(f"{LINK}\n# comment: x\nOther: x"), b""),
    "P36 CRLF": (f"Add the parser\r\n\r\n{LINK}\r\n{SECOND}\r\n".encode(), b""),
    "P36 folded with CRLF": (f"Add it\r\n\r\nAmp-Thread-ID:\r\n {U}\r\n x\r\n".encode(), b""),
    "P36 one line with CRLF": (_text(f"Other: x\r\n{LINK}"), b""),
    "P37 odd line ends": (_text(f"Amp-Thread-ID: a\rb\vc\fd\x1ce\u2028f\x85g\n{SECOND}"), b""),
    "P37 a lone CR behind it": (_text(f"{LINK}\r"), b""),
    "P38 a byte order mark": (f"\ufeffAdd the parser\n\n{LINK}\n".encode(), b""),
    "P38 a byte order mark before the key": (_text(f"\ufeff{LINK}"), b""),
    "P38 a byte order mark before the value": (_text(f"Amp-Thread-ID: \ufeff{U}"), b""),
    "P39 a line with NBSP": (f"Add the parser\n\u00a0\n{LINK}\n".encode(), b""),
    "P39 a line with FF": (f"Add the parser\n\nb\n\f\n{LINK}\n".encode(), b""),
    "P39 a line with a blank": (f"Add the parser\n \n{LINK}\n".encode(), b""),
    "P40 bytes in no encoding": (b"caf\xe9\n\nAmp-Thread-ID: \xff\xfe\n", b""),
    "P40 bytes in no encoding, linked": (f"Go to the caf\xe9\n\n{LINK}\n".encode("latin-1"), b""),
    "P41 Latin-1": (b"caf\xe9\n\nAmp-Thread-ID: \xe9\n", b"encoding ISO-8859-1\n"),
    "P41 Shift_JIS": (f"表表表表\n\n表\\\n\n{LINK}\n".encode("shift_jis"), b"encoding Shift_JIS\n"),
    "P41 ISO-2022-JP": (f"日本語の話\n\n{LINK}\nOther: 話\n".encode("iso2022_jp"), b"encoding ISO-2022-JP\n"),
    "P41 EUC-JP": (f"日本語の話\n\n{LINK}\n".encode("euc_jp"), b"encoding EUC-JP\n"),
    "P42 no such encoding": (b"caf\xe9\n\nAmp-Thread-ID: \xe9\n", b"encoding no-such\n"),
    "P42 a lying encoding": ("größer\n\n".encode() + LINK.encode() + b"\n", b"encoding ISO-8859-1\n"),
    "P43 NUL": (_text(LINK) + b"a\0b\0c\0\0\n\n" + SECOND.encode(), b""),
    "P43 NUL in the block": (_text(f"{LINK}\nOther: \0x\n{SECOND}"), b""),
    "P45 no line feed at the end": (_text(LINK)[:-1], b""),
    "P47 a fixup": (f"fixup! Add the parser\n\n{LINK}\n".encode(), b""),
    "P47 a fixup without a link": (b"squash! Add the parser\n", b""),
    "P48 a revert": (_text(f"{REVERT}\n\n> {LINK}").replace(b"Add the parser", b'Revert "Add the parser"'), b""),
    "P49 a merge with a log": (f"Merge branch 'side'\n\n{LINK}\n\n* side:\n  Add it\n  {SECOND}\n".encode(), b""),
    "P50 squashed by git": (_text(f"    Add it\n\n    {SECOND}", LINK), b""),
    "P51 squashed by rebase": (_text(LINK, "Mend the parser", SECOND), b""),
    "P52 cherry-picked": (_text(f"{LINK}\n(cherry picked from commit {'0' * 40})"), b""),
    "P53 a second block": (_text(LINK, "Change-Id: I0123"), b""),
    "P54 in prose": (_text(f"see {U}"), b""),
    "P55 an option as the subject": (f"--amend --no-edit\n\n{LINK}\n".encode(), b""),
    "P55 ten thousand characters": (b"x" * 10_000 + f"\n\n{LINK}\n".encode(), b""),
    "P55 a subject of two lines": (f"Add the\nparser\n\n{LINK}\n".encode(), b""),
    "P58 conflicts": (_text(LINK, "Conflicts:\n\tf"), b""),
    "P58 conflicts with a blank line": (_text(LINK, "Conflicts:\n\tf", "\tg"), b""),
    "P58 conflicts above": (_text("Conflicts:\n\tf", LINK), b""),
    "P58 conflicts as the subject": (f"Conflicts:\n\n{LINK}\n".encode(), b""),
    "S14 UTF-7": (f"s\n\n{LINK}\nOther: +AAA-x\n".encode(), b"encoding UTF-7\n"),
    "S14 NUL in the header": (_text(LINK), b"extra a\0b\n"),
    "S14 a link in the header": (b"Add the parser\n", f"gpgsig x\n \n {LINK}\nmergetag y\n {LINK}\n".encode()),
    "S14 a huge header": (_text(LINK), b"extra " + b"x" * 1_000_000 + b"\n"),
    "blank lines above": (f"\n \n\nAdd the parser\n\n{LINK}\n".encode(), b""),
    "separators of other formats": (_text(f"A: \x1e\x1f|%x00%H\n{LINK}"), b""),
    "another commit's fields": (f"{'a' * 40}\n\n{'b' * 40}\n\n{LINK}\n".encode(), b""),
}

_AT = "https://ampcode.com/threads/"
# The values of group L.
VALUES: dict[str, str] = {
    "L01 a suffix": f"https://ampcode.com.evil.io/threads/{PARENT}",
    "L01 a trailing dot": f"https://ampcode.com./threads/{PARENT}",
    "L02 a user": f"https://ampcode.com@evil.io/threads/{PARENT}",
    "L03 a port": f"https://ampcode.com:8443/threads/{PARENT}",
    "L03 the port of https": f"https://ampcode.com:443/threads/{PARENT}",
    "L04 http": f"http://ampcode.com/threads/{PARENT}",
    "L05 a backslash": f"https://evil.io\\@ampcode.com/threads/{PARENT}",
    "L06 a way around": f"https://ampcode.com/threads/../threads/{PARENT}",
    "L07 percent signs": f"{_AT}%54-{PARENT[2:]}%0a::error::",
    "L08 a look-alike": f"https://\u0430mpcode.com/threads/{PARENT}",
    "L08 a hidden character": f"{_AT}\u200b{PARENT}",
    "L09 upper case": f"{_AT}T-{PARENT[2:].upper()}",
    "L09 a lower-case t": f"{_AT}t{PARENT[1:]}",
    "L09 too short": f"{_AT}{PARENT[:-1]}",
    "L09 too long": f"{_AT}{PARENT}0",
    "L09 no hex": f"{_AT}{PARENT[:-1]}g",
    "L09 a variable": f"{_AT}T-${{AMP_CURRENT_THREAD_ID}}",
    "L10 a way out": f"{_AT}T-../../etc/passwd",
    "L11 two links": f"{U} {url(OTHER)}",
    "L11 prose behind it": f"{U} and more",
    "L12 in brackets": f"<{U}>",
    "L12 a full stop": f"{U}.",
    "L13 a bare id": PARENT,
    "L14 a fragment": f"{U}#message-91-block-0",
    "L14 a query": f"{U}?x=1",
    "L14 a slash": f"{U}/",
    "L15 a command": f"{U}$(touch x)",
    "L15 colours": f"{U}\x1b[31m\x08\x07\x9b",
    "L16 200 kB": f"{U}#{'a' * 200_000}",
    "L17 well formed": f"{_AT}T-deadbeef-dead-beef-dead-beefdeadbeef",
    "a trusted host": f"https://amp.example.com/threads/{PARENT}",
    "the host in upper case": f"https://AMPCODE.COM/threads/{PARENT}",
}
SHAPES |= {name: (_text(f"Amp-Thread-ID: {value}"), b"") for name, value in VALUES.items()}

OF_TEXTS = {1, 2, 3, 4, 6, 7, 8, 9, *range(10, 20), 23, 24, 25, 27, 29, 30, 33, *range(36, 44), 45, *range(47, 56), 58}
"""The situations of group P that a committed text can be in; P44 is below, the others are about files and settings."""

LONG: dict[str, bytes] = {
    "5 MB of body": _text("x" * 79 + "\n" + "\n".join(["y" * 79] * 65_000), LINK),
    "a line of 10 MB": _text("x" * 10_000_000, LINK),
    "10,000 trailers": _text("\n".join(f"Key-{number}: x" for number in range(10_000)) + f"\n{LINK}"),
    "100,000 paragraphs": _text("x\n\n" * 100_000 + LINK),
    "5,000 folds": _text("Other:" + "\n x" * 5000 + f"\n{LINK}"),
    "20,000 links": _text("\n".join([LINK] * 20_000)),
    "20,000 links and a word": _text("\n".join([LINK] * 20_000) + "\nword"),
}

# What is around a link, on the way to a message that is nearly as it should be.
TITLES = ["Add the parser"] * 6 + ["x" * length for length in (1, 9, 10, 72, 73)]
TITLES += [
    "#123 fix it now",
    "fixup! Add it now",
    'Revert "Add the parser"',
    "Merge branch 'side'",
    LINK,
    "Key: value x",
]
TITLES += [
    " a blank before it",
    "a blank behind it ",
    "a tab\tin the middle",
    "größer und weiter",
    "del \x7f in it",
    "---",
]
TITLES += [
    "two lines\nof subject",
    "Conflicts:",
    "\ufeffwith a mark",
    "\u00a0with NBSP",
    SCISSORS,
    "amp-thread and more",
]
BREAKS = ["\n\n"] * 8 + ["\n", "\n \n", "\n\n\n", "\r\n\r\n", "\n\u00a0\n", "\n\t\n", "\n\f\n", "\n\r\n", "\n\n \n\n"]
LINES = [LINK] * 5 + [SECOND, LINK.lower(), LINK.upper(), f"{LINK} ", f"{LINK}\r", f"{LINK}/", f" {LINK}", f"* {LINK}"]
LINES += [f"Amp-Thread: {U}", "Amp-Thread-ID:", f"Amp-Thread-ID:\n {U}", f"Amp-Thread-ID :\t{U}", f"Amp-Thread-ID={U}"]
LINES += [LINK.replace("01a1", "01A1"), "Amp-Thread-ID: x", f"# {LINK}", f"x: {U}", "amp-thread", f"see {U}", REVERT]
LINES += ["Signed-off-by: a", f"Co-authored-by: {MENTIONED}", f"Co-authored-by: {MENTIONED}".replace(" <", "\n <")]
LINES += [
    "(cherry picked from commit a)",
    "Issue: 4",
    "Key:v",
    "Key :  v",
    "Key: v\t",
    "K_y: v",
    "K\u00e9y: v",
    ": v",
    "-: v",
]
LINES += [" folded", "\tf: g", "prose here", "https://x.y/z", "# comment: x", "#", "; x", SCISSORS, f"{SCISSORS} x", ""]
LINES += [
    "---",
    "--- a: b",
    "Conflicts:",
    "Conflicts: x",
    "a\0b",
    "Key: \0",
    "Key: a\rb",
    "Key: a\vb",
    "Key: \u2028x",
    " ",
]
ENDS = ["\n"] * 10 + [
    "",
    "\n\n",
    "\n \n",
    "\n# x\n",
    "\n\n# x\n",
    "\r\n",
    "\n\t",
    "\n\0",
    f"\n{SCISSORS}",
    f"\n{SCISSORS}\n",
]
ENDS += ["\n\nConflicts:\n\tf\n", "\n\nConflicts:\n\tf\n\n\tg\n", f"\n\n{SCISSORS}\n\n{LINK}\n"]
LEADS = [""] * 10 + ["\n", " \n", "\n\n", "\r\n", "# x\n", "\ufeff"]
HEADERS = [b""] * 12 + [
    f"encoding {name}\n".encode() for name in ("ISO-8859-1", "UTF-7", "no-such", "Shift_JIS", "UTF-8")
]
HEADERS += [b"encoding ISO-2022-JP\n", b"extra a\0b\n"]
BASES = [f"Add the parser\n\n{LINK}\n", f"Add the parser\n\nProse.\n\nIssue: 4\n{LINK}\nSigned-off-by: a\n"]
PIECES = [*LINES, *BREAKS, *(f"{line}\n" for line in LINES), " ", "\t", "\r", "\n", "\0", "#", ":", "\u00a0", "\xe9"]

paragraphs = st.lists(st.sampled_from(LINES), min_size=1, max_size=4).map("\n".join)


@st.composite
def around(draw: st.DrawFn) -> str:
    """Make a message of parts."""
    text = draw(st.sampled_from(LEADS)) + draw(st.sampled_from(TITLES))
    for paragraph in draw(st.lists(paragraphs, max_size=3)):
        text += draw(st.sampled_from(BREAKS)) + paragraph
    return text + draw(st.sampled_from(ENDS))


@st.composite
def nearly(draw: st.DrawFn) -> str:
    """Make a message that is plain, but for some edits."""
    text = draw(st.sampled_from(BASES))
    for _ in range(draw(st.integers(0, 3))):
        starts = [at for at in range(len(text) + 1) if at == 0 or text[at - 1] == "\n"]
        at = draw(st.sampled_from(starts) | st.integers(0, len(text)))
        edit = draw(st.sampled_from(["in", "in", "in", "out", "case"]))
        piece = draw(st.sampled_from(PIECES)) if edit == "in" else ""
        text = text[:at] + piece + text[at + (edit == "out") :]
        if edit == "case":
            text = text[:at] + text[at : at + 1].swapcase() + text[at + 1 :]
    return text


texts = (around() | nearly()).map(lambda text: text.encode("utf-8", "surrogateescape"))
objects = st.tuples(texts | texts.map(lambda text: text.replace(b"\xc3", b"")), st.sampled_from(HEADERS))
many = st.lists(objects, min_size=1, max_size=60)


# What a commit says.


def save(repo: Repo, **files: str) -> str:
    """Commit *files* (a file name without its ending, and the content) and return the id."""
    for name, text in files.items():
        (repo.path / f"{name}.txt").write_text(text)
    repo("add", "-A")
    repo.commit("-q", "-m", f"Save {' '.join(files)}")
    return repo.head()


def test_a_commit_says_what_git_says_of_it(repo: Repo) -> None:
    """The id, the parents, the whole message and all trailers in their order."""
    first = save(repo, a="1")
    repo.commit("-q", "-m", "One\nsubject", "-m", "Body", "-m", f"Issue: 4\n{LINK}\nSigned-off-by: A <a@b>")
    (commit,) = looked_at(repo.path, "HEAD")

    assert (commit.id, commit.parents, commit.merge) == (repo.head(), [first], False)
    assert commit.message.decode() == repo.head("%B")
    assert [(trailer.key, trailer.value) for trailer in commit.trailers] == [
        (b"Issue", b"4"),
        (b"Amp-Thread-ID", U.encode()),
        (b"Signed-off-by", b"A <a@b>"),
    ]


class Seen:
    """What git and what we say of a commit."""

    def __init__(self, repo: Repo, commits: list[Sha]) -> None:
        self.texts = answer(repo, commits, "%B")
        self.trailers = [listed(one) for one in answer(repo, commits, "%(trailers:only,unfold)")]
        values = answer(repo, commits, "%(trailers:key=Amp-Thread-ID,valueonly,unfold)")
        self.threads = [threads(one) for one in values]
        self.commits = looked_at(repo.path, commits)
        self.verdicts = verdicts(repo, commits)


@cache
def shapes() -> tuple[dict[str, int], Seen]:
    """Return what is said of each of the SHAPES and of the LONG ones: one repository for all of them."""
    named = SHAPES | {f"P44 {name}": (text, b"") for name, text in LONG.items()}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "init", "-q", folder], check=True)
        repo = Repo(Path(folder))
        commits = said(repo, *named.values())
        asked = list(dict.fromkeys(commits))
        return {name: asked.index(commit) for name, commit in zip(named, commits, strict=True)}, Seen(repo, asked)


every_shape = pytest.mark.parametrize("name", [*SHAPES, *(f"P44 {name}" for name in LONG)])


@every_shape
def test_trailers_are_those_that_git_sees(name: str) -> None:
    """Whatever stands in a message, git is the judge of trailers, asked or not."""
    numbers, seen = shapes()
    number = numbers[name]
    plain = plain_trailers(seen.texts[number])

    assert seen.commits[number].message == seen.texts[number]
    assert seen.commits[number].trailers == seen.trailers[number]
    assert plain is None or plain == seen.trailers[number]


@every_shape
def test_links_are_those_that_git_sees(name: str) -> None:
    """What `verify` finds is what `git log` shows as values of our key: each thread once, where it stands last."""
    numbers, seen = shapes()

    assert list(seen.verdicts[numbers[name]].threads) == seen.threads[numbers[name]]


def test_every_situation_of_a_text_is_among_them() -> None:
    """All situations of groups P and L that a committed text can be in are asked above, and most texts have a link."""
    numbers, seen = shapes()
    ids = {name.split()[0] for name in numbers}

    assert {f"P{number:02}" for number in OF_TEXTS | {44}} <= ids
    assert {f"L{number:02}" for number in range(1, 18)} <= ids
    assert sum(map(bool, seen.threads)) > 40
    assert sum(plain_trailers(text) is None for text in seen.texts) > 30


@settings(relaxed, max_examples=examples(60))
@given(many)
@example([(b"a\n\nAmp-Thread-ID:", b""), (b"", b""), (b"\n", b"")])
@example([(f"s\n\n{LINK}\n\nConflicts:\n\tf\n\n\tg\n".encode(), b"")])
def test_any_messages_have_the_trailers_and_links_that_git_sees(
    repo: Repo, messages: list[tuple[bytes, bytes]]
) -> None:
    """Git's word is taken, not imitated; where it is not asked, the shape leaves no doubt."""
    commits = list(dict.fromkeys(said(repo, *messages)))
    seen = Seen(repo, commits)
    plain = [plain_trailers(text) for text in seen.texts]

    assert [commit.id for commit in seen.commits] == commits
    assert [commit.message for commit in seen.commits] == seen.texts
    assert [commit.trailers for commit in seen.commits] == seen.trailers
    assert [one for one in zip(plain, seen.trailers, seen.texts, strict=True) if one[0] not in (None, one[1])] == []
    assert [list(verdict.threads) for verdict in seen.verdicts] == seen.threads
    assert [verdict.commit for verdict in seen.verdicts] == commits


def test_no_field_moves_in_a_long_answer(repo: Repo) -> None:
    """S14: commits that follow one another are read as they are by themselves."""
    newest, tree = "", repo("mktree", stdin=b"")
    for message, header in SHAPES.values():
        (newest,) = written(repo, [content(repo, message, header, [newest] if newest else [], tree)])
    repo("update-ref", "refs/heads/main", newest)
    ids = [Sha(one) for one in repo("rev-list", "main").split()]
    with history(repo.path) as found:
        told = [one for piece in found.told(found.everything()) for one in piece]
    numbers, seen = shapes()

    assert [one[0].decode() for one in told] == ids
    assert [one[2] for one in told] == [seen.texts[numbers[name]] for name in reversed(SHAPES)]
    assert [one[1].decode() for one in told] == [*ids[1:], ""]


def test_what_git_cannot_convert_harms_no_other_commit(repo: Repo) -> None:
    """P43, S14: a header that says UTF-16 makes git read rubbish, and its neighbours are as they were."""
    text, linked = _text(LINK), (b"Add another parser\n\n" + SECOND.encode() + b"\n", b"")
    odd = [("UTF-16", text), ("UTF-16LE", text[1:]), ("UTF-32", text), ("UTF-16", text.decode().encode("utf-16"))]
    lies = [(message, f"encoding {name}\n".encode()) for name, message in odd]
    commits = said(repo, (text, b""), *lies, linked)
    found = verdicts(repo, commits)

    assert [verdict.commit for verdict in found] == commits
    assert (list(found[0].threads), list(found[-1].threads)) == ([PARENT], [OTHER])


def test_text_is_utf8_whatever_it_was(repo: Repo) -> None:
    """P40-P42: git converts what a commit declares; what nobody can convert stays as it is."""
    names = ["P41 Latin-1", "P41 Shift_JIS", "P42 no such encoding"]
    latin, japanese, unknown = looked_at(repo.path, said(repo, *[SHAPES[name] for name in names]))

    assert latin.message.startswith("café".encode())
    assert japanese.message.startswith("表表表表\n".encode())
    assert unknown.message.startswith(b"caf\xe9")


def test_a_message_ends_at_nul_as_for_git(repo: Repo) -> None:
    """S14: what git shows nobody is no message, and a commit without one has none."""
    commits = looked_at(repo.path, said(repo, (b"s\n\nbody\0" + LINK.encode(), b""), (b"", b"")))

    assert [commit.message for commit in commits] == [b"s\n\nbody", b""]


@pytest.mark.parametrize("raw", [b"", b"\0", b"tree x\n", b"\n\nmessage\n"], ids=ascii)
def test_an_object_that_is_no_commit_is_explained(repo: Repo, raw: bytes) -> None:
    """S14: bytes that are only called a commit make no defect of ours."""
    (commit,) = written(repo, [raw])
    with pytest.raises(AmpcommitError) as caught:
        looked_at(repo.path, commit)

    assert caught.value.exit_code in (2, 3)


# What a commit changes.


def fork(repo: Repo) -> Repo:
    """Make two branches with two commits each, `main` and `side`, and a file with lines that both change."""
    save(repo, shared="\n".join(map(str, range(20))), gone="x\n" * 9)
    repo("tag", "base")
    repo("checkout", "-q", "-b", "side")
    save(repo, a="1")
    save(repo, shared="\n".join(map(str, range(20))).replace("\n10\n", "\nten\n"))
    repo("checkout", "-q", "main")
    save(repo, b="1")
    save(repo, shared="\n".join(map(str, range(20))).replace("\n13\n", "\nthirteen\n"))
    return repo


@pytest.fixture
def forked(repo: Repo) -> Repo:
    """A repository with two branches."""
    return once(repo, fork)


def merged(repo: Repo, *options: str) -> str:
    """Merge the branch `side` without the last step; return the id of `HEAD`."""
    repo("merge", "-q", "--no-ff", "--no-commit", *options, "side")
    return repo.head()


def changed(repo: Repo, text: str) -> list[list[str]]:
    """Return the paths that each commit of a range changed, sorted."""
    with history(repo.path) as found:
        batch = found.batch([told for piece in found.told(found.named(text)) for told in piece])
        return [sorted(commit.paths()) for commit in batch.commits]


def test_changed_paths_are_all_that_changed(repo: Repo) -> None:
    """A rename has both names, a root commit all its files, an empty commit none; no name is unusual."""
    odd = ["new\nline", 'quote"d', " ", ":100644 x", "-x", "sub/é"]
    (repo.path / "sub").mkdir()
    for name in odd:
        (repo.path / name).write_text(f"{name} {'x' * 50}")
    repo("add", "-A")
    repo.commit("-q", "-m", "root")
    repo("mv", "sub/é", "moved")
    repo.commit("-q", "-m", "move")
    repo.commit("-q", "-m", "nothing")

    assert changed(repo, "HEAD~2") == [sorted(odd)]
    assert changed(repo, "HEAD~2..HEAD") == [[], ["moved", "sub/é"]]


def test_a_file_named_for_a_commit_is_a_file(repo: Repo) -> None:
    """S07: a name in the tree cannot end the list of what changed."""
    first = save(repo, a="1")
    second = save(repo, a="2")
    for name in (first, second, "z"):
        (repo.path / name).write_text("x")
    save(repo, a="3")

    assert changed(repo, f"{first}..HEAD") == [sorted([first, second, "z", "a.txt"]), ["a.txt"]]


def test_a_merge_changed_what_it_brought_in(forked: Repo) -> None:
    """The paths of a merge are those against its first parent."""
    forked("merge", "-q", "--no-edit", "side")

    assert changed(forked, "HEAD") == [["a.txt", "shared.txt"]]


def own_changes(repo: Repo, text: str = "HEAD") -> list[bool]:
    """Say of each commit of a range whether it is a merge that adds changes of its own."""
    with history(repo.path) as found:
        batch = found.batch([told for piece in found.told(found.named(text)) for told in piece])
        return [commit.own_changes() for commit in batch.commits]


def conclude(repo: Repo) -> None:
    """Make the last step of a merge."""
    repo("add", "-A")
    repo.commit("-q", "-m", "Merge branch 'side'")


def test_a_merge_without_changes_of_its_own(forked: Repo) -> None:
    """V07: what git put together is nobody's change, however close together the two sides wrote."""
    merged(forked)
    conclude(forked)

    assert "thirteen" in (forked.path / "shared.txt").read_text()
    assert own_changes(forked) == [False]


def test_a_merge_that_takes_one_side_adds_nothing(forked: Repo) -> None:
    """Whoever drops a branch adds no text."""
    merged(forked, "-s", "ours")
    conclude(forked)

    assert own_changes(forked) == [False]


def test_a_commit_that_is_no_merge_has_none(forked: Repo) -> None:
    """Changes of one's own are what a merge may add to its parents; where there is no merge nobody asks git."""
    assert own_changes(forked, "base..HEAD") == [False, False]


@pytest.mark.parametrize("change", ["text", "line", "new file", "removal", "move", "mode", "module", "link", "binary"])
def test_a_merge_with_changes_of_its_own(forked: Repo, change: str) -> None:
    """V07: what none of the parents has was written by whoever merged."""
    merged(forked)
    shared, gone, evil = (forked.path / name for name in ("shared.txt", "gone.txt", "evil.txt"))
    if change == "text":
        shared.write_text(shared.read_text().replace("thirteen", "evil"))
    elif change == "line":
        shared.write_text(shared.read_text() + "\nevil")
    elif change == "new file":
        evil.write_text("evil")
    elif change == "binary":
        gone.write_bytes(b"\0evil")
    elif change == "removal":
        gone.unlink()
    elif change == "move":
        gone.rename(evil)
    elif change == "mode":
        gone.chmod(0o755)
    elif change == "link":
        gone.unlink()
        gone.symlink_to("shared.txt")
    else:
        forked("update-index", "--add", "--cacheinfo", f"160000,{forked.head()},module")
        (forked.path / "module").mkdir()
    conclude(forked)

    assert own_changes(forked) == [True]


def test_merges_are_told_apart(forked: Repo) -> None:
    """Many are asked about at once, and each gets its own answer: an octopus, one that is evil, and no merges."""
    merged(forked)
    (forked.path / "evil.txt").write_text("evil")
    conclude(forked)
    for name in ("one", "two"):
        forked("checkout", "-q", "-b", name)
        save(forked, **{name: name})
        forked("checkout", "-q", "main")
    forked("merge", "-q", "--no-ff", "--no-edit", "one", "two")
    commits = looked_at(forked.path, "base..HEAD")

    assert [commit.merge for commit in commits].count(True) == 2
    assert len(commits[0].parents) == 3
    assert own_changes(forked, "base..HEAD") == [
        forked("log", "-1", "--format=%s", commit.id) == "Merge branch 'side'" for commit in commits
    ]


def test_a_name_that_is_an_id_begins_no_other_commit(forked: Repo) -> None:
    """S07: a file whose name or line is the id of a merge does not move a finding to that merge."""
    merged(forked)
    conclude(forked)
    quiet = forked.head()
    forked("checkout", "-q", "-b", "again", "HEAD^")
    save(forked, c="1")
    forked("merge", "-q", "--no-ff", "--no-commit", "main")
    (forked.path / quiet).write_text(f"{quiet}\n")
    conclude(forked)

    assert own_changes(forked, "base..HEAD").count(True) == 1
    assert own_changes(forked) == [True]


# Answers that are none.

OF_TRAILERS = "*'%(trailers'*"


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Put a `git` on PATH that runs *script*, in which `$real` is git itself; return the file it may write to."""
    real = subprocess.run(["sh", "-c", "command -v git"], capture_output=True, text=True, check=True).stdout.strip()
    log = folder / "log"
    (folder / "bin").mkdir()
    (folder / "bin" / "git").write_text(f"#!/bin/sh\nreal='{real}'\nlog='{log}'\n{script}\n")
    (folder / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return log


def test_many_commits_need_one_process_for_each_question(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V06: about however many commits is asked, each question is one process."""
    folded = [(_text(f"Number: {number}\n folded\n{LINK}"), b"") for number in range(300)]
    commits = said(repo, *folded)
    log = stand_in(tmp_path, monkeypatch, 'echo "$*" >> "$log"; exec "$real" "$@"')
    with history(repo.path) as found:
        batch = found.batch([told for piece in found.told(Range(commits, alone=True)) for told in piece]).commits
        log.write_text("")
        answers = [(commit.trailers[0].value, commit.paths(), commit.own_changes()) for commit in batch]

    assert answers == [(b"%d folded" % number, [], False) for number in range(300)]
    assert len(log.read_text().splitlines()) == 2


def test_an_answer_that_is_too_long_comes_in_pieces(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P44: where the answer about many commits is more than we read at once, fewer are asked for."""
    commits = said(repo, *[(_text(f"Number: {number}\n folded"), b"") for number in range(7)])
    script = f'case "$*" in {OF_TRAILERS}) in=$(cat); [ $(echo "$in" | wc -l) -le 2 ] || exit 1;\n'
    stand_in(tmp_path, monkeypatch, script + 'echo "$in" | exec "$real" "$@";; *) exec "$real" "$@";; esac')
    batch = looked_at(repo.path, commits)

    assert [commit.trailers[0].value for commit in batch] == [b"%d folded" % number for number in range(7)]


def test_trailers_longer_than_we_read_are_explained(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P44: one commit that is too long by itself is no reason to wait for ever, or to pass it."""
    commits = said(repo, (_text("Key: x\n folded"), b""))
    stand_in(tmp_path, monkeypatch, f'case "$*" in {OF_TRAILERS}) exec yes;; *) exec "$real" "$@";; esac')
    with pytest.raises(SetupError, match="too long") as caught:
        looked_at(repo.path, commits)

    assert caught.value.hint


@pytest.mark.parametrize("text", [":", "printf 'a\\0'", "printf '%040d\\0\\0\\0\\0\\0' 0"])
def test_an_answer_about_something_else_is_refused(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Commits that were asked for and not answered must not pass unseen."""
    commits = said(repo, (_text("Key: x\n folded"), b""))
    stand_in(tmp_path, monkeypatch, f'case "$*" in {OF_TRAILERS}) {text};; *) exec "$real" "$@";; esac')
    with pytest.raises(GitError, match="not about the commits"):
        looked_at(repo.path, commits)


def alone(found: History, commits: Sequence[Sha]) -> Batch:
    """Return a batch of some commits by themselves."""
    return found.batch([told for piece in found.told(Range(commits, alone=True)) for told in piece])


@pytest.mark.parametrize("early", [False, True])
def test_a_tree_that_is_not_here_is_explained(repo: Repo, early: bool) -> None:
    """V04: what changed is not known where a tree is missing; that is no empty answer, however often one asks."""
    missing = "1234" * 10
    head = save(repo, a="1")
    (broken,) = written(repo, [content(repo, b"Merge\n", b"", [head, head], missing)])
    with history(repo.path) as found:
        batch = alone(found, [broken])
        if early:
            batch.begin()
        for question in (batch.commits[0].paths, batch.commits[0].own_changes) * 2:
            with pytest.raises(SetupError) as caught:
                question()
            assert caught.value.hint


def test_git_may_begin_before_it_is_asked(forked: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What merges add takes git its time: it may begin early, and is not asked twice."""
    merged(forked)
    (forked.path / "evil.txt").write_text("evil")
    conclude(forked)
    commits = [Sha(one) for one in forked("rev-list", "base..HEAD").split()]
    log = stand_in(tmp_path, monkeypatch, 'case "$*" in *--cc*) echo $$ >> "$log";; esac; exec "$real" "$@"')
    with history(forked.path) as found:
        batch = alone(found, commits)
        batch.begin()
        assert [commit.own_changes() for commit in batch.commits] == [True, False, False, False, False]

    assert len(log.read_text().split()) == 1


def test_what_nobody_wants_to_know_is_not_waited_for(forked: Repo) -> None:
    """A batch that is left leaves no process and no pipe of git's, with nobody looking for garbage."""
    merged(forked)
    conclude(forked)
    before = os.listdir("/dev/fd")
    gc.disable()
    try:
        with history(forked.path) as found:
            batch = alone(found, [Sha(forked.head())])
            commits = batch.commits
            batch.begin()
            del batch
            assert len(os.listdir("/dev/fd")) > len(before)
            commits.clear()
            assert os.listdir("/dev/fd") == before
    finally:
        gc.enable()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_where_there_is_no_merge_git_does_not_begin(
    forked: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A history in a line costs no process."""
    log = stand_in(tmp_path, monkeypatch, 'case "$*" in *--cc*) touch "$log";; esac; exec "$real" "$@"')
    with history(forked.path) as found:
        batch = alone(found, [Sha(forked.head())])
        batch.begin()

        assert not batch.commits[0].own_changes()
    assert not log.exists()


def test_a_git_that_does_not_listen_has_no_changes_to_tell(
    forked: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A git that fails at once is explained like one that fails later."""
    merged(forked)
    conclude(forked)
    stand_in(tmp_path, monkeypatch, 'case "$*" in *--cc*) exit 9;; esac; exec "$real" "$@"')
    with history(forked.path) as found, pytest.raises(SetupError, match="status 9"):
        alone(found, [Sha(forked.head())]).commits[0].own_changes()


def test_a_reverted_commit_is_here_or_not(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What messages say was reverted is looked for all at once; a file is no commit, and no short id names one."""
    head, blob = save(repo, a="1"), repo("rev-parse", "HEAD:a.txt")
    reverts = [f"This reverts commit {one}.\n" for one in (head, blob, "0" * 40, f"{head}0", head[:12], head.upper())]
    commits = said(repo, *[(b"s\n\n" + text.encode(), b"") for text in reverts])
    log = stand_in(tmp_path, monkeypatch, 'echo "$*" >> "$log"; exec "$real" "$@"')
    with history(repo.path) as found:
        batch = alone(found, commits)
        log.write_text("")
        assert [batch.commits[0].exists(one) for one in (head, blob, "0" * 40, "")] == [True, False, False, False]
        assert not any(batch.commits[0].exists(one) for one in (f"{head}0", head[:12], head.upper()))
    assert len(log.read_text().splitlines()) == 1


def test_where_nothing_was_reverted_git_is_not_asked(repo: Repo) -> None:
    """A batch without such a sentence knows that there is none."""
    with history(repo.path) as found:
        (commit,) = alone(found, said(repo, (b"s\n", b""))).commits
        assert not commit.exists("0" * 40)


def test_a_clean_merge_is_known_without_files(repo: Repo, tmp_path: Path) -> None:
    """V04: where a partial clone has no file and its remote is gone, trees tell that a merge mixes nothing."""
    save(repo, base="1")
    repo("checkout", "-q", "-b", "side")
    save(repo, a="1")
    repo("checkout", "-q", "main")
    save(repo, b="1")
    repo("merge", "-q", "--no-ff", "-m", "Merge", "side")
    repo("config", "uploadpack.allowFilter", "true")
    repo("clone", "-q", "--bare", "--filter=blob:none", f"file://{repo.path}", str(tmp_path / "partial"))
    shutil.rmtree(repo.path)

    with history(tmp_path / "partial") as found:
        (merge,) = found.batch([told for piece in found.told(found.named("HEAD")) for told in piece]).commits
        assert merge.merge
        assert not merge.own_changes()
