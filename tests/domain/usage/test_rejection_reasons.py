"""Every invalid event is rejected with a stable reason, a detail that names the field, and its original bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.usage.canonical_form import raw_digest
from domain.usage.decoding.decoder import DecodedEvents
from domain.usage.decoding.single_event import EVENT_BYTES_MAX, RAW_KEPT_BYTES_MAX
from domain.usage.rejection_reasons import REASONS
from tests.domain.usage.usage_event_texts import CONTEXT, decode, event, only_row, text


def with_data(**members: Any) -> bytes:
    return text(data=members)


def with_data_text(member: str, value: str) -> bytes:
    return text(data={"x": 0}).replace(b'"x": 0', f'"{member}":{value}'.encode())


LONG = "x" * 1001
BROKEN: list[tuple[str, str, bytes]] = [
    ("not_json", "event", b"this is no JSON"),
    ("not_json", "event", text()[:-1]),
    ("not_json", "event", b'{"id":"\xff"}'),
    ("not_json", "event", text(id="X").replace(b'"X"', b'"\\ud800"')),
    ("not_json", "event", with_data_text("cost_usd", "NaN")),
    ("not_json", "event", with_data_text("input_tokens", "Infinity")),
    ("not_json", "event", with_data_text("note", "1" * 5_000)),
    ("not_an_object", "event", b"[1]"),
    ("not_an_object", "event", b'"text"'),
    ("not_an_object", "event", b"null"),
    ("event_too_large", "event", text(data={"metadata": "x" * 10_000_000})),
    ("specversion_unsupported", "specversion", text(specversion=None)),
    ("specversion_unsupported", "specversion", text(specversion="0.3")),
    ("specversion_unsupported", "specversion", text(specversion=1.0)),
    ("id_missing", "id", text(id=None)),
    ("id_missing", "id", text(id="X").replace(b'"X"', b"null")),
    ("id_invalid", "id", text(id="")),
    ("id_invalid", "id", text(id=7)),
    ("id_invalid", "id", text(id=LONG)),
    ("id_invalid", "id", text(id="a\x00b")),
    ("id_invalid", "id", text(id="..")),
    ("source_missing", "source", text(source=None)),
    ("source_invalid", "source", text(source=["a"])),
    ("type_missing", "type", text(type=None)),
    ("type_invalid", "type", text(type={})),
    ("subject_missing", "subject", text(subject=None)),
    ("subject_invalid", "subject", text(subject="")),
    ("subject_invalid", "subject", text(subject=17)),
    ("subject_invalid", "data.customerId", text(subject=None, data={"customerId": 17})),
    ("subject_invalid", "data.user", text(subject=None, data={"user": "."})),
    ("time_invalid", "time", text(time="yesterday")),
    ("time_invalid", "time", text(time="2026-09-01T12:00:00")),
    ("time_invalid", "time", text(time="2026-02-30T12:00:00Z")),
    ("time_invalid", "time", text(time=1_788_000_000)),
    ("time_out_of_range", "time", text(time="9999-12-31T23:59:59Z")),
    ("time_out_of_range", "time", text(time="0000-01-01T00:00:00Z")),
    ("time_out_of_range", "time", text(time="1979-12-31T23:59:59.999999Z")),
    ("time_out_of_range", "time", text(time="2026-09-03T00:00:00Z")),
    ("data_invalid", "data", text(data=[])),
    ("data_invalid", "data", text(data="text")),
    ("data_invalid", "data_base64", text(data=None, data_base64="e30=")),
    ("data_invalid", "data", with_data_text("deep", "[" * 63 + "]" * 63)),
    ("data_invalid", "data", with_data_text("deep", "[" * 900 + "]" * 900)),
    ("data_invalid", "data", with_data_text("deep", "[" * 100_000 + "]" * 100_000)),
    ("data_invalid", "data", text(deep="X").replace(b'"X"', b'{"a":' * 70 + b"1" + b"}" * 70)),
    ("data_invalid", "data.subscription", with_data(subscription="")),
    ("data_invalid", "data.parent_request", with_data(parent_request=5)),
    ("data_invalid", "data.hold_id", with_data(hold_id=LONG)),
    ("provider_invalid", "data.provider", with_data(provider="")),
    ("provider_invalid", "data.provider", with_data(provider="x" * 257)),
    ("model_invalid", "data.model", with_data(model=4)),
    ("model_invalid", "data.model", with_data(model="a\x00")),
    ("status_invalid", "data.status", with_data(status="done")),
    ("tokens_invalid", "data.input_tokens", with_data(input_tokens=-1)),
    ("tokens_invalid", "data.input_tokens", with_data(input_tokens=1.5)),
    ("tokens_invalid", "data.output_tokens", with_data(output_tokens="10")),
    ("tokens_invalid", "data.output_tokens", with_data(output_tokens=True)),
    ("tokens_invalid", "data.cache_write_tokens", with_data(cache_write_tokens=10**15 + 1)),
    ("tokens_invalid", "data.cache_write_tokens", with_data(cache_write_tokens=10**30)),
    ("tokens_invalid", "data.reasoning_tokens", with_data_text("reasoning_tokens", "1e400")),
    ("tokens_invalid", "data.reasoning_tokens", with_data_text("reasoning_tokens", "1e999999999999")),
    ("parts_exceed_whole", "data.cached_input_tokens", with_data(input_tokens=1, cached_input_tokens=2)),
    ("parts_exceed_whole", "data.reasoning_tokens", with_data(output_tokens=1, reasoning_tokens=2)),
    ("parts_exceed_whole", "data.cache_write_tokens", with_data(input_tokens=3, cache_write_tokens=12_304)),
    (
        "parts_exceed_whole",
        "data.cached_input_tokens",
        with_data(input_tokens=50, cached_input_tokens=40, cache_write_tokens=30),
    ),
    ("parts_exceed_whole", "data.cache_write_1h_tokens", with_data(input_tokens=9, cache_write_1h_tokens=1)),
    ("parts_exceed_whole", "data.output_audio_tokens", with_data(units={"output_audio_tokens": 34})),
    ("tokens_invalid", "data.prompt_tokens", with_data(prompt_tokens="many")),
    ("tokens_invalid", "data.units.input_tokens", with_data(units={"input_tokens": -1})),
    ("units_invalid", "data.units", with_data(units={"": 1})),
    ("units_invalid", "data.units", with_data(units={"x" * 65: 1})),
    ("units_invalid", "data.units", with_data(units={f"unit_{number}": number for number in range(65)})),
    ("requests_invalid", "data.requests", with_data(requests=0)),
    ("requests_invalid", "data.requests", with_data(requests="2")),
    ("requests_invalid", "data.requests", with_data(requests=10**9 + 1)),
    ("cost_invalid", "data.cost_usd", with_data(cost_usd="NaN")),
    ("cost_invalid", "data.cost_usd", with_data(cost_usd="1,5")),
    ("cost_invalid", "data.cost_usd", with_data(cost_usd=" 1")),
    ("cost_invalid", "data.cost_usd", with_data(cost_usd="")),
    ("cost_invalid", "data.cost_usd", with_data(cost_usd=True)),
    ("cost_out_of_range", "data.cost_usd", with_data(cost_usd="-0.01")),
    ("cost_out_of_range", "data.cost_usd", with_data(cost_usd="1000000000000000")),
    ("cost_out_of_range", "data.cost_usd", with_data_text("cost_usd", "1e400")),
    ("cost_out_of_range", "data.cost_usd", with_data(cost_usd="1e999999999999999999999")),
    ("cost_too_precise", "data.cost_usd", with_data(cost_usd="0." + "1" * 39)),
    ("cost_too_precise", "data.cost_usd", with_data_text("cost_usd", "1." + "0" * 39)),
    ("tags_invalid", "data.tags", with_data(tags="a")),
    ("tags_invalid", "data.tags", with_data(tags=["a", 1])),
    ("tags_invalid", "data.tags", with_data(tags=["a", None])),
    ("tags_invalid", "data.tags", with_data(tags=["x" * 257])),
    ("tags_invalid", "data.tags", with_data(tags=["a"] * 101)),
    ("tags_invalid", "data.tags", with_data(tags=["a\x00"])),
    ("latency_invalid", "data.latency_ms", with_data(latency_ms=-1)),
    ("latency_invalid", "data.latency_ms", with_data(latency_ms="5")),
    ("latency_invalid", "data.ttft_ms", with_data(ttft_ms=10**12)),
    ("latency_invalid", "data.ttft_ms", with_data(ttft_ms=10**30)),
]


@pytest.mark.parametrize("surrounding", [0, 60], ids=["alone", "among good ones"])
@pytest.mark.parametrize(("reason", "field", "raw"), BROKEN, ids=range(len(BROKEN)))
def test_a_bad_event_is_rejected_with_its_reason_and_nothing_else_is(
    reason: str, field: str, raw: bytes, surrounding: int
) -> None:
    before = [text(id=f"before-{number}") for number in range(surrounding // 2)]
    after = [text(id=f"after-{number}", time=None) for number in range(surrounding // 2)]
    decoded = decode(*before, raw, *after)
    index = len(before)
    assert decoded.rejected_rows == [index]
    row = only_row(DecodedEvents(decoded.typed.slice(index, 1), decoded.free.slice(index, 1), []))
    assert row["reason"] == reason
    assert row["detail"].startswith(f"{field}: ")
    assert row["raw"] == raw[:RAW_KEPT_BYTES_MAX]
    assert row["content"] == raw_digest(CONTEXT.hash_seed, raw)
    unread = ("identity", "time", "provider", "model", "status", "cost_usd", "input_tokens", "properties", "tags")
    assert {row[name] for name in unread} == {None}


#: The reason for which no event is rejected by its own bytes; its cases are in test_item_additions.py.
OF_FACTS = {"facts_invalid"}
#: Reasons that only logs of earlier releases have.
#: Tested with the check of ranges.
OF_BACKFILLS = {"outside_backfill"}
EARLIER = {"cached_tokens_exceed_input", "reasoning_tokens_exceed_output"}


def test_every_reason_is_one_of_the_published_ones_and_each_has_a_case() -> None:
    assert {reason for reason, _, _ in BROKEN} | OF_FACTS | OF_BACKFILLS | EARLIER == set(REASONS)


def test_a_rejected_event_keeps_the_attributes_that_could_be_read() -> None:
    row = only_row(decode(text(time="never", source=5)))
    assert {name: row[name] for name in ("id", "source", "type", "subject")} == {
        "id": "e-1",
        "source": None,
        "type": "llm.request",
        "subject": "acme",
    }


def test_an_event_that_is_too_large_keeps_the_attributes_that_could_be_read() -> None:
    row = only_row(decode(text(data={"metadata": "x" * EVENT_BYTES_MAX})))
    assert (row["reason"], row["id"], row["subject"]) == ("event_too_large", "e-1", "acme")


def test_a_thousand_bad_events_in_a_row_are_each_rejected() -> None:
    decoded = decode(*(json.dumps(event(id=f"e-{number}", specversion="2")).encode() for number in range(1_000)))
    assert decoded.rejected_rows == list(range(1_000))
    assert decoded.typed.column("id").to_pylist() == [f"e-{number}" for number in range(1_000)]
