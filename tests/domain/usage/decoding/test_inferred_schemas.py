"""Events of learned shapes are read as each would be by itself, whatever else is among them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.usage.decoding.column_reader import CHUNK_EVENTS, SHAPED_EVENTS_MIN
from domain.usage.decoding.decoder import DecodedEvents, ItemRun, decode_items
from domain.usage.decoding.inferred_schema import NAMES_MAX, InferredSchema, learnable
from domain.usage.decoding.schema_inference import SHAPES_MAX, SchemaInference
from domain.usage.decoding.single_event import FEW_EVENTS
from domain.usage.decoding.struct_reader import MISFITS_MAX, fitted_events
from tests.domain.usage.usage_event_texts import FACTS, decode, event, events, object_text, text

Rows = list[dict[str, Any]]

#: The names of a run must be met twice to become a shape, which is then used.
TIMES_TO_LEARN = 2

_values = st.sampled_from(
    [
        '"x"',
        "1",
        "0.5",
        "0.50",
        "1E2",
        "null",
        "true",
        "[1,{}]",
        '{"b":1,"a":2}',
        '"a\\u0062"',
        '"say \\"b\\":1"',
        '"é"',
    ]
)
_spellings = {"a": '"\\u0061"', "é": '"\\u00e9"'}
_extra_members = st.sampled_from(["a", "b", "c", "é", "user", "customerId", 'q"', "back\\slash", "new\nline", ""])
_request_members = st.sampled_from(["input_tokens", "output_tokens", "status", "latency_ms", "cost_usd", "tags"])
_request_values = st.sampled_from(["1", "2.0", "null", '"1"', '"failed"', '["t"]', "1.50"])
_attributes = st.sampled_from(["traceparent", "datacontenttype", "sampled", "data_base64", "é"])


@st.composite
def _members(draw: st.DrawFn) -> list[tuple[str, str]]:
    extra = draw(st.lists(st.tuples(_extra_members, _values), max_size=5))
    known = draw(st.lists(st.tuples(_request_members, _request_values), max_size=4))
    return draw(st.permutations(extra + known))


@st.composite
def _written(draw: st.DrawFn, pairs: list[tuple[str, str]]) -> str:
    """An object with these members in this order, doubled names too, in some JSON spelling."""
    colon = draw(st.sampled_from([":", ":", ": ", " :", "\t: "]))
    escaped = draw(st.integers(0, 4)) == 0
    names = [_spellings[name] if escaped and name in _spellings else json.dumps(name) for name, _ in pairs]
    return "{" + ",".join(name + colon + value for name, (_, value) in zip(names, pairs, strict=True)) + "}"


@st.composite
def shaped_events(draw: st.DrawFn) -> bytes:
    """Events that are mostly good, with members in any order, some unknown, some twice."""
    data = draw(st.just("null") | _members().flatmap(_written))
    whole = {"specversion": "1.0", "id": "e", "source": "s", "type": draw(st.sampled_from(["llm.request", "gpu"]))}
    pairs = [(name, json.dumps(value)) for name, value in whole.items()]
    pairs += [("subject", '"acme"')] * draw(st.sampled_from([1, 1, 0]))
    pairs += draw(st.lists(st.tuples(_attributes, _values), max_size=3))
    pairs += [("data", data)] * draw(st.sampled_from([1, 1, 1, 0, 2]))
    return draw(_written(draw(st.permutations(pairs)))).encode()


def rows_of(decoded: DecodedEvents) -> Rows:
    return [
        typed | free for typed, free in zip(decoded.typed.to_pylist(), decoded.free.to_pylist(), strict=True)
    ]  # fmt: skip


def rows_one_by_one(raws: Sequence[bytes]) -> Rows:
    """Each by itself: the exact way."""
    return [row for raw in raws for row in rows_of(decode_items([ItemRun([raw])], FACTS))]


def learned(memory: SchemaInference, raws: Sequence[bytes]) -> InferredSchema:
    """The shape of a run that is met as often as it takes."""
    found = [memory.shape_for(raws) for _ in range(TIMES_TO_LEARN)]
    assert found[-1] is not None
    return found[-1]


@settings(deadline=None, max_examples=150)
@given(st.lists(shaped_events() | events(), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_quick_way_reads_what_the_exact_way_reads(raws: list[bytes], chance: Any) -> None:
    many = [chance.choice(raws) for _ in range(2 * SHAPED_EVENTS_MIN)] + raws
    expected = rows_one_by_one(many)
    for _ in range(TIMES_TO_LEARN):
        assert rows_of(decode_items([ItemRun(many)], FACTS)) == expected


def test_what_changes_between_chunks_is_read_all_the_same() -> None:
    datas: list[dict[str, Any]] = [{"a": 1, "b": 2}, {"b": 1, "c": 2, "a": 3}, {"input_tokens": 3, "cost_usd": 0.5}]
    raws = [text(id=f"e-{number}", data=datas[number // 700 % 3]) for number in range(CHUNK_EVENTS * 2)]
    decode(*raws)
    found = rows_of(decode(*raws))
    assert found[690:710] == rows_one_by_one(raws[690:710])
    assert found[-1:] == rows_one_by_one(raws[-1:])
    assert found[1_390:1_410] == rows_one_by_one(raws[1_390:1_410])


@pytest.mark.parametrize(
    "odd",
    [
        b'{"data":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
        text(data={"x": "X"}).replace(b'"X"', b"[" * 900 + b"]" * 900),
        text(deep="X").replace(b'"X"', b"[" * 900 + b"]" * 900),
        text(data={"x": "X"}).replace(b'"X"', b"[" * 62 + b"]" * 62),
    ],
)
def test_a_deep_event_among_many_is_settled_by_itself(odd: bytes) -> None:
    raws = [text(id=f"e-{number}", data={"x": [number]}) for number in range(60)]
    many = [*raws[:30], odd, *raws[30:]]
    for _ in range(TIMES_TO_LEARN):
        assert rows_of(decode(*many)) == rows_one_by_one(many)


def test_properties_and_extensions_stand_in_sorted_order_at_every_depth_however_they_are_read() -> None:
    orders = ["abc", "cba", "ba", "c", ""]
    sent = [{name: {"y": 1, "x": 2} for name in orders[number % 5]} for number in range(100)]
    raws = [text(data=members, **members) for members in sent]
    expected = [json.dumps(members, sort_keys=True, separators=(",", ":")) if members else None for members in sent]
    for _ in range(TIMES_TO_LEARN):
        assert decode(*raws).free.column("properties").to_pylist() == expected
        assert decode(*raws).free.column("extensions").to_pylist() == expected
    assert [row["properties"] for row in rows_one_by_one(raws[:5])] == expected[:5]


def test_names_without_end_are_read_too() -> None:
    raws = [text(id=f"e-{number}", data={f"name-{number}": number, "n": 1}) for number in range(CHUNK_EVENTS + 500)]
    found = decode(*raws).free.column("properties").to_pylist()
    assert found == [f'{{"n":1,"name-{number}":{number}}}' for number in range(len(raws))]


@pytest.mark.parametrize("count", [FEW_EVENTS, FEW_EVENTS + 1, SHAPED_EVENTS_MIN - 1, SHAPED_EVENTS_MIN])
def test_few_events_are_read_like_many(count: int) -> None:
    raws = [text(id=f"e-{number}", data={"a": number, "latency_ms": 1.5}) for number in range(count - 1)] + [b"oops"]
    for _ in range(TIMES_TO_LEARN):
        assert rows_of(decode(*raws)) == rows_one_by_one(raws)


def test_a_shape_is_made_when_its_names_are_met_a_second_time() -> None:
    memory, raws = SchemaInference(), [text(data={"a": 1})] * SHAPED_EVENTS_MIN
    assert memory.shape_for(raws) is None
    shape = memory.shape_for(raws)
    assert shape is not None
    assert shape.data_names == ["a"]
    assert memory.shape_for(raws) is shape


def test_names_that_are_ever_new_make_no_shape() -> None:
    memory = SchemaInference()
    for run in range(4):
        assert memory.shape_for([text(data={f"n-{run}-{number}": 1}) for number in range(SHAPED_EVENTS_MIN)]) is None


def test_names_that_are_new_in_each_run_make_no_shape() -> None:
    memory = SchemaInference()
    for run in range(2 * SHAPES_MAX):
        assert memory.shape_for([text(data={f"n-{run}": 1})] * SHAPED_EVENTS_MIN) is None


def test_a_shape_knows_a_bounded_number_of_names() -> None:
    memory = SchemaInference()
    shape = learned(memory, [text(data=dict.fromkeys(map(str, range(NAMES_MAX)), 1))] * SHAPED_EVENTS_MIN)
    assert len(shape.data_names) == NAMES_MAX
    mostly_it = [text(data=dict.fromkeys(map(str, range(NAMES_MAX + (number > 380))), 1)) for number in range(480)]
    assert learned(memory, mostly_it) is shape


def test_a_shape_that_mostly_fits_is_widened_and_takes_as_given_only_what_every_event_had() -> None:
    memory = SchemaInference()
    learned(memory, [text(data={"a": 1, "b": 2})] * SHAPED_EVENTS_MIN)
    mostly_it = [text(data={"a": 1, "b": 2} if number < 380 else {"b": 1, "c": 2}) for number in range(480)]
    members = learned(memory, mostly_it).names.members
    assert (members.known, members.always) == (frozenset("abc"), frozenset("b"))


def test_a_run_of_which_most_does_not_fit_is_not_read_by_the_shape() -> None:
    shape = learned(SchemaInference(), [text(data={"a": 1})] * SHAPED_EVENTS_MIN)
    fitting, other = text(data={"a": 1}), text(data={"b": 1})
    mostly_fitting = fitted_events(shape, [fitting, other] * MISFITS_MAX)
    assert mostly_fitting is not None
    assert mostly_fitting.misfits == list(range(1, 2 * MISFITS_MAX, 2))
    assert fitted_events(shape, [fitting, other] * 50) is None
    assert fitted_events(shape, [other]) is None


@pytest.mark.parametrize("name", ["data_base64", 'q"', "back\\slash", "new\nline", "\x7f"])
def test_names_that_do_not_stand_in_json_as_they_are_are_not_learned(name: str) -> None:
    assert not learnable(name)


def test_members_of_requests_are_properties_of_other_events_among_requests() -> None:
    data = {"input_tokens": 3, "status": "failed", "model": "m"}
    raws = [object_text({k: json.dumps(v) for k, v in event(type=kind, data=data).items()}).encode()
            for kind in ("llm.request", "gpu") * 30]  # fmt: skip
    for _ in range(TIMES_TO_LEARN):
        assert rows_of(decode(*raws)) == rows_one_by_one(raws)
    assert decode(*raws).free.column("properties").to_pylist() == [None, '{"input_tokens":3,"status":"failed"}'] * 30


@pytest.mark.parametrize(
    "sent",
    [
        '{"b" :1,"a":{"b":0},"z":2}',
        '{"b":1,"a":2,"b":3,"z":4}',
        '{"\\u0062":1,"a":{"b":0},"z":2}',
        '{"a":1,"b":2,"z":{"z":{"b":0},"a":1}}',
    ],
)
def test_a_name_that_stands_twice_or_unusually_in_an_event_does_not_mislead(sent: str) -> None:
    plain = [text(id=f"e-{number}", data=dict.fromkeys("abz", number)) for number in range(60)]
    odd = text(data="X").replace(b'"X"', sent.encode())
    for _ in range(TIMES_TO_LEARN):
        properties = decode(*plain, odd).free.column("properties")[60].as_py()
        assert properties == json.dumps(json.loads(sent), sort_keys=True, separators=(",", ":"))
        assert properties == rows_one_by_one([odd])[0]["properties"]
