"""The commands about the ledger, as they are typed."""

from pathlib import Path

import pytest

from tests.conftest import CHILD, PARENT, Repo, Run, url

UNHOOKED = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.hooksPath", "GIT_CONFIG_VALUE_0": "/dev/null"}


def test_a_lost_ledger_is_rebuilt(run: Run, repo: Repo) -> None:
    """C15: what the commits themselves say is recorded again; a second run finds nothing to do."""
    for thread in (PARENT, CHILD):
        repo.commit("-q", "-m", "Add the parser", "-m", f"Amp-Thread-ID: {url(thread)}", env=UNHOOKED)
    dry = run("ledger", "rebuild", "--dry-run")
    assert (dry.status, dry.out.splitlines()[0].startswith("2 commits, 2 lines would be added")) == (0, True)
    assert run("ledger", "list").out == ""

    assert run("ledger", "rebuild", "--json").data["recorded"] == 2
    assert run("ledger", "rebuild", "HEAD~1..HEAD").out.splitlines()[1:] == ["       1 known already"]
    assert len(run("ledger", "list").out.splitlines()) == 2
    assert run("show", "--json").data["source"] == "rebuilt"
    assert run("ledger", "check").status == 0


@pytest.mark.parametrize("range_", ["nosuch", "--output=x", "HEAD..nosuch"])
def test_a_range_that_names_nothing_is_a_misuse(run: Run, repo: Repo, range_: str) -> None:
    """S05, S06: nothing is written for a name that git does not know, nor for an option in its place."""
    repo.commit("-q", "-m", "Add the parser")
    done = run("ledger", "rebuild", range_)

    assert (done.status, done.out) == (2, "")
    assert [line.partition(": ")[0] for line in done.err.splitlines()] == ["error", " hint"]
    assert not Path(repo.path, "x").exists()


def record_all(run: Run, repo: Repo, *threads: str) -> None:
    """Make a commit from each thread, and record them."""
    for thread in threads:
        (repo.path / "file").write_text(thread)
        repo("add", "file")
        repo("commit", "-q", "-m", "Add the parser", "-m", f"Amp-Thread-ID: {url(thread)}", env=UNHOOKED)
    run("ledger", "rebuild")


def test_a_ledger_is_exported_and_imported(run: Run, repo: Repo, tmp_path: Path) -> None:
    """Out of one clone, into another one by a file or by stdin, and into the same one without effect."""
    record_all(run, repo, PARENT, CHILD)
    done = run("ledger", "export")
    assert (done.status, done.err, len(done.out.splitlines())) == (0, "", 2)
    (tmp_path / "team.jsonl").write_text(done.out)

    assert run("ledger", "import", str(tmp_path / "team.jsonl")).out.splitlines()[1:] == ["       2 known already"]
    Path(repo.path, ".git", "ampcommit", "ledger.jsonl").unlink()
    assert run("ledger", "import", "-", "--dry-run", "--json", stdin=done.out.encode()).data["added"] == 2
    told = run("ledger", "import", str(tmp_path / "team.jsonl"), "--json").data
    assert (told["schema"], told["added"], told["missing"]) == ("ampcommit.import/1", 2, 0)
    assert run("ledger", "check").status == 0


@pytest.mark.parametrize("form", ["agent-trace", "in-toto"])
def test_other_forms_take_a_range_and_a_file(run: Run, repo: Repo, tmp_path: Path, form: str) -> None:
    """One object a line, about the commits that were asked for."""
    record_all(run, repo, PARENT, CHILD)
    target = tmp_path / "out"
    done = run("ledger", "export", "HEAD~1..HEAD", "--format", form, "--output", str(target))

    assert (done.status, done.out, done.err) == (0, "", "")
    assert [repo.head() in line for line in target.read_text().splitlines()] == [True]


def test_a_file_without_one_sound_line_is_a_failure(run: Run, repo: Repo) -> None:
    """Each bad line is a warning; only where there is nothing else is the exit status 2."""
    repo.commit("-q", "-m", "By hand")
    bad = run("ledger", "import", "-", stdin=b"{\nx\n")
    assert (bad.status, bad.out.splitlines()[1:]) == (2, ["       2 that cannot be used"])
    assert bad.err.splitlines() == ["warning: line 1: a line is not JSON", "warning: line 2: a line is not JSON"]

    half = run("ledger", "import", "-", stdin=b'{\n{"v":1,"kind":"head"}\n')
    assert (half.status, len(half.err.splitlines())) == (0, 1)
    assert (run("ledger", "import", "-").status, run("ledger", "import", "-", stdin=None).status) == (0, 2)


@pytest.mark.parametrize("name", ["nosuch", ".", "a\0b", ""])
def test_a_file_that_cannot_be_read_is_a_misuse(run: Run, repo: Repo, name: str) -> None:
    """Two lines say what is wrong with it."""
    repo.commit("-q", "-m", "By hand")
    done = run("ledger", "import", name)

    assert (done.status, done.out) == (2, "")
    assert [line.partition(": ")[0] for line in done.err.splitlines()] == ["error", " hint"]


@pytest.mark.parametrize(
    "args", [("export", "nosuch"), ("export", ""), ("export", "--format", "csv"), ("import", "-", "--format", "csv")]
)
def test_a_form_or_range_that_is_none_is_a_misuse(run: Run, repo: Repo, args: tuple[str, ...]) -> None:
    """S05, S06: nothing is printed, and nothing is written."""
    repo.commit("-q", "-m", "By hand")
    done = run("ledger", *args, *(["--output", "x"] if args[0] == "export" else []))

    assert (done.status, done.out) == (2, "")
    assert not Path(repo.path, "x").exists()


def test_the_ledger_is_where_its_path_says(run: Run, repo: Repo) -> None:
    """A backup is a copy of that file."""
    record_all(run, repo, PARENT)

    assert Path(run("ledger", "path").out.rstrip("\n")).read_text() == run("ledger", "list").out
