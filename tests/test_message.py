"""The message file: what git will make of it, what it sees in it, and where our line goes."""

import os
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ampcommit.call import Call
from ampcommit.gitcmd import clean
from ampcommit.linking import REJECTED, commit_msg
from ampcommit.message import BLANK, Draft, Trailer, displaced, linked, plain_trailers, subject_and_body, trailers
from tests.conftest import CHILD, OTHER, PARENT, Repo, examples, url

U = url(PARENT)
OURS = f"Amp-Thread-ID: {U}".encode()
CUT = b"# ------------------------ >8 ------------------------\n"
DIFF = CUT + b"# Do not modify or remove the line above.\n"  # git wrote it, and cuts there
HELP = (
    b"# Please enter the commit message for your changes. Lines starting\n#\n"
    b"# Changes to be committed:\n#\tnew file:   f\n#\n"
)

BLANKS = [b"", b"", b"", b" ", b"\t", b"\r", b"\f", b"\xc2\xa0"]
TITLES = [b"Fix the parser", b"#123 fix", b"fixup! x", b"-x", b"Amp-Thread-ID: x", b"caf\xe9", "日本語".encode()]
LINES = [
    b"Some prose.",
    b"see https://example.com/x: good",
    b"https://example.com/x",
    b"    indented",
    b"---",
    b"--- a/f",
    b"Conflicts:",
    b"\tf.py",
    b"* bullet",
    b"\xef\xbb\xbfAmp-Thread-ID: x",
    "größer\u2028x: y".encode(),
]
BLOCK = [
    b"Signed-off-by: A <a@b>",
    b"(cherry picked from commit 0123456789abcdef0123456789abcdef01234567)",
    b"Issue: 4",
    b"Amp: x",
    b"Key:v",
    b"Key :  v",
    b" folded",
    b"Amp-Thread-ID:",
    b"amp-thread-id:\t" + url(OTHER).encode(),
    b"Amp-Thread-ID: " + url(CHILD).encode(),
    b"Amp-Thread-ID-Old: x",
]
COMMENTS = [b"# a comment", b"#", b"#Key: v", b"; no comment"]

paragraph = st.one_of(
    st.lists(st.sampled_from(LINES), max_size=3),
    st.lists(st.sampled_from(BLOCK), max_size=4),
    st.lists(st.sampled_from(LINES + BLOCK + COMMENTS), max_size=5),
    st.lists(st.sampled_from(COMMENTS), max_size=3),
)


@st.composite
def messages(draw: st.DrawFn, cut: bool = True) -> bytes:
    """Make a message as an editor, a tool or an enemy would leave it."""
    lines: list[bytes] = [*draw(st.lists(st.sampled_from(BLANKS), max_size=1)), draw(st.sampled_from(TITLES))]
    for lines_of_one in draw(st.lists(paragraph, max_size=4)):
        lines += [draw(st.sampled_from(BLANKS)) for _ in range(draw(st.sampled_from([1, 1, 1, 2])))]
        lines += lines_of_one
    eol = draw(st.sampled_from([b"\n", b"\n", b"\n", b"\r\n"]))
    text = eol.join(lines) + draw(st.sampled_from([eol, b"", eol + eol]))
    if cut and draw(st.integers(0, 5)) == 0:
        text += b"\n" + CUT + draw(st.sampled_from([b"# Do not modify\n+Amp-Thread-ID: x\n", b"below\n", b"\nA: 1\n"]))
    return text


cleanups = st.sampled_from([("", True), ("", False), ("strip", False), ("whitespace", True), ("verbatim", False)])


def git(*args: str, stdin: bytes) -> bytes:
    """Return what git answers, asked without our code and without anybody's configuration."""
    done = subprocess.run(
        ["git", *args], input=stdin, env=clean(os.environ), capture_output=True, check=True, timeout=5
    )
    return done.stdout


