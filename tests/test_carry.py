"""`carry`: what a forge makes of a branch keeps what was known of the branch, however little its message says."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from ampcommit.carried import MOST, Carry, carryings
from ampcommit.errors import LedgerError, MisuseError, SetupError
from ampcommit.files import Lock
from ampcommit.gitcmd import Git, clean
from ampcommit.notes.fetching import FORK
from ampcommit.notes.shared import OVERSIZE, REF, REMOTES, Notes, publishable, unite
from ampcommit.place import Place
from ampcommit.record import BY, Sha, ThreadId
from ampcommit.verbs import share
from ampcommit.verbs.carry import ROOM, SEARCHED, Outcome, Transfer, carry, find
from ampcommit.verbs.show import ledger_of
from tests.conftest import CHILD, OTHER, PARENT, ROOT, Repo, url
from tests.test_record import record_of
from tests.test_rewritten import became

if TYPE_CHECKING:
    from ampcommit.ledger import Ledger

GONE = Sha("ab" * 20)
CLAIMED = REMOTES + FORK


class Team:
    """A clone in which branches grow and a forge merges them; no hook runs, records are written as hooks would."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.ledger: Ledger = ledger_of(os.environ, str(repo.path))
        self.place = Place.of_folder(Git(str(repo.path)))
        self.git = Git(self.place.git_dir, clean(os.environ, self.place.git_dir))
        self.base = self.made("Begin the work here", a="1\n2\n3\n4\n5\n6\n7\n8\n9\n")

    def made(self, message: str = "Change something here", **files: str) -> Sha:
        """Commit *files*, by name without extension, on the branch that is checked out."""
        for name, content in files.items():
            (self.repo.path / name).write_text(content)
        self.repo("add", "-A")
        self.repo("commit", "-q", "--allow-empty", "-m", message)
        return Sha(self.repo.head())

    def grow(self, count: int) -> None:
        """Let a branch `long` have *count* commits from the base on, without changes."""
        stream = "".join(
            f"commit refs/heads/long\ncommitter T <t@e.c> {1500000001 + number} +0000\ndata 1\nx\n"
            + (f"from {self.base}\n" if not number else "")
            for number in range(count)
        )
        self.repo("fast-import", "--quiet", stdin=stream.encode())

    def recorded(self, thread: str = CHILD, *, by: str = "own", **files: str) -> Sha:
        """Commit with a link to *thread*, and a record that is ours, the team's (`shared`), a fork's, or nobody's."""
        commit = self.made(f"Work on {', '.join(files)} here\n\nAmp-Thread-ID: {url(thread)}", **files)
        self.record(commit, thread, by)
        return commit

    def record(self, commit: Sha, thread: str = CHILD, by: str = "own", **others: Any) -> None:
        """Write a record of *commit*."""
        others = {"parents": [Sha(one) for one in self.repo("log", "-1", "--format=%P", commit).split()]} | others
        record = record_of(commit, thread, links=[ThreadId(thread)], **others)
        if by == "own":
            self.ledger.append(record)
        elif by != "nobody":
            self.note(record.to_bytes(), REF if by == "shared" else CLAIMED)

    def note(self, line: bytes, ref: str = REF) -> None:
        """Publish a line of a ledger."""
        told = publishable(line)
        assert told
        unite(self.git, self.place, ref, {told[0]: {told[1]}})

    def branch(self, name: str = "topic", start: str = "main") -> None:
        """Begin a branch and check it out."""
        self.repo("checkout", "-q", "-b", name, start)

    def pull(self, number: int, tip: str = "HEAD", kind: str = "pull") -> None:
        """Let a request end with *tip*."""
        self.repo("update-ref", f"refs/{kind}/{number}/head", tip)

    def squash(self, message: str, branch: str = "topic", *, ok: bool = True, onto: str = "main", **files: str) -> Sha:
        """Merge *branch* as a forge does that squashes, with *message*; conflicts leave *files*, if not *ok*."""
        self.repo("checkout", "-q", onto)
        assert (self.repo.run("merge", "-q", "--squash", branch, ok=False).returncode == 0) == ok
        return self.made(message, **files)

    def github(self, number: int = 1, branch: str = "topic") -> str:
        """Return the message that GitHub proposes: the title, and every message of the branch behind a star."""
        log = self.repo("log", "--reverse", "--format=* %s%n%n%b", f"main..{branch}")
        return f"Add the topic to it (#{number})\n\n{log}"

    def carry(self, asked: str, target: str = "HEAD", **options: bool) -> Transfer:
        """Carry by hand, and return what was carried; the ledger is sound afterwards."""
        (found,) = carry(asked, target, os.environ, str(self.repo.path), **options).carried
        assert self.ledger.check().problems == []
        return found

    def find(self, asked: str = "", **options: bool) -> Outcome:
        """Search, and search once more, which must add nothing."""
        outcome = find(asked, os.environ, str(self.repo.path), **options)
        before = self.state()
        assert self.ledger.check().problems == []
        if not options:
            again = find(asked, os.environ, str(self.repo.path))
            assert not any(one.new for one in again.carried)
            assert self.state() == before
        return outcome

    def found(self, asked: str = "") -> tuple[str, list[Sha]]:
        """Return how the one commit that was found is known, and what it was made of."""
        (one,) = self.find(asked).carried
        return one.source, one.commits

    def state(self) -> tuple[list[bytes], Sha | None]:
        """Return the ledger, and where the notes are."""
        return list(self.ledger.lines()), Notes(self.git).tip

    def notes(self, commit: str) -> list[dict[str, Any]]:
        """Return the lines of the shared note of *commit*."""
        return [json.loads(line) for line in Notes(self.git).of([Sha(commit)]).get(Sha(commit), [])]

    def told(self, commit: Sha) -> list[Carry]:
        """Return what the ledger says that *commit* carries."""
        return list(carryings(self.ledger.lines(), commit))


