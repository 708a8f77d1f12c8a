"""
Which commits are to be checked, and where the policy for them stands.

A range comes from a person, from the surroundings (a CI system, the pre-commit framework), or as lines on
standard input, as `pre-receive` and `pre-push` get them. Whoever asks: the policy is that of the branch
which receives the commits, never that of the commits themselves.
"""

from ampcommit.batch import PATIENCE
from ampcommit.commits.history import WHOLE, Range
from ampcommit.errors import MisuseError, SetupError
from ampcommit.forge.ci import Request, requested
from ampcommit.record import Sha

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ampcommit.commits.history import History

LINE = 8192
"""Bytes that one line of standard input may have, with its end."""

_LINES = 100_000
_REMOTE = "refs/remotes/"
_BRANCHES = "git fetch origin '+refs/heads/*:refs/remotes/origin/*'"
_BRANCHES += " (GitHub Actions does it with fetch-depth: 0)"


class Asked:
    """
    What is to be checked: `ranges`, called `name`, under the policy in the tree of `policy_at` (None: there is none).

    `bot` is who the forge says is the author of the request, `fork` whether it says that the commits come from a fork;
    `notices` are sentences for people.
    """

    __slots__ = ("bot", "fork", "name", "notices", "policy_at", "ranges")

    def __init__(
        self, name: str, ranges: list[Range], policy_at: Sha | None, bot: str | None = None, *, fork: bool = False
    ) -> None:
        self.name = name
        self.ranges = ranges
        self.policy_at = policy_at
        self.bot = bot
        self.fork = fork
        self.notices: list[str] = []


def named(history: "History", text: str) -> Asked:
    """Return the commits that a person names; the policy is where they start, at `HEAD` for a commit alone."""
    range_ = history.named(text)
    return Asked(text, [range_], range_.base or _at(history, "HEAD"))


def everything(history: "History") -> Asked:
    """Return all commits of the clone, under the policy at `HEAD`."""
    return Asked("--all", [history.everything()], _at(history, "HEAD"))


def surrounding(history: "History", environ: "Mapping[str, str]") -> Asked:
    """Return what the surroundings ask for; without such, what this branch adds to its upstream; else `HEAD`."""
    request = requested(environ)
    if request:
        return _of_request(history, request)
    asked = named(history, "@{upstream}..HEAD" if history.commit("@{upstream}") else "HEAD")
    if environ.get("CI"):
        asked.notices.append(f"this run is about no push and no request: checked is {asked.name}")
    return asked


def listed(history: "History", lines: "Iterable[bytes]") -> Asked:
    """
    Return what *lines* name: ids of commits, or lines as git gives them to `pre-receive` and `pre-push`.

    The first are of old id, new id and ref, the second of ref, id, ref there and id there. `MisuseError`
    for a line that is none of these.
    """
    ids: dict[Sha, None] = {}
    asked = Asked("--stdin", [], _at(history, "HEAD"))
    for number, line in enumerate(lines, 1):
        if number > _LINES or len(line) > LINE:
            message = f"standard input is too long at line {number}"
            raise MisuseError(message, hint="nothing was checked; name a range instead")
        # Only at what git puts between words: a ref can hold every other blank of Unicode, and an id behind it.
        words = [word.decode("utf-8", "surrogateescape") for word in line.split()]
        if len(words) == 1 and (commit := Sha.maybe(words[0])):
            ids[commit] = None
        elif words:
            _add_push(asked, history, words, number)
    if ids:
        asked.ranges.append(Range(_all_here(history, list(ids)), alone=True))
    return asked


