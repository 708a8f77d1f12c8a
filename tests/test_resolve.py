"""Chains learned late: from files, from Amp, in front of somebody or behind a commit's back."""

import itertools
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ampcommit import detach
from ampcommit.amp.ampcli import record
from ampcommit.amp.store import Store, path_of
from ampcommit.amp.wire import page
from ampcommit.errors import MisuseError, SetupError
from ampcommit.ledger import Ledger
from ampcommit.place import Place
from ampcommit.record import ThreadId
from ampcommit.verbs.resolve import background, in_front, pending
from tests.conftest import AMP, CHILD, OTHER, PARENT, Repo, url
from tests.test_record import record_of

MAY_CHILD, MAY_PARENT = "T-01a1f7e4-dbf0-737e-ad7b-5a4eb683db09", "T-01a1f7e4-a2a3-73ba-b37f-b07db4084237"


class Clone:
    """A clone with a ledger, and an amp that prints what lies in a folder and notes what it was asked."""

    def __init__(self, repo: Repo, folder: Path) -> None:
        self.repo = repo
        self.place = Place(str(repo.path / ".git"), str(repo.path))
        self.ledger = Ledger(self.place.ledger)
        self.exports = folder / "exports"
        self.log = folder / "log"
        self.amp = folder / "amp"
        self.exports.mkdir()
        self.answer('cat "$FOLDER/$3.json" 2>/dev/null || { echo "Thread $3 does not exist." >&2; exit 1; }')
        record(self.place, str(self.amp))

    def answer(self, script: str) -> None:
        """Let amp do what *script* says."""
        self.amp.write_text(f"#!/bin/sh\nFOLDER='{self.exports}'\necho \"$3\" >>'{self.log}'\n{script}\n")
        self.amp.chmod(0o755)

    def may(self) -> None:
        """Let amp know the May client's parent and child."""
        for path in (AMP / "2026-05" / "threads-exported").iterdir():
            shutil.copy(path, self.exports)

    def recorded(self, *threads: str, state: str = "unknown") -> None:
        """Let the ledger hold a commit of each thread, with a chain in that state."""
        for number, thread in enumerate(threads):
            self.ledger.append(
                record_of(
                    commit=f"{len(list(self.ledger.lines())):040x}",
                    links=[ThreadId(thread)],
                    chain=[ThreadId(thread)],
                    chain_state=state,
                    time=f"2026-11-20T08:00:{number:02}Z",
                )
            )

    def asked(self) -> list[str]:
        """Return what amp was asked for."""
        return self.log.read_text().split() if self.log.exists() else []

    def chains(self) -> list[dict[str, Any]]:
        """Return the ledger's lines of kind `chain`; the ledger must be sound."""
        assert self.ledger.check().problems == []
        lines = [json.loads(line) for line in self.ledger.lines()]
        return [line for line in lines if line["kind"] == "chain"]

    def request(self, thread: str) -> Path:
        """Ask for *thread* as a hook does; return the file of the request."""
        path = Path(self.place.state) / detach.REQUESTS / thread
        path.parent.mkdir(exist_ok=True)
        path.touch()
        return path

    def run(self, *waits: float) -> None:
        """Run in the background, here."""
        background(self.place.git_dir, self.place.top, os.environ, waits or (0,))