def seen_by_git(text: bytes) -> list[Trailer]:
    """Return the trailers that git reads in a commit of *text*: it passes over blank lines at the start."""
    lines = text.split(b"\n")
    while lines and not lines[0].strip(BLANK):
        del lines[0]
    listed = git("interpret-trailers", "--parse", "--no-divider", stdin=b"\n".join(lines)).split(b"\n")[:-1]
    return [Trailer(*(part.strip(BLANK) for part in line.split(b":", 1))) for line in listed]


def cleaned(text: bytes, cleanup: tuple[str, bool]) -> bytes:
    """Return what git's own clean-up makes of *text*."""
    mode, editor = cleanup
    head, cut, _ = (b"\n" + text).partition(b"\n" + CUT + b"#")
    kept = head[1:] + b"\n" * bool(cut)
    if mode == "verbatim":
        return kept
    strips = mode == "strip" or (mode == "" and editor)
    return git("stripspace", *(["-s"] if strips else []), stdin=kept)


def draft_of(text: bytes, cleanup: tuple[str, bool] = ("", False), comment: bytes = b"#") -> Draft:
    """Return the draft of a commit with this clean-up mode, with or without an editor."""
    return Draft(text, comment=comment, cleanup=cleanup[0], editor=cleanup[1])


def put_in(before: bytes, after: bytes) -> bytes:
    """Return the piece that was put into *before*; that nothing else happened is asserted."""
    size = len(after) - len(before)
    at = next((at for at, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), len(before))

    assert before[at:] == after[at + size :], "the author's bytes are still there, all of them, in order"
    return after[at : at + size]


def with_link(text: bytes, cleanup: tuple[str, bool] = ("", False), comment: bytes = b"#") -> bytes:
    """Return *text* with the link put in, after checking what must always hold."""
    draft = draft_of(text, cleanup, comment)
    changed = linked(draft, U, trailers(draft.kept(), os.environ), os.environ)

    assert changed is not None
    assert Counter(OURS) == Counter(put_in(text, changed.text).replace(b"\r", b"").replace(b"\n", b""))
    assert seen_by_git(changed.kept()) == [*seen_by_git(draft.kept()), Trailer(b"Amp-Thread-ID", U.encode())]
    return changed.text


# A trailer as git sees it.


@pytest.mark.parametrize("key", [b"Amp-Thread-ID", b"amp-thread-id", b"AMP-THREAD-ID"])
def test_the_case_of_our_key_does_not_matter(key: bytes) -> None:
    """Our key is ours as git compares keys."""
    assert Trailer(key, b"").ours


@pytest.mark.parametrize("key", [b"A", b"Amp", b"Amp-Thread", b"Amp-Thread-ID-Old", b"\xef\xbb\xbfAmp-Thread-ID"])
def test_a_key_that_is_like_ours_is_not_ours(key: bytes) -> None:
    """Git's own prefix matching of keys is not repeated here."""
    assert not Trailer(key, b"").ours


def test_equal_trailers_are_equal_and_nothing_else_is() -> None:
    """Trailers before and after are compared by what they say."""
    assert Trailer(b"a", b"b") == Trailer(b"a", b"b")
    assert Trailer(b"a", b"b") != Trailer(b"A", b"b")
    assert Trailer(b"a", b"b") != (b"a", b"b")


# What git makes of the text.


@settings(max_examples=examples(250), deadline=None)
@given(messages(cut=False), cleanups)
def test_it_is_what_git_stripspace_makes_of_it(text: bytes, cleanup: tuple[str, bool]) -> None:
    """The text is judged as git will store it, in every clean-up mode."""
    assert draft_of(text, cleanup).kept() == cleaned(text, cleanup)


@settings(max_examples=examples(100), deadline=None)
@given(st.binary(), cleanups)
def test_it_is_what_git_stripspace_makes_of_any_bytes(text: bytes, cleanup: tuple[str, bool]) -> None:
    """No bytes at all are cleaned otherwise than git would."""
    assert draft_of(text, cleanup).kept() == cleaned(text, cleanup)


