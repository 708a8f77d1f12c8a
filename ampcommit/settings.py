"""What is demanded and how git is set up: defaults, `.ampcommit`, git config and environment, read once."""

import os
import stat

from ampcommit.errors import GitError, PolicyError
from ampcommit.policy import BY_NAME, CLONE_BY_NAME, KEYS, understood

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ampcommit.gitcmd import Git

    Pairs = list[tuple[str, str | None]]

POLICY_FILE = ".ampcommit"
FILE, CONFIG, ENVIRONMENT, DEFAULT = POLICY_FILE, "git config", "environment", "default"

_FILE_LIMIT = 65536
PATTERN = r"^(ampcommit\.|core\.comment(char|string)$|commit\.(cleanup|template)$|remote\..*\.url$)"
"""Everything that a hook asks git's configuration, in one question."""

# git sorts the index by name, and few names come before ours.
_INDEX_HEAD = 1 << 22
_HOST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_[]:")


class Settings:
    """
    The policy in force here, and what else a hook must know of git's configuration.

    `origins` says for each key where its value came from. `problems` lists, in sentences, keys and
    values that cannot be used: who judges in earnest refuses to go on with one, a hook says it and
    goes on with what is left. `warnings` are for everybody to say and go on. `clone` holds the settings
    that are no policy: how this clone works.
    """

    def __init__(self) -> None:
        self.values: dict[str, object] = {name: default for name, _, default in BY_NAME.values()}
        self.clone: dict[str, object] = {name: default for name, _, default in CLONE_BY_NAME.values()}
        self.origins: dict[str, str] = dict.fromkeys(KEYS, DEFAULT)
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.file: str | None = None  # the policy file that was used
        self.config: dict[str, str] = {}  # commit.cleanup and the like: the last value of each
        self.remotes: dict[str, str] = {}  # name of the remote -> its URL

    def __getitem__(self, name: str) -> object:
        return self.values[name]

    @property
    def mode(self) -> str:
        """`require`, `warn` or `off`."""
        return str(self.values["mode"])

    @property
    def hosts(self) -> "tuple[str, ...]":
        """Hosts whose links count beside Amp's own."""
        return self.values["host"]  # type: ignore[return-value]  # _host gives str, apply() makes the tuple

    @property
    def exempt(self) -> "tuple[str, ...]":
        """The kinds of commits from which no link is demanded."""
        return self.values["exempt"]  # type: ignore[return-value]  # as above

    def number(self, name: str) -> int:
        """Return a limit of the policy, in code points."""
        return int(str(self.values[name]))

    def given(self, name: str) -> bool:
        """Say whether somebody set this key: a built-in limit only warns."""
        return self.origins[name] != DEFAULT

    def apply(self, pairs: "Pairs", origin: str, text: str = "") -> None:
        """
        Take over *pairs* of lower-case key and value (None: the key alone), the later ones winning.

        *text* is the file they stand in, for the number of a line in which something is wrong.
        """
        lists: dict[str, list[object]] = {}
        for key, value in pairs:
            if key not in BY_NAME:
                self._of_clone(key, value, origin)
                continue
            name, _, default = BY_NAME[key]
            if isinstance(default, tuple) and value == "":  # git's way to say: none of those before
                self.values[name], self.origins[name], lists[name] = (), origin, []
                continue
            try:
                meaning = understood(key, value)
            except ValueError as error:
                self.problems.append(f"{origin}{_line_of(text, key, value)}: {name} {error}")
                continue
            if isinstance(default, tuple):
                lists.setdefault(name, []).append(meaning)
                meaning = tuple(lists[name])
            self.values[name], self.origins[name] = meaning, origin

    def overrule(self, pairs: "Pairs", environ: "Mapping[str, str]") -> None:
        """Take over what git config, in *pairs* of all its keys, and the environment say."""
        self.apply([(key[10:], value) for key, value in pairs if key.startswith("ampcommit.")], CONFIG)
        self.apply(_from_environment(environ), ENVIRONMENT)

    def _of_clone(self, key: str, value: str | None, origin: str) -> None:
        if key not in CLONE_BY_NAME:
            self.warnings.append(f"{origin}: unknown key {key!a} does nothing")
        elif origin == FILE:
            where = "counts only in git config and the environment, so that a cloned repository cannot set it"
            self.warnings.append(f"{origin}: {key} {where}")
        else:
            name = CLONE_BY_NAME[key][0]
            try:
                self.clone[name] = understood(key, value)
            except ValueError as error:
                self.warnings.append(f"{origin}: {name} {error}")
                self.clone[name] = "never" if key == "resolve" else ""  # who misspelt it wanted to say one word of two


