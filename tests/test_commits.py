"""Real commits through the installed hooks: what a person and an agent get from git."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest

from ampcommit import shim
from ampcommit.ledger import Ledger
from ampcommit.verbs import install
from tests.conftest import AMP, CHILD, OTHER, PARENT, Repo, once, url

Enter = Callable[[str], None]
Record = dict[str, Any]

MAY_CHILD = "T-01a1f7e4-dbf0-737e-ad7b-5a4eb683db09"
LINK = f"Amp-Thread-ID: {url(PARENT)}"
REWRITE = (
    *("-c", "trailer.AmpThread.key=Amp-Thread-ID", "-c", "trailer.AmpThread.ifexists=replace"),
    *("-c", "trailer.AmpCoauth.key=Co-authored-by", "-c", "trailer.AmpCoauth.ifexists=addIfDifferent"),
)
COAUTHOR = "Co-authored-by: Amp <amp@ampcode.com>"


# What must hold after every commit, stated once.


def ledger_of(repo: Repo) -> Ledger:
    """Return the ledger of the clone."""
    return Ledger(repo("rev-parse", "--path-format=absolute", "--git-common-dir") + "/ampcommit/ledger.jsonl")


def records(repo: Repo) -> list[Record]:
    """
    Return all records, once they are known to be sound.

    The ledger is whole, and every record names an existing commit whose trailer, as git sees it, carries the thread.
    """
    ledger = ledger_of(repo)
    found: list[Record] = [one for line in ledger.lines() if (one := json.loads(line))["kind"] == "commit"]
    assert ledger.check().problems == []
    assert len({record["commit"] for record in found}) == len(found), "each commit is recorded once"
    fields = "--format=%H %T %P%n%(trailers:key=Amp-Thread-ID,valueonly,unfold)%x00"
    ids = "\n".join(record["commit"] for record in found).encode()
    shown = repo("log", "--no-walk=unsorted", "--stdin", fields, stdin=ids) if ids else ""
    made = {entry.split()[0]: entry.split() for entry in shown.split("\0") if entry.split()}
    for record in found:
        links = [word for word in made[record["commit"]] if ":" in word]
        assert [record["commit"], record["tree"], *record["parents"], *links] == made[record["commit"]]
        assert url(record["thread"]) == url(record["links"][-1]) == links[-1]
        assert set(map(url, record["links"])) == set(links)
    return found


def rewrites(repo: Repo) -> list[tuple[str, str, str, str]]:
    """Return the old commit, the new one, git's command and the source of every rewriting, each told once."""
    found = [one for line in ledger_of(repo).lines() if (one := json.loads(line))["kind"] == "rewrite"]
    assert len({(one["old"], one["new"]) for one in found}) == len(found)
    return [(one["old"], one["new"], one["command"], one["source"]) for one in found]


def sound(repo: Repo) -> Record | None:
    """Check the commit at HEAD and everything around it; return its newest record."""
    text, seen = repo.head("%B%x00%(trailers:unfold)").rstrip("\n").split("\0")
    # git looks for the block above the comments that a merge without an editor keeps.
    message = "\n".join(line for line in text.split("\n") if not line.startswith("#")).rstrip("\n")
    block = message.rpartition("\n\n")[2].split("\n")
    links = [line for line in seen.split("\n") if line.startswith("Amp-Thread-ID: ")]
    assert repo("status", "--porcelain") == "", "nothing is left behind in the tree"
    assert not links or seen.split("\n") == block, "all trailers are in one block"
    assert len(set(links)) == len(links) == message.count("\nAmp-Thread-ID: "), "each link is there once"
    mine = [record for record in records(repo) if record["commit"] == repo.head()]
    return mine[-1] if mine else None


def committed(
    repo: Repo, *args: str, env: Mapping[str, str] | None = None, stdin: bytes | None = None, quiet: bool = True
) -> Record:
    """Make a commit through the hooks, check everything around it, and return its record."""
    tree = repo("write-tree")
    done = repo.commit("-q", *args, env=env, stdin=stdin)
    record = sound(repo)
    assert not quiet or (done.stdout, done.stderr) == (b"", b""), "quiet on success"
    assert tree == repo.head("%T"), "the hooks leave the content alone"
    assert record is not None
    return record


def unrecorded(repo: Repo, *args: str, env: Mapping[str, str] | None = None) -> str:
    """Make a commit of which nothing is recorded; return what was said."""
    before = len(records(repo))
    done = repo.commit("-q", *args, env=env)
    assert sound(repo) is None
    assert before == len(records(repo))
    return done.stderr.decode()


def refused(repo: Repo, *args: str, env: Mapping[str, str] | None = None) -> str:
    """Try a commit that is refused with status 1 and leaves no trace; return what was said."""
    before, count = repo("rev-list", "--all"), len(records(repo))
    done = repo.commit("-q", *args, ok=False, env=env)
    assert done.returncode == 1
    assert (before, count) == (repo("rev-list", "--all"), len(records(repo)))
    return done.stderr.decode()


def ours(stderr: str | bytes) -> list[str]:
    """Return the lines that neither git nor the shell said."""
    text = stderr.decode(errors="replace") if isinstance(stderr, bytes) else stderr
    return [line for line in text.splitlines() if line != "Killed"]


def sh(repo: Repo, script: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run a shell script at the top of the work tree."""
    environ = {**os.environ, **(env or {})}
    return subprocess.run(["sh", "-c", script], cwd=repo.path, env=environ, capture_output=True, check=False)


def put(path: Path, text: str, mode: int = 0o755) -> Path:
    """Write a file, by default one that can be run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def hooks_of(repo: Repo, python: str = "", package: str = "") -> None:
    """Put fast hooks in place that run another interpreter, or another package, than those of this test run."""
    for name in shim.HOOKS:
        script = shim.fast(name, python or install.interpreter(), package or install.package())
        put(repo.path / ".git" / "hooks" / name, script)


def editor(line: str) -> str:
    """Return an editor that appends a paragraph with *line*."""
    return f"""f() {{ printf '\\n%s\\n' '{line}' >>"$1"; }}; f"""


# A thread at work: linked, judged, recorded.


def test_a_commit_of_the_agent_is_linked_judged_and_recorded(installed: Repo, agent: Enter) -> None:
    """A commit made inside a thread carries its link and is remembered, without anybody doing anything."""
    agent(PARENT)
    record = committed(installed, "-m", "Add the parser")

    assert f"Add the parser\n\n{LINK}\n\n" == installed.head("%B") + "\n"
    assert record["thread"] == PARENT
    assert record["links"] == [PARENT]
    assert (record["source"], record["validated"]) == ("env", True)


def test_a_record_has_the_promised_fields_in_order(installed: Repo, agent: Enter) -> None:
    """What stands in a record is what the format promises, and nothing else."""
    agent(PARENT)
    installed("remote", "add", "origin", "https://user:secret@GitHub.com/example/demo.git")
    record = committed(installed, "-m", "Add the parser")

    fields = "v kind commit tree parents thread links chain chain_state source validated branch repo time by prev"
    assert fields.split() == list(record)
    assert (record["v"], record["kind"], record["branch"]) == (1, "commit", "main")
    assert record["repo"] == "github.com/example/demo"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["time"])
    assert record["prev"] is None


def test_the_chain_is_complete_where_amp_left_its_thread_files(installed: Repo, agent: Enter, january: Path) -> None:
    """With the January client's files the record names every thread back to the root."""
    agent(CHILD)
    record = committed(installed, "-m", "Finish the docs")

    assert january.exists()
    assert (record["chain"], record["chain_state"]) == ([CHILD, PARENT], "complete")


def test_the_chain_is_complete_with_exports_brought_in(installed: Repo, agent: Enter, sealed: Path) -> None:
    """Exports of the May client, put into our own folder, are as good as local threads."""
    shutil.copytree(AMP / "2026-05" / "threads-exported", sealed / ".local" / "share" / "ampcommit" / "threads")
    agent(MAY_CHILD)
    record = committed(installed, "-m", "Continue with tests")

    assert (record["chain"], record["chain_state"]) == ([MAY_CHILD, OTHER], "complete")


