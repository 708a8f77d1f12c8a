"""What is printed of threads: for people without what a terminal acts on, for machines as promised."""

import json
from typing import Any

import pytest

from ampcommit.current import Current
from ampcommit.record import ThreadId
from ampcommit.render import threads as render_threads
from ampcommit.threads import Chain
from ampcommit.verbs.at_work import AtWork
from ampcommit.verbs.chain import Lineage
from ampcommit.verbs.resolve import Outcome
from tests.conftest import CHILD, PARENT, url

Capture = pytest.CaptureFixture[str]


def at_work(thread: str | None, source: str | None, **others: Any) -> AtWork:
    """Return what is at work."""
    candidates = others.pop("candidates", None)
    fields: dict[str, Any] = {"inside": False, "warnings": []}
    known = Current(ThreadId(thread) if thread else None, source, **fields | others)
    return AtWork(known, candidates=candidates)


@pytest.mark.parametrize("state", ["complete", "partial", "cycle", "unknown"])
def test_a_chain_ends_with_how_far_it_is_known(capsys: Capture, state: str) -> None:
    """Nobody takes a part for the whole."""
    found = Lineage(ThreadId(CHILD))
    found.status = state
    render_threads.chain(found, ["one", "two [red]"], up=True)

    out = capsys.readouterr().out.splitlines()
    assert out[:2] == ["one", "two [red]"]
    assert out[2].startswith(("(complete: ", "(partial: ", "(unknown: ", "(the threads name each other"))


def test_the_reason_of_an_open_chain_is_harmless(capsys: Capture) -> None:
    """What amp said is shown without what a terminal acts on."""
    outcome = Outcome(ThreadId(CHILD), Chain([ThreadId(CHILD)], "unknown"), None, "amp: \x1b[2Jgone")

    assert render_threads.resolved([outcome], as_json=False) == [outcome]
    assert capsys.readouterr().out == f"{CHILD} unknown, 1 thread: amp: \\x1b[2Jgone\n"


@pytest.mark.parametrize(
    ("state", "says"),
    [("complete", ""), ("cycle", ""), ("unknown", ": Amp does not tell"), ("partial", ": Amp does not tell")],
)
def test_an_open_chain_without_a_failure_is_an_answer(capsys: Capture, state: str, says: str) -> None:
    """Nothing went wrong: there is just no more to know."""
    outcome = Outcome(ThreadId(CHILD), Chain([ThreadId(CHILD), ThreadId(PARENT)], state), "amp")
    render_threads.resolved([outcome], as_json=False)

    assert not outcome.failed
    assert capsys.readouterr().out.startswith(f"{CHILD} {state}, 2 threads{says}")


def test_guesses_are_called_guesses(capsys: Capture) -> None:
    """A guess never looks like an answer."""
    found = at_work(CHILD, "guess", candidates=[(ThreadId(CHILD), "the last one here")])
    render_threads.at_work(found, as_json=False)

    assert capsys.readouterr().out.splitlines() == [
        "no thread is at work here",
        "perhaps one of these; a guess is never written into a message:",
        f"  {url(CHILD)}  (the last one here)",
    ]


def test_amp_without_an_id_is_said(capsys: Capture) -> None:
    """Amp's background shells do not say which thread they belong to."""
    render_threads.at_work(at_work(None, None, inside=True), as_json=False)

    assert capsys.readouterr().out == "no thread is at work here, though Amp is: it did not say which\n"


@pytest.mark.parametrize("as_json", [False, True])
def test_a_value_that_was_ignored_is_a_warning(capsys: Capture, as_json: bool) -> None:
    """What could not be used is said on stderr, once."""
    render_threads.at_work(at_work(None, None, warnings=["AMP_THREAD_ID is no id"]), as_json=as_json)

    assert capsys.readouterr().err == "warning: ampcommit: AMP_THREAD_ID is no id\n"


def test_the_json_of_current(capsys: Capture) -> None:
    """Every field is there; what is not known is null."""
    found = at_work(PARENT, "guess", candidates=[(ThreadId(PARENT), "somewhere")])
    render_threads.at_work(found, as_json=True)

    assert json.loads(capsys.readouterr().out) == {
        "schema": "ampcommit.current/1",
        "thread": PARENT,
        "source": "guess",
        "inside": False,
        "variable": None,
        "ends": None,
        "candidates": [{"thread": PARENT, "from": "somewhere"}],
    }
