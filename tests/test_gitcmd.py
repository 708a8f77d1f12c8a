"""Git is asked with bytes, answers with bytes, in bounded time, and nobody's settings change the answer."""

import fcntl
import os
import resource
import select
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from ampcommit.errors import GitError
from ampcommit.gitcmd import LIMIT, PIECE, Git, clean, version
from tests.conftest import Repo

MEGABYTES = b"line\r\n\0\xff" * (5 * 131_072)
PARSE = ("interpret-trailers", "--parse", "--no-divider")
# One trailer under prose: only with `trailer.x.key` in the configuration does git see it.
MIXED = b"s\n\nprose\nprose\nAmp-Thread-ID: x\n"

StandIn = Callable[[str], None]


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Whatever happens, no descriptor is left open and no process is left behind."""
    before = len(os.listdir("/dev/fd"))
    yield
    assert before == len(os.listdir("/dev/fd"))
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Put a shell script in the place of git."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def put(script: str) -> None:
        (folder / "git").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "git").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return put


def test_git_answers(repo: Repo) -> None:
    """A question to git in a folder is answered from that folder's repository."""
    assert Git(str(repo.path))("rev-parse", "--git-dir") == b".git\n"


def test_git_is_asked_where_we_are(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder, the current one counts."""
    monkeypatch.chdir(repo.path)

    assert Git()("rev-parse", "--is-inside-work-tree") == b"true\n"


def test_megabytes_go_both_ways(stand_in: StandIn) -> None:
    """P44: more than a pipe holds goes in, out and to stderr at once, byte for byte."""
    stand_in("exec tee /dev/stderr")

    assert Git()("cat", stdin=MEGABYTES) == MEGABYTES


def test_a_child_that_answers_before_it_listens(stand_in: StandIn) -> None:
    """Nobody waits for the other: an answer is read while our question is still being written."""
    stand_in("head -c 3000000 /dev/zero; exec cat")

    assert bytes(3_000_000) + MEGABYTES == Git()("cat", stdin=MEGABYTES)


@pytest.mark.parametrize("script", ["echo hi", "exec 0<&-; echo hi", "head -c 9 >/dev/null; echo hi"])
def test_a_child_that_does_not_listen(stand_in: StandIn, script: str) -> None:
    """A git that stops reading its stdin is still heard to the end."""
    stand_in(script)

    assert Git()("x", stdin=MEGABYTES) == b"hi\n"


def test_nothing_is_asked_of_the_keyboard(stand_in: StandIn) -> None:
    """Git's stdin is empty, never the terminal of whoever commits."""
    stand_in("exec cat")

    assert Git()("x") == b""


@pytest.mark.parametrize("stdin", [b"", MEGABYTES], ids=["idle", "with unread input"])
def test_a_git_that_hangs_is_ended(stand_in: StandIn, stdin: bytes) -> None:
    """P23: a git that runs for ever costs the time that it was given, and is gone afterwards."""
    stand_in("exec sleep 60")

    with pytest.raises(GitError, match=r"git x did not answer in 0\.05 seconds"):
        Git()("x", stdin=stdin, deadline=0.05)


def test_a_git_that_hangs_in_silence_is_ended(stand_in: StandIn) -> None:
    """The time limit holds, too, for a git that has closed its output and does not end."""
    stand_in("exec >&- 2>&-; exec sleep 1")

    with pytest.raises(GitError, match="did not answer"):
        Git()("x", deadline=0.05)


def test_a_git_that_says_one_thing_for_ever_is_ended(stand_in: StandIn) -> None:
    """The time limit is for the whole answer, not for each piece of it."""
    stand_in("while :; do echo x; sleep 0.01; done")

    with pytest.raises(GitError, match="did not answer"):
        Git()("x", deadline=0.1)


def test_the_verb_is_named_behind_settings(stand_in: StandIn) -> None:
    """An error says which git command it was, not `-c`."""
    stand_in("exec sleep 60")
    with pytest.raises(GitError, match="git config did not answer"):
        Git()("-c", "a.b=c", "-c", "d.e=f", "config", deadline=0.02)
    stand_in("exit 1")
    with pytest.raises(GitError, match="git config ended with status 1"):
        Git()("-c", "a.b=c", "config")


@pytest.mark.parametrize("stream", ["1", "2"], ids=["stdout", "stderr"])
def test_an_endless_answer_is_bounded(stand_in: StandIn, stream: str) -> None:
    """An answer without an end is cut off before it fills the memory."""
    stand_in(f"exec yes >&{stream}")

    with pytest.raises(GitError, match="too long"):
        Git()("x", deadline=60)


def test_an_answer_at_the_limit_is_read(stand_in: StandIn) -> None:
    """The limit is far from anything that we ask for, and what is below it arrives whole."""
    stand_in(f"exec head -c {LIMIT} /dev/zero")

    assert len(Git()("x", deadline=60)) == LIMIT


def test_an_interrupt_ends_git_too(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """E43: Ctrl-C while git works leaves no git behind."""
    stand_in("exec sleep 60")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(select, "poll", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Git()("x")


def test_a_refusal_carries_what_git_said(stand_in: StandIn) -> None:
    """What git has to say about a failure reaches the person, even where it is not UTF-8."""
    stand_in(r"printf 'fatal: caf\351\n' >&2; exit 128")
    with pytest.raises(GitError, match="git x ended with status 128: fatal: caf\ufffd"):
        Git()("x")


def test_advice_around_a_failure_is_left_out(stand_in: StandIn) -> None:
    """Of all that git prints, the line that says what is wrong is passed on; without one, the first line."""
    stand_in("echo 'warning: x' >&2; echo 'fatal: y' >&2; echo 'hint: z' >&2; exit 128")
    with pytest.raises(GitError, match=r"status 128: fatal: y$"):
        Git()("x")

    stand_in("printf 'usage\nmore\n' >&2; exit 129")
    with pytest.raises(GitError, match=r"status 129: usage$"):
        Git()("x")


def test_a_killed_git_is_a_failure(stand_in: StandIn) -> None:
    """A git that somebody killed did not answer, whatever it had said before."""
    stand_in("echo half; kill -9 $$")

    with pytest.raises(GitError, match="status -9"):
        Git()("x")


def test_an_expected_status_is_an_answer(stand_in: StandIn) -> None:
    """Where `no` is an answer, it is not an error."""
    stand_in("echo no; exit 1")

    assert Git()("x", ok=(0, 1)) == b"no\n"


def test_a_missing_git_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git there is a hint what to install, not a traceback."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="not on PATH") as caught:
        Git()("x")

    assert "2.31" in caught.value.hint


@pytest.mark.parametrize("mode", [0o644, 0o755], ids=["not executable", "not a program"])
def test_a_git_that_does_not_start_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int) -> None:
    """A broken installation of git is explained like a missing one."""
    (tmp_path / "git").write_bytes(b"\0\0\0\0")
    (tmp_path / "git").chmod(mode)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(GitError):
        Git()("x")


def test_a_folder_that_is_gone_is_explained(tmp_path: Path) -> None:
    """A folder that was removed is git's to complain about, and its words are passed on."""
    with pytest.raises(GitError, match=r"fatal: .*gone"):
        Git(str(tmp_path / "gone"))("status")


def test_many_open_files_do_not_matter(repo: Repo) -> None:
    """A process that inherited a thousand open files can still ask git."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        answer = Git(str(repo.path))("rev-parse", "--git-dir")
    finally:
        for fd in opened:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert answer == b".git\n"


def test_too_many_open_files_leave_none_behind() -> None:
    """Where the system gives us no pipe, that is an error, and what we got before it is given back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = sorted(set(range(soft)) - set(map(int, os.listdir("/dev/fd"))))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (free[3], hard))  # a pipe needs two of the three
        with pytest.raises(GitError, match="Too many open files"):
            Git()("version")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_git_gets_the_environment_given_and_no_other(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """What we clear from git's environment does not come back through ours."""
    stand_in('echo "$MINE-$THEIRS"')
    monkeypatch.setenv("THEIRS", "leaked")

    assert Git(environ={"PATH": os.environ["PATH"], "MINE": "given"})("x") == b"given-\n"


@pytest.mark.parametrize("name", ["HEAD", "main", "v1"])
def test_a_commit_is_here_or_not(repo: Repo, name: str) -> None:
    """What names a commit is told from what names nothing, or a tree."""
    git = Git(str(repo.path))
    assert not git.has_commit(name)
    repo.commit("-q", "-m", "s")
    repo("tag", "-a", "-m", "x", "v1")

    assert git.has_commit(name)
    assert not git.has_commit(f"{name}^{{tree}}")


def test_a_broken_pipe_ends_gits_own_children(stand_in: StandIn, tmp_path: Path) -> None:
    """Git starts with the default for SIGPIPE, which Python ignores: a pager that is closed ends its pipeline."""
    stand_in(f'{{ (yes); echo $? >"{tmp_path}/status"; }} | head -n 1')
    Git()("x")

    assert (tmp_path / "status").read_text() == "141\n"


def test_no_descriptor_of_ours_reaches_git(stand_in: StandIn, tmp_path: Path) -> None:
    """C19: git inherits its three streams, not our files and locks."""
    stand_in("exec ls -l /dev/fd/")
    with (tmp_path / "held.lock").open("wb"):
        seen = Git()("x")

    assert b"pipe" in seen
    assert b"held.lock" not in seen


# An answer as it comes.


def test_a_stream_is_the_whole_answer_in_pieces(stand_in: StandIn) -> None:
    """P44: megabytes go in and come out, byte for byte, and no piece is larger than what is read at once."""
    stand_in("exec cat")
    pieces = list(Git().stream("x", stdin=MEGABYTES * 3))

    assert b"".join(pieces) == MEGABYTES * 3
    assert max(map(len, pieces)) <= PIECE
    assert pieces.count(b"") == 1
    assert len(pieces) > 10


def test_a_stream_comes_while_git_is_at_work(stand_in: StandIn, tmp_path: Path) -> None:
    """What git has said is there before it says the rest."""
    os.mkfifo(tmp_path / "go")
    stand_in(f"echo one; read x <'{tmp_path}/go'; echo two")
    pieces = filter(None, Git().stream("x"))

    assert next(pieces) == b"one\n"
    (tmp_path / "go").write_text("go\n")
    assert list(pieces) == [b"two\n"]


def test_a_stream_begins_when_git_knows_the_question(stand_in: StandIn, tmp_path: Path) -> None:
    """One piece is empty: then git has been told all, and works while nobody listens."""
    os.mkfifo(tmp_path / "told")
    stand_in(f"cat >'{tmp_path}/told'; echo done")
    pieces = Git().stream("x", stdin=b"all of it")

    assert next(pieces) == b""
    assert (tmp_path / "told").read_bytes() == b"all of it"
    assert b"".join(pieces) == b"done\n"


def test_a_stream_has_no_limit(stand_in: StandIn) -> None:
    """What is not kept may be longer than what we read of one answer."""
    stand_in(f"exec head -c {LIMIT + 1} /dev/zero")

    assert sum(map(len, Git().stream("x"))) == LIMIT + 1


def test_a_stream_of_nothing_is_empty(stand_in: StandIn) -> None:
    """No answer has no pieces, and git's stdin is empty, never the terminal."""
    stand_in("exec cat")

    assert b"".join(Git().stream("x")) == b""


CHATTER = {
    "before it listens": "head -c 3000000 /dev/zero >&2; exec cat",
    "while it listens": "exec tee /dev/stderr",
    "behind its answer": "cat; exec head -c 3000000 /dev/zero >&2",
    "with the other ear closed": "exec 0<&-; head -c 3000000 /dev/zero >&2; head -c 5242880 /dev/zero",
}


@pytest.mark.parametrize("script", CHATTER.values(), ids=CHATTER)
def test_what_git_mutters_holds_nobody_up(stand_in: StandIn, script: str) -> None:
    """Megabytes on stderr are read whenever they come, also while our question is still being written."""
    stand_in(script)

    assert sum(map(len, Git().stream("x", stdin=MEGABYTES))) == len(MEGABYTES)


def test_a_stream_that_fails_says_why_behind_its_last_piece(stand_in: StandIn) -> None:
    """What was said before the failure was yielded, and the failure is not lost; megabytes of advice hide no reason."""
    stand_in("echo half; echo 'warning: w' >&2; echo 'fatal: no' >&2; head -c 3000000 /dev/zero >&2; exit 128")
    pieces: list[bytes] = []
    with pytest.raises(GitError, match=r"git x ended with status 128: fatal: no"):
        pieces.extend(Git().stream("-c", "a.b=c", "x"))

    assert b"".join(pieces) == b"half\n"


def test_a_killed_git_ends_no_stream_well(stand_in: StandIn) -> None:
    """A git that somebody killed has not told all."""
    stand_in("echo half; kill -9 $$")

    with pytest.raises(GitError, match="status -9"):
        list(Git().stream("x"))


def test_a_stream_without_git_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git there is a hint, as for any other question."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitError, match="not on PATH"):
        list(Git().stream("x"))


def gone(process: bytes) -> bool:
    """Say whether there is no process with this id, not even one that nobody waited for."""
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("script", ["exec yes", "exec sleep 60", "exec >&-; exec sleep 60"])
def test_who_stops_listening_ends_git(stand_in: StandIn, script: str) -> None:
    """Whether it goes on talking, is silent or does not end: git is gone when nobody listens any more."""
    stand_in(f"echo $$; {script}")
    pieces = filter(None, Git().stream("x", stdin=MEGABYTES))
    process = next(pieces).split()[0]
    assert not gone(process)
    del pieces

    assert gone(process)


def test_an_interrupt_ends_a_stream_too(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """E43: Ctrl-C while a long history is read leaves no git behind."""
    stand_in("echo $$; exec yes")
    pieces = filter(None, Git().stream("x"))
    process = next(pieces).split()[0]

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "read", interrupt)
    with pytest.raises(KeyboardInterrupt):
        list(pieces)
    assert gone(process)


def test_a_git_that_does_not_end_is_ended(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream may take its time; but a git that has said all and stays is not waited for for ever."""
    stand_in("echo $$; exec >&- 2>&-; exec sleep 60")
    pieces, hours = filter(None, Git().stream("x")), iter(range(0, 10**9, 3600))
    process = next(pieces).split()[0]
    monkeypatch.setattr(time, "monotonic", lambda: float(next(hours)))
    with pytest.raises(GitError, match="git x did not end"):
        list(pieces)

    assert gone(process)


def test_a_pipe_that_cannot_be_widened_serves_as_well(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system allows no larger pipe, the answer is the same."""
    stand_in("exec cat")

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(fcntl, "fcntl", refuse)

    assert b"".join(Git().stream("x", stdin=MEGABYTES)) == MEGABYTES


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("git version 2.31", (2, 31)),
        ("git version 2.9.5", (2, 9)),
        ("git version 2.39.5 (Apple Git-154)", (2, 39)),
        ("git version 2.45.1.windows.1", (2, 45)),
        ("git version 3.0.0-rc1", (3, 0)),
        ("git version next", (99, 0)),
        ("git version ٢.٣", (99, 0)),
        ("", (99, 0)),
    ],
)
def test_the_version_of_git(stand_in: StandIn, said: str, expected: tuple[int, int]) -> None:
    """Versions are compared as numbers; one that cannot be read is given a chance."""
    stand_in(f"echo '{said}'")

    assert expected == version(Git())


def by_file(repo: Repo, home: Path, name: str) -> Mapping[str, str]:
    """Write hostile trailer settings into a configuration file."""
    path = {"repository": str(repo.path / ".git" / "config"), "home": str(home / ".gitconfig")}[name]
    repo("config", "--file", path, "trailer.amp.key", "Amp-Thread-ID")
    return {}


HOSTILE: dict[str, Callable[[Repo, Path], Mapping[str, str]]] = {
    "repository": lambda repo, home: by_file(repo, home, "repository"),
    "home": lambda repo, home: by_file(repo, home, "home"),
    "XDG": lambda repo, home: {"XDG_CONFIG_HOME": xdg(repo, home)},
    "command line": lambda *_: {"GIT_CONFIG_PARAMETERS": "'trailer.amp.key'='Amp-Thread-ID'"},
    "GIT_CONFIG_COUNT": lambda *_: {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "trailer.amp.key",
        "GIT_CONFIG_VALUE_0": "Amp-Thread-ID",
    },
    "GIT_COMMON_DIR": lambda repo, home: {
        **by_file(repo, home, "repository"),
        "GIT_COMMON_DIR": str(repo.path / ".git"),
    },
    "GIT_CONFIG_GLOBAL": lambda repo, home: {"GIT_CONFIG_GLOBAL": f"{xdg(repo, home)}/git/config"},
    "GIT_CONFIG_SYSTEM": lambda repo, home: {
        "GIT_CONFIG_SYSTEM": f"{xdg(repo, home)}/git/config",
        "GIT_CONFIG_NOSYSTEM": "0",
    },
}


def xdg(repo: Repo, home: Path) -> str:
    """Write the same into a folder of settings, and return the folder."""
    (home / "xdg" / "git").mkdir(parents=True)
    repo("config", "--file", str(home / "xdg" / "git" / "config"), "trailer.amp.key", "Amp-Thread-ID")
    return str(home / "xdg")


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_nobodys_settings_decide_what_a_trailer_is(
    repo: Repo, sealed: Path, monkeypatch: pytest.MonkeyPatch, hostile: Callable[[Repo, Path], Mapping[str, str]]
) -> None:
    """P05, P56, S11, S12: wherever `trailer.*` is set, the clean question has the answer that CI gets."""
    monkeypatch.chdir(repo.path)
    environ = {**os.environ, **hostile(repo, sealed)}

    assert Git(environ=environ)(*PARSE, stdin=MIXED) == b"Amp-Thread-ID: x\n"
    assert Git(environ=clean(environ))(*PARSE, stdin=MIXED) == b""


def test_a_trailer_command_is_never_run(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """P57: a program that the configuration attaches to a trailer is not started by us."""
    monkeypatch.chdir(repo.path)
    repo("config", "trailer.amp.key", "Amp-Thread-ID")
    repo("config", "trailer.amp.command", "touch ran; echo")
    Git(environ=clean(os.environ))(*PARSE, stdin=b"s\n\nAmp-Thread-ID: x\n")

    assert not (repo.path / "ran").exists()


@pytest.mark.parametrize("trick", ["replace", "graft"])
def test_real_commits_are_read(repo: Repo, trick: str) -> None:
    """S13, surprise 9: neither a replaced nor a grafted commit is taken for the real one."""
    repo.commit("-m", "first")
    repo.commit("-m", "second")
    head = repo.head()
    if trick == "replace":
        repo("replace", head, repo("commit-tree", "-p", "HEAD^", "-m", "other", "HEAD^{tree}"))
    else:
        (repo.path / ".git" / "info" / "grafts").write_text(f"{head}\n")

    ask = Git(environ=clean(os.environ, str(repo.path / ".git")))
    assert ask("log", "-1", "--format=%s", "HEAD").decode().strip() == "second"
    assert len(ask("rev-list", "HEAD").split()) == 2


def test_the_objects_of_a_push_are_found() -> None:
    """S12: in pre-receive the new commits are in quarantine; its variables stay, all others of git go."""
    kept = {
        "GIT_QUARANTINE_PATH": "q",
        "GIT_OBJECT_DIRECTORY": "o",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "a",
        "PATH": "p",
    }
    cleaned = clean({**kept, "GIT_DIR": "x", "GIT_INDEX_FILE": "i", "GIT_TRACE": "1", "GIT_WORK_TREE": "w"}, "d")

    assert kept.items() <= cleaned.items()
    assert cleaned["GIT_DIR"] == "d"
    assert not {"GIT_INDEX_FILE", "GIT_TRACE", "GIT_WORK_TREE"} & set(cleaned)