def read_settings(
    git: "Git", environ: "Mapping[str, str]", top: str = ".", index: str | None = None, asked: str | None = None
) -> Settings:
    """
    Read every source in order of weight.

    *index* is git's index file, for a `.ampcommit` that is only there; *asked* what
    `git config --get-regexp` printed when somebody asked already.
    """
    settings = Settings()
    pairs = None if asked is None else _lines(asked)
    if pairs is None:
        pairs = pairs_of(git("config", "-z", "--get-regexp", PATTERN, ok=(0, 1)))
    for key, value in pairs:
        if key.startswith("remote."):
            settings.remotes[key[7:-4]] = value or ""
        elif not key.startswith("ampcommit."):
            settings.config.pop(key, None)  # the order says which key came last
            settings.config[key] = value or ""
    try:
        settings.file, committed = _policy_file(git, top, index)
        settings.apply(_ours(committed, settings), FILE)
    except GitError as error:
        settings.warnings.append(f"{FILE} is broken and not used: {error}")
    settings.overrule(pairs, environ)
    return settings


def read_committed(git: "Git", commit: str) -> Settings:
    """
    Return the policy in the tree of *commit*, and nothing from anywhere else; `file` is None if there is none.

    `PolicyError` for a file that cannot be read as one, `GitError` if it is not among the objects here.
    """
    settings = Settings()
    listed = git("ls-tree", "-z", "-l", commit, POLICY_FILE).partition(b"\t")[0].split()
    if not listed:
        return settings
    mode, _, blob, size = (field.decode("ascii") for field in listed)
    settings.file = origin = f"{commit}:{POLICY_FILE}"
    if not mode.startswith("100") or (size.isdigit() and int(size) > _FILE_LIMIT):
        raise PolicyError(f"{settings.file} is not a small regular file", hint="commit one that is")
    text = git("cat-file", "blob", blob)
    try:
        pairs = _parsed(git, text)
    except GitError as error:
        raise PolicyError(f"{origin} is broken: {error}", hint="mend it, and commit that") from error
    settings.apply(_ours(pairs, settings), FILE, text.decode("utf-8", "replace"))
    return settings


def _line_of(text: str, key: str, value: str | None) -> str:
    """Return, with a colon before it, the number of the line of *text* that sets *key* to *value*; else nothing."""
    for number, line in enumerate(text.split("\n"), 1):
        name = line.rpartition("]")[2].lstrip()  # a section may stand on the same line
        if name.lower().startswith(key) and (value or "") in name:
            return f":{number}"
    return ""


def _ours(pairs: "Pairs", settings: Settings) -> "Pairs":
    """Return the pairs of our own section; the file has no business with any other."""
    for key, _ in pairs:
        if not key.startswith("ampcommit.") or "." in key[10:]:
            settings.problems.append(f"{FILE}: {key!a} is not in the section [ampcommit]")
    return [(key[10:], value) for key, value in pairs if key.startswith("ampcommit.") and "." not in key[10:]]


def _policy_file(git: "Git", top: str, index: str | None) -> "tuple[str | None, Pairs]":
    """Return what git calls `.ampcommit` in the work tree, else in the index, and its pairs; none if there is none."""
    path, staged = os.path.join(top, POLICY_FILE), f":{POLICY_FILE}"
    try:
        seen = os.lstat(path)
    except OSError:
        if not index or not _maybe_in(index) or not git("rev-parse", "-q", "--verify", staged, ok=(0, 1)):
            return None, []
        if int(git("cat-file", "-s", staged)) > _FILE_LIMIT:
            raise GitError("it is not a small regular file") from None
        return staged, _parsed(git, git("cat-file", "blob", staged))
    if not stat.S_ISREG(seen.st_mode) or seen.st_size > _FILE_LIMIT:
        raise GitError("it is not a small regular file")
    return path, pairs_of(git("config", "-z", "--no-includes", "--list", "--file", path))


