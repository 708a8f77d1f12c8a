"""What git runs: whatever happens inside, the status is 0, 33 or 130."""

import errno
import os
import pty
import select
from collections.abc import Callable
from pathlib import Path

import pytest

from ampcommit import hook
from ampcommit.ledger import Ledger
from ampcommit.verbs.install import install
from tests.conftest import PARENT, Repo, url

Enter = Callable[[str], None]


@pytest.fixture
def message(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a message, in a repository in which this process runs as git would run a hook."""
    monkeypatch.chdir(repo.path)
    path = repo.path / ".git" / "COMMIT_EDITMSG"
    path.write_text("Add the parser\n")
    return path


def commit_msg(message: Path) -> int:
    """Run the hook as its script does."""
    return hook.main("commit-msg", os.getpid(), [str(message)])


def test_a_linked_message_passes(message: Path, agent: Enter, capfd: pytest.CaptureFixture[str]) -> None:
    """Inside a thread the hook adds the link and says nothing."""
    agent(PARENT)

    assert commit_msg(message) == 0
    assert message.read_text() == f"Add the parser\n\nAmp-Thread-ID: {url(PARENT)}\n"
    assert capfd.readouterr() == ("", "")


def test_a_rejection_has_a_status_of_its_own(message: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """No failure can be mistaken for a rejection: no other program ends with 33 by accident."""
    assert commit_msg(message) == 33
    assert "AC101" in capfd.readouterr().err


def test_a_commit_is_recorded(message: Path, repo: Repo, agent: Enter) -> None:
    """The second hook records what the first one saw."""
    agent(PARENT)
    commit_msg(message)
    repo.commit("-q", "-F", str(message))

    assert hook.main("post-commit", 0, []) == 0
    assert len(list(Ledger(".git/ampcommit/ledger.jsonl").lines())) == 1


@pytest.mark.usefixtures("message")
def test_a_merge_is_recorded(repo: Repo) -> None:
    """The third hook stands in for the second where `git merge` made the commit."""
    repo.commit("-q", "-m", "Add the scanner")
    repo("checkout", "-q", "--orphan", "side")
    repo.commit("-q", "-m", "Add the printer")
    merge = ("--no-ff", "--allow-unrelated-histories", "-m", f"Merge it\n\nAmp-Thread-ID: {url(PARENT)}")
    repo("merge", "-q", *merge, "main")

    assert hook.main("post-merge", 0, ["0"]) == 0
    assert len(list(Ledger(".git/ampcommit/ledger.jsonl").lines())) == 1


@pytest.mark.usefixtures("message")
def test_what_git_feeds_is_read(repo: Repo) -> None:
    """The fourth hook learns on standard input what became of which commit: both are recorded, and that."""
    link = f"Amp-Thread-ID: {url(PARENT)}"
    repo.commit("-q", "-m", "Add the scanner", "-m", link)
    old = repo.head()
    repo.commit("-q", "--amend", "-m", "Add the printer", "-m", link)
    reader, writer = os.pipe()
    os.write(writer, f"{old} {repo.head()}\n".encode())
    os.close(writer)
    saved = os.dup(0)
    os.dup2(reader, 0)
    try:
        assert hook.main("post-rewrite", 0, ["amend"]) == 0
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(reader)

    assert len(list(Ledger(".git/ampcommit/ledger.jsonl").lines())) == 3


@pytest.mark.usefixtures("message")
def test_a_push_is_told_what_git_feeds(repo: Repo, capfd: pytest.CaptureFixture[str]) -> None:
    """The hook at a push reads its lines, too; what it cannot share costs a line and no push."""
    install(str(repo.path), sharing=True)
    repo("config", "ampcommit.shareRemote", "/nowhere")
    repo.commit("-q", "-m", "Add the scanner", "-m", f"Amp-Thread-ID: {url(PARENT)}")
    reader, writer = os.pipe()
    os.write(writer, f"refs/heads/main {repo.head()} refs/heads/main {'0' * 40}\n".encode())
    os.close(writer)
    saved = os.dup(0)
    os.dup2(reader, 0)
    try:
        assert hook.main("pre-push", 0, ["origin", "/nowhere"]) == 0
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(reader)

    said = capfd.readouterr().err
    assert (said.count("\n"), "are not shared" in said) == (1, True)


@pytest.mark.usefixtures("message")
def test_a_pipe_that_nobody_closes_costs_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager that leaves standard input open, or a terminal, does not make an amend wait for ever."""
    waiting, silent = select.poll, iter([True])

    class Silent:
        """A wait that ends without a word, as it would after some seconds."""

        def register(self, *_: int) -> None:
            """Wait for it."""

        def poll(self, _: float) -> list[tuple[int, int]]:
            """Return that nothing came."""
            return []

    monkeypatch.setattr(select, "poll", lambda: Silent() if next(silent, False) else waiting())
    reader, writer = os.pipe()
    main, terminal = pty.openpty()
    saved = os.dup(0)
    try:
        for descriptor in (reader, terminal):
            os.dup2(descriptor, 0)
            assert hook.main("post-rewrite", 0, ["amend"]) == 0
    finally:
        os.dup2(saved, 0)
        for descriptor in (saved, reader, writer, main, terminal):
            os.close(descriptor)


def test_the_configuration_that_the_script_read_is_used(message: Path) -> None:
    """What the script asked git need not be asked again."""
    reader, writer = os.pipe()
    os.write(writer, b"local\tampcommit.mode warn\n")
    os.close(writer)
    kept = os.dup(0)
    os.dup2(reader, 0)
    try:
        status = hook.main("commit-msg", 0, [str(message)], asked=True)
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(reader)

    assert status == 0


def test_an_interrupt_stays_an_interrupt(message: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a commit as it ends any other program."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "posix_spawnp", interrupted)

    assert commit_msg(message) == 130


def told(capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Return the two lines of a failure that costs nobody a commit."""
    lines = capfd.readouterr().err.splitlines()
    assert [line[:7] for line in lines] == ["error: ", " hint: "]
    assert lines[1].startswith((" hint: the commit goes on unchecked; ", " hint: git goes on; "))
    return lines


def test_a_failure_that_we_can_explain_costs_nobody_a_commit(message: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A message that cannot be read is said to be unchecked."""
    message.unlink()

    assert commit_msg(message) == 0
    assert "it was not checked" in told(capfd)[0]


def test_a_failure_of_git_is_told_in_its_words(message: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What git says about its configuration reaches the person who can mend it."""
    (message.parent / "config").write_text("[broken\n")

    assert commit_msg(message) == 0
    assert "bad config" in told(capfd)[0]


def test_a_failure_of_the_system_costs_nobody_a_commit(
    message: Path, agent: Enter, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A full disk is two lines, and the message stays as it was."""
    agent(PARENT)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)

    assert commit_msg(message) == 0
    assert "No space left" in told(capfd)[0]
    assert message.read_text() == "Add the parser\n"


@pytest.fixture
def defect(message: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The message of a commit in which something happens that nobody thought of."""

    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError("nothing\x1b[2J left")

    monkeypatch.setattr(os, "posix_spawnp", exhausted)
    return message


def test_a_defect_costs_nobody_a_commit_and_leaves_a_report(defect: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What should not happen is reported with a file of ours that holds what a report needs."""
    assert commit_msg(defect) == 0
    lines = told(capfd)
    report = defect.parent / "ampcommit" / "defect.txt"
    assert lines[0].startswith("error: defect in ampcommit: MemoryError(")
    assert lines[1].endswith("please report this, with .git/ampcommit/defect.txt")
    assert report.read_text().startswith("Traceback")
    assert "\x1b" not in "".join(lines)


def test_a_defect_where_nothing_can_be_written_is_still_told(defect: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Without a place for the report the commit goes on all the same."""
    (defect.parent / "ampcommit").write_text("a file\n")

    assert commit_msg(defect) == 0
    assert told(capfd)[1].endswith("please report this")


@pytest.mark.usefixtures("message")
@pytest.mark.parametrize("name", ["pre-rebase", ""])
def test_a_hook_that_we_do_not_have_is_nobodys_defect(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever calls a hook of another version is told so in two lines, and git goes on."""
    assert hook.main(name, 0, []) == 0
    assert "defect" not in "".join(told(capfd))


@pytest.mark.parametrize("where", ["/nonexistent", "/dev/null", ""])
def test_outside_a_repository_nothing_breaks(
    message: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str], where: str
) -> None:
    """A manager that calls the hook in the wrong place gets an answer, not a traceback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_DIR", where)

    assert commit_msg(message) in (0, 33)
    assert hook.main("post-commit", 0, []) == 0
    assert "defect" not in capfd.readouterr().err


@pytest.mark.parametrize("folder", ["elsewhere", "repo/sub"])
def test_no_folder_that_looks_like_gits_is_made(
    message: Path, agent: Enter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str
) -> None:
    """Started outside a repository, or below its top, the hook leaves nothing there."""
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / folder)
    agent(PARENT)

    assert commit_msg(message) == 0
    assert list((tmp_path / folder).iterdir()) == []
