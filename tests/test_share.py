"""`share`: what this clone knows reaches everybody, nothing private does, and nobody's record is lost on the way."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ampcommit.carried import Carry
from ampcommit.errors import MisuseError, RemoteError, SetupError
from ampcommit.files import Lock
from ampcommit.gitcmd import Git, clean
from ampcommit.ledger import Ledger
from ampcommit.notes import sshsig
from ampcommit.notes.heads import START
from ampcommit.notes.shared import REF, Notes, publishable, unite
from ampcommit.notes.signing import own_key, sign
from ampcommit.place import Place
from ampcommit.record import Record, Sha
from ampcommit.rewritten import Rewrite
from ampcommit.settings import Settings
from ampcommit.verbs.share import planned, remote_of, share, standings
from tests.conftest import CHILD, OTHER, ROOT, Repo, command, learned
from tests.githost import Hub, keep
from tests.test_shared import A, B, C, record, rewrite

SIGNATURE = b'{"v":1,"kind":"signature"'


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    """A bare repository."""
    return Hub(tmp_path)


def notes(repo: Repo, ref: str = REF) -> Notes:
    """Return the notes of *repo*."""
    return Notes(Git(str(repo.path), clean(os.environ, repo("rev-parse", "--absolute-git-dir"))), ref)


def given(hub: Hub, name: str, *commits: str, thread: str = CHILD) -> Repo:
    """Return a new clone with records of *commits* in its ledger."""
    repo = hub.clone(name)
    keep(repo, [record(Sha(commit), thread) for commit in commits])
    return repo


def kinds(repo: Repo) -> list[str]:
    """Return the kinds of the lines that are shared in *repo*, sorted."""
    return sorted(json.loads(line)["kind"] for _, lines in notes(repo).everything() for line in lines)


def counts(repo: Repo, **options: object) -> tuple[int, int, int]:
    """Share, and return what was published and received in how many tries."""
    done = share(os.environ, str(repo.path), **options)  # type: ignore[arg-type]  # the caller's options
    return done.published, done.received, done.tries


def test_records_reach_the_others(hub: Hub) -> None:
    """Who shares publishes what is known here and gets what others published."""
    one, two = given(hub, "one", A), given(hub, "two", A, B, thread=OTHER)

    assert counts(one) == (1, 0, 1)
    assert counts(two) == (2, 1, 1)
    assert counts(one) == (0, 2, 1)
    assert notes(one).tip == notes(two).tip == hub("rev-parse", REF)
    lines = notes(one).of([A])[A]
    assert {publishable(record(A).to_bytes()), publishable(record(A, OTHER).to_bytes())} <= {(A, one) for one in lines}


def test_a_second_share_does_nothing(hub: Hub, tmp_path: Path) -> None:
    """With nothing new no line is added, no commit made, and git push not even started."""
    one = given(hub, "one", A, B)
    share(os.environ, str(one.path))
    before = one("rev-parse", REF)

    done = share({**os.environ, "GIT_TRACE": str(tmp_path / "trace")}, str(one.path))

    assert (done.published, done.received, done.tries) == (0, 0, 1)
    assert one("rev-parse", REF) == hub("rev-parse", REF) == before
    trace = (tmp_path / "trace").read_text()
    assert "git fetch" in trace
    assert "git push" not in trace


def test_nothing_private_leaves_the_machine(hub: Hub) -> None:
    """What the remote has been given holds no branch, no author, no digest of a line, and no rebuilt record."""
    one = given(hub, "one", A)
    keep(one, [record(B, source="rebuilt"), rewrite("tree")])
    share(os.environ, str(one.path))

    stored = hub.run("cat-file", "--batch-all-objects", "--batch").stdout
    assert b"git.example.com/team/demo" in stored, "the repository is one of the documented fields"
    for private in (b"secret-plan", b"t@example.com", b'"prev"', b'"branch"', b"rebuilt", b'"source":"tree"'):
        assert private not in stored
    assert kinds(one) == ["commit", "head"]


def test_a_head_tells_how_far_the_ledger_had_come(hub: Hub) -> None:
    """One line on the note of the newest commit that is published: the clone, its lines, the digest of the last."""
    one = given(hub, "one", A, B)
    share(os.environ, str(one.path))
    ledger = keep(one, [record(B, source="rebuilt")])
    share(os.environ, str(one.path))
    keep(one, [rewrite(), record(C)])
    share(os.environ, str(one.path))

    heads = {
        commit: [json.loads(line) for line in lines if b'"head"' in line] for commit, lines in notes(one).everything()
    }
    last = [*ledger.lines()]
    assert [len(heads[commit]) for commit in (A, B, C)] == [0, 1, 1]
    (first,), (second,) = heads[B], heads[C]
    assert list(first) == ["v", "kind", "clone", "count", "digest", "time", "by"]
    assert (first["count"], second["count"]) == (2, 5)
    assert first["digest"] == "sha256:" + hashlib.sha256(last[1]).hexdigest()
    assert second["digest"] == "sha256:" + hashlib.sha256(last[4]).hexdigest()
    assert first["clone"] == second["clone"] == (one.path / ".git" / "ampcommit" / "clone").read_text().strip()
    assert len(first["clone"]) == 32


def test_the_number_of_a_clone_is_made_once(hub: Hub) -> None:
    """It is private to the user, survives, and is made anew where somebody broke it."""
    one = given(hub, "one", A)
    file = one.path / ".git" / "ampcommit" / "clone"
    planned(os.environ, str(one.path))
    number = file.read_text()
    planned(os.environ, str(one.path))

    assert file.read_text() == number
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_text("x")
    planned(os.environ, str(one.path))
    assert len(file.read_text()) == 33


def test_two_who_need_the_number_at_once_get_the_same(hub: Hub) -> None:
    """Whoever makes the number first made it for all."""
    one = given(hub, "one", A)
    file = one.path / ".git" / "ampcommit" / "clone"
    late = threading.Thread(target=planned, args=(os.environ, str(one.path)))

    with Lock(f"{file}.lock"):
        late.start()
        time.sleep(0.5)
        file.write_text("7" * 32)
    late.join()

    assert file.read_text() == "7" * 32


def test_what_was_learned_stays_with_one_commit(hub: Hub) -> None:
    """What became known of a thread goes to its newest commit then, or to the first one after; it never moves on."""
    one = hub.clone("one")
    keep(one, [learned(CHILD), learned(OTHER), record(A), record(B, OTHER), learned(OTHER), record(C)])
    share(os.environ, str(one.path))
    keep(one, [record(Sha("d" * 40), OTHER), learned("T-01a1f7e4-dbf0-737e-ad7b-5a4eb683db09")])
    share(os.environ, str(one.path))

    found = {
        commit: [json.loads(line)["thread"] for line in lines if b'"chain","thread"' in line]
        for commit, lines in notes(one).everything()
    }
    assert found == {A: [CHILD], B: [OTHER], C: [], "d" * 40: []}


def test_only_some_commits(hub: Hub) -> None:
    """A hook publishes what was recorded of the commits that are pushed; the rest goes with the next share."""
    one = given(hub, "one", A, B)
    keep(one, [learned(CHILD), Rewrite(old=A, new=B, command=None, source="git")])

    keep(one, [record(C)])

    assert counts(one, commits=[B]) == (3, 0, 1)
    assert [commit for commit, _ in notes(one).everything()] == [A, B], "B was A before"
    assert counts(one, commits=[]) == (0, 0, 1)
    assert counts(one) == (2, 0, 1)


def test_a_clone_without_records_only_receives(hub: Hub) -> None:
    """No ledger is needed to get what others know, and nothing at all is no failure."""
    one, two = given(hub, "one", A), hub.clone("two")

    assert counts(two) == (0, 0, 1)
    assert notes(two).tip is None
    share(os.environ, str(one.path))
    assert counts(two) == (0, 1, 1)
    assert not (two.path / ".git" / "ampcommit" / "ledger.jsonl").exists()


def test_eight_at_once(hub: Hub) -> None:
    """C01: eight clones share at the same moment: each succeeds, and every record arrives."""
    names = [[f"{clone}{number}".ljust(40, "0") for number in range(5)] for clone in range(8)]
    clones = [given(hub, f"c{clone}", *names[clone], A) for clone in range(8)]
    running = [
        subprocess.Popen(
            command("share", "--json"),
            cwd=repo.path,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        for repo in clones
    ]
    ended = [(one.communicate(timeout=120)[0], one.returncode) for one in running]

    assert [status for _, status in ended] == [0] * 8
    assert sum(json.loads(out)["published"] for out, _ in ended) >= 41
    found = notes(hub).of([Sha(name) for part in names for name in part])
    assert len(found) == 40
    assert kinds(hub).count("head") == 8
    assert kinds(hub).count("commit") == 41


def test_many_work_trees_at_once(hub: Hub) -> None:
    """C01: work trees of one clone that share at the same moment wait for each other."""
    one = given(hub, "one", A, B, C)
    one.commit("-qm", "one")
    trees = [hub.path.parent / f"wt{number}" for number in range(5)]
    for tree in trees:
        one("worktree", "add", "-q", str(tree))
    running = [
        subprocess.Popen(
            command("share", "--json"), cwd=tree, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)}
        )
        for tree in trees
    ]

    assert [(one.communicate(timeout=120), one.returncode)[1] for one in running] == [0] * 5
    assert len(notes(hub).of([A, B, C])) == 3
    assert kinds(one).count("commit") == 3


_FASTER = """
while read old new ref; do
  unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
  export GIT_AUTHOR_NAME=x GIT_AUTHOR_EMAIL=x GIT_COMMITTER_NAME=x GIT_COMMITTER_EMAIL=x
  test -e once.$1 && exit 0
  %s
  git notes --ref=ampcommit append -m "$(date +%%N)$$" $(git hash-object -w --stdin </dev/null)