def _add_push(asked: Asked, history: "History", words: list[str], number: int) -> None:
    local = len(words) > 3  # what is pushed may be called HEAD@{1 day ago}
    new, ref, old = words[-3:] if local else (*words[1:], *words[:1]) if len(words) == 3 else ("", "", "")
    if not (_is_id(old) and _is_id(new)):
        hint = "give ids of commits, or lines as git gives them to pre-receive or pre-push"
        raise MisuseError(f"line {number} of standard input is not understood", hint=hint)
    if not new.strip("0"):
        return  # the ref is removed
    if ref.startswith("refs/notes/"):
        asked.notices.append(f"{ref} holds notes, no work: not checked")
        return
    known = history.commit(new)
    if known is None and history.exists(Sha(new)):
        asked.notices.append(f"{ref} names no commit: not checked")
        return
    request = Request("standard input", new, old if old.strip("0") else None)
    if local:  # what any remote has is on its way no more
        request.target, without = ("refs/remotes/origin/HEAD",), history.under(_REMOTE)
    else:
        request.target, request.own, without = ("HEAD",), ref == history.branch(), []
        if asked.policy_at is None and history.under("refs/heads/"):
            message = f"HEAD of this repository is {history.branch()!a}, which has no commits: whose policy counts?"
            raise SetupError(message, hint="name the default branch: git symbolic-ref HEAD refs/heads/main")
    one = _of_request(history, request)
    if local or request.own:  # what another branch had before says nothing of the one that receives
        asked.policy_at = one.policy_at
    asked.notices += one.notices
    asked.ranges += [Range([*range_.revisions, *(f"^{sha}" for sha in without)]) for range_ in one.ranges]


def _of_request(history: "History", request: Request) -> Asked:
    """
    Return what *request* asks for: what its head has, and neither its base nor the receiving branch.

    `SetupError` where the commits that bound the range are not in this clone.
    """
    asked = Asked(request.source, [], None, request.bot, fork=request.fork)
    if not request.head:
        return asked
    head = _here(history, request.head)
    tip = next((found for ref in request.target if (found := _at(history, ref))), None)
    base = history.commit(request.base) if request.base else None
    if base is None and request.base:
        if history.shallow:
            _refuse(history, request.base)
        begin = "all of the branch is checked" if request.own else "the range begins where the branches part"
        asked.notices.append(f"{request.base} is gone: {begin}")
    if tip is None and not request.own and _strict(request):
        # Where the range begins is no substitute: it is what the author pushed before, or where he chose to begin.
        message = f"the receiving branch is not here: {request.target[0]}"
        raise SetupError(message, hint=f"fetch all branches: {_BRANCHES}")
    asked.policy_at = base if request.own else tip or base
    bounds = [sha for sha in (base, None if request.own else tip) if sha]
    asked.name = f"{base or tip}..{head}" if bounds else head
    asked.ranges = [Range([head, *(f"^{sha}" for sha in dict.fromkeys(bounds))])]
    return asked


def _strict(request: Request) -> bool:
    """Say whether there must be a receiving branch: a forge names one, a first push to an empty repository has none."""
    return len(request.target) > 1  # the HEAD of a remote, or of this clone, may be missing


def _at(history: "History", ref: str) -> Sha | None:
    """Return the commit at *ref*, `HEAD` or a full name; where it is not here git would take `refs/tags/<ref>`."""
    found = history.commit(ref)
    full = history.branch() if ref == "HEAD" else ref
    return found if not full or found in history.under(full) else None


def _all_here(history: "History", ids: list[Sha]) -> list[Sha]:
    """Return the commits that *ids* name, asked for at once; `SetupError` if one is not here."""
    question = "".join(f"{one}^{{commit}}\n" for one in ids).encode("ascii")
    answer = history.objects("cat-file", "--batch-check=%(objectname)", stdin=question, deadline=PATIENCE)
    found = [Sha.maybe(line) for line in answer.decode("ascii").splitlines()]
    return [commit or _refuse(history, one) for one, commit in zip(ids, found, strict=True)]


def _here(history: "History", name: str) -> Sha:
    return history.commit(name) or _refuse(history, name)


def _refuse(history: "History", name: str) -> Sha:
    """Say that a commit is missing here, and what helps."""
    hint = WHOLE if history.shallow else "fetch it, or check in a clone that has it"
    raise SetupError(f"the commit {name} is not in this clone", hint=hint)


def _is_id(word: str) -> bool:
    return Sha.maybe(word) is not None
