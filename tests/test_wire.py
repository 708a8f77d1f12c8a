"""What Amp's External API says, checked at the border: whatever comes, it is data or a `RemoteError`."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampcommit.amp import wire
from ampcommit.errors import RemoteError
from ampcommit.record import ThreadId
from tests.conftest import CHILD, OTHER, PARENT
from tests.test_record import values

THREAD = ThreadId(CHILD)
READERS: list[Callable[[bytes], object]] = [
    wire.page,
    wire.messages,
    lambda body: wire.usage(body, THREAD),
    wire.token,
]
relaxed = settings(deadline=None, database=None)


def entry(**fields: object) -> wire.Entry | None:
    """Return the one entry of a list that holds it with *fields*; None where it cannot be used."""
    found = wire.page(json.dumps({"threads": [{"id": CHILD, "creatorUserID": "u", **fields}]}).encode())
    assert len(found.entries) + found.unusable == 1
    return found.entries[0] if found.entries else None


def cost(**fields: object) -> wire.Usage:
    """Return the usage that *fields* make."""
    return wire.usage(json.dumps({"threadID": CHILD, "usage": 1, **fields}).encode(), THREAD)


def test_a_whole_entry_is_read() -> None:
    """All that the documentation names is found under our names; what else is there is ignored."""
    found = entry(
        title="Say it",
        createdAt="2026-11-20T08:15:30.123Z",
        updatedAt="2026-11-20T10:15:30+02:00",
        firstSyncedAt=1795162530000,
        mainThreadID=PARENT,
        parentThreadID=OTHER.upper(),
        repositories=[{"url": "https://example.com/r", "dir": "x"}, {"dir": "x"}, 5],
        subThreads=[1],
        novel={"a": [None]},
    )

    assert found is not None
    assert (found.id, found.creator, found.title, found.main, found.parent) == (CHILD, "u", "Say it", PARENT, OTHER)
    assert found.created == datetime(2026, 11, 20, 8, 15, 30, 123000, tzinfo=UTC)
    assert found.updated == datetime(2026, 11, 20, 8, 15, 30, tzinfo=UTC)
    assert found.first_synced == datetime(2026, 11, 20, 8, 15, 30, tzinfo=UTC)
    assert [one.url for one in found.repositories or []] == ["https://example.com/r"]


@pytest.mark.parametrize("odd", [None, 5, True, {}, [], "", "T-", -1, 1.5, "x" * 70000])
def test_an_odd_field_is_unknown(odd: object) -> None:
    """Null, a wrong type, a malformed value: the field is unknown, the entry stays."""
    names = ["createdAt", "updatedAt", "firstSyncedAt", "mainThreadID", "parentThreadID"]
    found = entry(**dict.fromkeys(names, odd))

    assert found is not None
    assert [found.updated, found.main, found.parent] == [None, None, None]
    assert found.repositories is None
    title = (entry(title=odd) or found).title
    assert title == ("x" * wire.TEXT_LIMIT if odd == "x" * 70000 else odd if odd == "T-" else None)
    assert (entry(repositories=odd) or found).repositories == ([] if odd == [] else None)


@pytest.mark.parametrize("fields", [{"id": None}, {"id": "T-1"}, {"creatorUserID": ""}, {"creatorUserID": "x" * 1001}])
def test_an_entry_without_its_ids_cannot_be_used(fields: dict[str, object]) -> None:
    """The two promised fields are demanded; what lacks them is counted, and the page goes on."""
    assert entry(**fields) is None


def test_entries_that_are_none_are_counted() -> None:
    """What is no object in a list is counted, and an id that comes twice stays twice."""
    good = {"id": CHILD, "creatorUserID": "u"}

    found = wire.page(json.dumps({"threads": [good, None, "x", [good], {}, good]}).encode())

    assert [one.id for one in found.entries] == [CHILD, CHILD]
    assert found.unusable == 4


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("2026-11-20T08:15:30", datetime(2026, 11, 20, 8, 15, 30, tzinfo=UTC)),
        ("1999-12-31T23:59:59Z", None),
        ("3000-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("yesterday", None),
        (1795162530, None),
        (10**400, None),
        (-(10**30), None),
        (True, None),
        ("2026-11-20T08:15:30\ud800", None),
    ],
)
def test_a_moment_is_one_or_unknown(said: object, moment: datetime | None) -> None:
    """A time without a zone is UTC; one that cannot be a thread's, seconds for milliseconds included, is unknown."""
    found = entry(createdAt=said)

    assert found is not None
    assert found.created == moment


