"""A ref of notes, moved from where it was seen; what is in the way of that is said in two lines."""

from ampcommit.errors import GitError
from ampcommit.escape import terminal
from ampcommit.record import Sha

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ampcommit.gitcmd import Git

_WHO = ("-c", "user.name=ampcommit", "-c", "user.email=share@ampcommit.invalid")
_LOCKED = "if no git is at work in this clone, remove that file, and run this again"
_VETO = "a hook of yours, reference-transaction, does not let it move: let it pass, and run this again"
_OTHER = "look with `git for-each-ref refs/notes` what is in its way, and run this again"
# What git says -> what can be done, the more telling ones first.
_HINTS = ((".lock'", _LOCKED), ("by hook", _VETO))


def tip_of(git: "Git", ref: str) -> Sha | None:
    """Return the commit that *ref* names; None where there is none."""
    found = git("rev-parse", "-q", "--verify", f"{ref}^{{commit}}", ok=(0, 1, 128))
    return Sha.maybe(found.decode("ascii").strip())


def moved(git: "Git", ref: str, tip: Sha | None, new: Sha, message: str) -> bool:
    """Say whether *ref* went from *tip* to *new*; not where somebody else moved it meanwhile."""
    try:
        git(*_WHO, "update-ref", "--create-reflog", "-m", message, ref, new, tip or "0" * len(new))
    except GitError as error:
        if tip_of(git, ref) == tip:
            raise _explained(git, ref, str(error)) from error
        return False
    return True


def _explained(git: "Git", ref: str, said: str) -> GitError:
    """Return what it means that *ref* did not move, and nobody else moved it, with what can be done."""
    kind = git("for-each-ref", "--format=%(objecttype)", ref).decode("ascii").split("\n")[0]
    below = git("for-each-ref", "--count=1", "--format=%(refname)", f"{ref}/")
    if below:
        name = terminal(below.decode("utf-8", "replace").strip())
        return GitError(f"{ref} cannot be made: {name} is in its way", hint=f"remove it: git update-ref -d {name}")
    if kind not in ("", "commit"):
        hint = f"if it is of no use, remove it: git update-ref -d {ref}"
        return GitError(f"{ref} should name a commit, and names a {kind}", hint=hint)
    hint = next((hint for word, hint in _HINTS if word in said), _OTHER)
    return GitError(terminal(said, 1000), hint=hint)