done
"""


def test_a_lost_race_is_run_again(hub: Hub) -> None:
    """Somebody who pushes between our fetch and our push is merged, and our records arrive."""
    hub.hook("pre-receive", _FASTER % "touch once.")
    one = given(hub, "one", A)

    assert counts(one) == (1, 0, 2)
    assert kinds_of(hub.lines(A)) == ["commit", "head"]
    assert hub("rev-list", "--count", REF) == "3"


def kinds_of(lines: list[str]) -> list[str]:
    """Return the kinds of *lines*."""
    return sorted(json.loads(line)["kind"] for line in lines)


def test_who_always_loses_gives_up(hub: Hub) -> None:
    """A remote that changes before each push ends in an error after ten tries; what is here is kept."""
    hub.hook("pre-receive", _FASTER % ":")
    one = given(hub, "one", A)

    with pytest.raises(RemoteError, match="others were faster 10 times at origin") as told:
        share(os.environ, str(one.path))
    assert told.value.exit_code == 5
    assert "again" in told.value.hint
    assert kinds_of([line.decode() for line in notes(one).of([A])[A]]) == ["commit", "head"], "one head, not ten"
    with pytest.raises(RemoteError, match=r"others were faster . times|did not answer in time"):
        share(os.environ, str(one.path), seconds=0.5)
    (hub.path / "hooks" / "pre-receive").unlink()
    assert counts(one)[0] == 1


def test_a_remote_that_refuses_costs_nothing(hub: Hub) -> None:
    """A remote that takes no notes: an error with its reason, the union is kept here, and a later share goes on."""
    hub.hook("update", "echo no notes here >&2; exit 1")
    one = given(hub, "one", A)

    with pytest.raises(RemoteError, match="no notes here"):
        share(os.environ, str(one.path))
    assert kinds(one) == ["commit", "head"]
    (hub.path / "hooks" / "update").unlink()
    assert counts(one) == (1, 0, 1)
    assert kinds(one) == ["commit", "head"]


def test_time_is_bounded(hub: Hub) -> None:
    """A remote that hangs is left when the time that the caller gave is over."""
    hub.hook("pre-receive", "sleep 30")
    one = given(hub, "one", A)
    began = time.monotonic()

    with pytest.raises(RemoteError, match="did not answer in time"):
        share(os.environ, str(one.path), seconds=2)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("where", ["remote", "local"])
def test_killed_in_the_middle_the_next_run_completes_it(hub: Hub, where: str, tmp_path: Path) -> None:
    """C07: killed while git pushes, or while the union is written, nothing is lost and the next share finishes."""
    one = given(hub, "one", A, B)
    mark = tmp_path / "reached"
    wait = f"touch {mark}; sleep 2; exit 1"
    if where == "remote":
        hub.hook("pre-receive", wait)
    else:
        file = one.path / ".git" / "hooks" / "reference-transaction"
        file.write_text(f"#!/bin/sh\ntest $1 != prepared && exit 0; {wait}\n")
        file.chmod(0o755)
    running = subprocess.Popen(
        command("share"),
        cwd=one.path,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    for _ in range(600):
        if mark.exists():
            break
        time.sleep(0.05)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    time.sleep(2.5)  # what git was at comes to nothing
    for hooks in (hub.path / "hooks", one.path / ".git" / "hooks"):
        for hook in hooks.iterdir():
            hook.unlink()

    share(os.environ, str(one.path))
    assert len(notes(hub).of([A, B])) == 2
    assert kinds(one) == ["commit", "commit", "head"]


def test_foreign_notes_are_nobodys_obstacle(hub: Hub) -> None:
    """Notes that are no JSON, huge, of objects that are not here, and files that are no notes: all survive a share."""
    texts = {A: b"\x00\xff not JSON\n", "README.md": b"hello\n", "deep/er": b"x", C: b"y\n" * 5_000_000}
    said = [f"commit {REF}\ncommitter T <t@example.com> 1 +0000\ndata 0\n".encode()]
    said += [f"M 100644 inline {path}\ndata {len(text)}\n".encode() + text + b"\n" for path, text in texts.items()]
    hub("fast-import", "--quiet", stdin=b"".join(said))
    one = given(hub, "one", A, B)

    assert counts(one) == (2, 0, 1)
    for path, text in texts.items():
        assert text in hub.run("cat-file", "blob", f"{REF}:{path}").stdout
    assert counts(one) == (0, 0, 1)


@pytest.mark.parametrize(
    "args", [("--depth", "1"), ("--filter=blob:none",), ("--filter=tree:0", "--depth", "1"), ("--bare",)]
)
def test_every_kind_of_clone_can_share(hub: Hub, args: tuple[str, ...]) -> None:
    """Shallow, partial and bare clones publish and receive as others do."""
    one = given(hub, "one", A, B)
    one.commit("-qm", "one")
    one.commit("-qm", "two")
    one("push", "-q", "origin", "HEAD:main")
    share(os.environ, str(one.path))
    two = hub.clone("two", *args)
    keep(two, [record(A, OTHER), record(C)])

    assert counts(two) == (2, 2, 1)
    assert len(notes(hub).of([A, B, C])) == 3
    assert kinds(two) == kinds(hub)


def test_the_notes_ref_is_fetched_over_ours_by_the_user(hub: Hub) -> None:
    """A configured `+refs/notes/*:refs/notes/*` may have thrown our notes away: the ledger still has the records."""
    one, two = given(hub, "one", A), given(hub, "two", B)
    share(os.environ, str(one.path))
    share(os.environ, str(two.path))
    two("update-ref", REF, one("rev-parse", REF))

    share(os.environ, str(two.path))
    assert len(notes(two).of([A, B])) == 2


def test_a_remote_of_its_own(hub: Hub, tmp_path: Path) -> None:
    """Private provenance of public code: with `ampcommit.shareRemote` no record goes to the public remote."""
    Repo(tmp_path)("init", "-q", "--bare", str(tmp_path / "private.git"))
    one = given(hub, "one", A)
    one("config", "ampcommit.shareRemote", f"file://{tmp_path}/private.git")

    done = share(os.environ, str(one.path))
    assert done.remote == f"file://{tmp_path}/private.git"
    assert hub("for-each-ref") == ""
    assert len(notes(Repo(tmp_path / "private.git")).of([A])) == 1
    (standing,) = standings(os.environ, str(one.path))
    assert (standing.shared, standing.unpublished) == (1, 0)


def test_which_remote_is_meant(repo: Repo) -> None:
    """The one that is set, else `origin`, else the upstream's, else the only one; with a doubt nobody guesses."""
    git, place = Git(str(repo.path)), Place(str(repo.path / ".git"), str(repo.path))
    settings = Settings()

    def chosen(*known: str) -> str:
        settings.remotes = dict.fromkeys(known, "x")
        return remote_of(git, place, settings)

    with pytest.raises(SetupError, match="no remote") as told:
        chosen()
    assert "ampcommit.shareRemote" in told.value.hint
    with pytest.raises(SetupError, match="not clear"):
        chosen("a", "b")
    assert chosen("a") == "a"
    assert chosen("a", "origin") == "origin"
    repo("config", "branch.main.remote", "b")
    assert chosen("a", "b") == "b"
    repo("config", "branch.main.remote", ".")
    assert chosen("a") == "a"
    repo("update-ref", "--no-deref", "HEAD", repo("commit-tree", "-m", "x", repo("mktree", stdin=b"")))
    assert chosen("a") == "a"
    settings.clone["shareRemote"] = "set"
    assert chosen("a", "origin") == "set"