def test_halves_of_characters_are_replaced() -> None:
    """A lone surrogate in a title, which JSON can spell, can be written to a file afterwards."""
    found = entry(title="a\ud800b \U0001f600", creatorUserID="\udc00")

    assert found is not None
    assert found.title == "a?b \U0001f600"
    assert found.creator.encode() == b"?"


@pytest.mark.parametrize("cursor", [None, "", "ab c", "x" * wire.CURSOR_LIMIT])
def test_a_cursor_leads_on_or_not(cursor: str | None) -> None:
    """The list ends where there is no cursor, and where it is empty."""
    said = json.dumps({"threads": [], "messages": [], "nextCursor": cursor}).encode()

    assert wire.page(said).cursor == wire.messages(said).cursor == (cursor or None)


@pytest.mark.parametrize("cursor", [0, False, [], {}, "a\nb", "\ud800", "x" * (wire.CURSOR_LIMIT + 1)])
def test_a_cursor_that_is_none_is_a_failure(cursor: object) -> None:
    """A list that cannot be continued is not taken for a whole one."""
    said = json.dumps({"threads": [], "messages": [], "nextCursor": cursor}).encode()

    for read in (wire.page, wire.messages):
        with pytest.raises(RemoteError, match="cannot be continued"):
            read(said)


def test_usage_is_exact() -> None:
    """Dollars keep the digits that were sent; models and sub-threads that are none are left out."""
    body = (
        f'{{"threadID": "{CHILD}", "usage": 0.1000000000000000055, "subThreadIDs": ["{OTHER}", 5, "T-1"],'
        '"models": [{"provider": "p", "model": "m", "requests": 3, "inputTokens": 1, "outputTokens": 2,'
        '"cacheReadInputTokens": 4, "cacheCreationInputTokens": 5, "usage": 1.10}, null, {"usage": "1"}]}'
    )

    found = wire.usage(body.encode(), THREAD)

    assert str(found.usd) == "0.100000000000"
    assert found.sub_threads == [OTHER]
    first, second = found.models
    assert (first.provider, first.model, first.requests, str(first.usd)) == ("p", "m", 3, "1.10")
    assert (first.input_tokens, first.output_tokens) == (1, 2)
    assert (first.cache_read_tokens, first.cache_creation_tokens) == (4, 5)
    assert (second.provider, second.usd) == (None, None)
    assert (cost(models={}, subThreadIDs=5).models, cost().sub_threads) == ([], [])


@pytest.mark.parametrize("odd", ["9" * 10_000, "1e" + "9" * 30, "-1e" + "9" * 30])
def test_a_number_that_is_none_of_our_business_harms_nothing(odd: str) -> None:
    """A number without end in a field that nobody knows costs no page."""
    (found,) = wire.page(f'{{"threads": [{{"id": "{CHILD}", "creatorUserID": "u", "odd": {odd}}}]}}'.encode()).entries

    assert found.id == CHILD


@pytest.mark.parametrize("said", ["-0.01", "1e12", "1e400", "null", '"1"', "true", "[]", "-1e-400"])
def test_an_amount_that_is_none_is_a_failure(said: str) -> None:
    """Usage without dollars that can be is no usage."""
    with pytest.raises(RemoteError, match="what a thread cost"):
        wire.usage(f'{{"threadID": "{CHILD}", "usage": {said}}}'.encode(), THREAD)


@pytest.mark.parametrize("said", ["0", "-0.0", "1e-999999", "0e-999999999", "1" + "." + "0" * 50_000, "999999999999.9"])
def test_every_amount_can_be_written_out(said: str) -> None:
    """Dollars of a hostile spelling take no memory when they are printed, and zero has no sign."""
    found = wire.usage(f'{{"threadID": "{CHILD}", "usage": {said}}}'.encode(), THREAD)

    assert len(f"{found.usd:f}") < 30
    assert abs(found.usd - min(Decimal(said), Decimal(10**12))) < Decimal("1e-12")
    assert not found.usd.is_signed()


@pytest.mark.parametrize("odd", [-1, 1 << 62, 1.0, "5", True, None])
def test_an_odd_count_is_unknown(odd: object) -> None:
    """A count that no database could hold is unknown."""
    assert cost(models=[{"requests": odd}]).models[0].requests is None


def test_another_threads_usage_is_none() -> None:
    """N06: the usage of another thread is a failure."""
    with pytest.raises(RemoteError, match="another thread"):
        wire.usage(json.dumps({"threadID": OTHER, "usage": 1}).encode(), THREAD)


def test_messages_have_ids_of_both_kinds() -> None:
    """Numbers and names are ids of messages; what has none is left out."""
    listed = [{"messageID": 0, "createdAt": "2026-11-20T08:15:30Z"}, {"messageID": "M-x", "messageVersion": "2"}]

    found = wire.messages(json.dumps({"messages": [*listed, {}, {"messageID": ""}, {"messageID": -1}, 5]}).encode())

    assert [(one.id, one.version) for one in found.messages] == [(0, None), ("M-x", "2")]
    assert found.messages[0].created is not None


