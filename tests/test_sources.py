"""What is known of threads, who is asked in which order, and how often."""

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ampcommit.ampcli import Amp
from ampcommit.ledger import Ledger
from ampcommit.record import ThreadId
from ampcommit.resolved import Resolved
from ampcommit.sources import Sources
from tests.conftest import AMP, CHILD, OTHER, PARENT
from tests.test_record import record_of

MAY_CHILD = "T-01a1f7e4-dbf0-737e-ad7b-5a4eb683db09"


class Counted(Ledger):
    """A ledger that counts how often it is searched."""

    __slots__ = ("searches",)

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.searches: list[bytes] = []

    def find(self, *needles: bytes) -> list[bytes]:
        """Search, and note for what."""
        self.searches.append(needles[0])
        return super().find(*needles)


@pytest.fixture
def ledger(tmp_path: Path) -> Counted:
    """An empty ledger."""
    (tmp_path / "git").mkdir()
    found = Counted(str(tmp_path / "git" / "ampcommit" / "ledger.jsonl"))
    found.prepare()
    return found


def tell(ledger: Ledger, *chain: str) -> None:
    """Append a line that tells a chain, each thread from the next."""
    threads = [ThreadId(thread) for thread in chain]
    ledger.append(
        Resolved(
            thread=threads[0],
            chain=threads,
            chain_state="complete",
            parents={thread: [parent] for thread, parent in itertools.pairwise(threads)},
            source="amp",
            time="2026-11-20T08:15:30Z",
            by="ampcommit 0.1.0",
        )
    )


def sources(ledger: Ledger | None = None, amp: Amp | None = None) -> Sources:
    """Return sources over the sealed home."""
    found = Sources(os.environ, amp)
    found.ledger = ledger
    return found


def stand_in(tmp_path: Path, script: str) -> Amp:
    """Return an amp that does what *script* says."""
    path = tmp_path / "amp"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Amp(str(path), os.environ)


def test_what_is_known_here_is_not_looked_up_in_the_ledger(january: Path, ledger: Counted) -> None:
    """A file that tells is enough; the ledger may be large."""
    assert january.exists()
    asked = sources(ledger)

    assert (asked.parents_of(ThreadId(CHILD)), asked.known_here(ThreadId(CHILD)).source) == ([PARENT], "local")
    assert ledger.searches == []


def test_a_thread_is_searched_for_once(ledger: Counted) -> None:
    """What the ledger says of its parents, and which commits name it, comes from one search."""
    ledger.append(record_of(thread=CHILD))
    asked = sources(ledger)
    for _ in range(2):
        assert asked.parents_of(ThreadId(CHILD)) is None
        assert len(asked.lines_of(ThreadId(CHILD))) == 1

    assert len(ledger.searches) == 1


def test_one_line_tells_of_a_whole_chain(ledger: Counted) -> None:
    """The threads further up need no search of their own."""
    tell(ledger, CHILD, PARENT, OTHER)
    asked = sources(ledger)

    assert [asked.parents_of(ThreadId(thread)) for thread in (CHILD, PARENT, OTHER)] == [[PARENT], [OTHER], None]
    assert len(ledger.searches) == 2
    assert asked.known_here(ThreadId(PARENT)).source == "ledger"


def test_of_all_threads_here_the_ledger_is_asked_at_once(amp_home: Path, ledger: Counted) -> None:
    """A thousand files that do not tell are not a thousand searches."""
    for number in range(20):
        (amp_home / f"T-01a1f7e3-a0f0-741a-b744-{number:012x}.json").write_text("broken")
    tell(ledger, CHILD, PARENT)

    assert sources(ledger).everywhere() == {PARENT: [CHILD]}
    assert len(ledger.searches) == 1


def test_without_a_ledger_there_is_nothing_to_search(amp_home: Path) -> None:
    """Outside a repository only this machine is asked."""
    assert amp_home.exists()
    assert (sources().parents_of(ThreadId(CHILD)), sources().lines_of(ThreadId(CHILD))) == (None, [])


def test_amp_is_asked_last_and_once(tmp_path: Path, ledger: Counted) -> None:
    """What amp says is taken over like a file; what it fails to say is a warning."""
    export = AMP / "2026-05" / "threads-exported" / f"{MAY_CHILD}.json"
    log = tmp_path / "log"
    asked = sources(ledger, stand_in(tmp_path, f'echo x >>"{log}"; [ "$3" = {MAY_CHILD} ] && cat "{export}"'))

    assert [asked.parents_of(ThreadId(MAY_CHILD)) for _ in range(2)] == [[OTHER]] * 2
    assert asked.known_here(ThreadId(MAY_CHILD)).source == "amp"
    assert log.read_text() == "x\n"
    assert asked.parents_of(ThreadId(CHILD)) is None
    assert [warning.partition(":")[0] for warning in asked.warnings] == [CHILD]


@pytest.mark.parametrize("keep", [False, True])
def test_amps_own_files_are_remembered_where_that_is_wanted(january: Path, sealed: Path, keep: bool) -> None:
    """Reading them again costs less than a new file for each, but what must last is kept."""
    assert january.exists()
    Sources(os.environ, keep=keep).parents_of(ThreadId(CHILD))

    assert (sealed / ".local" / "share" / "ampcommit" / "parents" / CHILD).exists() is keep


def test_the_childs_own_word_decides(january: Path) -> None:
    """T05, T07: a child that a thread names is one unless its own data say otherwise."""
    asked = sources()
    assert asked.children_of(ThreadId(PARENT)) == [CHILD]

    (january / f"{CHILD}.json").write_text(
        (january / f"{CHILD}.json").read_text().replace(f'"threadID": "{PARENT}"', f'"threadID": "{OTHER}"')
    )
    assert sources().children_of(ThreadId(PARENT)) == []
    (january / f"{CHILD}.json").unlink()
    assert sources().children_of(ThreadId(PARENT)) == [CHILD]


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("x")], ids=["missing", "broken"])
def test_a_gap_is_missing_or_broken(january: Path, spoil: Callable[[Path], object]) -> None:
    """T01, T02: whether a file is there makes a difference to who wants to mend it."""
    spoil(january / f"{CHILD}.json")
    state = sources().known_here(ThreadId(CHILD)).state

    assert state == ("broken" if (january / f"{CHILD}.json").exists() else "missing")


def test_a_folder_that_is_gone_holds_no_threads(sealed: Path) -> None:
    """A machine on which Amp never ran knows nobody's children."""
    shutil.rmtree(sealed / ".local", ignore_errors=True)

    assert sources().everywhere() == {}
