"""The hook `post-rewrite`: whatever history becomes, what was known of its commits is known of what they became."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ampcommit import shim
from ampcommit.hook import main
from ampcommit.record import Sha
from ampcommit.verbs import install
from ampcommit.verbs.show import show
from tests.conftest import CHILD, OTHER, PARENT, Repo, once, url
from tests.test_commits import ledger_of, put, records, rewrites, sh
from tests.test_record import record_of
from tests.test_rewritten import became

LATER = "1500000001 +0000"
THREADS = {"one": PARENT, "two": OTHER, "three": PARENT}


def branched(repo: Repo) -> None:
    """Make a branch `topic` of three recorded commits, each with a file of its name, beside a `main` that moved on."""
    save(repo, "base")
    repo("checkout", "-q", "-b", "topic")
    for name, thread in THREADS.items():
        save(repo, name, thread)
    repo("checkout", "-q", "main")
    save(repo, "more")
    repo("checkout", "-q", "topic")


@pytest.fixture
def topic(installed: Repo) -> Repo:
    """A clone in which something has been branched off."""
    return once(installed, branched)


@pytest.fixture
def hook(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run post-rewrite in this process with something on stdin; return what it says."""

    def run(fed: str, *args: str) -> str:
        monkeypatch.chdir(repo.path)
        put(tmp_path / "fed", fed)
        saved = os.dup(0)
        with (tmp_path / "fed").open("rb") as stream:
            os.dup2(stream.fileno(), 0)
        try:
            assert main("post-rewrite", 0, list(args)) == 0
        finally:
            os.dup2(saved, 0)
            os.close(saved)
        return capfd.readouterr().err

    return run


def inside(thread: str) -> dict[str, str]:
    """Return the environment of an agent's shell."""
    return {"AGENT": "amp", "AGENT_THREAD_ID": thread, "AMP_CURRENT_THREAD_ID": thread}


def save(repo: Repo, name: str, thread: str = "", text: str = "") -> str:
    """Commit a file, inside *thread* or as a person, and return the commit's id."""
    put(repo.path / name, f"{text or name}\n", 0o644)
    repo("add", name)
    env = inside(thread) | {"GIT_AUTHOR_DATE": f"{1500000000 + sum(map(ord, name))} +0000"}
    repo.run("commit", "-q", *(() if thread else ("--no-verify",)), "-m", f"Add the file {name}", env=env)
    return repo.head()


def play(repo: Repo, script: str, env: dict[str, str] | None = None) -> str:
    """Run the git commands of *script*, all of which must succeed; return what was said on stderr."""
    done = sh(repo, f"set -e\n{script}", env={"GIT_EDITOR": "true", "GIT_COMMITTER_DATE": LATER, **(env or {})})
    assert done.returncode == 0, done.stderr.decode()
    assert b"ampcommit" not in done.stderr
    return done.stderr.decode()


def known(repo: Repo, revision: str = "HEAD") -> list[str]:
    """Return every thread that is known of a commit, once the ledger is known to be sound."""
    records(repo)
    return list(show(revision, os.environ, str(repo.path)).threads)


def union(repo: Repo, revision: str = "HEAD") -> set[str]:
    """Return the same as a set."""
    return set(known(repo, revision))


def todo(*edits: str) -> str:
    """Return the command that rebases `topic` onto `main` with its list of picks edited by sed."""
    return f'GIT_SEQUENCE_EDITOR="sed -i {" ".join(f"-e {edit!r}" for edit in edits)}" git rebase -q -i main'


# Amend.


def test_an_amend_from_another_thread_keeps_both(installed: Repo) -> None:
    """Amp's own `ifexists=replace` erases the first link from the message; the record keeps it."""
    first = save(installed, "one", PARENT)
    rewrite = ("-c", "trailer.AmpThread.key=Amp-Thread-ID", "-c", "trailer.AmpThread.ifexists=replace")
    trailer = ("--trailer", f"AmpThread: {url(CHILD)}")
    installed(*rewrite, "commit", "-q", "--amend", "--no-edit", *trailer, env=inside(CHILD))

    assert installed.links() == [url(CHILD)]
    assert known(installed) == [PARENT, CHILD]
    assert rewrites(installed) == [(first, installed.head(), "amend", "git")]


