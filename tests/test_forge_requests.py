"""Which request a commit came with: by its message, by refs fetched from a real second repository, or unknown."""

import os
import shlex
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampcommit.forge.pages import Forge
from ampcommit.forge.requests import Commit, Web, told, web_of
from ampcommit.gitcmd import Git
from ampcommit.place import Place
from ampcommit.record import Sha
from tests.conftest import Repo

HUB, LAB = Forge("github", "https://github.com/owner/repo"), Forge("gitlab", "https://gitlab.com/group/sub/repo")
ID = Sha("ab" * 20)

relaxed = settings(deadline=None, database=None, max_examples=300)


def commit(subject: str, body: str = "", parents: int = 1) -> Commit:
    """Return a commit with this message."""
    return Commit(ID, " ".join([ID] * parents).encode(), subject.encode(), f"{subject}\n\n{body}\n".encode())


# --- messages

SUBJECTS = {
    "Add the parser (#12)": 12,
    "Add the parser (#12)  ": 12,
    "Add the parser(#12)": 12,
    "(#1)": 1,
    "Add (#1) and (#2) (#999999999)": 999_999_999,
    'Revert "Add the parser (#12)" (#13)': 13,
    "Merge pull request #7 from owner/branch": 7,
    "Merge pull request #7 from owner/branch (#8)": 7,
    # nothing that says it
    "Add the parser": None,
    "Add the parser #12": None,
    "Add the parser (#12).": None,
    "Add the parser (#12) again": None,
    'Revert "Add the parser (#12)"': None,
    "Add the parser (#0)": None,
    "Add the parser (#012)": None,
    "Add the parser (#1234567890)": None,
    "Add the parser (#\u0661\u0662)": None,
    "Add the parser (#12": None,
    "Add the parser (#-12)": None,
    "Add the parser (#1, #2)": None,
    "Add the parser (!12)": None,
    "Add the parser (other/repo#12)": None,
    "Merge pull request #7": None,
    "Merge pull request #x from owner/branch": None,
    "Say how to Merge pull request #7 from owner/branch": None,
    "See merge request !7": None,
    "": None,
}


@pytest.mark.parametrize(("subject", "number"), SUBJECTS.items(), ids=SUBJECTS)
def test_what_a_subject_tells_on_github(subject: str, number: int | None) -> None:
    """The number that GitHub puts at the end of a subject, or git's own sentence, and nothing that looks like it."""
    found = told(commit(subject, "See merge request !99", 2), HUB)

    assert (found and found.as_dict()) == (
        number and {"number": number, "url": f"https://github.com/owner/repo/pull/{number}", "source": "subject"}
    )


@pytest.mark.parametrize(
    ("subject", "number"),
    [
        ("Add the parser (!12)", 12),
        ("Add (!1) and (!2)", 2),
        ("Add the parser (#12)", None),
        ("Merge pull request #12 from a/b", None),
        ("Add the parser (!012)", None),
        ("Add the parser !12", None),
    ],
)
def test_what_a_subject_tells_on_gitlab(subject: str, number: int | None) -> None:
    """There `!` is a merge request, and `#` an issue."""
    found = told(commit(subject), LAB)

    assert (found and (found.number, found.mark, found.source)) == (number and (number, f"!{number}", "subject"))


BODIES = {
    "See merge request group/sub/repo!12": 12,
    "See merge request !12": 12,
    "Add the parser\n\nSee merge request Group/Sub/repo!12\r": 12,
    "See merge request !12\nSee merge request group/sub/repo!12": 12,
    "See merge request !12\nSee merge request !13": None,
    "See merge request other/repo!12": None,
    "See merge request group/sub/repo!012": None,
    "See merge request group/sub/repo!12 and more": None,
    "Please See merge request !12": None,
    "See merge request group/sub/repo#12": None,
    "Closes #12": None,
}


@pytest.mark.parametrize(("body", "number"), BODIES.items(), ids=BODIES)
def test_what_a_merge_tells_on_gitlab(body: str, number: int | None) -> None:
    """GitLab's own line in a merge counts where it is about this project; in another commit it is a quotation."""
    found = told(commit("Merge branch 'x' into 'main'", body, 2), LAB)

    assert (found and (found.number, found.source)) == (number and (number, "message"))
    assert told(commit("Merge branch 'x' into 'main'", body), LAB) is None


