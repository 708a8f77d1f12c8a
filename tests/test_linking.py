"""The hook commit-msg in process: which link goes in, what is judged, which note is left."""

import os
import pty
from collections.abc import Callable
from pathlib import Path

import pytest

from ampcommit import note
from ampcommit.call import Call
from ampcommit.errors import AmpcommitError
from ampcommit.linking import DRAFT, REJECTED, commit_msg
from ampcommit.place import Place
from tests.conftest import AMP, CHILD, OTHER, PARENT, Repo, url

Enter = Callable[[str], None]

SUBJECT = "Add the parser"
LINK = f"Amp-Thread-ID: {url(PARENT)}"
OFF = {"GIT_EDITOR": ":"}  # git says so when it starts no editor


class Desk:
    """A repository in which this process runs as git would run the hook."""

    def __init__(self, repo: Repo, capfd: pytest.CaptureFixture[str]) -> None:
        self.repo = repo
        self.place = Place(".git")
        self.path = repo.path / ".git" / "COMMIT_EDITMSG"
        self.said = ""
        self._capfd = capfd

    def judge(self, text: str, *, env: dict[str, str] | None = None, config: str = "") -> int:
        """Run the hook on a message; what it said is in `said`."""
        if config:
            self.repo("config", *config.split(" ", 1))
        self.path.write_bytes(text.encode())
        status = commit_msg(Call({**os.environ, **OFF, **(env or {})}, 0, [str(self.path)]))
        self.said = self._capfd.readouterr().err
        return status

    def passes(self, text: str, *, env: dict[str, str] | None = None, config: str = "") -> str:
        """Run the hook on a message that it lets through; return what became of it."""
        assert self.judge(text, env=env, config=config) == 0
        return self.path.read_text()

    def refuses(self, text: str, *, env: dict[str, str] | None = None, config: str = "") -> str:
        """Run the hook on a message that it refuses, and leaves as it was; return what was said."""
        assert self.judge(text, env=env, config=config) == REJECTED
        assert self.path.read_text() == text
        assert note.take(self.place) is None
        assert self.said.endswith(f"git commit {DRAFT}\n")
        return self.said


