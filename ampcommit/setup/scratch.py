"""
A scratch copy of a clone's setup: its configuration, its small files and its hooks, in a throw-away repository.

Whatever is tried there touches neither the clone's objects, refs, index and work tree nor its ledger.
"""

import os
import tempfile
from contextlib import contextmanager

from ampcommit.current import VARIABLES
from ampcommit.errors import GitError
from ampcommit.files import read_regular, remove
from ampcommit.gitcmd import Git, clean
from ampcommit.settings import POLICY_FILE
from ampcommit.shim import HOOKS, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ampcommit.place import Place

    Pairs = list[tuple[str, str | None]]

BRANCH = "ampcommit-doctor"
"""The one branch of a scratch repository; nobody has settings for it."""

_FORWARD = """\
#!/bin/sh
echo {name} >>{log}
exec {hook} "$@"
"""
# Sections of a clone's configuration that lead elsewhere, hold secrets, or start something of their own.
_SECTIONS = "alias branch credential extensions filter gc gpg http imap include includeif index lfs maintenance pack"
_LEFT_OUT = frozenset(f"{_SECTIONS} pull push remote remotes sendemail submodule url".split())
_CORE = "alternaterefscommand askpass bare editor fsmonitor gitproxy hookspath pager repositoryformatversion"
_CORE_LEFT_OUT = frozenset(f"{_CORE} sparsecheckout sparsecheckoutcone sshcommand untrackedcache worktree".split())
_SECRETS = ("apikey", "cookie", "header", "passphrase", "password", "secret", "token")
_FORCED: "Pairs" = [
    ("commit.gpgsign", "false"),  # a key's passphrase would be asked for
    ("merge.verifysignatures", "false"),
    ("core.fsmonitor", "false"),
    ("core.logallrefupdates", "true"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
]
# Folders in which hooks of a repository usually keep what they call, beside those whose name begins with a dot.
_FOLDERS = ("bin", "build", "git-hooks", "githooks", "hooks", "script", "scripts", "tools")
_MOST_FILES, _MOST_BYTES = 2000, 20 * 1024 * 1024
# Without its own note of what it installed, lefthook would install its hooks anew, over ours.
_INFO = ("attributes", "exclude", "lefthook.checksum")
_IDENTITY = {
    f"GIT_{who}_{what}": f"ampcommit{tail}"
    for who in ("AUTHOR", "COMMITTER")
    for what, tail in (("NAME", " doctor"), ("EMAIL", "@localhost"))
}


class Scratch:
    """A throw-away repository: its work tree, its git dir, the folder of its hooks, what git runs with there."""

    def __init__(self, root: str, environ: dict[str, str]) -> None:
        self.work = os.path.join(root, "work")
        self.git_dir = os.path.join(self.work, ".git")
        self.hooks = os.path.join(root, "hooks")
        self.environ = environ
        self._log = os.path.join(root, "started")

    def forward(self, folder: str) -> None:
        """
        Let each of our hooks hand over to the one in *folder*, if git would run it there.

        The others are left out: a `pre-commit` runs tests and stashes, and proves nothing.
        """
        os.makedirs(self.hooks)
        for name in HOOKS:
            path = os.path.join(folder, name)
            if runnable(path):
                with open(os.path.join(self.hooks, name), "w", errors="surrogateescape") as script:
                    script.write(_FORWARD.format(name=name, log=quoted(self._log), hook=quoted(path)))
                os.chmod(script.name, 0o700)

    def started(self) -> list[str]:
        """Return the hooks that git started, in order."""
        return (read_regular(self._log, _MOST_BYTES) or b"").decode("ascii", "replace").split()


@contextmanager
def scratch(git: Git, place: "Place", hooks: str, environ: "Mapping[str, str]") -> "Iterator[Scratch]":
    """Make a scratch copy of the setup of *place*, whose hooks lie in the folder *hooks*; remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="ampcommit-doctor-", dir=_room(place), ignore_cleanup_errors=True) as root:
        copy = Scratch(os.path.realpath(root), surroundings(git, environ))
        _make(copy, git, place)
        copy.forward(hooks)
        _copy_files(copy, git, place, hooks)
        _copy_tools(copy, place.top)
        programs = os.path.join(place.top, "node_modules", ".bin")
        if os.path.isdir(programs):  # where hook scripts of husky and lefthook look, from the top of the work tree
            copy.environ["PATH"] = os.pathsep.join([copy.environ.get("PATH", os.defpath), programs])
        yield copy


def runnable(path: str) -> bool:
    """Say whether git would run the hook *path*."""
    return os.path.isfile(path) and os.access(path, os.X_OK)


def surroundings(git: Git, environ: "Mapping[str, str]") -> dict[str, str]:
    """Return *environ* without what it says of one repository, or of a thread at work."""
    dropped = {"AGENT", *VARIABLES, *git("rev-parse", "--local-env-vars").decode("ascii").split()}
    return {name: value for name, value in environ.items() if name not in dropped}


def _room(place: "Place") -> str:
    """Return a folder in which programs may be run: the usual one, else our own in the clone."""
    usual = tempfile.gettempdir()
    barred = os.statvfs(usual).f_flag & getattr(os, "ST_NOEXEC", 0)
    return place.state if barred and os.path.isdir(place.state) else usual


def _make(copy: Scratch, git: Git, place: "Place") -> None:
    """Make the repository, with the clone's own configuration."""
    pairs = _configured(git)
    form = git("rev-parse", "--show-object-format").decode("ascii").strip()
    kind = [f"--ref-format={value}" for _, key, value in pairs if key == "extensions.refstorage"]
    Git(environ=copy.environ)(
        *("init", "-q", "--template=", f"--initial-branch={BRANCH}", f"--object-format={form}", *kind, copy.work)
    )
    disabled = [(f"hook.{name}.enabled", "false") for name in _others(pairs)]
    kept = [(key, value) for scope, key, value in pairs if scope not in ("system", "global") and _kept(key, value)]
    with open(os.path.join(copy.git_dir, "config"), "a", encoding="utf-8", errors="surrogateescape") as file:
        file.writelines(
            _line(key, value) for key, value in [*kept, *disabled, *_FORCED, ("core.hooksPath", copy.hooks)]
        )
    os.makedirs(os.path.join(copy.git_dir, "info"), exist_ok=True)
    for name in _INFO:
        content = read_regular(os.path.join(place.common_dir, "info", name), _MOST_BYTES)
        if content is not None:
            with open(os.path.join(copy.git_dir, "info", name), "wb") as info:
                info.write(content)
    inside = Git(copy.work, copy.environ)
    try:
        inside("var", "GIT_AUTHOR_IDENT")
        inside("var", "GIT_COMMITTER_IDENT")
    except GitError:  # real commits fail, too, and git says so; the hooks can be tried all the same
        copy.environ.update(_IDENTITY)


def _configured(git: Git) -> "list[tuple[str, str, str | None]]":
    """Return scope, key and value of all that git's configuration holds here, the weightiest last."""
    listed = os.fsdecode(git("config", "--list", "-z", "--show-scope")).split("\0")[:-1]
    entries = [entry.partition("\n") for entry in listed[1::2]]
    return [
        (scope, key, value if feed else None) for scope, (key, feed, value) in zip(listed[::2], entries, strict=True)
    ]


def _kept(key: str, value: str | None) -> bool:
    """Say whether a setting of the clone belongs into the copy."""
    section, _, rest = key.partition(".")
    name = rest.rpartition(".")[2]
    if section == "ampcommit":
        return True
    away = section in _LEFT_OUT or (section == "core" and name in _CORE_LEFT_OUT)
    secret = any(word in name for word in _SECRETS) or "@" in (value or "").partition("://")[2].partition("/")[0]
    return not away and not secret


def _others(pairs: "list[tuple[str, str, str | None]]") -> list[str]:
    """Return the hooks that stand in git's configuration (git 2.54) for other events than ours."""
    events: dict[str, set[str]] = {}
    for _, key, value in pairs:
        if key.startswith("hook.") and key.endswith(".event"):
            events.setdefault(key[5:-6], set()).add(value or "")
    return [name for name, its in events.items() if its.isdisjoint(HOOKS)]


def _line(key: str, value: str | None) -> str:
    """Return a setting as it stands in a file."""
    section, _, rest = key.partition(".")
    subsection, dot, name = rest.rpartition(".")
    head = f'[{section} "{_escaped(subsection)}"]' if dot else f"[{section}]"
    return f"{head}\n\t{name}\n" if value is None else f'{head}\n\t{name} = "{_escaped(value)}"\n'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _copy_files(copy: Scratch, git: Git, place: "Place", hooks: str) -> None:
    """
    Put small files of HEAD into the work tree, in which hooks may look for their scripts; nobody's uncommitted work.

    They are not committed there: nothing filters them, and a hook that asks what was changed hears of nothing.
    """
    try:
        commit = git("rev-parse", "-q", "--verify", "HEAD^{commit}", ok=(0, 1, 128)).decode("ascii").strip()
        objects = os.fsdecode(git("rev-parse", "--path-format=absolute", "--git-path", "objects")).removesuffix("\n")
        # Asked of the copy, which has no remote: what a partial clone lacks is not fetched.
        borrowed = copy.environ | {"GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{_escaped(objects)}"'}
        reader = Git(environ=clean(borrowed, copy.git_dir))
        files = _chosen(reader, commit, os.path.relpath(hooks, place.top).partition("/")[0]) if commit else []
        contents = _contents(reader, [blob for _, blob, _ in files])
    except GitError:
        return  # a broken history, or a huge one: hooks that miss their scripts will say so
    for (mode, _, path), content in zip(files, contents, strict=True):
        _write(os.path.join(copy.work, path), content, 0o755 if mode == "100755" else 0o644)


def _copy_tools(copy: Scratch, top: str) -> None:
    """Put in what hook managers and the policy say in the work tree at *top*: they act on it, committed or not."""
    for folder in ("", ".config"):
        here = os.path.join(top, folder)
        for name in os.listdir(here) if os.path.isdir(here) else ():
            if name in (POLICY_FILE, ".pre-commit-config.yaml") or "lefthook" in name:
                content = read_regular(os.path.join(here, name), _MOST_BYTES)
                if content is not None:
                    remove(os.path.join(copy.work, folder, name))
                    _write(os.path.join(copy.work, folder, name), content, 0o644)


def _chosen(reader: Git, commit: str, hooks: str) -> list[tuple[str, str, str]]:
    """Return mode, blob and path of the files to copy: those at the top, and those in folders that serve hooks."""
    top = _listed(reader, commit)
    folders = [path for mode, _, _, path in top if mode == "040000" and (path in (*_FOLDERS, hooks) or path[0] == ".")]
    below = _listed(reader, "-r", commit, "--", *folders) if folders else []
    chosen, left = [], _MOST_BYTES
    for mode, blob, size, path in top + below:
        if mode in ("100644", "100755") and size.isdigit() and int(size) <= left and _harmless(path):
            left -= int(size)
            chosen.append((mode, blob, path))
    return chosen[:_MOST_FILES]


def _listed(reader: Git, *args: str) -> list[tuple[str, str, str, str]]:
    """Return mode, object, size and path of what `git ls-tree` lists."""
    listed = os.fsdecode(reader("--literal-pathspecs", "ls-tree", "-l", "-z", "--full-tree", *args)).split("\0")[:-1]
    found = []
    for entry in listed:
        about, _, path = entry.partition("\t")
        mode, _, name, size = about.split()
        found.append((mode, name, size, path))
    return found


def _harmless(path: str) -> bool:
    """Say whether no piece of *path* leads out of the work tree, or into a git dir under any of its names."""
    pieces = [piece.encode("ascii", "ignore").decode("ascii").rstrip(". ").lower() for piece in path.split("/")]
    return not {"", ".git", "git~1"}.intersection(pieces)


def _contents(reader: Git, blobs: list[str]) -> list[bytes]:
    """Return the content of each of *blobs*."""
    told = reader("cat-file", "--batch", stdin="".join(f"{blob}\n" for blob in blobs).encode("ascii"), deadline=30)
    found, at = [], 0
    while at < len(told):
        start = told.index(b"\n", at) + 1
        at = start + int(told[at:start].split()[2]) + 1
        found.append(told[start : at - 1])
    return found


def _write(path: str, content: bytes, mode: int) -> None:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "xb") as file:
            file.write(content)
        os.chmod(path, mode)
    except OSError:
        pass  # a name that this file system cannot hold; a hook that misses it will say so