def test_what_a_commit_says_itself_is_shown_beside_its_past(repo: Repo) -> None:
    """A commit that could not be recorded has its own link last, behind what it was made from."""
    old, new = map(Sha, amended(repo))
    ledger_of(repo).prepare()
    ledger_of(repo).append(record_of(old, PARENT), became(old, new))
    found = show("HEAD", os.environ, str(repo.path))

    assert (found.threads, found.source, found.validated) == ([PARENT, CHILD], "message", False)


def test_every_amend_is_followed(installed: Repo) -> None:
    """A commit that went through many hands knows them all, the last one last."""
    save(installed, "one", PARENT)
    for thread in (OTHER, CHILD):
        installed("commit", "-q", "--amend", "-m", f"Say {thread[-4:]} instead", env=inside(thread))

    assert (known(installed), len(rewrites(installed))) == ([PARENT, OTHER, CHILD], 2)


def test_how_a_thread_was_found_is_not_forgotten(topic: Repo) -> None:
    """After a rebase the message is all there is to see; that the agent said so itself stays known, not that the
    message was checked: it may be another one.
    """
    play(topic, "git rebase -q main")
    found = show("HEAD", os.environ, str(topic.path))

    assert (found.source, found.validated) == ("env", False)
    assert [fields["source"] for fields in found.records] == ["env", "message"]


def test_an_amend_that_drops_the_link_is_still_known(installed: Repo) -> None:
    """A person who rewords a message may lose the link, not the knowledge; a later rebase carries it on."""
    save(installed, "base")
    save(installed, "one", PARENT)
    installed("commit", "-q", "--amend", "--no-verify", "-m", "Say it without a link")
    installed("commit", "-q", "--amend", "--no-verify", "-m", "Say it once more")

    assert installed.links() == []
    assert (known(installed), len(rewrites(installed))) == ([PARENT], 2)
    assert len(records(installed)) == 1, "no link, no record"


def test_a_persons_commits_leave_no_trace(installed: Repo) -> None:
    """What nobody knows anything of can be amended and rebased without a word in the ledger."""
    for name in ("base", "one", "two"):
        save(installed, name)
    play(installed, "git commit -q -n --amend -m 'Say it again'; git rebase -q --root --no-ff")

    assert list(ledger_of(installed).lines()) == []


# Rebase.

SQUASHED = {
    "squash": todo("2s/^pick/squash/"),
    "fixup": todo("2s/^pick/fixup/"),
    "fixup -C": todo("2s/^pick/fixup -C/"),
    "fixup -c": todo("2s/^pick/fixup -c/"),
}


@pytest.mark.parametrize("script", SQUASHED.values(), ids=SQUASHED)
def test_none_of_two_threads_vanishes_in_a_squash(topic: Repo, script: str) -> None:
    """E25: squash and fixup keep one trailer block, and of the others the record."""
    one, two = topic("rev-parse", "topic~2"), topic("rev-parse", "topic~1")
    play(topic, script)

    assert union(topic, "topic~1") == {PARENT, OTHER}
    assert union(topic, "topic") == {PARENT}
    assert {(one, topic("rev-parse", "topic~1")), (two, topic("rev-parse", "topic~1"))} <= {
        pair[:2] for pair in rewrites(topic)
    }


def test_what_a_squash_makes_on_its_way_is_sound(topic: Repo) -> None:
    """F09: commits between the steps of a squash may be recorded, each with its own links."""
    play(topic, todo("2,3s/^pick/squash/"))

    assert union(topic) == {PARENT, OTHER}
    assert topic("rev-list", "--count", "main..topic") == "1"


REORDERED = {
    "rebase": "git rebase -q main",
    "--apply": "git rebase -q --apply main",
    "--no-ff": "git rebase -q --no-ff topic~3",
    "--signoff": "git rebase -q --signoff main",
    "reword": todo("1s/^pick/reword/"),
    "reorder": todo("1{h;d}", "3G"),
    "edit, then --continue": f"{todo('1s/^pick/edit/')}; git rebase --continue",
    "edit, then amend": f"{todo('2s/^pick/edit/')}; git commit -q --amend --no-edit; git rebase --continue",
    "exec that amends": "git rebase -q --exec 'git commit -q --amend --no-edit --reset-author' main",
    "pull --rebase": "git pull -q --rebase . main",
}