@pytest.mark.parametrize("comment", [b"#", b";", b"%", b"//", "§".encode()])
def test_the_scissors_cut_whatever_the_comment_character(comment: bytes) -> None:
    """A diff below the scissors is not part of the message."""
    text = b"Fix\n\n" + comment + CUT[1:] + b"diff --git a/f b/f\n+Amp-Thread-ID: x\n"

    assert draft_of(text, ("scissors", True), comment).kept() == b"Fix\n"


@pytest.mark.parametrize("line", [b"x " + CUT, CUT[:-1] + b" \n", b";" + CUT[1:], CUT[1:], CUT.replace(b"8", b"9")])
def test_what_only_resembles_scissors_cuts_nothing(line: bytes) -> None:
    """Only git's own line, at the start of a line and whole, ends the message."""
    assert git("stripspace", stdin=b"Fix\n" + line + b"rest\n") == draft_of(b"Fix\n" + line + b"rest\n").kept()


def test_with_gits_own_scissors_below_the_first_ones_cut() -> None:
    """`git commit -v` cuts at the first line of that shape, even at one that somebody typed."""
    text = b"Fix\n\n" + CUT + b"\nAmp-Thread-ID: x\n" + DIFF + b"+x\n"

    assert draft_of(text, ("", True)).kept() == b"Fix\n"


def test_scissors_at_the_very_start_leave_nothing() -> None:
    """A message that begins with the scissors line is empty for git."""
    assert draft_of(DIFF + b"rest\n").kept() == b""


@pytest.mark.parametrize("comment", b"#;@!$%^&|:".decode())
def test_a_chosen_comment_character_is_found_in_gits_help(comment: str) -> None:
    """With core.commentChar=auto git's help at the end shows what it chose."""
    text = b"Fix\n" + HELP.replace(b"#", comment.encode())

    assert draft_of(text, ("", True), b"auto").kept() == b"Fix\n"


@pytest.mark.parametrize("comment", [b"#", b";", b"|"])
def test_a_chosen_comment_character_is_found_in_gits_cut_line(comment: bytes) -> None:
    """With core.commentChar=auto a file that ends with a diff shows at its cut line what git chose."""
    cut = comment + CUT[1:] + comment + b" Do not modify or remove the line above.\n"

    assert draft_of(b"#12 fix\n" + cut + b"diff --git a/f b/f\n+x\n", ("", False), b"auto").kept() == b"#12 fix\n"


@pytest.mark.parametrize("text", [b"", b"Fix\n", b"Fix\n\n#42\n", b"#42 fix\n\n; x\n", b"; x\n\n@you\n"])
def test_without_gits_help_no_line_is_a_comment(text: bytes) -> None:
    """With core.commentChar=auto git chooses a character that begins no line, so without its help all are kept."""
    assert draft_of(text, ("strip", False), b"auto").kept() == text


# Messages that git will refuse by itself.


@pytest.mark.parametrize(
    "text",
    [b"", b"\n\n", b" \t\r\n", b"# only\n# comments\n", b"\n" + HELP, b"Signed-off-by: A <a@b>\n", DIFF + b"x\n"],
)
def test_nothing_written_is_nothing(text: bytes) -> None:
    """A message that is empty for git is left alone, so that git aborts."""
    assert draft_of(text, ("", True)).untouched(None)


@pytest.mark.parametrize(
    "text", [b"x\n", b"#42\n", b"\f\n", b"\xc2\xa0\n", b"Signed-off-by: A\nx\n", b"signed-off-by: A\n"]
)
def test_something_written_is_something(text: bytes) -> None:
    """What git would commit is not taken for nothing."""
    assert not draft_of(text, ("", False)).untouched(None)


@pytest.mark.parametrize("text", [b" \n", b"Signed-off-by: A <a@b>\n"], ids=["blank", "sign-off"])
def test_verbatim_git_commits_whatever_is_not_empty(text: bytes) -> None:
    """With cleanup=verbatim git commits a blank message too, so the policy must see it."""
    assert not draft_of(text, ("verbatim", False)).untouched(None)