@relaxed
@given(st.text(), st.text(), st.integers(0, 3), st.sampled_from([HUB, LAB]))
def test_any_message_is_read(subject: str, body: str, parents: int, forge: Forge) -> None:
    """Whatever somebody wrote gives a sound number or none."""
    raw = Commit(
        ID, " ".join([ID] * parents).encode(), subject.encode("utf-8", "replace"), body.encode("utf-8", "replace")
    )
    found = told(raw, forge)

    assert found is None or (0 < found.number < 10**9 and found.url == forge.request(found.number))


# --- refs, fetched from a second repository


class Two:
    """
    A clone of a bare repository that keeps requests as a forge does.

    Request 1 was merged, 2 is squashed into `main`, 3 is open with two commits and a merge of `main`, 4 and 5 share one
    commit, 6 and 7 end in the same commit.
    """

    def __init__(self, clone: Repo, bare: Path, home: str) -> None:
        self.clone = clone
        self.home = home
        clone("init", "-q", "--bare", str(bare))
        clone("remote", "add", "origin", str(bare))
        self.root = self.add("Root")
        main = self.add("On main")
        self.merged = self.on(main, "Merged later")
        self.squashed = self.on(main, "Squashed later")
        self.main = self.on(main, "Squashed")
        clone("merge", "-q", "--no-ff", "-m", "Merge it", self.merged)
        self.main = clone.head()
        self.first = self.on(main, "First of two")
        clone("merge", "-q", "--no-ff", "-m", "Take main in", self.main)
        self.last = self.add("Last of two")
        self.shared = self.on(main, "Shared")
        self.fourth = self.add("Fourth")
        self.fifth = self.on(self.shared, "Fifth")
        self.sixth = self.on(main, "Sixth")
        tips = [self.merged, self.squashed, self.last, self.fourth, self.fifth, self.sixth, self.sixth]
        refs = [f"{tip}:refs/{home}/{number}/head" for number, tip in enumerate(tips, 1)]
        clone("push", "-q", "origin", f"{self.main}:refs/heads/main", *refs, f"{self.root}:refs/{home}/3/merge")
        clone("checkout", "-q", "-B", "main", self.main)
        clone("fetch", "-q", "origin")
        clone("remote", "set-head", "origin", "main")

    def add(self, subject: str) -> str:
        """Commit to what is checked out."""
        self.clone.commit("-q", "-m", subject)
        return self.clone.head()

    def on(self, base: str, subject: str) -> str:
        """Commit on top of *base*."""
        self.clone("checkout", "-q", "--detach", base)
        return self.add(subject)

    def fetch(self, *specs: str) -> None:
        """Fetch what else the bare repository has, and say that it is on the web."""
        self.clone("fetch", "-q", "origin", *specs)
        base = "https://git.corp.example/owner/repo.git"
        self.clone("remote", "set-url", "origin", base)

    def web(self) -> Web | None:
        """Return what the web has of the clone."""
        git = Git(str(self.clone.path), os.environ)
        return web_of(git, Place.of_folder(git), os.environ)

    def numbers(self) -> dict[str, int]:
        """Return the number of the request of every commit that has one, by subject."""
        listed = [line.split("\t") for line in self.clone("log", "--all", "--format=%H\t%P\t%s").splitlines()]
        commits = {Sha(one): Commit(Sha(one), its.encode(), name.encode(), b"") for one, its, name in listed}
        web = self.web()
        assert web
        found = web.requests(commits.values())
        assert {one.source for one in found.values()} <= {"ref"}
        return {commits[one].subject: request.number for one, request in found.items()}


@pytest.fixture
def hub(repo: Repo, tmp_path: Path) -> Two:
    """A clone of something like GitHub."""
    return Two(repo, tmp_path / "bare", "pull")


@pytest.fixture
def lab(repo: Repo, tmp_path: Path) -> Two:
    """A clone of something like GitLab."""
    return Two(repo, tmp_path / "bare", "merge-requests")


TOLD = {"Merged later": 1, "Squashed later": 2, "First of two": 3, "Take main in": 3, "Last of two": 3}
TOLD |= {"Fourth": 4, "Fifth": 5}


