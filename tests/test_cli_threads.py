"""The commands about threads, as a shell sees them: exit codes, stdout, stderr."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ampcommit.amp.ampcli import record
from ampcommit.cli import app as cli
from ampcommit.place import Place
from tests.conftest import CHILD, OTHER, PARENT, Repo, url

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(repo: Repo, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command line in an empty repository, in process."""
    monkeypatch.chdir(repo.path)

    def call(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            cli.main(args)
        return (int(left.value.code or 0), *capfd.readouterr())

    return call


def data(done: tuple[int, str, str]) -> dict[str, Any]:
    """Return the one JSON object on stdout."""
    assert (done[0], done[1].count("\n")) == (0, 1)
    found: dict[str, Any] = json.loads(done[1])
    return found


@pytest.mark.usefixtures("january")
@pytest.mark.parametrize("named", [CHILD, CHILD.upper(), f"@{CHILD}", url(CHILD)])
def test_chain_goes_back_to_the_root(run: Run, named: str) -> None:
    """The way back is printed nearest first, with how far it is known."""
    status, out, err = run("chain", named)

    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[:2]] == [url(CHILD), url(PARENT)]
    assert out.splitlines()[-1] == "(complete: back to the thread where the work began)"


@pytest.mark.usefixtures("january")
def test_chain_goes_down_and_all_around(run: Run) -> None:
    """Downwards nobody can say that it is complete."""
    for option, asked in (("--down", PARENT), ("--all", CHILD)):
        lines = run("chain", asked, option)[1].splitlines()
        assert [line.split()[0] for line in lines[:2]] == [url(PARENT), url(CHILD)]
        assert lines[-1] == "(as far as this machine knows)"


def test_two_pictures_at_once_are_a_misuse(run: Run) -> None:
    """Exit 2, with a way out."""
    status, out, err = run("chain", CHILD, "--down", "--all")

    assert (status, out) == (2, "")
    assert err.startswith("error: --down and --all")


@pytest.mark.usefixtures("january")
@pytest.mark.parametrize(
    "args", [("--json",), ("--format", "json"), ("--json", "--sequence"), ("--json", "--format=dot")]
)
def test_chain_speaks_json(run: Run, args: tuple[str, ...]) -> None:
    """`--json` is the same as `--format json`, whatever else is asked for."""
    found = data(run("chain", CHILD, *args))

    assert (found["schema"], found["status"], found["chain"]) == ("ampcommit.chain/1", "complete", [CHILD, PARENT])


@pytest.mark.usefixtures("january")
@pytest.mark.parametrize(
    ("args", "begins"),
    [
        (("--format", "mermaid"), "flowchart TD"),
        (("--format", "dot"), "digraph chain {"),
        (("--sequence",), "sequenceDiagram"),
        (("--sequence", "--format", "json"), "sequenceDiagram"),
    ],
)
def test_chain_draws(run: Run, args: tuple[str, ...], begins: str) -> None:
    """Pictures go to stdout, for another program to draw."""
    status, out, err = run("chain", CHILD, *args)

    assert (status, out.splitlines()[0], err) == (0, begins, "")


def test_an_unknown_thread_is_a_gap_and_no_error(run: Run) -> None:
    """T01: what is not known is said, on stdout, and the exit code is 0."""
    status, out, _ = run("chain", CHILD)

    assert status == 0
    assert "nothing is known of this thread here" in out
    assert out.splitlines()[-1].startswith("(unknown:")


@pytest.mark.parametrize("named", ["HEAD", "T-1", "nosuch", ""])
def test_what_is_neither_thread_nor_commit_is_a_misuse(run: Run, named: str) -> None:
    """Who mistyped a thread is not told of commits alone."""
    status, out, err = run("chain", named)

    assert (status, out) == (2, "")
    assert err.startswith(f"error: {named!a} is neither a thread nor a commit here\n hint: name a thread, T-…, ")


def test_asking_without_an_amp_is_refused_with_a_way_out(run: Run) -> None:
    """Exit 3: the setup does not allow it."""
    status, _, err = run("chain", CHILD, "--ask")

    assert status == 3
    assert "ampcommit install" in err