@pytest.fixture
def team(repo: Repo) -> Team:
    """A clone with one commit on main."""
    return Team(repo)


@pytest.fixture
def topic(team: Team) -> list[Sha]:
    """A branch of two recorded commits of two threads, while main went on; its commits."""
    team.branch()
    commits = [team.recorded(PARENT, x="x\n"), team.recorded(CHILD, a="0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n")]
    team.repo("checkout", "-q", "main")
    team.made("Go on with something else", other="1\n")
    return commits


# --- a range that somebody names


def test_the_squashed_commit_has_the_records_of_all(team: Team, topic: list[Sha]) -> None:
    """The ledger says what it was made of, its note says that and what was recorded, in the form that is shared."""
    new = team.squash("Add the topic to it")

    done = team.carry("main~1..topic")

    assert (done.target, done.commits, done.source, done.new) == (new, topic, "range", True)
    assert (done.copies.own, done.copies.shared, done.copies.unrecorded) == (2, 0, set())
    (told,) = team.told(new)
    assert told.commits == topic
    notes = team.notes(new)
    assert [one["kind"] for one in notes] == ["carry", "commit", "commit"]
    assert {one.get("commit") for one in notes} == {None, *topic}
    assert not any("prev" in one or "branch" in one for one in notes)


def test_a_second_time_adds_nothing(team: Team, topic: list[Sha]) -> None:
    """Whoever carries the same again leaves every byte as it is."""
    assert topic
    team.squash("Add the topic to it")
    team.carry("main~1..topic")
    before = team.state()

    assert not team.carry("main~1..topic").new
    assert team.state() == before


def test_what_became_known_later_is_added(team: Team, topic: list[Sha]) -> None:
    """Records that come in after the merge are copied by another run, under the same line of kind carry."""
    new = team.squash("Add the topic to it")
    team.branch("more", "topic")
    late = team.made("Work without any link")
    team.carry("main~1..more", "main")

    team.record(late, OTHER, "shared")

    again = team.carry("main~1..more", "main")
    assert (again.new, again.copies.shared, again.copies.own) == (True, 1, 2)
    assert [one["kind"] for one in team.notes(new)] == ["carry", *["commit"] * 3]
    assert [told.commits for told in team.told(new)] == [[*topic, late]]


def test_a_dry_run_writes_nothing(team: Team, topic: list[Sha]) -> None:
    """It says the same, and neither ledger nor notes change."""
    assert topic
    team.squash("Add the topic to it")
    before = team.state()

    assert team.carry("main~1..topic", dry_run=True).new
    assert team.find(dry_run=True).carried[0].new
    assert team.state() == before


def test_commits_without_records_are_carried_too(team: Team) -> None:
    """Their links are in their messages; it is said how many have neither."""
    team.branch()
    commits = [team.recorded(by="nobody", x="1\n"), team.made("Say nothing of a thread", y="1\n")]
    new = team.squash("Add the topic to it")

    done = team.carry("main~1..topic")

    assert (done.copies.own, len(done.copies.unrecorded), done.linked) == (0, 2, 1)
    assert [one["commits"] for one in team.notes(new)] == [commits]


def test_one_commit_may_be_named_alone(team: Team, topic: list[Sha]) -> None:
    """A branch of one commit needs no range."""
    team.squash("Add the topic to it")

    assert team.carry("topic").commits == topic[1:]


def test_an_amended_commit_brings_the_record_that_it_had_before(team: Team) -> None:
    """The way back from the branch's commit to the one that was recorded is in the note, too."""
    team.branch()
    first = team.recorded(x="1\n")
    team.repo("commit", "-q", "--amend", "-m", "Say it otherwise here")
    amended = Sha(team.repo.head())
    team.ledger.append(became(first, amended))
    new = team.squash("Add the topic to it")

    done = team.carry("main~1..topic")

    assert (done.commits, done.copies.own, done.copies.unrecorded) == ([amended], 1, set())
    assert [one["kind"] for one in team.notes(new)] == ["carry", "commit", "rewrite"]


def test_a_branch_that_took_main_in_carries_its_own_alone(team: Team, topic: list[Sha]) -> None:
    """What the target has behind it anyway was not squashed into it."""
    team.repo("checkout", "-q", "topic")
    team.repo("merge", "-q", "--no-ff", "-m", "Merge main into it", "main")
    merge = Sha(team.repo.head())
    team.squash("Add the topic to it")

    assert team.carry(f"{team.base}..topic").commits == [*topic, merge]


def test_the_target_may_be_anywhere(team: Team, topic: list[Sha]) -> None:
    """On another branch, by its id, and a merge: what somebody says counts."""
    team.branch("release", "main~1")
    new = team.squash("Add the topic to it", onto="release")
    team.repo("checkout", "-q", "main")
    team.repo("merge", "-q", "--no-ff", "-m", "Merge the release", "release")

    assert team.carry(f"{team.base}..topic", new).commits == topic
    assert team.carry(f"{team.base}..topic", "main").commits == topic


@pytest.mark.parametrize(
    ("asked", "target", "said"),
    [
        ("topic..topic", "HEAD", "names no commits"),
        ("main~1..topic", "topic", "does not have behind it"),
        ("main~1..main", "HEAD", "does not have behind it"),
        ("main~1..topic", "nowhere", "no commit 'nowhere'"),
        ("nowhere..topic", "HEAD", "no commits 'nowhere..topic' here"),
        ("main...topic", "HEAD", "two branches"),
        ("apart..topic", "HEAD", "no commit in common"),
    ],
)
def test_what_cannot_be_meant_is_refused(team: Team, topic: list[Sha], asked: str, target: str, said: str) -> None:
    """An empty range, a target that has the commits itself, names of nothing, and two histories."""
    assert topic
    team.squash("Add the topic to it")
    tree = team.repo("rev-parse", "HEAD^{tree}")
    team.repo("branch", "apart", team.repo("commit-tree", "-m", "Begin elsewhere", tree))
    before = team.state()

    with pytest.raises(MisuseError, match=said):
        team.carry(asked, target)
    assert team.state() == before


