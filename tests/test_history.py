"""Commits as a range names them, told in a way that nobody's settings can bend."""

import hashlib
import os
import resource
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampcommit.batch import Commit
from ampcommit.commits.history import History, Range, opened
from ampcommit.errors import MisuseError, SetupError
from ampcommit.gitcmd import Git
from ampcommit.place import Place
from ampcommit.record import Sha
from tests.conftest import OTHER, PARENT, Repo, examples, once, url
from tests.test_batch import content, fork, history, looked_at, relaxed, said, save, stand_in, written

LINK = f"Amp-Thread-ID: {url(PARENT)}"
SECOND = f"Amp-Thread-ID: {url(OTHER)}"
EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # the tree without files

Told = tuple[bytes, bytes, bytes]


def told(found: History, range_: Range) -> list[Told]:
    """Return all that is told of a range, after checking that no piece of it is empty."""
    pieces = list(found.told(range_))
    assert all(pieces)
    return [one for piece in pieces for one in piece]


def ids_of(found: History, range_: Range) -> list[str]:
    """Return the ids of the commits of a range."""
    return [one[0].decode() for one in told(found, range_)]


def ids(path: Path, text: str) -> list[str]:
    """Return the ids that *text* names."""
    with history(path) as found:
        return ids_of(found, found.named(text))


@pytest.fixture
def forked(repo: Repo) -> Repo:
    """Two branches with two commits each, `main` and `side`, and a file with lines that both may change."""
    return once(repo, fork)


# Ranges.

RANGES = {
    "base..HEAD": ["base..HEAD"],
    "base..": ["base..HEAD"],
    "main..side": ["main..side"],
    "main...side": ["main...side"],
    "...side": ["main...side"],
    "v1..v2": ["base..side"],
    "HEAD": ["-1", "HEAD"],
    "main~1": ["-1", "main~1"],
    "v2": ["-1", "side"],
    "base": ["-1", "base"],
    ":/Save a": ["-1", "side~1"],
    "HEAD^!": ["-1", "HEAD"],
    "v2^!": ["-1", "side"],
    "base^!": ["-1", "base"],
    "HEAD^-": ["HEAD^..HEAD"],
    "HEAD..HEAD": ["HEAD..HEAD"],
    "HEAD..base": ["HEAD..base"],
}


@pytest.mark.parametrize(("text", "expected"), RANGES.items(), ids=RANGES)
def test_a_range_is_what_git_log_lists(forked: Repo, text: str, expected: list[str]) -> None:
    """V01: two dots, three dots, tags, one commit or none: what git calls by this name, in git's order."""
    forked("tag", "-a", "-m", "first", "v1", "base")
    forked("tag", "-a", "-m", "second", "v2", "side")

    assert ids(forked.path, text) == forked("log", "--format=%H", *expected).split()


def test_a_merge_by_itself_is_one_commit(forked: Repo) -> None:
    """V01, V07: one revision is that commit alone; a range has both sides of a merge, each commit once."""
    forked("merge", "-q", "--no-edit", "side")

    assert ids(forked.path, "HEAD") == ids(forked.path, "HEAD^!") == [forked.head()]
    assert len(set(ids(forked.path, "base..HEAD"))) == len(ids(forked.path, "base..HEAD")) == 5
    assert ids(forked.path, "HEAD^-") == [forked.head(), *forked("rev-list", "base..side").split()]


def test_a_range_says_where_it_starts(forked: Repo) -> None:
    """The commit on the left of the dots is known, because its policy counts; a commit alone has none."""
    with history(forked.path) as found:
        main, side = forked("rev-parse", "main"), forked("rev-parse", "side")

        assert found.named("main..side").base == found.named("main...side").base == found.named("..side").base == main
        assert found.named("side..main").base == side
        assert found.named("main^-").base == forked("rev-parse", "main^")
        assert [found.named(text).base for text in ("main", "main^!", "base", "base^!")] == [None] * 4


NONSENSE = ["", "-x", "--all", "--output=x", "-n1", "--", "^HEAD", "HEAD^@", "a\0b", "nosuch", "nosuch..HEAD"]
NONSENSE += ["HEAD..nosuch", "HEAD^99", "HEAD^{tree}", "HEAD^{tree}..HEAD", "HEAD:a.txt", "HEAD..HEAD:a.txt", "a.txt"]
NONSENSE += ["..", "0" * 40, "0" * 40 + "..HEAD", "HEAD base", "HEAD\n", "x" * 5000, "@{u}..", "..--all"]


@pytest.mark.parametrize("text", NONSENSE, ids=ascii)
def test_what_names_no_commits_is_a_misuse(repo: Repo, text: str) -> None:
    """S05, S06: it is exit 2 with a hint, never an option of git's, and never the same as no findings."""
    save(repo, a="1")
    with pytest.raises(MisuseError) as caught:
        ids(repo.path, text)

    assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)
    assert not (repo.path / "x").exists()


AMBIGUOUS = ["both", "both~1", "both^", "both^!", "both@{0}", "HEAD..both", "both..", "base...both", "HEAD^..both^"]


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_a_name_of_two_refs_is_refused(forked: Repo, text: str) -> None:
    """A tag that somebody pushed must not stand for the branch that is meant: git would take it, and only warn."""
    forked("branch", "both", "side")
    forked("tag", "both", "main")
    with pytest.raises(
        MisuseError, match=r"'both' is the name of 2 refs here: refs/heads/both, refs/tags/both"
    ) as caught:
        ids(forked.path, text)

    assert "refs/heads/both" in caught.value.hint


