"""Notes fetched and pushed: as the user would, but nobody is asked, nothing else moves, and time is bounded."""

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from ampcommit.errors import GitError, RemoteError
from ampcommit.gitcmd import Git, clean
from ampcommit.notes.remotes import Remote, hidden, pause, tracking
from ampcommit.notes.shared import REF, Notes, unite
from ampcommit.place import Place
from ampcommit.record import Sha
from tests.conftest import Repo
from tests.githost import Host, Hub, needs_http

A, B = Sha("a" * 40), Sha("b" * 40)


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A bare repository."""
    return Hub(tmp_path)


def place_of(repo: Repo) -> Place:
    """Return the place of *repo*."""
    return Place(str(repo.path / ".git"), str(repo.path))


def objects(repo: Repo) -> Git:
    """Return git without anybody's settings in *repo*."""
    return Git(str(repo.path), clean(os.environ, str(repo.path / ".git")))


def remote(repo: Repo, name: str = "origin", environ: Mapping[str, str] | None = None) -> Remote:
    """Return a remote of *repo*."""
    around = {**os.environ, **(environ or {})}
    return Remote(name, Git(str(repo.path), around), objects(repo), around, str(repo.path))


def soon(seconds: float = 60) -> float:
    """Return the moment until which git may take."""
    return time.monotonic() + seconds


def add(repo: Repo, commit: Sha, line: bytes) -> Sha:
    """Add a line to the notes of *repo*, and return the tip."""
    tip = unite(objects(repo), place_of(repo), REF, {commit: [line]})
    assert tip
    return tip


def test_what_is_pushed_is_fetched(hub: Hub) -> None:
    """Notes go out and come in; a remote without any is fine, and one that lost them is known to have none."""
    one, two = hub.clone("one"), hub.clone("two")
    there = remote(two)

    there.fetch(soon())
    assert Notes(objects(two), there.ref).tip is None
    tip = add(one, A, b"1")
    assert remote(one).push(tip, soon()) == ""
    assert one("rev-parse", tracking("origin")) == tip
    there.fetch(soon())
    assert Notes(objects(two), there.ref).of([A]) == {A: [b"1"]}
    hub("update-ref", "-d", REF)
    there.fetch(soon())
    assert Notes(objects(two), there.ref).tip is None


def test_who_is_slower_is_told(hub: Hub) -> None:
    """A push is never forced: where somebody was faster, the caller hears of it and may try again."""
    one, two = hub.clone("one"), hub.clone("two")
    tip = add(one, A, b"1")
    remote(one).push(tip, soon())

    assert "fetch first" in remote(two).push(add(two, A, b"2"), soon())
    assert hub("rev-parse", REF) == tip


@pytest.mark.parametrize(
    "settings",
    [
        {"remote.origin.fetch": "+refs/notes/*:refs/notes/*"},
        {"remote.origin.fetch": "+refs/*:refs/*", "fetch.prune": "true", "fetch.pruneTags": "true"},
        {"remote.origin.mirror": "true"},
        {"remote.origin.tagOpt": "--tags", "push.followTags": "true", "push.default": "matching"},
        {"push.recurseSubmodules": "only", "fetch.recurseSubmodules": "true"},
        {"core.notesRef": REF, "notes.rewriteRef": REF},
        {"core.logAllRefUpdates": "always", "transfer.fsckObjects": "true", "receive.fsckObjects": "true"},
    ],
)
def test_nothing_else_moves(hub: Hub, settings: dict[str, str]) -> None:
    """Whatever the user's configuration lets a fetch or a push do besides, these do not: other refs stay."""
    one, two = hub.clone("one"), hub.clone("two")
    remote(one).push(add(one, A, b"1"), soon())
    two.commit("-qm", "one")
    two("tag", "-am", "mine", "mine")
    ours = add(two, B, b"2")
    for key, value in settings.items():
        two("config", key, value)
    there = remote(two)

    there.fetch(soon())
    assert two("rev-parse", REF) == ours
    assert two("tag") == "mine"
    merged = unite(objects(two), place_of(two), REF, {}, [Sha(two("rev-parse", there.ref))])
    assert merged
    assert there.push(merged, soon()) == ""
    assert hub("for-each-ref", "--format=%(refname)") == REF
    assert not (two.path / ".git" / "FETCH_HEAD").exists()


