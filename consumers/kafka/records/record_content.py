"""What records say: runs of usage items and lifecycle commands, in record order. No broker, no log, no clock.

1. Which bytes are the events of a record: its headers say, else its first byte (`_items_of`).
   - *structured*: the value is an event as JSON;
   - *batched*: the value is a JSON array of events;
   - *binary*: headers `ce_...` are the attributes and the value is the data; it becomes the equal structured event.
   - No value and no such headers: a tombstone. On a topic of customers it deletes the one that its key names.
2. Whose they are: headers `meterfold-tenant` and `meterfold-environment`, else what the consumer was told.
3. Which are commands: the type decides. Whoever cannot be one (no id, no object as data) is left to the decoder
   of usage, which rejects it and says why, like all garbage.

Most records are structured usage without headers; a run of only those is settled without looking at each.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from consumers.kafka.appending.batches import SentCommand, UsageRun
from consumers.kafka.records.record_runs import Headers, RecordRun
from domain.errors import InvalidInput
from domain.scope import Scope, scope_of
from domain.usage.request_bodies import BodyFormat, items_of
from domain.usage.rules import SPECVERSION
from domain.values.json_numbers import exact_json

TENANT_HEADER: Final = "meterfold-tenant"
ENVIRONMENT_HEADER: Final = "meterfold-environment"
CONTENT_TYPE_HEADER: Final = "content-type"
ATTRIBUTE_PREFIX: Final = "ce_"

CUSTOMER_KINDS: Final = tuple(
    f"customer.{verb}" for verb in ("create", "update", "block", "unblock", "deactivate", "reactivate", "delete")
)
BUDGET_KINDS: Final = tuple(f"budget.{verb}" for verb in ("create", "update", "delete"))
TOMBSTONE_KIND: Final = "customer.delete"

_KINDS: Final = frozenset(CUSTOMER_KINDS + BUDGET_KINDS)
#: A command has one of these in its bytes: its type stands in quotes, or is spelled with escapes.
_MARKS: Final = (b'"customer.', b'"budget.')
#: The bytes that an escape begins with, and the first of them alone.
_ESCAPE: Final = b"\\u"
_ESCAPE_START: Final = b"\\"
_STRUCTURED: Final = "application/cloudevents"
_BATCHED: Final = "application/cloudevents-batch"
_OBJECT_STARTS: Final = ord("{")
_ARRAY_START: Final = b"["
_WHITESPACE: Final = b" \t\r\n"

_first_byte: Final = itemgetter(0)
_encode: Final = msgspec.json.Encoder().encode
_read_raw: Final = msgspec.json.Decoder(Raw).decode


class RecordContext(msgspec.Struct, frozen=True):
    """What holds for every record of a topic: whose it is where it does not say, and what a tombstone means."""

    scope: Scope
    tombstones: Literal["delete the customer", "rejected", "left out"]


class _Told(msgspec.Struct, frozen=True):
    """What the headers of a record tell; `attributes` are those of an event in binary mode, None in other modes."""

    scope: Scope
    content_type: str
    attributes: dict[str, str] | None


Part = UsageRun | SentCommand


def parts_of(run: RecordRun, facts: RecordContext) -> list[Part]:
    """What the records of a run say, in their order. Nothing raises: what cannot be read is an item to be rejected."""
    plain = _plain_usage(run, facts.scope)
    if plain is not None:
        return [plain]
    parts = _Parts()
    told = _Told(facts.scope, "", None)
    for row, value in enumerate(run.values):
        headers = () if run.headers is None else run.headers[row]
        arrival_us = _arrival_us(run.timestamps_ms[row])
        place = _Place(run.offsets[row], run.keys[row], arrival_us)
        try:
            says = _told(headers, facts.scope) if headers else told
        except (InvalidInput, UnicodeDecodeError):
            parts.add_item(facts.scope, place, _spoilt(headers, value), None)
            continue
        if value is None and says.attributes is None:
            _add_tombstone(parts, place, says.scope, facts)
            continue
        items, batched = _items_of(value, says)
        for index, item in enumerate(items):
            command = _command_of(item, says.scope, place, index) if _has_mark(item) else None
            if command is not None:
                parts.add_command(command)
            else:
                parts.add_item(says.scope, place, item, index if batched else None)
    return parts.found


class _Place(msgspec.Struct, frozen=True):
    """Where an item comes from: the offset, the key and the arrival of its record."""

    offset: int
    key: bytes | None
    arrival_us: int

    def key_text(self) -> str | None:
        return _key_text(self.key)


class _Parts:
    """Parts that grow item by item: one run as long as the scope stays and no command comes between."""

    def __init__(self) -> None:
        self.found: list[Part] = []

    def add_command(self, command: SentCommand) -> None:
        self.found.append(command)

    def add_item(self, scope: Scope, place: _Place, item: bytes, index: int | None) -> None:
        last = self.found[-1] if self.found else None
        if not isinstance(last, UsageRun) or last.scope != scope:
            last = UsageRun(scope, [], [], [], [])
            self.found.append(last)
        last.items.append(item)
        last.offsets.append(place.offset)
        last.arrivals_us.append(place.arrival_us)
        if last.customers is not None:
            last.customers.append(place.key_text())
        if index is not None and last.indexes is None:
            last.indexes = [0] * (len(last.items) - 1)
        if last.indexes is not None:
            last.indexes.append(index or 0)


def _plain_usage(run: RecordRun, scope: Scope) -> UsageRun | None:
    """The whole run as usage, where every record is one JSON object without headers and none can be a command."""
    if run.headers is not None or not run.values:
        return None
    try:
        if set(map(_first_byte, run.values)) != {_OBJECT_STARTS}:  # type: ignore[arg-type]
            return None
    except (TypeError, IndexError):  # no value, or an empty one
        return None
    values: list[bytes] = run.values  # type: ignore[assignment]
    if _has_mark(b"\n".join(values)):
        return None
    arrivals_us = list(map(_arrival_us, run.timestamps_ms))
    return UsageRun(scope, values, run.offsets, arrivals_us, _customers(run.keys))


def _customers(keys: Sequence[bytes | None]) -> list[str | None] | None:
    try:
        return list(map(bytes.decode, keys))  # type: ignore[arg-type]
    except (TypeError, UnicodeDecodeError):  # there is one without key, or with one that is no text
        return None if keys.count(None) == len(keys) else list(map(_key_text, keys))


def _key_text(key: bytes | None) -> str | None:
    """The customer that a key names; None where it is no text."""
    if key is None:
        return None
    try:
        return key.decode()
    except UnicodeDecodeError:
        return None


def _arrival_us(timestamp_ms: int) -> int:
    """Negative where the record has none, as its part promises."""
    return timestamp_ms * 1_000


def _told(headers: Headers, scope: Scope) -> _Told:
    """`InvalidInput` for a tenant or an environment that cannot be, `UnicodeDecodeError` for what is no text."""
    tenant, environment, content_type = scope.tenant, scope.environment, ""
    attributes: dict[str, str] = {}
    for name, value in headers:
        if value is None:
            continue
        lower = name.lower()
        if lower.startswith(ATTRIBUTE_PREFIX):
            attributes[lower[len(ATTRIBUTE_PREFIX) :]] = value.decode()
        elif lower == CONTENT_TYPE_HEADER:
            content_type = value.decode()
        elif lower == TENANT_HEADER:
            tenant = value.decode()
        elif lower == ENVIRONMENT_HEADER:
            environment = value.decode()
    if (tenant, environment) != (scope.tenant, scope.environment):
        scope = scope_of(tenant, environment)
    media_type = _media_type(content_type)
    is_binary = bool(attributes) and not media_type.startswith(_STRUCTURED)
    return _Told(scope, content_type, attributes if is_binary else None)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _items_of(value: bytes | None, says: _Told) -> tuple[list[bytes], bool]:
    """The events of a record, and whether they are those of a batch. One that is none is an item too."""
    if says.attributes is not None:
        return [_structured(says.attributes, says.content_type, value)], False
    if value is None:
        return [b""], False
    media_type = _media_type(says.content_type)
    if media_type.startswith(_BATCHED):
        return items_of(BodyFormat.BATCH, value), True
    if media_type.startswith(_STRUCTURED) or value[:1] == b"{":
        return [value], False
    batched = value.lstrip(_WHITESPACE).startswith(_ARRAY_START)
    return items_of(BodyFormat.ONE_OR_BATCH, value), batched


def _structured(attributes: dict[str, str], content_type: str, value: bytes | None) -> bytes:
    """The event of a record in binary mode as structured mode spells it: same attributes, the very bytes as data."""
    named = {name: text for name, text in attributes.items() if name not in ("data", "data_base64")}
    if content_type:
        named["datacontenttype"] = content_type
    encoded = _encode(named)
    if not value:
        return encoded
    data = value if _is_json(content_type) and _is_one_value(value) else _encode(value.decode(errors="replace"))
    return b'%b,"data":%b}' % (encoded[:-1], data) if named else b'{"data":%b}' % data


def _is_json(content_type: str) -> bool:
    media_type = _media_type(content_type)
    return not media_type or media_type.endswith(("/json", "+json"))


def _is_one_value(value: bytes) -> bool:
    """Whether this is one JSON value: two, put into an event, could say something else than either."""
    try:
        _read_raw(value)
    except (ValueError, RecursionError):
        return False
    return True


def _spoilt(headers: Headers, value: bytes | None) -> bytes:
    """A record whose headers cannot be used, as an item that is no JSON and shows what was sent."""
    lines = [b"%b: %b\n" % (name.encode(errors="replace"), header or b"") for name, header in headers]
    return b"unusable headers\n" + b"".join(lines) + b"\n" + (value or b"")


def _add_tombstone(parts: _Parts, place: _Place, scope: Scope, facts: RecordContext) -> None:
    if facts.tombstones == "left out":
        return
    customer = place.key_text()
    if facts.tombstones == "delete the customer" and customer:
        parts.add_command(SentCommand(place.offset, scope, TOMBSTONE_KIND, None, None, customer, {}, place.arrival_us))
    else:
        parts.add_item(scope, place, b"", None)


def _has_mark(item: bytes) -> bool:
    """Whether a command may stand in these bytes."""
    if any(mark in item for mark in _MARKS):
        return True
    # One byte is found thirty times as fast as two, and is mostly not there.
    return _ESCAPE_START in item and _ESCAPE in item


class _Envelope(msgspec.Struct):
    """The attributes that make an event a command, whatever they are."""

    specversion: Any = None
    type: Any = None
    id: Any = None
    source: Any = None
    subject: Any = None
    data: Raw | UnsetType = UNSET
    data_base64: Any = None


_read_envelope: Final = msgspec.json.Decoder(_Envelope).decode


def _command_of(item: bytes, scope: Scope, place: _Place, index: int) -> SentCommand | None:
    """The command that an item is; None for usage, and for what usage's decoder must reject as it breaks a rule."""
    try:
        event = _read_envelope(item)
        if not isinstance(event.type, str) or event.type not in _KINDS:
            return None
        data = {} if event.data is UNSET else exact_json(event.data)
    except (ValueError, RecursionError, ArithmeticError):
        return None
    data = {} if data is None else data
    named = isinstance(event.id, str) and isinstance(event.source, str) and event.id and event.source
    if event.specversion != SPECVERSION or not named or not isinstance(data, dict) or event.data_base64 is not None:
        return None
    if event.subject is not None and not isinstance(event.subject, str):
        return None
    subject = event.subject
    if subject is None:
        subject = (place.key_text() if event.type in CUSTOMER_KINDS else None) or ""
    return SentCommand(place.offset, scope, event.type, event.source, event.id, subject, data, place.arrival_us, index)