@pytest.mark.parametrize("script", REORDERED.values(), ids=REORDERED)
def test_each_commit_of_a_rebase_keeps_its_thread(topic: Repo, script: str) -> None:
    """E24: every new id is recorded from its own link, and knows how the old one was found."""
    play(topic, script)

    assert len(rewrites(topic)) >= len(THREADS)
    for commit in topic("rev-list", "-3", "topic").split():
        found = show(commit, os.environ, str(topic.path))
        assert (list(found.threads), found.source) == ([THREADS[found.subject.split()[-1]]], "env")
    assert set(topic("rev-list", "-3", "topic").split()) <= {record["commit"] for record in records(topic)}


def test_a_dropped_commit_is_no_part_of_the_others(topic: Repo) -> None:
    """E24: what is dropped was rewritten into nothing."""
    play(topic, todo("2s/^pick/drop/"))

    assert (known(topic, "topic"), known(topic, "topic~1")) == ([PARENT], [PARENT])


def test_autosquash_joins_what_belongs_together(topic: Repo) -> None:
    """E26: a fixup that another thread made is remembered by the commit it went into."""
    put(topic.path / "one", "one, better\n", 0o644)
    topic("add", "one")
    topic("commit", "-q", "--fixup", "topic~2", env=inside(CHILD))
    play(topic, "GIT_SEQUENCE_EDITOR=true git rebase -q -i --autosquash main")

    assert union(topic, "topic~2") == {PARENT, CHILD}
    assert known(topic, "topic~1") == [OTHER]


def test_a_branch_with_a_merge_is_rebased_whole(topic: Repo) -> None:
    """E26: `--rebase-merges` makes the merge anew, and its record too."""
    topic("checkout", "-q", "-b", "side", "topic~1")
    save(topic, "side", CHILD)
    topic("checkout", "-q", "topic")
    topic("merge", "-q", "--no-ff", "--no-edit", "side", env=inside(OTHER))
    before = topic.head()
    play(topic, "git rebase -q --rebase-merges main")

    assert known(topic) == [OTHER]
    assert (before, topic.head()) in {pair[:2] for pair in rewrites(topic)}
    assert known(topic, "topic^2") == [CHILD]


def test_branches_that_move_along_are_known(topic: Repo) -> None:
    """`--update-refs` moves other branches to the very commits that post-rewrite is told of."""
    if topic.run("rebase", "--update-refs", "HEAD", ok=False).returncode:
        pytest.skip("git rebase has had --update-refs since 2.38")
    topic("branch", "lower", "topic~1")
    play(topic, "git rebase -q --update-refs main")

    assert topic("rev-parse", "lower") == topic("rev-parse", "topic~1")
    assert known(topic, "lower") == [OTHER]


CLASH = "printf mine >more; git add more; git commit -q -n --amend --no-edit; git rebase -q main && exit 1; "
CLASH += "printf both >more; git add more; "


@pytest.mark.parametrize("how", ["git rebase --continue", "git commit -q --no-edit; git rebase --continue"])
def test_a_conflict_on_the_way_loses_nothing(topic: Repo, how: str) -> None:
    """Whoever concludes a pick, git or a person, what was known goes on."""
    play(topic, f"{CLASH}{how}")

    assert [known(topic, f"topic~{back}") for back in (2, 1, 0)] == [[PARENT], [OTHER], [PARENT]]


def test_a_commit_made_in_the_middle_of_a_rebase_is_recorded(topic: Repo) -> None:
    """Git tells post-rewrite nothing of a commit that is new, so post-commit must not leave it to that."""
    new = f"git commit -q --allow-empty -m 'Say one more thing' -m 'Amp-Thread-ID: {url(CHILD)}'"
    play(topic, f"{todo('2s/^pick/edit/')}; {new}; git rebase --continue")

    assert known(topic, "topic~1") == [CHILD]
    assert [known(topic, f"topic~{back}") for back in (3, 2, 0)] == [[PARENT], [OTHER], [PARENT]]


