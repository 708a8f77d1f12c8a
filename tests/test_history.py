"""Commits as a range names them, read in a way that nobody's settings can bend."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ampcommit.errors import AmpcommitError, GitError, MisuseError, SetupError
from ampcommit.gitcmd import Git, clean
from ampcommit.history import BATCH, Commit, History, Range, opened
from ampcommit.place import Place
from ampcommit.record import Sha
from tests.conftest import OTHER, PARENT, Repo, url

LINK = f"Amp-Thread-ID: {url(PARENT)}"
SECOND = f"Amp-Thread-ID: {url(OTHER)}"
SCISSORS = "# ------------------------ >8 ------------------------"
LINKS = "--format=%(trailers:key=Amp-Thread-ID,valueonly,unfold)"


@contextmanager
def history(path: Path) -> Iterator[History]:
    """Open the history of the repository at *path*."""
    with opened(Place.of_folder(Git(str(path))), os.environ) as found:
        yield found


def listed(path: Path, text: str) -> list[Commit]:
    """Return the commits that *text* names."""
    with history(path) as found:
        return list(found.commits(found.named(text)))


def ids(path: Path, text: str) -> list[str]:
    """Return the ids that *text* names."""
    return [commit.id for commit in listed(path, text)]


def raw(repo: Repo, content: bytes) -> Sha:
    """Write *content* as a commit object, whatever git thinks of it."""
    return Sha(repo("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=content))


def said(repo: Repo, message: bytes, header: bytes = b"") -> Sha:
    """Write a root commit with exactly this message."""
    tree = repo("mktree", stdin=b"").encode()
    person = b"T <t@example.com> 1500000000 +0000"
    return raw(repo, b"tree %b\nauthor %b\ncommitter %b\n%b\n%b" % (tree, person, person, header, message))


def one(repo: Repo, commit: str) -> Commit:
    """Return one commit."""
    (found,) = listed(repo.path, commit)
    return found


def links(commit: Commit) -> list[bytes]:
    """Return the values of our trailer."""
    return [trailer.value for trailer in commit.trailers if trailer.ours]


def save(repo: Repo, **files: str) -> str:
    """Commit *files* (a file name without its ending, and the content) and return the id."""
    for name, text in files.items():
        (repo.path / f"{name}.txt").write_text(text)
    repo("add", "-A")
    repo.commit("-q", "-m", f"Save {' '.join(files)}")
    return repo.head()


def merged(repo: Repo, *options: str) -> str:
    """Merge the branch `side` without its last step, and conclude it; return the id."""
    repo("merge", "-q", "--no-ff", "--no-commit", *options, "side")
    return repo.head()


@pytest.fixture
def forked(repo: Repo) -> Repo:
    """Two branches with two commits each, `main` and `side`, and a file with lines that both may change."""
    save(repo, shared="\n".join(map(str, range(20))), gone="x\n" * 9)
    repo("tag", "base")
    repo("checkout", "-q", "-b", "side")
    save(repo, a="1")
    save(repo, shared="\n".join(map(str, range(20))).replace("\n10\n", "\nten\n"))
    repo("checkout", "-q", "main")
    save(repo, b="1")
    save(repo, shared="\n".join(map(str, range(20))).replace("\n13\n", "\nthirteen\n"))
    return repo


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
        listed(repo.path, text)

    assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)
    assert not (repo.path / "x").exists()


def test_a_repository_without_commits_has_none_to_check(repo: Repo) -> None:
    """An unborn branch is no commit."""
    with pytest.raises(MisuseError):
        listed(repo.path, "HEAD")


def test_ancestors_are_told_from_the_rest(forked: Repo) -> None:
    """Which commits of a range an earlier commit frees: itself and its ancestors, on both sides of a merge."""
    forked("merge", "-q", "--no-edit", "side")
    with history(forked.path) as found:
        range_ = found.named("base..HEAD")
        end = found.commit("side")
        assert end

        assert found.up_to(end, range_) == set(forked("rev-list", "base..side").split())
        assert found.up_to(end, found.named("HEAD")) == set()
        assert found.up_to(end, found.named("side")) == {end}


@pytest.mark.parametrize("name", ["nosuch", "", "-x", "^HEAD", "HEAD..HEAD", "HEAD^{tree}", "0" * 40])
def test_a_name_of_no_commit_stands_for_none(repo: Repo, name: str) -> None:
    """Whoever asks decides what that means."""
    save(repo, a="1")
    with history(repo.path) as found:
        assert found.commit(name) is None
        assert found.commit("HEAD") == repo.head()


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
        listed(cut, text.format(base=forked("rev-parse", "base")) if "base" in text else f"nosuch{text}")

    assert (caught.value.exit_code, "fetch-depth: 0" in caught.value.hint) == (3, True)


def test_a_range_that_ends_where_the_clone_is_cut_is_refused(forked: Repo, tmp_path: Path) -> None:
    """V02: commits that were not fetched would pass unseen, so a range that may have some is not judged."""
    forked("merge", "-q", "--no-edit", "side")
    forked("clone", "-q", "--depth", "2", f"file://{forked.path}", str(tmp_path / "cut"))
    with pytest.raises(SetupError, match="goes beyond"):
        listed(tmp_path / "cut", "HEAD^..HEAD")


def test_what_a_shallow_clone_has_is_judged(cut: Path) -> None:
    """V03: a range among the commits that are here, and a commit by itself, need no others."""
    repo = Repo(cut)

    assert ids(cut, "HEAD~1..HEAD") == [repo.head()]
    assert ids(cut, "HEAD~1") == [repo("rev-parse", "HEAD~1")]
    assert len(one(repo, "HEAD~1").parents) == 1  # as the commit itself says
    with history(cut) as found:
        assert found.shallow


def test_what_changed_is_not_known_where_the_parent_is_missing(cut: Path) -> None:
    """V02: an answer that would need a commit that is not here is no answer, and no empty one."""
    with history(cut) as found:
        (commit,) = found.commits(found.named("HEAD~1"))
        with pytest.raises(SetupError) as caught:
            commit.paths()

    assert caught.value.hint


def test_a_partial_clone_needs_no_network_for_messages(forked: Repo, tmp_path: Path) -> None:
    """V04: messages are here although trees are not and nobody can be asked; what needs trees says so."""
    forked("merge", "-q", "--no-edit", "side")
    forked("config", "uploadpack.allowFilter", "true")
    forked("clone", "-q", "--bare", "--filter=tree:0", f"file://{forked.path}", str(tmp_path / "partial"))
    expected = forked("rev-list", "base..HEAD").split()
    forked.path.rename(tmp_path / "away")
    with history(tmp_path / "partial") as found:
        commits = list(found.commits(found.named("base..HEAD")))
        assert [commit.id for commit in commits] == expected
        for question in (commits[0].paths, commits[0].own_changes):
            with pytest.raises(SetupError):
                question()


def test_every_kind_of_repository_has_a_history(forked: Repo, tmp_path: Path) -> None:
    """V05, V10: a folder inside, a linked work tree, a bare clone, one that borrows its objects."""
    expected = forked("rev-list", "base..side").split()
    (forked.path / "sub").mkdir()
    forked("worktree", "add", "-q", str(tmp_path / "linked"), "side")
    forked("clone", "-q", "--bare", str(forked.path), str(tmp_path / "bare"))
    forked("clone", "-q", "--shared", str(forked.path), str(tmp_path / "borrowing"))

    assert ids(forked.path / "sub", "base..side") == expected
    assert ids(tmp_path / "linked", "base..HEAD") == expected
    assert ids(tmp_path / "bare", "base..side") == expected
    assert ids(tmp_path / "borrowing", "base..origin/side") == expected


def test_long_ids_are_ids(tmp_path: Path) -> None:
    """E35: a repository with SHA-256 has a history like any other."""
    subprocess.run(["git", "init", "-q", "--object-format=sha256", str(tmp_path / "long")], check=True)
    repo = Repo(tmp_path / "long")
    save(repo, a="1")
    save(repo, a="2")
    commits = listed(repo.path, "HEAD^..HEAD")

    assert ([commit.id for commit in commits], len(commits[0].id)) == ([repo.head()], 64)


def test_objects_in_quarantine_are_seen(forked: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a push brings lies apart until the hooks of the server agree; git says where in the environment."""
    store = forked.path / ".git" / "objects"
    (tmp_path / "incoming").mkdir()
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "incoming"))
    monkeypatch.setenv("GIT_ALTERNATE_OBJECT_DIRECTORIES", str(store))
    pushed = said(forked, b"Pushed\n")

    assert not (store / pushed[:2] / pushed[2:]).exists()
    assert one(forked, pushed).subject == "Pushed"
    assert ids(forked.path, "base..side")


