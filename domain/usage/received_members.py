"""What a stored event said when it was received, rebuilt from its row: canonical members, not bytes.

The row keeps canonical values, so that these are not told from a row: a member that was absent and one with its default
value, digits of costs and latencies below what is stored, and a customer in a header and one in the event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from domain.usage.block_schema import REQUEST_TYPE, TOKEN_COLUMNS
from domain.usage.rules import SPECVERSION
from domain.values.instants import aware, instant_text
from domain.values.json_numbers import canonical_raw, number_keeping_decoder
from domain.values.money import money_text

Members = dict[str, Any]
#: The member for the facts about its customer that an event carried. It is none of the event itself.
FACTS: Final = "facts"

_decode: Final = number_keeping_decoder(canonical_raw).decode
_encode: Final = msgspec.json.Encoder(order="deterministic").encode
_ATTRIBUTES: Final = ("id", "source", "type", "subject")
_TEXTS: Final = ("provider", "model", "status", "subscription", "parent_request", "hold_id")
_DURATIONS: Final = {"latency_ms": "latency_us", "ttft_ms": "ttft_us"}


class MemberDifference(msgspec.Struct, frozen=True):
    """A member, by its path joined by dots, that two events differ in: JSON text of either, None where it is absent."""

    member: str
    counted: str | None
    received: str | None


def received_members(row: Mapping[str, Any]) -> Members:
    """The members of an accepted event; `row` has the columns of `TYPED` and `FREE`. Numbers are exact."""
    attributes = {name: row[name] for name in _ATTRIBUTES}
    time: datetime = row["time"]
    extensions: Members = {} if row["extensions"] is None else _decode(row["extensions"])
    return {
        "specversion": SPECVERSION,
        **attributes,
        "time": instant_text(aware(time)),
        **extensions,
        "data": _data(row),
    }


def members_text(members: Members) -> str:
    """The JSON text of members, with sorted names and exact numbers."""
    return _encode(members).decode()


def differences(counted: Members, received: Members) -> tuple[MemberDifference, ...]:
    """Return the members that differ, in the order of their paths. Lists are compared as a whole."""
    first, second = dict(_leaves("", counted)), dict(_leaves("", received))
    paths = sorted(first.keys() | second.keys())
    found = (MemberDifference(path, first.get(path), second.get(path)) for path in paths)
    return tuple(one for one in found if one.counted != one.received)


def _data(row: Mapping[str, Any]) -> Members:
    data: Members = {name: row[name] for name in _TEXTS if row[name] is not None}
    if row["type"] == REQUEST_TYPE and not row["quantities_unknown"]:
        data |= {name: row[name] for name in TOKEN_COLUMNS}
    if row["cost_usd"] is not None:
        data["cost_usd"] = money_text(row["cost_usd"])
    for member, column in _DURATIONS.items():
        if row[column] is not None:
            data[member] = canonical_raw(format(Decimal(row[column]) / 1_000, "f"))
    if row["tags"]:
        data["tags"] = row["tags"]
    return data | ({} if row["properties"] is None else _decode(row["properties"]))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, member in value.items():
            yield from _leaves(f"{path}.{name}" if path else name, member)
    else:
        yield path, _encode(value).decode()
