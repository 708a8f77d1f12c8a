"""What is off in the state of a clone: its ledger, the lock, notes that never became records, leftovers."""

import os
import shlex
import stat
import time

from ampcommit import note
from ampcommit.amp import ampcli
from ampcommit.errors import GitError, LedgerError
from ampcommit.files import Lock
from ampcommit.gitcmd import Git, clean
from ampcommit.ledger import Ledger
from ampcommit.note import Note
from ampcommit.place import Place
from ampcommit.record import Finding, moment
from ampcommit.settings import shared_mode
from ampcommit.threads import Offline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FRESH = 300
"""Seconds for which a note may still be waiting for its commit: somebody types a passphrase."""

STALE = 30 * 86400
"""Seconds after which Amp's thread files are leftovers of an old client."""

_OTHERS = stat.S_IWOTH
_KEEP = "keep {0} under another name; then `ampcommit ledger rebuild` begins a new one with what the commits say"


def upkeep(git: Git, place: Place, environ: "Mapping[str, str]") -> "Iterator[Finding]":
    """Yield what is off in the clone's own files, and with Amp's."""
    yield from _of_folders(place)
    yield from _of_ledger(git, place)
    yield from _of_notes(place, environ)
    yield from _of_amp(place, environ)


def _of_folders(place: Place) -> "Iterator[Finding]":
    for folder in dict.fromkeys((place.state, place.private)):
        if os.path.islink(folder) or (os.path.lexists(folder) and not os.path.isdir(folder)):
            message = f"{folder} should be a folder of ours, and is something else: the hooks leave nothing there"
            yield Finding("state-folder", "error", message, "move it away, and run `ampcommit install`")
        elif not os.access(folder if os.path.isdir(folder) else os.path.dirname(folder), os.W_OK | os.X_OK):
            message = f"nothing can be written in {folder}: no commit is recorded"
            yield Finding("state-read-only", "error", message, "give the permission to write there")
    path = os.path.join(place.state, "defect.txt")
    if os.path.lexists(path):
        message = f"a hook failed at {_moment(path)} with a defect of ampcommit"
        yield Finding("defect", "warning", message, f"please report it with {path}, then remove that file")


def _of_ledger(git: Git, place: Place) -> "Iterator[Finding]":
    path = place.ledger
    if not os.path.lexists(path):
        if os.path.lexists(f"{path}.lock"):
            message = f"the ledger is gone: {path}"
            yield Finding("ledger-missing", "warning", message, "run `ampcommit ledger rebuild`")
        return
    try:
        report = Ledger(path).check()
    except LedgerError as error:
        yield Finding("ledger-unreadable", "error", f"{error}: no commit is recorded", error.hint)
        return
    if report.problems:
        more = f", and {len(report.problems) - 1} more" if report.problems[1:] else ""
        message = f"the ledger is damaged: {report.problems[0]}{more}"
        yield Finding("ledger-damaged", "error", message, _KEEP.format(path))
    if report.newer:
        message = f"a newer ampcommit wrote the ledger {path}: this one adds nothing to it, no commit is recorded"
        yield Finding("ledger-newer", "error", message, "upgrade ampcommit, then run `ampcommit install`")
    if report.aside:
        message = f"a crash cut off {report.aside} bytes of the ledger, which were set aside in {path}.torn"
        hint = "run `ampcommit ledger rebuild` to record such a commit again; then the file may be removed"
        yield Finding("ledger-torn", "note", message, hint)
    yield from _of_permissions(git, path)
    if os.path.lexists(f"{path}.lock"):
        yield from _of_lock(f"{path}.lock")


def _of_permissions(git: Git, path: str) -> "Iterator[Finding]":
    mode = os.lstat(path).st_mode & 0o666
    more = mode & 0o022 & ~shared_mode(git)
    if more:
        who = "everybody" if more & _OTHERS else "the group"
        hint = f"chmod {'o' if more & _OTHERS else 'g'}-w {shlex.quote(path)}"
        yield Finding("ledger-open", "warning", f"{who} can write the ledger {path}", hint)
    if not os.access(path, os.R_OK | os.W_OK):
        message = f"the ledger {path} cannot be written: no commit is recorded"
        yield Finding("ledger-read-only", "error", message, "give the permission to write it")


