"""The thread at work as `use` sets it and `current` shows it."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ampcommit.current import USE_SECONDS, VARIABLES
from ampcommit.errors import MisuseError, SetupError
from ampcommit.verbs.at_work import MOST, AtWork, at_work, use, use_none
from tests.conftest import AMP, CHILD, OTHER, PARENT, Repo, url
from tests.test_current import HOSTILE
from tests.test_files import PLANTED, mode
from tests.test_guess import begun, numbered, tree

Enter = Callable[[str], None]

SUBJECT = "Add the parser"


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    """Set the umask of this process for one test."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def set_to(repo: Repo, named: str) -> str:
    """Set the thread of a work tree by hand."""
    return use(named, os.environ, str(repo.path))


def shown(repo: Repo, **variables: str) -> AtWork:
    """Return what `current` would show."""
    return at_work({**os.environ, **variables}, str(repo.path))


def word(repo: Repo) -> Path:
    """Return the file in which a person's word is kept."""
    return repo.path / ".git" / "ampcommit" / "use"


def aged(repo: Repo, seconds: float) -> float:
    """Let that word be *seconds* old; return since when it holds then."""
    then = float(int(time.time() - seconds))
    os.utime(word(repo), (then, then))
    return then


def iso(seconds: float) -> str:
    """Return a Unix time as JSON promises it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


# A person names the thread.


@pytest.mark.parametrize(
    "named",
    [CHILD, CHILD.upper(), f"@{CHILD}", url(CHILD), f"{url(CHILD)}/?x=1#message-3-block-0", url(CHILD.upper())],
)
def test_a_thread_is_named_as_people_name_it(repo: Repo, named: str) -> None:
    """An id in any case, Amp's own mention of it, and the link are one thread."""
    assert set_to(repo, named) == CHILD
    assert (shown(repo).thread, shown(repo).source, shown(repo).inside) == (CHILD, "use", True)


def test_a_link_of_a_host_of_the_policy_names_a_thread(repo: Repo) -> None:
    """Where links of another host count, they can be pasted here too."""
    link = url(CHILD).replace("ampcode.com", "amp.example.com")
    with pytest.raises(MisuseError):
        set_to(repo, link)
    (repo.path / ".ampcommit").write_text("[ampcommit]\n\thost = amp.example.com\n")

    assert set_to(repo, link) == CHILD


@pytest.mark.parametrize(
    "garbage",
    ["", "@", "x", "T-", "--none", "../use", f"@@{CHILD}", f"{CHILD}\nx", f" {CHILD}", f"https://evil.example/{CHILD}",
     f"http://ampcode.com/threads/{CHILD}", f"https://ampcode.com/v2/{CHILD}", "\x1b[2J", "\ud800", "T" * 5000],
    ids=lambda text: ascii(text)[:40],
)  # fmt: skip
def test_garbage_names_no_thread(repo: Repo, garbage: str) -> None:
    """What is no thread is exit 2 with a hint, and the thread that was set stays."""
    set_to(repo, CHILD)
    with pytest.raises(MisuseError) as caught:
        set_to(repo, garbage)

    assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)
    assert shown(repo).thread == CHILD


@pytest.mark.parametrize("mask", [0, 0o022, 0o077])
def test_the_word_is_kept_privately(repo: Repo, umask: Callable[[int], int], mask: int) -> None:
    """The file is one line, for its owner alone, inside git's folder."""
    umask(mask)
    set_to(repo, CHILD)

    assert word(repo).read_text() == f"{CHILD}\n"
    assert (mode(word(repo)), mode(word(repo).parent)) == (0o600, 0o700)
    assert os.listdir(word(repo).parent) == ["use"]


def test_the_next_word_replaces_the_last(repo: Repo) -> None:
    """One work tree has one thread, and its twelve hours begin with the new word."""
    set_to(repo, CHILD)
    aged(repo, USE_SECONDS - 60)
    set_to(repo, PARENT)
    found = shown(repo)

    assert found.thread == PARENT
    assert found.since is not None
    assert found.since >= iso(time.time() - 600)


def test_a_commit_carries_the_thread_that_was_set(installed: Repo) -> None:
    """What `use` writes is what the hooks read."""
    set_to(installed, CHILD)
    installed.commit("-q", "-m", SUBJECT)

    assert installed.links() == [url(CHILD)]


