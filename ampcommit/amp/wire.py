"""
What Amp's External API says, checked at the border.

Fields and their names are those of the API's version 2, as far as they are known. Of an entry only the ids are
promised; what else is missing, null or malformed is unknown (None), and fields that we do not know are ignored.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError

from ampcommit.errors import RemoteError
from ampcommit.jsontext import decoded
from ampcommit.record import ThreadId

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TEXT_LIMIT = 1000
"""Characters of a title, a URL or a name that are kept."""

CURSOR_LIMIT = 4096
"""Characters of a cursor; it has to go into a URL, where each may take twelve."""

_DEAREST = 10**12
_FIRST_YEAR, _LAST_YEAR = 2000, 3000  # no thread is older than Amp
_LARGEST = 1 << 62  # SQLite's integers have 64 bits


# Each of these returns what it is given as it is kept, or None where it is not what it should be.
def _text(value: object) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    # JSON can spell halves of characters, which neither a file nor a terminal takes.
    return value[:TEXT_LIMIT].encode("utf-8", "replace").decode("utf-8")


def _name(value: object) -> str | None:
    return _text(value) if isinstance(value, str) and len(value) <= TEXT_LIMIT else None


def _moment(value: object) -> datetime | None:
    """Take RFC 3339 and milliseconds since 1970: which of them Amp sends is not promised."""
    try:
        if isinstance(value, str):
            when = datetime.fromisoformat(value)
            when = (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
        elif type(value) is int:
            when = datetime.fromtimestamp(value / 1000, UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return when if _FIRST_YEAR <= when.year < _LAST_YEAR else None


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < _LARGEST else None


def _money(value: object) -> Decimal | None:
    amount = Decimal(value) if type(value) is int or isinstance(value, Decimal) else None
    if amount is None or not 0 <= amount < _DEAREST:
        return None
    # Written out, a tiny exponent is a gigabyte of zeros.
    return abs(round(amount, 12) if int(amount.as_tuple().exponent) < -12 else amount)


def _required(check: "Callable[[object], Any]") -> "Callable[[object], Any]":
    def checked(value: object) -> object:
        found = check(value)
        if found is None:
            raise ValueError("missing, or not what it should be")
        return found

    return checked


_Thread = Annotated[ThreadId, PlainValidator(_required(ThreadId.maybe))]
_ThreadOrNone = Annotated[ThreadId | None, PlainValidator(ThreadId.maybe)]
_TextOrNone = Annotated[str | None, PlainValidator(_text)]
_NameOrNone = Annotated[str | None, PlainValidator(_name)]
_MomentOrNone = Annotated[datetime | None, PlainValidator(_moment)]
_CountOrNone = Annotated[int | None, PlainValidator(_count)]
_MoneyOrNone = Annotated[Decimal | None, PlainValidator(_money)]


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)


_T = TypeVar("_T", bound=_Said)


class Repository(_Said):
    """A repository that a thread worked in: its URL, as a client knew it."""

    url: Annotated[str, PlainValidator(_required(_name))]


def _repositories(value: object) -> list[Repository] | None:
    return _sound(Repository, value) if isinstance(value, list) else None


class Entry(_Said):
    """
    One thread of the list.

    `repositories` is None where the list does not tell (the scope is missing, or it never does), and empty where
    it says that there are none.
    """

    id: _Thread
    creator: Annotated[str, PlainValidator(_required(_name))] = Field(alias="creatorUserID")
    title: _TextOrNone = None
    created: _MomentOrNone = Field(None, alias="createdAt")
    updated: _MomentOrNone = Field(None, alias="updatedAt")
    first_synced: _MomentOrNone = Field(None, alias="firstSyncedAt")
    main: _ThreadOrNone = Field(None, alias="mainThreadID")
    parent: _ThreadOrNone = Field(None, alias="parentThreadID")
    repositories: Annotated[list[Repository] | None, PlainValidator(_repositories)] = None


class Page:
    """One page of the list: the entries that can be used, how many cannot, and where the next page begins."""

    __slots__ = ("cursor", "entries", "unusable")

    def __init__(self, entries: list[Entry], unusable: int, cursor: str | None) -> None:
        self.entries = entries
        self.unusable = unusable
        self.cursor = cursor


class Model(_Said):
    """What one model cost a thread: requests, tokens, and US dollars."""

    provider: _NameOrNone = None
    model: _NameOrNone = None
    requests: _CountOrNone = None
    input_tokens: _CountOrNone = Field(None, alias="inputTokens")
    output_tokens: _CountOrNone = Field(None, alias="outputTokens")
    cache_read_tokens: _CountOrNone = Field(None, alias="cacheReadInputTokens")
    cache_creation_tokens: _CountOrNone = Field(None, alias="cacheCreationInputTokens")
    usd: _MoneyOrNone = Field(None, alias="usage")


def _models(value: object) -> list[Model]:
    return _sound(Model, value) if isinstance(value, list) else []


def _subs(value: object) -> list[ThreadId]:
    return [one for one in map(ThreadId.maybe, value) if one] if isinstance(value, list) else []


class Usage(_Said):
    """What a thread cost in US dollars, with its sub-threads, which are named."""

    thread: _Thread = Field(alias="threadID")
    usd: Annotated[Decimal, PlainValidator(_required(_money))] = Field(alias="usage")
    sub_threads: Annotated[list[ThreadId], PlainValidator(_subs)] = Field([], alias="subThreadIDs")
    models: Annotated[list[Model], PlainValidator(_models)] = []


def _any_id(value: object) -> int | str | None:
    # Numbers and names: ids of messages are both, from one generation to the next.
    return _count(value) if type(value) is int else _name(value)


class Message(_Said):
    """One message of a thread: the three fields that stay as they are from version to version."""

    id: Annotated[int | str, PlainValidator(_required(_any_id))] = Field(alias="messageID")
    version: Annotated[int | str | None, PlainValidator(_any_id)] = Field(None, alias="messageVersion")
    created: _MomentOrNone = Field(None, alias="createdAt")


class Messages:
    """One page of the messages of a thread, and where the next one begins."""

    __slots__ = ("cursor", "messages")

    def __init__(self, messages: list[Message], cursor: str | None) -> None:
        self.messages = messages
        self.cursor = cursor


class Token(_Said):
    """An access token; `seconds` says how long it holds, if that was said."""

    text: Annotated[str, PlainValidator(_required(_name))] = Field(alias="access_token", repr=False)
    seconds: _CountOrNone = Field(None, alias="expires_in")


def page(body: bytes) -> Page:
    """Return the page in *body*; `RemoteError` if it is none."""
    fields = _object(body, "a list of threads")
    listed = _listed(fields, "threads")
    entries = _sound(Entry, listed)
    return Page(entries, len(listed) - len(entries), _next(fields))


def messages(body: bytes) -> Messages:
    """Return the messages in *body*; `RemoteError` if there are none to be found."""
    fields = _object(body, "a list of messages")
    return Messages(_sound(Message, _listed(fields, "messages")), _next(fields))


def usage(body: bytes, thread: ThreadId) -> Usage:
    """Return the usage of *thread* in *body*; `RemoteError` if it is none, or that of another thread."""
    found = _one(Usage, body, "what a thread cost")
    if found.thread != thread:
        raise RemoteError("Amp told of another thread than the one asked for", hint=_LATER)
    return found


def token(body: bytes) -> Token:
    """Return the token in *body*; `RemoteError` if there is none. No error quotes what was there."""
    found = _one(Token, body, "an access token")
    if not found.text.isascii() or not found.text.isprintable() or " " in found.text:
        raise _broken("an access token")  # it would not fit into a header
    return found


def reason(body: bytes) -> str:
    """Return what an error's *body* says, of any length, to be escaped; empty where it says nothing that we know."""
    return _said(body, "error_description") or fault(body)