def test_an_option_is_no_remote(repo: Repo) -> None:
    """S05: a remote that looks like an option reaches no git."""
    with pytest.raises(MisuseError, match="--upload-pack=x is no remote"):
        share(os.environ, str(repo.path), remote="--upload-pack=x")


def test_a_plan_holds_exactly_the_lines(hub: Hub, tmp_path: Path) -> None:
    """What a dry run prints is what the remote then has, up to the time in the head; nothing is asked meanwhile."""
    one = given(hub, "one", A)
    share(os.environ, str(one.path))
    keep(one, [record(B), record(A, OTHER)])
    git_dir = str(one.path / ".git")
    git = Git(git_dir, clean(os.environ, git_dir))
    unite(git, Place(git_dir), REF, {C: [b"a carried line"]})
    before = {(Sha(commit), line) for commit, lines in notes(hub).everything() for line in lines}

    plan = planned({**os.environ, "GIT_TRACE": str(tmp_path / "trace")}, str(one.path))
    assert "git fetch" not in (tmp_path / "trace").read_text()
    assert planned(os.environ, str(one.path)).lines
    share(os.environ, str(one.path))
    after = {(Sha(commit), line) for commit, lines in notes(hub).everything() for line in lines}

    def timeless(pairs: set[tuple[Sha, bytes]]) -> set[tuple[Sha, bytes]]:
        return {(commit, line.partition(b'"time"')[0]) for commit, line in pairs}

    assert timeless(set(plan.lines)) == timeless(after - before)
    assert plan.lines == sorted(plan.lines)
    assert (C, b"a carried line") in plan.lines
    assert planned(os.environ, str(one.path)).lines == []


