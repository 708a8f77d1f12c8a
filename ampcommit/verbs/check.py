"""`ledger check`: whether the ledger is whole, and is the one of which the notes of this clone tell."""

import os

from ampcommit.gitcmd import Git, clean
from ampcommit.ledger import Ledger
from ampcommit.notes.heads import START, contradicted
from ampcommit.notes.notestree import lines_of
from ampcommit.notes.shared import Notes
from ampcommit.place import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ampcommit.ledger import Report


def check(environ: "Mapping[str, str]", folder: str = ".") -> "tuple[Report, list[str]]":
    """
    Return what is wrong with the ledger, and in sentences where shared notes contradict it.

    All notes are looked at: who rewrites a ledger can leave out the commit in whose note it was counted.
    """
    place = Place.of_folder(Git(folder, environ))
    ledger = Ledger(os.path.realpath(place.ledger))
    notes = Notes(Git(place.git_dir, clean(environ, place.git_dir)))
    heads = (line for _, text in notes.texts() if START in text for line in lines_of(text) if line.startswith(START))
    return ledger.check(), contradicted(ledger, place, heads)