def test_a_commit_that_stays_is_not_what_was_added_to_it(topic: Repo) -> None:
    """Git says that the commit under edit became what somebody put on top of it, though it is still there itself."""
    two = topic("rev-parse", "topic~1")
    new = f"git commit -q --allow-empty -m 'Say one more thing' -m 'Amp-Thread-ID: {url(CHILD)}'"
    play(topic, f"{todo('2s/^pick/edit/').replace('main', 'topic~3')}; {new}; git rebase --continue")

    assert (topic("rev-parse", "topic~2"), known(topic, "topic~1")) == (two, [CHILD])
    assert two not in {old for old, *_ in rewrites(topic)}


def test_a_commit_that_is_split_leaves_a_gap(topic: Repo) -> None:
    """Nothing shows that its last part, which git names, is what it became."""
    split = "git reset -q --soft HEAD~1; git commit -q -n -m 'Say the first half' --allow-empty"
    play(topic, f"{todo('2s/^pick/edit/')}; {split}; git commit -q -n --allow-empty -m Rest; git rebase --continue")

    assert (known(topic, "topic~1"), known(topic, "topic~3")) == ([], [PARENT])


def test_what_was_added_to_an_amended_commit_is_not_that_commit(topic: Repo) -> None:
    """An amend keeps the author: the commit with that one is what the old one became, whatever its message."""
    amend = "git commit -q -n --amend -m 'Say it anew'"
    new = f"git commit -q --allow-empty -m 'Say one more thing' -m 'Amp-Thread-ID: {url(CHILD)}'"
    play(topic, f"{todo('2s/^pick/edit/')}; {amend}; {new}; git rebase --continue")

    assert (known(topic, "topic~1"), known(topic, "topic~2")) == ([CHILD], [OTHER])


def test_a_new_date_is_no_other_commit(topic: Repo) -> None:
    """With `--ignore-date` every commit of a rebase has a new author date, and the same message."""
    play(topic, "git rebase -q --ignore-date main", {"GIT_AUTHOR_DATE": LATER})

    assert [known(topic, f"topic~{back}") for back in (2, 1, 0)] == [[PARENT], [OTHER], [PARENT]]


@pytest.mark.parametrize("backend", ["--merge", "--apply"])
def test_a_commit_that_is_upstream_already_is_not_what_is_there(installed: Repo, backend: str) -> None:
    """A pick that leaves nothing is dropped; the commit of somebody else, which did the same and more, is not ours."""
    save(installed, "base", PARENT)
    installed("checkout", "-q", "-b", "side")
    put(installed.path / "more", "more\n", 0o644)
    installed("add", "more")
    save(installed, "file", CHILD, text="the same")
    installed("checkout", "-q", "-b", "topic", "main")
    put(installed.path / "file", "the same\n", 0o644)
    installed("add", "file")
    installed("commit", "-q", "-m", "Add it too", env=inside(PARENT) | {"GIT_AUTHOR_DATE": LATER})
    play(installed, f"git rebase -q {backend} side")

    assert (installed.head(), known(installed)) == (installed("rev-parse", "side"), [CHILD])


@pytest.mark.parametrize("backend", ["--merge", "--apply"])
def test_a_commit_that_is_skipped_is_part_of_no_other(topic: Repo, backend: str) -> None:
    """Who skips a commit after a conflict throws it away, with what was known of it."""
    topic("checkout", "-q", "main")
    save(topic, "two", CHILD, text="something else")
    play(topic, f"git checkout -q topic; git rebase -q {backend} main && exit 1; git rebase --skip")

    assert topic("rev-list", "--count", "main..topic") == "2"
    assert [known(topic, name) for name in ("topic", "topic~1", "main")] == [[PARENT], [PARENT], [CHILD]]


def test_a_commit_that_is_reset_away_is_part_of_no_other(topic: Repo) -> None:
    """`edit`, then `reset --hard HEAD^`: what stays did not come from what went."""
    play(topic, f"{todo('2s/^pick/edit/')}; git reset -q --hard HEAD^; git rebase --continue")

    assert [known(topic, name) for name in ("topic", "topic~1")] == [[PARENT], [PARENT]]


