"""Whatever bytes come: a decoder raises nothing but its own errors, within bounded time and memory.

Bodies are valid ones with pieces cut out, doubled, swapped and put in. TEST_DECODING_SECONDS is the time for each
decoder.
"""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from consumers.kafka.appending.batches import UsageRun
from consumers.kafka.records.record_content import RecordContext, parts_of
from consumers.kafka.records.record_decoder import TOGETHER_RECORDS_MIN, unpacked
from consumers.kafka.records.record_runs import Headers, RecordRun
from domain.customers.event_facts import StoredFacts
from domain.errors import LogCorrupted, UnknownRecord
from domain.log.blocks import BlockContext, block_state, check_block, encode_buffers
from domain.scope import DEFAULT_SCOPE
from domain.usage.decoding.decoder import DecodingContext, ItemRun, decode_body, decode_items
from domain.usage.received_members import received_members
from tests.consumers.kafka.records.test_record_decoder import Records, packed, written
from tests.engine_fixtures import SettableClock, engine_on, http

SECONDS: Final = float(os.environ.get("TEST_DECODING_SECONDS", "2"))
EXAMPLES_PER_ROUND: Final = 50
SECONDS_PER_EXAMPLE_MAX: Final = 10.0
#: What all the decoding of a test may add to the memory of this process.
MEMORY_BYTES_MAX: Final = 512 * 1024 * 1024
NOW: Final = datetime(2026, 3, 10, 12, tzinfo=UTC)
CONTEXT: Final = DecodingContext(DEFAULT_SCOPE, 7, NOW)

EVENT: Final = (
    b'{"specversion":"1.0","id":"1","source":"gw","type":"llm.request","subject":"ada","time":"2026-03-01T00:00:00Z",'
    b'"data":{"model":"m","input_tokens":12,"cost_usd":"0.5","latency_ms":1.5,"tags":["a"],"size":1.0,"deep":{"a":[1]}}}'
)
COMMAND: Final = (
    b'{"specversion":"1.0","id":"c1","source":"crm","type":"customer.create","subject":"ada","data":{"name":"A"}}'
)
PAYLOAD: Final = (
    b'{"id":"r1","litellm_call_id":"c1","model":"gpt-4","end_user":"ada","startTime":1772323200.5,"endTime":1772323201,'
    b'"prompt_tokens":12,"completion_tokens":3,"response_cost":0.5,"status":"success","metadata":{"usage_object":{}}}'
)
REQUEST_LOG: Final = (
    b'{"unique_id":"l1","model":"gpt-4","timestamp":"2026-03-10T08:00:00Z","usage":{"prompt_tokens":12},"cost":0.5,'
    b'"customer_params":{"customer_identifier":7,"name":"Ada","metadata":{"a":1.5},"period_budget":1e2,"rate_limit":3}}'
)
PIECES: Final = (
    b"NaN", b"-Infinity", b'"\\ud800"', b'"\\u0000"', b"\x00", b"\xff", b"\xef\xbb\xbf", b"1e999999999", b"-0.0",
    b"9" * 5_000, b"1e-99999999999999999999", b"[" * 2_000, b'{"a":' * 2_000, b"]", b"}", b"{", b'"', b",", b":", b"\n",
    b"\r\n", b"null", b"true", b"0", b"-1", b"9223372036854775808", b'"9999-12-31T23:59:60+23:59"', b'"0000-00-00"',
    b'"data_base64":"AA==",', b'"specversion":1,', b'"subject":"",', b"\xe2\x80\xa8",
)  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn, valid: st.SearchStrategy[bytes], pieces: tuple[bytes, ...] = PIECES) -> bytes:
    """A valid text with up to six changes, or any bytes at all."""
    body = draw(valid)
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.sampled_from((0, 0, 1, 2, 8, 64))))
        piece = draw(st.sampled_from(pieces) | st.binary(max_size=4) | st.just(body[start:end] * 2))
        body = body[:start] + piece + body[end:]
    return body


def repeated(item: bytes, joined: bytes, around: tuple[bytes, bytes] = (b"", b"")) -> st.SearchStrategy[bytes]:
    counts = st.sampled_from((1, 2, 13, 250))  # row by row, by columns, by an inferred schema
    return counts.map(lambda count: around[0] + joined.join([item] * count) + around[1])