@pytest.fixture
def clone(repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """A clone whose amp knows nothing yet."""
    monkeypatch.setenv("AMP_API_KEY", "sgamp_user_x")
    monkeypatch.chdir(repo.path)
    return Clone(repo, tmp_path)


def learned(home: Path, thread: str) -> list[str]:
    """Return what is remembered of the parents of *thread*."""
    return (home / ".local" / "share" / "ampcommit" / "parents" / thread).read_text().splitlines()


# In front.


def test_amp_is_asked_up_to_the_root_and_what_it_says_is_kept(clone: Clone, sealed: Path) -> None:
    """The chain is in the ledger, with who told of it, and the next hook finds the parents."""
    clone.may()
    [outcome] = in_front([MAY_CHILD], os.environ)

    assert outcome.as_dict() == {
        "thread": MAY_CHILD,
        "chain": [MAY_CHILD, MAY_PARENT],
        "chain_state": "complete",
        "source": "amp",
        "problem": None,
    }
    [line] = clone.chains()
    assert (line["thread"], line["chain_state"], line["source"]) == (MAY_CHILD, "complete", "amp")
    assert line["parents"] == {MAY_CHILD: [MAY_PARENT], MAY_PARENT: []}
    assert learned(sealed, MAY_CHILD)[0].startswith("1 amp ")
    assert learned(sealed, MAY_CHILD)[1:] == [MAY_PARENT]


def test_what_is_known_is_not_asked_and_not_written_again(clone: Clone) -> None:
    """Running it twice changes nothing."""
    clone.may()
    for _ in range(2):
        assert [outcome.chain.state for outcome in in_front([MAY_CHILD], os.environ)] == ["complete"]

    assert clone.asked() == [MAY_CHILD, MAY_PARENT]
    assert len(clone.chains()) == 1


@pytest.mark.usefixtures("january")
def test_what_lies_here_needs_no_amp(clone: Clone, monkeypatch: pytest.MonkeyPatch, sealed: Path) -> None:
    """Without a key, local files are learned all the same, and of the rest it is said what is missing."""
    monkeypatch.delenv("AMP_API_KEY")
    outcomes = list(in_front([CHILD, OTHER], os.environ))

    assert [outcome.chain.state for outcome in outcomes] == ["complete", "unknown"]
    assert outcomes[0].problem is None
    assert "there is no key for Amp" in str(outcomes[1].problem)
    assert learned(sealed, CHILD)[1:] == [PARENT]
    assert (clone.asked(), [line["thread"] for line in clone.chains()]) == ([], [CHILD])


def synced() -> str:
    """Let `ampcommit sync` have learned what the child came from; return where that is."""
    path = path_of(os.environ)
    said = {"id": CHILD, "creatorUserID": "u", "parentThreadID": PARENT}
    with closing(Store(path)) as store:
        store.begin()
        store.take(page(json.dumps({"threads": [said]}).encode()).entries)
    return path


def test_what_was_synced_needs_no_amp(clone: Clone, sealed: Path) -> None:
    """A parent that Amp's API named is learned; of the parent itself Amp is asked, because nobody else tells."""
    clone.recorded(CHILD)
    synced()
    [outcome] = in_front([], os.environ)

    assert (outcome.chain.threads, outcome.chain.state, outcome.source) == ([CHILD, PARENT], "partial", "api")
    [line] = clone.chains()
    assert (line["source"], line["parents"]) == ("api", {CHILD: [PARENT]})
    assert learned(sealed, CHILD)[0].startswith("1 api ")
    assert clone.asked() == [PARENT]


def test_a_store_that_is_damaged_stops_no_background_run(clone: Clone) -> None:
    """What Amp tells is learned without it."""
    clone.may()
    Path(synced()).write_text("<html>")
    request = clone.request(MAY_CHILD)
    clone.run()

    assert not request.exists()
    assert [line["source"] for line in clone.chains()] == ["amp"]


def test_a_thread_is_named_as_people_name_it(clone: Clone) -> None:
    """An id in capitals and a link are the same thread; a word is a misuse."""
    clone.may()
    outcomes = list(in_front([MAY_CHILD.upper(), url(MAY_PARENT)], os.environ))

    assert [outcome.thread for outcome in outcomes] == [MAY_CHILD, MAY_PARENT]
    with pytest.raises(MisuseError):
        in_front(["T-1"], os.environ)


def test_outside_a_repository_there_is_no_ledger_to_fill(tmp_path: Path) -> None:
    """Exit 3, as for every command that needs a repository."""
    with pytest.raises(SetupError):
        in_front([CHILD], os.environ, str(tmp_path))


def test_without_a_name_all_open_threads_of_the_ledger_are_meant(clone: Clone) -> None:
    """The newest first; what is whole, or was learned since, is not asked for."""
    clone.may()
    clone.recorded(PARENT, MAY_PARENT, MAY_CHILD)
    clone.recorded(OTHER, state="complete")

    assert pending(clone.ledger) == [MAY_CHILD, MAY_PARENT, PARENT]
    assert [outcome.thread for outcome in in_front([], os.environ)] == [MAY_CHILD, MAY_PARENT, PARENT]
    assert pending(clone.ledger) == [PARENT]


def test_a_partial_chain_is_open_until_it_is_whole(clone: Clone) -> None:
    """What was learned in part is asked for again, and written again when it has grown."""
    clone.may()
    (clone.exports / f"{MAY_PARENT}.json").rename(clone.exports / "later")
    clone.recorded(MAY_CHILD)
    [first] = in_front([], os.environ)
    assert (first.chain.state, pending(clone.ledger)) == ("partial", [MAY_CHILD])
    assert f"Amp does not know the thread {MAY_PARENT}" in str(first.problem)

    (clone.exports / "later").rename(clone.exports / f"{MAY_PARENT}.json")
    list(in_front([], os.environ))

    assert [line["chain_state"] for line in clone.chains()] == ["partial", "complete"]
    assert pending(clone.ledger) == []


def test_what_amp_does_not_tell_stays_open(clone: Clone) -> None:
    """A thread of the server generation without parents in its list is no root, and that is an answer, no failure."""
    fields = json.loads((AMP / "2026-05" / "threads-exported" / f"{MAY_PARENT}.json").read_text())
    fields["env"]["initial"]["platform"]["clientVersion"] = "0.0.1790142911-g7618fb"
    fields["relationships"] = []
    (clone.exports / f"{MAY_PARENT}.json").write_text(json.dumps(fields))
    [outcome] = in_front([MAY_PARENT], os.environ)

    assert (outcome.chain.state, clone.chains()) == ("unknown", [])
    assert (outcome.problem, outcome.failed) == ("Amp does not tell what came before", False)


def test_several_runs_write_a_chain_once(clone: Clone) -> None:
    """What another run has written meanwhile is not written again."""
    clone.may()
    first, second = in_front([MAY_CHILD], os.environ), in_front([MAY_PARENT, MAY_CHILD], os.environ)

    assert [outcome.thread for outcome in (next(second), next(first), next(second))] == [
        MAY_PARENT,
        MAY_CHILD,
        MAY_CHILD,
    ]
    assert [line["thread"] for line in clone.chains()] == [MAY_PARENT, MAY_CHILD]


def test_a_chain_that_grows_is_written_again(clone: Clone) -> None:
    """A longer part of a chain says more than a shorter one, and a shorter one that is known is not written over it."""
    threads = [f"T-01a1f7e3-a0f0-741a-b744-{number:012x}" for number in range(4)]
    for thread, parent in itertools.pairwise(threads):
        entry = {"threadID": parent, "type": "handoff", "role": "child"}
        (clone.exports / f"{thread}.later").write_text(json.dumps({"v": 1, "id": thread, "relationships": [entry]}))
    for thread in threads[:3]:
        (clone.exports / f"{thread}.later").rename(clone.exports / f"{thread}.json")
        list(in_front([threads[0]], os.environ))
    list(in_front([threads[0]], os.environ))

    assert [len(line["chain"]) for line in clone.chains()] == [2, 3, 4]
    assert {line["chain_state"] for line in clone.chains()} == {"partial"}


def test_the_line_that_says_most_counts(clone: Clone) -> None:
    """A weaker line behind a better one opens nothing again."""
    clone.recorded(MAY_CHILD)
    clone.may()
    list(in_front([], os.environ))
    weaker = json.loads(list(clone.ledger.lines())[-1]) | {"chain": [MAY_CHILD], "chain_state": "partial"}
    with Path(clone.ledger.path).open("a") as file:
        file.write(json.dumps(weaker, separators=(",", ":")) + "\n")

    assert pending(clone.ledger) == []


def test_damaged_and_foreign_lines_are_passed_over(clone: Clone) -> None:
    """What `ledger check` reports keeps nobody from learning."""
    clone.recorded(CHILD)
    with Path(clone.ledger.path).open("a") as file:
        file.write('{"v":1,"kind":"commit","chain_state":"unknown"}\n')
        file.write('{"v":1,"kind":"chain"}\n')
        odd = {"thread": CHILD, "chain": [], "chain_state": "odd", "parents": {}, "source": "x", "time": "x", "by": "x"}
        file.write(json.dumps({"v": 1, "kind": "chain", **odd, "prev": None}, separators=(",", ":")) + "\n")

    assert pending(clone.ledger) == [CHILD]


# In the background.


def test_a_request_is_answered_and_gone(clone: Clone) -> None:
    """What hooks asked for is in the ledger; nothing is left to do."""
    clone.may()
    path = clone.request(MAY_CHILD)
    clone.run()

    assert [line["chain"] for line in clone.chains()] == [[MAY_CHILD, MAY_PARENT]]
    assert not path.exists()
    assert signal.alarm(0) == 0, "no alarm is left for whoever runs it"


def test_a_thread_that_is_uploaded_later_is_tried_again(clone: Clone) -> None:
    """The May client uploads a new thread after the turn: a few tries are worth it."""
    path = clone.request(MAY_CHILD)
    said = 'echo "Thread $3 does not exist." >&2; exit 1'
    clone.answer(f'[ $(wc -l <"{clone.log}") -gt 2 ] || {{ {said}; }}; cat "$FOLDER/$3.json"')
    clone.may()
    clone.run(0, 0, 0)

    assert clone.asked() == [MAY_CHILD, MAY_CHILD, MAY_CHILD, MAY_PARENT]
    assert not path.exists()


def test_what_nobody_knows_is_given_up_for_a_while(clone: Clone) -> None:
    """The request stays with a word in it, so that the next commits do not ask again."""
    path = clone.request(CHILD)
    clone.run(0, 0)

    assert clone.asked() == [CHILD, CHILD]
    assert path.read_bytes() == b"given up\n"
    clone.run()
    assert len(clone.asked()) == 2


def test_a_file_that_is_no_request_is_left_alone(clone: Clone) -> None:
    """Only names of threads are asked for."""
    clone.request("T-..").write_bytes(b"")
    clone.run()

    assert clone.asked() == []


def test_who_ends_it_meanwhile_is_heard(clone: Clone) -> None:
    """`resolve = never` holds from the next try on, also for a run that is under way."""
    clone.answer(f"git --git-dir='{clone.place.git_dir}' config ampcommit.resolve never; exit 1")
    path = clone.request(CHILD)
    clone.run(0, 0, 0)

    assert clone.asked() == [CHILD]
    assert path.read_bytes() == b""


@pytest.mark.parametrize(("mode", "kept"), [(0o660, 0o660), (0o600, 0o600), (0o664, 0o664)])
def test_a_shared_clone_shares_what_it_asks(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, mode: int, kept: int
) -> None:
    """What stands beside the ledger is as open to the team as the ledger is."""
    clone.ledger.prepare()
    Path(clone.ledger.path).chmod(mode)
    record(clone.place, str(clone.amp))
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_spawn", lambda *_, **__: 0)
        detach.start_resolver(ThreadId(CHILD), clone.place, {})
    clone.run()
    state = Path(clone.place.state)

    for path in (state / "amp", state / "resolve.lock", state / detach.REQUESTS / CHILD):
        assert stat.S_IMODE(path.stat().st_mode) == kept, path
    assert stat.S_IMODE((state / detach.REQUESTS).stat().st_mode) == kept | 0o700 | (kept & 0o044) >> 2


@pytest.mark.parametrize("missing", ["key", "amp", "requests"])
def test_where_nobody_can_be_asked_it_ends_in_silence(
    clone: Clone, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], missing: str
) -> None:
    """Nobody listens to it, so it says nothing, and the request waits for better days."""
    if missing == "key":
        monkeypatch.delenv("AMP_API_KEY")
    if missing == "amp":
        clone.amp.unlink()
    path = None if missing == "requests" else clone.request(CHILD)
    clone.run()

    assert capfd.readouterr() == ("", "")
    assert clone.asked() == []
    assert path is None or path.read_bytes() == b""