def test_what_a_rebase_made_is_recorded_though_nothing_says_of_what(topic: Repo) -> None:
    """With new dates and messages and a commit on top, no old commit is found; the new one has its record."""
    new = "git commit -q -n --allow-empty -m 'Say one more thing'"
    rebase = todo("2s/^pick/edit/").replace("git rebase -q -i", "git rebase -q -i --signoff --reset-author-date")
    play(topic, f"{rebase}; {new}; git rebase --continue", {"GIT_AUTHOR_DATE": LATER})

    assert (known(topic, "topic~1"), known(topic, "topic~2")) == ([], [OTHER])
    assert topic("rev-parse", "topic~2") in {record["commit"] for record in records(topic)}


def test_a_persons_commit_that_an_agent_amended_is_still_a_persons(installed: Repo) -> None:
    """What became of it is known, so that nobody takes the later commit for the origin of the first."""
    first = save(installed, "one")
    installed("commit", "-q", "--amend", "--no-edit", env=inside(PARENT))

    assert (known(installed), known(installed, first)) == ([PARENT], [])


@pytest.mark.parametrize("how", ["edit", "exec"])
def test_a_cherry_pick_in_the_middle_of_a_rebase_is_recorded(topic: Repo, how: str) -> None:
    """Git tells post-rewrite nothing of it, though it looks like a pick of the rebase itself."""
    topic("checkout", "-q", "-b", "side", "topic~3")
    save(topic, "side", CHILD)
    topic("checkout", "-q", "topic")
    steps = {"edit": "2s/^pick/edit/", "exec": "2a exec git cherry-pick side"}
    pick = "git cherry-pick side; git rebase --continue" if how == "edit" else "true"
    play(topic, f"{todo(steps[how])}; {pick}")

    assert known(topic, "topic~1") == [CHILD]
    assert topic("rev-parse", "topic~1") in {record["commit"] for record in records(topic)}


def test_commits_of_before_are_not_what_a_rebase_made(topic: Repo) -> None:
    """A commit that was fast-forwarded and has the same author and date is none that an old one could have become."""
    env = inside(CHILD) | {"GIT_AUTHOR_DATE": "1500000999 +0000"}
    for subject in ("Say this", "Say that"):
        topic("commit", "-q", "--allow-empty", "-m", subject, env=env)
    new = "git commit -q -n --allow-empty -m 'Say one more thing'"
    play(
        topic,
        f"GIT_SEQUENCE_EDITOR=\"sed -i -e '2s/^pick/edit/'\" git rebase -q -i HEAD~2; {new}; git rebase --continue",
    )

    assert not [pair for pair in rewrites(topic) if pair[2] == "rebase"]


def test_of_several_that_may_be_meant_none_is_taken(topic: Repo) -> None:
    """Two commits with author, date and message of the old one leave a gap, not a guess."""
    again = "git commit -q -n --allow-empty -C topic~1"
    new = "git commit -q -n --allow-empty -m 'Say one more thing'"
    play(topic, f"{todo('2s/^pick/edit/')}; {again}; {new}; git rebase --continue")

    assert topic("rev-parse", "main") == topic("rev-parse", "topic~5")
    assert known(topic, "topic~1") == []
    assert len([pair for pair in rewrites(topic) if pair[2] == "rebase"]) == 2


def test_a_rebase_that_is_given_up_leaves_nothing(topic: Repo) -> None:
    """Commits that were picked and thrown away again have no record."""
    before = len(records(topic))
    play(topic, f"{todo('2s/^pick/edit/')}; git rebase --abort")

    assert (len(records(topic)), rewrites(topic)) == (before, [])


def test_picks_are_left_to_post_rewrite(topic: Repo, tmp_path: Path) -> None:
    """A rebase starts Python once, not for every pick; without our post-rewrite it does for every pick."""
    log = tmp_path / "log"
    python = put(tmp_path / "python", f'#!/bin/sh\necho started >>"{log}"\nexec "{install.interpreter()}" "$@"\n')
    for name in shim.HOOKS:
        put(topic.path / ".git" / "hooks" / name, shim.fast(name, str(python), install.package()))
    play(topic, "git rebase -q main")
    assert log.read_text() == "started\n"

    hook = topic.path / ".git" / "hooks" / "post-rewrite"
    for number, mode in enumerate((0o644, 0o755), 1):
        put(hook, hook.read_text() if number == 1 else "#!/bin/sh\n# somebody else's\n", mode)
        play(topic, "git rebase -q --no-ff main", {"GIT_COMMITTER_DATE": f"150000000{number + 1} +0000"})
        assert len(log.read_text().splitlines()) == 1 + number * len(THREADS)

    assert set(topic("rev-list", "main..topic").split()) <= {record["commit"] for record in records(topic)}