def test_a_plan_names_what_it_cannot_show(hub: Hub) -> None:
    """A note that is too long to be looked at is named, not silently left out."""
    one = given(hub, "one", A)
    git_dir = str(one.path / ".git")
    unite(Git(git_dir, clean(os.environ, git_dir)), Place(git_dir), REF, {C: [b"x" * 2_000_000]})

    assert planned(os.environ, str(one.path)).notices == [f"the note of {C} is too long to be looked at"]


def test_where_the_remotes_stand(hub: Hub, tmp_path: Path) -> None:
    """As far as the last fetch tells, and without another one: what each remote has and lacks."""
    one = given(hub, "one", A, B)

    def rows(**options: str) -> list[tuple[str, int | None, int]]:
        return [(one.remote, one.shared, one.unpublished) for one in standings(os.environ, folder, **options)]

    folder = str(one.path)
    assert rows() == [("origin", None, 2)]
    share(os.environ, folder)
    keep(one, [record(C)])
    one("remote", "add", "other", str(tmp_path / "nowhere"))
    one("update-ref", "refs/notes/ampcommit-remote/fork", REF)
    assert rows() == [("origin", 2, 1), ("fork", 2, 1)]
    assert rows(remote="other") == [("other", None, 3)]


@pytest.fixture
def signer(tmp_path: Path) -> Callable[[Repo], None]:
    """Return what sets up a clone so that its records are signed."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)], check=True)

    def set_up(repo: Repo) -> None:
        repo("config", "user.signingKey", str(key))
        repo("config", "ampcommit.sign", "true")

    return set_up


def test_records_are_signed_once(hub: Hub, signer: Callable[[Repo], None]) -> None:
    """With `ampcommit.sign` each line of ours gets one signature, also those that were published before."""
    one = given(hub, "one", A)
    share(os.environ, str(one.path))
    signer(one)
    keep(one, [record(B), rewrite()])
    assert planned(os.environ, str(one.path)).signed

    share(os.environ, str(one.path))
    share(os.environ, str(one.path))

    assert set(kinds(one)) == {"commit", "head", "rewrite", "signature"}
    for commit, lines in notes(one).everything():
        named = [json.loads(line)["of"] for line in lines if b'"signature"' in line]
        records = {sshsig.digest(line) for line in lines if not line.startswith((START, SIGNATURE))}
        heads = {sshsig.digest(line) for line in lines if line.startswith(START)}
        assert len(set(named)) == len(named)
        assert set(named) - heads == records
        assert bool(heads & set(named)) == (commit == B), "the head of the share that signs is signed"


def by_stranger(tmp_path: Path, lines: list[bytes]) -> list[bytes]:
    """Return what signs *lines* with a key of somebody else."""
    key = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    repo = Repo(tmp_path)
    repo("init", "-q", "elsewhere")
    repo = Repo(tmp_path / "elsewhere")
    repo("config", "user.signingKey", str(key))
    return sign(lines, Git(str(repo.path)), os.environ)


@pytest.mark.parametrize("public", [True, False])
def test_a_strangers_signature_is_not_ours(
    hub: Hub, signer: Callable[[Repo], None], tmp_path: Path, public: bool
) -> None:
    """What others signed first, or only say to have signed, gets our signature all the same, and only once."""
    one = given(hub, "one", A)
    share(os.environ, str(one.path))
    place = Place.of_folder(Git(str(one.path)))
    lines = notes(one).of([A])[A]
    unite(Git(str(one.path)), place, REF, {A: [*by_stranger(tmp_path, lines), sshsig.framed(lines[0], b"U1NI")]})
    signer(one)
    if not public:
        (tmp_path / "key.pub").unlink()

    share(os.environ, str(one.path))
    share(os.environ, str(one.path))

    key = own_key(Git(str(one.path)), os.environ)
    found = notes(one).of([A])[A]
    assert sshsig.digest(lines[0]) in sshsig.signed_with(key, found)
    assert len([line for line in found if sshsig.digest(lines[0]).encode() in line]) == 3


def test_a_new_key_signs_what_the_old_one_signed(hub: Hub, signer: Callable[[Repo], None], tmp_path: Path) -> None:
    """Who changes the key signs old lines again: the old one may be allowed no longer."""
    one = given(hub, "one", A)
    signer(one)
    share(os.environ, str(one.path))
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(tmp_path / "new")], check=True)
    one("config", "user.signingKey", str(tmp_path / "new"))

    share(os.environ, str(one.path))
    share(os.environ, str(one.path))

    [line] = [line for line in notes(one).of([A])[A] if b'"commit"' in line]
    signatures = [one for one in notes(one).of([A])[A] if sshsig.digest(line).encode() in one]
    assert len(signatures) == 2
    assert kinds(one).count("signature") == 2 + 2, "the head of each share, too"


def test_a_clone_that_knows_nothing_adds_nothing(hub: Hub) -> None:
    """A fresh clone without a ledger, as CI makes one each time, takes part without a trace: no head, no key needed."""
    one = given(hub, "one", A)
    share(os.environ, str(one.path))
    before = hub("rev-parse", REF)
    for name in ("ci-1", "ci-2"):
        fresh = hub.clone(name)
        fresh("config", "ampcommit.sign", "true")
        assert counts(fresh) == (0, 1, 1)
        assert planned(os.environ, str(fresh.path)).lines == []
        assert not os.path.exists(fresh.path / ".git" / "ampcommit" / "clone")

    assert hub("rev-parse", REF) == before
    assert kinds(one) == ["commit", "head"]


def test_a_clone_whose_records_are_known_adds_no_head(hub: Hub) -> None:
    """A ledger that tells nothing new has no head: a copy of a clone, or one whose records came by another way."""
    one, two = given(hub, "one", A), hub.clone("two")
    keep(two, list(map(Record.from_bytes, Ledger(Place.of_folder(Git(str(one.path))).ledger).lines())))
    share(os.environ, str(one.path))
    before = hub("rev-parse", REF)

    assert counts(two) == (0, 1, 1)
    assert (hub("rev-parse", REF), kinds(two)) == (before, ["commit", "head"])


def test_a_hook_does_not_sign(hub: Hub, signer: Callable[[Repo], None]) -> None:
    """Signing may ask for a key: what a hook publishes is signed by the next share."""
    one = given(hub, "one", A)
    signer(one)

    share(os.environ, str(one.path), commits=[A])
    assert kinds(one) == ["commit", "head"]
    share(os.environ, str(one.path))
    share(os.environ, str(one.path))
    assert [kind for kind in kinds(one) if kind != "head"] == ["commit", "signature", "signature"]


def test_nothing_is_signed_because_it_stands_in_a_note(hub: Hub, signer: Callable[[Repo], None]) -> None:
    """S07: lines that others put into notes of ours, made up to look like ours, get no signature of ours."""
    one = given(hub, "one", A)
    signer(one)
    share(os.environ, str(one.path))
    number = (one.path / ".git" / "ampcommit" / "clone").read_text().strip()
    stolen = publishable(record(C, OTHER).to_bytes())
    assert stolen
    forged = [
        stolen[1][:-1] + b',"x":{"kind":"head","clone":"%b"}}' % number.encode(),
        START + number.encode() + b'","count":1,"digest":"sha256:%b","time":"x","by":"x"}' % (b"0" * 64),
        stolen[1],
    ]
    two = hub.clone("two")
    counts(two)
    unite(Git(str(two.path)), Place.of_folder(Git(str(two.path))), REF, {A: forged})
    two("push", "-q", "origin", REF)

    share(os.environ, str(one.path))
    keep(one, [record(B)])
    share(os.environ, str(one.path))
    signed = {json.loads(line)["of"] for line in notes(one).of([A])[A] if line.startswith(SIGNATURE)}
    assert set(forged) <= set(notes(one).of([A])[A])
    assert signed.isdisjoint(map(sshsig.digest, forged))


def test_what_carry_copied_is_signed_where_it_stands(hub: Hub, signer: Callable[[Repo], None]) -> None:
    """S07: a copy of our own line in the note of a squashed commit gets its signature there, carried first or not."""
    one = given(hub, "one", A)
    squashed = Carry(new=Sha(C), commits=[Sha(A)], source="range", time="2026-11-20T08:15:30Z", by="ampcommit 0.1.0")
    keep(one, [squashed])
    (line,) = [text for _, text in [publishable(record(A).to_bytes()) or ("", b"")]]
    unite(Git(str(one.path)), Place.of_folder(Git(str(one.path))), REF, {Sha(C): [line]})
    signer(one)

    share(os.environ, str(one.path))

    signed = {json.loads(text)["of"] for text in notes(one).of([C])[C] if text.startswith(SIGNATURE)}
    assert sshsig.digest(line) in signed
    assert counts(one) == (0, 0, 1)


@pytest.mark.parametrize(("value", "asked"), [("true", True), ("2", True), ("0", False), ("", False), ("No", False)])
def test_whether_to_sign_is_read_as_git_reads_it(hub: Hub, value: str, asked: bool) -> None:
    """Booleans in all of git's words, numbers too."""
    one = given(hub, "one", A)
    one("config", "ampcommit.sign", value)

    assert planned(os.environ, str(one.path)).signed == asked