@pytest.mark.parametrize(
    "spec",
    [
        "refs/pull/*/head:refs/pull/*/head",
        "refs/pull/*:refs/pull/*",
        "refs/pull/*/head:refs/remotes/origin/pr/*",
        "refs/pull/*/head:refs/remotes/origin/pull/*",
        "refs/pull/*/head:refs/remotes/origin/pull/*/head",
    ],
)
def test_fetched_pull_requests(hub: Two, spec: str) -> None:
    """The end of one request, and what one alone has and `main` has not; of several nobody says which."""
    hub.fetch(spec)
    hub.clone("config", "ampcommit.forge", "github")

    assert hub.numbers() == TOLD


@pytest.mark.parametrize(
    "spec",
    [
        "refs/merge-requests/*/head:refs/merge-requests/*/head",
        "refs/merge-requests/*/head:refs/remotes/origin/merge-requests/*",
        "refs/merge-requests/*/head:refs/remotes/origin/merge-requests/*/head",
    ],
)
def test_fetched_merge_requests(lab: Two, spec: str) -> None:
    """GitLab's are as good, and say by their name that it is GitLab."""
    lab.fetch(spec)
    web = lab.web()

    assert web
    assert (web.forge.kind, lab.numbers()) == ("gitlab", TOLD)


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ("refs/pull/*/head:refs/pull/*/head", "github"),
        ("refs/pull/*/head:refs/remotes/origin/pr/*", None),
        ("refs/pull/*/head:refs/remotes/origin/pull/*", None),
        ("refs/pull/*/head:refs/remotes/other/pull/*", None),
        ("refs/pull/*/head:refs/heads/pull/*", None),
        ("refs/heads/*:refs/remotes/origin/*", None),
    ],
)
def test_a_forge_is_known_by_its_own_names_only(hub: Two, spec: str, kind: str | None) -> None:
    """Names that people choose themselves do not say which forge it is; then there are no pages at all."""
    hub.fetch(spec)
    web = hub.web()

    assert (web and web.forge.kind) == kind


def test_refs_of_two_forges_say_nothing(hub: Two) -> None:
    """What contradicts itself is unknown."""
    hub.fetch("refs/pull/*/head:refs/pull/*/head", "refs/pull/*/head:refs/merge-requests/*/head")

    assert hub.web() is None


def test_requests_of_the_other_forge_are_none_here(hub: Two) -> None:
    """On GitLab nothing that is called a pull request is one."""
    hub.fetch("refs/pull/*/head:refs/pull/*/head")
    hub.clone("config", "ampcommit.forge", "gitlab")

    assert hub.numbers() == {}


@pytest.mark.parametrize("number", ["0", "01", "1234567890", "x", "1/2", "-1"])
def test_a_ref_without_a_number_is_no_request(hub: Two, number: str) -> None:
    """A number has at most nine digits, and no zero before them."""
    hub.clone("update-ref", f"refs/pull/{number}/head", hub.last)
    hub.clone("remote", "set-url", "origin", HUB.base)

    assert hub.numbers() == {}


def test_without_a_default_branch_only_ends_tell(hub: Two) -> None:
    """Where it is not known what was merged, a request that contains a commit may be any later one."""
    hub.fetch("refs/pull/*/head:refs/pull/*/head")
    hub.clone("remote", "set-head", "origin", "--delete")

    assert hub.numbers() == {name: TOLD[name] for name in ("Merged later", "Squashed later", "Last of two")} | {
        "Fourth": 4,
        "Fifth": 5,
    }


def test_a_message_weighs_more_than_a_ref(hub: Two) -> None:
    """Who squashed or merged it wrote the number down."""
    hub.fetch("refs/pull/*/head:refs/pull/*/head")
    web = hub.web()
    assert web
    found = web.requests([Commit(Sha(hub.last), b"", b"Add the parser (#44)", b"")])

    assert [(one.number, one.source) for one in found.values()] == [(44, "subject")]


def test_no_remote_and_no_forge(repo: Repo) -> None:
    """Nothing is known of the web, and that is no error."""

    def web() -> Web | None:
        git = Git(str(repo.path), os.environ)
        return web_of(git, Place.of_folder(git), os.environ)

    assert web() is None
    repo("remote", "add", "origin", "https://git.corp.example/owner/repo")
    assert web() is None
    repo("remote", "set-url", "origin", "https://github.com/owner/repo.wiki.git")
    assert web() is None
    repo("remote", "set-url", "origin", "https://github.com/owner/repo.git")
    assert web() is not None


