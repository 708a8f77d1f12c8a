"""Where Amp's External API is, and with what we may ask it: from the environment, else from git's credential store."""

import ipaddress
import os
from urllib.parse import SplitResult, urlsplit

from ampcommit.errors import GitError, MisuseError, RemoteError
from ampcommit.gitcmd import Git

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

BASE = "https://ampcode.com"
TOKEN_URL = "https://auth.ampcode.com/oauth2/token"  # noqa: S105  # an address, not a password

PATIENCE = 10.0
"""Seconds that git's credential helpers may take."""

_PORTS = {"https": 443, "http": 80}
_HOST = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-_")
_STATUSES = tuple(range(-64, 256))  # what git says when it finds nothing is not for people: it may quote a helper
_NONE = "there are no credentials for Amp's External API"


class Access:
    """
    The API's address, that of its token endpoint, and the client's credentials, which are asked for when needed.

    `origin` says in words where the credentials came from, once they were asked for.
    """

    __slots__ = ("_environ", "_found", "base", "origin", "token_url")

    def __init__(self, base: str, token_url: str, environ: "Mapping[str, str]") -> None:
        self.base = base
        self.token_url = token_url
        self.origin = ""
        self._environ = environ
        self._found: tuple[str, str] | None = None

    def credentials(self, seconds: float = PATIENCE) -> tuple[str, str]:
        """Return the client's id and its secret; `RemoteError` where nobody knows them within *seconds*."""
        if self._found is None:
            name, secret = self._given("AMPCOMMIT_CLIENT_ID"), self._given("AMPCOMMIT_CLIENT_SECRET")
            if name and secret:
                self.origin, self._found = "the environment", (name, secret)
            else:
                self.origin, self._found = "git credential", self._stored(name, seconds)
        return self._found

    def _given(self, variable: str) -> str:
        value = self._environ.get(variable, "")
        if "\n" in value or "\r" in value:
            raise MisuseError(f"{variable} has more than one line", hint=f"set {variable} to the value alone")
        return value

    def _stored(self, name: str, seconds: float) -> tuple[str, str]:
        """Return what git's credential helpers have for the token endpoint, and for *name* if it is not empty."""
        parts = urlsplit(self.token_url)
        asked = f"protocol={parts.scheme}\nhost={parts.netloc}\n" + (f"username={name}\n" if name else "") + "\n"
        git = Git("/", _quiet(self._environ))
        try:
            # Nobody is there to be asked: neither on the terminal, nor in a window.
            said = git(
                "-c", "core.askPass=", "credential", "fill", stdin=os.fsencode(asked), ok=_STATUSES, deadline=seconds
            )
        except GitError as error:
            raise RemoteError(f"{_NONE}: {error}", hint=self._ways(parts)) from error
        found = dict(line.split("=", 1) for line in os.fsdecode(said).split("\n") if "=" in line)
        user, secret = found.get("username", ""), found.get("password", "")
        if not user or not secret or (name and user != name):
            raise RemoteError(_NONE, hint=self._ways(parts))
        return user, secret

    def _ways(self, parts: SplitResult) -> str:
        return (
            "set AMPCOMMIT_CLIENT_ID and AMPCOMMIT_CLIENT_SECRET, or give them to git: printf "
            f"'protocol={parts.scheme}\\nhost={parts.netloc}\\nusername=ID\\npassword=SECRET\\n\\n'"
            " | git credential approve"
        )


def access(environ: "Mapping[str, str]") -> Access:
    """Return the access that *environ* describes; `MisuseError` where a token could go to the wrong host."""
    base = _address("AMP_URL", environ.get("AMP_URL") or BASE)
    given = environ.get("AMPCOMMIT_TOKEN_URL")
    if not given and base.netloc != urlsplit(BASE).netloc:
        raise MisuseError(
            "AMP_URL names another server than Amp's own, and AMPCOMMIT_TOKEN_URL is not set",
            hint="set AMPCOMMIT_TOKEN_URL to that server's token endpoint: Amp's own tokens go to Amp alone",
        )
    token = _address("AMPCOMMIT_TOKEN_URL", given or TOKEN_URL)
    return Access(base.geturl().rstrip("/"), token.geturl(), environ)


def _quiet(environ: "Mapping[str, str]") -> dict[str, str]:
    """Return *environ* without git's variables; the user's configuration counts, that of a repository does not."""
    kept = {name: value for name, value in environ.items() if not name.startswith("GIT_")}
    return kept | {
        "GIT_DIR": os.devnull,  # even where all of the disk is a work tree
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "GCM_INTERACTIVE": "never",
    }


def _address(variable: str, text: str) -> SplitResult:
    """Return the parts of *text*, in one spelling; the value itself stands in no error, it could hold a password."""
    if not text.isascii() or not text.isprintable() or any(char in text for char in " \\?#"):
        _misuse(variable, "has characters that do not belong there")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
        ipv6 = ":" in host and bool(ipaddress.IPv6Address(host))
    except ValueError:
        _misuse(variable, "is no URL")
    if "@" in parts.netloc:
        _misuse(variable, "holds a user name, and perhaps a password")
    if port == 0 or not (ipv6 or ("[" not in parts.netloc and _named(host))):
        _misuse(variable, "is no URL with a host")
    if parts.scheme != "https" and not (parts.scheme == "http" and _loopback(host)):
        _misuse(variable, "is not https")
    where = f"[{host}]" if ipv6 else host
    return parts._replace(netloc=where if port in (None, _PORTS[parts.scheme]) else f"{where}:{port}")


def _named(host: str) -> bool:
    """Say whether *host* can be looked up: the system's resolver is not asked about anything else."""
    return _HOST.issuperset(host) and all(0 < len(label) < 64 for label in host.removesuffix(".").split("."))


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _misuse(variable: str, what: str) -> "NoReturn":
    raise MisuseError(
        f"{variable} {what}",
        hint=f"set {variable} to an address like {BASE}; http is for this machine only (http://127.0.0.1:8080)",
    )
