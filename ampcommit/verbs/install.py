"""Hooks in, hooks out, and what is there: the verbs `install`, `uninstall` and `status`."""

import os
import stat
import sys
import time

from ampcommit import shim
from ampcommit.amp import ampcli
from ampcommit.current import in_use
from ampcommit.errors import AmpcommitError, GitError, InstallError
from ampcommit.files import write_atomic
from ampcommit.gitcmd import Git
from ampcommit.ledger import Ledger
from ampcommit.notes import fetching
from ampcommit.place import Place
from ampcommit.settings import Settings, read_settings, shared_mode
from ampcommit.setup import managers, recipes
from ampcommit.setup.managers import clashes, is_foreign, is_ours, keep_aside, read_script, take_back
from ampcommit.verbs.share import remote_of

_NAMES = (*shim.HOOKS, *shim.SHARING)

# Folders whose content is thrown away by the tools that make them.
_THROWN_AWAY = ("/uv/archive-v", "/uv/environments-v", "/uv/builds-v", "/pipx/.cache/", "/.cache/pipx/")


class HookState:
    """One hook of this clone: `state` is installed, outdated, broken, foreign, by hand or absent."""

    def __init__(self, name: str, path: str, state: str, earlier: str | None) -> None:
        self.name = name
        self.path = path
        self.state = state
        self.earlier = earlier  # who wrote the hook that runs before ours, None if there is none


class Setup:
    """What is set up in one clone; `pushing` is the hook that shares, `fetched` are the remotes to fetch records of."""

    def __init__(
        self, place: Place, folder: str, hooks: list[HookState], settings: Settings, fetched: list[str]
    ) -> None:
        self.place = place
        self.folder = folder
        *self.hooks, self.pushing = hooks
        self.fetched = fetched
        self.settings = settings
        self.elsewhere = not _inside(place, folder)
        self.amp = ampcli.recorded(place)
        self.used = in_use(place, time.time())
        self.python = interpreter()
        self.package = package()

    @property
    def works(self) -> bool:
        """Say whether every hook is in place and can run; the one that shares need not be there."""
        at_push = self.pushing.state not in ("outdated", "broken")
        return at_push and all(hook.state in ("installed", "by hand") for hook in self.hooks)

    @property
    def shares(self) -> bool:
        """Say whether a push calls us, or is meant to, and whether records are fetched."""
        return bool(self.fetched) or self.pushing.state not in ("foreign", "absent")


def install(folder: str = ".", *, lasting: bool = True, sharing: bool = False) -> Setup:
    """
    Put the fast hooks into the clone that *folder* belongs to; what was there keeps running before them.

    A hook that calls us already stays as it is. Unless they need not be *lasting*, ours are refused where
    the code they run will be gone or exchanged. With *sharing* a push publishes records, and a fetch brings them;
    without it, what there is of that stays.
    """
    git = Git(folder)
    place, hooks = _located(git)
    wanted = _wanted(git, place, hooks, sharing=sharing)
    if wanted and lasting:
        _refuse_fleeting(git, place)
    for path in wanted:
        _refuse_clash(path)
    _compile()
    try:
        Ledger(place.ledger, shared_mode(git)).prepare()
        if wanted:
            os.makedirs(hooks, exist_ok=True)
        for path, name in wanted.items():
            take_back(path)
            _install_one(path, shim.fast(name, interpreter(), package()))
            keep_aside(path)
        _note_amp(git, place)
        if sharing:
            _fetch(git, place)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InstallError(f"cannot write in {place.common_dir}: {reason}", hint=f"look at {error.filename}") from error
    return status(folder)