@pytest.mark.parametrize(
    "text",
    [
        b"Why:\n\nHow:\n",
        b"Why:\n\nHow:\n\n# help\n",
        b"Why:  \n\n\n\nHow:",
        b"Why:\n\nHow:\n\nSigned-off-by: A <a@b>\n",
    ],
)
def test_a_template_as_it_was_is_nothing(text: bytes) -> None:
    """A template that nobody filled in is left alone, so that git aborts."""
    assert draft_of(text, ("", True)).untouched(b"Why:\n\nHow:\n# fill this in\n")


@pytest.mark.parametrize("text", [b"Why: x\n\nHow:\n", b"Why:\n\nHow: x\n", b"Why:\n\nHow:\n\nx\n", b"x\n"])
def test_a_template_filled_in_is_a_message(text: bytes) -> None:
    """One word in the template makes a message of it."""
    assert not draft_of(text, ("", True)).untouched(b"Why:\n\nHow:\n# fill this in\n")


# What git sees.


@settings(max_examples=examples(250), deadline=None)
@given(messages())
def test_git_decides_what_a_trailer_is(text: bytes) -> None:
    """Where we save the question to git, the answer is the one git would have given."""
    assert trailers(text, os.environ) == seen_by_git(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"s\n\nA: 1\n\n\n# comment\n", id="two blank lines before a comment"),
        pytest.param(b"s\n\nA: 1\n\n \n# comment\n", id="a blank line with a space before a comment"),
        pytest.param(b"s\n\nA: 1\n\n# one\n\n# two\n", id="two comments"),
        pytest.param(b"s\n\nA: 1\n\n#one\nConflicts:\n\tf\n", id="conflicts"),
        pytest.param(b"s\n\nA: 1\n\nConflicts:\n\tf\n\n\tg\n", id="P58 conflicts with a blank line"),
        pytest.param(b"s\r\n\r\nA: 1\r\n", id="CRLF"),
        pytest.param(b"s\n\nA: 1", id="no line feed at the end"),
        pytest.param(b"s\n\nA: 1\n\n" + CUT + b"\nbelow\n", id="P24 scissors"),
    ],
)
def test_a_block_is_seen_behind_which_nothing_stands_for_git(text: bytes) -> None:
    """Comments and blank lines behind the block hide nothing."""
    assert trailers(text, os.environ) == [Trailer(b"A", b"1")] == seen_by_git(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"A: 1\n", id="subject"),
        pytest.param(b"\nA: 1\n", id="subject behind a blank line"),
        pytest.param(b"\nA: 1\nB: 2\n", id="two lines of subject behind a blank line"),
        pytest.param(b"s\nA: 1\n", id="first paragraph"),
        pytest.param(b"s\n\n# comment\n\n# another\n", id="comments alone"),
        pytest.param(b"s\n\nA: 1\n\nprose\n", id="not the last paragraph"),
        pytest.param(b"s\n\nprose\nA: 1\n", id="prose above it"),
        pytest.param(b"s\n\n A: 1\n", id="indented"),
        pytest.param(b"s\n\n" + CUT + b"\nA: 1\n", id="below the scissors"),
    ],
)
def test_what_git_does_not_see_is_no_trailer(text: bytes) -> None:
    """No line counts that a commit would not show as a trailer."""
    assert trailers(text, os.environ) == [] == seen_by_git(text)