def test_a_bare_key_is_yes(hub: Hub) -> None:
    """A key without a value is git's way to say yes."""
    one = given(hub, "one", A)
    with (one.path / ".git" / "config").open("a") as file:
        file.write("[ampcommit]\n\tsign\n")

    assert planned(os.environ, str(one.path)).signed


@pytest.mark.parametrize("commits", [None, [A]])
def test_nobody_guesses_whether_to_sign(hub: Hub, commits: list[Sha] | None) -> None:
    """Who wrote neither yes nor no gets nothing published, by a hook neither, and is told."""
    one = given(hub, "one", A)
    one("config", "ampcommit.sign", "maybe")

    with pytest.raises(SetupError, match="neither true nor false") as told:
        share(os.environ, str(one.path), commits=commits)
    assert (told.value.exit_code, "ampcommit.sign true" in told.value.hint) == (3, True)
    assert hub("for-each-ref") == ""


def test_a_note_that_is_too_long_is_left_alone(hub: Hub, signer: Callable[[Repo], None]) -> None:
    """What cannot be read gets no line more, however often somebody shares; its commit is named."""
    one = given(hub, "one", A)
    signer(one)
    share(os.environ, str(one.path))
    git = Git(str(one.path))
    unite(git, Place.of_folder(git), REF, {A: [b"x" * 2_000_000]})
    share(os.environ, str(one.path))
    before = one("rev-parse", REF)
    notice = f"the note of {A} is too long: what is recorded of it is not shared"

    done = share(os.environ, str(one.path))
    assert (done.notices, one("rev-parse", REF)) == ([notice], before)
    plan = planned(os.environ, str(one.path))
    assert (plan.lines, plan.notices) == ([], [notice])
    [standing] = standings(os.environ, str(one.path))
    assert (standing.unpublished, standing.notices) == (0, [notice])

    keep(one, [record(B), record(A, OTHER)])
    assert share(os.environ, str(one.path)).published == 1
    assert one("rev-parse", f"{before}:{A}") == one("rev-parse", f"{REF}:{A}"), "the head went to the other note"
    assert any(line.startswith(START) for line in notes(one).of([B])[B])