def _of_lock(path: str) -> "Iterator[Finding]":
    if os.path.isdir(path):
        yield Finding("ledger-lock", "error", f"{path} is a folder: no commit is recorded", "move it away")
        return
    try:
        with Lock(path, patience=0.5):
            pass
    except LedgerError as error:
        yield Finding("ledger-locked", "warning", str(error), "if it hangs, end it: no commit is recorded meanwhile")
    except OSError as error:
        message = f"{path} cannot be locked ({error.strerror}): no commit is recorded"
        yield Finding("ledger-lock", "error", message, "keep the clone on a file system that offers flock")


def _of_notes(place: Place, environ: "Mapping[str, str]") -> "Iterator[Finding]":
    """Look at the note of each work tree that is not of this moment."""
    linked = os.path.join(place.common_dir, "worktrees")
    names = sorted(os.listdir(linked)) if os.path.isdir(linked) else []
    for git_dir in (place.common_dir, *(os.path.join(linked, name) for name in names)):
        path = os.path.join(git_dir, "ampcommit", "note")
        left = note.read(path)
        if left is None or time.time() - os.lstat(path).st_mtime < FRESH:
            continue
        try:
            fitting = _fitting(Git(environ=clean(environ, place.common_dir)), left)
            recorded = any(Ledger(place.ledger).records("commit", commit) for commit in fitting)
        except GitError:
            fitting, recorded = [], False  # what it builds on is gone
        except LedgerError:
            continue  # the ledger has its own finding
        if not fitting:
            message = f"the note in {path}, of {_moment(path)}, belongs to a commit that did not come to be"
            yield Finding("note-left", "note", message, "nothing: the next commit in that work tree replaces it")
        elif not recorded:
            message = f"commit {fitting[0]} passed commit-msg at {_moment(path)}, and post-commit never recorded it"
            yield Finding("note-unrecorded", "error", message, "run `ampcommit ledger rebuild`")


def _fitting(git: Git, left: Note) -> list[str]:
    """Return the commits for which *left* may have been left: those with its very message, else those with its link."""
    beside = _parents(git, "-1", left.head)[left.head] if left.head else []
    known = _parents(git, "--all", *(f"^{parent}" for parent in beside), deadline=60)
    # The commit came behind the noted one, or, by an amend, in its place.
    behind = [left.head] if left.head else []
    near = [one for one, its in known.items() if one != left.head and (its[:1] == behind or its == beside)]
    if not near:
        return []
    form = ("--no-show-signature", "--encoding=UTF-8", "--format=%H%x00%B%x00")
    told = git("log", "--no-walk=unsorted", *form, "--stdin", stdin="".join(f"{one}\n" for one in near).encode("ascii"))
    fields = told.split(b"\0")
    messages = {one.decode("ascii").strip(): text for one, text in zip(fields[::2], fields[1::2], strict=False)}
    link = left.links[-1].lower().encode("ascii")
    same = [one for one, text in messages.items() if text == left.message]
    return same or [one for one, text in messages.items() if link in text.lower()]


def _parents(git: Git, *wanted: str, deadline: float = 5.0) -> dict[str, list[str]]:
    """Return commits with their parents."""
    listed = git("rev-list", "--parents", *wanted, "--", deadline=deadline).decode("ascii").splitlines()
    return {line.split()[0]: line.split()[1:] for line in listed}


def _of_amp(place: Place, environ: "Mapping[str, str]") -> "Iterator[Finding]":
    amp = ampcli.recorded(place)
    if amp and not os.access(amp, os.X_OK):
        message = f"amp is no longer at {amp}: chains that no file here tells stay unknown"
        yield Finding("amp-gone", "warning", message, "run `ampcommit install` again")
    files = Offline(environ).folders()[1:2]
    newest = max((written for folder in files for written in _times(folder)), default=time.time())
    if time.time() - newest > STALE:
        day = time.strftime("%Y-%m-%d", time.gmtime(newest))
        message = f"the thread files in {files[0]} are leftovers of an old client, the newest of {day}"
        hint = "nothing: chains of new threads come from `amp`" if amp else _ASK_AMP
        yield Finding("threads-stale", "note", message, hint)


_ASK_AMP = "put `amp` on PATH and run `ampcommit install` again, so that it is asked for the chains of new threads"


def _times(folder: str) -> "Iterator[float]":
    """Yield when each thread file in *folder* was written."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("T-"):
                    yield entry.stat(follow_symlinks=False).st_mtime
    except OSError:
        return  # no such folder, or one that is not ours to read


def _moment(path: str) -> str:
    return moment(os.lstat(path).st_mtime)