# --- what git is asked


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Put a git onto PATH that notes what it is asked, and does *deed* where one of *questions* is."""
    real = shutil.which("git")
    log = tmp_path / "asked"

    def put(deed: str = "", *questions: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        stand_in = folder / "git"
        cases = "".join(f"*' {question} '*) {deed};; " for question in questions)
        stand_in.write_text(
            f'#!/bin/sh\necho "$*" >>{shlex.quote(str(log))}\ncase " $* " in {cases}esac\nexec {real} "$@"\n'
        )
        stand_in.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        log.write_text("")
        return log

    return put


def asked(log: Path) -> list[str]:
    """Return the commands that git was asked, without those that say where we are."""
    words = [line.split() for line in log.read_text().splitlines()]
    commands = [next(word for word in line if not word.startswith(("-", "/"))) for line in words]
    return [command for command in commands if command not in ("version", "rev-parse")]


def requests(two: Two, *commits: str) -> list[int]:
    """Return the numbers of the requests of these commits."""
    web = two.web()
    assert web
    subjects = {one: two.clone("log", "-1", "--format=%s", one) for one in commits}
    found = web.requests(Commit(Sha(one), b"", subjects[one].encode(), b"") for one in commits)
    return [found[Sha(one)].number for one in commits if Sha(one) in found]


def test_git_is_asked_as_little_as_possible(hub: Two, watched: Callable[..., Path]) -> None:
    """One question for the remote, one for the refs, one for what they contain, however many commits there are."""
    hub.fetch()
    hub.clone("remote", "set-url", "origin", HUB.base)
    log = watched()
    assert requests(hub, hub.first, hub.last) == []
    assert [one for one in asked(log) if one != "log"] == ["config", "for-each-ref"]

    hub.clone("update-ref", "refs/pull/3/head", hub.last)
    log.write_text("")
    assert requests(hub, hub.last) == [3]
    assert [one for one in asked(log) if one != "log"] == ["config", "for-each-ref"]

    log.write_text("")
    assert requests(hub, hub.first, hub.last, hub.main) == [3, 3]
    assert [one for one in asked(log) if one != "log"] == ["config", "for-each-ref", "rev-list"]


@pytest.mark.parametrize("deed", ["exit 1", "sleep 30"])
@pytest.mark.parametrize(("question", "numbers"), [("config", None), ("for-each-ref", []), ("rev-list", [3])], ids=str)
def test_a_git_that_does_not_answer_tells_nothing(
    hub: Two, watched: Callable[..., Path], deed: str, question: str, numbers: list[int] | None
) -> None:
    """A question that fails or takes too long is no error; what else is known is told."""
    hub.fetch("refs/pull/*/head:refs/pull/*/head")
    hub.clone("remote", "set-url", "origin", HUB.base)
    begun = time.monotonic()
    watched(f"exec {deed}" if "sleep" in deed else deed, question)

    if numbers is None:
        assert hub.web() is None
    else:
        assert requests(hub, hub.first, hub.last) == numbers
    assert time.monotonic() - begun < 20


def test_refs_that_lead_nowhere_are_in_nobodys_way(hub: Two) -> None:
    """A ref to an object that is not here tells nothing, and neither does what is asked beside it."""
    hub.fetch("refs/pull/*/head:refs/pull/*/head")
    folder = hub.clone.path / ".git" / "refs" / "pull" / "9"
    folder.mkdir(parents=True)
    (folder / "head").write_text(f"{'1' * 40}\n")

    assert requests(hub, hub.last, hub.first) in ([3], [3, 3])


def test_a_thousand_requests(hub: Two) -> None:
    """One walk over the history serves them all."""
    lines = [f"create refs/pull/{number}/head {hub.sixth}\n" for number in range(100, 1100)]
    hub.fetch("refs/pull/3/head:refs/pull/3/head")
    hub.clone("update-ref", "--stdin", stdin="".join(lines).encode())

    assert hub.numbers() == {"First of two": 3, "Take main in": 3, "Last of two": 3}
