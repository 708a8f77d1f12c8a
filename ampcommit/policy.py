"""The keys of the policy: how each is written, which values it takes, what holds when nobody says anything."""

from ampcommit.record import Sha

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def _choice(*allowed: str) -> "Callable[[str], str]":
    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"must be {' or '.join(allowed)}")
        return value

    return read


def _boolean(value: str) -> bool:
    if value.lower() in ("true", "yes", "on", "1"):
        return True
    if value.lower() in ("false", "no", "off", "0", ""):
        return False
    raise ValueError("must be true or false")


def _boolean_of_git(value: str) -> bool:
    number = value.lstrip("+-")
    if number.isascii() and number.isdigit():
        return bool(number.strip("0"))
    return _boolean(value)


def _count(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 7):
        raise ValueError("must be a number")
    return int(value)


def _host(value: str) -> str:
    host = value.lower()
    if not host or not host.isascii() or not host.replace("-", "a").replace(".", "a").isalnum():
        raise ValueError("must be a host name, without scheme or port")
    return host


def _exemption(value: str) -> str:
    kind, colon, rest = value.partition(":")
    if value not in ("merge", "revert", "fixup") and not (kind in ("bot", "path", "before") and colon and rest):
        raise ValueError("must be merge, revert, fixup, bot:<glob>, path:<glob> or before:<commit>")
    if kind == "before" and Sha.maybe(rest) is None:  # a branch or a tag of that name would be somebody's to move
        raise ValueError("before: must name its commit by the full id")
    return value


def _share(value: str) -> str:
    if value != "off":
        raise ValueError("is not enforced by this version; it must be off")
    return value


# Key as people write it, how a value is read, the default; a tuple as the default: the key may be given many times.
_TABLE: "tuple[tuple[str, Callable[[str], object], object], ...]" = (
    ("mode", _choice("require", "warn", "off"), "require"),
    ("autolink", _boolean, True),
    ("authors", _choice("everyone", "agent"), "everyone"),
    ("linkIn", _choice("trailer", "message"), "trailer"),
    ("host", _host, ()),
    ("minSubject", _count, 10),
    ("maxSubject", _count, 72),
    ("minBody", _count, 0),
    ("exempt", _exemption, ("merge", "fixup")),
    ("record", _boolean, False),
    ("evidence", _share, "off"),
)
KEYS = tuple(name for name, _, _ in _TABLE)
"""The keys as people write them."""

BY_NAME = {name.lower(): (name, read, default) for name, read, default in _TABLE}
"""A key in lower case, as git prints it -> how people write it, its reader, its default."""


CLONE_BY_NAME: "dict[str, tuple[str, Callable[[str], object], object]]" = {
    "resolve": ("resolve", _choice("background", "never"), "background"),
    "amp": ("amp", str, ""),
    "shareremote": ("shareRemote", str, ""),
    "sign": ("sign", _boolean_of_git, False),
    "forge": ("forge", _choice("github", "gitlab"), ""),
}
"""Settings of one clone: a cloned repository must not be able to set them, so `.ampcommit` does not count."""


def understood(key: str, value: str | None) -> object:
    """Return what *value* (None: the key stands alone) means for *key*; a `ValueError` says what it must be."""
    read = (BY_NAME.get(key) or CLONE_BY_NAME[key])[1]
    if value is None and read not in (_boolean, _boolean_of_git):
        raise ValueError("needs a value")
    return read("true" if value is None else value)  # a key alone is git's way to say yes
