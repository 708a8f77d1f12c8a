"""The thread at work: the agent itself, a person's word, or nobody."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ampcommit.current import USE_SECONDS, VARIABLES, Current, cleared, current, in_use, keep_in_use
from ampcommit.place import Place
from ampcommit.record import ThreadId
from tests.conftest import CHILD, OTHER, PARENT, url
from tests.test_files import PLANTED
from tests.test_record import NO_THREADS

relaxed = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A git dir without anything in it."""
    return Place(str(tmp_path / "git dir"))


def use(place: Place, content: bytes, age: float = 0) -> str:
    """Set the thread of *place* by hand, *age* seconds ago; return the file."""
    os.makedirs(place.private, exist_ok=True)
    path = os.path.join(place.private, "use")
    with open(path, "wb") as stream:
        stream.write(content)
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def seen(environ: dict[str, str], place: Place) -> tuple[str | None, str | None, bool]:
    """Return thread, source and whether we are inside an agent; there must be nothing to warn of."""
    found = current(environ, place)

    assert found.warnings == []
    return found.thread, found.source, found.inside


@pytest.mark.parametrize(
    "environ",
    [
        {"AMP_CURRENT_THREAD_ID": CHILD},
        {"AGENT": "amp", "AGENT_THREAD_ID": CHILD},
        {"AMP_THREAD_ID": CHILD},
        {"AGENT": "amp", "AGENT_THREAD_ID": CHILD, "AMP_CURRENT_THREAD_ID": CHILD, "CLAUDECODE": "1"},
        {"AMP_CURRENT_THREAD_ID": CHILD.upper()},
        {"AMP_CURRENT_THREAD_ID": "", "AMP_THREAD_ID": CHILD},
        {"AMP_CURRENT_THREAD_ID": CHILD, "AGENT": "amp", "AGENT_THREAD_ID": PARENT},
        {"AGENT": "amp", "AGENT_THREAD_ID": CHILD, "AMP_THREAD_ID": PARENT},
        {"AMP_CURRENT_THREAD_ID": CHILD, "AGENT": "other", "AGENT_THREAD_ID": PARENT},
    ],
    ids=str,
)
def test_the_agent_names_its_thread(place: Place, environ: dict[str, str]) -> None:
    """In the agent's shell the thread is known from its variables, of which the first that answers wins."""
    use(place, OTHER.encode())

    assert seen(environ, place) == (CHILD, "env", True)


@pytest.mark.parametrize("sample", ["2026-01", "2026-05", "2026-09"])
def test_the_real_clients_name_their_thread(place: Place, sample: str) -> None:
    """Each generation of the client leaves its thread in the environment of a hook."""
    log = (Path(__file__).parent / "data" / "amp" / sample / "hook-environment.log").read_text()
    lines = [line.strip().partition("=") for line in log.splitlines() if line.strip().startswith(("AGENT", "AMP"))]
    thread, source, inside = seen({name: value for name, _, value in lines}, place)

    assert thread is not None
    assert (source, inside) == ("env", True)


def test_nobody_is_at_work(place: Place) -> None:
    """T24: a person's own commit, with nothing said, belongs to no thread."""
    assert seen({}, place) == (None, None, False)


def test_another_agent_is_not_amp(place: Place) -> None:
    """`AGENT_THREAD_ID` of another agent is not ours to read."""
    assert seen({"AGENT": "other", "AGENT_THREAD_ID": CHILD}, place) == (None, None, False)


def test_a_background_shell_is_inside_a_thread_that_it_does_not_name(place: Place) -> None:
    """The newest client's background shells say `AGENT=amp` alone: inside, thread unknown."""
    assert seen({"AGENT": "amp", "AI_AGENT": "amp"}, place) == (None, None, True)


def test_a_background_shell_believes_a_person(place: Place) -> None:
    """Where the agent does not say which thread, a person's word counts."""
    use(place, CHILD.encode())

    assert seen({"AGENT": "amp"}, place) == (CHILD, "use", True)