def uninstall(folder: str = ".") -> Setup:
    """Remove our hooks from the clone's own folder and put back, byte for byte, what was there; the ledger stays."""
    git = Git(folder)
    place, hooks = _located(git)
    own = os.path.join(place.common_dir, "hooks")
    for path in {os.path.join(at, name) for at in (own, hooks) if _inside(place, at) for name in _NAMES}:
        take_back(path)
        earlier = path + shim.EARLIER
        if os.path.lexists(earlier) and (is_ours(path) or not os.path.lexists(path)):
            os.rename(earlier, path)  # over ours: there is always one of the two
        elif is_ours(path):
            os.unlink(path)
    ampcli.forget(place)
    fetching.fetch_no_more(git)
    if not _inside(place, hooks):
        raise InstallError(
            f"git runs the hooks in {hooks}, which is not this clone's own folder: there nothing was changed",
            hint="take the lines that call `ampcommit hook` out of its hooks",
        )
    return status(folder)


def status(folder: str = ".") -> Setup:
    """Return what is there, changing nothing."""
    git = Git(folder)
    place, hooks = _located(git)
    settings = read_settings(git, os.environ, top=place.top, index=os.path.join(place.git_dir, "index"))
    states = _states(_NAMES, place, hooks, managers.configured(git))
    return Setup(place, hooks, states, settings, fetching.fetched_from(git))


def interpreter() -> str:
    """Return the interpreter that the hooks shall run: the one below a virtual environment, which outlives it."""
    return getattr(sys, "_base_executable", "") or sys.executable


def package() -> str:
    """Return the folder that holds the package."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _located(git: Git) -> tuple[Place, str]:
    """Return the place and the folder in which git looks for its hooks."""
    place = Place.of_folder(git)
    # Asked for an absolute path, git fails where a relative core.hooksPath leads through the file `.git`.
    hooks = os.fsdecode(Git(place.top)("rev-parse", "--git-path", "hooks")).removesuffix("\n")
    return place, os.path.normpath(os.path.join(place.top, hooks))


def _inside(place: Place, hooks: str) -> bool:
    """Say whether *hooks* lies in the git dir of this clone, and so is nobody else's."""
    own = os.path.realpath(place.common_dir)
    return os.path.commonpath([own, os.path.realpath(hooks)]) == own


def _wanted(git: Git, place: Place, hooks: str, *, sharing: bool) -> dict[str, str]:
    """Return which scripts have to be written, each with the hook it is for; refuse where none may be."""
    configured = managers.configured(git)
    names = _NAMES if sharing or _has_shared(hooks) else shim.HOOKS
    states = _states(names, place, hooks, configured)
    if not _inside(place, hooks):
        missing = [hook.name for hook in states if hook.state not in ("installed", "by hand")]
        if missing:
            raise recipes.elsewhere(git, place, hooks, missing, managers.owner(hooks))
        return {}
    if os.path.lexists(hooks) and not os.path.isdir(hooks):
        raise InstallError(f"{hooks} is not a folder", hint="move it away and install again")
    if twice := [hook.name for hook in states if hook.name in configured and is_ours(hook.path)]:
        raise InstallError(
            f"git's configuration calls ampcommit as {', '.join(twice)}, and so do our scripts in {hooks}",
            hint="take one way: `ampcommit uninstall` takes the scripts out, `git config --edit` the other",
        )
    return {hook.path: hook.name for hook in states if hook.state != "by hand"}


def _refuse_fleeting(git: Git, place: Place) -> None:
    """Refuse code that will be gone tomorrow, or that a checkout of this repository would exchange."""
    for path in (interpreter(), package()):
        if any(mark in f"{path}/" for mark in _THROWN_AWAY):
            raise InstallError(
                f"{path} is a throw-away environment: the hooks would stop working with it",
                hint="install ampcommit for good, with `pipx install` or `uv tool install`, and run it from there",
            )
        if os.path.commonpath([os.path.realpath(place.top), os.path.realpath(path)]) == os.path.realpath(place.top):
            tracked = os.path.join(path, "ampcommit", "hook.py") if os.path.isdir(path) else path
            if _is_tracked(git, tracked):
                raise InstallError(
                    f"{tracked} is a file of this repository: whoever changes a branch would change the hooks",
                    hint="install ampcommit outside the work tree",
                )


