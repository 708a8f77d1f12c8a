"""The threads behind a thread and those that came of it, with their commits: what is known, and nothing else."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampcommit.amp.ampcli import Amp, record
from ampcommit.amp.sources import Sources
from ampcommit.errors import AmpcommitError, LedgerError, MisuseError, RemoteError, SetupError
from ampcommit.ledger import Ledger
from ampcommit.place import Place
from ampcommit.record import Sha, ThreadId
from ampcommit.render.draw import as_json, tree
from ampcommit.rewritten import Rewrite
from ampcommit.threadfile import LAST_CLIENT_WRITTEN
from ampcommit.verbs.chain import Lineage, add_web, described, lineage, look_up, subjects
from tests.conftest import AMP, CHILD, OTHER, PARENT, Repo, url
from tests.test_record import record_of
from tests.test_resolved import resolved
from tests.test_threadfile import BROKEN, document, entry, put, written_by

MAY = AMP / "2026-05" / "threads-exported"
MAY_CHILD = "T-01a1f7e4-dbf0-737e-ad7b-5a4eb683db09"
SERVER = f"0.0.{LAST_CLIENT_WRITTEN + 1}-g0"

relaxed = settings(deadline=None, database=None, max_examples=60)


def number(at: int) -> ThreadId:
    """Return the id of the thread with this number, as many milliseconds younger than that of 0."""
    stamp = f"{0x01A1F7E30000 + at:012x}"
    return ThreadId(f"T-{stamp[:8]}-{stamp[8:]}-7000-8000-{at:012x}")


def sha(at: int) -> Sha:
    """Return the commit id with this number."""
    return Sha(f"{at:040x}")


@pytest.fixture
def exports(sealed: Path) -> Path:
    """Our folder of exported threads, empty."""
    folder = sealed / ".local" / "share" / "ampcommit" / "threads"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def ledger(repo: Repo) -> Ledger:
    """The ledger of the repository, which is not there yet."""
    return Ledger(str(repo.path / ".git" / "ampcommit" / "ledger.jsonl"))


def thread_file(thread: str, parents: Iterable[str] = (), children: Iterable[str] = ()) -> dict[str, object]:
    """Return what the file of *thread* holds."""
    listed = [*(entry(parent) for parent in parents), *(entry(child, role="parent") for child in children)]
    return document(thread, relationships=listed)


def write(folder: Path, parents: Mapping[int, Iterable[int]]) -> None:
    """Write the files of numbered threads, each with its parents, as Amp's client does."""
    for thread, its in parents.items():
        put(folder, thread_file(number(thread), map(number, its)), number(thread))


def picture(asked: str | int, ledger: Ledger | None = None, *, down: bool = False, around: bool = False) -> Lineage:
    """Return the picture of *asked* as this machine knows it."""
    thread = number(asked) if isinstance(asked, int) else ThreadId(asked)
    return lineage(thread, Sources(os.environ), ledger, down=down, around=around)


def numbers(threads: Iterable[ThreadId]) -> list[int]:
    """Return the numbers of *threads*."""
    return [int(thread[-12:], 16) for thread in threads]


def states(found: Lineage) -> dict[str, tuple[str, str | None, list[ThreadId] | None]]:
    """Return of each thread in the picture its state, who told of it, and its parents."""
    return {thread: (one.state, one.source, one.parents) for thread, one in found.threads.items()}


def children(found: Lineage) -> dict[str, list[ThreadId]]:
    """Return of each thread in the picture its children."""
    return {thread: one.children for thread, one in found.threads.items()}


def commits(found: Lineage) -> dict[str, list[str] | None]:
    """Return of each thread in the picture its commits."""
    return {thread: None if one.commits is None else list(one.commits) for thread, one in found.threads.items()}


# --- the real client's threads, in both directions


@pytest.mark.usefixtures("january")
def test_up_from_the_child_of_january() -> None:
    """The child's own entry leads to its parent, which is a root."""
    found = picture(CHILD)

    assert (found.asked, found.chain, found.status) == (CHILD, [CHILD, PARENT], "complete")
    assert states(found) == {CHILD: ("known", "local", [PARENT]), PARENT: ("known", "local", [])}
    assert children(found) == {CHILD: [], PARENT: [CHILD]}
    assert [one.title for one in found.threads.values()] == ["Fake title"] * 2
    assert (found.recorded, found.warnings) == (False, [])


@pytest.mark.usefixtures("january")
@pytest.mark.parametrize(
    ("asked", "down", "around", "expected"),
    [
        (PARENT, False, False, [PARENT]),
        (PARENT, True, False, [PARENT, CHILD]),
        (CHILD, True, False, [CHILD]),
        (PARENT, False, True, [PARENT, CHILD]),
        (CHILD, False, True, [CHILD, PARENT]),
    ],
)
def test_every_direction_in_january(asked: str, down: bool, around: bool, expected: list[str]) -> None:
    """Up, down and all around there is what hangs together, and the chain is always the way up."""
    found = picture(asked, down=down, around=around)

    assert expected == list(found.threads)
    assert found.chain == ([CHILD, PARENT] if asked == CHILD else [PARENT])
    assert found.status == "complete"


@pytest.mark.parametrize("around", [True, False])
def test_the_exports_of_may(exports: Path, around: bool) -> None:
    """What May's client exported and somebody put into our folder is followed in both directions."""
    for file in MAY.iterdir():
        shutil.copy(file, exports)

    assert states(picture(MAY_CHILD, around=around)) == {
        MAY_CHILD: ("known", "export", [OTHER]),
        OTHER: ("known", "export", []),
    }
    assert list(picture(OTHER, down=True, around=around).threads) == [OTHER, MAY_CHILD]


def test_an_export_is_learned_once(exports: Path) -> None:
    """What an export tells is kept: the file may go, its title with it."""
    for file in MAY.iterdir():
        shutil.copy(file, exports)
    picture(MAY_CHILD)
    shutil.rmtree(exports)
    found = picture(MAY_CHILD)

    assert states(found) == {MAY_CHILD: ("known", "export", [OTHER]), OTHER: ("known", "export", [])}
    assert [one.title for one in found.threads.values()] == [None, None]
    assert list(picture(OTHER, down=True).threads) == [OTHER, MAY_CHILD]


def test_amps_own_files_are_read_again(january: Path, sealed: Path) -> None:
    """A picture leaves no trace of what Amp's own files say, unless it is asked to."""
    picture(CHILD)
    kept = sealed / ".local" / "share" / "ampcommit"
    before = kept.exists()
    lineage(ThreadId(CHILD), Sources(os.environ, keep=True), None)
    shutil.rmtree(january)

    assert not before
    assert states(picture(CHILD)) == {CHILD: ("known", "local", [PARENT]), PARENT: ("known", "local", [])}


@pytest.mark.usefixtures("january")
def test_what_was_learned_is_drawn_with_the_title_of_the_file() -> None:
    """A thread that was learned before still has its title while its file is there."""
    lineage(ThreadId(CHILD), Sources(os.environ, keep=True), None)

    assert picture(CHILD).threads[ThreadId(CHILD)].title == "Fake title"


def test_all_the_threads_of_january(amp_home: Path) -> None:
    """Threads that have nothing to do with each other are in different pictures."""
    for file in (AMP / "2026-01" / "threads").iterdir():
        shutil.copy(file, amp_home)
    names = [ThreadId(path.name.partition(".")[0]) for path in amp_home.iterdir()]
    found = {name: set(picture(name, around=True).threads) for name in names}

    assert len(names) == 6
    assert sorted(map(len, found.values())) == [1, 1, 1, 1, 2, 2]
    assert all(found[other] == its for its in found.values() for other in its)


