"""
Where the commits of a clone stand on the web: its remote's address there, and the pages that GitHub and GitLab have.

An address is made of parts that were checked or encoded, so that it can be printed and opened as it is. What is not
known for certain has none.
"""

from urllib.parse import quote, unquote_to_bytes, urlsplit

from ampcommit.settings import DOORS, SCHEMES, Settings, pairs_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from ampcommit.gitcmd import Git
    from ampcommit.place import Place

PATIENCE = 2.0
"""Seconds that git may take for one question about the web; no answer in that time tells nothing."""

KINDS = ("github", "gitlab")
"""The kinds of forges whose pages we know, by the word that stands in the names of their hosts."""

_QUESTION = r"^(ampcommit\.forge|remote\..*\.url|branch\..*\.remote|url\..*\.insteadof)$"
_LONGEST = 2000  # characters of a remote's address
_LABEL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
_NO_PATH = frozenset("?#@:/\\")  # a query, a password, a remote helper, a path of Windows


def base_of(address: str) -> str | None:
    """Return where the repository at this remote *address* stands on the web; None where that cannot be told."""
    if len(address) > _LONGEST or not address.isprintable():
        return None
    scheme, is_url, rest = address.partition("://")
    scheme = scheme.lower() if is_url else "ssh"
    authority, path = rest.split("/", 1) if "/" in rest else ("", "")
    if not is_url:
        authority, path = _as_scp_writes(address)
    by_web = scheme in ("https", "http")
    server = _server(authority, with_port=by_web, by_ssh="ssh" in scheme)
    within = _path(path, escaped=bool(is_url))
    if scheme not in SCHEMES or not server or not within:
        return None
    default = {"https": ":443", "http": ":80"}.get(scheme, "")
    return f"{scheme if by_web else 'https'}://{server.removesuffix(default)}/{within}"


def _as_scp_writes(address: str) -> tuple[str, str]:
    """Split `user@host:path`; a local path has no host."""
    closing = address.find("]:") + 1 if "[" in address.partition("/")[0] else 0
    authority, _, path = address[closing:].partition(":")
    authority = address[:closing] + authority
    return ("", "") if "/" in authority else (authority, path)


def _server(authority: str, *, with_port: bool, by_ssh: bool) -> str | None:
    """Return host and, *with_port*, port of *authority*, without the user; None if it is nothing that we trust."""
    name = authority.rpartition("@")[2]
    closing = name.find("]") + 1 if name.startswith("[") else 0
    host, colon, port = name[closing:].partition(":")
    if colon and port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        return None
    host = name[:closing] + host
    known = _ipv6(host) if closing else _host(host, by_ssh=by_ssh)
    return f"{known}:{int(port)}" if known and with_port and port else known


def _ipv6(host: str) -> str | None:
    from ipaddress import IPv6Address  # few need it

    try:
        return f"[{IPv6Address(host[1:-1])}]" if "%" not in host else None
    except ValueError:
        return None


def _host(name: str, *, by_ssh: bool) -> str | None:
    """Return the name of a host; None for what cannot be one, or may be an alias in a configuration of ssh."""
    host = name.lower() if name.isascii() else ""
    labels = host.split(".")
    if not all(label and _LABEL.issuperset(label) and label.strip("-") == label for label in labels):
        return None
    top = labels[-1]
    # No top-level domain looks like that of `github.com-work`.
    public = len(labels) > 1 and (top.isalpha() or top.startswith("xn--"))
    numbers = len(labels) == 4 and all(label.isdigit() for label in labels)
    if by_ssh and not (public or numbers or host == "localhost"):
        return None
    return DOORS.get(host, host) if by_ssh else host


def _path(path: str, *, escaped: bool) -> str | None:
    """Return the *path* of a repository, encoded for a URL: at least a group and a name."""
    parts = path.strip("/").split("/")
    if escaped:
        try:
            parts = [unquote_to_bytes(part).decode() for part in parts]
        except UnicodeDecodeError:
            return None
    parts[-1] = parts[-1].removesuffix(".git")
    plain = all(part.isprintable() and _NO_PATH.isdisjoint(part) and part not in ("", ".", "..") for part in parts)
    return "/".join(quote(part, safe="") for part in parts) if plain and len(parts) > 1 else None


