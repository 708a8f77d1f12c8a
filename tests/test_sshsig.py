"""Signatures as OpenSSH writes them, and the lines that hold them: one form each, and nothing else is one."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampcommit.notes.sshsig import (
    BODY_LIMIT,
    NAMESPACE,
    armoured,
    bodies,
    body_of,
    digest,
    framed,
    key_in,
    key_of,
    signed_with,
)

KIND = b"ssh-ed25519"
LINE = b'{"v":1,"kind":"commit"}'
relaxed = settings(deadline=None, database=None)


def field(text: bytes) -> bytes:
    """Return *text* as a field of ssh: its length before it."""
    return len(text).to_bytes(4, "big") + text


def key(seed: bytes = b"k" * 32) -> bytes:
    """Return a public key."""
    return field(KIND) + field(seed)


def signature(
    public: bytes, namespace: bytes = NAMESPACE.encode(), reserved: bytes = b"", hashed: bytes = b"sha512"
) -> bytes:
    """Return the text of a signature that says to be made with the key *public*."""
    fields = (public, namespace, reserved, hashed, field(KIND) + field(b"s" * 64))
    return base64.b64encode(b"SSHSIG\0\0\0\1" + b"".join(map(field, fields)))


def test_a_line_tells_what_it_signs() -> None:
    """The line that holds a signature names the signed line by its digest, and is found by that alone."""
    line = framed(LINE, signature(key()))

    assert line.startswith(b'{"v":1,"kind":"signature","of":"' + digest(LINE).encode())
    assert bodies(LINE, [b"", LINE, line, framed(b"another", b"x"), line]) == [signature(key())]
    assert bodies(b"another", [line]) == []


def test_the_armour_is_taken_off_as_it_is_put_on() -> None:
    """What ssh-keygen reads and writes between its first and last row is the signature in one piece."""
    body = signature(key())

    assert body_of(armoured(body)) == body_of(armoured(body[:70] + b"\n" + body[70:])) == body
    assert body_of(b"") == b""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense!",
        base64.b64encode(b"SSHSIG\0\0\0\1"),
        signature(key(), namespace=b"git"),
        signature(key(), reserved=b"x"),
        signature(key(), hashed=b"md5"),
        base64.b64encode(base64.b64decode(signature(key())) + b"x"),
        base64.b64encode(b"SSHSIG\0\0\0\2" + base64.b64decode(signature(key()))[10:]),
        signature(b"k" * BODY_LIMIT),
    ],
)
def test_what_is_no_signature_has_no_key(body: bytes) -> None:
    """Another namespace, version or digest, something behind it, too long, not base64: none of these is one."""
    assert key_in(body) is None
    assert signed_with(key(), [framed(LINE, body)]) == set()


def test_whose_signature_it_is_stands_in_it() -> None:
    """A line counts as signed with a key where one of its signatures has that key, whoever else signed it first."""
    mine, other = key(), key(b"o" * 32)
    note = [framed(LINE, signature(other)), framed(LINE, signature(mine)), framed(b"2", signature(other)), b"x"]

    assert signed_with(mine, note) == {digest(LINE)}
    assert signed_with(other, note) == {digest(LINE), digest(b"2")}
    assert signed_with(key(b"n" * 32), note) == set()
    assert key_in(signature(mine)) == mine


@pytest.mark.parametrize("before", [b"", b"# a comment\n", b"\n", b"ssh-rsa " + base64.b64encode(key()) + b"\n"])
def test_a_public_key_is_read_from_its_file(before: bytes) -> None:
    """The first line that is a key of the kind that it names counts; a comment behind it does not matter."""
    text = KIND + b" " + base64.b64encode(key())

    assert key_of(before + text) == key_of(before + b" " + text + b" a@x b\r\n") == key()


@pytest.mark.parametrize(
    "file", [b"", b"ssh-ed25519", b"ssh-ed25519 x", b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n"]
)
def test_other_files_have_no_public_key(file: bytes) -> None:
    """A private key, half a line or nothing is no public key."""
    assert key_of(file) is None


@relaxed
@given(file=st.binary(max_size=200), body=st.binary(max_size=200))
def test_any_bytes_are_a_key_or_none(file: bytes, body: bytes) -> None:
    """Whatever a file or a note holds is read without a failure."""
    assert key_of(file) is None or len(file) > len(KIND)
    assert key_in(body) is None
    assert signed_with(key(), [file, framed(LINE, body.replace(b'"', b""))]) == set()