def test_nothing_is_written(forked: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """V05: a repository is only read, and no temporary folder is left behind."""

    def everything() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in forked.path.rglob("*")}

    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    before = everything()
    with pytest.raises(MisuseError):
        listed(forked.path, "nosuch")

    assert len(listed(forked.path, "base..HEAD")) == 2
    assert everything() == before
    assert list((tmp_path / "tmp").iterdir()) == []


def test_without_a_temporary_folder_there_is_no_history(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full or read-only disk is explained."""
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    with pytest.raises(SetupError, match="temporary") as caught:
        listed(repo.path, "HEAD")

    assert "TMPDIR" in caught.value.hint


# What a commit says.


def test_a_commit_says_what_git_says_of_it(repo: Repo) -> None:
    """The id, the parents, the subject, the whole message and all trailers in their order."""
    first = save(repo, a="1")
    repo.commit("-q", "-m", "One\nsubject", "-m", "Body", "-m", f"Issue: 4\n{LINK}\nSigned-off-by: A <a@b>")
    commit = one(repo, "HEAD")

    assert (commit.id, commit.parents, commit.merge) == (repo.head(), [first], False)
    assert commit.subject == "One subject"
    assert commit.message.decode() == repo.head("%B")
    assert [(trailer.key, trailer.value) for trailer in commit.trailers] == [
        (b"Issue", b"4"),
        (b"Amp-Thread-ID", url(PARENT).encode()),
        (b"Signed-off-by", b"A <a@b>"),
    ]


def judge(repo: Repo, commits: list[Sha]) -> list[list[bytes]]:
    """Return the links that git itself sees in each commit, under a clean configuration."""
    argv = ["git", "log", "--no-walk=unsorted", "-z", "--encoding=UTF-8", LINKS, "--stdin"]
    environ = clean(os.environ, str(repo.path / ".git"))
    done = subprocess.run(argv, env=environ, input="\n".join(commits).encode(), capture_output=True, check=True)
    return [values.split(b"\n")[:-1] for values in done.stdout.split(b"\0")[:-1]]


SHAPES: dict[str, tuple[bytes, bytes]] = {
    "P01 a trailer": (f"s\n\n{LINK}\n".encode(), b""),
    "P02 below prose": (f"s\n\nprose\n{LINK}\n".encode(), b""),
    "P03 in the subject": (f"s\n{LINK}\n".encode(), b""),
    "P04 a quarter of trailers": (f"s\n\na\nb\n{LINK}\nSigned-off-by: a\n".encode(), b""),
    "P06 displaced": (f"s\n\n{LINK}\n\nCo-authored-by: a <a@b>\n".encode(), b""),
    "P08 blanks and case": (f"s\n\nAMP-thread-id :\t{url(PARENT)}  \n".encode(), b""),
    "P12 folded": (f"s\n\nAmp-Thread-ID:\n {url(PARENT)}\n\t and more\n".encode(), b""),
    "P13 a continuation": (f"s\n\nNote: x\n {LINK}\n".encode(), b""),
    "P14 empty values": (b"s\n\nAmp-Thread-ID:\nAmp-Thread-ID: \nOther:\nAmp-Thread-ID:\n", b""),
    "P15 on the next line": (f"s\n\nAmp-Thread-ID:\n{url(PARENT)}\n".encode(), b""),
    "P17 several": (f"s\n\n{LINK}\nOther: x\n{SECOND}\n{LINK}\n".encode(), b""),
    "P24 below scissors": (f"s\n\nb\n\n{SCISSORS}\n\n{LINK}\n".encode(), b""),
    "P25 below a divider": (f"s\n\nb\n---\n\n{LINK}\n".encode(), b""),
    "P36 CRLF": (f"s\r\n\r\n{LINK}\r\n{SECOND}\r\n".encode(), b""),
    "P36 folded with CRLF": (f"s\r\n\r\nAmp-Thread-ID:\r\n {url(PARENT)}\r\n x\r\n".encode(), b""),
    "P37 odd line ends": (f"s\n\nAmp-Thread-ID: a\rb\vc\fd\x1ce\u2028f\x85g\n{SECOND}\n".encode(), b""),
    "P38 byte order mark": (f"\ufeffs\n\n{LINK}\n".encode(), b""),
    "P40 bytes in no encoding": (b"caf\xe9\n\nAmp-Thread-ID: \xff\xfe\n", b""),
    "P41 Latin-1": (b"caf\xe9\n\nAmp-Thread-ID: \xe9\n", b"encoding ISO-8859-1\n"),
    "P41 Shift_JIS": ("表\n\nAmp-Thread-ID: 表\n".encode("shift_jis"), b"encoding Shift_JIS\n"),
    "P42 no such encoding": (b"caf\xe9\n\nAmp-Thread-ID: \xe9\n", b"encoding no-such\n"),
    "S14 UTF-7": (f"s\n\n{LINK}\nOther: +AAA-x\n".encode(), b"encoding UTF-7\n"),
    "S14 UTF-16": (f"s\n\n{LINK}\n".encode("utf-16"), b"encoding UTF-16\n"),
    "S14 NUL in the message": (f"s\n\n{LINK}\n".encode() + b"a\0b\0c\0\0\n\n" + SECOND.encode(), b""),
    "S14 NUL in the header": (f"s\n\n{LINK}\n".encode(), b"extra a\0b\n"),
    "S14 a link in the header": (b"s\n", f"gpgsig x\n \n {LINK}\nmergetag y\n {LINK}\n".encode()),
    "S14 a huge header": (f"s\n\n{LINK}\n".encode(), b"extra " + b"x" * 1_000_000 + b"\n"),
    "S14 no message": (b"", b""),
    "blank lines above": (f"\n \n\ns\n\n{LINK}\n".encode(), b""),
    "no line feed at the end": (f"s\n\n{LINK}".encode(), b""),
    "separators of other formats": (f"s\n\nA: \x1e\x1f|%x00%H\n{LINK}\n".encode(), b""),
    "another commit's fields": (f"{'a' * 40}\n\n{'b' * 40}\n\n{LINK}\n".encode(), b""),
}


def test_links_are_those_that_git_sees(repo: Repo) -> None:
    """P01-P42, S14: whatever stands in a message, git is the judge of trailers, and no field moves."""
    commits = [said(repo, message, header) for message, header in SHAPES.values()]
    expected = judge(repo, commits)
    found = [one(repo, commit) for commit in commits]

    assert dict(zip(SHAPES, map(links, found), strict=True)) == dict(zip(SHAPES, expected, strict=True))
    assert [commit.id for commit in found] == commits
    assert sum(map(bool, expected)) > 15


def test_no_field_moves_in_a_long_answer(repo: Repo) -> None:
    """S14: commits that are asked for at once are read as they are by themselves."""
    tree, person = repo("mktree", stdin=b""), "T <t@example.com> 1500000000 +0000"
    parent = newest = ""
    for message, header in SHAPES.values():
        head = f"tree {tree}\n{parent}author {person}\ncommitter {person}\n".encode()
        newest = raw(repo, b"%b%b\n%b" % (head, header, message))
        parent = f"parent {newest}\n"
    repo("update-ref", "refs/heads/main", newest)
    commits = listed(repo.path, "HEAD~31..HEAD")

    assert [links(commit) for commit in commits] == judge(repo, [commit.id for commit in commits])
    assert [commit.message for commit in commits] == [one(repo, commit.id).message for commit in commits]
    assert all(len(commit.parents) == 1 for commit in commits)


def test_text_is_utf8_whatever_it_was(repo: Repo) -> None:
    """P40-P42: git converts what a commit declares; what nobody can convert stays as it is."""
    assert one(repo, said(repo, *SHAPES["P41 Latin-1"])).message.startswith("café".encode())
    assert one(repo, said(repo, *SHAPES["P41 Shift_JIS"])).subject == "表"
    assert one(repo, said(repo, *SHAPES["P42 no such encoding"])).message.startswith(b"caf\xe9")
    assert one(repo, said(repo, *SHAPES["P42 no such encoding"])).subject == "caf\N{REPLACEMENT CHARACTER}"


def test_a_message_ends_at_nul_as_for_git(repo: Repo) -> None:
    """S14: what git shows nobody is no message, and a commit without one has none."""
    assert one(repo, said(repo, b"s\n\nbody\0" + LINK.encode())).message == b"s\n\nbody"
    assert one(repo, said(repo, b"")).message == b""


@pytest.mark.parametrize("content", [b"", b"\0", b"tree x\n", b"\n\nmessage\n"], ids=ascii)
def test_an_object_that_is_no_commit_is_explained(repo: Repo, content: bytes) -> None:
    """S14: bytes that are only called a commit make no defect of ours."""
    with pytest.raises(AmpcommitError) as caught:
        listed(repo.path, raw(repo, content))

    assert caught.value.exit_code in (2, 3)


PIECES = ["", " ", "\t", "\r", "\n", "\n", "\n\n", "\n\n", "a", ":", "-", "#", "---", "é", "\v", "\f", "\x1e", "\u2028"]
PIECES += [LINK, SECOND, "Amp-Thread-ID:", "amp-thread-id : x", url(PARENT), "Other: y", "Signed-off-by: a", SCISSORS]
PIECES += ["(cherry picked from commit a)", "\r\n", "Conflicts:\n", "encoding x", "%x00"]


@settings(deadline=None, database=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=14).map("".join), min_size=1, max_size=6))
@example(["a\n\nAmp-Thread-ID:", "", "\n"])
def test_any_messages_have_the_links_that_git_sees(repo: Repo, messages: list[str]) -> None:
    """Git's word is taken, not imitated."""
    commits = list(dict.fromkeys(said(repo, message.encode()) for message in messages))
    with history(repo.path) as found:
        seen = [links(commit) for commit in found.commits(Range([], commits, None))]

    assert seen == judge(repo, commits)


# Nobody bends it.

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


def told(path: Path) -> list[object]:
    """Return all that can be known of the commits since `base`."""
    with history(path) as found:
        return [
            (commit.id, commit.subject, commit.message, links(commit), commit.paths(), commit.own_changes())
            for commit in found.commits(found.named("base..HEAD"))
        ]


def test_nobodys_configuration_counts(bent: Repo, tmp_path: Path) -> None:
    """S11, S12, V12, P05: with 33 hostile settings and a poisoned environment all is as in a clean clone."""
    (tmp_path / "clean").mkdir()
    found = told(bent.path)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("GIT_")]:
            patch.delenv(name)
        subprocess.run(["git", "init", "-q"], cwd=tmp_path / "clean", check=True)
        clone = Repo(tmp_path / "clean")
        (clone.path / ".git" / "objects" / "info" / "alternates").write_text(f"{bent.path}/.git/objects\n")
        for name in ("heads/main", "tags/base"):
            clone("update-ref", f"refs/{name}", (bent.path / ".git" / "refs" / name).read_text().strip())
        expected = told(clone.path)

    assert found == expected
    assert len(found) == 8
    assert not (bent.path / "ran").exists()


