"""What the producer of a stored event sent: its members, found again from its columns and its content digest.

Columns do not tell an absent member from one with its default value, nor a cost as text from one as a number. The
digest does: of all forms that make these columns, the one with the stored digest was sent. A form with what no column
keeps (explicit nulls, digits below what is stored, facts about the customer) is not found; then the plainest stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import product
from typing import Any, Final

import msgspec

from domain.usage.block_schema import COST_SCALE, REQUEST_TYPE, TOKEN_COLUMNS
from domain.usage.canonical_form import canonical_extensions, content_digests
from domain.usage.rules import CUSTOMER_MEMBERS, SPECVERSION, STATUS_DEFAULT
from domain.values.instants import aware, epoch_microseconds, instant_text
from domain.values.json_numbers import canonical_raw, number_keeping_decoder
from domain.values.money import money_text

Members = dict[str, Any]
#: The columns of `TYPED` and `FREE` of one accepted event.
StoredRow = Mapping[str, Any]

_TEXTS: Final = ("provider", "model", "subscription", "parent_request", "hold_id")
_DURATIONS: Final = {"latency_ms": "latency_us", "ttft_ms": "ttft_us"}
_as_written: Final = number_keeping_decoder().decode
_canonical: Final = number_keeping_decoder(canonical_raw).decode
_ABSENT: Final[Members] = {}


class SentEvent(msgspec.Struct, frozen=True):
    """An event as it was sent: its attributes without `data`, and its data, with numbers as they were written.

    `header`: the customer of an event without a subject. `arrival_us`: the time of an event without one.
    """

    attributes: Members
    data: Members | None
    header: str | None
    arrival_us: int

    @property
    def is_request(self) -> bool:
        """Whether it is a request to a model."""
        return bool(self.attributes["type"] == REQUEST_TYPE)

    def text(self) -> bytes:
        """The JSON text of the event."""
        return _encode(self.attributes | ({} if self.data is None else {"data": self.data}))


_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class _Form(msgspec.Struct, frozen=True):
    """What columns do not tell: whether there was a subject, a time and data, and members that may have been absent."""

    has_subject: bool
    has_time: bool
    has_data: bool
    members: Members


def sent_event(row: StoredRow, seed: int) -> SentEvent:
    """The event that was sent, found by its digest; the plainest form that has these columns if none is found."""
    time: datetime = aware(row["time"])
    time_us = epoch_microseconds(time)
    fixed = _fixed_members(row, _canonical)
    extensions = None if row["extensions"] is None else canonical_extensions(_canonical(row["extensions"]))
    plainest = None
    for form in _forms(row, bool(fixed)):
        plainest = plainest or form
        parts = (
            row["source"],
            row["id"],
            row["type"],
            row["subject"] if form.has_subject else None,
            time_us if form.has_time else None,
            extensions,
            fixed | form.members if form.has_data else None,
        )
        if content_digests(seed, [parts]) == [row["content"]]:
            break
    else:
        form = plainest if plainest is not None else form
        form = msgspec.structs.replace(form, members=form.members | _told_tokens(row))
    attributes: Members = {"specversion": SPECVERSION, **{name: row[name] for name in ("source", "id", "type")}}
    attributes |= {"subject": row["subject"]} if form.has_subject else _ABSENT
    attributes |= {"time": instant_text(time)} if form.has_time else _ABSENT
    attributes |= _ABSENT if row["extensions"] is None else _as_written(row["extensions"])
    data = _fixed_members(row, _as_written) | form.members if form.has_data else None
    named = [(data or {}).get(name) for name in CUSTOMER_MEMBERS]
    names_customer = form.has_subject or next((one for one in named if one is not None), None) == row["subject"]
    return SentEvent(attributes, data, None if names_customer else row["subject"], time_us)


def _told_tokens(row: StoredRow) -> Members:
    """The tokens that were told, zeros too: without them the request would have told nothing."""
    if row["type"] != REQUEST_TYPE or row["quantities_unknown"]:
        return _ABSENT
    return {name: row[name] for name in TOKEN_COLUMNS}


def _fixed_members(row: StoredRow, decode: Callable[[str], Any]) -> Members:
    """The members of data that its columns tell as they were."""
    data: Members = {name: row[name] for name in _TEXTS if row[name] is not None}
    for member, column in _DURATIONS.items():
        if row[column] is not None:
            data[member] = canonical_raw(format(Decimal(row[column]) / 1_000, "f"))
    if row["tags"] is not None:
        data["tags"] = row["tags"]
    return data | (_ABSENT if row["properties"] is None else decode(row["properties"]))


def _forms(row: StoredRow, has_members: bool) -> Iterator[_Form]:
    """Every form that may have been sent, the plainest first."""
    choices: list[list[Members]] = [_costs(row["cost_usd"])]
    if row["type"] == REQUEST_TYPE:
        status = {"status": row["status"]}
        choices.append([_ABSENT, status] if row["status"] == STATUS_DEFAULT else [status])
        if not row["quantities_unknown"]:
            choices += [
                [{name: row[name]}, _ABSENT] if row[name] else [_ABSENT, {name: row[name]}] for name in TOKEN_COLUMNS
            ]
    has_customer = row["subject"] is not None  # else it is that of its subscription
    for has_subject, has_time in product((True, False) if has_customer else (False,), (True, False)):
        for chosen in product(*choices):
            members: Members = {}
            for one in chosen:
                members |= one
            yield _Form(has_subject, has_time, True, members)
            if not members and not has_members:
                yield _Form(has_subject, has_time, False, members)


def _costs(cost: Decimal | None) -> list[Members]:
    """The ways to write a cost: as a number, and as text with any number of zeros at its end, or with an exponent."""
    if cost is None:
        return [_ABSENT]
    plain = money_text(cost)
    whole, _, fraction = plain.partition(".")
    padded = [f"{whole}.{fraction.ljust(decimals, '0')}" for decimals in range(len(fraction) + 1, COST_SCALE + 1)]
    scaled = [str(cost.quantize(Decimal(1).scaleb(-decimals))) for decimals in range(len(fraction), COST_SCALE + 1)]
    exponents = [text for text in scaled if "E" in text]
    lower = [text.lower() for text in exponents[:1]]
    return [{"cost_usd": text} for text in (plain, canonical_raw(plain), *padded, *exponents, *lower)]
