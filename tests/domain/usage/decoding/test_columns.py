"""The columns of accepted events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.scope import DEFAULT_SCOPE
from domain.usage.block_schema import FREE, QUANTITIES, TYPED
from domain.usage.canonical_form import content_digest, identity_hash
from domain.usage.decoding.decoder import DecodingContext, ItemRun, decode_items
from tests.domain.usage.usage_event_texts import CONTEXT, RECORDED_AT, decode, only_row, text

FULL = b"""{"specversion":"1.0","id":"e-1","source":"gateway","type":"llm.request","subject":"acme",
"time":"2026-09-01T14:00:00.1234569+02:00","traceparent":"00-ab","dataschema":"https://example.com/s","datacontenttype":
"application/json","data":{"provider":"openai","model":"gpt-4o","input_tokens":1e2,"cached_input_tokens":40.0,
"cache_write_tokens":3,"output_tokens":50,"reasoning_tokens":20,"status":"failed","cost_usd":0.0000000000125,
"subscription":"sub-1","parent_request":"p-1","hold_id":"h-1","latency_ms":812.3456,"ttft_ms":90,"tags":["a","b"],
"user":"u-1","score":1.50,"big":123456789012345678901234567890,"nested":{"x":[1E5,null,"\\u00e9"]}}}""".replace(
    b"\n", b""
)


def naive(*parts: int) -> datetime:
    """An instant as Arrow gives it back: UTC without saying so."""
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[arg-type, misc]


def test_a_full_event_fills_every_column() -> None:
    decoded = decode(FULL)
    assert decoded.typed.schema.equals(TYPED)
    assert decoded.free.schema.equals(FREE)
    assert only_row(decoded) == {
        "source": "gateway",
        "id": "e-1",
        "identity": identity_hash(7, DEFAULT_SCOPE, "gateway", "e-1"),
        "content": content_digest(7, FULL),
        "type": "llm.request",
        "subject": "acme",
        "time": naive(2026, 9, 1, 12, 0, 0, 123456),
        "provider": "openai",
        "model": "gpt-4o",
        "status": "failed",
        "input_tokens": 100,
        "cached_input_tokens": 40,
        "cache_write_tokens": 3,
        "output_tokens": 50,
        "reasoning_tokens": 20,
        "cost_usd": Decimal("0.000000000012"),
        "subscription": "sub-1",
        "parent_request": "p-1",
        "hold_id": "h-1",
        "latency_us": 812345,
        "ttft_us": 90000,
        "group": None,
        "atomic": False,
        "reason": None,
        "units": None,
        "requests": None,
        "quantities_unknown": None,
        "price_context": None,
        "properties": '{"big":123456789012345678901234567890,"nested":{"x":[1E5,null,"é"]},"score":1.50,"user":"u-1"}',
        "tags": ["a", "b"],
        "extensions": '{"datacontenttype":"application/json","dataschema":"https://example.com/s","traceparent":"00-ab"}',
        "raw": None,
        "detail": None,
    }


def test_a_bare_event_has_zero_tokens_succeeded_and_no_cost() -> None:
    row = only_row(decode(text(data=None, time=None)))
    filled = {name: value for name, value in row.items() if value not in (None, 0)}
    assert filled.pop("identity") == identity_hash(7, DEFAULT_SCOPE, "gateway", "e-1")
    assert filled.pop("content") == content_digest(7, text(data=None, time=None))
    assert filled == {
        "source": "gateway",
        "id": "e-1",
        "type": "llm.request",
        "subject": "acme",
        "time": RECORDED_AT.replace(tzinfo=None),
        "status": "succeeded",
    }


def test_another_type_keeps_members_of_requests_as_properties() -> None:
    members = {"provider": "p", "model": "m", "cost_usd": "2", "tags": ["t"], "subscription": "s", "hold_id": "h"}
    only_requests = {"input_tokens": "many", "status": 5, "latency_ms": -1}
    row = only_row(decode(text(type="gpu.second", data=members | only_requests)))
    assert {name: row[name] for name in ("provider", "model", "cost_usd", "tags", "subscription", "hold_id")} == {
        **members,
        "cost_usd": Decimal(2),
    }
    assert (row["input_tokens"], row["status"], row["latency_us"]) == (0, None, None)
    assert row["properties"] == '{"input_tokens":"many","latency_ms":-1,"status":5}'


@pytest.mark.parametrize(
    ("subject", "header", "data", "customer"),
    [
        ("s", "h", {"customerId": "c", "user": "u"}, "s"),
        (None, "h", {"customerId": "c", "user": "u"}, "h"),
        (None, None, {"customerId": "c", "user": "u"}, "c"),
        (None, None, {"customerId": None, "user": "u"}, "u"),
    ],
)
def test_the_customer_is_the_first_one_given(
    subject: str | None, header: str | None, data: dict[str, Any], customer: str
) -> None:
    row = only_row(decode(text(subject=subject, data=data), customer=header))
    assert row["subject"] == customer


@pytest.mark.parametrize(
    ("cost", "expected"),
    [
        ("0.0125", "0.0125"),
        (0.5, "0.5"),
        (3, "3"),
        ("1e-5", "0.00001"),
        ("0.0000000000005", "0"),  # half-even
        ("0.0000000000015", "0.000000000002"),
        ("0.00000000000050000001", "0.000000000001"),
        ("999999999999999.999999999999", "999999999999999.999999999999"),
        ("0e999999999", "0"),
        ("1e-999999999", "0"),
        ("-0.0", "0"),
    ],
)
@pytest.mark.parametrize("beside", [0, 50])
def test_cost_is_decimal_text_rounded_half_even_to_a_picodollar(cost: object, expected: str, beside: int) -> None:
    others = [text(id=f"other-{number}", data={"cost_usd": "1.25"}) for number in range(beside)]
    decoded = decode(text(data={"cost_usd": cost}), *others)
    assert decoded.rejected == 0
    assert decoded.typed.column("cost_usd")[0].as_py() == Decimal(expected)


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-09-01T12:00:00Z", naive(2026, 9, 1, 12)),
        ("2026-09-01T12:00:00.9999999Z", naive(2026, 9, 1, 12, 0, 0, 999999)),
        ("2026-09-01T12:00:00.5+05:30", naive(2026, 9, 1, 6, 30, 0, 500000)),
        ("2026-09-01t12:00:00-00:00", naive(2026, 9, 1, 12)),
        ("1980-01-01T00:00:00Z", naive(1980, 1, 1)),
        ("2026-09-02T23:59:59.999999Z", naive(2026, 9, 2, 23, 59, 59, 999999)),
        ("2016-12-31T23:59:60Z", naive(2017, 1, 1)),
    ],
)
@pytest.mark.parametrize("beside", [0, 50])
def test_time_is_any_rfc_3339_instant_cut_off_at_the_microsecond(written: str, instant: datetime, beside: int) -> None:
    others = [text(id=f"other-{number}", time="2026-09-01T12:00:00Z") for number in range(beside)]
    decoded = decode(text(time=written), *others)
    assert decoded.typed.column("time")[0].as_py() == instant


def test_the_tolerance_for_times_ahead_is_given() -> None:
    facts = DecodingContext(DEFAULT_SCOPE, 7, RECORDED_AT, timedelta(0))
    items = [text(time="2026-09-02T00:00:00Z"), text(time="2026-09-01T23:59:59Z")]
    assert decode_items([ItemRun(items)], facts).rejected_rows == [0]


def test_rows_of_several_requests_keep_their_order_customer_and_group() -> None:
    runs = [
        ItemRun([text(id="a", subject=None), b"oops"], customer="header-1", group="g-1", atomic=True),
        ItemRun([]),
        ItemRun([text(id="b", subject=None)], customer="header-2"),
    ]
    typed = decode_items(runs, CONTEXT).typed.select(["id", "subject", "group", "atomic", "reason"]).to_pylist()
    assert typed == [
        {"id": "a", "subject": "header-1", "group": "g-1", "atomic": True, "reason": None},
        {"id": None, "subject": None, "group": "g-1", "atomic": True, "reason": "not_json"},
        {"id": "b", "subject": "header-2", "group": None, "atomic": False, "reason": None},
    ]


def test_of_two_members_with_the_same_name_the_last_counts() -> None:
    doubled = text(id="X").replace(b'"X"', b'"first","id":"last"')
    assert only_row(decode(doubled))["id"] == "last"


def test_nothing_decodes_to_no_rows() -> None:
    decoded = decode(b"")
    assert (decoded.received, decoded.rejected, decoded.free.num_rows) == (0, 0, 0)


def test_what_few_requests_say_of_their_usage_has_columns_too() -> None:
    told = {"model": "m", "input_tokens": 5, "web_searches": 2, "requests": 4, "service_tier": "flex"}
    rows = decode(text(data=told), text(data={"model": "m"}), text(data={"model": "m", "cost_usd": "1"}), text()).typed
    assert rows.select(QUANTITIES.names).to_pylist() == [
        {
            "units": [{"unit": "web_searches", "quantity": Decimal(2)}],
            "requests": 4,
            "quantities_unknown": None,
            "price_context": '{"service_tier":"flex"}',
        },
        {"units": None, "requests": None, "quantities_unknown": True, "price_context": None},
        dict.fromkeys(QUANTITIES.names),
        dict.fromkeys(QUANTITIES.names),
    ]