def test_a_ledger_that_was_rewritten_is_noticed(hub: Hub) -> None:
    """The heads in the notes contradict it: that is said, and the records are shared all the same."""
    one = given(hub, "one", A, B)
    assert share(os.environ, str(one.path)).notices == []
    assert share(os.environ, str(one.path)).notices == []
    ledger = one.path / ".git" / "ampcommit" / "ledger.jsonl"
    ledger.unlink()
    keep(one, [record(A, OTHER), record(B)])

    done = share(os.environ, str(one.path))
    assert (len(done.notices), done.published) == (1, 1)
    assert "line 2 of the ledger was another one" in done.notices[0]


def test_a_name_that_git_refuses_is_not_taken_over(hub: Hub) -> None:
    """A `.git` in the remote's tree goes no further, from a clone that has notes or has none; the remote loses it."""
    one, two = given(hub, "one", A), hub.clone("two")
    share(os.environ, str(one.path))
    inner = hub("mktree", stdin=f"100644 blob {hub('hash-object', '-w', '--stdin', stdin=b'x')}\tconfig\n".encode())
    listed = [hub("ls-tree", REF), f"040000 tree {inner}\t.git", *(f"040000 tree {inner}\tz{n}" for n in range(9))]
    evil = hub("commit-tree", "-m", "x", "-p", REF, hub("mktree", stdin="\n".join([*listed, ""]).encode()))
    for clone in (two, one):
        hub("update-ref", REF, evil)
        share(os.environ, str(clone.path))

        names = clone("ls-tree", "-r", "--name-only", REF).split()
        assert hub("ls-tree", "-r", "--name-only", REF).split() == names
        assert not any(".git" in name for name in names)
        assert {A, "z1/config"} <= set(names)
    tip = one("rev-parse", REF)
    share(os.environ, str(one.path))
    assert one("rev-parse", REF) == tip


def test_without_a_key_nothing_is_published_unsigned(hub: Hub) -> None:
    """Who wants signatures and cannot make one is told, before anything leaves the machine."""
    one = given(hub, "one", A)
    one("config", "ampcommit.sign", "true")

    with pytest.raises(SetupError):
        share(os.environ, str(one.path))
    assert hub("for-each-ref") == ""


def test_what_git_config_says_wrong_is_told(hub: Hub) -> None:
    """A setting that does nothing is named, and the records go out."""
    one = given(hub, "one", A)
    one("config", "ampcommit.shareRemotes", "x")

    assert "unknown key" in share(os.environ, str(one.path)).notices[0]


_LIBRARIES = (
    "import sys; import ampcommit.verbs.share; print(*{'typer', 'rich', 'httpx', 'pydantic'} & set(sys.modules))"
)


def test_a_hook_can_share_without_libraries() -> None:
    """The standard library is enough: `pre-push` runs this without any other."""
    done = subprocess.run([sys.executable, "-c", _LIBRARIES], cwd=ROOT, capture_output=True, check=True)

    assert done.stdout == b"\n"