def test_nobodys_settings_change_what_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Amp's own `-c trailer.…` and a user's separators do not reach the question."""
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'trailer.separators'='='")

    assert trailers(b"s\n\nA: 1\n", os.environ) == [Trailer(b"A", b"1")]


@pytest.mark.parametrize("text", [b"Fix\n\n---\nx\n" + CUT, b"Fix\n\n---\nA: 1\n" + CUT + b"B: 2\n"])
def test_a_dash_line_above_the_scissors_does_not_hang(text: bytes) -> None:
    """Git before 2.45 would run for ever; it is asked in a way that it answers."""
    assert len(trailers(text, os.environ)) < 2


@settings(max_examples=examples(250), deadline=None)
@given(messages(cut=False))
def test_a_plain_block_is_what_git_sees(text: bytes) -> None:
    """Where the shape leaves no doubt, it is read as git would; where it leaves one, nothing is said."""
    plain = plain_trailers(text)

    assert plain is None or plain == seen_by_git(text)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        (b"s\n\nA: 1\n", {b"A": b"1"}),
        (b"s\n\nA: 1", {b"A": b"1"}),
        (b"\n \ns\n\nA: 1\n", {b"A": b"1"}),
        (b"s\n\nb\n\n\nA-b:1\nC: \n--:\t2 \n", {b"A-b": b"1", b"C": b"", b"--": b"2"}),
        (b"s\n\nA: 1: 2\n", {b"A": b"1: 2"}),
        (b"#s\n\nA: 1\n", {b"A": b"1"}),
        (b"", {}),
        (b"A: 1\n", {}),
        (b"s\n\nprose\n", {}),
        (b"s\n\nA: 1\n\nprose\n", {}),
        (b"s\n\nprose\n\n# c\n\n", {}),
    ],
)
def test_a_plain_block_needs_no_git(text: bytes, pairs: dict[bytes, bytes]) -> None:
    """V06: most messages end with a block of trailers, or with prose, and git is not asked about them."""
    expected = [Trailer(key, value) for key, value in pairs.items()]

    assert plain_trailers(text) == expected == seen_by_git(text)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"s\nA: 1\n", id="P03 the first paragraph"),
        pytest.param(b"A: 1\nB: 2\n", id="P03 the first paragraph, of nothing else"),
        pytest.param(b"s\n\nprose: x\nand more\nA: 1\n", id="P02 below prose"),
        pytest.param(b"s\n\nA: 1\n b\n", id="P12 folded"),
        pytest.param(b"s\n\nA : 1\n", id="P08 a blank before the colon"),
        pytest.param(b"s\n\nA: 1\n\n", id="a blank line at the end"),
        pytest.param(b"s\n\nA: 1\n# c\n", id="P33 a comment"),
        pytest.param(b"s\n\nA: 1\n\n" + CUT, id="P24 scissors"),
        pytest.param(b"s\n\nprose\n" + CUT + b"prose\n", id="P24 scissors without a colon"),
        pytest.param(b"s\n\nA: 1\n\nConflicts:\n\tf\n", id="P58 conflicts"),
        pytest.param(b"s\n\nA: 1\n\nConflicts:\n\tf\n\n\tg\n", id="P58 conflicts with a blank line"),
        pytest.param(b"s\n\nA: 1\n\nConflicts:", id="P58 conflicts without an end"),
        pytest.param(b"s\r\n\r\nA: 1\r\n", id="P36 CRLF"),
        pytest.param(b"s\n\nA: 1\r\nB: 2\r\n", id="P36 CRLF in the block"),
        pytest.param(b"s\n\nA\xc3\xa9: 1\n", id="P08 a key that is no ASCII"),
        pytest.param(b"s\n\n: 1\n", id="P14 no key"),
        pytest.param(b"s\n \nA: 1\n", id="P39 a blank line with a blank"),
        pytest.param(b"s\n\nA: 1\n(cherry picked from commit a)\n", id="P52 cherry-picked"),
    ],
)
def test_a_doubt_is_left_to_git(text: bytes) -> None:
    """Where git might see something else, it is asked."""
    assert plain_trailers(text) is None


# Where our line goes.


@settings(max_examples=examples(200), deadline=None)
@given(messages(), cleanups)
def test_the_link_is_last_and_nothing_else_changed(text: bytes, cleanup: tuple[str, bool]) -> None:
    """Whatever the message, git sees our link last, the other trailers as before, and the author's bytes stay."""
    draft = draft_of(text, cleanup)
    seen = seen_by_git(cleaned(text, cleanup))
    changed = linked(draft, U, seen, os.environ)

    if changed is not None:
        assert Counter(OURS) == Counter(put_in(text, changed.text).replace(b"\r", b"").replace(b"\n", b""))
        assert seen_by_git(cleaned(changed.text, cleanup)) == [*seen, Trailer(b"Amp-Thread-ID", U.encode())]
        assert changed.text.partition(CUT + b"#")[1:] == text.partition(CUT + b"#")[1:], "nothing goes into a diff"


