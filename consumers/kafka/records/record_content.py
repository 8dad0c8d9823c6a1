"""Split records into usage items and lifecycle commands, in record order. No broker, no log, no clock.

1. Find the events of a record by its headers, else by its first byte (`_items_of`). The modes are those of the
   CloudEvents Kafka binding:
   - *structured*: the value is an event as JSON;
   - *batched*: the value is a JSON array of events;
   - *binary*: headers `ce_...` are the attributes and the value is the data; it becomes the equal structured event.
   - No value and no such headers: a tombstone. On a topic of customers it deletes the customer that its key names.
2. Find their scope: headers `meterfold-tenant` and `meterfold-environment`, else the default of the consumer.
3. Find the customer of events without a subject: the header `X-Meterfold-Customer` or `X-Shuttle-Customer-Id`, else
   the key.
4. Find the commands: the type decides. One that cannot be a command (no id, data that is no object) is left to the
   decoder of usage, which rejects it with a reason, like all garbage.

Most records are structured usage without headers; a run of only those is taken as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from consumers.kafka.appending.batches import CommandMessage, Part, UsageRun
from consumers.kafka.records.record_runs import Headers, RecordRun
from domain.errors import InvalidInput
from domain.scope import Scope, scope_of
from domain.usage.request_bodies import BodyFormat, items_of, without_byte_order_mark
from domain.usage.rules import CUSTOMER_HEADERS, SPECVERSION
from domain.values.json_numbers import exact_json

TENANT_HEADER: Final = "meterfold-tenant"
ENVIRONMENT_HEADER: Final = "meterfold-environment"
CONTENT_TYPE_HEADER: Final = "content-type"
ATTRIBUTE_PREFIX: Final = "ce_"
_CUSTOMER_HEADERS: Final = tuple(name.lower() for name in CUSTOMER_HEADERS)

CUSTOMER_KINDS: Final = tuple(
    f"customer.{verb}" for verb in ("create", "update", "block", "unblock", "deactivate", "reactivate", "delete")
)
BUDGET_KINDS: Final = tuple(f"budget.{verb}" for verb in ("create", "update", "delete"))
TOMBSTONE_KIND: Final = "customer.delete"

_KINDS: Final = frozenset(CUSTOMER_KINDS + BUDGET_KINDS)
#: A command has one of these in its bytes, unless its type is spelled with escapes.
_MARKS: Final = (b'"customer.', b'"budget.')
#: The start of a JSON escape, and its first byte.
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
    """What applies to all records of a topic: the default scope, and the meaning of a tombstone."""

    scope: Scope
    tombstones: Literal["delete the customer", "rejected", "left out"]


class _RecordMetadata(msgspec.Struct, frozen=True):
    """The metadata in the headers of a record. `attributes`: those of an event in binary mode, None in other modes.

    `customer` is that of events without a subject; None: the headers name none.
    """

    scope: Scope
    content_type: str
    attributes: dict[str, str] | None
    customer: str | None = None


def parts_of(run: RecordRun, context: RecordContext) -> list[Part]:
    """Split a run into usage items and commands, in record order. Never raises: unreadable records become items."""
    plain = _plain_usage(run, context.scope)
    if plain is not None:
        return [plain]
    parts = _Parts()
    default = _RecordMetadata(context.scope, "", None)
    for row, value in enumerate(run.values):
        headers = () if run.headers is None else run.headers[row]
        arrival_us = _arrival_us(run.timestamps_ms[row])
        origin = _RecordOrigin(run.offsets[row], run.keys[row], arrival_us)
        try:
            metadata = _read_headers(headers, context.scope) if headers else default
        except (InvalidInput, UnicodeDecodeError):
            parts.add_item(context.scope, origin, _unusable(headers, value), None)
            continue
        if metadata.customer is not None:
            origin = msgspec.structs.replace(origin, header=metadata.customer)
        if value is None and metadata.attributes is None:
            _add_tombstone(parts, origin, metadata.scope, context)
            continue
        items, batched = _items_of(value, metadata)
        for index, item in enumerate(items):
            command = _command_of(item, metadata.scope, origin, index) if _may_be_command(item) else None
            if command is not None:
                parts.add_command(command)
            else:
                parts.add_item(metadata.scope, origin, item, index if batched else None)
    return parts.found


class _RecordOrigin(msgspec.Struct, frozen=True):
    """The offset, key and arrival of the record that an item comes from, and the customer that its headers name."""

    offset: int
    key: bytes | None
    arrival_us: int
    header: str | None = None

    def customer(self) -> str | None:
        return self.key_text() if self.header is None else self.header

    def key_text(self) -> str | None:
        return _key_text(self.key)


class _Parts:
    """Collects parts item by item: one run as long as the scope is the same and no command comes between."""

    def __init__(self) -> None:
        self.found: list[Part] = []

    def add_command(self, command: CommandMessage) -> None:
        self.found.append(command)

    def add_item(self, scope: Scope, origin: _RecordOrigin, item: bytes, index: int | None) -> None:
        last = self.found[-1] if self.found else None
        if not isinstance(last, UsageRun) or last.scope != scope:
            last = UsageRun(scope, [], [], [], [])
            self.found.append(last)
        last.items.append(item)
        last.offsets.append(origin.offset)
        last.arrivals_us.append(origin.arrival_us)
        if last.customers is not None:
            last.customers.append(origin.customer())
        if index is not None and last.indexes is None:
            last.indexes = [0] * (len(last.items) - 1)
        if last.indexes is not None:
            last.indexes.append(index or 0)


def _plain_usage(run: RecordRun, scope: Scope) -> UsageRun | None:
    """The whole run as usage, if every record is one JSON object without headers and none can be a command."""
    if run.headers is not None or not run.values:
        return None
    try:
        if set(map(_first_byte, run.values)) != {_OBJECT_STARTS}:  # type: ignore[arg-type]
            return None
    except (TypeError, IndexError):  # no value, or an empty one
        return None
    values: list[bytes] = run.values  # type: ignore[assignment]
    if _may_be_command(b"\n".join(values)):
        return None
    arrivals_us = list(map(_arrival_us, run.timestamps_ms))
    return UsageRun(scope, values, run.offsets, arrivals_us, _customers(run.keys))


def _customers(keys: Sequence[bytes | None]) -> list[str | None] | None:
    try:
        return list(map(bytes.decode, keys))  # type: ignore[arg-type]
    except (TypeError, UnicodeDecodeError):  # a record has no key, or one that is not UTF-8
        return None if keys.count(None) == len(keys) else list(map(_key_text, keys))


def _key_text(key: bytes | None) -> str | None:
    """The customer that a key names; None when it is not UTF-8."""
    if key is None:
        return None
    try:
        return key.decode()
    except UnicodeDecodeError:
        return None


def _arrival_us(timestamp_ms: int) -> int:
    """The arrival in microseconds, as `UsageRun` has it: negative when the record has no timestamp."""
    return timestamp_ms * 1_000


def _read_headers(headers: Headers, scope: Scope) -> _RecordMetadata:
    """Raises `InvalidInput` for an invalid tenant or environment, `UnicodeDecodeError` for one that is not UTF-8."""
    tenant, environment, content_type = scope.tenant, scope.environment, ""
    customers: dict[str, str] = {}
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
        elif lower in _CUSTOMER_HEADERS:
            customers[lower] = value.decode()
    if (tenant, environment) != (scope.tenant, scope.environment):
        scope = scope_of(tenant, environment)
    media_type = _media_type(content_type)
    is_binary = bool(attributes) and not media_type.startswith(_STRUCTURED)
    customer = next((customers[name] for name in _CUSTOMER_HEADERS if name in customers), None)
    return _RecordMetadata(scope, content_type, attributes if is_binary else None, customer)


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _items_of(value: bytes | None, metadata: _RecordMetadata) -> tuple[list[bytes], bool]:
    """The items of a record, which should be events but may be garbage, and whether the record is batched."""
    if value is not None:
        value = without_byte_order_mark(value)
    if metadata.attributes is not None:
        return [_structured(metadata.attributes, metadata.content_type, value)], False
    if value is None:
        return [b""], False
    media_type = _media_type(metadata.content_type)
    if media_type.startswith(_BATCHED):
        return items_of(BodyFormat.BATCH, value), True
    if media_type.startswith(_STRUCTURED) or value[:1] == b"{":
        return [value], False
    batched = value.lstrip(_WHITESPACE).startswith(_ARRAY_START)
    return items_of(BodyFormat.ONE_OR_BATCH, value), batched


def _structured(attributes: dict[str, str], content_type: str, value: bytes | None) -> bytes:
    """Convert an event in binary mode to structured mode: the same attributes, and the same bytes as data."""
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
    """Whether this is exactly one JSON value; anything else, put into an event, could change its meaning."""
    try:
        _read_raw(value)
    except (ValueError, RecursionError):
        return False
    return True


def _unusable(headers: Headers, value: bytes | None) -> bytes:
    """A record with unusable headers as an item to be rejected: not JSON, and showing what was sent."""
    lines = [b"%b: %b\n" % (name.encode(errors="replace"), header or b"") for name, header in headers]
    return b"unusable headers\n" + b"".join(lines) + b"\n" + (value or b"")


def _add_tombstone(parts: _Parts, origin: _RecordOrigin, scope: Scope, context: RecordContext) -> None:
    if context.tombstones == "left out":
        return
    customer = origin.key_text()
    if context.tombstones == "delete the customer" and customer:
        parts.add_command(
            CommandMessage(origin.offset, scope, TOMBSTONE_KIND, None, None, customer, {}, origin.arrival_us)
        )
    else:
        parts.add_item(scope, origin, b"", None)


def _may_be_command(item: bytes) -> bool:
    """Whether these bytes may hold a command."""
    if any(mark in item for mark in _MARKS):
        return True
    # Searching one byte is thirty times as fast as two, and mostly finds none.
    return _ESCAPE_START in item and _ESCAPE in item


class _Envelope(msgspec.Struct):
    """The members of an event that make it a command, of any type."""

    specversion: Any = None
    type: Any = None
    id: Any = None
    source: Any = None
    subject: Any = None
    data: Raw | UnsetType = UNSET
    data_base64: Any = None


_read_envelope: Final = msgspec.json.Decoder(_Envelope).decode


def _command_of(item: bytes, scope: Scope, origin: _RecordOrigin, index: int) -> CommandMessage | None:
    """The command in an item; None for usage, and for what the decoder of usage must reject."""
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
        subject = (origin.key_text() if event.type in CUSTOMER_KINDS else None) or ""
    return CommandMessage(
        origin.offset, scope, event.type, event.source, event.id, subject, data, origin.arrival_us, index
    )
