"""Notes fetched and pushed: as the user would, but nobody is asked, nothing else moves, and time is bounded."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from ampcommit.errors import GitError, RemoteError, SetupError
from ampcommit.gitcmd import Git, clean
from ampcommit.notes.fetching import tracking
from ampcommit.notes.noted import shelves
from ampcommit.notes.remotes import TRIES, Remote, hidden, pause
from ampcommit.notes.shared import REF, Notes, unite
from ampcommit.place import Place
from ampcommit.record import Sha
from ampcommit.verbs.share import share, standings
from tests.conftest import ROOT, Repo, command
from tests.githost import Host, Hub, keep, needs_http
from tests.test_shared import record

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
        {"push.gpgSign": "true", "push.pushOption": "ci.skip", "push.negotiate": "true", "color.ui": "always"},
        {"remote.origin.push": "refs/heads/*:refs/heads/*", "push.default": "nothing", "submodule.recurse": "true"},
        {"fetch.writeCommitGraph": "true", "transfer.hideRefs": "refs/notes", "fetch.negotiationAlgorithm": "noop"},
        {"protocol.version": "0", "push.useForceIfIncludes": "true", "remote.pushDefault": "nowhere", "gc.auto": "1"},
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
    assert not (two.path / ".git" / "objects" / "info" / "commit-graphs").exists()


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
    for secret in ("s3cret", "s3@cret"):
        there = remote(one, f"http://me:{secret}@127.0.0.1:9/x.git")
        with pytest.raises(RemoteError, match=rf"cannot {verb} (to|from) http://127\.0\.0\.1:9/x\.git") as told:
            there.fetch(soon()) if verb == "fetch" else there.push(tip, soon())
        assert "cret" not in str(told.value) + told.value.hint


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


def test_no_password_is_shown() -> None:
    """An address may hold a secret; what a terminal obeys is escaped."""
    said = "fatal: https://me:s3cret@host/x and ssh://you@host\x1b"
    assert hidden(said) == "fatal: https://host/x and ssh://host\\x1b"
    assert hidden("http://me:se@cr@et@host/a@b https://host/x@y") == "http://host/a@b https://host/x@y"


def elsewhere(path: Path) -> str:
    """Return a call of git, for a script, in the repository at *path*, wherever git itself is just now."""
    unset = " ".join(f"-u {name}" for name in ("GIT_DIR", "GIT_QUARANTINE_PATH", "GIT_OBJECT_DIRECTORY"))
    return f"env {unset} -u GIT_ALTERNATE_OBJECT_DIRECTORIES git -C {path}"


def while_packing(repo: Repo, tmp_path: Path, script: str) -> None:
    """Let *script* run while a server packs what *repo* fetches: after it said what it has, before that is written."""
    file = tmp_path / "packing"
    file.write_text(f'#!/bin/sh\n{script}\nexec "$@"\n')
    file.chmod(0o755)
    repo("config", "--global", "uploadpack.packObjectsHook", str(file))


def test_a_fetch_that_is_overtaken_is_run_again(hub: Hub, tmp_path: Path) -> None:
    """C01: where another process of this clone fetches at the same moment, both have what the remote has."""
    one, two = hub.clone("one"), hub.clone("two")
    there = remote(two)
    remote(one).push(add(one, B, b"2"), soon())
    there.fetch(soon())
    tip = add(one, A, b"1")
    remote(one).push(tip, soon())
    other = add(two, B, b"another state")
    again = f"test -e {tmp_path}/once || {elsewhere(two.path)} update-ref {there.ref} {other}; touch {tmp_path}/once"
    while_packing(two, tmp_path, again)

    there.fetch(soon())

    assert (tmp_path / "once").exists()
    assert two("rev-parse", there.ref) == tip


def test_a_fetch_that_is_always_overtaken_ends(hub: Hub, tmp_path: Path) -> None:
    """After ten times that is an error, and not that of a lock that was left behind."""
    one, two = hub.clone("one"), hub.clone("two")
    there = remote(two)
    for line in (b"1", b"2"):
        there.fetch(soon())
        remote(one).push(add(one, A, line), soon())
    who = " ".join(f"GIT_{role}_{field}=x" for role in ("AUTHOR", "COMMITTER") for field in ("NAME", "EMAIL"))
    moves = [f"export {who}; echo >>{tmp_path}/tries"]
    for where, ref in ((hub, REF), (two, there.ref)):
        git = elsewhere(where.path)
        moves.append(f"{git} update-ref {ref} $({git} commit-tree -m $$.{where.path.name} $({git} mktree </dev/null))")
    while_packing(two, tmp_path, "\n".join(moves))

    with pytest.raises(RemoteError, match=r"cannot fetch from origin: .*but expected"):
        there.fetch(soon())
    assert len((tmp_path / "tries").read_text()) == TRIES


def test_many_fetch_while_the_remote_moves(hub: Hub) -> None:
    """C01: shares at once in one clone, while somebody else shares: each of them succeeds."""
    one, two = hub.clone("one"), hub.clone("two")
    over = threading.Event()

    def elsewhere_shared() -> None:
        while not over.is_set():
            keep(two, [record(Sha(os.urandom(20).hex()))])
            with suppress(RemoteError):  # it may lose against four
                share(os.environ, str(two.path))

    other = threading.Thread(target=elsewhere_shared)
    other.start()
    try:
        for _ in range(3):
            keep(one, [record(Sha(os.urandom(20).hex()))])
            environ = os.environ | {"PYTHONPATH": str(ROOT)}
            running = [
                subprocess.Popen(command("share"), cwd=one.path, stderr=subprocess.PIPE, env=environ) for _ in range(4)
            ]
            said = [process.communicate(timeout=120)[1] for process in running]
            assert [process.returncode for process in running] == [0] * 4, said
    finally:
        over.set()
        other.join()


def test_who_was_told_of_no_notes_too_early_forgets_nothing(hub: Hub, tmp_path: Path) -> None:
    """C01: notes that another process of this clone pushed, while the remote told us that it has none, stay known."""
    one = hub.clone("one")
    tip, there = add(one, A, b"1"), remote(one)
    serve = f"{elsewhere(one.path)} update-ref {there.ref} {tip}; exec git upload-pack {hub.path}"
    one("remote", "set-url", "origin", "ssh://host.invalid/x.git")

    remote(one, environ={"GIT_SSH_COMMAND": stand_in(tmp_path / "ssh", serve)}).fetch(soon())
    assert one("rev-parse", there.ref) == tip


def test_a_push_that_worked_is_a_success(hub: Hub) -> None:
    """Whatever becomes meanwhile of the ref with what was fetched: moved by who fetched later, or locked."""
    one = hub.clone("one")
    there, first = remote(one), add(one, A, b"1")
    assert there.push(first, soon()) == ""
    second, third = add(one, A, b"2"), add(one, A, b"3")
    hub.hook("pre-receive", f"{elsewhere(one.path)} update-ref {there.ref} {third}")

    assert there.push(second, soon()) == ""
    assert (hub("rev-parse", REF), one("rev-parse", there.ref)) == (second, third)
    hub.hook("pre-receive", f"touch {one.path}/.git/{there.ref}.lock")
    assert there.push(third, soon()) == ""
    assert hub("rev-parse", REF) == third


def test_a_lock_that_was_left_behind_here_is_named(hub: Hub) -> None:
    """Where git cannot write what it fetched for a lock of somebody who is gone, the file is named, and what to do."""
    one, two = hub.clone("one"), hub.clone("two")
    there = remote(two)
    lock = two.path / ".git" / f"{there.ref}.lock"
    remote(one).push(add(one, A, b"1"), soon())
    lock.parent.mkdir(parents=True)

    def blocked() -> None:
        lock.touch()
        with pytest.raises(SetupError, match="is in the way") as told:
            there.fetch(soon())
        assert (told.value.exit_code, str(lock) in str(told.value)) == (3, True)
        assert told.value.hint == f"if no git runs in this clone, remove it: rm {lock}"
        lock.unlink()

    blocked()
    there.fetch(soon())
    hub("update-ref", "-d", REF)
    blocked()
    there.fetch(soon())
    assert Notes(objects(two), there.ref).tip is None


def test_a_lock_that_is_not_needed_is_no_obstacle(hub: Hub) -> None:
    """While the remote stays as it was known to be, nothing is written, and records go out."""
    one = hub.clone("one")
    there = remote(one)
    there.push(add(one, A, b"1"), soon())
    (one.path / ".git" / f"{there.ref}.lock").touch()

    there.fetch(soon())
    tip = add(one, A, b"2")
    assert there.push(tip, soon()) == ""
    assert hub("rev-parse", REF) == tip


def test_who_forgets_too_late_forgets_nothing(hub: Hub) -> None:
    """The remote has no notes; before our ref is gone somebody has fetched new ones: they stay."""
    one = hub.clone("one")
    there, tip = remote(one), add(one, A, b"1")
    there.push(tip, soon())
    other = add(one, A, b"2")
    hub("update-ref", "-d", REF)
    file = one.path / ".git" / "hooks" / "reference-transaction"
    file.write_text(f"#!/bin/sh\ntest $1 = prepared || exit 0\necho {other} >{one.path}/.git/{there.ref}; exit 1\n")
    file.chmod(0o755)

    there.fetch(soon())
    assert one("rev-parse", there.ref) == other
    file.write_text("#!/bin/sh\ntest $1 != prepared\n")
    with pytest.raises(GitError, match="hook"):
        there.fetch(soon())


@pytest.mark.parametrize("first", [True, False])
def test_a_remote_that_moves_while_we_push(hub: Hub, first: bool) -> None:
    """What the server notices only when it writes is a lost race, too, also where it had no notes."""
    one = hub.clone("one")
    there = remote(one)
    if not first:
        there.push(add(one, A, b"1"), soon())
    other, tip = add(one, B, b"1"), add(one, A, b"2")
    hub("fetch", "-q", str(one.path), other)
    hub.hook("pre-receive", f"{elsewhere(hub.path)} update-ref {REF} {other}")

    assert "failed to update ref" in there.push(tip, soon())


def test_a_remote_with_refs_in_the_way_is_named(hub: Hub) -> None:
    """That is no race which somebody else has won: the error has the remote's words, and says what to do."""
    one = hub.clone("one")
    tip = add(one, A, b"1")
    one("push", "-q", "origin", f"{tip}:{REF}/x")

    with pytest.raises(RemoteError, match=f"cannot push to origin: .*{REF}/x' exists") as told:
        remote(one).push(tip, soon())
    assert "rename or delete it there" in told.value.hint