def test_a_token_is_in_no_text() -> None:
    """N11: neither a token's own text nor a failure's shows it."""
    found = wire.token(b'{"access_token": "hush-9c1d", "expires_in": 60}')

    assert (found.text, found.seconds) == ("hush-9c1d", 60)
    assert "hush-9c1d" not in f"{found!r} {found}"
    for body in (
        b'{"access_token": "hush-9c1d ."}',
        b'{"access_token": ["hush-9c1d"]}',
        b'{"access_token": "hush-9c1d',
    ):
        with pytest.raises(RemoteError) as error:
            wire.token(body)
        assert "hush-9c1d" not in f"{error.value} {error.value.hint} {error.value.__cause__}"


@pytest.mark.parametrize("text", ["a b", "a\u00e9", "a\r\nX: y", "\x7f", "", "x" * (wire.TEXT_LIMIT * 8 + 1)])
def test_a_token_fits_into_a_header(text: str) -> None:
    """What would break a header is no token."""
    with pytest.raises(RemoteError, match="not an access token"):
        wire.token(json.dumps({"access_token": text}).encode())


@pytest.mark.parametrize(
    ("body", "reason", "fault"),
    [
        (b'{"error": "no"}', "no", "no"),
        (b'{"error": "invalid_client", "error_description": "who?"}', "who?", "invalid_client"),
        (b'{"error": {"message": "no"}}', "", ""),
        (b"<html>", "", ""),
        (b"", "", ""),
    ],
)
def test_a_reason_is_what_the_api_says(body: bytes, reason: str, fault: str) -> None:
    """The words of an error are found where they are documented to be, else there are none."""
    assert (wire.reason(body), wire.fault(body)) == (reason, fault)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xef\xbb\xbf{}",
        '{"threads": []}'.encode("utf-16"),
        b'{"threads": [NaN], "messages": [-Infinity], "usage": NaN}',
        b"[" * 1_000_000,
        b'{"threads":' * 200_000,
        b'{"threads": 5, "messages": {}}',
        b"\0",
        b"\xff",
    ],
    ids=lambda body: repr(body[:20]),
)
@pytest.mark.parametrize("read", READERS)
def test_what_is_no_answer_is_a_failure(read: Callable[[bytes], object], body: bytes) -> None:
    """N06: nothing, another type or encoding, NaN, numbers and nesting without end are failures, and are not quoted."""
    with pytest.raises(RemoteError) as error:
        read(body)

    assert error.value.hint
    assert len(str(error.value)) < 100


NAMES = [
    *("threads", "messages", "nextCursor", "id", "creatorUserID", "title", "createdAt", "updatedAt", "firstSyncedAt"),
    *("mainThreadID", "parentThreadID", "repositories", "url", "threadID", "subThreadIDs", "usage", "models"),
    *("provider", "model", "requests", "inputTokens", "messageID", "messageVersion", "access_token", "expires_in"),
    *("error", "error_description"),
]
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.none() | st.booleans() | NUMBERS | st.text() | st.sampled_from([CHILD, "\ud800", "2026-11-20T08:15:30Z"])
JSON = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=6),
    max_leaves=25,
)


@relaxed
@given(
    st.binary() | values.map(lambda value: json.dumps(value).encode()) | JSON.map(lambda one: json.dumps(one).encode())
)
def test_no_bytes_are_a_defect(body: bytes) -> None:
    """N06: whatever comes, each reader returns what it is for, or raises `RemoteError`."""
    for read in READERS:
        try:
            read(body)
        except RemoteError:
            continue
    assert isinstance(wire.reason(body), str)


@relaxed
@given(st.dictionaries(st.sampled_from(NAMES), JSON, max_size=12))
def test_no_entry_is_a_defect(fields: dict[str, Any]) -> None:
    """Whatever an entry, a usage or a message holds beside its ids, it can be read, and written to a file."""
    said: dict[str, object] = {"threads": [fields | {"id": CHILD, "creatorUserID": "u"}], "nextCursor": None}

    (found,) = wire.page(json.dumps(said).encode()).entries
    used = cost(**(fields | {"threadID": CHILD, "usage": 1}))
    (message,) = wire.messages(json.dumps({"messages": [fields | {"messageID": 1}]}).encode()).messages

    assert found.id == used.thread == CHILD
    assert message.id == 1
    f"{found!r}{used!r}{message!r}".encode()
    assert found.title is None or len(found.title.encode()) <= 4 * wire.TEXT_LIMIT