@pytest.mark.parametrize("doubtful", ["", "Co-authored-by: A\n B <a@example.com>"])
def test_git_is_asked_a_constant_number_of_questions(
    repo: Repo, hook: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, doubtful: str
) -> None:
    """A long rebase asks git no more often than a short one, also where only git can tell the trailers."""
    save(repo, "base")
    for number in range(20):
        body = f"{doubtful}\nAmp-Thread-ID: {url(PARENT)}".strip()
        repo("commit", "-q", "--allow-empty", "-m", f"Add number {number}", "-m", body)
    old = repo("rev-list", "-20", "HEAD").split()
    play(repo, "git rebase -q --no-ff HEAD~20")
    pairs = [f"{pair[0]} {pair[1]}\n" for pair in zip(old, repo("rev-list", "-20", "HEAD").split(), strict=True)]
    log = tmp_path / "log"
    git = sh(repo, "command -v git").stdout.decode().strip()
    counting = put(tmp_path / "bin" / "git", f'#!/bin/sh\necho "$@" >>"{log}"\nexec "{git}" "$@"\n')
    monkeypatch.setenv("PATH", f"{counting.parent}{os.pathsep}{os.environ['PATH']}")
    asked = []
    for some in (pairs[:2], pairs):
        log.write_text("")
        assert hook("".join(some), "rebase") == ""
        ledger_of(repo)
        asked.append(len(log.read_text().splitlines()))

    assert asked[0] - 1 <= asked[1] <= asked[0] > 0, "the first one also makes the ledger"
    assert set(repo("rev-list", "-20", "HEAD").split()) | set(old) == {record["commit"] for record in records(repo)}


def test_a_long_rebase_repeats_nothing(installed: Repo) -> None:
    """What the ledger says already, of the commits and of what became of them, is not said again."""
    save(installed, "base")
    for number in range(12):
        save(installed, f"file{number}", PARENT)
    before = installed.head()
    play(installed, "git rebase -q --no-ff HEAD~12")
    lines = list(ledger_of(installed).lines())
    play(installed, f"git reset -q --hard {before}; git rebase -q --no-ff HEAD~12")

    assert (len(rewrites(installed)), list(ledger_of(installed).lines())) == (12, lines)


def test_an_unlinked_commit_of_a_long_rebase_is_known_by_its_past(installed: Repo) -> None:
    """Where a message has lost its link, the ledger alone tells that something is to be carried on."""
    save(installed, "base")
    save(installed, "one", PARENT)
    installed("commit", "-q", "-n", "--amend", "-m", "Say it without a link")
    for number in range(20):
        save(installed, f"file{number}")
    play(installed, "git rebase -q --no-ff HEAD~21")

    assert known(installed, "HEAD~20") == [PARENT]
    assert [command for _, _, command, _ in rewrites(installed)] == ["amend", "rebase"]


# What git says, and what it does not.


def amended(repo: Repo) -> tuple[str, str]:
    """Make a commit with a link and amend it, without hooks; return both ids."""
    repo.commit("-q", "-m", "Add the parser", "-m", f"Amp-Thread-ID: {url(PARENT)}")
    first = repo.head()
    repo.commit("-q", "--amend", "-m", "Add the parser", "-m", f"Amp-Thread-ID: {url(CHILD)}")
    return first, repo.head()


def test_both_links_are_kept_where_no_other_hook_ran(repo: Repo, hook: Callable[..., str]) -> None:
    """An old commit that nobody recorded, a colleague's perhaps, is recorded before its message is gone."""
    old, new = amended(repo)
    assert hook(f"{old} {new}\n", "amend") == ""

    assert rewrites(repo) == [(old, new, "amend", "git")]
    assert [record["links"] for record in records(repo)] == [[PARENT], [CHILD]]
    assert known(repo) == [PARENT, CHILD]