def fault(body: bytes) -> str:
    """Return the `error` in *body*: a name of the kind of failure, or a sentence; empty where there is none."""
    return _said(body, "error")


def _said(body: bytes, field: str) -> str:
    try:
        return said if isinstance(said := _object(body, "a reason").get(field), str) else ""
    except RemoteError:
        return ""


_LATER = "try again later; if that stays so, report it"


def _broken(what: str) -> RemoteError:
    return RemoteError(f"Amp's answer is not {what}", hint=_LATER)


def _listed(fields: dict[str, object], name: str) -> list[object]:
    listed = fields.get(name)
    if not isinstance(listed, list):
        raise _broken(f"a list of {name}")
    return listed


def _next(fields: dict[str, object]) -> str | None:
    """Return where the list goes on; it ends where no cursor is, and where it is empty."""
    cursor = fields.get("nextCursor")
    if cursor is None or cursor == "":
        return None
    if not isinstance(cursor, str) or len(cursor) > CURSOR_LIMIT or not cursor.isprintable():
        raise RemoteError("Amp's answer cannot be continued: nextCursor is no cursor", hint=_LATER)
    return cursor


def _one(kind: "type[_T]", body: bytes, what: str) -> "_T":
    try:
        return kind.model_validate(_object(body, what))
    except ValidationError:
        raise _broken(what) from None


def _sound(kind: "type[_T]", listed: "Iterable[object]") -> "list[_T]":
    """Return those of *listed* that are a *kind*."""
    found = []
    for one in listed:
        try:
            found.append(kind.model_validate(one))
        except ValidationError:
            continue
    return found


def _object(body: bytes, what: str) -> dict[str, object]:
    """Return the JSON object in *body*, with money as it was written."""
    try:
        fields = decoded(body)
    except ValueError:
        raise _broken(what) from None  # the cause would hold the whole answer
    if not isinstance(fields, dict):
        raise _broken(what)
    return fields
