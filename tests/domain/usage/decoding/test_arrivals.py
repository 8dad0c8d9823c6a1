"""A customer and an arrival that a source gives for each item are read alike by every way of decoding."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.usage.decoding.column_reader import CHUNK_EVENTS, SCHEMA_EVENTS_MIN
from domain.usage.decoding.decoder import DecodingContext, ItemRun, decode_items
from domain.usage.decoding.single_event import ROW_BY_ROW_EVENTS_MAX
from domain.usage.rules import TIME_FIRST
from domain.values.instants import epoch_microseconds
from tests.domain.usage.usage_event_texts import CONTEXT, RECORDED_AT, events, text

RECORDED_US = epoch_microseconds(RECORDED_AT)
UNTIL_US = RECORDED_US + CONTEXT.future_tolerance // timedelta(microseconds=1)
#: Numbers of items: decoded row by row, by dictionaries, and by an inferred schema at the second reading.
COUNTS = (1, ROW_BY_ROW_EVENTS_MAX + 1, SCHEMA_EVENTS_MIN + 10, CHUNK_EVENTS + 5)

Received = tuple[bytes, str | None, int | None]

_received = st.tuples(
    st.one_of(
        events(),
        st.sampled_from([text(time=None), text(subject=None), text(subject=None, time=None)]),
    ),
    st.none() | st.sampled_from(["acme", "globex", "", ".", "x" * 1_001, "with\x00nul"]),
    st.none()
    | st.sampled_from(
        [0, 2**63 * 1_000, epoch_microseconds(TIME_FIRST) - 1, epoch_microseconds(TIME_FIRST), UNTIL_US - 1, UNTIL_US]
    )
    | st.integers(RECORDED_US - 10**12, RECORDED_US),
)


def rows_of(received: list[Received], facts: DecodingContext = CONTEXT) -> list[dict[str, Any]]:
    items, customers, arrivals_us = (list(column) for column in zip(*received, strict=True))
    decoded = decode_items([ItemRun(items, customers=customers, arrivals_us=arrivals_us)], facts)
    rows = zip(decoded.typed.to_pylist(), decoded.free.to_pylist(), strict=True)
    return [typed | free for typed, free in rows]


@settings(deadline=None, max_examples=40)
@given(st.lists(_received, min_size=ROW_BY_ROW_EVENTS_MAX + 1, max_size=40))
def test_an_item_is_read_among_others_as_it_is_alone(received: list[Received]) -> None:
    assert rows_of(received) == [rows_of([one])[0] for one in received]


@settings(deadline=None, max_examples=10)
@given(st.lists(_received, min_size=1, max_size=6), st.integers(0, SCHEMA_EVENTS_MIN))
def test_an_item_is_read_by_an_inferred_schema_as_it_is_alone(received: list[Received], place: int) -> None:
    plain: list[Received] = [
        (text(id=f"e-{n}", time=None), "acme", RECORDED_US - n) for n in range(SCHEMA_EVENTS_MIN + 5)
    ]
    mixed = [*plain[:place], *received, *plain[place:]]
    alone = [rows_of([one])[0] for one in mixed]
    assert rows_of(mixed) == alone
    assert rows_of(mixed) == alone, "the second time by the inferred schema"


@pytest.mark.parametrize("count", COUNTS)
def test_an_event_without_a_time_has_that_of_its_arrival(count: int) -> None:
    received: list[Received] = [(text(id=str(n), time=None), None, RECORDED_US - n) for n in range(count)]
    for _ in range(2):
        times = [row["time"].replace(tzinfo=UTC) for row in rows_of(received)]
        assert times == [RECORDED_AT - timedelta(microseconds=n) for n in range(count)]


@pytest.mark.parametrize("count", COUNTS)
def test_an_item_without_arrival_is_dated_when_it_is_recorded(count: int) -> None:
    received: list[Received] = [(text(id=str(n), time=None), None, None) for n in range(count)]
    assert {row["time"].replace(tzinfo=UTC) for row in rows_of(received)} == {RECORDED_AT}


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("arrival_us", [epoch_microseconds(TIME_FIRST) - 1, UNTIL_US])
def test_an_arrival_out_of_range_rejects_events_without_a_time_only(count: int, arrival_us: int) -> None:
    untimed: list[Received] = [(text(id=str(n), time=None), None, arrival_us) for n in range(count)]
    timed: list[Received] = [(text(id=str(n)), None, arrival_us) for n in range(count)]
    assert {row["reason"] for row in rows_of(untimed)} == {"time_out_of_range"}
    assert {row["reason"] for row in rows_of(timed)} == {None}


@pytest.mark.parametrize("count", COUNTS)
def test_where_no_future_is_tolerated_an_arrival_may_still_be_now(count: int) -> None:
    strict = DecodingContext(CONTEXT.scope, CONTEXT.hash_seed, RECORDED_AT, timedelta(0))
    received: list[Received] = [(text(id=str(n), time=None), None, RECORDED_US) for n in range(count)]
    late: list[Received] = [(item, None, RECORDED_US + 1) for item, _, _ in received]
    assert {row["reason"] for row in rows_of(received, strict)} == {None}
    assert {row["reason"] for row in rows_of(late, strict)} == {"time_out_of_range"}


def test_the_arrival_is_no_part_of_the_content() -> None:
    early, late = (rows_of([(text(time=None), None, RECORDED_US - ago)])[0] for ago in (0, 10**9))
    assert early["content"] == late["content"]
    assert early["time"] != late["time"]


def test_runs_with_and_without_values_from_the_source_can_be_mixed() -> None:
    count = ROW_BY_ROW_EVENTS_MAX
    items = [text(id=str(n), subject=None, time=None) for n in range(count)]
    runs = [
        ItemRun(items, customer="of the request"),
        ItemRun(items, customers=[f"c-{n}" for n in range(count)], arrivals_us=[RECORDED_US - 1] * count),
    ]
    typed = decode_items(runs, CONTEXT).typed
    assert typed.column("subject").to_pylist() == ["of the request"] * count + [f"c-{n}" for n in range(count)]
    times = [time.replace(tzinfo=UTC) for time in typed.column("time").to_pylist()]
    assert times == [RECORDED_AT] * count + [RECORDED_AT - timedelta(microseconds=1)] * count
    assert times[0] == datetime(2026, 9, 2, tzinfo=UTC)