def test_a_lock_that_was_left_behind_there_is_named(hub: Hub) -> None:
    """Somebody may be writing at this moment, so it is tried again; a lock that stays is named."""
    one = hub.clone("one")
    there, tip = remote(one), add(one, A, b"1")
    lock = hub.path / f"{REF}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()

    for _ in range(4):
        assert there.push(tip, soon())
    with pytest.raises(RemoteError, match=r"cannot push to origin: .*cannot lock ref .*Unable to create") as told:
        there.push(tip, soon())
    assert "was killed there" in told.value.hint
    lock.unlink()
    assert there.push(tip, soon()) == ""


@pytest.mark.parametrize("more", [False, True])
def test_records_are_fetched_from_where_they_are_pushed(hub: Hub, tmp_path: Path, more: bool) -> None:
    """A remote with another address for pushes is the repository at that address; of several it is the first."""
    (tmp_path / "b").mkdir()
    (tmp_path / "c").mkdir()
    second, third = Hub(tmp_path / "b"), Hub(tmp_path / "c")
    one, two = hub.clone("one"), hub.clone("two")
    two("remote", "set-url", "origin", str(second.path))
    remote(two).push(add(two, B, b"2"), soon())
    one("remote", "set-url", "--push", "origin", str(second.path))
    if more:
        one("remote", "set-url", "--push", "--add", "origin", str(third.path))
    there = remote(one)

    there.fetch(soon())
    theirs = Sha(one("rev-parse", there.ref))
    tip = unite(objects(one), place_of(one), REF, {A: [b"1"]}, [theirs])
    assert tip
    assert there.push(tip, soon()) == ""
    assert (second("rev-parse", REF), hub("for-each-ref"), third("for-each-ref")) == (tip, "", "")
    assert (there.shown, one("rev-parse", there.ref)) == ("origin", tip)