def test_an_unfinished_file_is_read_and_not_remembered(amp_home: Path) -> None:
    """A fresh thread that January's client left under another name is a root, for now."""
    thread = "T-01a1f7e1-c470-718e-955a-52b5910886f9"
    shutil.copy(AMP / "2026-01" / "threads" / f"{thread}.json.amptmp", amp_home)
    found = lineage(ThreadId(thread), Sources(os.environ, keep=True), None)

    assert states(found) == {thread: ("known", "local", [])}
    assert not (amp_home.parent.parent / "ampcommit").exists()


# --- how a thread is named


def looked_up(text: str, repo: Repo) -> Lineage:
    """Return the picture of what *text* names in the repository."""
    return look_up(text, os.environ, folder=str(repo.path))


@pytest.mark.usefixtures("january")
@pytest.mark.parametrize(
    "text",
    [
        CHILD,
        CHILD.upper(),
        CHILD.lower(),
        f"@{CHILD}",
        url(CHILD),
        f"{url(CHILD)}/",
        f"{url(CHILD)}?a=b#c",
        f"HTTPS://AMPCODE.COM:443/threads/{CHILD.upper()}",
    ],
)
def test_an_id_or_a_link_names_a_thread(repo: Repo, tmp_path: Path, text: str) -> None:
    """Inside a repository and outside, an id in any case and a link are enough; outside there are no commits."""
    inside, outside = looked_up(text, repo), look_up(text, os.environ, folder=str(tmp_path))

    assert inside.chain == outside.chain == [CHILD, PARENT]
    assert commits(inside) == {CHILD: [], PARENT: []}
    assert commits(outside) == {CHILD: None, PARENT: None}


@pytest.mark.parametrize("source", ["config", "file"])
def test_a_link_on_a_host_of_the_policy(repo: Repo, source: str) -> None:
    """What the policy trusts names a thread, wherever the policy says so; elsewhere it does not."""
    link = url(CHILD).replace("ampcode.com", "amp.example.com")
    with pytest.raises(MisuseError):
        looked_up(link, repo)
    if source == "config":
        repo("config", "ampcommit.host", "amp.example.com")
    else:
        (repo.path / ".ampcommit").write_text("[ampcommit]\n\thost = amp.example.com\n")
    repo.commit("-q", "-m", "Subject", "--trailer", f"Amp-Thread-ID: {link}")

    assert looked_up(link, repo).asked == CHILD
    assert looked_up("HEAD", repo).asked == CHILD


@pytest.mark.usefixtures("january")
@pytest.mark.parametrize("revision", ["HEAD", "main", "@", "{full}", "{short}", ":/Subject"])
def test_a_commit_names_its_last_thread(repo: Repo, revision: str) -> None:
    """Of several links of a commit the last one is meant."""
    repo.commit("-q", "-m", f"Subject\n\nAmp-Thread-ID: {url(OTHER)}\nAmp-Thread-ID: {url(CHILD)}")
    text = revision.format(full=repo.head(), short=repo.head()[:8])

    assert looked_up(text, repo).chain == [CHILD, PARENT]


def test_a_commit_named_in_a_folder_of_the_work_tree(repo: Repo) -> None:
    """A subfolder and a linked work tree are as good as the top."""
    repo.commit("-q", "-m", "Subject", "--trailer", f"Amp-Thread-ID: {url(CHILD)}")
    (repo.path / "sub").mkdir()
    repo("worktree", "add", "-q", "--detach", str(repo.path / "linked"))

    assert look_up("HEAD", os.environ, folder=str(repo.path / "sub")).asked == CHILD
    assert look_up("HEAD", os.environ, folder=str(repo.path / "linked")).asked == CHILD


def test_a_commit_without_a_thread_is_a_misuse(repo: Repo) -> None:
    """Nothing is guessed for a commit that has no link."""
    repo.commit("-q", "-m", "Subject")
    with pytest.raises(MisuseError, match="no thread is known for the commit 'HEAD'") as caught:
        looked_up("HEAD", repo)

    assert "ampcommit show" in caught.value.hint


GARBAGE = {
    "empty": "",
    "no revision": "nosuch",
    "option": "--all",
    "half an id": CHILD[:-1],
    "an id and more": f"{CHILD} ",
    "two @": f"@@{CHILD}",
    "tree": "HEAD^{tree}",
    "foreign host": f"https://example.com/threads/{CHILD}",
    "look-alike": f"https://ampcode.com.example.com/threads/{CHILD}",
    "another page": "https://ampcode.com/settings",
    "http": f"http://ampcode.com/threads/{CHILD}",
    "no scheme": f"ampcode.com/threads/{CHILD}",
    "escape codes": "\x1b[2J://\x07",
    "two lines": f"{url(CHILD)}\n{url(PARENT)}",
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE)
def test_what_names_nothing_is_a_misuse(repo: Repo, text: str) -> None:
    """Exit 2 with a way out, on two lines without control characters."""
    repo.commit("-q", "-m", "Subject")
    with pytest.raises(MisuseError) as caught:
        looked_up(text, repo)

    assert (caught.value.exit_code, bool(caught.value.hint)) == (2, True)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["HEAD", "", CHILD[:-1], f"https://example.com/threads/{CHILD}"])
def test_outside_a_repository_a_revision_names_nothing(tmp_path: Path, text: str) -> None:
    """Where there is no repository there are no commits, and foreign links are as wrong as inside."""
    with pytest.raises(MisuseError if "://" in text else SetupError):
        look_up(text, os.environ, folder=str(tmp_path))


def test_outside_a_repository_nobody_is_asked(tmp_path: Path) -> None:
    """Which amp may be run is decided by a clone; without one there is none."""
    with pytest.raises(SetupError):
        look_up(CHILD, os.environ, ask=True, folder=str(tmp_path))


# --- gaps, and what is no thread file


def test_a_thread_that_is_nowhere(repo: Repo) -> None:
    """T01, T21: of a thread without any data nothing is known; that is no error."""
    for found in (looked_up(CHILD, repo), picture(CHILD, down=True), picture(CHILD, around=True)):
        assert (found.chain, found.status) == ([CHILD], "unknown")
        assert states(found) == {CHILD: ("missing", None, None)}


def test_a_deleted_thread_of_a_commit(repo: Repo, january: Path) -> None:
    """T21: when the file of a thread is removed, its link stays, and the picture has a gap."""
    repo.commit("-q", "-m", "Subject", "--trailer", f"Amp-Thread-ID: {url(CHILD)}")
    (january / f"{CHILD}.json").unlink()

    assert states(looked_up("HEAD", repo)) == {CHILD: ("missing", None, None)}


def test_a_missing_parent(january: Path) -> None:
    """T01: the beginning of the chain is shown, and what is missing is called so."""
    (january / f"{PARENT}.json").unlink()
    found = picture(CHILD)

    assert (found.chain, found.status) == ([CHILD, PARENT], "partial")
    assert states(found)[PARENT] == ("missing", None, None)


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_parent(january: Path, content: bytes) -> None:
    """T02, T10, T23: a file that does not tell is called broken, and ends the chain."""
    put(january, content, PARENT)
    found = picture(CHILD)

    assert (found.chain, found.status) == ([CHILD, PARENT], "partial")
    assert states(found)[PARENT] == ("broken", None, None)