def test_the_head_of_a_remote_is_a_ref_too(forked: Repo) -> None:
    """Git takes `both` for `refs/remotes/both/HEAD`, too: with a branch of that name nobody knows what is meant."""
    forked("branch", "both", "side")
    forked("update-ref", "refs/remotes/both/HEAD", "main")
    with pytest.raises(MisuseError, match="is the name of 2 refs here: refs/heads/both, refs/remotes/both/HEAD"):
        ids(forked.path, "base..both")


def test_a_ref_that_looks_like_an_id_is_refused(forked: Repo) -> None:
    """A tag called like an abbreviated id must not stand for that commit; in full it may be named."""
    name = forked.head()[:7]
    forked("tag", name, "base")
    with pytest.raises(MisuseError, match="looks like an id, and is the name of a ref here"):
        ids(forked.path, f"base..{name}")

    assert ids(forked.path, f"refs/tags/{name}") == [forked("rev-parse", "base")]


def test_a_damaged_object_is_no_wrong_name(repo: Repo) -> None:
    """What is named is here, and cannot be read: exit 3, for the clone is what must be mended."""
    save(repo, a="1")
    broken = repo.head()
    save(repo, a="2")
    file = repo.path / ".git" / "objects" / broken[:2] / broken[2:]
    file.chmod(0o644)
    file.write_bytes(b"damaged")
    with pytest.raises(SetupError) as caught:
        ids(repo.path, broken)

    assert (caught.value.exit_code, "missing or damaged" in caught.value.hint) == (3, True)


def test_a_name_that_is_said_in_full_is_no_doubt(forked: Repo) -> None:
    """The full name of a ref, or an id, is what it is, whatever else is called alike."""
    forked("branch", "both", "side")
    forked("tag", "both", "main")
    main, side = forked("rev-parse", "main"), forked("rev-parse", "side")
    for name in (main, "refs/tags/HEAD"):
        forked("update-ref", f"refs/heads/{name}", "base")

    assert ids(forked.path, "refs/heads/both") == ids(forked.path, "heads/both") == [side]
    assert ids(forked.path, "refs/tags/both") == ids(forked.path, main) == ids(forked.path, "HEAD") == [main]
    assert ids(forked.path, "main..side") == forked("rev-list", "main..side").split()


def test_a_repository_without_commits_has_none_to_check(repo: Repo) -> None:
    """An unborn branch is no commit."""
    with pytest.raises(MisuseError):
        ids(repo.path, "HEAD")


ODD_NAMES = ["nosuch", "", "-x", "^HEAD", "HEAD..HEAD", "HEAD^{tree}", "0" * 40]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_of_no_commit_stands_for_none(repo: Repo, name: str) -> None:
    """Whoever asks decides what that means."""
    save(repo, a="1")
    with history(repo.path) as found:
        assert found.commit(name) is None
        assert found.commit("HEAD") == repo.head()


def test_what_a_commit_has_at_a_path_is_known(repo: Repo) -> None:
    """A file has an id, whatever is no file here has none; an id is here or not, of whatever it is."""
    head, blob = save(repo, a="1"), repo("rev-parse", "HEAD:a.txt")
    with history(repo.path) as found:
        assert found.blob(Sha(head), "a.txt") == blob
        assert found.blob(Sha(head), "b.txt") is None
        assert found.blob(Sha("0" * 40), "a.txt") is None
        assert [found.exists(Sha(one)) for one in (head, blob, "0" * 40)] == [True, True, False]


def test_the_branch_is_what_head_is(repo: Repo) -> None:
    """It has a name before its first commit, in whatever bytes; a commit that is checked out has none."""
    with history(repo.path) as found:
        assert found.branch() == "refs/heads/main"
        repo("symbolic-ref", "HEAD", os.fsdecode(b"refs/heads/caf\xe9"))
        assert found.branch() == "refs/heads/caf\udce9"
        save(repo, a="1")
        repo("checkout", "-q", "--detach")
        assert found.branch() == ""


def test_refs_are_listed_by_where_they_are(forked: Repo) -> None:
    """What refs of one kind name is known; other kinds are not among them."""
    with history(forked.path) as found:
        assert found.under("refs/heads/") == [forked("rev-parse", "main"), forked("rev-parse", "side")]
        assert found.under("refs/remotes/") == []


def test_a_range_knows_where_it_starts_and_ends(forked: Repo) -> None:
    """Tips are the commits that a range ends with; one that leaves nothing out goes back to the beginning."""
    main, side = forked("rev-parse", "main"), forked("rev-parse", "side")
    with history(forked.path) as found:
        assert (found.named("main..side").tips, found.named("main..side").bounded) == ([side], True)
        assert (set(found.named("main...side").tips), found.named("main...side").bounded) == ({main, side}, True)
        assert (found.named("main").tips, found.named("main").bounded) == ([main], False)
        assert found.everything().bounded is False


# Everything.


def test_everything_is_what_branches_tags_and_head_reach(forked: Repo, tmp_path: Path) -> None:
    """Local and remote branches, tags and a detached HEAD count, each commit once; notes and stashes do not."""
    forked("clone", "-q", str(forked.path), str(tmp_path / "clone"))
    clone = Repo(tmp_path / "clone")
    clone("checkout", "-q", "--orphan", "other")
    save(clone, a="tagged")
    clone("tag", "-a", "-m", "x", "annotated")
    clone("checkout", "-q", "--detach", "origin/main")
    save(clone, a="detached")
    clone("branch", "-D", "other")
    clone("notes", "add", "-m", "a note")
    (clone.path / "a.txt").write_text("stashed")
    clone("stash", "-q")
    with history(clone.path) as found:
        everything = ids_of(found, found.everything())

    assert sorted(everything) == sorted(clone("rev-list", "--branches", "--remotes", "--tags", "HEAD").split())
    assert len(everything) == 7