@pytest.mark.parametrize(("asked", "target"), [("main..topic", "main"), ("topic~2..topic", "topic~1")])
def test_nothing_is_made_of_what_came_after_it(team: Team, asked: str, target: str) -> None:
    """Before the merge, main is where the branch began; and no commit of a branch is made of the others."""
    team.branch()
    team.recorded(PARENT, x="x\n")
    team.recorded(CHILD, y="y\n")
    before = team.state()

    with pytest.raises(MisuseError, match="came before") as caught:
        team.carry(asked, target)
    assert caught.value.hint
    assert team.state() == before


def test_nothing_is_made_of_what_records_tell_came_after_it(team: Team) -> None:
    """The branch is gone; records that lead back to the target, or to a commit after it, are of later commits."""
    later = team.made("Go on with something else", other="1\n")
    team.ledger.append(record_of(GONE, parents=[later]))

    for target in (team.base, later):
        with pytest.raises(MisuseError, match="came before"):
            team.carry(f"{later}..{GONE}", target)
    team.record(later, parents=[team.base])
    with pytest.raises(MisuseError, match="came before"):
        team.carry(f"{team.base}..{GONE}", later)


def test_a_whole_history_is_no_branch(team: Team) -> None:
    """More commits than one line holds are refused."""
    team.grow(MOST + 1)

    team.made("Add all of it at once", x="1\n")

    with pytest.raises(MisuseError, match=f"more than {MOST}"):
        team.carry("main~1..long")


def test_a_branch_that_is_gone_is_carried_as_its_records_tell(team: Team) -> None:
    """Of a branch that was deleted and never fetched, the parents in the records lead from its end to its base."""
    ids = [Sha(f"{number}" * 40) for number in (1, 2)]
    for commit, parent, by in ((ids[0], team.base, "own"), (ids[1], ids[0], "shared")):
        record = record_of(commit, parents=[parent])
        if by == "own":
            team.ledger.append(record)
        else:
            team.note(record.to_bytes())
    new = team.made("Add the topic to it", x="1\n")

    done = team.carry(f"{team.base}..{ids[1]}")

    assert (done.commits, done.copies.own, done.copies.shared, done.linked) == (ids, 1, 1, 0)
    assert len(team.notes(new)) == 3
    with pytest.raises(SetupError, match="no record leads"):
        team.carry(f"{GONE}..{ids[1]}")


def test_records_that_lead_in_a_circle_lead_nowhere(team: Team) -> None:
    """Anybody could have shared them."""
    for commit, parent in (("1" * 40, "2" * 40), ("2" * 40, "1" * 40)):
        team.note(record_of(commit, parents=[Sha(parent)]).to_bytes())

    with pytest.raises(SetupError, match="no record leads"):
        team.carry(f"{team.base}..{'1' * 40}")


def test_a_shallow_clone_is_told_to_fetch(team: Team, topic: list[Sha], tmp_path: Path) -> None:
    """Where the branch goes on beyond what is here, nothing is carried."""
    assert topic
    team.squash("Add the topic to it")
    team.repo("clone", "-q", "--depth=1", "--no-single-branch", f"file://{team.repo.path}", str(tmp_path / "shallow"))

    for asked in ("", "origin/topic..main"):
        with pytest.raises(SetupError, match="shallow"):
            find(asked, os.environ, str(tmp_path / "shallow"))
    with pytest.raises(SetupError, match="shallow"):
        carry("origin/main..origin/topic", "HEAD", os.environ, str(tmp_path / "shallow"))


def test_notes_that_somebody_writes_are_waited_for_and_the_next_run_completes_it(team: Team, topic: list[Sha]) -> None:
    """Nothing stands in the ledger that the notes lack, so that the search does not take it for done."""
    assert topic
    team.squash("Add the topic to it")
    with Lock(f"{team.place.state}/share.lock"), pytest.raises(LedgerError, match="has held"):
        unite(team.git, team.place, REF, {team.base: {b"x"}}, patience=0.01)
    Path(team.ledger.path).chmod(0o600)
    lines = team.state()[0]
    aside = Path(team.ledger.path).rename(f"{team.ledger.path}.aside")
    Path(team.ledger.path).symlink_to(aside)

    with pytest.raises(LedgerError):
        team.carry("main~1..topic")

    Path(team.ledger.path).unlink()
    aside.rename(team.ledger.path)
    assert team.state()[0] == lines
    assert team.carry("main~1..topic").new


# --- what stands in a note


def test_a_note_that_nobody_would_read_gets_the_line_alone(team: Team) -> None:
    """Records with many links would fill it; those of the branch's commits stand in the notes of these."""
    team.branch()
    links = [ThreadId(f"T-01a1f7e3-a087-75c8-93d6-{number:012x}") for number in range(3000)]
    for number in range(5):
        commit = team.made("Work with many threads", x=f"{number}\n")
        team.ledger.append(record_of(commit, links[-1], links=links))
    new = team.squash("Add the topic to it")
    assert sum(map(len, team.ledger.lines())) > ROOM

    outcome = carry("main~1..topic", "main", os.environ, str(team.repo.path))

    assert [one["kind"] for one in team.notes(new)] == ["carry"]
    assert outcome.notices == [f"the note of {new} would be too long with copies of records: it has none"]
    assert not team.carry("main~1..topic").new