def started(clone: Clone, waits: str = "(0,)") -> "subprocess.Popen[bytes]":
    """Start a background run as a process of its own."""
    code = "import os, sys; from ampcommit.verbs.resolve import background; "
    code += f"background(*sys.argv[1:], os.environ, {waits})"
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", code, clone.place.git_dir, clone.place.top], env=environ)


def until(true: Callable[[], object]) -> None:
    """Wait for what another process does."""
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def test_two_runs_at_once_are_one(clone: Clone) -> None:
    """Who comes second leaves the work to the first."""
    clone.may()
    clone.request(MAY_CHILD)
    clone.answer('sleep 0.5; cat "$FOLDER/$3.json"')
    first = started(clone)
    until(clone.asked)
    second = started(clone)

    assert (second.wait(20), first.wait(20)) == (0, 0)
    assert clone.asked() == [MAY_CHILD, MAY_PARENT]
    assert len(clone.chains()) == 1


def test_a_run_that_is_killed_harms_nothing(clone: Clone) -> None:
    """The ledger is sound, the request is still there, and the next run answers it."""
    clone.may()
    path = clone.request(MAY_CHILD)
    clone.answer("exec sleep 5")
    run = started(clone)
    until(clone.asked)
    run.kill()
    run.wait()
    assert (path.read_bytes(), clone.chains()) == (b"", [])

    clone.answer('cat "$FOLDER/$3.json"')
    clone.run()
    assert len(clone.chains()) == 1


def test_a_run_that_is_ended_takes_amp_with_it(clone: Clone, tmp_path: Path) -> None:
    """Nothing of it stays behind when somebody ends it."""
    clone.request(CHILD)
    clone.answer(f"echo $$ >'{tmp_path}/pid.new' && mv '{tmp_path}/pid.new' '{tmp_path}/pid'; exec sleep 60")
    run = started(clone)
    until((tmp_path / "pid").exists)
    run.terminate()

    assert run.wait(20) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_run_does_not_outlive_its_time(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it waits for, it ends."""
    monkeypatch.setattr(signal, "alarm", lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds and 0.2))
    clone.request(CHILD)
    start = time.monotonic()
    clone.run(0, 60)

    assert time.monotonic() - start < 20