def test_a_repository_without_commits_has_nothing(repo: Repo) -> None:
    """Nothing is asked for where there is nothing."""
    with history(repo.path) as found:
        assert found.everything().revisions == []
        assert told(found, found.everything()) == []


def tag_all(repo: Repo) -> None:
    """Tag a commit, a file and a tree, each by itself, by a tag with a text, and by a tag of that tag."""
    for name in ("HEAD^", "HEAD:shared.txt", "HEAD^{tree}"):
        word = name.encode().hex()
        repo("tag", f"light-{word}", name)
        repo("tag", "-a", "-m", "x", f"tag-{word}", name)
        repo("tag", "-a", "-m", "x", f"nested-{word}", f"tag-{word}")


def test_tags_may_name_anything(forked: Repo) -> None:
    """What is no commit is passed over, also where only a part of everything is asked for."""
    expected, base = forked("rev-list", "--branches").split(), forked("rev-parse", "base")
    tag_all(forked)
    with history(forked.path) as found:
        everything = found.everything()
        assert sorted(ids_of(found, everything)) == sorted(expected)
        assert sorted(everything.tips) == sorted(forked("rev-parse", "main", "side", "main^", "base").split())
        assert split(found, everything, base)[1] == [base]


def test_only_tags_of_files_are_nothing(repo: Repo) -> None:
    """A repository whose refs name no commit has none to check."""
    repo("tag", "file", repo("hash-object", "-w", "--stdin", stdin=b"x"))
    with history(repo.path) as found:
        assert told(found, found.everything()) == []


def test_a_branch_whose_commit_is_gone_is_explained(repo: Repo) -> None:
    """A broken ref is no empty history."""
    save(repo, a="1")
    (repo.path / ".git" / "refs" / "heads" / "broken").write_text("1234" * 10 + "\n")
    with history(repo.path) as found, pytest.raises(SetupError) as caught:
        found.everything()

    assert caught.value.hint


# A range in two parts.


def chain(repo: Repo, count: int) -> list[Sha]:
    """Return *count* commits in a row, the newest last; `main` is the last one."""
    commits = written(repo, chained([b"%d\n" % number for number in range(count)]))
    repo("update-ref", "refs/heads/main", commits[-1])
    return commits


def chained(messages: list[bytes]) -> Iterator[bytes]:
    """Yield commits in a row with these messages, each a second after its parent."""
    parent = b""
    for number, message in enumerate(messages):
        yield (raw := made(message, [parent] if parent else [], 1_500_000_000 + number))
        parent = id_of(raw)


def made(message: bytes, parents: list[bytes], date: int) -> bytes:
    """Return a commit without files."""
    over = b"".join(b"parent %b\n" % parent for parent in parents)
    person = b"T <t@example.com> %d +0000" % date
    return b"tree %b\n%bauthor %b\ncommitter %b\n\n%b" % (EMPTY.encode(), over, person, person, message)


def id_of(raw: bytes) -> bytes:
    """Return the id that git gives to a commit."""
    return hashlib.sha1(b"commit %d\0%b" % (len(raw), raw), usedforsecurity=False).hexdigest().encode()


def split(found: History, range_: Range, end: str) -> tuple[list[str], list[str]]:
    """Return the ids in both parts of a range, after checking that they are the range and have nothing in common."""
    whole = ids_of(found, range_)
    after, before = (ids_of(found, part) for part in found.parted(range_, Sha(end)))

    assert sorted(whole) == sorted(after + before)
    return after, before


@pytest.mark.parametrize("end", range(10))
def test_a_line_is_parted_at_a_commit(repo: Repo, end: int) -> None:
    """That commit and what is older are one part, what is newer the other; what is not in the range is in neither."""
    commits = chain(repo, 10)
    newest = commits[::-1]
    with history(repo.path) as found:
        assert split(found, found.everything(), commits[end]) == (newest[: 9 - end], newest[9 - end :])
        after, before = split(found, Range([commits[8], f"^{commits[3]}"]), commits[end])

    assert sorted(after) == sorted(commits[max(4, end + 1) : 9])
    assert sorted(before) == sorted(commits[4 : min(end, 8) + 1])


def test_a_merge_has_ancestors_on_both_sides(forked: Repo) -> None:
    """What an earlier commit frees is itself and all its ancestors, and of the other side nothing."""
    forked("merge", "-q", "--no-edit", "side")
    side, base = forked("rev-parse", "side"), forked("rev-parse", "base")
    with history(forked.path) as found:
        after, before = split(found, found.named("base..HEAD"), side)
        assert before == forked("rev-list", "base..side").split()
        assert after == forked("rev-list", "^side", "HEAD").split()
        assert split(found, found.everything(), forked.head())[0] == []
        assert split(found, found.everything(), base)[1] == [base]


def test_a_commit_that_is_not_reached_frees_what_it_shares(forked: Repo) -> None:
    """An exemption may name a commit of another branch; one that shares nothing frees nothing."""
    base, main = forked("rev-parse", "base"), forked("rev-parse", "main")
    (alien,) = said(forked, (b"alien\n", b""))
    with history(forked.path) as found:
        assert split(found, Range([main]), forked("rev-parse", "side"))[1] == [base]
        assert split(found, Range([main]), alien)[1] == []
        assert split(found, found.named("base..main"), forked("rev-parse", "side"))[1] == []


def test_commits_by_themselves_are_parted_one_by_one(forked: Repo) -> None:
    """Where single commits were named, the others before them stay out of both parts."""
    side, base, main = (Sha(forked("rev-parse", name)) for name in ("side", "base", "main"))
    with history(forked.path) as found:
        assert split(found, Range([main, side, base], alone=True), side) == ([main], [side, base])
        assert split(found, Range([main], alone=True), side) == ([main], [])
        assert split(found, Range([base], alone=True), side) == ([], [base])