@pytest.mark.parametrize(
    "spoil",
    [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero"), lambda path: path.symlink_to(path)],
    ids=["FIFO", "folder", "device", "loop"],
)
def test_what_is_no_file_is_broken(january: Path, spoil: Callable[[Path], None]) -> None:
    """T14: something else in the place of a thread file makes nobody wait."""
    (january / f"{PARENT}.json").unlink()
    spoil(january / f"{PARENT}.json")

    assert states(picture(CHILD))[PARENT] == ("broken", None, None)


def test_the_file_of_another_thread_is_broken(january: Path) -> None:
    """T11: a file whose id is not its name tells nothing of either thread."""
    shutil.copy(january / f"{CHILD}.json", january / f"{PARENT}.json")

    assert states(picture(CHILD))[PARENT] == ("broken", None, None)
    assert list(picture(PARENT, around=True).threads) == [PARENT, CHILD]


def test_a_broken_file_costs_nothing_that_was_learned(january: Path) -> None:
    """T02: what was learned before holds, whatever becomes of the file."""
    lineage(ThreadId(CHILD), Sources(os.environ, keep=True), None)
    put(january, b"{", CHILD)

    assert states(picture(CHILD))[CHILD] == ("known", "local", [PARENT])


def test_an_export_stands_in_for_a_broken_file(amp_home: Path, exports: Path) -> None:
    """T02: where Amp's own file is broken, what somebody exported counts."""
    put(amp_home, b"{")
    put(exports, thread_file(CHILD, [PARENT]))

    assert states(picture(CHILD))[CHILD] == ("known", "export", [PARENT])


def test_an_export_stands_in_for_a_file_that_does_not_tell(amp_home: Path, exports: Path) -> None:
    """T07: where Amp's own file contradicts itself, the export counts, as it does in the hook; titles stay."""
    put(amp_home, thread_file(CHILD, [PARENT], [PARENT]) | {"title": "Own"})
    put(exports, thread_file(CHILD, [PARENT]) | {"title": "Exported"})
    found = picture(CHILD)

    assert states(found)[CHILD] == ("known", "export", [PARENT])
    assert found.threads[ThreadId(CHILD)].title == "Own"
    assert children(picture(CHILD, around=True)) == {CHILD: [], PARENT: [CHILD]}


def test_a_file_that_does_not_tell_is_known_all_the_same(amp_home: Path) -> None:
    """T06, T12: the thread is there, with its title; only its parents are not known."""
    put(amp_home, document(title="Odd", relationships=[entry(kind="spawn")]))
    found = picture(CHILD)

    assert (found.status, states(found)[CHILD]) == ("unknown", ("known", None, None))
    assert found.threads[ThreadId(CHILD)].title == "Odd"


@pytest.mark.parametrize("title", [None, 7, "", [], {"a": 1}, True], ids=repr)
def test_an_odd_title_is_none(amp_home: Path, title: object) -> None:
    """T12: what is no text is no title."""
    put(amp_home, document(title=title))

    assert picture(CHILD).threads[ThreadId(CHILD)].title is None


def test_a_thread_of_the_future(amp_home: Path) -> None:
    """T20: fields that this version does not know are in nobody's way."""
    put(amp_home, thread_file(CHILD, [PARENT]) | {"v": {"major": 9}, "lineage": {"parents": [OTHER]}})

    assert picture(CHILD).chain == [CHILD, PARENT]


@pytest.mark.parametrize(
    "trees", [[], None, [{"uri": "file:///elsewhere"}], [{"uri": 7, "repository": []}], "x"], ids=repr
)
def test_a_thread_of_another_repository(amp_home: Path, trees: object) -> None:
    """T19: a chain goes through threads of other repositories and of none."""
    put(amp_home, thread_file(CHILD, [PARENT]) | {"env": {"initial": {"trees": trees}}})

    assert picture(CHILD).chain == [CHILD, PARENT]


# --- only one side knows, or the sides disagree


@pytest.mark.parametrize("fields", [None, {"relationships": None}], ids=["missing", "silent"])
def test_only_the_parent_knows(january: Path, fields: dict[str, object] | None) -> None:
    """T05: the parent's word leads down and around, and is no proof of the way up."""
    if fields is None:
        (january / f"{CHILD}.json").unlink()
    else:
        put(january, document(**fields))

    assert children(picture(PARENT)) == {PARENT: [CHILD]}
    assert list(picture(PARENT, down=True).threads) == [PARENT, CHILD]
    assert list(picture(PARENT, around=True).threads) == [PARENT, CHILD]
    assert list(picture(CHILD, around=True).threads) == [CHILD, PARENT]
    assert (picture(CHILD).chain, picture(CHILD).status) == ([CHILD], "unknown")


def test_only_the_child_knows(january: Path) -> None:
    """T05: the child's word is enough in every direction."""
    put(january, thread_file(PARENT), PARENT)

    assert children(picture(CHILD)) == {CHILD: [], PARENT: [CHILD]}
    assert children(picture(PARENT)) == {PARENT: []}
    assert list(picture(PARENT, down=True).threads) == [PARENT, CHILD]
    assert list(picture(PARENT, around=True).threads) == [PARENT, CHILD]


def test_the_childs_own_word_decides(amp_home: Path) -> None:
    """T07: who is claimed as a child, and says otherwise, is none."""
    put(amp_home, thread_file(PARENT, children=[CHILD, OTHER]), PARENT)
    put(amp_home, thread_file(CHILD, [OTHER]))
    put(amp_home, thread_file(OTHER), OTHER)

    for found in (picture(PARENT, down=True), picture(PARENT, around=True)):
        assert children(found) == {PARENT: []}
    assert list(picture(CHILD, around=True).threads) == [CHILD, OTHER]


def test_a_thread_that_claims_itself(amp_home: Path) -> None:
    """T07: who lists itself as its own child is a root by its own word."""
    put(amp_home, thread_file(CHILD, children=[CHILD]))
    found = picture(CHILD, around=True)

    assert (children(found), found.status) == ({CHILD: []}, "complete")


def test_parent_and_child_at_once_is_no_telling(amp_home: Path) -> None:
    """T07: two threads that call each other child and parent both: no parent is invented."""
    put(amp_home, thread_file(CHILD, [PARENT], [PARENT]))
    put(amp_home, thread_file(PARENT, [CHILD], [CHILD]), PARENT)
    found = picture(CHILD, around=True)

    assert (found.chain, found.status) == ([CHILD], "unknown")
    assert children(found) == {CHILD: [PARENT], PARENT: [CHILD]}


# --- the shapes of chains

SHAPES: dict[str, tuple[dict[int, list[int]], list[int], str]] = {
    "root": ({0: []}, [0], "complete"),
    "row": ({0: [1], 1: [2], 2: []}, [0, 1, 2], "complete"),
    "T01 gap": ({0: [1], 1: [2]}, [0, 1, 2], "partial"),
    "T03 itself": ({0: [0]}, [0], "cycle"),
    "T03 two": ({0: [1], 1: [0]}, [0, 1], "cycle"),
    "T03 rho": ({0: [1], 1: [2], 2: [3], 3: [1]}, [0, 1, 2, 3], "cycle"),
    "T04 two parents": ({0: [2, 1], 1: [], 2: []}, [0, 2, 1], "complete"),
    "T04 diamond": ({0: [1, 2], 1: [3], 2: [3], 3: []}, [0, 1, 2, 3], "complete"),
    "T04 short cut": ({0: [2, 1], 1: [2], 2: []}, [0, 2, 1], "complete"),
    "T04 one gap of two": ({0: [1, 2], 2: []}, [0, 1, 2], "partial"),
}


@pytest.mark.parametrize(("parents", "chain", "status"), SHAPES.values(), ids=SHAPES)
def test_shapes(amp_home: Path, parents: dict[int, list[int]], chain: list[int], status: str) -> None:
    """T01, T03, T04: every thread is there once, nearest first, and the status says how far it goes."""
    write(amp_home, parents)
    found = picture(0)

    assert (chain, status) == (numbers(found.chain), found.status)
    assert found.chain == list(found.threads)


GRAPH = st.dictionaries(
    st.integers(0, 6), st.tuples(st.lists(st.integers(0, 6), max_size=2), st.lists(st.integers(0, 6), max_size=2))
)


@relaxed
@given(GRAPH)
def test_every_direction_is_what_the_files_say(graph: dict[int, tuple[list[int], list[int]]]) -> None:
    """T03, T04, T05, T07: however threads are tangled, up, down and around are followed to their ends."""
    own = {thread: its for thread, (its, listed) in graph.items() if not set(its) & set(listed)}
    edges = {(parent, thread) for thread, its in own.items() for parent in its}
    claimed = {(thread, child) for thread, (_, listed) in graph.items() for child in listed}
    down = edges | {(thread, child) for thread, child in claimed if child not in own}
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "amp" / "threads"
        folder.mkdir(parents=True)
        for thread, (its, listed) in graph.items():
            put(folder, thread_file(number(thread), map(number, its), map(number, listed)), number(thread))
        environ = {"XDG_DATA_HOME": home}

        def reached(*, down: bool = False, around: bool = False) -> set[int]:
            return set(numbers(lineage(number(0), Sources(environ), None, down=down, around=around).threads))

        assert reached() == closure({(thread, parent) for parent, thread in edges})
        assert reached(down=True) == closure(down)
        assert reached(around=True) == closure(down | {(child, parent) for parent, child in down})


def closure(steps: set[tuple[int, int]]) -> set[int]:
    """Return what can be reached from 0."""
    found, size = {0}, 0
    while size < len(found):
        size = len(found)
        found |= {there for here, there in steps if here in found}
    return found


def test_all_that_hangs_together(amp_home: Path) -> None:
    """Siblings, their children, and other parents of theirs belong to it; threads apart do not."""
    write(amp_home, {1: [], 2: [1], 3: [1], 4: [3, 5], 5: [], 6: [7], 7: []})

    assert set(numbers(picture(2, around=True).threads)) == {1, 2, 3, 4, 5}
    assert numbers(picture(1, down=True).threads) == [1, 2, 3, 4]
    assert numbers(picture(2).threads) == [2, 1]


def test_what_lies_elsewhere_in_the_folders_is_no_thread(amp_home: Path) -> None:
    """Other files beside thread files, and ids in capitals, make no thread and no error."""
    write(amp_home, {1: [], 2: [1]})
    for name in ("notes.txt", "T-x.json", f"{number(3)}.json.bak", f"{number(3)}".upper(), ".json", "\udcff"):
        (amp_home / name).touch()

    assert numbers(picture(1, around=True).threads) == [1, 2]


def test_a_chain_of_a_thousand(amp_home: Path) -> None:
    """T08: a chain is followed far beyond the hook's limit."""
    write(amp_home, {at: [at - 1] if at else [] for at in range(1000)})
    found = picture(999)

    assert (numbers(found.chain), found.status) == (list(range(999, -1, -1)), "complete")
    assert numbers(picture(0, down=True).threads) == list(range(1000))


def test_a_chain_of_ten_thousand(amp_home: Path, ledger: Ledger) -> None:
    """T08: no recursion, and some seconds at most."""
    ledger.append(record_of(sha(1), number(5)))
    for at in range(10_000):
        listed = f'{{"threadID":"{number(at - 1)}","type":"handoff","role":"child"}}' if at else ""
        (amp_home / f"{number(at)}.json").write_text(f'{{"id":"{number(at)}","relationships":[{listed}]}}')
    start = time.monotonic()
    up, down = picture(9999, ledger), picture(0, down=True)

    assert (len(up.chain), up.status, len(down.threads)) == (10_000, "complete", 10_000)
    assert commits(up)[number(5)] == [sha(1)]
    assert time.monotonic() - start < 30


def test_a_thread_with_many_children(amp_home: Path) -> None:
    """T09: thousands of children cost no more than as many threads in a row."""
    write(amp_home, {at: [0] if at else [] for at in range(3000)})
    put(amp_home, thread_file(number(0), children=map(number, range(1, 4000))), number(0))
    start = time.monotonic()
    found = picture(0, down=True)

    assert len(found.threads[number(0)].children) == 3999
    assert len(found.threads) == 4000
    assert time.monotonic() - start < 30


# --- what the ledger tells of chains


def test_a_chain_that_only_a_record_tells(ledger: Ledger) -> None:
    """Where nothing else is known the chain of a record is shown; who came of whom stays unknown."""
    ledger.append(record_of(thread=CHILD, chain=[ThreadId(CHILD), ThreadId(PARENT), ThreadId(OTHER)]))
    found = picture(CHILD, ledger)

    assert (found.chain, found.status, found.recorded) == ([CHILD, PARENT, OTHER], "complete", True)
    assert states(found) == dict.fromkeys([CHILD, PARENT, OTHER], ("missing", None, None))
    assert commits(found) == {CHILD: [record_of().commit], PARENT: [], OTHER: []}


@pytest.mark.parametrize(("down", "expected"), [(True, [CHILD]), (False, [CHILD, PARENT, OTHER])])
def test_a_recorded_chain_in_other_directions(ledger: Ledger, down: bool, expected: list[str]) -> None:
    """Downwards it does not count; of all that hangs together it is a part."""
    ledger.append(record_of(thread=CHILD, chain=[ThreadId(CHILD), ThreadId(PARENT), ThreadId(OTHER)]))
    found = picture(CHILD, ledger, down=down, around=not down)

    assert (list(found.threads), found.chain) == (expected, [CHILD, PARENT, OTHER])


@pytest.mark.usefixtures("january")
def test_what_is_known_here_is_shown_before_a_record(ledger: Ledger) -> None:
    """A record that knew less, or no more, changes nothing."""
    ledger.append(record_of(thread=CHILD, chain=[ThreadId(CHILD)], chain_state="unknown"))
    ledger.append(record_of(sha(1), CHILD, chain=[ThreadId(CHILD), ThreadId(OTHER)]))
    found = picture(CHILD, ledger)

    assert (found.chain, found.status, found.recorded) == ([CHILD, PARENT], "complete", False)


def test_a_record_that_knew_more(ledger: Ledger, january: Path) -> None:
    """When a file is gone, the record of a commit still tells how the chain went on."""
    (january / f"{PARENT}.json").unlink()
    ledger.append(record_of(thread=CHILD, chain=[ThreadId(CHILD), ThreadId(PARENT), ThreadId(OTHER)]))
    found = picture(CHILD, ledger)

    assert (found.chain, found.status, found.recorded) == ([CHILD, PARENT, OTHER], "complete", True)
    assert states(found)[CHILD] == ("known", "local", [PARENT])


CHAINS: dict[str, tuple[list[str], str]] = {
    "empty": ([], "complete"),
    "without the thread": ([PARENT], "complete"),
    "the thread not first": ([PARENT, CHILD], "complete"),
    "a state nobody knows": ([CHILD, PARENT], "whole"),
    "without what is known": ([CHILD, OTHER], "complete"),
    "a root that is none": ([CHILD], "complete"),
}


@pytest.mark.parametrize("down", [True, False])
@pytest.mark.parametrize(("chain", "state"), CHAINS.values(), ids=CHAINS)
def test_a_record_that_cannot_be(ledger: Ledger, january: Path, chain: list[str], state: str, down: bool) -> None:
    """S16: a record whose chain is no chain of the thread, or leaves out what is known, is not believed."""
    (january / f"{PARENT}.json").unlink()
    ledger.append(record_of(thread=CHILD, chain=list(map(ThreadId, chain)), chain_state=state))
    found = picture(CHILD, ledger, down=down)

    assert (found.chain, found.status, found.recorded) == ([CHILD, PARENT], "partial", False)


def test_of_equal_records_the_newest_counts(ledger: Ledger) -> None:
    """A chain that was recorded later is the better one; one that knows less is not. A thread stands once in it."""
    told = [ThreadId(CHILD), ThreadId(OTHER), ThreadId(CHILD), ThreadId(PARENT)]
    for at, (chain, state) in enumerate([(told[:2], "complete"), (told, "complete"), (told[:1], "unknown")]):
        ledger.append(record_of(sha(at), CHILD, chain=chain, chain_state=state))

    assert picture(CHILD, ledger).chain == [CHILD, OTHER, PARENT]


def test_the_record_of_another_thread_is_not_about_this_one(ledger: Ledger) -> None:
    """A chain that leads through a thread does not tell what lies behind that thread alone."""
    ledger.append(record_of(thread=CHILD, chain=[ThreadId(CHILD), ThreadId(PARENT), ThreadId(OTHER)]))

    assert (picture(PARENT, ledger).chain, picture(PARENT, ledger).status) == ([PARENT], "unknown")


def test_what_was_learned_later_stands_in_the_ledger(ledger: Ledger) -> None:
    """A line of kind `chain` tells who came of whom, where this machine knows nothing else."""
    ledger.append(record_of(thread=CHILD, chain=[ThreadId(CHILD)], chain_state="unknown"))
    ledger.append(resolved())
    found = picture(CHILD, ledger)

    assert (found.chain, found.status, found.recorded) == ([CHILD, PARENT], "complete", False)
    assert states(found) == {CHILD: ("known", "ledger", [PARENT]), PARENT: ("known", "ledger", [])}
    assert list(picture(PARENT, ledger, down=True).threads) == [PARENT, CHILD]
    assert list(picture(PARENT, ledger, around=True).threads) == [PARENT, CHILD]


def test_the_ledger_tells_of_threads_further_up(ledger: Ledger, amp_home: Path) -> None:
    """A line about a parent counts, too, where it does not name the thread that is asked for."""
    put(amp_home, thread_file(OTHER, [CHILD]), OTHER)
    ledger.append(resolved(CHILD))
    found = picture(OTHER, ledger)

    assert (found.chain, found.status) == ([OTHER, CHILD, PARENT], "complete")


def test_files_come_before_the_ledger(ledger: Ledger, amp_home: Path) -> None:
    """What the thread itself says outweighs what somebody wrote of it; a broken file is known by the ledger."""
    put(amp_home, thread_file(CHILD, [OTHER]))
    put(amp_home, b"{", OTHER)
    ledger.append(resolved(parents={ThreadId(CHILD): [ThreadId(PARENT)], ThreadId(OTHER): []}))

    assert states(picture(CHILD, ledger)) == {CHILD: ("known", "local", [OTHER]), OTHER: ("known", "ledger", [])}


STRANGE = [
    b"",
    b"\0\0\0",
    b"<<<<<<< HEAD",
    b'"%b"' % CHILD.encode(),
    b'{"v":1,"kind":"chain","thread":"%b"}' % CHILD.encode(),
    b'{"v":1,"kind":"chain","thread":"%b","parents":7}' % CHILD.encode(),
    b'{"v":1,"kind":"commit","thread":"%b","links":["%b"]}' % (CHILD.encode(), CHILD.encode()),
    b'{"v":1,"kind":"commit","links":7,"thread":"%b"}' % CHILD.encode(),
    b'{"v":9,"kind":"evidence","thread":"%b","chain":null}' % CHILD.encode(),
    record_of(thread=CHILD).to_bytes()[:-20],
    resolved(CHILD).to_bytes()[:-20],
    record_of(thread=CHILD).to_bytes().replace(b'"complete"', b"\xff"),
]


@pytest.mark.parametrize("count", [2, 9])
def test_damaged_and_foreign_lines_are_in_nobodys_way(ledger: Ledger, amp_home: Path, count: int) -> None:
    """C12, T20: what cannot be understood is passed over, and everything else is found, in long chains and short."""
    write(amp_home, {at: [at + 1] for at in range(count - 1)})
    ledger.append(record_of(sha(1), number(0), links=[number(count - 1), number(0)]))
    with Path(ledger.path).open("ab") as file:
        file.writelines(line.replace(CHILD.encode(), number(0).encode()) + b"\n" for line in STRANGE)
        file.write(resolved(number(count - 1), parents={number(count - 1): []}).to_bytes() + b"\n")
        file.write(record_of(sha(2), number(0)).to_bytes() + b"\nhalf a line")
    found = picture(0, ledger)

    assert (len(found.chain), found.status) == (count, "complete")
    assert (commits(found)[number(0)], commits(found)[number(count - 1)]) == ([sha(1), sha(2)], [sha(1)])


def test_a_ledger_that_cannot_be_read_is_explained(repo: Repo) -> None:
    """S08: something else in the place of the ledger is exit 4."""
    (repo.path / ".git" / "ampcommit").mkdir()
    (repo.path / ".git" / "ampcommit" / "ledger.jsonl").symlink_to("/dev/zero")
    with pytest.raises(LedgerError):
        looked_up(CHILD, repo)


# --- the commits of each thread


@pytest.mark.usefixtures("january")
def test_commits_are_those_that_link_the_thread(installed: Repo, agent: Callable[[str], None]) -> None:
    """Each thread has the commits whose message links it, as they were made, also those of several threads."""
    agent(PARENT)
    installed.commit("-q", "-m", "First of all")
    first = installed.head()
    agent(CHILD)
    installed.commit("-q", "-m", f"Second of all\n\nAmp-Thread-ID: {url(PARENT)}")
    second = installed.head()
    agent(OTHER)
    installed.commit("-q", "-m", "Third of all")
    found = looked_up(second, installed)

    assert commits(found) == {CHILD: [second], PARENT: [first, second]}
    assert subjects(found, os.environ, str(installed.path)) == {first: "First of all", second: "Second of all"}
    assert all(when.endswith("Z") for one in found.threads.values() for when in (one.commits or {}).values())


def test_a_commit_that_was_recorded_twice_counts_once(ledger: Ledger) -> None:
    """Several records of one commit are one commit, at the time of the first."""
    for when in ("2026-11-20T08:15:30Z", "2026-11-21T08:15:30Z"):
        ledger.append(record_of(sha(1), CHILD, time=when))
        ledger.append(record_of(sha(2), CHILD))

    assert picture(CHILD, ledger).threads[ThreadId(CHILD)].commits == dict.fromkeys(
        [sha(1), sha(2)], "2026-11-20T08:15:30Z"
    )


LENGTH = 9  # more than are searched one by one


def spaced(line: bytes) -> bytes:
    """Return *line* as a program with other manners writes it."""
    return json.dumps(json.loads(line)).encode()


def half_spaced(line: bytes) -> bytes:
    """Return *line* with blanks between the links alone."""
    links = json.loads(line)["links"]
    return line.replace(json.dumps(links, separators=(",", ":")).encode(), b"[ " + json.dumps(links).encode()[1:])


MANNERS: list[Callable[[bytes], bytes]] = [bytes, bytes, spaced, half_spaced]


@relaxed
@given(
    st.lists(
        st.tuples(
            st.integers(0, 5), st.lists(st.integers(0, LENGTH), min_size=1, max_size=3), st.sampled_from(MANNERS)
        ),
        max_size=12,
    )
)
def test_few_threads_and_many_have_the_same_commits(
    lines: list[tuple[int, list[int], Callable[[bytes], bytes]]],
) -> None:
    """Whether the ledger is searched or read from end to end, commits and their order are the same."""
    expected: dict[str, list[str]] = {number(at): [] for at in range(LENGTH)}
    with tempfile.TemporaryDirectory() as home:
        folder, ledger = Path(home) / "amp" / "threads", Ledger(f"{home}/ledger.jsonl")
        folder.mkdir(parents=True)
        write(folder, {at: [at - 1] if at else [] for at in range(LENGTH)})
        with Path(ledger.path).open("wb") as file:
            for commit, links, manner in lines:
                line = record_of(sha(commit), links=list(map(number, links))).to_bytes()
                file.write(manner(line) + b"\n")
                for link in {number(one) for one in links if one < LENGTH}:
                    expected[link] += [sha(commit)] if sha(commit) not in expected[link] else []
        for asked in range(LENGTH):
            found = commits(lineage(number(asked), Sources({"XDG_DATA_HOME": home}), ledger))

            assert found == {number(at): expected[number(at)] for at in range(asked, -1, -1)}


# --- subjects


def pictured(*ids: str) -> Lineage:
    """Return a picture of one thread with these commits."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"{folder}/ledger.jsonl")
        for commit in ids:
            ledger.append(record_of(commit, CHILD))
        return picture(CHILD, ledger)


def became(old: int, new: int) -> Rewrite:
    """Return the line that says that one commit became another."""
    return Rewrite(old=sha(old), new=sha(new), command="rebase", source="git", time="", by="")


def test_what_was_rewritten_is_told_with_what_it_became(ledger: Ledger) -> None:
    """After a rebase a thread has the new commits; the old ones are there for who asks, with what they are now."""
    first, second = record_of(sha(1), CHILD), record_of(sha(2), CHILD)
    ledger.append(first, became(2, 3), became(1, 2), second, record_of(sha(3), CHILD))
    one = picture(CHILD, ledger).threads[ThreadId(CHILD)]

    assert (list(one.commits or {}), one.rewritten) == ([sha(3)], {sha(1): sha(3), sha(2): sha(3)})


def test_what_went_into_another_threads_commit_is_drawn(ledger: Ledger) -> None:
    """A squash leaves one of two threads without a commit of its own: the drawing says where the other one went."""
    ledger.append(record_of(sha(1), CHILD), record_of(sha(2), PARENT), became(1, 4), became(2, 4))
    ledger.append(record_of(sha(4), PARENT))
    lines = list(tree(picture(CHILD, ledger), {}))
    other = list(tree(picture(PARENT, ledger), {}))

    assert [line.split() for line in lines if "became" in line] == [[sha(1)[:12], "became", sha(4)[:12]]]
    assert not [line for line in other if "became" in line]


def test_what_only_resembles_a_commit_does_not_replace_it(ledger: Ledger) -> None:
    """A copy on another branch was attached by its tree; the commit that it was made from is there all the same."""
    copied = Rewrite(old=sha(1), new=sha(2), command=None, source="tree", time="", by="")
    ledger.append(record_of(sha(1), CHILD), copied)
    one = picture(CHILD, ledger).threads[ThreadId(CHILD)]

    assert (list(one.commits or {}), one.rewritten) == ([sha(1)], {})


def test_commits_that_became_each_other_stay_in_the_picture(ledger: Ledger) -> None:
    """Who goes back to a commit and does the same again leaves a circle, in which nothing is the end."""
    ledger.append(record_of(sha(1), CHILD), became(1, 2), became(2, 1), record_of(sha(2), CHILD))
    with Path(ledger.path).open("ab") as stream:
        stream.write(b'{"v":1,"kind":"rewrite","old":4}\n')
    one = picture(CHILD, ledger).threads[ThreadId(CHILD)]

    assert (list(one.commits or {}), one.rewritten) == ([sha(1), sha(2)], {})


def test_subjects_of_commits_that_are_here(repo: Repo) -> None:
    """A commit that is not in this clone, and what is no commit, have no subject, and hide no other."""
    repo.commit("-q", "-m", "Ünïcode — and “more”\n\nBody")
    first = repo.head()
    repo.commit("-q", "--allow-empty-message", "-m", "")
    (repo.path / "file").write_text("x")
    blob = repo("hash-object", "-w", "file")
    repo(
        "-c",
        "i18n.commitEncoding=latin1",
        "commit",
        "--allow-empty",
        "-q",
        "-F",
        "-",
        stdin="Gr\xfc\xdfe".encode("latin1"),
    )
    last = repo.head()
    ids = [sha(1), first, blob, repo("write-tree"), repo.head("%P"), Sha("1" * 64), last]

    assert subjects(pictured(*ids), os.environ, str(repo.path)) == {
        first: "Ünïcode — and “more”",
        repo.head("%P"): "",
        last: "Grüße",
    }


def test_no_subject_in_an_empty_repository(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any commit here there are no subjects, and that is no error; the current folder is looked at."""
    monkeypatch.chdir(repo.path)

    assert subjects(pictured(sha(1)), os.environ) == {}


def test_no_commits_need_no_repository(tmp_path: Path) -> None:
    """A picture without commits has no subjects, wherever it is drawn."""
    assert subjects(pictured(), os.environ, str(tmp_path)) == {}
    assert subjects(picture(CHILD), os.environ, str(tmp_path)) == {}


def test_subjects_do_not_depend_on_settings(repo: Repo, tmp_path: Path) -> None:
    """S11, S13: no program is run, no replaced commit is shown, no setting changes what is read."""
    repo.commit("-q", "-m", "Real")
    real = repo.head()
    repo.commit("-q", "-m", "Fake", "--amend")
    repo("replace", real, repo.head())
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch '{tmp_path}/run'\n")
    evil.chmod(0o755)
    for key, value in {
        "log.showSignature": "true",
        "gpg.program": str(evil),
        "core.pager": str(evil),
        "i18n.logOutputEncoding": "UTF-16",
        "color.ui": "always",
        "format.pretty": "raw",
    }.items():
        repo("config", key, value)

    assert subjects(pictured(real), os.environ, str(repo.path)) == {real: "Real"}
    assert not (tmp_path / "run").exists()


def test_a_thousand_subjects(repo: Repo) -> None:
    """One question to git is enough, however many commits there are."""
    stream = "".join(
        f"commit refs/heads/main\ncommitter T <t@example.com> {at} +0000\ndata <<E\nNumber {at}\nE\n"
        for at in range(1, 1001)
    )
    repo("fast-import", "--quiet", stdin=stream.encode())
    ids = repo("rev-list", "--reverse", "main").split()
    found = subjects(pictured(*ids), os.environ, str(repo.path))

    assert list(found.values()) == [f"Number {at}" for at in range(1, 1001)]


# --- pages on the web

HUB = "https://github.com/owner/repo"


class Worked:
    """A repository with commits of threads, which a ledger knows."""

    def __init__(self, repo: Repo, ledger: Ledger) -> None:
        self.repo = repo
        self.ledger = ledger
        repo("remote", "add", "origin", f"{HUB}.git")

    def add(self, thread: str | None, subject: str) -> str:
        """Make a commit of *thread*, or one of nobody's."""
        self.repo.commit("-q", "-m", subject)
        if thread:
            self.ledger.append(record_of(Sha(self.repo.head()), thread))
        return self.repo.head()

    def pages(self, *threads: str) -> list[dict[str, object] | None]:
        """Return what the JSON says of the web for each of *threads*."""
        pages = []
        for thread in threads:
            found = picture(thread, self.ledger)
            add_web(found, os.environ, str(self.repo.path))
            pages += [one["web"] for one in json.loads(json.dumps(as_json(found)))["threads"]]
        return pages


@pytest.fixture
def worked(repo: Repo, ledger: Ledger) -> Worked:
    """An empty repository that has its origin on GitHub."""
    return Worked(repo, ledger)


def links(*commits: str) -> dict[str, str]:
    """Return the pages of *commits* on GitHub."""
    return {one: f"{HUB}/commit/{one}" for one in commits}


def test_the_pages_of_a_thread(worked: Worked) -> None:
    """From before its first commit to its last, each commit, and each request once."""
    base = worked.add(None, "Base")
    first = worked.add(CHILD, "Add the parser (#12)")
    other = worked.add(OTHER, "Something else (#13)")
    second = worked.add(CHILD, "Add the scanner (#14)")
    last = worked.add(CHILD, "Mend the parser (#12)")

    def request(at: int) -> dict[str, object]:
        return {"number": at, "url": f"{HUB}/pull/{at}", "source": "subject"}

    assert worked.pages(CHILD, OTHER, PARENT) == [
        {
            "compare": f"{HUB}/compare/{base}...{last}",
            "commits": links(first, second, last),
            "requests": [request(12), request(14)],
        },
        {
            "compare": None,
            "commits": links(other),
            "requests": [request(13)],
        },
        None,
    ]


def test_the_order_of_the_ledger_is_not_that_of_history(worked: Worked) -> None:
    """What was recorded late may be the oldest; git knows."""
    base, first, last = (worked.add(None, name) for name in ("Base", "First", "Last"))
    for one in (last, first):
        worked.ledger.append(record_of(Sha(one), CHILD))
    [pages] = worked.pages(CHILD)

    assert pages
    assert pages["compare"] == f"{HUB}/compare/{base}...{last}"


def test_commits_on_two_branches_have_no_common_page(worked: Worked) -> None:
    """What is no one line of history cannot be compared, and neither can what is not here or begins it."""
    base = worked.add(None, "Base")
    one, beside = worked.add(CHILD, "One"), worked.add(OTHER, "Beside")
    worked.repo("checkout", "-q", "--detach", base)
    two, third = worked.add(CHILD, "Two"), worked.add(PARENT, "Three")
    worked.ledger.append(record_of(sha(7), OTHER), record_of(Sha(base), PARENT))

    assert worked.pages(CHILD, OTHER, PARENT) == [
        {"compare": None, "commits": links(one, two), "requests": []},
        {"compare": None, "commits": links(beside, sha(7)), "requests": []},
        {"compare": None, "commits": links(third, base), "requests": []},
    ]


def test_what_was_rewritten_has_no_page(worked: Worked) -> None:
    """Only what a commit became in the end is looked for on the web."""
    old, new = worked.add(CHILD, "Old"), worked.add(CHILD, "New")
    worked.ledger.append(Rewrite(old=Sha(old), new=Sha(new), command="rebase", source="git", time="", by=""))

    assert worked.pages(CHILD) == [{"compare": None, "commits": links(new), "requests": []}]


@pytest.mark.parametrize(
    "origin", ["/srv/git/repo.git", "https://git.corp.example/owner/repo", "work:owner/repo", "ext::sh -c false"]
)
def test_without_a_known_forge_there_are_no_pages(worked: Worked, origin: str) -> None:
    """Unknown is null."""
    worked.repo("remote", "set-url", "origin", origin)
    worked.add(CHILD, "Add the parser (#12)")

    assert worked.pages(CHILD) == [None]


def test_gitlab_says_it_in_the_merge(worked: Worked) -> None:
    """The whole message of a merge is read where it may tell."""
    worked.repo("remote", "set-url", "origin", "git@gitlab.com:group/sub/repo.git")
    base = worked.add(None, "Base")
    worked.repo("checkout", "-q", "--detach")
    worked.add(None, "Side")
    worked.repo("checkout", "-q", "main")
    worked.repo("merge", "-q", "--no-ff", "-m", "Merge it\n\nSee merge request group/sub/repo!7", "HEAD@{1}")
    merge = worked.repo.head()
    worked.ledger.append(record_of(Sha(merge), CHILD))
    page = "https://gitlab.com/group/sub/repo/-"

    assert base != merge
    assert worked.pages(CHILD) == [
        {
            "compare": None,
            "commits": {merge: f"{page}/commit/{merge}"},
            "requests": [{"number": 7, "url": f"{page}/merge_requests/7", "source": "message"}],
        }
    ]


def test_the_tree_shows_what_no_subject_says(worked: Worked) -> None:
    """One line leads to the work of a thread; a request that its subject names is not named twice."""
    base, first = worked.add(None, "Base"), worked.add(CHILD, "Add the parser (#12)")
    last = worked.add(CHILD, "Mend it")
    worked.repo("update-ref", "refs/pull/14/head", last)
    found = picture(CHILD, worked.ledger)
    seen = described(found, os.environ, str(worked.repo.path))

    assert seen == {first: "Add the parser (#12)", last: "Mend it"}
    assert list(tree(found, seen)) == [
        url(CHILD),
        f"   {first[:12]} Add the parser (#12)",
        f"   {last[:12]} Mend it (#14 by ref)",
        f"   {HUB}/compare/{base}...{last}",
    ]


def test_without_commits_nothing_is_looked_for(repo: Repo, tmp_path: Path) -> None:
    """A picture without commits has no pages, wherever it is drawn, and needs no repository for that."""
    repo("remote", "add", "origin", HUB)
    for folder in (repo.path, tmp_path):
        found = pictured()
        add_web(found, os.environ, str(folder))
        assert (found.web, described(found, os.environ, str(folder))) == ({}, {})


def test_many_commits_cost_few_questions(worked: Worked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many commits and threads: their messages, the remote, the refs, what they contain, what lies between."""
    worked.add(None, "Base")
    for at in range(30):
        worked.add([CHILD, OTHER, PARENT][at % 3], f"Number {at}")
    worked.repo("update-ref", "refs/pull/1/head", worked.repo.head())
    worked.repo("update-ref", "refs/remotes/origin/HEAD", worked.repo("rev-parse", "HEAD~5"))
    log, real = tmp_path / "asked", shutil.which("git")
    (tmp_path / "git").write_text(f"#!/bin/sh\necho x >>'{log}'\nexec {real} \"$@\"\n")
    (tmp_path / "git").chmod(0o755)
    found = picture(CHILD, worked.ledger)
    found.threads |= picture(OTHER, worked.ledger).threads | picture(PARENT, worked.ledger).threads
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    add_web(found, os.environ, str(worked.repo.path))

    assert [len(pages.commits) for pages in found.web.values()] == [10, 10, 10]
    assert [len(pages.requests) for pages in found.web.values()] == [1, 2, 2]
    assert all(pages.compare for pages in found.web.values())
    assert len(log.read_text().split()) <= 3 + 5  # where we are, and the questions above


def test_a_repository_that_cannot_be_read_has_no_pages(worked: Worked) -> None:
    """What git cannot read is no reason to say less of threads."""
    worked.add(CHILD, "Add the parser (#12)")
    found = picture(CHILD, worked.ledger)
    found.web = {}
    (worked.repo.path / ".git" / "config").write_text("[broken\n")
    add_web(found, os.environ, str(worked.repo.path))

    assert found.web == {}


def test_a_secret_in_the_remote_is_never_shown(worked: Worked) -> None:
    """S15: a token in an address stays where it is."""
    worked.repo("remote", "set-url", "origin", "https://user:ghp_secret@github.com/owner/repo.git")
    worked.add(CHILD, "Add the parser")
    [pages] = worked.pages(CHILD)

    assert pages
    assert "secret" not in json.dumps(pages)


# --- Amp is asked


class StandIn:
    """A program in the place of amp that prints threads from a folder, and notes what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.answers = folder / "answers"
        self.answers.mkdir(parents=True)
        self.path = folder / "amp"
        self.asked_for = folder / "asked"
        self.asked_for.touch()
        self.path.write_text(
            f"#!/bin/sh\n[ \"$1 $2\" = 'threads export' ] || exit 9\necho \"$3\" >>'{self.asked_for}'\n"
            f"exec cat '{self.answers}'/\"$3.json\"\n"
        )
        self.path.chmod(0o755)

    def knows(self, thread: str, parents: Iterable[str] = (), version: str = f"0.0.{LAST_CLIENT_WRITTEN}-g0") -> None:
        """Let amp know *thread*."""
        put(self.answers, thread_file(thread, parents) | {"title": "Told", "env": written_by(version)}, thread)

    @property
    def asked(self) -> list[str]:
        """What it was asked for."""
        return self.asked_for.read_text().split()

    def picture(self, asked: str, *, down: bool = False, around: bool = False) -> Lineage:
        """Return the picture of *asked*, for which amp may be asked."""
        sources = Sources(os.environ, Amp(str(self.path), os.environ))
        return lineage(ThreadId(asked), sources, None, down=down, around=around)


@pytest.fixture
def amp(tmp_path: Path) -> StandIn:
    """A stand-in for amp that knows no thread yet."""
    return StandIn(tmp_path / "bin")


def kept(sealed: Path) -> dict[str, list[str]]:
    """Return what was learned for good: who told of a thread, then its parents."""
    folder = sealed / ".local" / "share" / "ampcommit" / "parents"
    return {path.name: [word for word in path.read_text().split() if "Z" not in word][1:] for path in folder.iterdir()}


def test_amp_is_asked_for_what_nobody_here_knows(amp: StandIn, january: Path, sealed: Path) -> None:
    """Known threads are not asked for; what Amp tells is kept for everybody, and never asked for again."""
    put(january, thread_file(PARENT, [OTHER]), PARENT)
    amp.knows(OTHER, [MAY_CHILD])
    amp.knows(MAY_CHILD)
    found = amp.picture(CHILD)
    again = amp.picture(CHILD)

    assert (found.chain, found.status) == ([CHILD, PARENT, OTHER, MAY_CHILD], "complete")
    assert states(found)[OTHER] == ("known", "amp", [MAY_CHILD])
    assert found.threads[ThreadId(OTHER)].title == "Told"
    assert kept(sealed) == {OTHER: ["amp", MAY_CHILD], MAY_CHILD: ["amp"]}
    assert amp.asked == [OTHER, MAY_CHILD]
    assert states(again) == states(found)
    assert again.warnings == found.warnings == []


@pytest.mark.usefixtures("january")
def test_amp_is_not_asked_without_need(amp: StandIn) -> None:
    """Where everything is known here, nobody is asked in any direction."""
    for down, around in ((False, False), (True, False), (False, True)):
        amp.picture(CHILD, down=down, around=around)

    assert amp.asked == []


def test_amp_is_asked_once_for_each(amp: StandIn) -> None:
    """T04: of several ways to a thread that nobody knows one question comes."""
    amp.knows(CHILD, [PARENT, OTHER])
    amp.knows(PARENT, [MAY_CHILD])
    amp.knows(OTHER, [MAY_CHILD])
    found = amp.picture(CHILD, around=True)

    assert amp.asked == [CHILD, PARENT, OTHER, MAY_CHILD]
    assert (found.status, len(found.warnings)) == ("partial", 1)
    assert sorted(children(found)[MAY_CHILD]) == [PARENT, OTHER]


def test_what_amp_tells_is_in_the_picture_without_a_home(amp: StandIn) -> None:
    """E38: where nothing can be kept, the picture is the same."""
    amp.knows(CHILD, [PARENT])
    amp.knows(PARENT)
    sources = Sources({}, Amp(str(amp.path), os.environ))
    found = lineage(ThreadId(CHILD), sources, None, around=True)

    assert children(found) == {CHILD: [], PARENT: [CHILD]}


FAILURES: dict[str, Callable[[StandIn], object]] = {
    "unknown": lambda amp: amp.asked,
    "exit 1": lambda amp: amp.path.write_text("#!/bin/sh\nprintf 'no \\033[2Jnetwork' >&2; exit 1\n"),
    "killed": lambda amp: amp.path.write_text("#!/bin/sh\nkill -9 $$\n"),
    "cannot be started": lambda amp: amp.path.unlink(),
    "another thread": lambda amp: put(amp.answers, document(PARENT), CHILD),
    "no thread": lambda amp: put(amp.answers, b"<html>", CHILD),
    "empty": lambda amp: put(amp.answers, b"", CHILD),
}


@pytest.mark.parametrize("spoil", FAILURES.values(), ids=FAILURES)
def test_a_failure_to_ask_is_a_warning(amp: StandIn, spoil: Callable[[StandIn], object]) -> None:
    """N01: whatever Amp does, the picture of what is known comes, with one printable line on what went wrong."""
    spoil(amp)
    found = amp.picture(CHILD)

    assert (found.chain, found.status) == ([CHILD], "unknown")
    assert states(found) == {CHILD: ("missing", None, None)}
    assert [warning.startswith(f"{CHILD}: ") and warning.isprintable() for warning in found.warnings] == [True]


def test_a_server_generation_export_without_parents_stays_unknown(amp: StandIn) -> None:
    """From the server generation an empty list is no proof of a root: the thread is known, its parents are not."""
    amp.knows(CHILD, version=SERVER)
    found = amp.picture(CHILD)

    assert (found.status, states(found)) == ("unknown", {CHILD: ("known", None, None)})
    assert found.threads[ThreadId(CHILD)].title == "Told"
    assert not (Path(os.environ["HOME"]) / ".local" / "share" / "ampcommit" / "parents").exists()


def test_a_server_generation_export_with_a_parent_is_believed(amp: StandIn) -> None:
    """A parent that is named is a parent."""
    amp.knows(CHILD, [PARENT], version=SERVER)

    assert states(amp.picture(CHILD))[CHILD] == ("known", "amp", [PARENT])


def test_children_that_amp_tells_of(amp: StandIn) -> None:
    """What a thread that was asked for lists is in the picture, too."""
    told = thread_file(CHILD, children=[OTHER]) | {"env": written_by(SERVER)}
    put(amp.answers, told, CHILD)

    assert list(amp.picture(CHILD, down=True).threads) == [CHILD, OTHER]
    assert list(amp.picture(CHILD, around=True).threads) == [CHILD, OTHER]


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key for Amp in the environment."""
    monkeypatch.setenv("AMP_API_KEY", "sgamp_user_x")


@pytest.mark.usefixtures("key")
def test_the_amp_of_the_clone_is_asked(repo: Repo, amp: StandIn) -> None:
    """With `ask`, the amp that was recorded at install is run; without, it is not."""
    record(Place(str(repo.path / ".git")), str(amp.path))
    amp.knows(CHILD, [PARENT])
    amp.knows(PARENT)
    before = looked_up(CHILD, repo)
    found = look_up(url(CHILD), os.environ, ask=True, folder=str(repo.path))

    assert (before.status, found.chain, found.status) == ("unknown", [CHILD, PARENT], "complete")
    assert amp.asked == [CHILD, PARENT]


@pytest.mark.usefixtures("key")
def test_the_ledger_is_asked_before_amp(repo: Repo, ledger: Ledger, amp: StandIn) -> None:
    """What was learned and recorded in this clone is not asked for again."""
    record(Place(str(repo.path / ".git")), str(amp.path))
    ledger.append(resolved())
    found = look_up(CHILD, os.environ, ask=True, folder=str(repo.path))

    assert (found.status, amp.asked) == ("complete", [])


@pytest.mark.parametrize(("recorded", "failure"), [(False, SetupError), (True, RemoteError)])
def test_who_cannot_ask_is_told(repo: Repo, amp: StandIn, recorded: bool, failure: type[AmpcommitError]) -> None:
    """Whoever wants Amp to be asked hears at once that there is no amp, or no key."""
    if recorded:
        record(Place(str(repo.path / ".git")), str(amp.path))
    with pytest.raises(failure) as caught:
        look_up(CHILD, os.environ, ask=True, folder=str(repo.path))

    assert caught.value.hint
    assert amp.asked == []


def test_what_to_do_about_a_damaged_store_is_said_whole(repo: Repo, sealed: Path) -> None:
    """A command to copy is not cut off, however long the path is."""
    path = sealed / ".local" / "share" / "ampcommit" / "threads.db"
    path.parent.mkdir(parents=True)
    path.write_text("<html>" * 1000)

    (warning,) = look_up(CHILD, os.environ, folder=str(repo.path)).warnings

    assert warning.endswith(f"mv {path} {path}.damaged)")