@settings(max_examples=examples(100), deadline=None)
@given(messages(), cleanups)
def test_a_message_with_a_subject_can_always_be_linked(text: bytes, cleanup: tuple[str, bool]) -> None:
    """Only a message that is empty for git finds no place for the link."""
    draft = draft_of(text, cleanup)
    assume(not draft.untouched(None))

    assert linked(draft, U, trailers(draft.kept(), os.environ), os.environ) is not None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b"s\n", b"s\n\n%s\n", id="subject alone"),
        pytest.param(b"s", b"s\n\n%s\n", id="P45 no line feed at the end"),
        pytest.param(b"s\n\nA: 1", b"s\n\nA: 1\n%s\n", id="P45 no line feed behind a block"),
        pytest.param(b"s\n\nbody\n", b"s\n\nbody\n\n%s\n", id="body"),
        pytest.param(b"s\n\nA: 1\n", b"s\n\nA: 1\n%s\n", id="P18 block"),
        pytest.param(b"s\n\nA: 1\n 2\n", b"s\n\nA: 1\n 2\n%s\n", id="P12 folded value at the end"),
        pytest.param(b"s\n\nprose\nA: 1\n", b"s\n\nprose\nA: 1\n\n%s\n", id="P02 prose above"),
        pytest.param(b"s\nA: 1\n", b"s\nA: 1\n\n%s\n", id="P03 block in the title paragraph"),
        pytest.param(b"s\n\nhttps://e.com/x\n", b"s\n\nhttps://e.com/x\n%s\n", id="a link alone in the last paragraph"),
        pytest.param(b"s\r\n\r\nA: 1\r\n", b"s\r\n\r\nA: 1\r\n%s\r\n", id="P36 CRLF block"),
        pytest.param(b"s\r\n", b"s\r\n\r\n%s\r\n", id="P36 CRLF subject"),
        pytest.param(b"s\r\n\r\nx", b"s\r\n\r\nx\r\n\r\n%s\r\n", id="P36 CRLF without the last one"),
        pytest.param(b"#123 s\n", b"#123 s\n\n%s\n", id="P33 subject that looks like a comment"),
        pytest.param(b"s\n\nConflicts:\n\tf\n", b"s\n\n%s\n\nConflicts:\n\tf\n", id="P58 conflicts"),
        pytest.param(
            b"s\n\nA: 1\n\nConflicts:\n\tf\n", b"s\n\nA: 1\n%s\n\nConflicts:\n\tf\n", id="P58 block, conflicts"
        ),
        pytest.param(b"s\n\nA: 1\n\nConflicts:", b"s\n\nA: 1\n%s\n\nConflicts:", id="P58 conflicts end the file"),
        pytest.param(
            b"s\r\n\r\nA: 1\r\n\r\nConflicts:\r\n\tf\r\n",
            b"s\r\n\r\nA: 1\r\n%s\r\n\r\nConflicts:\r\n\tf\r\n",
            id="P58 conflicts in CRLF",
        ),
        pytest.param(b"s\n\nA: 1\n" + CUT + b"x\n", b"s\n\nA: 1\n%s\n" + CUT + b"x\n", id="P24 scissors"),
        pytest.param(b"s\n\nA: 1\n---\nB: 2\n", b"s\n\nA: 1\n---\nB: 2\n\n%s\n", id="P25 divider"),
    ],
)
def test_where_the_line_goes(before: bytes, after: bytes) -> None:
    """The line joins the last block, or is a last paragraph, with the line end of the file."""
    assert with_link(before) == after.replace(b"%s", OURS)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b"s\n\n" + HELP, b"s\n\n%s\n\n" + HELP, id="P20 help"),
        pytest.param(b"s\n" + HELP, b"s\n\n%s\n" + HELP, id="P21 help glued to the subject"),
        pytest.param(b"s\n\nA: 1\n\n" + HELP, b"s\n\nA: 1\n%s\n\n" + HELP, id="block, then help"),
        pytest.param(b"s\n\nA: 1\n# c\nB: 2\n", b"s\n\nA: 1\n# c\nB: 2\n%s\n", id="comment inside the block"),
        pytest.param(b"# c\n\ns\n", b"# c\n\ns\n\n%s\n", id="comment above the subject"),
        pytest.param(b"s\n\n# c\n" + DIFF + b"+x\n", b"s\n\n%s\n\n# c\n" + DIFF + b"+x\n", id="P22 diff"),
    ],
)
def test_where_the_line_goes_in_an_editors_file(before: bytes, after: bytes) -> None:
    """Git's help stays at the end of the file, below the link."""
    assert with_link(before, ("", True)) == after.replace(b"%s", OURS)


