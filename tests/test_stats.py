"""What is counted of real commits: whose they are, when they were made, and which threads they come from."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ampcommit.errors import MisuseError, SetupError
from ampcommit.record import Sha
from ampcommit.verbs import stats as verb
from ampcommit.verbs.show import show
from ampcommit.verbs.stats import Stats
from tests.conftest import CHILD, OTHER, PARENT, Repo, url
from tests.test_costs import money, priced
from tests.test_noted import noted, share
from tests.test_record import record_of

Enter = Callable[[str], None]

BODY = "Add the parser"
NO_STORE = "what threads cost is unknown: nothing is known of threads here; run `ampcommit sync`"


def made(repo: Repo, *threads: str, **environ: str) -> str:
    """Make a commit that links to *threads*, and return its id."""
    trailers = "\n".join(f"Amp-Thread-ID: {url(thread)}" for thread in threads)
    repo.commit(
        "-q", "-m", BODY, "-m", trailers, env={f"GIT_AUTHOR_{name.upper()}": told for name, told in environ.items()}
    )
    return repo.head()


def stats(repo: Repo | Path, asked: str = "", **options: Any) -> Stats:
    """Return what is counted in *asked*, with its rows as a list."""
    found = verb.stats(asked, os.environ, str(repo.path if isinstance(repo, Repo) else repo), **options)
    found.rows = list(found.rows)
    return found


def rows(repo: Repo | Path, by: str = "month", asked: str = "", **options: Any) -> list[tuple[Any, ...]]:
    """Return of each row what it is about, and how many commits and linked ones it has."""
    found = stats(repo, asked, by=by, **options)
    return [(*row.about.values(), row.commits, row.linked) for row in found.rows]


def summed(repo: Repo | Path, asked: str = "") -> tuple[int, int, int]:
    """Return how many commits, linked commits and threads there are in *asked*."""
    row = stats(repo, asked).summary
    return row.commits, row.linked, row.threads


# Which commits.


def test_without_a_range_all_of_head_is_counted(repo: Repo) -> None:
    """Merges count, and other branches do not."""
    made(repo, PARENT)
    repo("checkout", "-q", "-b", "side")
    made(repo, CHILD)
    repo("checkout", "-q", "-b", "other")
    made(repo, OTHER)
    repo("checkout", "-q", "main")
    made(repo)
    repo("merge", "-q", "--no-ff", "-m", "Merge the side", "side")
    found = stats(repo)

    assert (found.asked, found.by, found.split) == ("HEAD", "month", False)
    assert (found.summary.commits, found.summary.linked, found.summary.threads) == (4, 2, 2)
    assert found.summary.share == 50


def test_a_range_is_what_git_log_takes_for_one(repo: Repo) -> None:
    """One revision stands for all before it, as in `git log`; with ^! for itself alone."""
    first, second, third = made(repo, PARENT), made(repo), made(repo, CHILD)
    repo("tag", "-a", "-m", "second", "v2", second)

    assert summed(repo, "HEAD") == summed(repo) == summed(repo, third) == (3, 2, 2)
    assert summed(repo, "v2") == (2, 1, 1)
    assert summed(repo, "HEAD~1") == (2, 1, 1)
    assert summed(repo, f"{third}^!") == (1, 1, 1)
    assert summed(repo, f"{first}..") == (2, 1, 1)
    assert summed(repo, f"{first}...{second}") == (1, 0, 0)


def test_a_range_without_commits_is_said(repo: Repo) -> None:
    """Nothing is a result, whose share is unknown."""
    made(repo, PARENT)
    found = stats(repo, "HEAD..HEAD")

    assert (found.summary.commits, found.summary.share, found.rows) == (0, None, [])
    assert found.notices == ["there is no commit in HEAD..HEAD"]


def test_before_the_first_commit_there_is_nothing_to_count(repo: Repo) -> None:
    """An unborn branch is a misuse with a hint."""
    with pytest.raises(MisuseError, match="no commits here yet") as caught:
        stats(repo)

    assert caught.value.hint


@pytest.mark.parametrize("asked", ["nosuch", "HEAD^{tree}", "--all", "a..b", "-p", "^HEAD"])
def test_what_names_no_commits_is_a_misuse(repo: Repo, asked: str) -> None:
    """A wrong name is exit 2, and never an option of git's (S05, S06)."""
    made(repo)
    with pytest.raises(MisuseError):
        stats(repo, asked)