def _is_tracked(git: Git, path: str) -> bool:
    try:
        return bool(git("ls-files", "-z", "--", path))
    except GitError:
        return False  # not in this work tree


def _refuse_clash(path: str) -> None:
    """Refuse to put a hook aside where that name is taken, or where it is no file."""
    earlier = path + shim.EARLIER
    for taken in (path, earlier):
        if os.path.isdir(taken):
            raise InstallError(f"{taken} is a folder", hint="move it away and install again")
    if clashes(path):
        raise InstallError(f"{earlier} is already there", hint="look at both, keep one, install again")


def _install_one(path: str, script: str) -> None:
    """Put *script* in place; whatever fails on the way, the hook that was there stays or comes back."""
    if not is_foreign(path):
        write_atomic(path, os.fsencode(script), mode=0o755, durable=True)
        return
    earlier = path + shim.EARLIER
    try:
        os.link(path, earlier, follow_symlinks=False)  # under both names, so that git always sees one
    except OSError:
        os.rename(path, earlier)  # a file system without hard links
    try:
        write_atomic(path, os.fsencode(script), mode=0o755, durable=True)
    except OSError:
        if os.path.lexists(path):
            os.unlink(earlier)
        else:
            os.rename(earlier, path)
        raise


def _note_amp(git: Git, place: Place) -> None:
    """Note where `amp` is now, as git's configuration says or on PATH, which hooks and commands never search."""
    configured = str(read_settings(git, os.environ, top=place.top).clone["amp"])
    if path := configured or ampcli.on_path(place, os.environ):
        ampcli.record(place, path)
    else:
        ampcli.forget(place)


def _compile() -> None:
    """Compile the package once, so that no hook does; where we may not write, hooks are a little slower."""
    import compileall

    compileall.compile_dir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), quiet=2, maxlevels=1)


def _has_shared(hooks: str) -> bool:
    """Say whether ours stands among the *hooks* at a push, or stood there before another tool wrote its own."""
    paths = [managers.script_of(hooks, name) for name in shim.SHARING]
    return any(is_ours(path) or os.path.lexists(path + shim.EARLIER) for path in paths)


def _fetch(git: Git, place: Place) -> None:
    """Let `git fetch` bring the records of the remote to which they go; before there is one, there is nothing to do."""
    settings = read_settings(git, os.environ, top=place.top)
    try:
        remote = remote_of(git, place, settings)
    except AmpcommitError:
        return  # no remote yet
    fetching.fetch_from(git, remote)


def _states(names: tuple[str, ...], place: Place, hooks: str, configured: set[str]) -> list[HookState]:
    return [_state(name, place, hooks, called=name in configured) for name in names]


def _state(name: str, place: Place, hooks: str, *, called: bool) -> HookState:
    """Return what is there of one hook; *called* says that git's own configuration calls us."""
    path = managers.script_of(hooks, name)
    earlier = managers.writer(read_script(path + shim.EARLIER)) if os.access(path + shim.EARLIER, os.X_OK) else None
    script = read_script(path)
    if shim.is_ours(script):
        state = _state_of_ours(name, path, script)
    elif called or managers.calls_us_through(managers.made_by(script) or "", place.top, name):
        state = "by hand"
    elif managers.calls_us(script, name):
        state = "by hand" if _can_run(path) else "broken"
    else:
        state = "foreign" if os.path.lexists(path) else "absent"
    return HookState(name, path, state, earlier)


def _state_of_ours(name: str, path: str, script: bytes) -> str:
    if not _can_run(path) or managers.lacking(script):
        return "broken"
    current = script in (os.fsencode(shim.fast(name, interpreter(), package())), os.fsencode(shim.portable(name)))
    return "installed" if current else "outdated"


def _can_run(path: str) -> bool:
    """Say whether git, or husky, would run the script *path*."""
    return managers.is_husky(os.path.join(os.path.dirname(path), "_")) or bool(os.stat(path).st_mode & stat.S_IXUSR)