def _parsed(git: "Git", text: bytes) -> "Pairs":
    """Return the pairs in the *text* of a file."""
    # Not --blob: git takes a byte 0xFF there for the end, and what stands below it for nothing.
    return pairs_of(git("config", "-z", "--no-includes", "--list", "--file", "-", stdin=text))


def _maybe_in(index: str) -> bool:
    """Say whether `.ampcommit` may be in this index; where it certainly is not, git is not asked."""
    try:
        with open(index, "rb", buffering=0) as stream:
            head = stream.read(_INDEX_HEAD)
    except OSError:
        return False
    # Version 4 keeps only what a name adds to the one before it; a split index keeps its names elsewhere.
    return f"{POLICY_FILE}\0".encode() in head or head[4:8] == b"\0\0\0\4" or b"link\0\0" in head


def pairs_of(listed: bytes) -> "Pairs":
    """Split what `git config -z` printed into keys and values; a key without a value has None."""
    pairs: Pairs = []
    for entry in os.fsdecode(listed).split("\0")[:-1]:
        key, separator, value = entry.partition("\n")
        pairs.append((key, value if separator else None))
    return pairs


def _lines(listed: str) -> "Pairs | None":
    """
    Split what `git config --show-scope` printed without -z: lines of scope, tab, key, blank and value.

    None is returned where that is ambiguous (a value of several lines, a blank in a key): then git is asked again.
    """
    pairs: Pairs = []
    for line in listed.split("\n") if listed else ():
        scope, tab, entry = line.partition("\t")
        key, separator, value = entry.partition(" ")
        whole = (
            key.endswith(".url") if key.startswith("remote.") else key.startswith(("ampcommit.", "core.", "commit."))
        )
        if not tab or " " in scope or not whole:
            return None
        pairs.append((key, value if separator else None))
    return pairs


def _from_environment(environ: "Mapping[str, str]") -> "Pairs":
    """Return `AMPCOMMIT_<KEY>` as pairs; a key that may be given many times holds a list with spaces."""
    pairs: Pairs = []
    for key, (name, _, default) in {**BY_NAME, **CLONE_BY_NAME}.items():
        value = environ.get(f"AMPCOMMIT_{name.upper()}", "")
        pairs += [(key, piece) for piece in (value.split() if isinstance(default, tuple) else [value]) if piece]
    return pairs


SCHEMES = ("https", "http", "git", "ssh", "git+ssh", "ssh+git")
"""How an address of a remote may begin that is not on this machine."""

DOORS = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}
"""Hosts where ssh may pass through a firewall, as the forges themselves offer it, and whose they are."""


def repository(remotes: "dict[str, str]") -> str | None:
    """
    Return host and path of the clone's remote, without user, password, port, or `.git`.

    None for a local one, and for an address that could hide a secret in what would be kept.
    """
    url = remotes.get("origin") or next(iter(remotes.values()), "")
    scheme, is_url, rest = url.partition("://")
    if is_url:
        authority, _, path = rest.partition("/")
    else:  # user@host:path, as scp writes it
        scheme = "ssh"
        authority, _, path = url.partition(":")
    host = authority.rpartition("@")[2].lower()
    closing = host.rfind("]") if host.startswith("[") else 0
    name, colon, port = host[closing:].partition(":")
    host = host[:closing] + name
    path = path.partition("?")[0].partition("#")[0].strip("/").removesuffix(".git")
    plain = url.isprintable() and _HOST.issuperset(host) and (not colon or port.isdigit())
    known = scheme in SCHEMES and bool(host and path)
    # A password or a token in the wrong place; and what scp would not take for a path: a remote helper.
    hidden = any(char in path.replace("%20", "") for char in ";&=%") or any("@" in part[1:] for part in path.split("/"))
    hidden = hidden or (not is_url and path.startswith(("@", ":")))
    return f"{DOORS.get(host, host)}/{path}" if plain and known and not hidden else None


def shared_mode(git: "Git") -> int:
    """Return the permissions of our files in this clone: the owner's alone unless `core.sharedRepository` says more."""
    value = git("config", "--get", "core.sharedRepository", ok=(0, 1)).decode("utf-8", "replace").strip().lower()
    if value in ("group", "true", "1", "yes", "on"):
        return 0o660
    if value in ("all", "world", "everybody", "2"):
        return 0o664
    octal = 3 <= len(value) <= 4 and set(value) <= set("01234567")
    return 0o600 | (int(value, 8) & 0o666) if octal else 0o600