def test_a_shallow_clone_counts_what_it_has(repo: Repo, tmp_path: Path) -> None:
    """Commits that were not fetched are not counted, and that is said."""
    for thread in (PARENT, CHILD, OTHER):
        made(repo, thread)
    repo("clone", "-q", "--depth=2", f"file://{repo.path}", str(tmp_path / "cut"))
    found = stats(tmp_path / "cut")

    assert (found.summary.commits, found.summary.linked) == (2, 2)
    assert found.notices == ["this clone is shallow: commits that it lacks are not counted", NO_STORE]


def test_a_history_with_a_hole_is_not_counted(repo: Repo) -> None:
    """Half a count would be taken for all of it."""
    first, _ = made(repo), made(repo)
    (repo.path / ".git" / "objects" / first[:2] / first[2:]).unlink()

    with pytest.raises(SetupError, match="git log ended with status"):
        stats(repo)


# Which threads.


def test_threads_are_what_the_ledger_and_the_message_say(installed: Repo, agent: Enter) -> None:
    """What was recorded and what the message says are united; neither is counted twice."""
    agent(CHILD)
    installed.commit("-q", "-m", BODY)
    bare = installed("commit-tree", "-m", BODY, "-p", "HEAD", "HEAD^{tree}")
    installed("reset", "-q", "--hard", bare)
    both = made(installed, PARENT)

    assert rows(installed, "thread") == [(CHILD, None, None, 2, 2), (PARENT, None, None, 1, 1)]
    assert [row.threads for row in stats(installed, f"{both}^!").rows] == [2]
    assert summed(installed) == (3, 2, 2)


def test_what_colleagues_recorded_counts_beside_the_message(repo: Repo) -> None:
    """The threads of a commit are those of its shared record and those of its message, each once."""
    silent, same, both = made(repo), made(repo, CHILD), made(repo, PARENT, CHILD)
    share(repo, {Sha(commit): noted(record_of(Sha(commit), CHILD)) for commit in (silent, same, both)})
    made(repo)

    assert rows(repo, "thread") == [(CHILD, None, None, 3, 3), (PARENT, None, None, 1, 1)]
    assert [row.threads for row in stats(repo, by="commit").rows] == [0, 2, 1, 1]
    assert rows(repo, "repository") == [("github.com/example/demo", 3, 3), (None, 1, 0)]