def test_the_same_amend_is_told_once(repo: Repo, hook: Callable[..., str]) -> None:
    """Two hook managers that both call us leave one line of each."""
    old, new = amended(repo)
    for _ in range(2):
        assert hook(f"{old} {new}\n", "amend") == ""

    assert (len(rewrites(repo)), len(records(repo))) == (1, 2)


def test_with_mode_off_nothing_is_written(repo: Repo, hook: Callable[..., str]) -> None:
    """Who switched it off is left alone."""
    repo("config", "ampcommit.mode", "off")
    old, new = amended(repo)

    assert (hook(f"{old} {new}\n", "amend"), list(ledger_of(repo).lines())) == ("", [])


NO_PAIRS = ["", "\n", "HEAD HEAD~1\n", "ab cd\n", "{new} {new}\n", "{new}\n", "\0\n", "x" * 100_000]


@pytest.mark.parametrize("fed", NO_PAIRS)
def test_what_is_no_pair_is_passed_over(repo: Repo, hook: Callable[..., str], fed: str) -> None:
    """Lines that git would not write say nothing."""
    _, new = amended(repo)

    assert (hook(fed.format(new=new), "rebase"), list(ledger_of(repo).lines())) == ("", [])


def test_more_words_on_a_line_do_no_harm(repo: Repo, hook: Callable[..., str]) -> None:
    """Git keeps a place for more behind the two ids."""
    old, new = amended(repo)
    hook(f"{old} {new} more to come\n", "rebase")

    assert rewrites(repo) == [(old, new, "rebase", "git")]


def test_an_old_commit_that_is_gone_is_known_by_the_ledger_or_not_at_all(repo: Repo, hook: Callable[..., str]) -> None:
    """E32: what git has cleaned away cannot be read; nobody guesses what it was."""
    _, new = amended(repo)
    assert hook(f"{'ab' * 20} {new}\n", "amend") == ""

    assert (rewrites(repo), [record["commit"] for record in records(repo)]) == ([], [new])


def test_without_stdin_the_reflog_tells_of_an_amend(repo: Repo, hook: Callable[..., str]) -> None:
    """The pre-commit framework feeds its hooks nothing; what is derived is marked."""
    old, new = amended(repo)
    hook("", "amend")

    assert rewrites(repo) == [(old, new, "amend", "reflog")]