def kind_of(base: str) -> str | None:
    """Return which kind of forge the host in *base* says it is."""
    labels = (urlsplit(base).hostname or "").split(".")
    named = [kind for kind in KINDS if kind in labels]
    return named[0] if len(named) == 1 else None


class Forge:
    """A repository on GitHub or GitLab, and the addresses of its pages."""

    __slots__ = ("_pages", "base", "kind")

    def __init__(self, kind: str, base: str) -> None:
        self.kind = kind
        self.base = base
        self._pages = f"{base}/-" if kind == "gitlab" else base

    @property
    def path(self) -> str:
        """The groups and the name of the repository."""
        return urlsplit(self.base).path.strip("/")

    @property
    def mark(self) -> str:
        """How people write the number of a request there."""
        return "!" if self.kind == "gitlab" else "#"

    def commit(self, commit: str) -> str:
        """Return the page of a commit."""
        return f"{self._pages}/commit/{commit}"

    def compare(self, old: str, new: str) -> str:
        """Return the page of what *new* has and *old* has not."""
        return f"{self._pages}/compare/{old}...{new}"

    def request(self, number: int) -> str:
        """Return the page of a pull or merge request."""
        return f"{self._pages}/{'merge_requests' if self.kind == 'gitlab' else 'pull'}/{number}"


def forge_at(base: str, kind: str) -> Forge | None:
    """Return the forge of this *kind* at *base*; None for what has other pages there: a wiki, a gist."""
    forge = Forge(kind, base)
    gist = (urlsplit(base).hostname or "").startswith("gist.")
    strange = kind == "github" and (gist or forge.path.count("/") != 1)
    return None if strange or base.endswith(".wiki") else forge


class Remote:
    """The remote of a clone: its name, where it is on the web, and the kind of forge that host or setting tell."""

    __slots__ = ("base", "kind", "name")

    def __init__(self, name: str, base: str, kind: str | None) -> None:
        self.name = name
        self.base = base
        self.kind = kind


def remote_of(git: "Git", place: "Place", environ: "Mapping[str, str]") -> Remote | None:
    """Return the remote of the clone, as git's configuration names it; None without one that is on the web."""
    pairs = pairs_of(git("config", "-z", "--get-regexp", _QUESTION, ok=(0, 1), deadline=PATIENCE))
    addresses: dict[str, list[str]] = {}
    for key, value in pairs:
        if key.startswith("remote."):
            addresses.setdefault(key[7:-4], []).append(value or "")
    name = _chosen(list(addresses), dict(pairs), place)
    if name is None:
        return None
    base = base_of(_effective(name, addresses[name], pairs, git))
    if base is None:
        return None
    settings = Settings()
    settings.overrule(pairs, environ)
    return Remote(name, base, kind_of(base) or str(settings.clone["forge"]) or None)


def _chosen(names: list[str], settings: "Mapping[str, str | None]", place: "Place") -> str | None:
    """Return `origin`, else what the current branch follows, else the first of *names*."""
    if "origin" in names:
        return "origin"
    followed = settings.get(f"branch.{place.branch()}.remote") if len(names) > 1 else None
    return followed if followed in names else next(iter(names), None)


def _effective(name: str, addresses: list[str], pairs: "list[tuple[str, str | None]]", git: "Git") -> str:
    """Return the address that git fetches from; it is asked where a setting may rewrite what is written down."""
    short = tuple(value for key, value in pairs if key.startswith("url.") and value is not None)
    if len(addresses) == 1 and not addresses[0].startswith(short):
        return addresses[0]
    told = git("ls-remote", "--get-url", "--", name, deadline=PATIENCE)
    return told.decode("utf-8", "surrogateescape").removesuffix("\n")