def test_many_tips_are_parted_like_one(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """V06: however many branches or commits there are, git is started once for a thousand of them."""
    tips = said(repo, *[(b"%d\n" % number, b"") for number in range(1100)])
    (end,) = written(repo, [content(repo, b"end\n", parents=tips[990:1010])])
    with history(repo.path) as found:
        for alone in (False, True):
            after, before = split(found, Range(tips, alone=alone), end)
            assert sorted(before) == sorted(tips[990:1010])
            assert len(after) == 1080
        log = stand_in(tmp_path, monkeypatch, 'echo "$*" >> "$log"; exec "$real" "$@"')
        found.parted(Range(tips), end)
        found.parted(Range(tips, alone=True), end)

    assert len(log.read_text().splitlines()) == 3


def test_a_broken_history_is_not_parted(repo: Repo) -> None:
    """A commit that is missing between the two is no reason to think that they have nothing in common."""
    commits = chain(repo, 6)
    loose(repo, commits[3]).unlink()
    with history(repo.path) as found:
        for alone in (False, True):
            with pytest.raises(SetupError) as caught:
                split(found, Range([commits[5]], alone=alone), commits[1])
            assert caught.value.hint


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[list[int]], list[int]]:
    """Make a small history: for each commit its parents among the ones before it, and its date, which may lie."""
    parents: list[list[int]] = [[]]
    for number in range(1, draw(st.integers(2, 9))):
        among = st.integers(0, number - 1)
        parents.append(draw(st.lists(among, max_size=3, unique=True)))
    honest = draw(st.booleans())
    days = [number if honest else draw(st.integers(0, 9)) for number in range(len(parents))]
    return parents, days


def older(parents: list[list[int]], starts: set[int]) -> set[int]:
    """Return *starts* and all their ancestors."""
    found, left = set(), set(starts)
    while left:
        one = left.pop()
        found.add(one)
        left |= set(parents[one]) - found
    return found


@settings(relaxed, max_examples=examples(80))
@given(graphs(), st.data())
def test_each_commit_is_in_one_part(repo: Repo, graph: tuple[list[list[int]], list[int]], data: st.DataObject) -> None:
    """Whatever the history looks like and its dates say: the range is told whole, and its parts are the range."""
    parents, days = graph
    raws: list[bytes] = []
    for number, (those, day) in enumerate(zip(parents, days, strict=True)):
        raws.append(made(b"%d\n" % number, [id_of(raws[one]) for one in those], 1_500_000_000 + 86_400 * day))
    commits = written(repo, raws)
    some = st.sets(st.integers(0, len(commits) - 1), max_size=4)
    tips, without, end = data.draw(some), data.draw(some), data.draw(st.integers(0, len(commits) - 1))
    revisions = [*(commits[one] for one in tips), *(f"^{commits[one]}" for one in without)]
    everything = older(parents, tips) - older(parents, without)
    with history(repo.path) as found:
        whole = ids_of(found, Range(revisions))
        after, before = split(found, Range(revisions), commits[end])
        single = split(found, Range([commits[one] for one in sorted(tips)], alone=True), commits[end])

    assert sorted(whole) == sorted(commits[one] for one in everything)
    assert sorted(before) == sorted(commits[one] for one in everything & older(parents, {end}))
    assert sorted(after) == sorted(commits[one] for one in everything - older(parents, {end}))
    assert sorted(single[1]) == sorted(commits[one] for one in tips & older(parents, {end}))


# What is told.


def test_all_is_told_newest_first(repo: Repo) -> None:
    """The id, the parents in their order, the message as it is: of an octopus, of two roots, of an empty message."""
    one, two, three = said(repo, (b"one\n", b""), (b"two", b""), (b"", b""))
    (octopus,) = written(repo, [made(b"\noctopus\n\n\n", [two.encode(), one.encode(), three.encode()], 1_600_000_000)])
    (last,) = written(repo, [made(b"last\n", [octopus.encode()], 1_700_000_000)])
    with history(repo.path) as found:
        listed = told(found, Range([last]))

    assert listed[:2] == [
        (last.encode(), octopus.encode(), b"last\n"),
        (octopus.encode(), f"{two} {one} {three}".encode(), b"\noctopus\n\n\n"),
    ]
    roots = [(one, b"one\n"), (two, b"two"), (three, b"")]
    assert sorted(listed[2:]) == sorted((root.encode(), b"", message) for root, message in roots)


def test_the_newest_comes_first(repo: Repo) -> None:
    """Commits come as `git log` lists them, and commits by themselves as they were named, each once."""
    root, left, right = written(repo, [made(b"%d\n" % day, [], 1_500_000_000 + day) for day in (1, 4, 3)])
    for day in (5, 8):
        (left,) = written(repo, [made(b"left\n", [left.encode(), root.encode()], 1_500_000_000 + day)])
        (right,) = written(repo, [made(b"right\n", [right.encode()], 1_500_000_000 + day + 1)])
    with history(repo.path) as found:
        assert ids_of(found, Range([left, right])) == repo("log", "--format=%H", left, right).split()
        assert ids_of(found, Range([root, right, left, root], alone=True)) == [root, right, left]


def imported(repo: Repo, messages: list[bytes]) -> None:
    """Make commits in a row with these messages on `main`, the first one oldest."""
    lines = []
    for message in messages:
        lines += [b"commit refs/heads/main", b"committer T <t@example.com> 1500000000 +0000"]
        lines += [b"data %d" % len(message), message]
    repo("fast-import", "--quiet", stdin=b"\n".join([*lines, b""]))


