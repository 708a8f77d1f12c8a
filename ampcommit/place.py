"""Where we are: git's folders, our own, HEAD and what is in progress; git is started only where no file tells."""

import os

from ampcommit.errors import GitError, SetupError
from ampcommit.files import read_regular
from ampcommit.gitcmd import Git, clean, version
from ampcommit.record import Sha

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

OLDEST_GIT = (2, 31)
"""The first git that prints absolute paths when asked; hooks let commits pass with an older one."""

_SMALL = 4096  # HEAD, commondir and loose refs are one line
_PATH_LIMIT = 8192
_PACKED = 256 * 1024 * 1024
_IN_PROGRESS = ("rebase-merge", "rebase-apply", "sequencer", "CHERRY_PICK_HEAD", "REVERT_HEAD")
_REFTABLE = b"refs/heads/.invalid"  # what the file HEAD says where refs are in a reftable: there git has to be asked


class Place:
    """
    The git dir and the common dir of one work tree, and what lies in them.

    Git starts a hook at the top of the work tree with GIT_DIR set wherever it is not
    `.git`; asking `git rev-parse` would cost a hook a child process for each answer.
    """

    __slots__ = ("common_dir", "git_dir", "top")

    def __init__(self, git_dir: str, top: str = ".") -> None:
        self.git_dir = git_dir
        self.top = top
        common = read_regular(os.path.join(git_dir, "commondir"), _SMALL)
        self.common_dir = (
            os.path.normpath(os.path.join(git_dir, os.fsdecode(common.rstrip(b"\n")))) if common else git_dir
        )

    @classmethod
    def of_hook(cls, environ: "Mapping[str, str]") -> "Place":
        """Return the place of a hook that runs at the top of a work tree with this environment."""
        git_dir = environ.get("GIT_DIR") or ".git"
        named = read_regular(git_dir, _SMALL)  # a linked work tree or a submodule, and a caller other than git
        if named and named.startswith(b"gitdir: "):
            git_dir = os.path.join(os.path.dirname(git_dir), os.fsdecode(named[8:].rstrip(b"\n")))
        return cls(git_dir)

    @classmethod
    def of_folder(cls, git: "Git") -> "Place":
        """Return the place that git finds from its folder; `SetupError` without a repository, or with an old git."""
        _require_git(git)
        try:
            listed = git("rev-parse", "--path-format=absolute", "--git-dir", "--is-inside-work-tree")
        except GitError as error:
            hint = "run ampcommit inside a git repository"
            if "dubious ownership" in str(error):
                hint = "if you trust it, let git trust it: git config --global --add safe.directory <its path>"
            raise SetupError(str(error), hint=hint) from error
        git_dir, inside = os.fsdecode(listed).removesuffix("\n").rsplit("\n", 1)
        if inside != "true":  # a bare repository, or a git dir
            return cls(git_dir, git_dir)
        return cls(
            git_dir, os.fsdecode(git("rev-parse", "--path-format=absolute", "--show-toplevel")).removesuffix("\n")
        )

    @property
    def state(self) -> str:
        """Our folder for the whole clone: ledger and lock."""
        return os.path.join(self.common_dir, "ampcommit")

    @property
    def private(self) -> str:
        """Our folder for this work tree: the note and the thread set by hand."""
        return os.path.join(self.git_dir, "ampcommit")

    @property
    def ledger(self) -> str:
        """The ledger of this clone."""
        return os.path.join(self.state, "ledger.jsonl")

    @property
    def amp(self) -> str:
        """The file in which `install` notes where `amp` is."""
        return os.path.join(self.state, "amp")

    def mode(self) -> int:
        """Return the permissions of what stands beside the ledger: it is as open to others as the ledger is."""
        try:
            return os.lstat(self.ledger).st_mode & 0o666
        except OSError:
            return 0o600

    def ground(self, path: str) -> str | None:
        """Return the folder of this repository in which *path*, or what it links to, lies; None if it is outside."""
        common = os.path.realpath(self.common_dir)
        grounds = [os.path.realpath(self.top), common]
        if os.path.basename(common) == ".git":  # the main work tree, seen from a linked one or from its git dir
            grounds.append(os.path.dirname(common))
        grounds += _linked(common)
        above, inside, _ = common.partition("/.git/modules/")
        grounds += [above] if inside else []  # the repository that this one is a submodule of
        folder, name = os.path.split(path)
        ends = (os.path.join(os.path.realpath(folder), name), os.path.realpath(path))
        return next((ground for ground in grounds for end in ends if os.path.commonpath([ground, end]) == ground), None)

    def replaying(self) -> bool:
        """Say whether git is replaying commits here (rebase, cherry-pick, revert, am): they may be other people's."""
        seen = any(os.path.lexists(os.path.join(self.git_dir, name)) for name in _IN_PROGRESS)
        return seen or (self._symbolic() == _REFTABLE and self._picking())

    def rebasing(self) -> bool:
        """Say whether a rebase (or `git am`) is under way here."""
        return any(os.path.lexists(os.path.join(self.git_dir, name)) for name in _IN_PROGRESS[:2])

    def merging(self) -> bool:
        """Say whether the next commit concludes a merge."""
        return os.path.lexists(os.path.join(self.git_dir, "MERGE_HEAD"))

    def branch(self) -> str | None:
        """Return the name of the current branch; None when HEAD is detached."""
        ref = self._symbolic()
        if ref == _REFTABLE:
            ref = self._asked("symbolic-ref", "-q", "HEAD")
        return os.fsdecode(ref[11:]) if ref and ref.startswith(b"refs/heads/") else None

    def head(self) -> Sha | None:
        """Return the commit that HEAD names; None on an unborn branch."""
        ref = self._symbolic()
        if ref == _REFTABLE:
            value = self._asked("rev-parse", "-q", "--verify", "HEAD")
        else:
            value = self._line("HEAD") if ref is None else self._resolved(ref)
        return Sha.maybe(value.decode("ascii", "replace"))

    def _asked(self, *args: str, stdin: bytes = b"") -> bytes:
        git = Git(environ=clean(os.environ, self.git_dir))
        return git(*args, stdin=stdin, ok=(0, 1)).rstrip(b"\n")

    def _picking(self) -> bool:
        """Ask git whether a single commit is being picked or reverted; the rest of what is in progress are files."""
        said = self._asked("cat-file", "--batch-check", stdin=b"CHERRY_PICK_HEAD\nREVERT_HEAD\n")
        return not all(line.endswith(b" missing") for line in said.split(b"\n"))

    def _symbolic(self) -> bytes | None:
        head = self._line("HEAD")
        return head[5:] if head.startswith(b"ref: ") else None

    def _resolved(self, ref: bytes) -> bytes:
        """Return the value of *ref*: a loose file, else its line in packed-refs."""
        loose = read_regular(os.path.join(self.common_dir, os.fsdecode(ref)), _SMALL)
        if loose is not None:
            return loose.rstrip(b"\n")
        packed = b"\n" + (read_regular(os.path.join(self.common_dir, "packed-refs"), _PACKED) or b"")
        end = packed.find(b" " + ref + b"\n")
        return packed[packed.rfind(b"\n", 0, end) + 1 : end] if end >= 0 else b""

    def _line(self, name: str) -> bytes:
        return (read_regular(os.path.join(self.git_dir, name), _SMALL) or b"").rstrip(b"\n")


def _linked(common: str) -> list[str]:
    """Return the linked work trees of the clone with this common dir."""
    folder = os.path.join(common, "worktrees")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    files = [read_regular(os.path.join(folder, name, "gitdir"), _PATH_LIMIT) or b"" for name in names]
    trees = [os.path.dirname(os.fsdecode(file).removesuffix("\n")) for file in files]
    return [os.path.realpath(os.path.join(folder, name, tree)) for name, tree in zip(names, trees, strict=True) if tree]


def _require_git(git: "Git") -> None:
    if version(git) < OLDEST_GIT:
        said = git("version").decode("utf-8", "replace").removeprefix("git version ").strip()
        raise SetupError(f"git {said} is too old", hint="ampcommit needs git 2.31 or newer")