@pytest.fixture
def desk(repo: Repo, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Desk:
    """A desk in an empty repository."""
    monkeypatch.chdir(repo.path)
    return Desk(repo, capfd)


# The link.


def test_the_link_of_the_thread_at_work_goes_in(desk: Desk, agent: Enter) -> None:
    """One line is added as the last paragraph, and nothing is said."""
    agent(PARENT)

    assert desk.passes(f"{SUBJECT}\n") == f"{SUBJECT}\n\n{LINK}\n"
    assert desk.said == ""


def test_a_second_run_changes_nothing(desk: Desk, agent: Enter) -> None:
    """Where the hook runs twice, the link is there once (P46)."""
    agent(PARENT)
    once = desk.passes(f"{SUBJECT}\n")

    assert desk.passes(once) == once


def test_the_older_link_stays_in_front(desk: Desk, agent: Enter) -> None:
    """Every older link stays, the current one is added last."""
    agent(OTHER)

    assert desk.passes(f"{SUBJECT}\n\n{LINK}\n") == f"{SUBJECT}\n\n{LINK}\nAmp-Thread-ID: {url(OTHER)}\n"


def test_a_thread_that_worked_before_becomes_the_last_again(desk: Desk, agent: Enter) -> None:
    """Where the current thread is linked, but not last, it is added again behind the later one."""
    agent(PARENT)
    text = desk.passes(f"{SUBJECT}\n\n{LINK}\nAmp-Thread-ID: {url(OTHER)}\n")
    left = note.take(desk.place)

    assert text.endswith(f"Amp-Thread-ID: {url(OTHER)}\n{LINK}\n")
    assert left
    assert left.links == [OTHER, PARENT]


@pytest.mark.parametrize("name", ["rebase-merge", "rebase-apply", "sequencer", "CHERRY_PICK_HEAD", "REVERT_HEAD"])
def test_while_git_replays_commits_nothing_is_added_or_demanded(desk: Desk, agent: Enter, name: str) -> None:
    """It may be somebody else's commit: a missing link is said, not refused (E23)."""
    (desk.repo.path / ".git" / name).mkdir()
    agent(PARENT)

    assert desk.passes(f"{SUBJECT}\n") == f"{SUBJECT}\n"
    assert desk.said.startswith("warning: AC101 ")


def test_without_autolink_nothing_is_added(desk: Desk, agent: Enter) -> None:
    """Who switched it off is told what is missing, in the form in which it is wanted."""
    agent(PARENT)

    assert LINK in desk.refuses(f"{SUBJECT}\n", config="ampcommit.autolink false")


def test_a_link_that_git_would_not_see_is_not_put_in(desk: Desk, agent: Enter) -> None:
    """Where the line would be a comment for git, the message stays as it was and the reason is said (P32)."""
    agent(PARENT)
    said = desk.refuses("Begin the parser\n", config="core.commentChar A", env={"GIT_EDITOR": "vi"})

    assert said.startswith("warning: ampcommit: git would not see a link in this message")


def test_a_message_that_is_only_our_line_gets_no_second_one(desk: Desk, agent: Enter) -> None:
    """A trailer alone is the subject, and no trailer; a second line would not mend that (P03, P30)."""
    agent(PARENT)

    assert "AC102" in desk.refuses(f"{LINK}\n")


def test_a_thread_set_by_a_person_is_announced(desk: Desk) -> None:
    """Who set a thread this morning is reminded of it with each commit."""
    (desk.repo.path / ".git" / "ampcommit").mkdir()
    (desk.repo.path / ".git" / "ampcommit" / "use").write_text(f"{PARENT}\n")

    assert LINK in desk.passes(f"{SUBJECT}\n")
    assert desk.said.startswith(f"ampcommit: linked to {PARENT}, the thread set ")
    assert desk.said.count("\n") == 1


# The message as git will have it.


@pytest.mark.parametrize("text", ["", "\n\n", " \t\n", "# only help\n", "Signed-off-by: A <a@example.com>\n"])
def test_an_empty_message_stays_empty(desk: Desk, agent: Enter, text: str) -> None:
    """Git aborts an empty commit as ever; a link would prevent that (P26, P27)."""
    agent(PARENT)

    assert desk.passes(text, env={"GIT_EDITOR": "vi"}) == text
    assert (desk.said, note.take(desk.place)) == ("", None)


@pytest.mark.parametrize("where", ["{home}/template", "~/template"], ids=["absolute", "home"])
def test_an_untouched_template_stays_untouched(desk: Desk, agent: Enter, sealed: Path, where: str) -> None:
    """Git aborts where nobody edited the template; a link would prevent that (P28)."""
    (sealed / "template").write_text("Why:\n\n# help\n")
    agent(PARENT)
    config = f"commit.template {where.format(home=sealed)}"

    assert desk.passes("Why:\n\n# help\n", env={"GIT_EDITOR": "vi"}, config=config) == "Why:\n\n# help\n"
    assert LINK in desk.passes("Why:\n\nIt was slow.\n", env={"GIT_EDITOR": "vi"})


def test_a_template_that_is_gone_is_no_template(desk: Desk, agent: Enter) -> None:
    """A path that leads nowhere stops nothing."""
    agent(PARENT)

    assert LINK in desk.passes(f"{SUBJECT}\n", config="commit.template /nonexistent/template")


@pytest.mark.parametrize(
    ("config", "editor", "subject"),
    [
        ("commit.cleanup default", ":", "# {}"),
        ("commit.cleanup strip", ":", "# help\n{}"),
        ("commit.cleanup whitespace", "vi", "# {}"),
        ("commit.cleanup verbatim", "vi", "# {}"),
        ("core.commentChar ;", "vi", "; help\n{}"),
        ("core.commentString //", "vi", "// help\n{}"),
    ],
)
def test_comments_count_as_git_will_see_them(desk: Desk, config: str, editor: str, subject: str) -> None:
    """What git will strip is no subject, and what it will keep is (P31, P33, P34)."""
    desk.judge(subject.format(f"{SUBJECT}\n"), env={"GIT_EDITOR": editor}, config=config)

    assert "AC101" in desk.said
    assert "AC201" not in desk.said


@pytest.mark.parametrize("args", [[], ["/nonexistent/message"], ["."], ["/dev/zero"]], ids=str)
@pytest.mark.usefixtures("desk")
def test_a_message_that_cannot_be_read_is_said_to_be_unchecked(args: list[str]) -> None:
    """No file, no verdict."""
    with pytest.raises(AmpcommitError, match="it was not checked"):
        commit_msg(Call(os.environ, 0, args))


# What is judged.


def test_a_refusal_says_why_and_how_to_go_on(desk: Desk) -> None:
    """A person reads what is wrong, what to do, and where the message is."""
    said = desk.refuses(f"{SUBJECT}\n")

    assert [line.partition(" ")[0] for line in said.splitlines()] == ["error:", "", ""]


def test_all_findings_are_said_at_once(desk: Desk) -> None:
    """Nobody has to commit three times to learn three things."""
    said = desk.refuses("x\n", config="ampcommit.minSubject 20")

    assert ("AC101" in said, "AC201" in said) == (True, True)
    assert said.count("go on with your message") == 1


def test_with_mode_warn_all_is_said_and_nothing_refused(desk: Desk) -> None:
    """A team that begins sees what would be refused."""
    assert desk.passes("x\n", config="ampcommit.mode warn")
    assert [line.partition(":")[0] for line in desk.said.splitlines()] == ["warning", " hint"] * 2


def test_with_mode_off_nothing_is_looked_at(desk: Desk, agent: Enter) -> None:
    """Nothing is added, and post-commit is told to start nothing."""
    agent(PARENT)

    assert desk.passes("x\n", config="ampcommit.mode off") == "x\n"
    assert (desk.repo.path / ".git" / "ampcommit" / "note").read_text() == "skip 0\n"


def test_with_authors_agent_a_person_passes(desk: Desk) -> None:
    """In a mixed team only the agent must link."""
    assert desk.passes(f"{SUBJECT}\n", config="ampcommit.authors agent")
    assert (desk.said, note.take(desk.place)) == ("", None)


def test_a_leaked_value_is_named_and_nothing_else(desk: Desk) -> None:
    """A variable that holds no id is said, and not obeyed (T18)."""
    said = desk.refuses(f"{SUBJECT}\n", env={"AMP_THREAD_ID": f"{PARENT}\nX: y"})

    assert said.startswith("warning: ampcommit: AMP_THREAD_ID is not a thread id and was ignored: ")


def test_another_thread_behind_the_one_at_work_is_found(desk: Desk, january: Path) -> None:
    """Without autolink, the parent as the last link is refused while the child is at work (AC105)."""
    assert january.exists()
    said = desk.refuses(
        f"{SUBJECT}\n\n{LINK}\n", config="ampcommit.autolink false", env={"AMP_CURRENT_THREAD_ID": CHILD}
    )

    assert "AC105" in said


# What is exempt.


def test_a_merge_is_exempt(desk: Desk) -> None:
    """A merge needs no link."""
    (desk.repo.path / ".git" / "MERGE_HEAD").write_text("0" * 40)

    assert desk.passes("Merge branch 'topic'\n")


def revert_of(commit: str) -> str:
    """Return the message that git gives to a revert."""
    return f'Revert "{SUBJECT}"\n\nThis reverts commit {commit}.\n'


def test_a_revert_is_exempt_where_the_policy_says_so(desk: Desk) -> None:
    """The commit it takes back must exist: anybody can write a sentence."""
    desk.repo.commit("-q", "-m", SUBJECT)

    assert desk.passes(revert_of(desk.repo.head()), config="ampcommit.exempt revert")
    assert desk.refuses(revert_of("0" * 40))
    assert desk.refuses(revert_of("HEAD"))


def test_a_path_is_exempt_where_the_policy_says_so(desk: Desk) -> None:
    """All staged paths must match, both names of a rename included."""
    (desk.repo.path / "docs").mkdir()
    for name in ("docs/a\n.md", "code.py"):
        (desk.repo.path / name).write_text("text\n")
    desk.repo("add", "docs")

    assert desk.passes(f"{SUBJECT}\n", config="ampcommit.exempt path:docs/*")
    desk.repo("add", ".")
    assert desk.refuses(f"{SUBJECT}\n")


# The note.


def test_the_note_says_what_was_seen(desk: Desk, agent: Enter, january: Path) -> None:
    """Everything that post-commit needs and cannot learn later stands in the note."""
    desk.repo.commit("-q", "-m", SUBJECT)
    desk.repo("remote", "add", "origin", "git@github.com:example/demo.git")
    assert january.exists()
    agent(CHILD)
    text = desk.passes(f"{SUBJECT}\n\n{LINK}\n")
    left = note.take(desk.place)

    assert left
    assert (left.pid, left.head, left.links) == (0, desk.repo.head(), [PARENT, CHILD])
    assert (left.source, left.validated, left.repo) == ("env", True, "github.com/example/demo")
    assert (left.chain, left.chain_state) == ([CHILD, PARENT], "complete")
    assert left.message.decode() == text


@pytest.mark.parametrize(
    ("env", "source"), [({}, "message"), ({"AMP_CURRENT_THREAD_ID": PARENT}, "env")], ids=["person", "agent"]
)
def test_the_note_says_how_the_thread_is_known(desk: Desk, env: dict[str, str], source: str) -> None:
    """A link that a person wrote is the message's claim; one that the agent confirms is more."""
    assert desk.passes(f"{SUBJECT}\n\n{LINK}\n", env=env)
    left = note.take(desk.place)

    assert left
    assert left.source == source


@pytest.mark.parametrize("text", [f"{SUBJECT}\n", "fixup! Add\n", ""], ids=["refused", "exempt", "aborted"])
def test_an_old_note_is_gone_whatever_happens(desk: Desk, text: str) -> None:
    """What an earlier try left is not there for a commit that is refused, exempt or aborted."""
    desk.passes(f"{SUBJECT}\n", env={"AMP_CURRENT_THREAD_ID": PARENT})
    desk.judge(text)

    assert note.take(desk.place) is None


# Guesses, for a person at a terminal.


def at_terminal(text: str, env: dict[str, str] | None = None) -> str:
    """Run the hook for somebody who sits at a terminal, and is refused; return what stands there."""
    Path("MSG").write_text(text)
    main, side = pty.openpty()
    kept = os.dup(2)
    os.dup2(side, 2)
    try:
        status = commit_msg(Call({**os.environ, **OFF, **(env or {})}, 0, ["MSG"]))
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(side)
    said = b""
    try:
        while piece := os.read(main, 65536):  # a terminal gives what it likes at a time
            said += piece
    except OSError:
        pass  # how Linux says that nobody writes any more
    os.close(main)
    assert (status, Path("MSG").read_text()) == (REJECTED, text)
    return said.decode()


@pytest.fixture
def session(amp_home: Path) -> Path:
    """The state file that Amp's client leaves behind."""
    path = amp_home.parent / "session.json"
    path.write_bytes((AMP / "2026-05" / "session.json").read_bytes())
    return path


@pytest.mark.usefixtures("desk", "session")
def test_a_person_at_a_terminal_is_offered_guesses() -> None:
    """A refused person may have meant the thread that Amp used last; it is called a guess, and not written."""
    said = at_terminal(f"{SUBJECT}\n")

    assert "hint: perhaps Amp-Thread-ID: https://ampcode.com/threads/T-" in said
    assert "a guess)" in said


@pytest.mark.usefixtures("desk", "session")
@pytest.mark.parametrize("value", ["", "nonsense"])
def test_the_agent_is_offered_no_guesses(value: str) -> None:
    """An agent would copy a guess blindly."""
    assert "a guess" not in at_terminal(f"{SUBJECT}\n", {"AGENT": "amp", "AGENT_THREAD_ID": value})


@pytest.mark.usefixtures("desk", "session")
def test_a_person_who_wrote_a_link_is_offered_no_guesses() -> None:
    """Where something else is wrong, another thread is no help."""
    assert "a guess" not in at_terminal(f"{SUBJECT}\n\n{LINK}\nAmp-Thread-ID: nonsense\n")


@pytest.mark.usefixtures("session")
def test_without_a_terminal_no_guesses_are_offered(desk: Desk) -> None:
    """A log or an agent's tool sees no guess."""
    assert "a guess" not in desk.refuses(f"{SUBJECT}\n")