def test_hooks_of_ours_do_not_come_round(hub: Hub) -> None:
    """A `pre-push` hook is not run, and whatever else runs finds a variable that says who pushes."""
    one = hub.clone("one")
    for name in ("pre-push", "reference-transaction"):
        file = one.path / ".git" / "hooks" / name
        file.write_text(f'#!/bin/sh\necho "{name} $AMPCOMMIT_SHARING" >>{one.path}/ran\n')
        file.chmod(0o755)
    hub.hook("pre-receive", f'echo "pre-receive $AMPCOMMIT_SHARING" >>{one.path}/ran')
    tip = add(one, A, b"1")
    (one.path / "ran").unlink()

    remote(one).fetch(soon())
    remote(one).push(tip, soon())

    assert "pre-push" not in (one.path / "ran").read_text()
    assert "pre-receive 1" in (one.path / "ran").read_text()


def test_a_remote_that_refuses_says_why(hub: Hub) -> None:
    """What a hook over there says is shown, escaped, and no second try is made."""
    hub.hook("pre-receive", "printf 'notes are \\033[31mfrozen\\n' >&2; exit 1")
    one = hub.clone("one")

    with pytest.raises(RemoteError, match=r"cannot push to origin: .*hook declined.*frozen") as told:
        remote(one).push(add(one, A, b"1"), soon())
    assert "\x1b" not in str(told.value)
    assert "ampcommit share" in told.value.hint


@needs_http
@pytest.mark.parametrize("verb", ["fetch", "push"])
def test_a_remote_that_is_gone_is_named(hub: Hub, verb: str) -> None:
    """Nothing at the address: an error with the address, and no password in it."""
    one = hub.clone("one")
    tip = add(one, A, b"1")
    there = remote(one, "http://me:s3cret@127.0.0.1:9/x.git")

    with pytest.raises(RemoteError, match=rf"cannot {verb} (to|from) http://127\.0\.0\.1:9/x\.git") as told:
        there.fetch(soon()) if verb == "fetch" else there.push(tip, soon())
    assert "s3cret" not in str(told.value) + told.value.hint


@needs_http
def test_over_http(hub: Hub) -> None:
    """The same over HTTP, by git's own server."""
    one, two = hub.clone("one"), hub.clone("two")
    hub("config", "http.receivepack", "true")

    with Host(hub.path.parent) as host:
        for repo in (one, two):
            repo("remote", "set-url", "origin", host.url("hub.git"))
        remote(two).fetch(soon())
        tip = add(one, A, b"1")
        assert remote(one).push(tip, soon()) == ""
        remote(two).fetch(soon())
        assert two("rev-parse", tracking("origin")) == tip
        assert remote(two).push(add(two, B, b"2"), soon())


@needs_http
def test_a_password_is_never_asked_for(hub: Hub, tmp_path: Path) -> None:
    """A server that wants a password gets none: no prompt, no window, no waiting, and a hint."""
    asker = tmp_path / "asker"
    asker.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\nsleep 60\n")
    asker.chmod(0o755)
    one = hub.clone("one")
    one("config", "core.askPass", str(asker))
    environ = {"GIT_ASKPASS": str(asker), "SSH_ASKPASS": str(asker), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":9"}
    began = time.monotonic()

    with Host(tmp_path, locked=True) as host:
        one("remote", "set-url", "origin", host.url("hub.git"))
        with pytest.raises(RemoteError, match=r"cannot fetch from origin: .*(prompts disabled|could not read)") as told:
            remote(one, environ=environ).fetch(soon())

    assert "git ls-remote origin" in told.value.hint
    assert not (tmp_path / "asked").exists()
    assert time.monotonic() - began < 30