def test_a_remote_that_is_called_fork_is_none(hub: Hub) -> None:
    """Its notes and what CI fetched of a fork are two; both are told by that name."""
    one = hub.clone("one")
    one("remote", "rename", "origin", "fork")
    add(one, A, b"ours")
    claimed = unite(objects(one), place_of(one), "refs/notes/ampcommit-remote/fork", {A: [b"a claim"]})
    keep(one, [record(B)])

    share(os.environ, str(one.path), remote="fork")

    assert one("rev-parse", "refs/notes/ampcommit-remote/fork") == claimed
    assert [(row.remote, row.shared) for row in standings(os.environ, str(one.path))] == [("fork", 1), ("fork", 0)]
    assert [shelf.remote for shelf in shelves(place_of(one), os.environ)] == [None, "fork"]


def test_a_job_names_the_remote_in_a_variable(hub: Hub, tmp_path: Path) -> None:
    """Where nobody configures a clone, as in CI, AMPCOMMIT_SHAREREMOTE says where records go."""
    (tmp_path / "b").mkdir()
    held, one = Hub(tmp_path / "b"), hub.clone("one")
    keep(one, [record(B)])

    share({**os.environ, "AMPCOMMIT_SHAREREMOTE": str(held.path)}, str(one.path))

    assert (hub("for-each-ref"), held("for-each-ref", "--format=%(refname)")) == ("", REF)


def test_an_address_that_git_pushes_elsewhere(hub: Hub, tmp_path: Path) -> None:
    """`pushInsteadOf` is heeded as well."""
    one = hub.clone("one")
    one("config", f"url.{tmp_path}/.pushInsteadOf", "https://host.invalid/")
    one("remote", "set-url", "origin", "https://host.invalid/hub.git")

    remote(one).fetch(soon())
    assert remote(one).push(add(one, A, b"1"), soon()) == ""


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