@pytest.mark.parametrize("body", [b"#42\n", b"# Notes\n", b"body\n\n#hashtag\n"])
def test_a_last_line_that_will_be_kept_stays_above_the_link(body: bytes) -> None:
    """Without an editor a line that begins with # is part of the message, and the trailer comes after it."""
    assert with_link(b"s\n\n" + body) == b"s\n\n" + body + b"\n" + OURS + b"\n"


@pytest.mark.parametrize("comment", [b";", b"%", b"//", "§".encode()])
def test_another_comment_character_is_honoured(comment: bytes) -> None:
    """The link stands above git's help, whatever its lines begin with."""
    text = b"s\n\n" + HELP.replace(b"#", comment)

    assert with_link(text, ("", True), comment) == text.replace(b"s\n", b"s\n\n" + OURS + b"\n", 1)


def test_with_another_comment_character_a_hash_line_below_the_block_is_no_obstacle() -> None:
    """P31: git reads past `# …` behind a block, and the link joins the block."""
    assert with_link(b"s\n\nA: 1\n\n#42\n", comment=b";") == b"s\n\nA: 1\n" + OURS + b"\n\n#42\n"


def test_a_comment_character_that_eats_the_link_leaves_the_message_alone() -> None:
    """With core.commentChar=A git would delete our line: then there is no way, and we say so."""
    assert linked(draft_of(b"s\n", ("", True), b"A"), U, [], os.environ) is None


def test_a_message_that_is_all_cut_away_leaves_no_place() -> None:
    """Below the scissors nothing is put in."""
    assert linked(draft_of(CUT + b"x\n"), U, [], os.environ) is None


