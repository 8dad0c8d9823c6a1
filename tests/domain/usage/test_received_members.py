"""What an event said is rebuilt from its stored row, and compared member by member."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from domain.scope import DEFAULT_SCOPE
from domain.usage.canonical_form import canonical_form
from domain.usage.decoding.decoder import DecodingContext, decode_body
from domain.usage.received_members import MemberDifference, Members, differences, members_text, received_members

TAIL = "1.0000000000000000"
CONTEXT = DecodingContext(DEFAULT_SCOPE, 7, datetime(2026, 3, 2, tzinfo=UTC))


def event(data: str, kind: str = "llm.request", **attributes: str) -> bytes:
    more = "".join(f',"{name}":{value}' for name, value in attributes.items())
    return (
        f'{{"specversion":"1.0","id":"1","source":"s","type":"{kind}","subject":"ann","time":"2026-03-01T01:00:00+01:00"'
        f'{more},"data":{data}}}'
    ).encode()


def said(sent: bytes) -> Members:
    decoded = decode_body("application/cloudevents+json", sent, CONTEXT)
    assert decoded.rejected == 0
    return received_members(decoded.typed.to_pylist()[0] | decoded.free.to_pylist()[0])


def test_members_are_those_that_were_sent_in_canonical_form() -> None:
    data = '{"input_tokens":5,"model":"m","status":"succeeded","region":{"zone":1.0},"size":1234567890123456789.50}'
    text = members_text(said(event(data, traceid='"t-1"')))
    assert text == (
        '{"data":{"cache_write_tokens":0,"cached_input_tokens":0,"input_tokens":5,"model":"m","output_tokens":0,'
        '"reasoning_tokens":0,"region":{"zone":1},"size":1234567890123456789.5,"status":"succeeded"},"id":"1",'
        '"source":"s","specversion":"1.0","subject":"ann","time":"2026-03-01T00:00:00.000000Z","traceid":"t-1",'
        '"type":"llm.request"}'
    )


@pytest.mark.parametrize(
    "data",
    [
        '{"gigabytes":1e3,"deep":[{"a":0.10}],"none":null}',
        '{"cost_usd":"0.25","tags":["a"],"provider":"p","hold_id":"h"}',
        "{}",
    ],
)
def test_an_event_of_another_type_has_the_canonical_form_of_what_was_sent(data: str) -> None:
    sent = event(data, "disk.sampled")
    assert canonical_form(members_text(said(sent)).encode()) == canonical_form(sent)


def test_latencies_and_costs_are_exact() -> None:
    data = said(event('{"latency_ms":12.500,"ttft_ms":0.001,"cost_usd":1e-12}'))["data"]
    assert [msgspec.json.encode(data[name]) for name in ("latency_ms", "ttft_ms", "cost_usd")] == [
        b"12.5", b"0.001", b'"0.000000000001"',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ('{"input_tokens":5}', '{"input_tokens":7}', [("data.input_tokens", "5", "7")]),
        ('{"input_tokens":5,"region":"eu"}', '{"input_tokens":5}', [("data.region", '"eu"', None)]),
        ('{"a":{"b":{"c":1}}}', '{"a":{"b":{"c":"1"}}}', [("data.a.b.c", "1", '"1"')]),
        ('{"a":[1,2]}', '{"a":[2,1]}', [("data.a", "[1,2]", "[2,1]")]),
        ('{"a":1.00000000000000001}', '{"a":1.00000000000000002}', [("data.a", TAIL + "1", TAIL + "2")]),
        ('{"a":1.0}', '{"a":1}', []),
        ('{"a":{}}', '{"a":{"b":1}}', [("data.a", "{}", None), ("data.a.b", None, "1")]),
    ],
)  # fmt: skip
def test_what_differs_is_told_by_member(first: str, second: str, found: list[Any]) -> None:
    assert differences(said(event(first)), said(event(second))) == tuple(MemberDifference(*one) for one in found)