HOSTILE = {
    **{name: text for name, text in NO_THREADS.items() if text and "\0" not in text},
    "injected": CHILD + "\nSigned-off-by: x",
    "carriage return": CHILD + "\r",
    "link": url(CHILD),
    "terminal": "\x1b[2J\x07",
    "5 kB": "T-" + "0" * 5000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_that_is_no_thread_is_ignored_with_a_warning(place: Place, name: str, text: str) -> None:
    """T18: what is not a thread id is not used, and the one line about it is short and harmless."""
    found = current({"AGENT": "amp", name: text}, place)

    assert (found.thread, found.source) == (None, None)
    assert [name] == [warning.split()[0] for warning in found.warnings]
    assert found.warnings[0].isprintable()
    assert len(found.warnings[0]) < 500


def test_a_bad_variable_does_not_hide_a_good_one(place: Place) -> None:
    """The next variable is asked, and the warning stays."""
    found = current({"AMP_CURRENT_THREAD_ID": "x", "AMP_THREAD_ID": CHILD}, place)

    assert (found.thread, found.source, len(found.warnings)) == (CHILD, "env", 1)


@relaxed
@given(st.dictionaries(st.sampled_from([*VARIABLES, "AGENT"]), st.text() | st.sampled_from([CHILD, "amp"])))
def test_any_environment_is_survived(place: Place, environ: dict[str, str]) -> None:
    """Whatever the variables hold, there is an answer, and a thread is a thread id."""
    found = current(environ, place)

    assert found.thread is None or found.thread == ThreadId(found.thread)
    assert (found.thread is None) == (found.source is None)
    assert all(warning.isprintable() for warning in found.warnings)


@pytest.mark.parametrize("content", [CHILD.encode(), CHILD.encode() + b"\n", b" " + CHILD.upper().encode() + b"\r\n"])
def test_a_person_names_the_thread(place: Place, content: bytes) -> None:
    """`ampcommit use` counts where the agent says nothing, and one is inside a thread then."""
    use(place, content)

    assert seen({}, place) == (CHILD, "use", True)


@pytest.mark.parametrize(("age", "counts"), [(0, True), (USE_SECONDS - 60, True), (USE_SECONDS + 60, False)])
def test_a_persons_word_ends_after_twelve_hours(place: Place, age: float, counts: bool) -> None:
    """A thread that was set and forgotten is not put into tomorrow's commits."""
    use(place, CHILD.encode(), age)

    assert (CHILD if counts else None) == in_use(place, time.time())


def test_a_commit_begins_the_twelve_hours_again(place: Place) -> None:
    """As long as commits are made, the thread stays set."""
    use(place, CHILD.encode(), USE_SECONDS + 60)
    keep_in_use(place)

    assert in_use(place, time.time()) == CHILD


def test_nothing_is_kept_that_is_not_there(place: Place) -> None:
    """A thread that was unset in this moment stays unset."""
    keep_in_use(place)

    assert not os.path.exists(place.private)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"none", CHILD.encode() * 2, CHILD.encode() + b"\nx", b"\xff" * 38, b" " * 300 + b"T-"]
)
def test_a_damaged_word_is_ignored(place: Place, content: bytes) -> None:
    """What is not exactly one thread id is as good as nothing."""
    use(place, content)

    assert seen({}, place) == (None, None, False)


@pytest.mark.parametrize("plant", PLANTED.values(), ids=PLANTED)
def test_what_is_no_file_is_ignored(place: Place, tmp_path: Path, plant: Callable[[Path, Path], object]) -> None:
    """S08: only a regular file of our own says which thread it is."""
    path = Path(use(place, b""))
    path.unlink()
    (tmp_path / "theirs").write_text(CHILD)
    plant(path, tmp_path / "theirs")

    assert in_use(place, time.time()) is None


def test_a_word_taken_back_meanwhile_is_no_failure(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """C03: `use --none` beside a commit costs that commit nothing."""
    path = use(place, CHILD.encode())
    close = os.close

    def close_and_remove(fd: int) -> None:
        close(fd)
        os.unlink(path)

    monkeypatch.setattr(os, "close", close_and_remove)

    assert in_use(place, time.time()) in (None, CHILD)


@pytest.mark.parametrize(
    ("source", "last", "expected"),
    [("env", CHILD, "env"), ("use", CHILD, "use"), ("env", PARENT, "message"), (None, CHILD, "message")],
)
def test_how_a_link_is_known(source: str | None, last: str, expected: str) -> None:
    """A record says the agent named the thread only if it is that very thread."""
    found = Current(ThreadId(CHILD) if source else None, source, inside=True, warnings=[])

    assert expected == found.source_of(ThreadId(last))


@pytest.mark.parametrize("name", VARIABLES)
def test_the_variable_that_answered_is_known(place: Place, name: str) -> None:
    """Variables leak into shells that outlive their thread, so it is said which one named it."""
    use(place, CHILD.encode())
    found = current({"AGENT": "amp", "AMP_CURRENT_THREAD_ID": "", name: CHILD}, place)

    assert found.variable == name
    assert current({}, place).variable is None


def test_what_git_and_an_agent_said_is_not_passed_on() -> None:
    """The run belongs to no hook and to no agent; the key for Amp stays."""
    environ = {"GIT_DIR": "x", "GIT_INDEX_FILE": "y", "AGENT": "amp", "AMP_CURRENT_THREAD_ID": CHILD, "PATH": "p"}

    assert cleared(environ | {"AMP_API_KEY": "k"}) == {"PATH": "p", "AMP_API_KEY": "k"}