def test_replacements_and_grafts_do_not_count(forked: Repo) -> None:
    """S13: the commits themselves are judged, not what stands in for them in one clone."""
    commits = ids(forked.path, "base..HEAD")
    forked("replace", commits[0], said(forked, f"Nice\n\n{LINK}\n".encode()))
    (forked.path / ".git" / "info").mkdir(exist_ok=True)
    (forked.path / ".git" / "info" / "grafts").write_text(f"{commits[0]} {forked('rev-parse', 'base')}\n")

    assert forked.head("%s") == "Nice"
    assert ids(forked.path, "base..HEAD") == commits
    assert listed(forked.path, "HEAD")[0].subject == "Save shared"


# Trees.


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
    with history(repo.path) as found:
        root, move, nothing = [next(found.commits(found.named(f"HEAD~{back}"))) for back in (2, 1, 0)]

        assert sorted(root.paths()) == sorted(odd)
        assert sorted(move.paths()) == ["moved", "sub/é"]
        assert nothing.paths() == []


def test_a_file_named_for_a_commit_is_a_file(repo: Repo) -> None:
    """S07: a name in the tree cannot end the list of what changed."""
    first = save(repo, a="1")
    second = save(repo, a="2")
    for name in (first, second, "z"):
        (repo.path / name).write_text("x")
    third = save(repo, a="3")
    with history(repo.path) as found:
        paths = {commit.id: sorted(commit.paths()) for commit in found.commits(found.named(f"{first}..HEAD"))}

    assert paths == {second: ["a.txt"], third: sorted([first, second, "z", "a.txt"])}