def test_what_the_note_has_counts(team: Team, topic: list[Sha]) -> None:
    """Copies are left out where others have filled the note, and nothing is put into one that nobody reads."""
    assert topic
    new = team.squash("Add the topic to it")
    unite(team.git, team.place, REF, {new: {b"x" * (ROOM - 500)}})
    assert team.carry("main~1..topic").new
    assert [line[:1] for line in Notes(team.git).of([new])[new]] == [b"x", b"{"]
    unite(team.git, team.place, REF, {new: {b"y" * OVERSIZE}})
    before = team.state()

    outcome = carry("main~1..topic", "main", os.environ, str(team.repo.path))

    assert outcome.notices == [f"the note of {new} is too long to be read, and is left alone"]
    assert [one.new for one in outcome.carried] == [False]
    assert team.state() == before


def test_the_longest_line_leaves_the_note_readable() -> None:
    """Beside as many copies as there is room for, and with ids of 64 digits."""
    longest = Carry(new=Sha("a" * 64), commits=[Sha("b" * 64)] * MOST, source="patch-id").to_note()

    assert ROOM + len(longest) < OVERSIZE


def test_words_of_others_do_not_become_ours(team: Team, topic: list[Sha]) -> None:
    """A line that somebody shared about the same commits says what it likes; ours says what we know."""
    new = team.squash("Add the topic to it")
    foreign = {"v": 1, "kind": "carry", "new": new, "commits": topic, "source": "ref", "time": "1999", "by": "mallory"}
    unite(team.git, team.place, REF, {new: {json.dumps(foreign | {"prompt": "secret"}).encode()}})

    done = team.carry("main~1..topic")

    assert (done.new, done.source) == (True, "range")
    (told,) = team.told(new)
    assert (told.source, told.by, told.time > "2000") == ("range", BY, True)
    assert told.to_note() in Notes(team.git).of([new])[new]
    assert not any(b"secret" in line or b"mallory" in line for line in team.ledger.lines())


# --- what a fork says


def test_a_fork_s_records_are_left_out_unless_somebody_answers_for_them(team: Team) -> None:
    """They are counted, and copied only with `claims`."""
    team.branch()
    team.recorded(x="1\n")
    claimed = team.recorded(OTHER, by="fork", y="1\n")
    new = team.squash("Add the topic to it")

    done = team.carry("main~1..topic")

    assert (done.copies.own, done.copies.claims, done.copies.unrecorded, done.linked) == (1, 1, {claimed}, 1)
    assert [one["kind"] for one in team.notes(new)] == ["carry", "commit"]
    assert team.carry("main~1..topic", claims=True).new
    assert [one["kind"] for one in team.notes(new)] == ["carry", "commit", "commit"]


# --- searches


def test_github_s_squash_is_known_by_its_links(team: Team, topic: list[Sha]) -> None:
    """Its message names the request and holds all messages; conflicts that were resolved change nothing of that."""
    team.pull(1, "topic")
    new = team.squash(team.github())

    assert team.found() == ("message", topic)
    assert [one["kind"] for one in team.notes(new)] == ["carry", "commit", "commit"]
    assert [told.source for told in team.told(new)] == ["message"]


def test_a_squash_with_conflicts_is_known_by_its_links(team: Team) -> None:
    """Whoever merged changed the lines, and kept the message that GitHub proposed."""
    team.branch()
    commits = [team.recorded(a="topic\n"), team.recorded(OTHER, x="1\n")]
    team.pull(3)
    team.repo("checkout", "-q", "main")
    team.made("Change the same line", a="main\n")
    team.squash(team.github(3), ok=False, a="both\n")

    assert team.found() == ("message", commits)


def test_a_squash_with_conflicts_and_without_links_is_known_by_its_request(team: Team) -> None:
    """The request that the subject names, whose branch has every file that the commit changes, is the last resort."""
    team.branch()
    commits = [team.recorded(a="topic\n"), team.recorded(OTHER, x="1\n")]
    team.pull(3)
    team.repo("checkout", "-q", "main")
    team.made("Change the same line", a="main\n")
    team.squash("Add the topic to it (#3)", ok=False, a="both\n")

    assert team.found() == ("ref", commits)


@pytest.mark.parametrize(
    ("message", "files"),
    [
        ("Add the topic to it", {"a": "both\n"}),
        ("Add the topic to it (#4)", {"a": "both\n"}),
        ("Mend what came with #3", {"a": "both\n"}),
        ("Add the topic to it (#3)", {"a": "both\n", "another": "1\n"}),
        (f"Add the topic to it (#3)\n\nAmp-Thread-ID: {url(PARENT)}", {"a": "both\n"}),
        ("Add the topic to it (#3)", {"a": "both\n", "x": "2\n"}),
    ],
)
def test_a_number_alone_proves_nothing(team: Team, message: str, files: dict[str, str]) -> None:
    """No number at the end, another one, files or threads that the branch does not have, or a file otherwise."""
    team.branch()
    team.recorded(a="topic\n", x="1\n", y="1\n")
    team.pull(3)
    team.repo("checkout", "-q", "main")
    team.made("Change the same line", a="main\n")
    new = team.squash(message, ok=False, **files)

    outcome = team.find("HEAD~1..HEAD")

    assert (outcome.carried, outcome.unknown, outcome.ambiguous) == ([], [new], {})


def test_a_number_and_a_conflict_prove_nothing(team: Team) -> None:
    """Where nothing of the branch arrived as it was, the commit may be anybody's work on the same file."""
    team.branch()
    team.recorded(a="topic\n")
    team.pull(3)
    team.repo("checkout", "-q", "main")
    team.made("Change the same line", a="main\n")
    team.made("Mend what is said in the request (#3)", a="both\n")

    assert team.find("HEAD~1..HEAD").carried == []