def test_the_word_is_the_work_trees_own(repo: Repo, tmp_path: Path) -> None:
    """In parallel work trees each has its own thread."""
    repo.commit("-q", "-m", "first")
    repo("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = Repo(tmp_path / "linked")
    set_to(linked, CHILD)
    assert (shown(repo).thread, shown(linked).thread) == (None, CHILD)
    set_to(repo, PARENT)
    assert (shown(repo).thread, shown(linked).thread) == (PARENT, CHILD)

    assert use_none(os.environ, str(linked.path))
    assert (shown(repo).thread, shown(linked).thread) == (PARENT, None)


def test_a_folder_inside_is_the_same_work_tree(repo: Repo) -> None:
    """One need not be at the top to say it."""
    (repo.path / "src").mkdir()
    use(CHILD, os.environ, str(repo.path / "src"))

    assert shown(repo).thread == CHILD


@pytest.mark.parametrize("plant", [PLANTED["link"], PLANTED["FIFO"]], ids=["link", "FIFO"])
def test_what_stands_in_the_files_place_is_replaced(
    repo: Repo, tmp_path: Path, plant: Callable[[Path, Path], object]
) -> None:
    """S08: nothing is written through a link, and a FIFO makes nobody wait."""
    word(repo).parent.mkdir()
    (tmp_path / "theirs").write_text("theirs")
    plant(word(repo), tmp_path / "theirs")
    set_to(repo, CHILD)

    assert shown(repo).thread == CHILD
    assert (tmp_path / "theirs").read_text() == "theirs"


def test_our_folder_is_never_a_link(repo: Repo, tmp_path: Path) -> None:
    """S08: a link in the place of our folder is refused."""
    word(repo).parent.symlink_to(tmp_path)
    with pytest.raises(NotADirectoryError):
        set_to(repo, CHILD)

    assert not (tmp_path / "use").exists()


def test_a_word_is_taken_back(repo: Repo) -> None:
    """`use --none` ends it at once, and says whether there was anything to end."""
    set_to(repo, CHILD)

    assert [use_none(os.environ, str(repo.path)) for _ in range(2)] == [True, False]
    assert shown(repo).thread is None


def test_nothing_to_take_back_is_no_failure(repo: Repo) -> None:
    """Where nobody set a thread, there is none, and no folder is made."""
    assert not use_none(os.environ, str(repo.path))
    assert not word(repo).parent.exists()


def test_a_word_that_cannot_be_taken_back_is_a_failure(repo: Repo) -> None:
    """Nobody is told that a thread is unset while it is there."""
    word(repo).mkdir(parents=True)

    with pytest.raises(OSError, match="use"):
        use_none(os.environ, str(repo.path))


VERBS: dict[str, Callable[[str], object]] = {
    "use": lambda folder: use(CHILD, os.environ, folder),
    "use --none": lambda folder: use_none(os.environ, folder),
    "current": lambda folder: at_work(os.environ, folder),
}


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_outside_a_repository_there_is_no_work_tree(tmp_path: Path, verb: Callable[[str], object]) -> None:
    """A thread is at work in a repository or nowhere: exit 3, with a hint."""
    with pytest.raises(SetupError) as caught:
        verb(str(tmp_path))

    assert (caught.value.exit_code, bool(caught.value.hint)) == (3, True)


@pytest.mark.parametrize("bare", [True, False])
def test_a_word_needs_a_work_tree(repo: Repo, tmp_path: Path, bare: bool) -> None:
    """In a bare repository, or inside git's own folder, nobody commits: exit 3, and nothing is written."""
    folder = tmp_path / "bare" if bare else repo.path / ".git"
    repo("init", "-q", "--bare", str(tmp_path / "bare"))
    with pytest.raises(SetupError) as caught:
        use(CHILD, os.environ, str(folder))

    assert (caught.value.exit_code, bool(caught.value.hint)) == (3, True)
    assert not (folder / "ampcommit").exists()
    assert at_work(os.environ, str(folder)).thread is None


# Which thread it is, and how that is known.


def test_nobody_is_at_work(repo: Repo) -> None:
    """T24: where nobody says anything and nothing is noted, there is no thread."""
    found = shown(repo)

    assert (found.thread, found.source, found.variable, found.inside) == (None, None, None, False)
    assert (found.since, found.ends, found.warnings, found.candidates) == (None, None, [], [])


@pytest.mark.parametrize("name", VARIABLES)
def test_the_agent_is_believed_first(repo: Repo, amp_home: Path, name: str) -> None:
    """The agent's own variable wins, is named, and leaves nothing to guess."""
    begun(amp_home, OTHER, tree(repo.path.as_uri()))
    set_to(repo, PARENT)
    found = shown(repo, AGENT="amp", **{name: CHILD})

    assert (found.thread, found.source, found.variable, found.inside) == (CHILD, "env", name, True)
    assert (found.since, found.ends, found.warnings, found.candidates) == (None, None, [], [])


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_variable_that_is_no_thread_is_said_and_not_used(repo: Repo, text: str) -> None:
    """T18: what is not a thread id is no thread, and the warning can be printed."""
    environ = {**os.environ, "AMP_CURRENT_THREAD_ID": text}
    found = at_work(environ, str(repo.path))

    assert (found.thread, found.source, found.variable) == (None, None, None)
    assert [warning.split()[0] for warning in found.warnings] == ["AMP_CURRENT_THREAD_ID"]
    assert found.warnings[0].isprintable()


def test_a_bad_variable_is_still_said_where_a_person_named_the_thread(repo: Repo) -> None:
    """A warning is not lost with another answer."""
    set_to(repo, CHILD)
    found = shown(repo, AMP_CURRENT_THREAD_ID="x")

    assert (found.thread, found.source, len(found.warnings)) == (CHILD, "use", 1)


def test_a_persons_word_is_shown_with_its_end(repo: Repo, amp_home: Path) -> None:
    """Since when it holds and when it ends is said in UTC; nothing is guessed beside it."""
    begun(amp_home, OTHER, tree(repo.path.as_uri()))
    set_to(repo, CHILD)
    since = aged(repo, 3600)
    found = shown(repo)

    assert (found.thread, found.source, found.variable) == (CHILD, "use", None)
    assert (found.since, found.ends) == (iso(since), iso(since + 12 * 3600))
    assert found.candidates == []


def test_a_persons_word_ends_after_twelve_hours(repo: Repo) -> None:
    """What was set yesterday and forgotten is not at work today; taking it back is still possible."""
    set_to(repo, CHILD)
    aged(repo, USE_SECONDS + 60)
    found = shown(repo)

    assert (found.thread, found.source, found.since, found.ends, found.inside) == (None, None, None, None, False)
    assert use_none(os.environ, str(repo.path))


def test_a_commit_confirms_a_persons_word(installed: Repo) -> None:
    """A commit with that thread begins the twelve hours again."""
    set_to(installed, CHILD)
    since = iso(aged(installed, USE_SECONDS - 600))
    assert shown(installed).since == since
    installed.commit("-q", "-m", SUBJECT)
    found = shown(installed)

    assert (found.thread, found.source) == (CHILD, "use")
    assert found.since is not None
    assert found.since > since


def test_a_word_taken_back_meanwhile_has_no_time(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """C03: `use --none` beside `current` is no failure."""
    set_to(repo, CHILD)
    stat = os.stat

    def stat_and_remove(path: str) -> os.stat_result:
        seen = stat(path)
        if os.path.basename(path) == "use":
            os.unlink(path)
        return seen

    monkeypatch.setattr(os, "stat", stat_and_remove)
    found = shown(repo)

    assert (found.thread, found.since, found.ends) == (CHILD, None, None)


def test_a_guess_is_called_one(repo: Repo, amp_home: Path) -> None:
    """Where nobody names the thread, what was last used here is shown as a guess, with the others."""
    session = (AMP / "2026-05" / "session.json").read_text()
    (amp_home.parent / "session.json").write_text(session)
    begun(amp_home, CHILD, tree(repo.path.as_uri()))
    found = shown(repo)

    last = "T-01a1f7e4-dbf0-737e-ad7b-5a4eb683db09"
    assert (found.thread, found.source, found.variable, found.inside) == (last, "guess", None, False)
    assert found.candidates[0] == (last, "the last one on this machine")
    assert found.candidates[-1] == (CHILD, "a thread that was started in this folder")
    assert len(found.candidates) == 3


def test_more_candidates_are_listed_than_in_a_refusal(repo: Repo, amp_home: Path) -> None:
    """Who asks gets up to ten."""
    for number in range(MOST + 2):
        begun(amp_home, numbered(number), tree(repo.path.as_uri()), age=number)

    assert [thread for thread, _ in shown(repo).candidates] == [numbered(one) for one in range(10)]


@pytest.mark.parametrize("remote", ["git@github.com:example/demo.git", "https://github.com/example/demo"])
def test_threads_of_the_repository_are_candidates(repo: Repo, january: Path, remote: str) -> None:
    """The January client's threads, started in another clone, are known by the remote."""
    assert january.exists()
    repo("remote", "add", "origin", remote)
    found = shown(repo)

    assert sorted(thread for thread, _ in found.candidates) == [PARENT, CHILD]
    assert {where for _, where in found.candidates} == {"a thread of this repository"}


@pytest.mark.parametrize("remote", ["https://github.com/example/other.git", "/srv/example/demo", ""])
def test_threads_of_another_repository_are_no_candidates(repo: Repo, january: Path, remote: str) -> None:
    """T19, T24: old files of another repository's threads, also the machine's last one, name nobody here."""
    (january.parent / "session.json").write_text(f'{{"lastThreadId": "{CHILD}"}}')
    if remote:
        repo("remote", "add", "origin", remote)
    found = shown(repo)

    assert (found.thread, found.source, found.candidates) == (None, None, [])


def test_a_background_shell_is_inside_a_thread_that_nobody_names(repo: Repo) -> None:
    """The newest client's background shells say `AGENT=amp` alone: inside, thread unknown."""
    found = shown(repo, AGENT="amp")

    assert (found.thread, found.source, found.inside) == (None, None, True)


def test_a_guess_is_never_written_into_a_message(installed: Repo, amp_home: Path) -> None:
    """T24: looking at a guess sets nothing: the next commit is refused as before."""
    begun(amp_home, CHILD, tree(installed.path.as_uri()))
    assert shown(installed).source == "guess"

    assert installed.commit("-q", "-m", SUBJECT, ok=False).returncode == 1
    assert not word(installed).exists()