def stand_in(path: Path, script: str) -> str:
    """Write a program that stands in for ssh."""
    path.write_text(f'#!/bin/sh\ntest "$1" != -G || exit 0\nprintf "%s\\n" "$@" >{path}.args\n{script}\n')
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("how", ["GIT_SSH_COMMAND", "GIT_SSH", "core.sshCommand"])
def test_ssh_asks_nobody(hub: Hub, tmp_path: Path, how: str) -> None:
    """Whatever ssh the user has set is used, with what keeps it from asking and from waiting for a dead host."""
    ssh = stand_in(tmp_path / "ssh", "echo 'me@host: Permission denied (publickey).' >&2; exit 255")
    one = hub.clone("one")
    one("remote", "set-url", "origin", "ssh://host.invalid/x.git")
    environ = {how: ssh} if how.startswith("GIT") else {}
    if not environ:
        one("config", how, f"{ssh} -F none")

    with pytest.raises(RemoteError, match=r"cannot fetch from origin: me@host: Permission denied") as told:
        remote(one, environ=environ).fetch(soon())
    args = (tmp_path / "ssh.args").read_text().split("\n")
    assert {"-oBatchMode=yes", "-oConnectTimeout=15"} <= set(args)
    assert "without asking" in told.value.hint


@pytest.mark.parametrize("environ", [{"GIT_SSH_VARIANT": "simple"}, {}])
def test_a_program_that_is_no_openssh_gets_no_option_of_it(hub: Hub, tmp_path: Path, environ: dict[str, str]) -> None:
    """PuTTY's plink would stumble over options of OpenSSH."""
    ssh = stand_in(tmp_path / ("ssh" if environ else "plink"), "exit 1")
    one = hub.clone("one")
    one("remote", "set-url", "origin", "ssh://host.invalid/x.git")

    with pytest.raises(RemoteError):
        remote(one, environ={"GIT_SSH_COMMAND": ssh, **environ}).fetch(soon())
    assert "BatchMode" not in Path(f"{ssh}.args").read_text()


def test_a_remote_that_hangs_is_left(hub: Hub, tmp_path: Path) -> None:
    """When time is over all of the process group is gone, and the error says so."""
    ssh = stand_in(tmp_path / "ssh", f"echo $$ >{tmp_path}/pid; sleep 60")
    one = hub.clone("one")
    one("remote", "set-url", "origin", "ssh://host.invalid/x.git")

    with pytest.raises(RemoteError, match="did not answer in time") as told:
        remote(one, environ={"GIT_SSH_COMMAND": ssh}).fetch(soon(2))
    assert "kept here" in told.value.hint
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        if not Path(f"/proc/{pid}/task").exists() or "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
            break
        time.sleep(0.05)
    else:
        pytest.fail("it still runs")


def test_git_is_told_to_end_first(hub: Hub, tmp_path: Path) -> None:
    """git, which removes its locks when it is told to end, has a moment for that before it is killed."""
    one = hub.clone("one")
    there = remote(one, environ=git_that(tmp_path, f"trap 'sleep 0.1; echo gone >{tmp_path}/lock; exit 1' TERM"))

    with pytest.raises(RemoteError, match="did not answer in time"):
        there.fetch(soon(1))
    assert (tmp_path / "lock").read_text() == "gone\n"