def test_a_part_of_a_request_is_not_the_request(team: Team) -> None:
    """Before it is merged, somebody takes one of its files over by hand and names it."""
    team.branch()
    team.recorded(x="1\n", y="1\n")
    team.pull(3)
    team.repo("checkout", "-q", "main")
    team.made("Take a part of it before the rest (#3)", x="1\n")

    assert team.find("HEAD~1..HEAD").carried == []


@pytest.mark.parametrize("lost", ["nothing", "ledger", "notes"])
def test_a_request_is_carried_once(team: Team, topic: list[Sha], lost: str) -> None:
    """A later commit that names the request is not made of it, whether the ledger tells what was, or the notes."""
    team.pull(5, "topic")
    team.squash("Add the topic to it (#5)")
    assert team.found() == ("patch-id", topic)
    if lost == "ledger":
        Path(team.ledger.path).unlink()
    if lost == "notes":
        team.repo("update-ref", "-d", REF)
    new = team.made("Mend a typo after the merge (#5)", x="y\n")

    outcome = team.find("HEAD~1..HEAD")

    assert (outcome.carried, outcome.unknown) == ([], [new])


def test_the_same_change_once_more_is_not_made_of_the_branch(team: Team, topic: list[Sha]) -> None:
    """Reverted and applied again by hand, even where the squash was amended meanwhile."""
    assert topic
    new = team.squash("Add the topic to it")
    team.find()
    team.repo("commit", "-q", "--amend", "-m", "Add the topic to it, in other words")
    amended = Sha(team.repo.head())
    team.ledger.append(became(new, amended))
    team.repo("revert", "--no-edit", "HEAD")
    team.repo("cherry-pick", amended, env={"GIT_AUTHOR_NAME": "Another", "GIT_COMMITTER_DATE": "1500000900 +0000"})
    again = Sha(team.repo.head())

    assert team.find(f"{again}~1..{again}").carried == []


def test_on_another_line_a_branch_is_carried_again(team: Team, topic: list[Sha]) -> None:
    """What a release got of it says nothing of main."""
    team.pull(5, "topic")
    team.branch("release", "main~1")
    first = team.squash("Add the topic to it", onto="release")
    team.find("release~1..release")
    second = team.squash("Add the topic to it (#5)")

    assert [told.commits for told in team.told(first)] == [topic]
    assert team.found("main~1..main") == ("patch-id", topic)
    assert [told.commits for told in team.told(second)] == [topic]


def test_a_dropped_body_is_made_good_by_the_tree(team: Team) -> None:
    """GitLab drops the body; where main had not moved, commit and branch have the same tree."""
    team.branch()
    commits = [team.recorded(x="1\n"), team.recorded(OTHER, y="1\n")]
    tree = team.repo("rev-parse", "topic^{tree}")
    team.repo("checkout", "-q", "main")
    new = Sha(team.repo("commit-tree", "-p", "main", "-m", "Add the topic to it", tree))
    team.repo("reset", "-q", "--hard", new)

    assert team.found() == ("tree", commits)
    assert len(team.notes(new)) == 3


def test_a_dropped_body_is_made_good_by_the_change(team: Team, topic: list[Sha]) -> None:
    """Where main had moved, the commit changes what the branch changes, in the same file even."""
    team.repo("checkout", "-q", "main")
    team.made("Change the last line", a="1\n2\n3\n4\n5\n6\n7\n8\n10\n")
    team.squash("Add the topic to it")

    assert team.found() == ("patch-id", topic)


def test_gitlab_s_merge_of_a_squash_names_the_request(team: Team) -> None:
    """The squash itself has the title alone; the merge that brings it says which request that was."""
    team.branch()
    commits = [team.recorded(a="topic\n", x="1\n")]
    team.pull(7, kind="merge-requests")
    team.repo("checkout", "-q", "main")
    team.made("Change the same line", a="main\n")
    team.branch("squash")
    new = team.squash("Add the topic to it", ok=False, onto="squash", a="both\n")
    team.repo("checkout", "-q", "main")
    message = "Merge branch 'topic' into 'main'\n\nAdd the topic to it\n\nSee merge request team/demo!7"
    team.repo("merge", "-q", "--no-ff", "-m", message, "squash")
    team.repo("branch", "-qD", "squash", "topic")

    (one,) = team.find("HEAD~1..HEAD").carried
    assert (one.target, one.source, one.commits, one.refs) == (new, "ref", commits, ["refs/merge-requests/7/head"])


def test_a_squash_may_name_gitlab_s_request_itself(team: Team) -> None:
    """As GitLab does where a project's template says so; two requests in one message are none."""
    team.branch()
    commits = [team.recorded(a="topic\n", x="1\n")]
    team.pull(7, kind="merge-requests")
    team.repo("checkout", "-q", "main")
    team.made("Change the same line", a="main\n")
    two = "Add it\n\nSee merge request team/demo!7\nSee merge request team/demo!8"
    team.squash(two, ok=False, a="both\n")
    assert team.find("HEAD~1..HEAD").carried == []
    team.repo("commit", "-q", "--amend", "-m", "Add the topic to it\n\nSee merge request team/demo!7")

    assert team.found("HEAD~1..HEAD") == ("ref", commits)