def test_a_rewritten_commit_keeps_its_threads(installed: Repo, agent: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    """An amend by a person that drops the link does not make a commit of nobody."""
    agent(CHILD)
    installed.commit("-q", "-m", BODY)
    for name in ("AGENT", "AGENT_THREAD_ID", "AMP_CURRENT_THREAD_ID"):
        monkeypatch.delenv(name)
    installed.commit("-q", "--amend", "--no-verify", "-m", "Add a parser")

    assert installed.links() == []
    assert rows(installed, "thread") == [(CHILD, None, None, 1, 1)]


def test_threads_are_those_that_show_tells(installed: Repo, agent: Enter) -> None:
    """A commit that one thread made and another one rewrote, message and all, is from both."""
    for thread, options in ((CHILD, []), (OTHER, ["--amend"]), (PARENT, ["--amend"]), (CHILD, [])):
        agent(thread)
        installed.commit("-q", *options, "-m", f"{BODY} in {thread}")
    found = [row.threads for row in stats(installed, by="commit").rows]

    assert found == [len(show(one, os.environ, str(installed.path)).threads) for one in ("HEAD", "HEAD~1")] == [1, 3]


@pytest.mark.parametrize(
    ("message", "linked"),
    [
        (f"{BODY}\n\nAmp-Thread-ID: {url(PARENT)}\n", 1),
        (f"{BODY}\n\namp-thread-id: {url(PARENT)}\n\nNot a trailer any more\n", 0),
        (f"{BODY}\n\nSay why.\nAmp-Thread-ID: {url(PARENT)}\nSigned-off-by: T <t@example.com>\n", 1),
        (f"{BODY}\n\nAmp-Thread-ID: https://evil.example/threads/{PARENT}\n", 0),
        (f"{BODY}\n\nSee {url(PARENT)} for more\n", 0),
        ("x" * 300 + f"\n\nAmp-Thread-ID: {url(PARENT)}\n", 1),
        ("", 0),
    ],
    ids=["plain", "prose", "mixed", "foreign", "mention", "long", "empty"],
)
def test_a_link_counts_where_git_sees_it(repo: Repo, message: str, linked: int) -> None:
    """A commit is linked by an accepted link, and by nothing that only looks like one."""
    repo.commit("-q", "--allow-empty-message", "--cleanup=verbatim", "-m", message)

    assert summed(repo) == (1, linked, linked)


def test_links_in_prose_count_where_the_policy_says_so(repo: Repo) -> None:
    """With `linkIn = message` and with a host of the policy, what `show` sees is counted."""
    repo("config", "ampcommit.linkIn", "message")
    repo("config", "ampcommit.host", "amp.example.com")
    repo.commit("-q", "-m", BODY, "-m", f"See https://amp.example.com/threads/{PARENT}, and say why")

    assert summed(repo) == (1, 1, 1)


def test_what_is_wrong_with_the_settings_is_said(repo: Repo) -> None:
    """A setting that cannot be used does not go unnoticed."""
    made(repo)
    repo("config", "ampcommit.mode", "sometimes")

    assert "mode" in stats(repo).notices[0]


# Whose and when.


def test_months_are_those_of_the_author_date_in_utc(repo: Repo) -> None:
    """Oldest first, whatever the order of the commits and the time zone of their authors."""
    made(repo, PARENT, date="2026-03-01T00:30:00 +0200")
    made(repo, PARENT, date="2026-01-31T23:30:00 -0200")
    made(repo, date="2025-12-31T23:59:59 +0000")

    assert rows(repo) == [("2025-12", 1, 0), ("2026-02", 2, 2)]


@pytest.mark.parametrize("date", ["", " 99999999999999 +0000", " 18446744073709551615 +0000", " soon +0000"])
def test_a_commit_without_a_sensible_date_has_no_month(repo: Repo, date: str) -> None:
    """What other programs write is counted all the same, behind the months."""
    made(repo)
    tree = repo.head("%T")
    text = (
        f"tree {tree}\nparent {repo.head()}\nauthor A <a@example.com>{date}\ncommitter A <a@example.com> 1 +0000\n\nx\n"
    )
    commit = repo("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=text.encode())

    assert rows(repo, asked=commit)[0] == ("2017-07", 1, 0)
    assert rows(repo, asked=commit)[1] in [(None, 1, 0), ("1970-01", 1, 0)]  # git itself takes some for 0


def test_authors_are_those_of_the_mailmap(repo: Repo, tmp_path: Path, sealed: Path) -> None:
    """One person with two addresses is one row; what a user configured for all clones counts for none."""
    (repo.path / ".mailmap").write_text("Ann Example <ann@example.com> <ann@old.example>\n")
    repo("add", ".mailmap")
    made(repo, PARENT, name="Ann", email="ann@old.example")
    made(repo, name="Ann Example", email="ann@example.com")
    made(repo, name="Bob", email="bob@example.com")
    (sealed / "mine").write_text("Robert <bob@example.com>\n")
    repo("config", "--global", "mailmap.file", str(sealed / "mine"))
    expected = [("Ann Example", "ann@example.com", 2, 1), ("Bob", "bob@example.com", 1, 0)]

    assert rows(repo, "author") == expected
    repo("clone", "-q", "--bare", str(repo.path), str(tmp_path / "bare"))
    assert rows(tmp_path / "bare", "author") == expected
    (repo.path / "sub").mkdir()
    assert rows(repo.path / "sub", "author") == expected
    repo("config", "mailmap.file", str(sealed / "mine"))
    assert rows(repo, "author") == [expected[0], ("Robert", "bob@example.com", 1, 0)]


def test_equal_authors_stand_in_the_order_of_their_names(repo: Repo) -> None:
    """The same history gives the same table."""
    for name in ("Bob", "Ann", "Cid"):
        made(repo, name=name, email="x@example.com")

    assert [row[0] for row in rows(repo, "author")] == ["Ann", "Bob", "Cid"]


def test_a_hostile_author_is_one_author(repo: Repo) -> None:
    """Whatever bytes a name has, no field of a commit is taken for another (S01)."""
    tree = repo("hash-object", "-t", "tree", "-w", "--stdin", stdin=b"")
    name = b"\x1b[2J\xff=cmd|'/C calc'!A0\t,\"x\" \xe2\x80\xae"
    text = b"tree %s\nauthor %s <a@b> 1500000000 +0000\ncommitter C <c@d> 1 +0000\n\nx\n" % (tree.encode(), name)
    commit = repo("hash-object", "-t", "commit", "-w", "--stdin", stdin=text)

    ((author, email, *counts),) = rows(repo, "author", commit)
    assert (author.encode("utf-8"), email, counts) == (name.replace(b"\xff", b"\\xff"), "a@b", [1, 0])


def test_the_repository_is_the_recorded_one(installed: Repo, agent: Enter) -> None:
    """A record says where its commit was made, this clone's remote is taken for all others."""
    installed("remote", "add", "origin", "https://git.example.com/team/old.git")
    agent(CHILD)
    installed.commit("-q", "-m", BODY)
    installed("remote", "set-url", "origin", "https://user:secret@git.example.com/team/new.git")
    installed("config", "core.hooksPath", "/dev/null")
    made(installed)
    made(installed)

    assert rows(installed, "repository") == [("git.example.com/team/new", 2, 0), ("git.example.com/team/old", 1, 1)]


def test_a_clone_without_a_remote_has_no_repository(repo: Repo) -> None:
    """Unknown is an answer."""
    made(repo)

    assert rows(repo, "repository") == [(None, 1, 0)]


def test_commits_are_listed_as_git_lists_them(repo: Repo) -> None:
    """Newest first, each with its subject."""
    first = made(repo, PARENT)
    repo.commit("-q", "-m", "Mend\nthe parser", "-m", "Say why.")

    assert rows(repo, "commit") == [(repo.head(), "Mend the parser", 1, 0), (first, BODY, 1, 1)]
    assert rows(repo, "commit", "HEAD^!") == [(repo.head(), "Mend the parser", 1, 0)]


@pytest.mark.parametrize(
    "config",
    [
        "log.showSignature true",
        "gpg.program ./owner",
        "core.pager ./owner",
        "i18n.logOutputEncoding UTF-16",
        "log.mailmap false",
        "trailer.x.key Amp-Thread-ID",
        "log.date relative",
        "color.ui always",
    ],
)
def test_what_is_counted_does_not_depend_on_settings(repo: Repo, config: str) -> None:
    """Nothing that a repository configures is run, or changes what is counted (S11)."""
    made(repo, PARENT, name="Jörg", email="j@example.com")
    repo("config", *config.split(" ", 1))

    assert rows(repo, "author") == [("Jörg", "j@example.com", 1, 1)]


def test_the_real_commits_are_counted(repo: Repo) -> None:
    """A replaced commit is not what was committed (S13)."""
    commit = made(repo, PARENT)
    repo("replace", commit, repo("commit-tree", "-m", "Another story", "HEAD^{tree}"))

    assert summed(repo) == (1, 1, 1)


def test_outside_a_repository_is_the_environments_fault(tmp_path: Path) -> None:
    """Exit 3 says that the surroundings do not allow it."""
    with pytest.raises(SetupError):
        stats(tmp_path)


def test_a_folder_between_work_trees_is_no_obstacle(repo: Repo, tmp_path: Path) -> None:
    """A linked work tree and a clone with a blank in its path count the same commits."""
    made(repo, PARENT)
    repo("worktree", "add", "-q", "--detach", str(tmp_path / "other tree"))

    assert summed(tmp_path / "other tree") == summed(repo) == (1, 1, 1)


# What it cost.


@pytest.fixture
def spanning(repo: Repo) -> Repo:
    """Two months: the parent thread in both, the child in the first, the other one in the second, beside the parent."""
    made(repo, PARENT, date="2026-01-10T12:00:00 +0000")
    made(repo, CHILD, date="2026-01-11T12:00:00 +0000")
    made(repo, PARENT, OTHER, date="2026-02-10T12:00:00 +0000")
    made(repo, date="2026-03-10T12:00:00 +0000")
    return repo


def costs(found: Stats) -> list[tuple[str | None, int, int]]:
    """Return the dollars of each row, and how many of its threads are shared and unknown."""
    return [(money(row), row.shared, row.unknown) for row in found.rows]


def test_a_thread_that_spans_months_is_in_neither(spanning: Repo) -> None:
    """It stands in the sum, and is never divided silently."""
    priced({PARENT: "10.00", CHILD: "2.50", OTHER: None})
    found = stats(spanning)

    assert costs(found) == [("2.5", 1, 0), (None, 1, 1), (None, 0, 0)]
    assert (money(found.summary), found.summary.unknown, found.summary.shared) == ("12.5", 1, 0)
    assert found.notices == []


def test_a_thread_that_spans_months_is_divided_on_demand(spanning: Repo) -> None:
    """Each of its commits gets the same part."""
    priced({PARENT: "10.00", CHILD: "2.50", OTHER: "0.25"})
    found = stats(spanning, split=True)

    assert costs(found) == [("7.5", 0, 0), ("5.25", 0, 0), (None, 0, 0)]
    assert (money(found.summary), found.split) == ("12.75", True)


def test_what_was_not_read_takes_no_part(spanning: Repo) -> None:
    """In a range of one month the thread belongs to that month."""
    priced({PARENT: "10.00", CHILD: "2.50"})

    assert costs(stats(spanning, "HEAD~2")) == [("12.5", 0, 0)]


def test_a_commit_costs_what_its_threads_made_for_it_alone(spanning: Repo) -> None:
    """With one shared thread nothing is told of a commit, unless it is to be divided."""
    priced({PARENT: "10.00", CHILD: "2.50", OTHER: "0.25"})

    assert costs(stats(spanning, by="commit")) == [(None, 0, 0), (None, 1, 0), ("2.5", 0, 0), (None, 1, 0)]
    assert [cost for cost, *_ in costs(stats(spanning, by="commit", split=True))] == [None, "5.25", "2.5", "5"]


def test_a_list_of_threads_has_their_whole_costs(spanning: Repo) -> None:
    """Divided or not; with the title, and for a sub-thread the thread that pays for it."""
    priced({PARENT: "10.00", OTHER: None}, {PARENT: [CHILD]}, parent="Parse it")
    for split in (False, True):
        found = stats(spanning, by="thread", split=split)
        about = {row.about["thread"]: (row.about["title"], row.about["within"], row.commits) for row in found.rows}

        assert about == {PARENT: ("Parse it", None, 2), CHILD: (None, PARENT, 1), OTHER: (None, None, 1)}
        assert {row.about["thread"]: money(row) for row in found.rows} == {PARENT: "10", CHILD: None, OTHER: None}
        assert (money(found.summary), found.summary.unknown) == ("10", 1)


def test_rows_of_commits_are_told_one_by_one(spanning: Repo) -> None:
    """What is not asked for is not read: the repository may be gone by then."""
    found = verb.stats("", os.environ, str(spanning.path), by="commit")
    shutil.rmtree(spanning.path)

    assert found.summary.commits == 4
    with pytest.raises(SetupError):
        list(found.rows)
