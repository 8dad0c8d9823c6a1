"""What a producer sent is found again from the columns of its event and its digest."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.scope import DEFAULT_SCOPE
from domain.usage.amending.amended_event import stored_row
from domain.usage.amending.sent_form import StoredRow, sent_event
from domain.usage.canonical_form import content_digest
from domain.usage.decoding.decoder import DecodingContext, decode_body

SEED = 7
NOW = datetime(2026, 3, 1, tzinfo=UTC)
CONTEXT = DecodingContext(DEFAULT_SCOPE, SEED, NOW)
FULL: dict[str, Any] = {
    "specversion": "1.0",
    "id": "1",
    "source": "gate",
    "type": "llm.request",
    "subject": "ada",
    "time": "2026-02-01T10:00:00.5Z",
    "team": "a",
    "data": {
        "provider": "acme",
        "model": "swift",
        "status": "succeeded",
        "input_tokens": 10,
        "cached_input_tokens": 0,
        "output_tokens": 0,
        "cost_usd": "0.50",
        "latency_ms": 1.5,
        "tags": [],
        "units": {"own": 1.50},
        "nested": {"value": 1.0, "list": [1e2]},
    },
}


def stored(event: dict[str, Any] | bytes, customer: str | None = None) -> StoredRow:
    raw = event if isinstance(event, bytes) else json.dumps(event).encode()
    decoded = decode_body("application/json", raw, CONTEXT, customer)
    assert not decoded.rejected
    return stored_row(decoded.typed, decoded.free)


def is_found(event: dict[str, Any] | bytes, customer: str | None = None) -> bool:
    row = stored(event, customer)
    return bool(content_digest(SEED, sent_event(row, SEED).text()) == row["content"])


@settings(max_examples=150, deadline=None)
@given(
    without=st.sets(st.sampled_from(sorted(FULL["data"]))),
    cost=st.sampled_from(("0", "1.000000000000", 0.000000000001, 3, "12.340")),
    has_subject=st.booleans(),
    has_time=st.booleans(),
)
def test_any_member_may_have_been_left_out(without: set[str], cost: object, has_subject: bool, has_time: bool) -> None:
    event = {name: value for name, value in FULL.items() if name not in ("subject", "time")}
    event |= {"subject": "ada"} if has_subject else {}
    event |= {"time": FULL["time"]} if has_time else {}
    event["data"] = {name: value for name, value in (FULL["data"] | {"cost_usd": cost}).items() if name not in without}
    assert is_found(event, "ada")


@pytest.mark.parametrize("data", [{}, {"data": None}, {"data": {}}])
def test_an_event_without_data_is_found(data: dict[str, Any]) -> None:
    assert is_found({**FULL, "type": "page.view", "data": None} | data)
    assert is_found({name: value for name, value in FULL.items() if name != "data"} | {"type": "page.view"} | data)


def test_the_customer_may_have_been_named_by_the_data() -> None:
    event = {name: value for name, value in FULL.items() if name != "subject"}
    event["data"] = FULL["data"] | {"customerId": "ada"}
    assert is_found(event)


@pytest.mark.parametrize("member", [{"model": None}, {"cost_usd": 1e-13}, {"latency_ms": 0.00001}])
def test_the_plainest_form_stands_for_what_no_column_keeps(member: dict[str, Any]) -> None:
    row = stored(FULL | {"data": FULL["data"] | member})
    sent = sent_event(row, SEED)
    assert content_digest(SEED, sent.text()) != row["content"]
    again = stored(sent.text())
    assert {**again, "content": row["content"]} == row


def test_numbers_are_as_they_were_written() -> None:
    raw = b'{"specversion":"1.0","id":"1","source":"gate","type":"page.view","subject":"ada","data":{"size":1.50}}'
    assert b'"size":1.50' in sent_event(stored(raw), SEED).text()