def test_git_that_does_not_end_is_killed(hub: Hub, tmp_path: Path) -> None:
    """Who heeds no signal is killed a moment later, and nothing of it stays."""
    one = hub.clone("one")
    there = remote(one, environ=git_that(tmp_path, "trap '' TERM"))
    began = time.monotonic()

    with pytest.raises(RemoteError, match="did not answer in time"):
        there.fetch(soon(1))
    assert time.monotonic() - began < 20
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def git_that(tmp_path: Path, does: str) -> dict[str, str]:
    """Return an environment with a git that writes down its process id, *does* that, and never answers a fetch."""
    git = shutil.which("git")
    script = (
        f'case "$*" in *fetch*) {does}; echo $$ >{tmp_path}/pid; while :; do sleep 0.05; done;; esac; exec {git} "$@"'
    )
    (tmp_path / "bin").mkdir()
    stand_in(tmp_path / "bin" / "git", script)
    return {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def test_what_outlives_git_is_not_waited_for(hub: Hub, tmp_path: Path) -> None:
    """A connection that ssh keeps for the next time holds our output open; we go on all the same."""
    serve = f"setsid sleep 20 & exec git upload-pack {hub.path}"
    ssh = stand_in(tmp_path / "ssh", serve)
    one = hub.clone("one")
    remote(one).push(add(one, A, b"1"), soon())
    one("remote", "set-url", "origin", "ssh://host.invalid/x.git")
    began = time.monotonic()

    remote(one, environ={"GIT_SSH_COMMAND": ssh}).fetch(soon())

    assert time.monotonic() - began < 15


def test_without_git_there_is_an_error(hub: Hub, tmp_path: Path) -> None:
    """No git on PATH is said, with what to do."""
    there = remote(hub.clone("one"), environ={"PATH": str(tmp_path)})

    with pytest.raises(GitError, match="cannot be started"):
        there.fetch(soon())


def test_a_partial_clone_gets_whole_notes(hub: Hub) -> None:
    """Where git leaves out files until they are needed, notes come at once, also those that a plain fetch left out."""
    one = hub.clone("one")
    tips = [add(one, Sha(f"{number:040x}"), b"%d" % number) for number in range(3)]
    remote(one).push(tips[-1], soon())
    fresh, late = (hub.clone(name, "--filter=blob:none") for name in ("fresh", "late"))
    late("fetch", "-q", "origin", f"+{REF}:{tracking('origin')}")
    count = ("rev-list", "--objects", "--missing=print", tracking("origin"))
    assert "?" in late(*count)

    for repo in (fresh, late, late):
        remote(repo).fetch(soon())
        assert "?" not in repo(*count)


def test_a_partial_clone_whose_remote_keeps_notes_back(hub: Hub, tmp_path: Path) -> None:
    """Where the rest of the notes cannot be had, that is an error, not fewer records."""
    one = hub.clone("one")
    remote(one).push(add(one, A, b"1"), soon())
    late = hub.clone("late", "--filter=blob:none")
    late("fetch", "-q", "origin", f"+{REF}:{tracking('origin')}")
    serve = f"test -e {tmp_path}/second && exit 1; touch {tmp_path}/second; exec git upload-pack {hub.path}"
    environ = {"GIT_SSH_COMMAND": stand_in(tmp_path / "ssh", serve)}
    late("remote", "set-url", "origin", "ssh://host.invalid/x.git")

    with pytest.raises(RemoteError, match="cannot fetch from origin"):
        remote(late, environ=environ).fetch(soon())


def test_every_remote_has_a_ref_of_its_own() -> None:
    """A name of git's is used as it is; an address, and what is no name for a ref, goes by its digest."""
    for name in ("origin", "up-stream", "a/b.c", "7"):
        assert tracking(name) == f"refs/notes/ampcommit-remote/{name}"
    odd = ["https://x.example/a.git", "../x", "a..b", "x.lock", "a b", "/x", "a/", "-x", "a/.b", ""]
    assert len({tracking(name) for name in odd}) == len(odd)
    assert all(tracking(name).startswith("refs/notes/ampcommit-remote/address-") for name in odd)


def test_no_password_is_shown() -> None:
    """An address may hold a secret; what a terminal obeys is escaped."""
    assert (
        hidden("fatal: https://me:s3cret@host/x and ssh://you@host\x1b") == "fatal: https://host/x and ssh://host\\x1b"
    )


def test_an_odd_name_is_no_option(hub: Hub) -> None:
    """A remote whose name has an equals sign in it cannot be set in one word; it is used all the same."""
    one = hub.clone("one")
    one("remote", "add", "a=b", str(hub.path))

    assert remote(one, "a=b").push(add(one, A, b"1"), soon()) == ""


def test_a_pause_is_short() -> None:
    """Who lost the race waits a moment, and not at all when time is over."""
    began = time.monotonic()
    pause(1, soon())
    pause(100, began - 1)
    pause(100, began + 0.5)
    assert time.monotonic() - began < 5