def test_what_went_wrong_while_asking_is_a_warning(
    run: Run, repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The picture comes all the same."""
    (tmp_path / "amp").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "amp").chmod(0o755)
    record(Place(str(repo.path / ".git")), str(tmp_path / "amp"))
    monkeypatch.setenv("AMP_API_KEY", "k")
    for form in ("tree", "json", "dot"):
        status, out, err = run("chain", CHILD, "--ask", "--format", form)
        assert (status, err) == (0, f"warning: {CHILD}: amp ended with status 1\n")
        assert CHILD in out


@pytest.mark.usefixtures("january")
def test_chain_leads_to_the_web(run: Run, repo: Repo) -> None:
    """The tree and the JSON have the pages of commits; neither shows who asks the remote for them."""
    repo("remote", "add", "origin", "https://user:ghp_secret@github.com/owner/repo.git")
    repo.commit("-q", "-m", "Base")
    run("install")
    for subject in ("Add the parser (#12)", "Mend the parser"):
        repo.commit("-q", "-m", subject, "-m", f"Amp-Thread-ID: {url(CHILD)}")
    base, last = repo("rev-parse", "HEAD~2"), repo.head()
    page = "https://github.com/owner/repo"
    compare = f"{page}/compare/{base}...{last}"
    tree, shown = run("chain")[1], run("show")[1]
    child, parent = data(run("chain", "--json"))["threads"]

    assert compare in [line.removeprefix("│").strip() for line in tree.splitlines()]
    assert f"web       {page}/commit/{last}" in shown.splitlines()
    assert (child["web"]["compare"], list(child["web"]["commits"])) == (compare, [repo.head("%P"), last])
    assert child["web"]["requests"] == [{"number": 12, "url": f"{page}/pull/12", "source": "subject"}]
    assert parent["web"] is None
    everything = [run(*args)[1] for args in (["chain", "--json"], ["show", "--json"], ["chain", "--format=dot"])]
    assert "secret" not in "".join([*everything, tree, shown])


@pytest.mark.usefixtures("january")
def test_resolve_says_what_became_of_each(run: Run) -> None:
    """Exit 5 where Amp or the way to it left something open."""
    assert run("resolve", CHILD) == (0, f"{CHILD} complete, 2 threads\n", "")
    status, out, _ = run("resolve", OTHER)
    assert (status, out.partition(": ")[0]) == (5, f"{OTHER} unknown, 1 thread")


def test_resolve_with_nothing_to_do_says_so(run: Run) -> None:
    """An empty ledger has no open chains."""
    assert run("resolve") == (0, "nothing to resolve: every chain in the ledger is known\n", "")
    assert data(run("resolve", "--json")) == {"schema": "ampcommit.resolve/1", "threads": []}


@pytest.mark.usefixtures("january")
def test_resolve_speaks_json(run: Run) -> None:
    """One object, when all is done."""
    [outcome] = data(run("resolve", "--json", CHILD))["threads"]

    assert (outcome["chain"], outcome["chain_state"], outcome["problem"]) == ([CHILD, PARENT], "complete", None)


def test_use_sets_what_current_shows(run: Run) -> None:
    """A person's word holds until it is taken back."""
    assert run("current") == (0, "no thread is at work here\n", "")
    assert run("use", url(CHILD))[1].startswith(f"{url(CHILD)}  (set by hand ")
    assert data(run("current", "--json"))["source"] == "use"
    assert run("use", "--none") == (0, "no thread is at work here\n", "")


@pytest.mark.parametrize("args", [(), (CHILD, "--none"), ("T-1",)])
def test_use_needs_one_thing_to_do(run: Run, args: tuple[str, ...]) -> None:
    """Exit 2: nothing was set."""
    assert run("use", *args)[0] == 2
    assert data(run("current", "--json"))["thread"] is None


def test_a_word_that_is_outweighed_is_said(run: Run, agent: Callable[[str], None]) -> None:
    """Inside an agent what a person sets does not count, and nobody has to find that out alone."""
    agent(CHILD)
    status, out, err = run("use", PARENT)

    assert (status, out.partition(" ")[0]) == (0, url(CHILD))
    assert err == "warning: it is set, but AMP_CURRENT_THREAD_ID weighs more in this shell\n"


def test_current_names_the_variable(run: Run, agent: Callable[[str], None]) -> None:
    """A variable that leaked is found by its name."""
    agent(CHILD)

    assert run("current") == (0, f"{url(CHILD)}  (AMP_CURRENT_THREAD_ID in the environment)\n", "")
    assert os.environ["AGENT"] == "amp"
