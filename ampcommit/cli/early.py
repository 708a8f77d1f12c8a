"""What can begin before the command line is loaded, which takes a while: git, with all of a history."""

import os
from contextlib import ExitStack, contextmanager

from ampcommit.errors import AmpcommitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ampcommit.commits.history import History
    from ampcommit.place import Place


@contextmanager
def early(args: list[str]) -> "Iterator[tuple[Place, History] | None]":
    """Let git begin where *args* say `verify --all`; that is half of what keeps the command at the speed of git."""
    with ExitStack() as stack:
        yield _begun(stack) if args[:1] == ["verify"] and "--all" in args else None


def _begun(stack: ExitStack) -> "tuple[Place, History] | None":
    from ampcommit.verbs.verify import reading

    try:
        place, history = stack.enter_context(reading(os.environ))
        history.begin(history.everything())
    except AmpcommitError:
        return None  # the command itself will fail by it, and say so
    return place, history
