"""Members of an event's data are told apart and put together by the exact value of their numbers."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import duckdb
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.scope import Scope
from domain.usage.canonical_form import canonical_form
from domain.values.json_numbers import canonical_number, number_keeping_decoder
from projections.duckdb.reading import json_members
from projections.duckdb.reading.bound_query import BoundQuery
from projections.queries.meters import MeterQuestion
from projections.queries.usage import Segment, UsageQuestion
from tests.projections.store_builder import START, PlainEvent, StoreBuilder

STORE = StoreBuilder()
STORE.at(1)
SCOPES = (Scope(f"t{number}", "prod") for number in count())
DAY = Segment(START, START + timedelta(days=1))
CURSOR = duckdb.connect()

ONE = ["1", "1.0", "1e0", "10e-1", "1.000000000000", "0.1E+1", "100000000000000000000e-20"]
APART = ["123456789012345.671", "123456789012345.672", "0.1", "0.10000000000000000001", "1e400", "1e401", "1e-400"]

numbers = st.from_regex(r"\A-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,45})?([eE][+-]?[0-9]{1,3})?\Z")
texts = st.text(alphabet='ab1.0e-"\\:ns{[ \x01é', max_size=6)
values = st.recursive(
    numbers.map(msgspec.Raw) | texts | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def grouped(properties: list[str], group_by: str = "property:v", kind: str = "t") -> dict[str | None, int]:
    """The number of events of each group, by a meter that counts them."""
    scope = next(SCOPES)
    STORE.add_events(scope, [PlainEvent(type=kind, properties=text, row=row) for row, text in enumerate(properties)])
    with STORE.reads.snapshot() as snapshot:
        found = snapshot.meter(scope, MeterQuestion((DAY,), kind, "count", None, group_by=(group_by,)))
    return {one.group[0]: int(one.value or 0) for one in found}


def unique(properties: list[str]) -> int:
    scope = next(SCOPES)
    STORE.add_events(scope, [PlainEvent(type="t", properties=text, row=row) for row, text in enumerate(properties)])
    with STORE.reads.snapshot() as snapshot:
        (found,) = snapshot.meter(scope, MeterQuestion((DAY,), "t", "unique_count", "v"))
    return int(found.value or 0)


def with_value(*written: str) -> list[str]:
    return [f'{{"note":"1.0 \\" 1e0","v":{text}}}' for text in written]


def test_all_spellings_of_a_number_are_one_group_and_one_value() -> None:
    assert grouped(with_value(*ONE)) == {"1": len(ONE)}
    assert unique(with_value(*ONE)) == 1
    assert grouped(with_value("0", "-0.0", "0e7", "-0E-3")) == {"0": 4}


def test_numbers_that_differ_in_the_last_digit_are_groups_of_their_own() -> None:
    assert grouped(with_value(*APART)) == {canonical_number(text): 1 for text in APART}
    assert unique(with_value(*APART)) == len(APART)


def test_numbers_inside_lists_and_objects_are_canonical_too() -> None:
    written = with_value('[1.0,{"a":1e0}]', '[1,{"a":1}]', '["1.0",{"a":"1e0"}]', '[123456789012345.671,{"a":2.50}]')
    assert unique(written) == 3
    assert grouped(written) == {
        '[1,{"a":1}]': 2,
        '["1.0",{"a":"1e0"}]': 1,
        '[123456789012345.671,{"a":2.5}]': 1,
    }


@pytest.mark.parametrize("beside", ["", ',"w":1e400'])
def test_text_that_looks_like_a_number_stays_as_it_is(beside: str) -> None:
    properties = [f'{{"v":{text}{beside}}}' for text in ('"1.0"', "1.0", "true", '"true"', '"n1"', '"s1"', "null")]
    assert grouped(properties) == {"1.0": 1, "1": 1, "true": 2, "n1": 1, "s1": 1, None: 1}
    assert unique(properties) == 6


def test_members_stored_in_columns_are_written_as_the_number_is() -> None:
    scope = next(SCOPES)
    events = [
        PlainEvent(cost_usd=Decimal("1.000000000000"), row=0),
        PlainEvent(cost_usd=Decimal("0.25"), input_tokens=7, row=1),
    ]
    STORE.add_events(scope, events)
    with STORE.reads.snapshot() as snapshot:
        found = {
            name: [one.group[0] for one in snapshot.usage(scope, UsageQuestion((DAY,), group_by=(f"property:{name}",)))]
            for name in ("cost_usd", "input_tokens")
        }
    assert found == {"cost_usd": ["0.25", "1"], "input_tokens": ["0", "7"]}


@pytest.mark.parametrize(
    ("text", "matching"),
    [("1", 4), ("1.0", 4), ("1e0", 3), ("123456789012345.671", 1), ("123456789012345.6710", 1), ("one", 1), ("2", 0)],
)
def test_a_filter_by_a_number_finds_all_its_spellings(text: str, matching: int) -> None:
    scope = next(SCOPES)
    written = with_value("1", "1.0", "1e0", '"1"', '"1.0"', "123456789012345.671", "123456789012345.672", '"one"')
    STORE.add_events(scope, [PlainEvent(properties=one, row=row) for row, one in enumerate(written)])
    with STORE.reads.snapshot() as snapshot:
        found = snapshot.usage(scope, UsageQuestion((DAY,), properties=(("v", text),)))
    assert sum(one.sums.events for one in found) == matching


@given(numbers)
@settings(max_examples=60, deadline=None)
def test_the_canonical_text_is_that_of_the_content_digest(text: str) -> None:
    query = BoundQuery()
    found = query.rows(CURSOR, f"SELECT {json_members.canonical_numbers(query, query.bind(text))}")
    assert found == [(canonical_number(text),)]


@given(values)
@settings(max_examples=60, deadline=None)
def test_a_member_is_its_part_of_the_canonical_form(value: Any) -> None:
    document = msgspec.json.encode({"other": msgspec.Raw(b"1.50"), "v": value}, order="deterministic").decode()
    query = BoundQuery()
    member = json_members.member_json(query, "d.text", "v")
    ((found,),) = query.rows(CURSOR, f"SELECT {member} FROM (SELECT {query.bind(document)}::VARCHAR AS text) d")
    assert canonical_form(f'{{"data":{document}}}'.encode()) == canonical_form(
        f'{{"data":{{"other":1.5,"v":{found or "null"}}}}}'.encode()
    )
    assert found is None or all(text == canonical_number(text) for text in numbers_in(found))


def numbers_in(json: str) -> list[str]:
    """The text of each number in JSON text."""
    written: list[str] = []
    number_keeping_decoder(lambda text: written.append(text)).decode(json)
    return written