def test_without_stdin_the_environment_of_the_framework_counts(
    repo: Repo, hook: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The framework hands git's argument over in a variable."""
    old, new = amended(repo)
    monkeypatch.setenv("PRE_COMMIT_REWRITE_COMMAND", "amend")
    hook("")

    assert rewrites(repo) == [(old, new, "amend", "reflog")]


@pytest.fixture
def stopped(repo: Repo) -> tuple[str, str]:
    """A rebase of two linked commits without hooks, which stopped at the second; return that one, before and after."""
    save(repo, "base")
    for name in ("one", "two"):
        put(repo.path / name, name, 0o644)
        repo("add", name)
        repo("commit", "-q", "-m", f"Add the file {name}", "-m", f"Amp-Thread-ID: {url(PARENT)}")
    old = repo.head()
    play(repo, "GIT_SEQUENCE_EDITOR='sed -i 2s/^pick/edit/' git rebase -q -i --no-ff HEAD~2")
    return old, repo.head()


def test_a_rebase_that_has_stopped_can_be_asked_for_its_list(
    repo: Repo, hook: Callable[..., str], stopped: tuple[str, str]
) -> None:
    """What git noted so far is what there is to read."""
    assert hook("", "rebase") == ""

    old, new = repo("rev-parse", f"{stopped[0]}~1"), repo("rev-parse", "HEAD~1")
    assert rewrites(repo) == [(old, new, "rebase", "git")]


def test_git_is_put_right_about_what_was_added(repo: Repo, hook: Callable[..., str], stopped: tuple[str, str]) -> None:
    """The commit below, with author and date of the old one, is what that became, and is recorded."""
    old, picked = stopped
    repo.commit("-q", "-m", "Say one more thing", env={"GIT_AUTHOR_DATE": LATER})
    first = f"{repo('rev-parse', f'{old}~1')} {repo('rev-parse', f'{picked}~1')}\n"
    hook(f"{first}{old} {repo.head()}\n", "rebase")

    assert rewrites(repo)[1:] == [(old, picked, "rebase", "git")]
    assert picked in {record["commit"] for record in records(repo)}


def test_outside_of_a_rebase_nothing_below_is_looked_at(repo: Repo, hook: Callable[..., str]) -> None:
    """Where git's files of a rebase are gone, what it names and nothing supports is a gap."""
    old, new = amended(repo)
    repo.commit("-q", "-m", "Say one more thing", env={"GIT_AUTHOR_DATE": LATER})
    hook(f"{old} {repo.head()}\n{'ab' * 20} {new}\n", "rebase")

    assert rewrites(repo) == []


def test_what_the_ledger_says_of_others_is_no_answer(repo: Repo, hook: Callable[..., str]) -> None:
    """A longer list is looked for in one reading, in which other commits come by."""
    hook(f"{'ab' * 20} {amended(repo)[1]}\n", "amend")
    for number in range(10):
        repo.commit("-q", "-m", f"Add number {number}", "-m", f"Amp-Thread-ID: {url(PARENT)}")
    olds = repo("rev-list", "--reverse", "-10", "HEAD").split()
    play(repo, "git rebase -q --no-ff HEAD~10")
    news = repo("rev-list", "--reverse", "-10", "HEAD").split()
    pairs = "".join(f"{old} {new}\n" for old, new in zip(olds, news, strict=True))
    for _ in range(2):
        hook(pairs, "rebase")

    assert [pair[:2] for pair in rewrites(repo)] == list(zip(olds, news, strict=True))
    assert len(records(repo)) == 21


def test_an_amend_that_changes_nothing_says_nothing(topic: Repo) -> None:
    """Git tells of it all the same; what HEAD was before, another commit perhaps, is no answer then."""
    play(topic, f"{todo('2s/^pick/edit/')}; git commit -q --amend --no-edit")
    assert rewrites(topic) == []


def test_a_reflog_that_tells_of_something_else_is_no_source(repo: Repo, hook: Callable[..., str]) -> None:
    """A gap is better than a wrong attribution: where HEAD moved otherwise, or no reflog is, nothing is derived."""
    amended(repo)
    repo.commit("-q", "-m", "Add the scanner")
    hook("", "amend")
    (repo.path / ".git" / "logs" / "HEAD").unlink()
    hook("", "amend")

    assert list(ledger_of(repo).lines()) == []


@pytest.mark.parametrize("backend", ["--merge", "--apply"])
def test_without_stdin_the_list_of_git_tells_of_a_rebase(topic: Repo, backend: str) -> None:
    """While this hook runs, git's own list of what it picked is still there: the same pairs, no guess."""
    script = shim.fast("post-rewrite", install.interpreter(), install.package())
    put(topic.path / ".git" / "hooks" / "post-rewrite", script.replace("run unasked", "</dev/null run unasked"))
    old = topic("rev-list", "main..topic").split()
    play(topic, f"git rebase -q {backend} main")
    new = topic("rev-list", "main..topic").split()

    assert set(rewrites(topic)) == {(*pair, "rebase", "git") for pair in zip(old, new, strict=True)}


def test_a_rebase_without_pairs_and_without_a_list_says_nothing(repo: Repo, hook: Callable[..., str]) -> None:
    """Nothing to read is nothing to write."""
    amended(repo)

    assert (hook("", "rebase"), list(ledger_of(repo).lines())) == ("", [])


def test_a_ledger_that_cannot_be_written_is_said(repo: Repo, hook: Callable[..., str]) -> None:
    """Git goes on, and the person is told in two lines what that means."""
    old, new = amended(repo)
    put(repo.path / ".git" / "ampcommit" / "ledger.jsonl" / "in the way", "")

    said = hook(f"{old} {new}\n", "amend").splitlines()
    assert [line.partition(": ")[0] for line in said] == ["error", " hint"]
    assert "not carried over" in said[1]
