"""`ledger check`: damage is an error; a head that contradicts the ledger is a notice, for anybody can make one up."""

import json
from pathlib import Path

from ampcommit.gitcmd import Git
from ampcommit.notes.heads import head, number_of
from ampcommit.notes.shared import REF, unite
from ampcommit.place import Place
from tests.conftest import Repo, Run
from tests.githost import keep
from tests.test_shared import A, B, C, record


def test_a_ledger_rewritten_as_a_whole_is_noticed(run: Run, repo: Repo) -> None:
    """Nothing in the new ledger is damaged, nor need it have the commit in whose note the old one was counted."""
    ledger = keep(repo, [record(A), record(B)])
    git = Git(str(repo.path))
    place = Place.of_folder(git)
    unite(git, place, REF, {B: [head(number_of(place), 2, [*ledger.lines()][1]), b"x"], C: [b"y"]})
    fine = run("ledger", "check")
    assert (fine.status, fine.err, len(fine.out.splitlines())) == (0, "", 1)
    Path(ledger.path).unlink()
    keep(repo, [record(A), record(C)])

    done = run("ledger", "check")
    assert (done.status, done.out.startswith("2 lines, 0 problems")) == (0, True)
    assert done.err.startswith("warning: notes tell that line 2 of the ledger was another one:")
    assert json.loads(run("ledger", "check", "--json").out)["notices"] == [done.err.strip().removeprefix("warning: ")]


def test_damage_is_still_an_error(run: Run, repo: Repo) -> None:
    """The exit status tells damage, with notes or without."""
    ledger = keep(repo, [record(A), record(B)])
    Path(ledger.path).write_bytes(Path(ledger.path).read_bytes().replace(b"secret-plan", b"other-plan_", 1))

    assert run("ledger", "check").status == 4
