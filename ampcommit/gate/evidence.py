"""What `verify` has to judge by beside the commits: records in the ledger and in notes, and whether they count."""

import os

from ampcommit.errors import MisuseError
from ampcommit.files import read_regular
from ampcommit.ledger import Ledger
from ampcommit.notes.handoffs import Handoffs
from ampcommit.notes.noted import shelves, trees
from ampcommit.notes.records import Proof, Records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ampcommit.commits.history import History
    from ampcommit.notes.records import Said
    from ampcommit.notes.signing import Signers
    from ampcommit.place import Place
    from ampcommit.record import Sha, ThreadId
    from ampcommit.settings import Settings

SIGNERS_FILE = ".ampcommit-signers"
"""Who may sign records: a file of the repository, where the policy that counts is."""


class Evidence:
    """
    The records of one clone, as one policy asks for them; with *signers*, what they did not sign does not count.

    *fork* says that the commits come from a fork, of which only the forge can know: no ref here is proof of it.

    `doubts` says that no commit is beyond doubt by its message alone, `noted` that commits are to be asked about
    together, with `fetch`.
    """

    def __init__(
        self,
        place: "Place",
        environ: "Mapping[str, str]",
        settings: "Settings",
        signers: "Signers | None" = None,
        *,
        fork: bool = False,
    ) -> None:
        ledger = Ledger(place.ledger)
        noted = shelves(place, environ)
        signed = signers.signed_by if signers else None
        self._records = Records(ledger, noted, signed, trees(place, environ))
        self._present = self._records.present
        self._handoffs = Handoffs(ledger, noted, signed)
        self._signed = signers is not None
        self._fork = fork
        looked = self._present and settings["record"] and not self._signed
        self._damage = next(iter(self._records.problems()), None) if looked else None
        self.noted = bool(noted)
        self.doubts = self._present or self._signed

    def fetch(self, commits: "Iterable[Sha]") -> None:
        """Ask the notes about all of *commits* at once."""
        if self.noted:
            self._records.fetch(commits)

    def passed_over(self) -> list[str]:
        """Return sentences about the notes that were too long to be read."""
        return self._records.passed_over()

    def of(self, commit: "Sha") -> "list[Said]":
        """Return what is recorded of *commit*."""
        return self._records.of(commit) if self._present else []

    def proof(self, commit: "Sha") -> Proof:
        """Return how far that counts."""

        def later(thread: "ThreadId") -> "ThreadId | None":
            made = self._records.made(commit)
            return self._handoffs.before(thread, made) if made else None

        return Proof(self._damage, fork=self._fork, signed=self._signed, later=later)


def allowed_signers(
    place: "Place", environ: "Mapping[str, str]", history: "History", source: "Sha | None", path: str
) -> "Signers":
    """
    Return who may sign: as the file *path* says, else the one in the commit *source*; what is set here is not.

    No file in a work tree: what was checked out there may be what is to be judged.
    """
    from ampcommit.notes.signing import ALLOWED_LIMIT, Signers  # costs the others nothing

    if path:
        if place.ground(os.path.abspath(path)):
            hint = f"commit {SIGNERS_FILE} to the branch that receives the commits, or name a file outside"
            message = f"--allowed-signers {path!a} lies in this repository, where a request can change it"
            raise MisuseError(message, hint=hint)
        allowed = read_regular(os.path.realpath(path), ALLOWED_LIMIT)
        if allowed is None:
            hint = f"name a file of at most {ALLOWED_LIMIT >> 10} KiB"
            raise MisuseError(f"--allowed-signers {path!a} is no file that can be read", hint=hint)
        return Signers(allowed, environ, place)
    blob = history.blob(source, SIGNERS_FILE) if source else None
    if blob is None:
        where = source or "the receiving branch"
        hint = f"commit {SIGNERS_FILE} there first, or name a file outside: --allowed-signers FILE"
        raise MisuseError(f"who may sign is not known: {where} has no {SIGNERS_FILE}", hint=hint)
    return Signers(history.objects("cat-file", "blob", blob), environ, place)
