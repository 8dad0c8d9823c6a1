"""The amended version of a stored event, by the rules by which intake decodes events.

1. Find what its producer sent.
2. Merge the patch into it; the digest of the result is that of the amended event, so that its producer may send it.
3. Decode the result. Members that the stored event has as mere properties, though this release would read quantities
   from them, stay properties: an event is never read otherwise than when it was received.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pyarrow as pa

from domain.errors import InvalidInput
from domain.usage.amending.patches import EventPatch, patched, stored_units
from domain.usage.amending.sent_form import Members, SentEvent, StoredRow, sent_event
from domain.usage.block_schema import QUANTITIES, TOKEN_COLUMNS
from domain.usage.canonical_form import content_digest
from domain.usage.decoding.decoder import DecodingContext
from domain.usage.decoding.single_event import (
    COMMON_MEMBERS,
    REQUEST_MEMBERS,
    Row,
    RowContext,
    accepted_row,
    batches_of,
    completed_row,
    read_event,
    sorted_json,
)
from domain.usage.quantity_rules import QUANTITY_MEMBERS, REQUESTS_MEMBER, UNITS_MEMBER
from domain.usage.received_members import differences, received_members
from domain.values.json_numbers import canonical_raw, number_keeping_decoder

#: Columns that tell nothing of the event itself.
_NOT_COMPARED: Final = ("identity", "content", "group", "atomic", "reason", "raw", "detail")
_JSON_TEXTS: Final = ("properties", "extensions", "price_context")
_QUANTITY_COLUMNS: Final = (*TOKEN_COLUMNS, *QUANTITIES.names)
_canonical: Final = number_keeping_decoder(canonical_raw).decode
_encode: Final = msgspec.json.Encoder(order="deterministic", decimal_format="number").encode


class MemberChange(msgspec.Struct, frozen=True):
    """A member, by its path joined by dots, with its JSON text before and after; None where it is absent."""

    member: str
    before: str | None
    after: str | None


class AmendedEvent(msgspec.Struct, frozen=True):
    """An amended event as one row by `TYPED` and one by `FREE`, and the members in which it differs from before."""

    typed: pa.RecordBatch
    free: pa.RecordBatch
    changed: tuple[MemberChange, ...]


def stored_row(typed: pa.RecordBatch, free: pa.RecordBatch, row: int = 0) -> StoredRow:
    """The columns of one row of a block."""
    return {name: batch.column(name)[row].as_py() for batch in (typed, free) for name in batch.schema.names}


def amended_event(row: StoredRow, patch: EventPatch, context: DecodingContext) -> AmendedEvent | None:
    """Return the stored event with a patch merged in; None if it changes nothing.

    `InvalidInput` names the member that breaks a rule.
    """
    sent = sent_event(row, context.hash_seed)
    rows = _context_of(sent, patch, context)
    columns = _amended_columns(sent, patch, row, rows)
    typed, free = batches_of([completed_row(columns | {"group": None, "atomic": False}, rows, context.scope)])
    changed = _changes(row, stored_row(typed, free))
    return AmendedEvent(typed, free, changed) if changed else None


def _context_of(sent: SentEvent, patch: EventPatch, context: DecodingContext) -> RowContext:
    """The context in which the amended event is decoded; a time that does not change was accepted before."""
    rows = context.row_context()
    if patch.time is None:
        rows = msgspec.structs.replace(rows, until_us=max(rows.until_us, sent.arrival_us + 1))
    return rows


def _amended_columns(sent: SentEvent, patch: EventPatch, row: StoredRow, context: RowContext) -> Row:
    kept_as_read = _reads_as_stored(sent, row, context)
    amended = patched(sent, patch, row, kept_as_read, context.own_units)
    text = amended.text()
    if len(text) > context.event_bytes_max:
        raise InvalidInput("event", f"must be at most {context.event_bytes_max} bytes", "event_too_large")
    if kept_as_read:
        columns = _decoded(amended, context)
    else:
        as_stored = msgspec.structs.replace(sent, data=_as_stored(sent.data or {}, row, context.own_units))
        columns = _decoded(patched(as_stored, patch, row, False, context.own_units), context)
        columns["properties"] = _properties(amended.data or {})
    return columns | {"content": content_digest(context.hash_seed, text)}


def _decoded(sent: SentEvent, context: RowContext) -> Row:
    return accepted_row(read_event(sent.text()), sent.header, context, sent.arrival_us)


def _reads_as_stored(sent: SentEvent, row: StoredRow, context: RowContext) -> bool:
    """Whether this release reads the same quantities from the event as the one that stored it."""
    if not sent.is_request:
        return True
    try:
        read = _decoded(sent, context)
    except InvalidInput:
        return False
    read["units"] = list(read["units"] or ())
    stored = {name: row[name] for name in _QUANTITY_COLUMNS} | {"units": stored_units(row)}
    return all(read[name] == stored[name] for name in _QUANTITY_COLUMNS)


def _as_stored(data: Members, row: StoredRow, own_units: frozenset[str]) -> Members:
    """The data without the members that tell quantities, and with those that were stored."""
    told: Members = {name: value for name, value in data.items() if name not in QUANTITY_MEMBERS | own_units}
    if not row["quantities_unknown"]:
        told |= {name: row[name] for name in TOKEN_COLUMNS}
    if row["units"]:
        told[UNITS_MEMBER] = {unit: canonical_raw(f"{quantity:f}") for unit, quantity in stored_units(row)}
    if row["requests"] is not None:
        told[REQUESTS_MEMBER] = row["requests"]
    return told | ({} if row["price_context"] is None else msgspec.json.decode(row["price_context"]))


def _properties(data: Members) -> bytes | None:
    rest = {name: value for name, value in data.items() if name not in COMMON_MEMBERS + REQUEST_MEMBERS}
    return sorted_json(rest) if rest else None


def _changes(before: StoredRow, after: StoredRow) -> tuple[MemberChange, ...]:
    """The members that differ; of rows that differ in what no member tells, the columns."""
    found = differences(received_members(before), received_members(after))
    if found:
        return tuple(MemberChange(one.member, one.counted, one.received) for one in found)
    columns = [name for name in before if name not in _NOT_COMPARED and name not in _JSON_TEXTS]
    changed = [name for name in columns if before[name] != after[name] and (before[name] or after[name])]
    changed += [name for name in _JSON_TEXTS if _json(before[name]) != _json(after[name])]
    return tuple(MemberChange(f"data.{name}", _text(before[name]), _text(after[name])) for name in changed)


def _json(text: str | None) -> bytes | None:
    return None if text is None else _encode(_canonical(text))


def _text(value: Any) -> str | None:
    return None if value is None else _encode(value).decode()