def test_many_commits_and_long_messages_are_told_whole(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P44, V06: 5,000 commits, one with 10 MB and some as long as a pipe: all are there, told by one process."""
    messages = [b"Commit %d\n\n%b\n" % (number, LINK.encode()) for number in range(5000)]
    for number in range(60):
        messages[number * 80] += b"x" * (65_536 * (number % 20) - number * 7)
    messages[2500] += b"y\n" * 5_000_000
    imported(repo, messages)
    log = stand_in(tmp_path, monkeypatch, 'echo "$*" >> "$log"; exec "$real" "$@"')
    with history(repo.path) as found:
        range_ = found.everything()
        log.write_text("")
        pieces = list(found.told(range_))
    listed = [one for piece in pieces for one in piece]

    assert [message for _, _, message in listed] == messages[::-1]
    assert all(parent == before for (_, parent, _), (before, _, _) in pairwise(listed))
    assert len(pieces) > 5
    assert len(log.read_text().splitlines()) == 1


@pytest.mark.parametrize("size", [1, 2, 3, 39, 40, 41, 42, 43, 82, 83, 84, 97, 1000])
def test_a_pipe_may_break_an_answer_anywhere(
    forked: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """However few bytes come at once, no field is cut and none is glued to the next."""
    forked("merge", "-q", "--no-edit", "side")
    forked.commit("-q", "-m", "an end", "-m", LINK)
    with history(forked.path) as found:
        expected = told(found, found.everything())
    script = f'*%P*) "$real" "$@" | dd bs={size} iflag=fullblock 2>/dev/null;; *) exec "$real" "$@";; esac'
    stand_in(tmp_path, monkeypatch, f'case "$*" in {script}')
    with history(forked.path) as found:
        assert told(found, found.everything()) == expected

    assert len(expected) == 7


def test_who_stops_listening_ends_git(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader may leave after the first piece: no process of git's is left behind, and no pipe."""
    imported(repo, [b"%d\n%b" % (number, b"x" * 10_000) for number in range(1000)])
    log = stand_in(tmp_path, monkeypatch, 'echo $$ >> "$log"; exec "$real" "$@"')
    before = os.listdir("/dev/fd")
    with history(repo.path) as found:
        pieces = found.told(found.everything())
        next(pieces)
        process = log.read_text().split()[-1]
        assert (Path("/proc") / process).exists() or not Path("/proc").exists()
        del pieces

        assert not (Path("/proc") / process).exists()
        assert os.listdir("/dev/fd") == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def loose(repo: Repo, one: str) -> Path:
    """Return the file of an object."""
    return repo.path / ".git" / "objects" / one[:2] / one[2:]


def rewrite(path: Path, raw: bytes) -> None:
    """Put *raw* in the place of an object's file, which nobody may write to."""
    path.unlink()
    path.write_bytes(raw)


BREAK: dict[str, Callable[[Path], None]] = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: rewrite(path, b""),
    "cut off": lambda path: rewrite(path, path.read_bytes()[:-9]),
    "rubbish": lambda path: rewrite(path, b"rubbish" * 9),
    "rubbish inside": lambda path: rewrite(path, path.read_bytes()[:20] + b"\0\0\0\0" + path.read_bytes()[24:]),
}


@pytest.mark.parametrize("number", [0, 3, 9], ids=["the first", "in the middle", "the last"])
@pytest.mark.parametrize("harm", BREAK.values(), ids=BREAK)
def test_an_object_that_is_broken_or_missing_is_no_short_list(
    repo: Repo, harm: Callable[[Path], None], number: int
) -> None:
    """A history with a hole is exit 3 with a hint, however much of it could be told."""
    commits = chain(repo, 10)
    range_ = Range([commits[9]])
    with history(repo.path) as found:
        harm(loose(repo, commits[number]))
        with pytest.raises(SetupError) as caught:
            told(found, range_)
        assert (caught.value.exit_code, bool(caught.value.hint)) == (3, True)
        with pytest.raises(SetupError):
            told(found, Range([commits[5], commits[number]], alone=True))


def test_a_tag_in_the_place_of_a_parent_is_no_commit(repo: Repo) -> None:
    """A parent that is a file, or nothing, ends no history."""
    blob = repo("hash-object", "-w", "--stdin", stdin=b"x")
    (newest,) = written(repo, [content(repo, b"s\n", parents=[blob])])
    with history(repo.path) as found, pytest.raises(SetupError):
        told(found, Range([newest]))


ENDINGS = {
    "killed": ('"$real" "$@" | head -c 200; kill -9 $$', "status -9"),
    "failed": ('"$real" "$@"; echo "fatal: no" >&2; exit 128', "fatal: no"),
    "broken off in a message": ('"$real" "$@" | head -c 200', "breaks off"),
    "broken off behind an id": ('"$real" "$@" | head -c 41', "breaks off"),
    "no end of a field": ('"$real" "$@"; printf x', "breaks off"),
}


