"""The policy over a message that is no commit yet: what `ampcommit verify --message` asks."""

import os
import sys

from ampcommit.current import current
from ampcommit.errors import MisuseError
from ampcommit.gate.verdict import Report, Verdict
from ampcommit.gitcmd import Git
from ampcommit.message import BLANK, Draft, trailers
from ampcommit.note import LIMIT
from ampcommit.place import Place
from ampcommit.rules import Case, Grounds, judged
from ampcommit.settings import read_settings
from ampcommit.threads import Offline, walk
from ampcommit.verbs.verify import by_agent, refuse_problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def message(path: str, environ: "Mapping[str, str]") -> Report:
    """
    Judge the message in the file *path* (`-`: standard input) as the text of a commit, nothing cleaned away.

    The policy is the one a hook would use here, except that a value which cannot be used is
    exit 2: who asks for a verdict must not get one by half a policy.
    """
    text = _read(path)
    git = Git(environ=environ)
    place = Place.of_folder(git)
    index = environ.get("GIT_INDEX_FILE") or os.path.join(place.git_dir, "index")
    settings = read_settings(git, environ, top=place.top, index=index)
    refuse_problems(settings)
    at_work = current(environ, place)
    offline = Offline(environ)
    seen = trailers(text, environ)
    case = Case(
        text,
        seen,
        settings,
        at_work=at_work,
        chain_of=lambda thread: walk(thread, offline),
        demanded=settings["authors"] == "everyone" or at_work.inside or by_agent(text, seen, settings),
        grounds=Grounds(exists=git.has_commit),
    )
    findings = [] if settings.mode == "off" else judged(case, settings)
    verdict = Verdict(None, text, case.links, findings, exempt_by=case.excused, agent=case.demanded)
    return Report(None, settings.mode, settings.file, [verdict], notices=settings.warnings)


def _read(path: str) -> bytes:
    try:
        text = _read_some(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MisuseError(f"cannot read {path!a}: {reason}", hint="name a file, or - for standard input") from error
    if len(text) > LIMIT:
        raise MisuseError("the message is longer than 16 MiB", hint="nothing was checked")
    if not Draft(text, cleanup="verbatim").kept().strip(BLANK):
        raise MisuseError("the message is empty", hint="nothing was checked")
    return text


def _read_some(path: str) -> bytes:
    if path == "-":
        if sys.stdin is None:
            raise ValueError("standard input is closed")
        return sys.stdin.buffer.read(LIMIT + 1)
    with open(path, "rb") as stream:  # a person names this file: it may be a link or a pipe
        return stream.read(LIMIT + 1)
