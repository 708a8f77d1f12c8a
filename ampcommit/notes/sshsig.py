"""
A signature as OpenSSH writes it (SSHSIG), and the line of a note that holds one; no program is run here.

Such a line, of kind `signature`, exists in exactly one form: whatever differs from that in a byte is no signature.
"""

import base64
import hashlib
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

NAMESPACE = "ampcommit"
"""What the signatures are for: one that was made for a commit or a mail is none for a record."""

BODY_LIMIT = 32768
"""Bytes that the text of a signature may have: the largest RSA key in a certificate needs a quarter of it."""

_BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
_MAGIC = b"SSHSIG\0\0\0\1"
_LINE = re.compile(rb'\{"v":1,"kind":"signature","of":"(sha256:[0-9a-f]{64})","signature":"([^"]*)"\}')


def digest(line: bytes) -> str:
    """Return the name under which a signature speaks of *line*."""
    return f"sha256:{hashlib.sha256(line).hexdigest()}"


def framed(line: bytes, body: bytes) -> bytes:
    """Return the line that says: *body* is a signature of *line*."""
    return b'{"v":1,"kind":"signature","of":"%b","signature":"%b"}' % (digest(line).encode("ascii"), body)


def bodies(line: bytes, note: "Collection[bytes]") -> list[bytes]:
    """Return what the lines of *note* that sign *line* hold, each once."""
    before, after = framed(line, b"\n").split(b"\n")
    found = (one for one in note if one.startswith(before) and one.endswith(after))
    return sorted({one[len(before) : -len(after)] for one in found})


def by_digest(note: "Collection[bytes]") -> dict[str, list[bytes]]:
    """Return the same for every line that *note* has a signature of, by the digest of the line."""
    found: dict[str, set[bytes]] = {}
    for told in filter(None, map(_LINE.fullmatch, note)):
        found.setdefault(told[1].decode("ascii"), set()).add(told[2])
    return {name: sorted(its) for name, its in found.items()}


def signed_with(key: bytes, note: "Collection[bytes]") -> set[str]:
    """Return the digests of the lines that say to be signed with the public *key*, as lines of *note* tell."""
    found = (told for one in note if (told := _LINE.fullmatch(one)))
    return {told[1].decode("ascii") for told in found if key_in(told[2]) == key}


def armoured(body: bytes) -> bytes:
    """Return the file in which ssh-keygen looks for the signature *body*."""
    return b"\n".join((_BEGIN, body, _END, b""))


def body_of(file: bytes) -> bytes:
    """Return the signature in a *file* that ssh-keygen wrote, in one piece."""
    return b"".join(file.strip().removeprefix(_BEGIN).removesuffix(_END).split())


def key_in(body: bytes) -> bytes | None:
    """Return the public key in a signature of our namespace; None for what is not exactly one."""
    blob = _decoded(body)
    # ssh-keygen is content with other padding, an older version, and anything in the reserved field.
    if base64.b64encode(blob) != body or not blob.startswith(_MAGIC):
        return None
    fields, rest = [], blob[len(_MAGIC) :]
    for _ in range(5):
        end = 4 + int.from_bytes(rest[:4], "big")
        if len(rest) < end:
            return None
        fields.append(rest[4:end])
        rest = rest[end:]
    key, namespace, reserved, hashed, _ = fields
    ours = namespace == NAMESPACE.encode() and hashed in (b"sha256", b"sha512")
    return key if ours and not reserved and not rest else None


def key_of(file: bytes) -> bytes | None:
    """Return the first public key in the text of a *file* like `id_ed25519.pub`; None if there is none."""
    for words in (line.split(None, 2) for line in file.split(b"\n")):
        blob = _decoded(words[1]) if len(words) > 1 else b""
        if blob and blob.startswith(len(words[0]).to_bytes(4, "big") + words[0]):
            return blob
    return None


def _decoded(text: bytes) -> bytes:
    """Return what *text* is in base64 for, nothing for what is not base64 or too long."""
    try:
        return base64.b64decode(text, validate=True) if len(text) <= BODY_LIMIT else b""
    except ValueError:
        return b""
