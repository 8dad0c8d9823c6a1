"""A member of data that has the name of a priced unit of the tenant's own tells a quantity, however events are read."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from domain.usage.block_schema import QUANTITIES
from domain.usage.decoding.decoder import DecodedEvents, decode_body
from domain.usage.decoding.own_units import own_units_of
from tests.domain.usage.usage_event_texts import CONTEXT, NDJSON, text

OWN = frozenset({"gpu_seconds", 'a "b"/ü', "input_token"})
#: So few are read one by one, so many by dictionaries, and so many by the schema that they share.
BESIDE = (0, 50, 400)


def decoded(*lines: bytes, own: frozenset[str] = OWN) -> DecodedEvents:
    context = msgspec.structs.replace(CONTEXT, own_units=own)
    return decode_body(NDJSON, b"\n".join(lines), context)


def rows(events: DecodedEvents) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = events.typed.select(["input_tokens", *QUANTITIES.names]).to_pylist()
    return shown


def units(**quantities: str) -> list[dict[str, Any]]:
    return [{"unit": unit, "quantity": Decimal(quantity)} for unit, quantity in sorted(quantities.items())]


@pytest.mark.parametrize("beside", BESIDE)
def test_it_is_a_unit_and_stays_a_property(beside: int) -> None:
    told = {"model": "m", "input_tokens": 5, "gpu_seconds": 1.5, 'a "b"/ü': 2, "other": 3}
    events = decoded(*([text()] * beside), text(data=told))
    found = rows(events)[-1]
    assert found["units"] == units(**{"gpu_seconds": "1.5", 'a "b"/ü': "2"})
    assert (found["input_tokens"], found["quantities_unknown"]) == (5, None)
    properties = events.free.to_pylist()[-1]["properties"]
    assert json.loads(properties) == {"gpu_seconds": 1.5, 'a "b"/ü': 2, "other": 3}
    assert events.warnings == ()


@pytest.mark.parametrize("beside", BESIDE)
def test_where_it_is_not_priced_it_is_a_property_alone(beside: int) -> None:
    told = {"model": "m", "input_tokens": 5, "gpu_seconds": 1.5}
    events = decoded(*([text()] * beside), text(data=told), own=frozenset())
    assert rows(events)[-1] == {"input_tokens": 5, **dict.fromkeys(QUANTITIES.names)}


@pytest.mark.parametrize("beside", BESIDE)
def test_it_alone_tells_what_a_request_used(beside: int) -> None:
    events = decoded(*([text()] * beside), text(data={"model": "m", "gpu_seconds": 0}))
    assert rows(events)[-1]["quantities_unknown"] is None


@pytest.mark.parametrize("beside", BESIDE)
def test_what_is_no_quantity_stays_a_property_and_the_sender_is_told(beside: int) -> None:
    told = {"model": "m", "input_tokens": 5, "gpu_seconds": "many"}
    events = decoded(*([text()] * beside), text(data=told))
    assert rows(events)[-1]["units"] is None
    assert [(one.row, one.member) for one in events.warnings] == [(beside, "data.gpu_seconds")]


@pytest.mark.parametrize("beside", BESIDE)
def test_the_object_units_and_other_types_are_read_as_before(beside: int) -> None:
    both = {"model": "m", "input_tokens": 5, "gpu_seconds": 1, "units": {"gpu_seconds": 9, "pens": 2}}
    events = decoded(*([text()] * beside), text(data=both), text(type="disk.sampled", data={"gpu_seconds": 4}))
    request, sample = rows(events)[-2:]
    assert request["units"] == units(gpu_seconds="1", pens="2")
    assert sample["units"] is None


def test_names_that_mean_something_else_are_no_own_units() -> None:
    taken = ["model", "status", "user", "units", "requests", "service_tier", "input_tokens", "web_searches", "tags"]
    assert own_units_of([*taken, "gpu_seconds"]) == {"gpu_seconds"}
