"""The published model and the decoder accept and refuse the same events, and read the same values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.errors import InvalidInput
from domain.usage.block_schema import TOKEN_COLUMNS
from domain.usage.event_model import Arrival, RequestData, parse_usage_event, reasons_of, usage_event_json_schema
from tests.domain.usage.usage_event_texts import RECORDED_AT, decode, events, text

ARRIVAL = Arrival(recorded_at=RECORDED_AT)


def read_by_model(raw: bytes) -> set[str] | dict[str, Any]:
    """The reasons for which the model refuses an event, or the values that it reads, by column."""
    try:
        found = parse_usage_event(raw, ARRIVAL)
    except InvalidInput as problem:
        return {problem.code}
    except ValidationError as error:
        return reasons_of(error)
    data = found.data or RequestData()
    request = data if isinstance(data, RequestData) else RequestData()
    used = request.quantities()
    row: dict[str, Any] = dict(zip(TOKEN_COLUMNS, used.tokens, strict=True))
    units = [{"unit": key, "quantity": quantity} for key, quantity in used.units]
    row |= {"units": units or None, "requests": None if used.requests == 1 else used.requests}
    row |= {name: getattr(found, name) for name in ("id", "source", "type")}
    row |= {
        name: getattr(data, name)
        for name in ("provider", "model", "cost_usd", "tags", "subscription", "parent_request", "hold_id")
    }
    return row | {
        "subject": found.customer(ARRIVAL),
        "time": found.time or RECORDED_AT,
        "status": request.status if found.type == "llm.request" else None,
        "latency_us": request.latency_ms,
        "ttft_us": request.ttft_ms,
    }


@settings(deadline=None, max_examples=80)
@given(st.lists(events(), min_size=1, max_size=70))
def test_the_model_and_the_decoder_accept_and_read_the_same(raws: list[bytes]) -> None:
    decoded = decode(*raws)
    for raw, typed, free in zip(raws, decoded.typed.to_pylist(), decoded.free.to_pylist(), strict=True):
        expected = read_by_model(raw)
        if isinstance(expected, set):
            assert typed["reason"] in expected
            continue
        row = typed | free
        row["time"] = row["time"].replace(tzinfo=UTC) if row["time"] else None
        assert row["reason"] is None
        assert {name: row[name] for name in expected} == expected


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.data_too_large])
@given(st.lists(events(), min_size=41, max_size=60), st.integers(0, 40))
def test_an_event_is_read_the_same_alone_as_among_others(raws: list[bytes], index: int) -> None:
    among, alone = decode(*raws), decode(raws[index])
    assert among.typed.slice(index, 1).to_pylist() == alone.typed.to_pylist()
    assert among.free.slice(index, 1).to_pylist() == alone.free.to_pylist()


def test_a_time_is_read_as_an_aware_instant() -> None:
    assert parse_usage_event(text(), ARRIVAL).time == datetime(2026, 9, 1, 12, tzinfo=UTC)


def test_the_published_schema_names_every_attribute_and_member() -> None:
    schema = usage_event_json_schema()
    request = schema["$defs"]["RequestEvent"]
    assert request["required"] == ["specversion", "id", "source", "type"]
    assert set(request["properties"]) == {
        "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data_base64",
        "data",
    }  # fmt: skip
    assert set(schema["$defs"]["RequestData"]["properties"]) == {
        "provider", "model", "cost_usd", "subscription", "parent_request", "hold_id", "tags", *TOKEN_COLUMNS, "status",
        "latency_ms", "ttft_ms", "requests", "units", "service_tier",
    }  # fmt: skip
    assert [choice["$ref"] for choice in schema["oneOf"]] == ["#/$defs/RequestEvent", "#/$defs/OtherEvent"]