def test_a_merge_changed_what_it_brought_in(forked: Repo) -> None:
    """The paths of a merge are those against its first parent."""
    forked("merge", "-q", "--no-edit", "side")
    with history(forked.path) as found:
        assert next(found.commits(found.named("HEAD"))).paths() == ["a.txt", "shared.txt"]


def own_changes(repo: Repo) -> bool:
    """Conclude a merge, and say whether it adds changes of its own."""
    repo("add", "-A")
    repo.commit("-q", "-m", "Merge branch 'side'")
    with history(repo.path) as found:
        (commit,) = found.commits(found.named("HEAD"))
        assert commit.merge
        return commit.own_changes()


def test_a_merge_without_changes_of_its_own(forked: Repo) -> None:
    """V07: what git put together is nobody's change, however close together the two sides wrote."""
    merged(forked)

    assert "thirteen" in (forked.path / "shared.txt").read_text()
    assert not own_changes(forked)


def test_a_merge_that_takes_one_side_adds_nothing(forked: Repo) -> None:
    """Whoever drops a branch adds no text."""
    merged(forked, "-s", "ours")

    assert not own_changes(forked)


@pytest.mark.parametrize("change", ["text", "line", "new file", "removal", "move", "mode", "module", "link"])
def test_a_merge_with_changes_of_its_own(forked: Repo, change: str) -> None:
    """V07: what none of the parents has was written by whoever merged."""
    merged(forked)
    shared, gone = forked.path / "shared.txt", forked.path / "gone.txt"
    if change == "text":
        shared.write_text(shared.read_text().replace("thirteen", "evil"))
    elif change == "line":
        shared.write_text(shared.read_text() + "\nevil")
    elif change == "new file":
        (forked.path / "evil.txt").write_text("evil")
    elif change == "removal":
        gone.unlink()
    elif change == "move":
        gone.rename(forked.path / "evil.txt")
    elif change == "mode":
        gone.chmod(0o755)
    elif change == "link":
        gone.unlink()
        gone.symlink_to("shared.txt")
    else:
        forked("update-index", "--add", "--cacheinfo", f"160000,{forked.head()},module")
        (forked.path / "module").mkdir()

    assert own_changes(forked)