def test_two_branches_that_fit_equally_fit_not(team: Team, topic: list[Sha]) -> None:
    """It is said which, and nothing is written; the one that the message names is another matter."""
    tree = team.repo("rev-parse", "topic^{tree}")
    team.repo("branch", "copy", team.repo("commit-tree", "-p", team.base, "-m", "The same in one", tree))
    new = team.squash("Add the topic to it")
    before = team.state()

    outcome = team.find()

    assert set(outcome.ambiguous) == {new}
    assert set(outcome.ambiguous[new]) == {"refs/heads/topic", "refs/heads/copy"}
    assert (outcome.carried, team.state()) == ([], before)
    team.pull(5, "topic")
    team.repo("commit", "-q", "--amend", "-m", "Add the topic to it (#5)")
    assert team.found() == ("patch-id", topic)


def test_two_refs_of_one_branch_are_one(team: Team, topic: list[Sha]) -> None:
    """The request's ref, the remote's branch and the local one end with the same commit."""
    team.pull(1, "topic")
    team.repo("update-ref", "refs/remotes/origin/topic", "topic")
    team.repo("update-ref", "refs/pull/1/merge", team.repo("commit-tree", "-p", "topic", "-m", "Try", "topic^{tree}"))
    team.squash("Add the topic to it")

    (one,) = team.find().carried
    assert one.commits == topic
    assert one.refs == ["refs/heads/topic", "refs/pull/1/head", "refs/remotes/origin/topic"]


def test_a_rebase_merge_is_known_commit_by_commit(team: Team, topic: list[Sha]) -> None:
    """Found as `ledger rebuild` would, and told as what is carried: a guess of a rewriting is not shared."""
    team.pull(1, "topic")
    team.repo("checkout", "-q", "main")
    team.repo("cherry-pick", *topic, env={"GIT_COMMITTER_NAME": "A forge", "GIT_COMMITTER_DATE": "1500000100 +0000"})
    news = [Sha(one) for one in team.repo("rev-list", "--reverse", "HEAD~2..HEAD").split()]

    outcome = team.find()

    assert [(one.target, one.commits, one.source, one.rebased) for one in outcome.carried] == [
        (new, [old], "patch-id", True) for new, old in zip(news, topic, strict=True)
    ]
    assert [[(one.commits, one.source) for one in team.told(new)] for new in news] == [
        [([old], "patch-id")] for old in topic
    ]
    assert [one["kind"] for one in team.notes(news[0])] == ["carry", "commit"]


def test_a_rebase_merge_onto_the_same_base_is_no_squash(team: Team) -> None:
    """The last of the new commits has the branch's tree, and only its own change; shared records are enough."""
    team.branch()
    olds = [team.recorded(by="shared", x="1\n"), team.recorded(by="shared", y="1\n")]
    team.pull(1)
    team.repo("checkout", "-q", "main")
    team.repo("cherry-pick", *olds, env={"GIT_COMMITTER_NAME": "A forge"})

    outcome = team.find()

    assert [(one.commits, one.source) for one in outcome.carried] == [([old], "tree") for old in olds]


@pytest.mark.parametrize("pushes", [1, 2])
def test_a_branch_on_a_branch_carries_the_rest(team: Team, pushes: int) -> None:
    """What the first request brought is not in the second one, which stands on it, in one push or in two."""
    team.branch("first")
    one = [team.recorded(x="1\n")]
    team.pull(1)
    team.branch("second", "first")
    two = [team.recorded(OTHER, y="1\n"), team.recorded(OTHER, z="1\n")]
    team.pull(2)
    team.repo("checkout", "-q", "main")
    team.made("Go on with something else", other="1\n")
    news = [team.squash("Add the first part (#1)", "first")]
    found = team.find("main~1..main").carried if pushes == 2 else []
    news.append(team.squash("Add the second part (#2)", "second"))

    found += team.find("main~1..main" if pushes == 2 else "").carried

    assert [(done.target, done.commits, done.source) for done in found] == [
        (news[0], one, "patch-id"),
        (news[1], two, "patch-id"),
    ]


def test_the_branch_may_have_taken_main_in(team: Team, topic: list[Sha]) -> None:
    """Then it started where it last met main, and its merge is one of its commits."""
    team.repo("checkout", "-q", "topic")
    team.repo("merge", "-q", "--no-ff", "-m", "Merge main into it", "main")
    merge = Sha(team.repo.head())
    last = team.recorded(x="2\n")
    team.squash("Add the topic to it")

    assert team.found() == ("tree", [*topic, merge, last])


def test_files_that_are_no_text_are_compared_whole(team: Team) -> None:
    """An image that both change is the same one, or another commit."""
    team.branch()
    (team.repo.path / "image").write_bytes(b"\x89PNG\0\1")
    commits = [team.recorded(x="1\n")]
    team.repo("checkout", "-q", "main")
    team.made("Go on with something else", other="1\n")
    team.squash("Add the topic to it")
    assert team.found("HEAD~1..HEAD") == ("patch-id", commits)
    (team.repo.path / "image").write_bytes(b"\x89PNG\0\2")
    team.repo("commit", "-qa", "--amend", "-m", "Add another image")

    assert team.find("HEAD~1..HEAD").carried == []


def test_what_is_older_than_the_branch_was_not_made_of_it(team: Team, topic: list[Sha]) -> None:
    """A commit that somebody picked back from main onto a branch came later."""
    assert topic
    new = team.squash("Add the topic to it")
    team.repo("branch", "-qD", "topic")
    team.branch("release", team.base)
    team.repo("cherry-pick", new, env={"GIT_COMMITTER_DATE": "1500000100 +0000"})
    team.repo("checkout", "-q", "main")

    assert team.find("HEAD~1..HEAD").carried == []


def test_merges_and_what_is_recorded_are_passed_over(team: Team, topic: list[Sha]) -> None:
    """Only commits with one parent, of which nobody knows anything, can be what a forge squashed."""
    assert topic
    team.repo("checkout", "-q", "main")
    known = team.recorded(y="1\n")
    team.repo("merge", "-q", "--no-ff", "-m", "Merge the topic", "topic")

    outcome = team.find()

    assert known
    assert (outcome.checked, outcome.known, len(outcome.unknown), outcome.carried) == (4, 3, 1, [])


