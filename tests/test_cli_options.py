"""Options that several commands share."""

import pytest
import typer

from ampcommit.cli.options import insist
from tests.conftest import Run


def test_a_value_that_is_empty_is_refused() -> None:
    """A script's variable that was never set is not taken for the wish to leave the option out."""
    assert (insist(None), insist("x")) == (None, "x")
    with pytest.raises(typer.BadParameter, match="must not be empty"):
        insist("")


@pytest.mark.parametrize(
    "args", [("verify", ""), ("stats", ""), ("ledger", "list", "--commit="), ("sync", "--since=")], ids=" ".join
)
def test_commands_refuse_empty_values(run: Run, args: tuple[str, ...]) -> None:
    """An empty range, commit or date is exit 2, in two lines."""
    done = run(*args)

    assert (done.status, done.out, len(done.err.splitlines())) == (2, "", 2)