def try_for_a_while(strategy: st.SearchStrategy[Any], decode: Callable[[Any], object]) -> None:
    """Decode examples until the time is over; with the same ones in every run, as far as it comes."""
    started, memory, number = time.monotonic(), peak_bytes(), 0
    while number == 0 or time.monotonic() - started < SECONDS:

        @seed(number)
        @settings(
            max_examples=EXAMPLES_PER_ROUND, database=None, deadline=None, suppress_health_check=list(HealthCheck)
        )
        @given(strategy)
        def one_round(given_bytes: Any) -> None:
            begun = time.monotonic()
            decode(given_bytes)
            assert time.monotonic() - begun < SECONDS_PER_EXAMPLE_MAX

        one_round()
        number += 1
    assert peak_bytes() - memory < MEMORY_BYTES_MAX


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize(
    ("content_type", "valid"),
    [
        ("application/cloudevents+json", st.just(EVENT)),
        ("application/cloudevents-batch+json", repeated(EVENT, b",", (b"[", b"]"))),
        ("application/json", repeated(EVENT, b",", (b"[", b"]"))),
        ("application/x-ndjson", repeated(EVENT, b"\n")),
    ],
)
def test_events_are_counted_or_rejected(content_type: str, valid: st.SearchStrategy[bytes]) -> None:
    def decode(body: bytes) -> None:
        decoded = decode_body(content_type, body, CONTEXT)
        rows = zip(decoded.typed.to_pylist(), decoded.free.to_pylist(), strict=True)
        assert all(received_members(typed | free) for typed, free in rows if typed["reason"] is None)

    try_for_a_while(spoilt(valid), decode)


def test_payloads_of_litellm_are_answered(tmp_path: Path) -> None:
    valid = st.just(PAYLOAD) | repeated(PAYLOAD, b",", (b"[", b"]")) | repeated(PAYLOAD, b"\n")
    with engine_on(tmp_path, SettableClock(NOW), http_write_wait_seconds_max=10) as engine, http(engine) as api:

        def decode(body: bytes) -> None:
            assert api.send("POST", "/litellm/logs", None, content=body).status_code in (200, 400, 422)

        try_for_a_while(spoilt(valid), decode)


def test_logs_of_respan_are_answered(tmp_path: Path) -> None:
    valid = st.just(REQUEST_LOG) | repeated(REQUEST_LOG, b",", (b"[", b"]"))
    with engine_on(tmp_path, SettableClock(NOW), http_write_wait_seconds_max=10) as engine, http(engine) as api:

        def decode(body: bytes) -> None:
            answer = api.send("POST", "/respan/api/request-logs/create/", None, content=body)
            assert answer.status_code in (200, 400, 409)

        try_for_a_while(spoilt(valid), decode)


@pytest.mark.parametrize("facts", [(), (StoredFacts(2, {"name": None}, None, "key", "native"),)], ids=["1", "2"])
def test_blocks_of_the_log_are_read_or_found_corrupted(facts: tuple[StoredFacts, ...]) -> None:
    decoded = decode_body("application/x-ndjson", b"\n".join([EVENT, b"?", EVENT]), CONTEXT)
    context = BlockContext("default", "prod", "usage/http/a", 1, 0, 0, NOW)
    block = block_state(context, encode_buffers(decoded.typed, decoded.free), facts=facts)

    def decode(state: bytes) -> None:
        with contextlib.suppress(LogCorrupted, UnknownRecord):
            check_block(state)

    try_for_a_while(spoilt(st.just(block), (b"\x00", b"\xff" * 8, b"\x7f\xff\xff\xff", b"MFB", block[:40])), decode)


def test_the_values_of_kafka_records_are_usage_or_commands() -> None:
    texts = st.none() | st.binary(max_size=20)
    headers = st.lists(
        st.tuples(
            st.sampled_from(
                ("ce_id", "ce_source", "ce_type", "ce_specversion", "content-type", "meterfold-tenant", "")
            ),
            st.none() | st.binary(max_size=12) | st.sampled_from((b"1.0", b"application/json", b"llm.request")),
        ),
        max_size=5,
    )
    records = st.lists(
        st.tuples(texts, st.none() | spoilt(st.sampled_from((EVENT, COMMAND))), headers, st.integers(-1, 2**63 - 1)),
        min_size=1,
        max_size=20,
    )

    def decode(given_records: list[tuple[bytes | None, bytes | None, Headers, int]]) -> None:
        for tombstones in ("rejected", "delete the customer"):
            for part in parts_of(record_run(given_records), RecordContext(DEFAULT_SCOPE, tombstones)):
                if isinstance(part, UsageRun):
                    decode_items([ItemRun(part.items, customers=part.customers, arrivals_us=part.arrivals_us)], CONTEXT)

    try_for_a_while(records, decode)


def record_run(records: list[tuple[bytes | None, bytes | None, Headers, int]]) -> RecordRun:
    keys, values, headers, times = map(list, zip(*records, strict=True))
    size = sum(len(value or b"") for _, value, _, _ in records)
    return RecordRun(0, len(records), list(range(len(records))), times, keys, values, headers, size)


@pytest.mark.parametrize("repeated_times", [1, TOGETHER_RECORDS_MIN])
def test_the_bytes_of_kafka_records_are_decoded_or_refused(repeated_times: int) -> None:
    records: Records = [(1_772_323_200_000, b"ada", EVENT, [("ce_id", b"1")]), (1_772_323_200_001, None, None, [])]
    batch = packed(written(records * repeated_times, 5))

    def decode(data: bytes) -> None:
        with contextlib.suppress(ValueError, IndexError):
            unpacked([msgspec.structs.replace(batch, data=data)], 5, 5 + batch.count)

    try_for_a_while(spoilt(st.just(batch.data), (b"\x00", b"\xff" * 9, b"\xff" * 11, b"\x01", b"\x80")), decode)