def test_a_search_goes_back_to_what_was_carried_last(team: Team, topic: list[Sha]) -> None:
    """What is older was looked at by the run that carried it."""
    team.squash("Add the topic to it")
    team.carry("main~1..topic")
    assert team.find().checked == 0
    team.made("Go on with it", other="2\n")
    outcome = team.find()

    assert (outcome.checked, outcome.known, len(outcome.unknown)) == (1, 0, 1)
    assert topic


def test_a_search_without_an_end_is_bounded(team: Team) -> None:
    """Of a long history in which nothing was carried the newest commits are looked at, and that is said."""
    team.grow(SEARCHED + 1)
    team.repo("checkout", "-q", "long")

    outcome = team.find()

    assert outcome.checked == SEARCHED
    assert outcome.notices == [f"only the newest {SEARCHED} commits were looked at; name a range for others"]


def test_a_root_commit_may_be_asked_for(team: Team) -> None:
    """It is no squash, and there is no commit before it."""
    assert team.find(team.base).checked == 0
    assert team.find().checked == 0


def test_without_commits_there_is_nothing_to_search(repo: Repo) -> None:
    """An empty repository is no place for it."""
    with pytest.raises(MisuseError, match="no commits here"):
        find("", os.environ, str(repo.path))


# --- after a push


def pushed(team: Team, monkeypatch: pytest.MonkeyPatch, before: str, after: str, ref: str = "refs/heads/main") -> None:
    """Let the surroundings be those of a push on GitHub."""
    event = {"before": before, "after": after, "ref": ref, "repository": {"default_branch": "main"}}
    path = team.repo.path.parent / "event.json"
    path.write_text(json.dumps(event))
    told = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(path)}
    for name, value in told.items():
        monkeypatch.setenv(name, value)


def test_a_push_is_searched_for_what_it_brought(team: Team, topic: list[Sha], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing older is looked at, whatever HEAD is."""
    before = team.repo("rev-parse", "main")
    new = team.squash("Add the topic to it")
    pushed(team, monkeypatch, before, new)
    team.repo("checkout", "-q", "--detach", team.base)

    outcome = team.find(dry_run=True)

    assert outcome.checked == 1
    assert [one.commits for one in outcome.carried] == [topic]


@pytest.mark.parametrize("before", ["0" * 40, GONE])
def test_a_forced_push_is_searched_at_its_end(
    team: Team, topic: list[Sha], monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    """Where the commit before is gone, the last one is looked at."""
    pushed(team, monkeypatch, before, team.squash("Add the topic to it"))

    outcome = team.find(dry_run=True)

    assert (outcome.checked, [one.commits for one in outcome.carried]) == (1, [topic])


def test_a_push_to_another_branch_is_searched_as_anywhere(
    team: Team, topic: list[Sha], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the range of the push is that of a branch, not what a forge made of one."""
    new = team.squash("Add the topic to it")
    pushed(team, monkeypatch, team.base, new, "refs/heads/other")

    assert team.find(dry_run=True).checked == 2
    assert topic


# --- after a merge, on a forge

HOSTED: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "ci" / "carry-github.yml").read_text())
GITLAB: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "ci" / "carry-gitlab.yml").read_text())["ampcommit-carry"]
CHECKOUT, PYTHON, INSTALL, CARRY = HOSTED["jobs"]["carry"]["steps"]