def test_merges_are_told_apart(forked: Repo) -> None:
    """Many are asked about at once, and each gets its own answer; other commits are no merges."""
    merged(forked)
    assert not own_changes(forked)
    (forked.path / "evil.txt").write_text("evil")
    forked("commit", "-q", "--amend", "-a", "--no-edit")
    forked("add", "-A")
    forked("commit", "-q", "--amend", "--no-edit")
    evil = forked.head()
    for name in ("one", "two"):
        forked("checkout", "-q", "-b", name)
        save(forked, **{name: name})
        forked("checkout", "-q", "main")
    forked("merge", "-q", "--no-ff", "--no-edit", "one", "two")
    with history(forked.path) as found:
        commits = list(found.commits(found.named("base..HEAD")))

        assert len(commits[0].parents) == 3
        assert [commit.id for commit in commits if commit.own_changes()] == [evil]
        assert sum(commit.merge for commit in commits) == 2


# Many commits, and answers that are none.


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """Put a `git` on PATH that runs *script*, in which `$real` is git itself; return the file it may write to."""
    real = subprocess.run(["sh", "-c", "command -v git"], capture_output=True, text=True, check=True).stdout.strip()
    log = folder / "log"
    (folder / "bin").mkdir()
    (folder / "bin" / "git").write_text(f"#!/bin/sh\nreal='{real}'\nlog='{log}'\n{script}\n")
    (folder / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return log


def imported(repo: Repo, count: int) -> None:
    """Make *count* commits on a root, each with a number, a link and a file."""
    lines = []
    for number in range(count + 1):
        text = f"Commit {number}\n\n{LINK}\n"
        lines += ["commit refs/heads/main", "committer T <t@example.com> 1500000000 +0000"]
        lines += [f"data {len(text)}", text, f"M 100644 inline f{number % 7}", f"data {len(str(number))}", str(number)]
    repo("fast-import", "--quiet", stdin="\n".join([*lines, ""]).encode())


@pytest.mark.parametrize("batches", [1, 3])
def test_many_commits_need_few_processes(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    """V06: all are there, each with its own text and paths, and git is started once for each some hundred."""
    count = BATCH * batches - 7
    imported(repo, count)
    log = stand_in(tmp_path, monkeypatch, 'echo "$*" >> "$log"; exec "$real" "$@"')
    with history(repo.path) as found:
        commits = list(found.commits(found.named(f"main~{count}..main")))
        paths = [commit.paths() for commit in commits]
        own = [commit.own_changes() for commit in commits]
    asked = [line for line in log.read_text().splitlines() if " log " in line or " diff-tree " in line]

    assert [commit.subject for commit in commits] == [f"Commit {number}" for number in range(count, 0, -1)]
    assert paths == [[f"f{number % 7}"] for number in range(count, 0, -1)]
    assert (len(asked), any(own)) == (3 * batches, False)
    assert len(log.read_text().splitlines()) == len(asked) + 7


def test_an_answer_that_is_too_long_comes_in_pieces(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P44: where many long messages are more than we read at once, fewer are asked for."""
    imported(repo, 6)
    script = 'case "$*" in *" log "*|*diff-tree*) in=$(cat); [ $(echo "$in" | wc -l) -le 2 ] || exit 1;\n'
    stand_in(tmp_path, monkeypatch, script + 'echo "$in" | exec "$real" "$@";; *) exec "$real" "$@";; esac')
    with history(repo.path) as found:
        commits = list(found.commits(found.named("main~6..main")))

        assert [commit.subject for commit in commits] == [f"Commit {number}" for number in range(6, 0, -1)]
        assert [commit.paths() for commit in commits] == [[f"f{number}"] for number in range(6, 0, -1)]


def test_a_message_longer_than_we_read_is_explained(repo: Repo) -> None:
    """P44: one commit that is too long by itself is no reason to wait for ever, or to pass it."""
    longest = said(repo, b"s\n\n" + b"x" * (64 * 1024 * 1024))
    with pytest.raises(SetupError, match="too long"):
        one(repo, longest)


@pytest.mark.parametrize("answer", [":", "printf 'a\\0'", "printf '%040d\\0\\0\\0\\0\\0' 0"])
def test_an_answer_about_something_else_is_refused(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """Commits that were asked for and not answered must not pass unseen."""
    save(repo, a="1")
    stand_in(tmp_path, monkeypatch, f'case "$*" in *" log "*) {answer};; *) exec "$real" "$@";; esac')
    with pytest.raises(GitError, match="not about the commits"):
        one(repo, "HEAD")