def test_amps_own_settings_do_not_take_a_line_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ifexists=replace` with its prefix matching, as Amp sets it, harms nobody's `Amp:` line."""
    monkeypatch.setenv(
        "GIT_CONFIG_PARAMETERS", "'trailer.AmpThread.key=Amp-Thread-ID' 'trailer.AmpThread.ifexists=replace'"
    )

    assert with_link(b"s\n\nAmp: note\n") == b"s\n\nAmp: note\n" + OURS + b"\n"


# The same, in commits that git makes.


@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=messages(), mode=st.sampled_from(["strip", "whitespace", "verbatim"]))
def test_the_commit_has_the_link_last_and_the_other_trailers_as_without_us(repo: Repo, text: bytes, mode: str) -> None:
    """`git log` of the linked commit shows the trailers of the unlinked one, and the link behind them."""
    assume(CUT not in text)  # git cuts only what a template brought in
    draft = draft_of(text, (mode, False))
    seen = trailers(draft.kept(), os.environ)
    changed = linked(draft, U, seen, os.environ)
    assume(changed is not None)
    assert changed is not None
    args = ("--allow-empty-message", f"--cleanup={mode}", "-F", "-")
    without, message = [
        (repo.commit(*args, stdin=one), repo.head("%(trailers:only,unfold)%x00%B"))[1].split("\0")
        for one in (text, changed.text)
    ]

    assert message[0].splitlines() == [*without[0].splitlines(), OURS.decode()]
    put_in(without[1].encode("utf-8", "surrogateescape"), message[1].encode("utf-8", "surrogateescape"))


# The hook, over any message.


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=messages())
def test_the_hook_links_or_refuses_and_a_second_run_changes_nothing(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, agent: Callable[[str], None], text: bytes
) -> None:
    """P46: a message that passes is linked to the thread at work; run again, the hook leaves it byte for byte."""
    monkeypatch.chdir(repo.path)
    agent(PARENT)
    Path("MSG").write_bytes(text)
    first = commit_msg(Call(os.environ, 0, ["MSG"]))
    once = Path("MSG").read_bytes()
    links = [trailer.value for trailer in seen_by_git(cleaned(once, ("", True))) if trailer.ours]

    assert first == 0 or (first == REJECTED and once == text)
    assert first == REJECTED or links[-1:] == [U.encode()] or draft_of(text, ("", True)).untouched(None)
    assert commit_msg(Call(os.environ, 0, ["MSG"])) == first
    assert Path("MSG").read_bytes() == once


# Lines with our key that git does not see.


@pytest.mark.parametrize(
    "line",
    [
        "Amp-Thread-ID: U",
        "amp-thread-id: U",
        "Amp-Thread-ID : U",
        "  Amp-Thread-ID: U",
        "\tAmp-Thread-ID: U",
        "* Amp-Thread-ID: U",
        "- Amp-Thread-ID: U",
        "> Amp-Thread-ID: U",
        "**Amp-Thread-ID**: U",
        "`Amp-Thread-ID`: U",
        "| Amp-Thread-ID: U",
        "# Amp-Thread-ID: U",
        "\u00a0Amp-Thread-ID: U",
        "\ufeffAmp-Thread-ID: U",
        "Amp-Thread-ID:",
    ],
)
def test_our_key_is_found_however_it_is_decorated(line: str) -> None:
    """P06, P11: who pasted the link in the wrong place is told which line it is."""
    assert displaced(f"s\n\n{line}\n\nmore\n".encode()) == [line.encode()]


@pytest.mark.parametrize(
    "line",
    ["", "see Amp-Thread-ID: U", "Amp-Thread-ID-Old: U", "Amp-Thread: U", "Amp-Thread-ID = U", "XAmp-Thread-ID: U"],
)
def test_what_is_not_our_key_is_not_found(line: str) -> None:
    """P10, P54: prose about the key, and keys like it, are nobody's lost link."""
    assert displaced(f"s\n\n{line}\n".encode()) == []


# What the limits of the policy are measured on.


@pytest.mark.parametrize(
    ("text", "subject", "body"),
    [
        pytest.param(b"", "", "", id="nothing"),
        pytest.param(b"s\n", "s", "", id="subject"),
        pytest.param(b"s\n\nb\n", "s", "b", id="body"),
        pytest.param(b"s\nt\n\nb\n\nc\n", "s t", "b\n\nc", id="subject on two lines"),
        pytest.param(b"\n \ns\n\n\n\nb", "s", "b", id="blank lines"),
        pytest.param(b"s\r\n\r\nb\r\nc\r\n", "s", "b\r\nc", id="CRLF"),
        pytest.param("größer\n\nüber\n".encode(), "größer", "über", id="UTF-8"),
        pytest.param(b"caf\xe9\n\n\xfcber\n", "café", "über", id="Latin-1"),
    ],
)
def test_they_are_what_git_shows(repo: Repo, text: bytes, subject: str, body: str) -> None:
    """The subject is `%s` and the body is `%b`, counted in characters."""
    assert subject_and_body(text) == (subject, body)
    if text:
        repo.commit("--cleanup=verbatim", "-F", "-", stdin=text)

        assert (repo.head("%s"), repo.head("%b").strip()) == (subject, body)