class Forge:
    """A project on a forge, the clone of somebody who works on it, and the checkout of a job after a merge."""

    def __init__(self, repo: Repo, room: Path) -> None:
        self.origin = room / "demo.git"
        subprocess.run(["git", "init", "-q", "--bare", str(self.origin)], check=True)
        self.team = Team(repo)
        repo("remote", "add", "origin", str(self.origin))
        repo("push", "-q", "origin", "main")
        self.before = repo.head()
        self.room = room / "runner"
        argv = shlex.join([sys.executable])
        for path in (self.room / "ampcommit" / "venv" / "bin", self.room / "venv" / "bin"):
            path.mkdir(parents=True)
            (path / "python").write_text(f'#!/bin/sh\nexec {argv} "$@"\n')
            (path / "python").chmod(0o755)
        self.job = Repo(room / "job")

    def merged(self, ref: str, message: str) -> tuple[list[Sha], Sha]:
        """Work on a branch, share its records, let it be squashed with *message*, and leave only the *ref* of it."""
        team = self.team
        team.branch()
        commits = [team.recorded(PARENT, x="1\n"), team.recorded(OTHER, a="topic\n")]
        share.share(os.environ, str(team.repo.path))
        team.repo("push", "-q", "origin", f"topic:{ref}")
        team.repo("checkout", "-q", "main")
        team.made("Change the same line", a="main\n")
        new = team.squash(message, ok=False, a="both\n")
        return commits, new

    def pushed(self) -> None:
        """Push main, and check it out as a runner does."""
        self.team.repo("push", "-q", "origin", "main")
        subprocess.run(["git", "clone", "-q", str(self.origin), str(self.job.path)], check=True)
        self.job("checkout", "-q", "--detach", "origin/main")

    def ran(self, shell: list[str], script: str, environ: dict[str, str]) -> str:
        """Run a *script* of a job in its checkout, and return what it printed."""
        done = subprocess.run(
            [*shell, "-c", script],
            cwd=self.job.path,
            env={**os.environ, **environ, "RUNNER_TEMP": str(self.room), "room": str(self.room)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def kinds(self, commit: Sha) -> list[str]:
        """Return the kinds of lines in the note of *commit* on the forge."""
        bare = Git(str(self.origin), clean(os.environ, str(self.origin)))
        return [json.loads(line)["kind"] for line in Notes(bare).of([commit]).get(commit, [])]


@pytest.fixture
def forge(repo: Repo, tmp_path: Path) -> Forge:
    """A project with one commit."""
    return Forge(repo, tmp_path)


def test_github_s_workflow_keeps_the_records(forge: Forge) -> None:
    """The branch is gone and the body was dropped: the request's ref is fetched, and the notes arrive at the forge."""
    commits, new = forge.merged("refs/pull/12/head", "Add the topic to it (#12)")
    forge.team.made("Mend what somebody reported (#13)", y="1\n")
    forge.pushed()
    event = forge.room / "event.json"
    after = forge.job.head()
    told = {"before": forge.before, "after": after, "ref": "refs/heads/main", "repository": {"default_branch": "main"}}
    event.write_text(json.dumps(told))
    environ = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(event)}
    environ["BEFORE"] = forge.before

    said = forge.ran(["bash", "-e"], CARRY["run"], environ)

    assert "#13 is no pull request" in said
    assert f"{new} was made of 2 commits of refs/pull/12/head" in said
    assert sorted(forge.kinds(new))[:3] == ["carry", "commit", "commit"]
    assert sorted(one["commits"] for one in notes_of(forge, new) if one["kind"] == "carry") == [commits]
    lines = [one for one in notes_of(forge, new) if one["kind"] != "head"]
    assert "1 known already" in forge.ran(["bash", "-e"], CARRY["run"], environ | {"BEFORE": "0" * 40})
    assert [one for one in notes_of(forge, new) if one["kind"] != "head"] == lines


def notes_of(forge: Forge, commit: Sha) -> list[dict[str, Any]]:
    """Return the lines of the note of *commit* on the forge."""
    bare = Git(str(forge.origin), clean(os.environ, str(forge.origin)))
    return [json.loads(line) for line in Notes(bare).of([commit])[commit]]


@pytest.mark.parametrize("named", [True, False])
def test_gitlab_s_job_keeps_the_records(forge: Forge, named: bool) -> None:
    """The merge names the request, or nothing does, and all requests are fetched."""
    team = forge.team
    team.branch("squash")
    team.repo("checkout", "-q", "main")
    commits, new = forge.merged("refs/merge-requests/7/head", "Add the topic to it")
    if named:
        team.repo("branch", "-q", "-f", "squash", new)
        team.repo("reset", "-q", "--hard", "HEAD~1")
        message = "Merge branch 'topic' into 'main'\n\nSee merge request team/demo!7"
        team.repo("merge", "-q", "--no-ff", "-m", message, "squash")
    else:  # a clean squash, known by what it changes
        team.repo("reset", "-q", "--hard", forge.before)
        team.made("Go on with something else", other="1\n")
        new = team.squash("Add the topic to it")
    forge.pushed()
    environ = {"GITLAB_CI": "true", "CI_PIPELINE_SOURCE": "push", "CI_DEFAULT_BRANCH": "main"}
    environ |= {"CI_COMMIT_BRANCH": "main", "CI_COMMIT_SHA": forge.job.head(), "CI_COMMIT_BEFORE_SHA": forge.before}
    environ |= {"CI_PROJECT_URL": str(forge.origin).removesuffix(".git"), "CARRY_TOKEN": "secret"}
    environ["CI_SERVER_URL"] = "https://gitlab.example"

    said = forge.ran(["sh", "-e"], GITLAB["script"][0], environ)

    assert f"{new} was made of 2 commits" in said
    assert sorted(forge.kinds(new))[:3] == ["carry", "commit", "commit"]
    assert [one["commits"] for one in notes_of(forge, new) if one["kind"] == "carry"] == [commits]
    assert "secret" not in said + (forge.job.path / ".git" / "config").read_text()


def test_the_workflows_are_what_the_others_are() -> None:
    """Actions by the ids of commits, no more rights than it takes, no script put together from what others wrote."""
    pinned = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]["gates"]["steps"]
    job = HOSTED["jobs"]["carry"]

    assert [CHECKOUT["uses"], PYTHON["uses"]] == [step["uses"] for step in pinned[:2]]
    assert (HOSTED["permissions"], job["permissions"]) == ({}, {"contents": "write"})
    assert CHECKOUT["with"]["fetch-depth"] == 0
    assert GITLAB["variables"]["GIT_DEPTH"] == "0"
    # YAML takes the word `on` for true.
    assert HOSTED[True] == {"push": {"branches": ["main"]}}  # type: ignore[index]
    assert not any("${{" in step.get("run", "") for step in job["steps"])
    assert CARRY["env"] == {"BEFORE": "${{ github.event.before }}"}


def test_the_workflows_install_what_the_check_installs() -> None:
    """The same lines as in the template of `verify`, packages by their digests."""
    template = yaml.safe_load((ROOT / "docs" / "ci" / "gitlab-ci.yml").read_text())["ampcommit"]["before_script"]
    lines = next(script for script in template if "venv" in script).replace("VERIFY_", "CARRY_").splitlines()

    assert GITLAB["before_script"][0].splitlines() == lines
    assert INSTALL["run"].splitlines()[2:] == lines[2:]


def test_scripts_of_the_workflows_are_sound(tmp_path: Path) -> None:
    """A shell can read every one of them."""
    for name, script in enumerate([INSTALL["run"], CARRY["run"], *GITLAB["before_script"], *GITLAB["script"]]):
        (tmp_path / str(name)).write_text(script)
        assert subprocess.run(["sh", "-n", str(tmp_path / str(name))], check=False).returncode == 0