@pytest.mark.parametrize(("script", "message"), ENDINGS.values(), ids=ENDINGS)
def test_an_answer_that_breaks_off_is_no_short_list(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    """A git that dies, fails or stops half-way has not told all, whatever its status."""
    commits = chain(repo, 10)
    stand_in(tmp_path, monkeypatch, f'case "$*" in *%P*) {script};; *) exec "$real" "$@";; esac')
    with history(repo.path) as found, pytest.raises(SetupError, match=message) as caught:
        told(found, Range([commits[9]]))

    assert caught.value.hint


# Where a repository lies, and what of it is there.


@pytest.fixture
def cut(forked: Repo, tmp_path: Path) -> Path:
    """A clone of `main` that has its newest two commits."""
    forked("clone", "-q", "--depth", "2", f"file://{forked.path}", str(tmp_path / "cut"))
    return tmp_path / "cut"


@pytest.mark.parametrize("text", ["base..HEAD", "{base}..HEAD", "HEAD~1...HEAD~2", "HEAD~2..HEAD", "HEAD^^!"])
def test_a_shallow_clone_says_how_to_mend_it(forked: Repo, cut: Path, text: str) -> None:
    """V02: where the base is not here the surroundings are to blame, exit 3, and the hint names the setting in CI."""
    with pytest.raises(SetupError, match="shallow") as caught:
        ids(cut, text.format(base=forked("rev-parse", "base")) if "base" in text else f"nosuch{text}")

    assert (caught.value.exit_code, "fetch-depth: 0" in caught.value.hint) == (3, True)


def test_a_range_that_ends_where_the_clone_is_cut_is_refused(forked: Repo, tmp_path: Path) -> None:
    """V02: commits that were not fetched would pass unseen, so a range that may have some is not judged."""
    forked("merge", "-q", "--no-edit", "side")
    forked("clone", "-q", "--depth", "2", f"file://{forked.path}", str(tmp_path / "cut"))
    with history(tmp_path / "cut") as found:
        for range_ in (found.named("HEAD^..HEAD"), found.everything()):
            with pytest.raises(SetupError, match="go beyond") as caught:
                told(found, range_)
            assert "fetch-depth: 0" in caught.value.hint


def test_what_a_shallow_clone_has_is_judged(cut: Path) -> None:
    """V03: a range among the commits that are here, and a commit by itself, need no others."""
    repo = Repo(cut)

    assert ids(cut, "HEAD~1..HEAD") == [repo.head()]
    assert ids(cut, "HEAD~1") == [repo("rev-parse", "HEAD~1")]
    with history(cut) as found:
        assert found.shallow
        assert split(found, found.named("HEAD~1..HEAD"), repo("rev-parse", "HEAD~1")) == ([repo.head()], [])
        assert split(found, found.named("HEAD~1..HEAD"), repo.head()) == ([], [repo.head()])


def test_a_deepened_clone_is_judged_as_far_as_it_goes(forked: Repo, cut: Path) -> None:
    """V03: what was fetched later counts; with all of it the clone is not shallow any more."""
    Repo(cut)("fetch", "-q", "--deepen", "1")
    assert len(ids(cut, "HEAD~2..HEAD")) == 2

    Repo(cut)("fetch", "-q", "--unshallow")
    with history(cut) as found:
        assert not found.shallow
        assert sorted(ids_of(found, found.everything())) == sorted(forked("rev-list", "main").split())


def test_a_commit_where_the_clone_is_cut_says_what_it_says_of_itself(forked: Repo, tmp_path: Path) -> None:
    """V02, V03: a merge stays one although git hides its parents; what it changed would need them, and is unknown."""
    forked("merge", "-q", "--no-edit", "side")
    forked("clone", "-q", "--depth", "1", f"file://{forked.path}", str(tmp_path / "cut"))
    (commit,) = looked_at(tmp_path / "cut", "HEAD")

    assert (commit.merge, len(commit.parents)) == (True, 2)
    with history(tmp_path / "cut") as found:
        (commit,) = found.batch(told(found, found.named("HEAD"))).commits
        for question in (commit.paths, commit.own_changes):
            with pytest.raises(SetupError) as caught:
                question()
            assert caught.value.hint


def test_a_partial_clone_needs_no_network_for_messages(forked: Repo, tmp_path: Path) -> None:
    """V04: messages are here although trees or files are not and nobody can be asked; what needs trees says so."""
    forked("merge", "-q", "--no-edit", "side")
    forked("config", "uploadpack.allowFilter", "true")
    expected = forked("rev-list", "base..HEAD").split()
    for name in ("tree:0", "blob:none"):
        forked("clone", "-q", "--bare", f"--filter={name}", f"file://{forked.path}", str(tmp_path / name))
    forked.path.rename(tmp_path / "away")
    with history(tmp_path / "tree:0") as found:
        commits = found.batch(told(found, found.named("base..HEAD"))).commits
        assert [commit.id for commit in commits] == expected
        assert len(ids_of(found, found.everything())) == 6
        for question in (commits[0].paths, commits[0].own_changes):
            with pytest.raises(SetupError):
                question()
    with history(tmp_path / "blob:none") as found:
        commits = found.batch(told(found, found.named("base..HEAD"))).commits
        assert commits[0].paths() == ["a.txt", "shared.txt"]


def test_every_kind_of_repository_has_a_history(forked: Repo, tmp_path: Path) -> None:
    """V05, V10: a folder inside, a linked work tree, a bare clone, one that borrows its objects."""
    expected = forked("rev-list", "base..side").split()
    (forked.path / "sub").mkdir()
    forked("worktree", "add", "-q", str(tmp_path / "linked"), "side")
    forked("clone", "-q", "--bare", str(forked.path), str(tmp_path / "bare"))
    forked("clone", "-q", "--shared", str(forked.path), str(tmp_path / "borrowing"))
    forked("clone", "-q", "--shared", str(tmp_path / "borrowing"), str(tmp_path / "twice"))
    forked("pack-refs", "--all")
    forked("repack", "-q", "-a", "-d")

    assert ids(forked.path / "sub", "base..side") == expected
    assert ids(tmp_path / "linked", "base..HEAD") == expected
    assert ids(tmp_path / "bare", "base..side") == expected
    assert ids(tmp_path / "borrowing", "base..origin/side") == expected
    assert ids(tmp_path / "twice", f"base..{expected[0]}") == expected


def test_long_ids_are_ids(tmp_path: Path) -> None:
    """E35: a repository with SHA-256 has a history like any other."""
    subprocess.run(["git", "init", "-q", "--object-format=sha256", str(tmp_path / "long")], check=True)
    repo = Repo(tmp_path / "long")
    first, second = save(repo, a="1"), save(repo, a="2")
    (commit,) = looked_at(repo.path, "HEAD^..HEAD")

    assert ((commit.id, commit.parents), len(commit.id)) == ((second, [first]), 64)
    with history(repo.path) as found:
        assert split(found, found.everything(), first) == ([second], [first])


def test_objects_in_quarantine_are_seen(forked: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a push brings lies apart until the hooks of the server agree; git says where in the environment."""
    store = forked.path / ".git" / "objects"
    (tmp_path / "incoming").mkdir()
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "incoming"))
    monkeypatch.setenv("GIT_ALTERNATE_OBJECT_DIRECTORIES", str(store))
    (pushed,) = said(forked, (b"Pushed\n", b""))

    assert not (store / pushed[:2] / pushed[2:]).exists()
    assert looked_at(forked.path, pushed)[0].message == b"Pushed\n"
    assert ids(forked.path, "base..side")


def test_nothing_is_written_and_no_home_is_needed(
    forked: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """V05: a repository that nobody may write to is read by somebody without a home, and no folder is left behind."""
    bare = tmp_path / "bare"
    forked("clone", "-q", "--bare", str(forked.path), str(bare))

    def everything() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in (bare, *bare.rglob("*"))}

    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    for path in (bare, *bare.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = everything()
    environ = {"PATH": os.environ["PATH"]}
    try:
        with opened(Place.of_folder(Git(str(bare), environ)), environ) as found:
            assert len(ids_of(found, found.named("base..main"))) == 2
            assert len(list((tmp_path / "tmp").iterdir())) == 1
        with pytest.raises(MisuseError):
            ids(bare, "nosuch")
        assert everything() == before
        assert list((tmp_path / "tmp").iterdir()) == []
    finally:
        for path in (bare, *bare.rglob("*")):
            path.chmod(0o755)


def test_without_a_temporary_folder_there_is_no_history(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only disk is explained."""
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    with pytest.raises(SetupError, match="temporary") as caught:
        ids(repo.path, "HEAD")

    assert "TMPDIR" in caught.value.hint


def test_a_full_disk_is_explained(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder that takes no file is explained, too, and removed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place = Place.of_folder(Git(str(repo.path)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(SetupError, match="temporary folder: File too large") as caught, opened(place, os.environ):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert "TMPDIR" in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["repo"]


# Nobody bends it.


def graph_of(repo: Repo) -> Path:
    """Let git note the parents of all commits in a file of its own, and return it."""
    repo("commit-graph", "write", "--reachable")
    path = repo.path / ".git" / "objects" / "info" / "commit-graph"
    path.chmod(0o644)
    return path


def test_a_graph_that_lies_is_not_believed(repo: Repo) -> None:
    """S13: git takes parents from its commit-graph where there is one, and asks nobody whether that is true."""
    commits = chain(repo, 10)
    path = graph_of(repo)
    raw, order = path.read_bytes(), sorted(commits)
    (start,) = struct.unpack_from(">Q", raw, raw.index(b"CDAT") + 4)  # of entries of 36 bytes, the tree first
    at = start + 36 * order.index(commits[9]) + 20
    path.write_bytes(raw[:at] + struct.pack(">I", order.index(commits[0])) + raw[at + 4 :])

    assert repo("rev-list", "main").split() == [commits[9], commits[0]]
    with history(repo.path) as found:
        assert ids_of(found, found.everything()) == commits[::-1]
        assert split(found, found.everything(), commits[5]) == (commits[:5:-1], commits[5::-1])
        assert split(found, Range(commits, alone=True), commits[5]) == (commits[6:], commits[:6])


@pytest.mark.parametrize("raw", [b"", b"CGPH", b"rubbish" * 200], ids=["empty", "cut off", "rubbish"])
def test_a_graph_that_is_broken_is_not_missed(repo: Repo, raw: bytes) -> None:
    """What is broken beside the commits is no reason not to read them."""
    commits = chain(repo, 5)
    graph_of(repo).write_bytes(raw)
    with history(repo.path) as found:
        assert ids_of(found, Range([commits[4]])) == commits[::-1]


EVIL = {
    "log.showSignature": "true",
    "gpg.program": "{evil}",
    "log.mailmap": "true",
    "log.follow": "true",
    "log.date": "relative",
    "log.diffMerges": "combined",
    "log.excludeDecoration": "*",
    "format.pretty": "oneline",
    "format.notes": "true",
    "notes.displayRef": "refs/notes/*",
    "color.ui": "always",
    "core.pager": "{evil}",
    "pager.log": "{evil}",
    "core.fsmonitor": "{evil}",
    "core.hooksPath": "/nonexistent",
    "core.commentChar": "A",
    "core.quotePath": "false",
    "core.attributesFile": "{attributes}",
    "diff.external": "{evil}",
    "diff.evil.textconv": "{evil}",
    "diff.evil.command": "{evil}",
    "diff.ignoreSubmodules": "all",
    "diff.orderFile": "/nonexistent",
    "diff.noprefix": "true",
    "diff.context": "50",
    "i18n.logOutputEncoding": "UTF-16",
    "i18n.commitEncoding": "UTF-7",
    "trailer.separators": "=",
    "trailer.ifexists": "replace",
    "trailer.note.key": "Note",
    "trailer.evil.command": "{evil}",
    "trailer.amp.key": "Amp-Thread-ID",
    "trailer.ifmissing": "doNothing",
    "alias.log": "!{evil}",
    "alias.rev-list": "!{evil}",
}
# With the key `Note` configured, one of four lines is a trailer of note for git, and all four are a block.
P05 = f"s\n\nprose\nprose\nprose\nNote: x\n{LINK}\n"


@pytest.fixture
def bent(forked: Repo, monkeypatch: pytest.MonkeyPatch) -> Repo:
    """A repository whose configuration, environment, attributes and replacements all lie."""
    forked.commit("-q", "-m", "Say something", "-m", LINK)
    forked.commit("-q", "-m", P05)
    (forked.path / "b.txt").write_text("2")
    forked("add", "-A")
    forked("update-index", "--add", "--cacheinfo", f"160000,{forked.head()},module")
    forked.commit("-q", "-m", "Add a module", "-m", "Amp-Thread-ID=x")
    forked("merge", "-q", "--no-edit", "side")
    signed = (f"Sign it\n\n{LINK}\n".encode(), b"gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END\n")
    forked("update-ref", "refs/heads/main", *said(forked, signed, parents=[forked.head()]))
    evil, attributes = forked.path / ".git" / "evil", forked.path / ".git" / "info" / "attributes"
    evil.write_text(f"#!/bin/sh\ntouch '{forked.path}/ran'\n")
    evil.chmod(0o755)
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text("* diff=evil\n*.txt binary\n")
    for key, value in EVIL.items():
        # Not by `git config`, which would read it first.
        with (forked.path / ".git" / "config").open("a") as file:
            section, _, rest = key.partition(".")
            middle, _, name = rest.rpartition(".")
            heading = f'[{section} "{middle}"]' if middle else f"[{section}]"
            file.write(f'{heading}\n\t{name} = "{value.format(evil=evil, attributes=attributes)}"\n')
    monkeypatch.setenv("GIT_COMMON_DIR", str(forked.path / ".git"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "trailer.separators")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "%")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.commentchar=S'")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(evil))
    monkeypatch.setenv("GIT_DIFF_OPTS", "--unified=50")
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    monkeypatch.setenv("GIT_NOTES_DISPLAY_REF", "refs/notes/*")
    monkeypatch.setenv("GIT_PAGER", str(evil))
    return forked


def known(path: Path) -> list[object]:
    """Return all that can be known of the commits since `base`."""
    with history(path) as found:
        commits = found.batch(told(found, found.named("base..HEAD"))).commits
        return [(*seen(commit), commit.paths(), commit.own_changes()) for commit in commits]


def seen(commit: Commit) -> tuple[object, ...]:
    """Return what a commit says."""
    trailers = [(trailer.key, trailer.value) for trailer in commit.trailers]
    return commit.id, commit.parents, commit.message, trailers


def test_nobodys_configuration_counts(bent: Repo, tmp_path: Path) -> None:
    """S11, S12, V12, P05, P56, P57: with 35 hostile settings and a bent environment all is as in a clean clone."""
    (tmp_path / "clean").mkdir()
    found = known(bent.path)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("GIT_")]:
            patch.delenv(name)
        subprocess.run(["git", "init", "-q"], cwd=tmp_path / "clean", check=True)
        clone = Repo(tmp_path / "clean")
        (clone.path / ".git" / "objects" / "info" / "alternates").write_text(f"{bent.path}/.git/objects\n")
        for name in ("heads/main", "tags/base"):
            clone("update-ref", f"refs/{name}", (bent.path / ".git" / "refs" / name).read_text().strip())
        expected = known(clone.path)

    assert found == expected
    assert (len(found), len(EVIL)) == (9, 35)
    assert not (bent.path / "ran").exists()
    bent.run("log", "-1", ok=False)  # that they are hostile shows where git is asked without care
    assert (bent.path / "ran").exists()


def test_replacements_and_grafts_do_not_count(forked: Repo) -> None:
    """S13: the commits themselves are judged, not what stands in for them in one clone."""
    commits = ids(forked.path, "base..HEAD")
    forked("replace", commits[0], *said(forked, (f"Nice\n\n{LINK}\n".encode(), b"")))
    (forked.path / ".git" / "info").mkdir(exist_ok=True)
    (forked.path / ".git" / "info" / "grafts").write_text(f"{commits[0]} {forked('rev-parse', 'base')}\n")

    assert forked.head("%s") == "Nice"
    assert ids(forked.path, "base..HEAD") == commits
    assert looked_at(forked.path, "HEAD")[0].message == b"Save shared\n"
    with history(forked.path) as found:
        after, before = split(found, found.everything(), commits[1])
        assert (after[0], before) == (commits[0], [commits[1], forked("rev-parse", "base")])


@pytest.mark.parametrize(("text", "refs"), [("{}..HEAD", 2), ("HEAD~1..{}~0", 2), ("{}@{{0}}", 2), ("{}", 3)])
def test_a_name_that_two_refs_have_is_refused(repo: Repo, text: str, refs: int) -> None:
    """S07: a tag that somebody pushed does not stand for the branch that is meant; its full name is understood."""
    repo.commit("-m", "first")
    repo.commit("-m", "second")
    for kind in ("remotes", "tags", "heads")[:refs]:
        repo("update-ref", f"refs/{kind}/origin/main", "HEAD~1")
    with history(repo.path) as found, pytest.raises(MisuseError, match=f"{refs} refs here") as caught:
        found.named(text.format("origin/main"))

    assert "refs/" in caught.value.hint
    with history(repo.path) as found:
        assert len(found.named("refs/remotes/origin/main..HEAD").revisions) == 2
        assert found.named(repo.head()).tips == [repo.head()]
