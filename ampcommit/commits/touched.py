"""Which paths many commits changed, by the names that those have afterwards."""

from ampcommit.batch import LACKING
from ampcommit.commits.changes import heads
from ampcommit.errors import GitError, SetupError
from ampcommit.record import Sha

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ampcommit.gitcmd import Git

_KINDS = ("cat-file", "--batch-check=%(objecttype)", "--buffer")
# Of a merge, what differs from all of its parents. Limits are given, because they differ between versions of git.
_ASKED = ("diff-tree", "--stdin", "-r", "-z", "--root", "-c", "--raw", "--no-ext-diff", "--no-textconv")
_RENAMES = ("-M", "-l1000")
_WITHOUT = ("--no-renames", "--diff-filter=d")


def present(git: "Git", commits: "Sequence[Sha]") -> set[Sha]:
    """Return those of *commits* that are here."""
    asked = list(dict.fromkeys(commits))
    question = "\n".join([*asked, ""]).encode("ascii")
    try:
        answer = b"".join(git.stream(*_KINDS, stdin=question)) if asked else b""
    except GitError as error:
        raise SetupError(str(error), hint=LACKING) from error
    kinds = answer.split(b"\n")[:-1]
    return {commit for commit, kind in zip(asked, kinds, strict=True) if kind == b"commit"}


def touched(git: "Git", commits: "Sequence[Sha]") -> dict[Sha, list[bytes]]:
    """
    Return the paths that each of *commits* changed, as git sorts them; of what was renamed, the new name.

    Nothing is told of a commit whose parents are not all here. Renames are found by what is in files; where a file is
    not here (a partial clone), paths that a commit removed are left out: one of them may be an old name.
    """
    told = {Sha(head.commit.decode("ascii")): head for head in heads(git, _bytes(commits)) if head}
    parents = {one: [Sha(parent.decode("ascii")) for parent in head.parents] for one, head in told.items()}
    here = present(git, [parent for some in parents.values() for parent in some])
    asked = [one for one, some in parents.items() if here.issuperset(some)]
    question = "\n".join([*asked, ""]).encode("ascii")
    try:
        answer = b"".join(git.stream(*_ASKED, *_RENAMES, stdin=question))
    except GitError:
        try:
            answer = b"".join(git.stream(*_ASKED, *_WITHOUT, stdin=question))
        except GitError as error:
            raise SetupError(str(error), hint=LACKING) from error
    return _parted(answer, asked)


def _parted(answer: bytes, commits: list[Sha]) -> dict[Sha, list[bytes]]:
    """Return the paths in git's *answer* by commit; a path never stands where a commit could."""
    found: dict[Sha, list[bytes]] = {commit: [] for commit in commits}
    words = iter(answer.split(b"\0")[:-1])
    paths: list[bytes] = []
    for word in words:
        if not word.startswith(b":"):
            paths = found[Sha(word.decode("ascii"))]
            continue
        path = next(words)
        renamed = not word.startswith(b"::") and word.rpartition(b" ")[2].startswith(b"R")
        paths.append(next(words) if renamed else path)
    return found


def _bytes(commits: "Sequence[Sha]") -> list[bytes]:
    return [commit.encode("ascii") for commit in commits]