def test_exports_are_found_where_xdg_says(
    installed: Repo, agent: Enter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever moved the data folder is understood."""
    shutil.copytree(AMP / "2026-05" / "threads-exported", tmp_path / "data" / "ampcommit" / "threads")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    agent(MAY_CHILD)

    assert committed(installed, "-m", "Continue with tests")["chain"] == [MAY_CHILD, OTHER]


def test_an_unknown_chain_is_said_to_be_unknown(installed: Repo, agent: Enter) -> None:
    """Where nothing is known of a thread the record says so, and names the thread itself."""
    agent(CHILD)
    record = committed(installed, "-m", "Add the parser")

    assert (record["chain"], record["chain_state"]) == ([CHILD], "unknown")


def test_a_missing_parent_makes_the_chain_partial(installed: Repo, agent: Enter, january: Path) -> None:
    """A chain that ends in the dark is not said to be complete."""
    (january / f"{PARENT}.json").unlink()
    agent(CHILD)
    record = committed(installed, "-m", "Add the parser")

    assert (record["chain"], record["chain_state"]) == ([CHILD, PARENT], "partial")


MESSAGES = {
    "one line": ["-m", "Add the parser"],
    "body": ["-m", "Add the parser", "-m", "It reads lines."],
    "P18 sign-off": ["-s", "-m", "Add the parser"],
    "P18 other trailer": ["-m", "Add the parser", "--trailer", "Issue: 4"],
    "P54 link in prose": ["-m", "Add the parser", "-m", f"see {url(OTHER)} for more"],
    "P55 subject like an option": ["-m", "--amend the parser"],
    "P34 verbatim": ["--cleanup=verbatim", "-m", "Add the parser"],
    "P34 scissors": ["--cleanup=scissors", "-m", "Add the parser"],
    "P01 linked already": ["-m", "Add the parser", "-m", LINK],
    "P47 fixup": ["--fixup=HEAD"],
    "P47 squash": ["--squash=HEAD", "-m", "more words"],
    "reused": ["-C", "HEAD"],
}


@pytest.mark.parametrize("args", MESSAGES.values(), ids=MESSAGES)
def test_the_link_is_last_whatever_the_message_looks_like(installed: Repo, agent: Enter, args: list[str]) -> None:
    """No way of giving a message escapes the link, and none gets it twice."""
    agent(PARENT)
    committed(installed, "-m", "Begin the parser")
    committed(installed, *args)

    assert [url(PARENT)] == installed.links()


def test_a_message_from_standard_input_is_linked(installed: Repo, agent: Enter) -> None:
    """`git commit -F -` is an ordinary commit."""
    agent(PARENT)

    assert committed(installed, "-F", "-", stdin=b"Add the parser\n\nIt reads lines.")["links"] == [PARENT]


def test_a_message_from_an_editor_is_linked(installed: Repo, agent: Enter) -> None:
    """What an editor leaves, with git's help text below it, is linked above that text (P20, E07)."""
    agent(PARENT)
    committed(installed, env={"GIT_EDITOR": "f() { sed -i '1s/^/Add the parser/' \"$1\"; }; f"})

    assert f"Add the parser\n\n{LINK}" == installed.head("%B").rstrip("\n")


@pytest.mark.parametrize("editing", ["true", "f() { printf '\\n# nothing\\n' >\"$1\"; }; f"], ids=["P26", "comments"])
def test_an_empty_message_still_aborts(installed: Repo, agent: Enter, editing: str) -> None:
    """Leaving the editor without a word aborts the commit, as ever."""
    agent(PARENT)

    assert "empty commit message" in refused(installed, env={"GIT_EDITOR": editing})


def test_an_untouched_template_still_aborts(installed: Repo, agent: Enter, tmp_path: Path) -> None:
    """Leaving the template as it was aborts the commit, as ever (P28)."""
    agent(PARENT)
    installed("config", "commit.template", str(put(tmp_path / "template", "Why:\n\nWhat:\n", 0o644)))

    assert "you did not edit the message" in refused(installed, env={"GIT_EDITOR": "true"})


# What Amp's own clients did, replayed from their logs.


class Block:
    """One commit of a real client, as a hook saw it."""

    def __init__(self, text: str) -> None:
        head, _, rest = text.partition("\n--- message\n")
        self.message = rest.partition("\n--- end")[0]
        _, _, command = head.partition("parent git cmdline: ")
        command = re.split(r"\n(?=[A-Z_]+=)", command, maxsplit=1)[0]
        self.env = dict(re.findall(r"^((?:AGENT|AMP_|AI_AGENT|CLAUDECODE|GIT_OPTIONAL)\w*)=(.*)$", head, re.MULTILINE))
        self.thread = self.env["AGENT_THREAD_ID"]
        self.rewritten = "--trailer Amp-Thread-ID" in command
        self.tail = command.partition(f"{COAUTHOR} " if self.rewritten else " commit ")[2].strip()

    @property
    def before(self) -> list[str]:
        """The options between `git` and `commit`."""
        return [*REWRITE] if self.rewritten else []

    @property
    def args(self) -> list[str]:
        """The options after `commit`, with the message as one argument again."""
        added = ["--trailer", f"Amp-Thread-ID: {url(self.thread)}", "--trailer", COAUTHOR] if self.rewritten else []
        if self.tail.startswith("--amend"):
            return [*added, "--amend", "--no-edit"]
        message, _, author = re.sub(r"^.*?-a?m ", "", self.tail, count=1).partition(" --author=")
        if "-F " in self.tail:
            message = "c07 from file\n\nSigned-off-by: A <a@example.invalid>"
        return [*added, "-m", message, *([f"--author={author}"] if author else [])]


BLOCKS = {
    f"{generation}-{number}": Block(text)
    for generation in ("2026-01", "2026-05", "2026-09")
    for number, text in enumerate(
        (AMP / generation / "hook-environment.log").read_text().split("=== commit-msg\n")[1:], 1
    )
}


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_what_a_real_client_did_ends_up_linked(installed: Repo, block: Block) -> None:
    """Every commit that Amp's clients were seen to make is linked: theirs byte for byte, or with one line added."""
    if "--amend" in block.args:  # of the commit before it
        installed.run(*block.before, "commit", "-q", "--allow-empty", *BLOCKS["2026-05-7"].args, env=block.env)
    installed.run(*block.before, "commit", "-q", "--allow-empty", *block.args, env=block.env)
    record = sound(installed)

    assert record
    assert (block.thread, "env", True) == (record["thread"], record["source"], record["validated"])
    added = "" if block.rewritten else f"\n\nAmp-Thread-ID: {url(block.thread)}"
    assert block.message + added == installed.head("%B").rstrip("\n")


# Amend.


def test_amending_five_times_keeps_one_link(installed: Repo, agent: Enter) -> None:
    """However often a commit is amended in its thread, the link is there once (E31)."""
    agent(PARENT)
    committed(installed, "-m", "Add the parser")
    for _ in range(5):
        committed(installed, "--amend", "--no-edit")

    assert [url(PARENT)] == installed.links()


def test_amending_from_another_thread_keeps_both_links(installed: Repo, agent: Enter) -> None:
    """The thread that began a commit stays named when another one amends it; the last one is last (E31)."""
    agent(PARENT)
    committed(installed, "-m", "Add the parser")
    agent(OTHER)
    record = committed(installed, "--amend", "--no-edit")

    assert [url(PARENT), url(OTHER)] == installed.links()
    assert (record["thread"], record["links"], record["validated"]) == (OTHER, [PARENT, OTHER], True)


def test_the_ledger_keeps_the_thread_that_amp_erases_by_an_amend(installed: Repo, agent: Enter) -> None:
    """Amp's own rewrite replaces the older link; the record of the older commit still has it."""
    agent(PARENT)
    older = committed(installed, "-m", "Add the parser")
    agent(OTHER)
    amend = ("commit", "-q", "--allow-empty", "--trailer", f"Amp-Thread-ID: {url(OTHER)}", "--amend", "--no-edit")
    installed.run(*REWRITE, *amend)

    assert [url(OTHER)] == installed.links()
    assert [record["links"] for record in records(installed)] == [[PARENT], [OTHER]]
    assert older["commit"] == records(installed)[0]["commit"] != installed.head()


def test_an_amend_with_a_new_message_is_linked_to_the_thread_at_work(installed: Repo, agent: Enter) -> None:
    """Who rewrites the message answers for it alone; the ledger remembers the older commit."""
    agent(PARENT)
    committed(installed, "-m", "Add the parser")
    agent(OTHER)

    assert committed(installed, "--amend", "-m", "Add the scanner")["links"] == [OTHER]


def test_an_amend_of_the_root_commit_is_recorded_as_judged(installed: Repo, agent: Enter) -> None:
    """A commit without parents can be amended like any other."""
    agent(PARENT)
    committed(installed, "-m", "Add the parser")
    record = committed(installed, "--amend", "-m", "Add the scanner")

    assert (record["parents"], record["validated"]) == ([], True)


def test_an_amend_by_a_person_keeps_the_link(installed: Repo) -> None:
    """A person may polish the agent's commit; its thread stays, as the message's own claim."""
    committed(installed, "-m", "Add the parser", "-m", LINK)
    record = committed(installed, "--amend", "--no-edit", "--author=Somebody <s@example.com>")

    assert (record["links"], record["source"], record["validated"]) == ([PARENT], "message", True)


def test_a_handed_off_thread_is_added_behind_the_one_that_began(installed: Repo, agent: Enter, january: Path) -> None:
    """A commit that names the parent thread gets the child at work as its last link."""
    agent(CHILD)
    record = committed(installed, "-m", "Add the parser", "-m", LINK)

    assert january.exists()
    assert (record["links"], record["chain"]) == ([PARENT, CHILD], [CHILD, PARENT])


# --no-verify: commit-msg is skipped, post-commit is not.


def test_no_verify_with_a_link_is_recorded_as_not_judged(installed: Repo, agent: Enter) -> None:
    """Who skips the check is remembered as such; the thread is not lost."""
    agent(PARENT)
    record = committed(installed, "-n", "-m", "Add the parser", "-m", LINK)

    assert (record["links"], record["source"], record["validated"]) == ([PARENT], "env", False)


def test_no_verify_by_a_person_is_recorded_from_the_message(installed: Repo) -> None:
    """A link without an agent around it is the message's own claim."""
    record = committed(installed, "-n", "-m", "Add the parser", "-m", LINK)

    assert (record["source"], record["validated"]) == ("message", False)


def test_no_verify_without_a_link_inside_a_thread_says_how_to_add_it(installed: Repo, agent: Enter) -> None:
    """One line says what is missing, and what it says works."""
    agent(PARENT)
    said = unrecorded(installed, "-n", "-m", "Add the parser")

    assert len(said.splitlines()) == 1
    assert "git commit --amend --no-edit" in said
    assert committed(installed, "--amend", "--no-edit")["links"] == [PARENT]


def test_no_verify_by_a_person_without_a_link_says_nothing(installed: Repo) -> None:
    """There is nothing to record, and nothing to say: CI will judge."""
    assert unrecorded(installed, "-n", "-m", "Add the parser") == ""


@pytest.mark.parametrize("where", ["-c core.hooksPath=/dev/null", "chmod"], ids=["hooksPath", "chmod -x"])
def test_hooks_that_do_not_run_leave_the_ledger_alone(installed: Repo, agent: Enter, where: str) -> None:
    """Who switches hooks off gets a commit and no record (E20)."""
    agent(PARENT)
    if where == "chmod":
        for name in shim.HOOKS:
            (installed.path / ".git" / "hooks" / name).chmod(0o644)
    before = where.split() if where.startswith("-c") else []
    installed.run(*before, "commit", "-q", "--allow-empty", "-m", "Add the parser")

    assert (installed.links(), records(installed)) == ([], [])


# A person without a link.


def test_a_commit_by_hand_is_refused_with_the_way_out(installed: Repo) -> None:
    """The refusal is two lines for what is wrong, and one for where the message is."""
    said = refused(installed, "-m", "Add the parser")

    assert said.splitlines()[0] == "error: AC101 the message has no link to an Amp thread"
    assert "Amp-Thread-ID: https://ampcode.com/threads/T-…" in said.splitlines()[1]
    assert len(said.splitlines()) == 3


def test_the_way_out_of_a_refusal_works_as_printed(installed: Repo) -> None:
    """The command in the hint brings the kept message into an editor; with the link added it goes through."""
    put(installed.path / "f", "content\n")
    installed("add", "f")
    said = refused(installed, "-m", "Add the parser", "-m", "It reads lines.")
    command = said.splitlines()[-1].partition("were amending): ")[2]
    done = sh(installed, command, env={"GIT_EDITOR": editor(LINK)})

    assert done.returncode == 0, done.stderr
    assert f"Add the parser\n\nIt reads lines.\n\n{LINK}" == installed.head("%B").rstrip("\n")
    assert sound(installed)


def test_the_draft_of_a_refused_commit_is_what_was_written(installed: Repo) -> None:
    """A refusal costs nobody a word."""
    refused(installed, "-m", "Add the parser", "-m", "A long story.")

    assert (installed.path / ".git" / "COMMIT_EDITMSG").read_text() == "Add the parser\n\nA long story.\n"


def test_a_person_with_a_link_is_recorded_from_the_message(installed: Repo) -> None:
    """A link that a person wrote is recorded as the message's claim."""
    record = committed(installed, "-m", "Add the parser", "--trailer", LINK)

    assert (record["thread"], record["source"], record["validated"]) == (PARENT, "message", True)


def test_a_person_may_set_the_thread(installed: Repo) -> None:
    """With a thread set for this work tree the link is added, and one line says so."""
    put(installed.path / ".git" / "ampcommit" / "use", f"{PARENT}\n", 0o600)
    done = installed.commit("-q", "-m", "Add the parser")
    record = sound(installed)

    assert done.stderr.decode().startswith(f"ampcommit: linked to {PARENT}, the thread set ")
    assert record
    assert (record["source"], record["validated"]) == ("use", True)


def test_a_set_thread_lives_on_with_each_commit(installed: Repo) -> None:
    """The twelve hours begin again with a commit."""
    use = put(installed.path / ".git" / "ampcommit" / "use", f"{PARENT}\n", 0o600)
    os.utime(use, (use.stat().st_mtime - 39600,) * 2)
    before = use.stat().st_mtime
    committed(installed, "-m", "Add the parser", quiet=False)

    assert before + 39000 < use.stat().st_mtime


def test_the_agent_comes_before_a_set_thread(installed: Repo, agent: Enter) -> None:
    """What the agent says of itself outweighs what a person set this morning."""
    put(installed.path / ".git" / "ampcommit" / "use", f"{OTHER}\n", 0o600)
    agent(PARENT)
    record = committed(installed, "-m", "Add the parser")

    assert (record["links"], record["source"]) == ([PARENT], "env")


def test_no_guess_is_made_from_old_thread_files(installed: Repo, january: Path) -> None:
    """That Amp left threads on this machine says nothing about this commit (T24)."""
    assert january.exists()
    assert "AC101" in refused(installed, "-m", "Add the parser")


WRONG = {
    "AC103": f"Amp-Thread-ID: {PARENT}",
    "AC104": f"Amp-Thread-ID: {url(PARENT).replace('.com', '.com.evil.example')}",
    "AC102": f"> {LINK}",
}


@pytest.mark.parametrize("code", WRONG)
def test_a_wrong_link_is_refused_by_its_name(installed: Repo, code: str) -> None:
    """Each way to write a link wrong has its own code and hint."""
    said = refused(installed, "-m", "Add the parser", "-m", WRONG[code])

    assert said.startswith(f"error: {code} ")


def test_a_good_link_does_not_excuse_a_bad_one(installed: Repo, agent: Enter) -> None:
    """The agent's own link is added, and still the bad one beside it is refused."""
    agent(PARENT)

    assert "AC103" in refused(installed, "-m", "Add the parser", "-m", "Amp-Thread-ID: nonsense")


# Policy.


PLACES = {
    "config": "git config ampcommit.authors agent; git commit",
    "command line": "git -c ampcommit.authors=agent commit",
    "environment": "AMPCOMMIT_AUTHORS=agent git commit",
    "file": "git config -f .ampcommit ampcommit.authors agent; git commit",
    "staged": "git config -f .ampcommit ampcommit.authors agent; git add .; rm .ampcommit; git commit",
}


@pytest.mark.parametrize("script", PLACES.values(), ids=PLACES)
def test_the_policy_is_found_wherever_it_may_stand(installed: Repo, script: str) -> None:
    """`authors = agent` lets a person commit, whether it stands in git config, `.ampcommit` or the environment."""
    done = sh(installed, f"{script} -q --allow-empty -m 'Add the parser'")

    assert (done.returncode, done.stderr, records(installed)) == (0, b"", [])


def test_with_authors_agent_the_agent_is_still_linked(installed: Repo, agent: Enter) -> None:
    """The policy of a mixed team is about people; the agent's commits carry their link."""
    installed("config", "ampcommit.authors", "agent")
    agent(PARENT)

    assert committed(installed, "-m", "Add the parser")["links"] == [PARENT]


def test_with_authors_agent_a_link_by_a_person_is_recorded(installed: Repo) -> None:
    """A person's link is not lost in a mixed team; where it stands in the committed policy Python looks at it."""
    put(installed.path / ".ampcommit", "[ampcommit]\n\tauthors = agent\n", 0o644)
    installed("add", ".ampcommit")

    assert committed(installed, "-m", "Add the parser", "--trailer", LINK)["links"] == [PARENT]


def test_with_mode_warn_nothing_is_refused(installed: Repo) -> None:
    """A team that begins sees what would be refused."""
    installed("config", "ampcommit.mode", "warn")
    said = unrecorded(installed, "-m", "Add the parser")

    assert said.startswith("warning: AC101 ")
    assert "go on with your message" not in said


def test_with_mode_warn_the_agent_is_linked(installed: Repo, agent: Enter) -> None:
    """Warning instead of refusing changes nothing for whoever has a link."""
    installed("config", "ampcommit.mode", "warn")
    agent(PARENT)

    assert committed(installed, "-m", "Add the parser")["validated"]


@pytest.mark.parametrize("link", [[], ["--trailer", LINK]], ids=["no link", "link"])
@pytest.mark.parametrize("how", ["config", "file", "environment"])
def test_with_mode_off_nothing_happens(installed: Repo, agent: Enter, how: str, link: list[str]) -> None:
    """Switched off means no link added, nothing judged, nothing recorded, nothing said."""
    agent(OTHER)
    env = {"AMPCOMMIT_MODE": "off"} if how == "environment" else {}
    if how == "config":
        installed("config", "ampcommit.mode", "off")
    elif how == "file":
        put(installed.path / ".ampcommit", "[ampcommit]\n\tmode = off\n", 0o644)
        installed("add", ".ampcommit")

    assert unrecorded(installed, "-m", "x", *link, env=env) == ""
    assert [url(PARENT)] * bool(link) == installed.links()


def test_without_autolink_the_agent_must_link(installed: Repo, agent: Enter) -> None:
    """Who switched the adding off is told which line is missing."""
    installed("config", "ampcommit.autolink", "false")
    agent(PARENT)

    assert LINK in refused(installed, "-m", "Add the parser")
    assert committed(installed, "-m", "Add the parser", "--trailer", LINK)["validated"]


@pytest.mark.parametrize("authors", ["everyone", "agent"])
def test_a_background_shell_of_the_agent_is_refused_with_the_reason(installed: Repo, authors: str) -> None:
    """AGENT=amp without an id means inside a thread; the hint says where to commit from."""
    installed("config", "ampcommit.authors", authors)
    said = refused(installed, "-m", "Add the parser", env={"AGENT": "amp", "AGENT_THREAD_ID": ""})

    assert "AC101" in said
    assert "ordinary shell tool" in said


def test_another_agents_variable_is_not_ours(installed: Repo) -> None:
    """AGENT_THREAD_ID counts only beside AGENT=amp."""
    env = {"AGENT": "goose", "AGENT_THREAD_ID": PARENT}

    assert "AC101" in refused(installed, "-m", "Add the parser", env=env)


def test_a_limit_in_the_policy_rejects(installed: Repo, agent: Enter) -> None:
    """A subject that is too long for the policy is refused even with a link."""
    installed("config", "ampcommit.maxSubject", "20")
    agent(PARENT)

    assert "AC201" in refused(installed, "-m", "Add the parser and much more")


def test_a_built_in_limit_only_warns(installed: Repo, agent: Enter) -> None:
    """Without a policy a short subject passes with a word."""
    agent(PARENT)
    done = installed.commit("-q", "-m", "x")

    assert done.stderr.startswith(b"warning: AC201 ")
    assert sound(installed)


@pytest.mark.parametrize(
    "text",
    ["[ampcommit\n", "[ampcommit]\n\tmode = require\n\x00", "[user]\n\tname = x\n", "[ampcommit]\n\tmde = off\n"],
)
def test_a_broken_policy_warns_and_the_defaults_hold(installed: Repo, text: str) -> None:
    """A file that cannot be used switches nothing off (the hook warns; `verify` refuses it)."""
    put(installed.path / ".ampcommit", text, 0o644)
    said = refused(installed, "-m", "Add the parser")

    assert said.startswith("warning: ampcommit: .ampcommit")
    assert "AC101" in said


def test_a_folder_in_place_of_the_policy_warns(installed: Repo, agent: Enter) -> None:
    """Whatever lies where the policy should be, the agent can commit."""
    (installed.path / ".ampcommit").mkdir()
    agent(PARENT)
    done = installed.commit("-q", "-m", "Add the parser")

    assert done.stderr.startswith(b"warning: ampcommit: .ampcommit is broken")
    assert sound(installed)


def test_a_clone_setting_in_the_committed_file_is_ignored_with_a_warning(installed: Repo, agent: Enter) -> None:
    """A repository that was cloned cannot decide which program is run."""
    put(installed.path / ".ampcommit", "[ampcommit]\n\tamp = ./evil\n", 0o644)
    installed("add", ".ampcommit")
    agent(PARENT)
    done = installed.commit("-q", "-m", "Add the parser")

    assert done.stderr.startswith(b"warning: ampcommit: .ampcommit: amp counts only in git config")
    assert sound(installed)


def test_a_host_of_the_policy_is_trusted(installed: Repo) -> None:
    """A team with a host of its own says so once, and its links are recorded."""
    installed("config", "ampcommit.host", "amp.example.com")
    link = url(PARENT).replace("ampcode.com", "amp.example.com")
    installed.commit("-q", "-m", "Add the parser", "--trailer", f"Amp-Thread-ID: {link}")

    assert json.loads(next(ledger_of(installed).lines()))["thread"] == PARENT


# T18: what leaks into the variable is not an id.

LEAKED = {
    "newline and trailer": f"{PARENT}\nSigned-off-by: Mallory <m@example.com>",
    "trailing newline": f"{PARENT}\n",
    "carriage return": f"{PARENT}\r",
    "traversal": "T-../../../../etc/passwd",
    "option": "--amend",
    "leading space": f" {PARENT}",
    "two": f"{PARENT} {CHILD}",
    "5 kB": "T-" + "a" * 5000,
    "link": url(PARENT),
    "escape": "T-\x1b[31m01a1f7e3",
    "command": "$(touch owned)",
    "full-width digit": PARENT.replace("0", "\uff10"),
    "short": PARENT[:-1],
}


@pytest.mark.parametrize("value", LEAKED.values(), ids=LEAKED)
def test_a_leaked_value_is_ignored_with_a_warning(installed: Repo, agent: Enter, value: str) -> None:
    """What is not an id is never written into a message, linked or not; one line says what was ignored (T18)."""
    agent(value)
    said = refused(installed, "-m", "Add the parser")

    assert "warning: ampcommit: AMP_CURRENT_THREAD_ID is not a thread id and was ignored: " in said
    assert "AC101" in said
    assert all(line.isprintable() and len(line) < 200 for line in said.splitlines())
    assert not (installed.path / "owned").exists()
    installed.commit("-q", "-m", "Add the parser", "--trailer", LINK)
    assert f"Add the parser\n\n{LINK}" == installed.head("%B").rstrip("\n")


def test_a_good_id_behind_a_leaked_one_still_counts(installed: Repo, agent: Enter) -> None:
    """The first variable that holds an id answers."""
    agent(PARENT)
    done = installed.commit("-q", "-m", "Add the parser", env={"AMP_CURRENT_THREAD_ID": "nonsense"})

    assert b"AMP_CURRENT_THREAD_ID is not a thread id" in done.stderr
    assert [url(PARENT)] == installed.links()


def test_an_upper_case_id_is_written_in_lower_case(installed: Repo, agent: Enter) -> None:
    """One thread has one link."""
    agent(PARENT.upper())

    assert committed(installed, "-m", "Add the parser")["thread"] == PARENT
    assert [url(PARENT)] == installed.links()


# F: the hook passed, and the commit did not happen.

WRAPPER = """\
mv .git/hooks/commit-msg .git/hooks/ours
printf '%s\\n' '#!/bin/sh' '.git/hooks/ours "$@" || exit 1' '{end}' >.git/hooks/commit-msg
chmod +x .git/hooks/commit-msg"""
UNWRAP = "mv .git/hooks/ours .git/hooks/commit-msg; rm -f .git/*.lock .git/refs/heads/*.lock"


class Failure:
    """A way in which a commit does not come to be: how to arrange it, git's options, how to end it."""

    def __init__(self, arrange: str = "", end: str = "", before: str = "", args: str = "", editor: str = "") -> None:
        self.arrange = arrange
        self.end = end
        self.before = before.split()
        self.args = args.split()
        self.env = {"GIT_EDITOR": editor} if editor else {}


def hook_that_refuses(name: str) -> Failure:
    """Return a failure caused by another hook."""
    path = f".git/hooks/{name}"
    return Failure(f"printf '#!/bin/sh\\nexit 1\\n' >{path}; chmod +x {path}", f"rm {path}")


FAILURES = {
    "F01 signing": Failure(before="-c gpg.program=false", args="-S"),
    "F02 ref locked": Failure(": >.git/refs/heads/main.lock", "rm .git/refs/heads/main.lock"),
    "F03 transaction": hook_that_refuses("reference-transaction"),
    "F04 index locked": Failure(": >.git/index.lock", "rm .git/index.lock", args="-a"),
    "F05 later hook": Failure(WRAPPER.format(end="exit 9"), UNWRAP),
    "F06 pre-commit": hook_that_refuses("pre-commit"),
    "F06 prepare-commit-msg": hook_that_refuses("prepare-commit-msg"),
    "F06 editor": Failure(args="-e", editor="false"),
    "F07 git killed": Failure(WRAPPER.format(end="kill -9 $PPID"), UNWRAP),
}


def failed(repo: Repo, failure: Failure) -> None:
    """Try a commit that does not come to be, check that it left no trace, and clear the way."""
    sh(repo, failure.arrange)
    before, count = repo.head(), len(records(repo))
    args = ("commit", "-q", "--allow-empty", *failure.args, "-m", "Try the parser")
    assert repo.run(*failure.before, *args, ok=False, env=failure.env).returncode != 0
    assert (before, count) == (repo.head(), len(records(repo)))
    sh(repo, failure.end)


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_commit_that_did_not_happen_leaves_no_record_and_can_be_tried_again(
    installed: Repo, agent: Enter, failure: Failure
) -> None:
    """Only what came to be is recorded; the second try is recorded as if it were the first."""
    agent(PARENT)
    committed(installed, "-m", "Begin the parser")
    failed(installed, failure)
    record = committed(installed, "-m", "Try the parser")

    assert (record["links"], record["source"], record["validated"]) == ([PARENT], "env", True)
    assert len(records(installed)) == 2


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_what_a_failed_commit_left_behind_is_not_taken_for_the_next_one(
    installed: Repo, agent: Enter, monkeypatch: pytest.MonkeyPatch, failure: Failure
) -> None:
    """Neither a person nor another thread, whose commit nobody judged, inherits anything from an earlier try."""
    agent(PARENT)
    committed(installed, "-m", "Begin the parser")
    failed(installed, failure)
    with monkeypatch.context() as person:
        for name in ("AGENT", "AGENT_THREAD_ID", "AMP_CURRENT_THREAD_ID"):
            person.delenv(name)
        assert unrecorded(installed, "-n", "-m", "Note what is left") == ""
    failed(installed, failure)
    agent(OTHER)
    record = committed(installed, "-n", "-m", "Add the scanner", "-m", f"Amp-Thread-ID: {url(OTHER)}")

    assert (record["links"], record["validated"]) == ([OTHER], False)


def test_a_dry_run_leaves_nothing(installed: Repo, agent: Enter) -> None:
    """`--dry-run` and a commit with nothing staged make neither a commit nor a record (F06)."""
    agent(PARENT)
    committed(installed, "-m", "Begin the parser")
    installed.run("commit", "--dry-run", "-m", "Try the parser", ok=False)
    installed.run("commit", "-m", "Try the parser", ok=False)

    assert len(records(installed)) == 1


def test_an_interrupt_aborts_the_commit_and_keeps_the_draft(installed: Repo, agent: Enter, tmp_path: Path) -> None:
    """Ctrl-C in the hook stops the commit as anywhere in git; the message is kept (E43)."""
    agent(PARENT)
    hooks_of(installed, python=str(put(tmp_path / "python", "#!/bin/sh\nkill -INT $$\n")))

    assert refused(installed, "-m", "Add the parser").splitlines() == []
    assert (installed.path / ".git" / "COMMIT_EDITMSG").read_text() == "Add the parser\n"


# Our own failures cost nobody a commit.


def passes(repo: Repo, *args: str, hooks: int = 2, env: Mapping[str, str] | None = None) -> list[str]:
    """Make a commit although we fail; every hook that fails says two lines. Return what was said."""
    done = repo.commit("-q", *(args or ("-m", "Add the parser")), env=env)
    lines = ours(done.stderr)
    errors = [line for line in lines if line.startswith("error: ")]
    assert 0 < len(errors) <= hooks
    assert len(errors) == sum(line.startswith(" hint: ") for line in lines)
    assert len(lines) <= 2 * hooks
    return lines


def test_a_missing_interpreter_lets_the_commit_through(installed: Repo, agent: Enter, tmp_path: Path) -> None:
    """After Python was removed people can still commit, and are told what to do (E19)."""
    agent(PARENT)
    hooks_of(installed, python=str(tmp_path / "gone" / "python"))
    lines = passes(installed)

    assert "is gone" in lines[0]
    assert "ampcommit install" in lines[1]


def test_a_missing_package_lets_the_commit_through(installed: Repo, tmp_path: Path) -> None:
    """After ampcommit was removed people can still commit (E19)."""
    hooks_of(installed, package=str(tmp_path / "gone"))

    assert "ampcommit cannot start" in passes(installed)[0]


def broken_copy(tmp_path: Path, module: str, text: str) -> str:
    """Return the folder of a copy of the package in which one module is broken."""
    source = Path(install.package()) / "ampcommit"
    shutil.copytree(source, tmp_path / "copy" / "ampcommit", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "copy" / "ampcommit" / f"{module}.py").open("a") as file:
        file.write(f"\n{text}\n")
    return str(tmp_path / "copy")


@pytest.mark.parametrize("text", ["def (:", "raise SystemExit(5)", "1 / 0", "import no_such_module"])
def test_a_broken_package_lets_the_commit_through(installed: Repo, tmp_path: Path, text: str) -> None:
    """Half an upgrade costs nobody a commit."""
    hooks_of(installed, package=broken_copy(tmp_path, "hook", text))

    passes(installed)


@pytest.mark.parametrize("module", ["linking", "recording", "note", "settings", "message", "threads"])
def test_a_defect_of_ours_lets_the_commit_through(installed: Repo, agent: Enter, tmp_path: Path, module: str) -> None:
    """A module that cannot even be loaded is reported in two lines, and the commit goes on."""
    agent(PARENT)
    hooks_of(installed, package=broken_copy(tmp_path, module, "1 / 0"))

    assert "defect in ampcommit" in passes(installed)[0]
    assert (installed.path / ".git" / "ampcommit" / "defect.txt").read_text().startswith("Traceback")


def test_a_killed_hook_lets_the_commit_through(installed: Repo, tmp_path: Path) -> None:
    """`kill -9` of the hook process costs nobody a commit."""
    hooks_of(installed, python=str(put(tmp_path / "python", "#!/bin/sh\nkill -9 $$\n")))

    assert "error: ampcommit ended with status 137" in passes(installed)


@pytest.mark.parametrize("status", [1, 2, 70, 127, 255])
def test_any_other_status_lets_the_commit_through(installed: Repo, tmp_path: Path, status: int) -> None:
    """Only 33 and 130 stop a commit."""
    hooks_of(installed, python=str(put(tmp_path / "python", f"#!/bin/sh\necho said >&2; exit {status}\n")))
    done = installed.commit("-q", "-m", "Add the parser")

    assert b"goes on unchecked" in done.stderr


LEDGERS = {
    "folder": "mkdir -p {}",
    "C13 FIFO": "mkfifo {}",
    "S08 link": "ln -s /dev/zero {}",
    "S08 dangling link": "ln -s /nonexistent/ledger {}",
    "newer version": """printf '{{"v":2,"kind":"commit"}}\\n' >{}""",
}


@pytest.mark.parametrize("script", LEDGERS.values(), ids=LEDGERS)
def test_a_ledger_that_is_not_ours_to_write_is_said_and_left_alone(installed: Repo, agent: Enter, script: str) -> None:
    """The commit stands, two lines say that nothing was recorded, and the thing itself is as before (F12)."""
    agent(PARENT)
    ledger = installed.path / ".git" / "ampcommit" / "ledger.jsonl"
    ledger.unlink()
    sh(installed, script.format(ledger))
    before = ledger.lstat()
    lines = passes(installed, hooks=1)

    assert "ledger" in lines[0]
    assert (before.st_mode, before.st_size) == (ledger.lstat().st_mode, ledger.lstat().st_size)
    assert [url(PARENT)] == installed.links()


def test_a_torn_line_is_set_aside_and_the_commit_recorded(installed: Repo, agent: Enter) -> None:
    """What a crash left half written is kept beside the ledger, and the next record is sound (C11)."""
    agent(PARENT)
    committed(installed, "-m", "Begin the parser")
    path = Path(ledger_of(installed).path)
    with path.open("ab") as file:
        file.write(b'{"v":1,"kind":"comm')
    committed(installed, "-m", "Add the parser")

    assert len(records(installed)) == 2
    assert path.with_name("ledger.jsonl.torn").read_bytes() == b'{"v":1,"kind":"comm\n'


def test_a_foreign_line_stays_and_the_next_record_names_it(installed: Repo, agent: Enter) -> None:
    """What somebody else wrote into the ledger is evidence; it is reported by the check, not removed (C12)."""
    agent(PARENT)
    committed(installed, "-m", "Begin the parser")
    path = Path(ledger_of(installed).path)
    with path.open("ab") as file:
        file.write(b"<<<<<<< HEAD\n")
    installed.commit("-q", "-m", "Add the parser")
    lines = list(ledger_of(installed).lines())

    assert (len(lines), lines[1]) == (3, b"<<<<<<< HEAD")
    assert ledger_of(installed).check().problems == ["line 2: a line is not JSON"]


@pytest.fixture
def immutable(installed: Repo) -> Iterator[Path]:
    """Our folder, in which nobody can write, not even root."""
    folder = installed.path / ".git" / "ampcommit"
    if os.geteuid() != 0:
        folder.chmod(0o500)
    elif subprocess.run(["chattr", "+i", str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("root can write anywhere, and this file system has no chattr")
    yield folder
    if os.geteuid() == 0:
        subprocess.run(["chattr", "-i", str(folder)], check=True)
    folder.chmod(0o700)


def test_a_read_only_state_folder_lets_the_commit_through(installed: Repo, agent: Enter, immutable: Path) -> None:
    """The commit is linked though the note cannot be written, and two lines say what is wrong (E37)."""
    agent(PARENT)
    lines = passes(installed)

    assert immutable.exists()
    assert [url(PARENT)] == installed.links()
    assert "ermitted" in lines[0] or "ermission" in lines[0]


def test_a_full_disk_lets_the_commit_through_and_spares_the_ledger(installed: Repo, agent: Enter) -> None:
    """Where the ledger cannot grow it stays as it was, the commit stands, and two lines say so (E38)."""
    agent(PARENT)
    for number in range(3):
        committed(installed, "-m", f"Begin the parser {number}")
    before = Path(ledger_of(installed).path).read_bytes()
    assert len(before) > 1024
    done = sh(installed, "ulimit -f 2; exec git commit -q --allow-empty -m 'Add the parser'")

    assert done.returncode == 0, done.stderr
    assert before == Path(ledger_of(installed).path).read_bytes()
    assert b"File too large" in done.stderr
    assert b"Traceback" not in done.stderr
    assert installed.head("%s") == "Add the parser"
    assert committed(installed, "-m", "Add the scanner")


def test_a_message_of_more_than_we_look_at_passes_with_a_word(installed: Repo, agent: Enter, tmp_path: Path) -> None:
    """A message of 17 MiB is nobody's attack on a commit: it is not checked, and that is said (P44)."""
    agent(PARENT)
    message = put(tmp_path / "message", "Add the parser\n\n" + "word " * 3_600_000, 0o644)

    assert "16 MiB" in passes(installed, "-F", str(message))[0]


# Other people's commits: rebase, cherry-pick, revert, merge.


class Workshop:
    """Two branches: `main` moved on by one commit, `topic` holds two commits of a person, or of another thread."""

    def __init__(self, repo: Repo) -> None:
        self.repo = repo
        self.said = b""
        self.before = len(records(repo))

    @classmethod
    def of(cls, repo: Repo, link: str | None) -> Self:
        """Make the branches in an empty repository."""
        workshop = cls(repo)
        link_args = ["-m", link] if link else []
        workshop._commit("base", "-m", "Begin the parser", *link_args)
        repo("checkout", "-q", "-b", "topic")
        workshop._commit("one", "-m", "Add the scanner", *link_args)
        workshop._commit("two", "-m", "Add the printer", *link_args)
        repo("checkout", "-q", "main")
        workshop._commit("three", "-m", "Add the reader", *link_args)
        return cls(repo)

    def _commit(self, name: str, *args: str) -> None:
        put(self.repo.path / name, f"{name}\n", 0o644)
        self.repo("add", name)
        self.repo.run("commit", "-q", "-n", *args)

    def play(self, script: str) -> None:
        """Run the script's git commands, all of which must succeed, then check all that must hold."""
        done = sh(self.repo, f"set -e\n{script}", env={"GIT_EDITOR": "true"})
        self.said = done.stderr
        assert done.returncode == 0, done.stderr
        records(self.repo)
        assert self.repo("status", "--porcelain") == ""
        assert b"error: AC" not in done.stderr

    def threads(self) -> list[str]:
        """Return every link that any commit on this branch carries."""
        return self.repo("log", "--format=%(trailers:key=Amp-Thread-ID,valueonly,separator=%x20)").split()


def begun(repo: Repo, link: str | None) -> Workshop:
    """Return a workshop in an empty repository with our hooks."""
    return Workshop(once(repo, Workshop.of, link))


SEQUENCE = "GIT_SEQUENCE_EDITOR=\"sed -i '{}'\" git rebase -q -i main topic"
CLASH = "git checkout -q topic; echo mine >three; git add three; git commit -q -n --amend --no-edit"
REBASED = f"{CLASH}; git rebase -q main && exit 1; echo both >three; git add three"
PICKED = f"{CLASH}; git checkout -q main; git cherry-pick topic && exit 1; echo both >three; git add three"
MERGED = f"{CLASH}; git checkout -q main; git merge -q topic && exit 1; echo both >three; git add three"
EDITED = SEQUENCE.format("1s/^pick/edit/") + "; echo more >>one; git add one"
REPLAYS = {
    "F08 rebase": "git rebase -q main topic",
    "E26 --signoff": "git rebase -q --signoff main topic",
    "E26 --rebase-merges": "git rebase -q --rebase-merges main topic",
    "E22 --apply": "git rebase -q --apply main topic",
    "E24 reword": SEQUENCE.format("1s/^pick/reword/"),
    "E24 edit and amend": f"{EDITED}; git commit -q --amend --no-edit; git rebase --continue",
    "E24 edit and --continue": f"{EDITED}; git rebase --continue",
    "E24 exec amend": "git rebase -q --exec 'git commit -q --amend --no-edit' main topic",
    "E24 exec amend -m": "git rebase -q --exec 'git commit -q --amend -m \"Say it again\"' main topic~1",
    "E24 drop": SEQUENCE.format("1s/^pick/drop/"),
    "E25 squash": SEQUENCE.format("2s/^pick/squash/"),
    "E25 fixup": SEQUENCE.format("2s/^pick/fixup/"),
    "E25 fixup -c": SEQUENCE.format("2s/^pick/fixup -c/"),
    "conflict and --continue": f"{REBASED}; git rebase --continue",
    "conflict and commit": f"{REBASED}; git commit -q --no-edit; git rebase --continue",
    "F11 cherry-pick": "git cherry-pick topic~1 topic",
    "F11 cherry-pick -x": "git cherry-pick -x topic",
    "F11 cherry-pick -e": "git cherry-pick -e topic",
    "cherry-pick conflict and --continue": f"{PICKED}; git cherry-pick --continue",
    "cherry-pick conflict and commit": f"{PICKED}; git commit -q --no-edit",
    "cherry-pick of two and commit": f"{PICKED.replace('pick topic', 'pick topic~1 topic')}; git commit -q --no-edit",
    "E22 am": "git format-patch -q -o .git/patches main..topic; git am -q .git/patches/*",
    "E29 fast-forward": "git checkout -q -b old main~1; git merge -q main",
    "E30 stash": "echo more >>base; git stash -q; git stash pop -q; git checkout -q base; git notes add -m note",
    "F10 reset": "git reset -q --hard HEAD~1",
}


@pytest.mark.parametrize("link", [None, LINK], ids=["a person's", "another thread's"])
@pytest.mark.parametrize("script", REPLAYS.values(), ids=REPLAYS)
def test_other_peoples_commits_are_not_stamped_with_the_thread_at_work(
    installed: Repo, agent: Enter, script: str, link: str | None
) -> None:
    """While git replays commits nothing is refused, and nobody's commit gets the thread that moves it (E23)."""
    workshop = begun(installed, link)
    agent(CHILD)
    if "fixup -c" in script and re.match(r"git version 2\.31\b", installed("version")):
        pytest.skip("this git has no fixup -c: it came with 2.32")
    workshop.play(script)

    assert set(workshop.threads()) == ({url(PARENT)} if link else set())
    assert not [record for record in records(installed) if CHILD in record["links"]]


SPEAKING = [name for name in REPLAYS if "reword" in name or "amend" in name or "conflict" in name]


@pytest.mark.parametrize("name", SPEAKING)
def test_a_person_is_not_asked_for_links_while_git_replays_commits(installed: Repo, name: str) -> None:
    """Nobody has to link old commits in order to move them, though commit-msg speaks for some of these."""
    workshop = begun(installed, None)
    workshop.play(REPLAYS[name])

    assert (workshop.threads(), records(installed)) == ([], [])


@pytest.mark.parametrize("script", [SEQUENCE.format("1s/^pick/reword/"), "git rebase -q main topic"])
def test_a_moved_commit_is_recorded_from_its_own_link(installed: Repo, agent: Enter, script: str) -> None:
    """The new ids of another thread's commits are recorded for that thread, as the message's claim (F08)."""
    workshop = begun(installed, LINK)
    agent(CHILD)
    workshop.play(script)
    new = records(installed)[workshop.before :]

    assert set(installed("rev-list", "main..topic").split()) <= {record["commit"] for record in new}
    assert {"message"} == {record["source"] for record in new}


NO_COMMIT = {
    "E21 commit-tree": "git update-ref HEAD $(git commit-tree -p HEAD -m 'By hand' HEAD^{tree})",
    "E21 filter-branch": "FILTER_BRANCH_SQUELCH_WARNING=1 "
    "git filter-branch -f --msg-filter 'sed \"1s/^/Again: /\"' >/dev/null",
    **{name: script for name, script in REPLAYS.items() if name.startswith(("E22 am", "E29", "E30", "F10"))},
}


@pytest.mark.parametrize("script", NO_COMMIT.values(), ids=NO_COMMIT)
def test_where_git_fires_no_hook_nothing_is_recorded(installed: Repo, agent: Enter, script: str) -> None:
    """What does not go through `git commit` leaves the ledger as it was, sound."""
    workshop = begun(installed, LINK)
    agent(CHILD)
    workshop.play(script)

    assert workshop.before == len(records(installed))


def test_a_rebase_inside_a_thread_gives_no_advice_about_other_peoples_commits(installed: Repo, agent: Enter) -> None:
    """Amending in the middle of a rebase is no way out of anything, so nothing of the kind is said."""
    workshop = begun(installed, None)
    agent(CHILD)
    workshop.play("git rebase -q main topic")

    assert b"--amend" not in workshop.said


@pytest.mark.parametrize(
    "script", ["git cherry-pick topic", "git revert --no-edit HEAD"], ids=["cherry-pick", "revert"]
)
def test_after_a_single_pick_inside_a_thread_one_line_says_how_to_link_it(
    installed: Repo, agent: Enter, script: str
) -> None:
    """A revert and a cherry-pick are commits of the agent that git does not let us link; the advice works."""
    workshop = begun(installed, None)
    agent(CHILD)
    workshop.play(script)

    assert workshop.said.count(b"git commit --amend --no-edit") == 1
    assert committed(installed, "--amend", "--no-edit")["links"] == [CHILD]


def test_a_quoted_link_in_a_revert_is_not_its_own(installed: Repo, agent: Enter) -> None:
    """A revert mentions the commit it takes back; that is prose (P48)."""
    agent(PARENT)
    committed(installed, "-m", "Begin the parser")
    put(installed.path / "f", "content\n", 0o644)
    installed("add", "f")
    committed(installed, "-m", "Add the scanner")
    agent(OTHER)
    installed("revert", "--no-edit", "HEAD")

    assert installed.links() == []
    assert len(records(installed)) == 2


def test_a_merge_inside_a_thread_is_linked(installed: Repo, agent: Enter) -> None:
    """A merge commit is a commit of the thread that merges (E27)."""
    workshop = begun(installed, None)
    agent(CHILD)
    workshop.play("git merge -q --no-ff topic")

    assert [url(CHILD)] == installed.links()


def test_a_merge_by_a_person_needs_no_link(installed: Repo) -> None:
    """A merge is exempt, and nothing is said about it (E27)."""
    workshop = begun(installed, None)
    workshop.play("git merge -q --no-ff topic")

    assert workshop.said == b""
    assert len(installed.head("%P").split()) == 2


@pytest.mark.parametrize("end", ["git commit -q --no-edit", "git merge --continue"])
def test_a_merge_with_conflicts_is_linked_and_recorded(installed: Repo, agent: Enter, end: str) -> None:
    """Where the agent settled a conflict, the merge is recorded with both parents (E28)."""
    workshop = begun(installed, None)
    agent(CHILD)
    workshop.play(f"{MERGED}; {end}")
    record = sound(installed)

    assert record
    assert (len(record["parents"]), record["validated"], record["source"]) == (2, True, "env")


def test_a_commit_after_a_merge_is_not_given_the_merges_note(installed: Repo, agent: Enter) -> None:
    """Git fires no post-commit for a merge; what commit-msg noted of it fits no later commit."""
    workshop = begun(installed, None)
    agent(CHILD)
    workshop.play("git merge -q --no-ff topic")
    record = committed(installed, "-n", "-m", "Add the parser", "-m", f"Amp-Thread-ID: {url(CHILD)}")

    assert not record["validated"]


def test_a_squash_merge_is_one_commit_of_the_thread_that_makes_it(installed: Repo, agent: Enter) -> None:
    """The links of the squashed commits stand indented in the text and do not count (P50)."""
    workshop = begun(installed, LINK)
    agent(CHILD)
    workshop.play("git merge -q --squash topic; git commit -q --no-edit")

    assert [url(CHILD)] == installed.links()
    assert records(installed)[-1]["links"] == [CHILD]


# Where a commit is made.


def test_a_commit_of_a_path_and_of_everything(installed: Repo, agent: Enter) -> None:
    """With `commit -a` and `commit PATH` git works on another index; neither is harmed (E02)."""
    agent(PARENT)
    for name in ("a", "b"):
        put(installed.path / name, "one\n", 0o644)
    installed("add", ".")
    committed(installed, "-m", "Begin the parser")
    for name in ("a", "b"):
        put(installed.path / name, "two\n", 0o644)
    installed.commit("-q", "-m", "Change one of them", "a")

    assert installed("status", "--porcelain") == " M b"
    installed.commit("-q", "-a", "-m", "Change the other")
    assert sound(installed)
    assert len(records(installed)) == 3


def test_a_linked_work_tree_shares_the_ledger(installed: Repo, agent: Enter, tmp_path: Path) -> None:
    """All work trees of a clone write one ledger, which outlives each of them (E03, C20)."""
    agent(PARENT)
    committed(installed, "-m", "Begin the parser")
    installed("worktree", "add", "-q", str(tmp_path / "wt"))
    record = committed(Repo(tmp_path / "wt"), "-m", "Add the parser")
    installed("worktree", "remove", "--force", str(tmp_path / "wt"))

    assert (record["branch"], record["validated"]) == ("wt", True)
    assert len(records(installed)) == 2


def test_a_submodule_has_its_own_ledger(installed: Repo, agent: Enter, tmp_path: Path) -> None:
    """A submodule is a clone of its own: own hooks, own ledger (E04)."""
    agent(PARENT)
    committed(installed, "-m", "Begin the parser")
    inner = tmp_path / "inner"
    shutil.copytree(installed.path, inner)
    installed("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "sub")
    install.install(str(installed.path / "sub"))
    sub = Repo(installed.path / "sub")
    record = committed(sub, "-m", "Add the parser")

    assert str(installed.path / ".git" / "modules" / "sub") in ledger_of(sub).path
    assert [record] == records(sub)
    assert len(list(ledger_of(installed).lines())) == 1


def test_a_separate_git_dir_is_understood(agent: Enter, tmp_path: Path) -> None:
    """Where `.git` is a file, everything is found behind it (E04)."""
    subprocess.run(["git", "init", "-q", f"--separate-git-dir={tmp_path / 'g'}", str(tmp_path / "w")], check=True)
    install.install(str(tmp_path / "w"))
    agent(PARENT)
    committed(Repo(tmp_path / "w"), "-m", "Add the parser")

    assert (tmp_path / "g" / "ampcommit" / "ledger.jsonl").stat().st_size


def test_a_bare_repository_with_a_work_tree(agent: Enter, tmp_path: Path) -> None:
    """Dotfiles in a bare repository are commits like any other (E05)."""
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "b")], check=True)
    (tmp_path / "w").mkdir()
    install.install(str(tmp_path / "b"))
    agent(PARENT)
    Repo(tmp_path).run("--git-dir=b", "--work-tree=w", "commit", "-q", "--allow-empty", "-m", "Add the parser")

    assert [record["thread"] for record in records(Repo(tmp_path / "b"))] == [PARENT]


ANYWHERE = {
    "-C": "cd /; git -C {top} commit",
    "relative --git-dir": "cd ..; git --git-dir=repo/.git --work-tree=repo commit",
    "GIT_DIR": "cd sub; GIT_DIR={top}/.git GIT_WORK_TREE={top} git commit",
    "relative GIT_DIR": "cd ..; GIT_DIR=repo/.git GIT_WORK_TREE=repo git commit",
    "subdirectory": "cd sub; git commit",
}


@pytest.mark.parametrize("script", ANYWHERE.values(), ids=ANYWHERE)
def test_a_commit_from_anywhere(installed: Repo, agent: Enter, script: str) -> None:
    """Wherever git is started, its hooks find their way (E06)."""
    agent(PARENT)
    (installed.path / "sub").mkdir()
    done = sh(installed, f"{script.format(top=installed.path)} -q --allow-empty -m 'Add the parser'")

    assert (done.returncode, done.stderr) == (0, b"")
    assert sound(installed)


@pytest.mark.parametrize(
    ("arrange", "branch"),
    [("git checkout -q --detach", None), ("git checkout -q --orphan o", "o"), ("git branch -q -m a/b", "a/b")],
    ids=["detached", "orphan", "slash"],
)
def test_on_any_kind_of_head(installed: Repo, agent: Enter, arrange: str, branch: str | None) -> None:
    """A record says which branch it was, or that there was none (E33)."""
    agent(PARENT)
    committed(installed, "-m", "Begin the parser")
    sh(installed, arrange)
    record = committed(installed, "-m", "Add the parser")

    assert (branch, True) == (record["branch"], record["validated"])


def test_a_branch_named_to_do_harm_is_only_a_name(installed: Repo, agent: Enter) -> None:
    """Shell syntax in a branch's name is never run (S07)."""
    agent(PARENT)
    installed("checkout", "-q", "-b", "x;touch${IFS}owned")
    committed(installed, "-m", "Add the parser")

    assert not (installed.path / "owned").exists()


def test_a_sha256_repository(agent: Enter, tmp_path: Path) -> None:
    """Ids of 64 digits are ids (E35)."""
    subprocess.run(["git", "init", "-q", "--object-format=sha256", str(tmp_path / "r")], check=True)
    install.install(str(tmp_path / "r"))
    agent(PARENT)
    committed(Repo(tmp_path / "r"), "-m", "Begin the parser")
    record = committed(Repo(tmp_path / "r"), "-m", "Add the parser")

    assert (len(record["commit"]), record["validated"]) == (64, True)


def test_a_packed_branch(installed: Repo, agent: Enter) -> None:
    """After `git pack-refs` the note still fits the commit."""
    agent(PARENT)
    committed(installed, "-m", "Begin the parser")
    installed("pack-refs", "--all", "--prune")

    assert committed(installed, "-m", "Add the parser")["validated"]


@pytest.mark.parametrize("value", ["@0 +0000", "@4102444800 +1400", "@1 -1200"])
def test_odd_dates_do_no_harm(installed: Repo, agent: Enter, value: str) -> None:
    """Whatever year a commit says it is, its record is well formed (E34)."""
    agent(PARENT)

    assert committed(installed, "-m", "Add the parser", env={"GIT_AUTHOR_DATE": value, "GIT_COMMITTER_DATE": value})


def test_dead_commits_stay_in_the_ledger(installed: Repo, agent: Enter) -> None:
    """The ledger outlives commits that git has forgotten (E32)."""
    agent(PARENT)
    committed(installed, "-m", "Add the parser")
    committed(installed, "--amend", "-m", "Add the scanner")
    sh(installed, "git reflog expire --expire=now --all; git gc -q --prune=now")

    assert ledger_of(installed).check().problems == []
    assert [json.loads(line)["kind"] for line in ledger_of(installed).lines()] == ["commit", "commit", "rewrite"]


# The environment.


def bare_environment(repo: Repo, args: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Commit with nothing but *args* in the environment, beside the agent's variables and a name."""
    who = [f"GIT_{role}_{what}={what.lower()}" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
    ids = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("A") and "THREAD" in name]
    command = ["env", "-i", "AGENT=amp", *ids, *who, *args, "git", "commit", "-q", "--allow-empty", "-m", "Add it all"]
    return subprocess.run(command, cwd=repo.path, capture_output=True, check=False)


@pytest.mark.parametrize(
    "args",
    [
        ["PATH=/usr/bin:/bin"],
        ["PATH=/usr/bin:/bin", "HOME=/nonexistent/home"],
        ["PATH=/usr/bin:/bin", "HOME=", "LC_ALL=C"],
        ["PATH=/usr/bin:/bin", "LC_ALL=xx_YY.no-such"],
        ["PATH=/usr/bin:/bin", "XDG_DATA_HOME=relative/folder"],
    ],
    ids=["E18 GUI client", "E16 no such home", "E16 LC_ALL=C", "E16 unknown locale", "relative data folder"],
)
def test_a_poor_environment_is_enough(installed: Repo, agent: Enter, args: list[str]) -> None:
    """GUI clients and service accounts start git with next to nothing (E16, E18)."""
    agent(PARENT)
    done = bare_environment(installed, args)

    assert (done.returncode, ours(done.stderr)) == (0, [])
    assert sound(installed)


@pytest.mark.parametrize("streams", ["<&- >&- 2>&-", "</dev/null >/dev/full 2>/dev/full", "2>&-", ">&-", "<&-"])
def test_closed_and_full_streams_do_no_harm(installed: Repo, agent: Enter, streams: str) -> None:
    """No file of ours gets the number of a closed stream (E16)."""
    agent(PARENT)
    sh(installed, f"git commit -q --allow-empty -m 'Add the parser' {streams}")

    assert sound(installed)


def test_a_refusal_without_anybody_to_hear_it_is_a_refusal(installed: Repo) -> None:
    """A closed stderr does not let a commit through."""
    assert sh(installed, "git commit -q --allow-empty -m 'Add the parser' 2>&-").returncode == 1
    assert sh(installed, "git commit -q --allow-empty -m 'Add the parser' 2>/dev/full").returncode == 1


@pytest.mark.parametrize("where", ["work tree", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PATH"])
def test_nothing_is_imported_or_run_from_a_hostile_place(
    installed: Repo, agent: Enter, tmp_path: Path, where: str
) -> None:
    """Modules and programs that a repository or an environment offers are not ours (E17, S19)."""
    agent(PARENT)
    evil = installed.path if where == "work tree" else tmp_path / "evil"
    marker = tmp_path / "owned"
    for name in ("json", "os", "re", "select", "fcntl", "time", "ampcommit", "sitecustomize", "traceback"):
        put(evil / f"{name}.py", f"open({str(marker)!r}, 'w')\n", 0o644)
    for name in ("python", "python3", "ampcommit", "amp"):
        put(evil / name, f"#!/bin/sh\n: >'{marker}'\n")
    installed("add", ".")
    value = f"{evil}:{os.environ['PATH']}" if where == "PATH" else str(evil / "os.py") if "UP" in where else str(evil)
    committed(installed, "-m", "Add the parser", env={} if where == "work tree" else {where: value})

    assert not marker.exists()


def test_a_setting_on_the_command_line_is_honoured(installed: Repo) -> None:
    """`git -c ampcommit.mode=warn commit` warns, once (E08)."""
    done = installed.run("-c", "ampcommit.mode=warn", "commit", "-q", "--allow-empty", "-m", "Add the parser")

    assert done.stderr.startswith(b"warning: AC101 ")


@pytest.mark.parametrize(
    "config",
    ["trailer.separators==", "trailer.ifmissing=doNothing", "trailer.where=start", "trailer.x.command=touch owned"],
    ids=["P09 separators", "P56 ifmissing", "P56 where", "P57 command"],
)
def test_settings_for_trailers_do_not_change_what_we_do(installed: Repo, agent: Enter, config: str) -> None:
    """How somebody set up `git interpret-trailers` has no influence, and no command of it is run."""
    agent(PARENT)
    key, _, value = config.partition("=")
    installed("config", key, value)
    installed.commit("-q", "-m", "Add the parser")
    installed("config", "--unset", key)

    assert f"Add the parser\n\n{LINK}" == installed.head("%B").rstrip("\n")
    assert len(records(installed)) == 1
    assert not (installed.path / "owned").exists()


def test_a_quiet_commit_is_quiet(installed: Repo, agent: Enter) -> None:
    """Beside git's own line nothing is printed when all is well (E42)."""
    agent(PARENT)
    done = installed.commit("-m", "Add the parser")

    assert (done.stderr, len(done.stdout.splitlines())) == (b"", 1)


def test_another_commit_msg_hook_is_seen_and_heard(repo: Repo, agent: Enter) -> None:
    """The hook that was there before keeps its edits and its veto."""
    put(
        repo.path / ".git" / "hooks" / "commit-msg",
        '#!/bin/sh\ngrep -q forbidden "$1" && exit 7\nprintf \'\\nChange-Id: I1\\n\' >>"$1"\n',
    )
    install.install(str(repo.path))
    agent(PARENT)
    committed(repo, "-m", "Add the parser")

    assert f"Change-Id: I1\n{LINK}" == repo.head("%(trailers)").rstrip("\n")
    assert refused(repo, "-m", "Add the forbidden parser") == ""


def test_another_post_commit_hook_keeps_running(repo: Repo, agent: Enter) -> None:
    """The hook that was there before runs after each commit, and its failure does not cost the record."""
    put(repo.path / ".git" / "hooks" / "post-commit", "#!/bin/sh\ngit rev-parse HEAD >>.git/seen\nexit 3\n")
    install.install(str(repo.path))
    agent(PARENT)
    record = committed(repo, "-m", "Add the parser")

    assert (repo.path / ".git" / "seen").read_text() == record["commit"] + "\n"


# Many at once.


def test_eight_work_trees_committing_in_parallel_mix_nothing_up(installed: Repo, agent: Enter, tmp_path: Path) -> None:
    """Agents in parallel work trees each get their own records, all of them, in one sound ledger (C01)."""
    agent(PARENT)
    committed(installed, "-m", "Begin the parser")
    threads = [f"T-00000000-0000-7000-8000-00000000000{number}" for number in range(8)]
    running = []
    for number, thread in enumerate(threads):
        installed("worktree", "add", "-q", str(tmp_path / f"wt{number}"))
        env = {**os.environ, "AMP_CURRENT_THREAD_ID": thread}
        script = f"set -e; for n in 1 2 3 4 5 6; do git commit -q --allow-empty -m 'Commit {number} of mine '$n; done"
        running.append(subprocess.Popen(["sh", "-c", script], cwd=tmp_path / f"wt{number}", env=env))
    statuses = [process.wait(60) for process in running]
    found = records(installed)[1:]

    assert statuses == [0] * 8
    assert {(record["thread"], record["branch"]) for record in found} == {
        (thread, f"wt{number}") for number, thread in enumerate(threads)
    }
    assert 48 == len(found) == len({record["commit"] for record in found})
    assert all(record["validated"] for record in found)


def test_twelve_racing_commits_in_one_work_tree(installed: Repo, agent: Enter) -> None:
    """Who wins the race is recorded, with the thread that its message names; who loses leaves nothing (C02)."""
    agent(PARENT)
    committed(installed, "-m", "Begin the parser")
    threads = [f"T-00000000-0000-7000-8000-0000000000{number:02}" for number in range(12)]
    running = []
    for thread in threads:
        argv = ["git", "commit", "-q", "--allow-empty", "-m", f"Race with {thread}"]
        env = {**os.environ, "AMP_CURRENT_THREAD_ID": thread}
        running.append(subprocess.Popen(argv, cwd=installed.path, env=env, stderr=subprocess.DEVNULL))
    won = [thread for thread, process in zip(threads, running, strict=True) if process.wait(60) == 0]

    # All of them write one COMMIT_EDITMSG: git may commit the text that another one has just begun, without a link.
    made = installed("log", "--format=%H %(trailers:key=Amp-Thread-ID,valueonly,separator=%x20)").splitlines()
    assert 1 + len(won) == len(made)
    assert {line.split()[0] for line in made if "T-" in line} == {record["commit"] for record in records(installed)}
