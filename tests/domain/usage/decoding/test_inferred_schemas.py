"""Events are read by an inferred schema as each would be by itself, whatever other events are among them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.usage.decoding.column_reader import CHUNK_EVENTS, SCHEMA_EVENTS_MIN
from domain.usage.decoding.decoder import DecodedEvents, ItemRun, decode_items
from domain.usage.decoding.inferred_schema import NAMES_MAX, InferredSchema, is_learnable
from domain.usage.decoding.schema_inference import SCHEMAS_MAX, SchemaInference
from domain.usage.decoding.single_event import ROW_BY_ROW_EVENTS_MAX
from domain.usage.decoding.struct_reader import MISMATCHES_MAX, read_structs
from tests.domain.usage.usage_event_texts import CONTEXT, decode, event, events, object_text, text

Rows = list[dict[str, Any]]

#: The names of a chunk must be seen twice to become a schema, which is then used.
TIMES_TO_INFER = 2

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
def generated_events(draw: st.DrawFn) -> bytes:
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
    """Each decoded by itself."""
    return [row for raw in raws for row in rows_of(decode_items([ItemRun([raw])], CONTEXT))]


def inferred(inference: SchemaInference, raws: Sequence[bytes]) -> InferredSchema:
    """The schema for events that are seen as often as it takes."""
    found = [inference.schema_for(raws) for _ in range(TIMES_TO_INFER)]
    assert found[-1] is not None
    return found[-1]


@settings(deadline=None, max_examples=80)
@given(st.lists(generated_events() | events(), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_decoding_by_columns_reads_what_decoding_row_by_row_reads(raws: list[bytes], chance: Any) -> None:
    many = [chance.choice(raws) for _ in range(2 * SCHEMA_EVENTS_MIN)] + raws
    alone = dict(zip(raws, rows_one_by_one(raws), strict=True))
    expected = [alone[raw] for raw in many]
    for _ in range(TIMES_TO_INFER):
        assert rows_of(decode_items([ItemRun(many)], CONTEXT)) == expected


def test_members_that_change_between_chunks_are_read() -> None:
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
def test_a_deeply_nested_event_among_many_is_decoded_by_itself(odd: bytes) -> None:
    raws = [text(id=f"e-{number}", data={"x": [number]}) for number in range(60)]
    many = [*raws[:30], odd, *raws[30:]]
    for _ in range(TIMES_TO_INFER):
        assert rows_of(decode(*many)) == rows_one_by_one(many)


def test_properties_and_extensions_are_sorted_at_every_depth_however_they_are_read() -> None:
    orders = ["abc", "cba", "ba", "c", ""]
    sent = [{name: {"y": 1, "x": 2} for name in orders[number % 5]} for number in range(100)]
    raws = [text(data=members, **members) for members in sent]
    expected = [json.dumps(members, sort_keys=True, separators=(",", ":")) if members else None for members in sent]
    for _ in range(TIMES_TO_INFER):
        assert decode(*raws).free.column("properties").to_pylist() == expected
        assert decode(*raws).free.column("extensions").to_pylist() == expected
    assert [row["properties"] for row in rows_one_by_one(raws[:5])] == expected[:5]


def test_names_that_never_repeat_are_read_too() -> None:
    raws = [text(id=f"e-{number}", data={f"name-{number}": number, "n": 1}) for number in range(CHUNK_EVENTS + 500)]
    found = decode(*raws).free.column("properties").to_pylist()
    assert found == [f'{{"n":1,"name-{number}":{number}}}' for number in range(len(raws))]


@pytest.mark.parametrize(
    "count", [ROW_BY_ROW_EVENTS_MAX, ROW_BY_ROW_EVENTS_MAX + 1, SCHEMA_EVENTS_MIN - 1, SCHEMA_EVENTS_MIN]
)
def test_few_events_are_read_like_many(count: int) -> None:
    raws = [text(id=f"e-{number}", data={"a": number, "latency_ms": 1.5}) for number in range(count - 1)] + [b"oops"]
    for _ in range(TIMES_TO_INFER):
        assert rows_of(decode(*raws)) == rows_one_by_one(raws)


def test_a_schema_is_made_when_its_names_are_seen_a_second_time() -> None:
    inference, raws = SchemaInference(), [text(data={"a": 1})] * SCHEMA_EVENTS_MIN
    assert inference.schema_for(raws) is None
    schema = inference.schema_for(raws)
    assert schema is not None
    assert schema.data_names == ["a"]
    assert inference.schema_for(raws) is schema


def test_names_that_are_always_new_make_no_schema() -> None:
    inference = SchemaInference()
    for run in range(4):
        assert (
            inference.schema_for([text(data={f"n-{run}-{number}": 1}) for number in range(SCHEMA_EVENTS_MIN)]) is None
        )


def test_names_that_are_new_in_each_chunk_make_no_schema() -> None:
    inference = SchemaInference()
    for run in range(2 * SCHEMAS_MAX):
        assert inference.schema_for([text(data={f"n-{run}": 1})] * SCHEMA_EVENTS_MIN) is None


def test_a_schema_knows_a_bounded_number_of_names() -> None:
    inference = SchemaInference()
    schema = inferred(inference, [text(data=dict.fromkeys(map(str, range(NAMES_MAX)), 1))] * SCHEMA_EVENTS_MIN)
    assert len(schema.data_names) == NAMES_MAX
    mostly_it = [text(data=dict.fromkeys(map(str, range(NAMES_MAX + (number > 380))), 1)) for number in range(480)]
    assert inferred(inference, mostly_it) is schema


def test_a_schema_that_mostly_matches_is_widened_and_requires_only_names_of_every_event() -> None:
    inference = SchemaInference()
    inferred(inference, [text(data={"a": 1, "b": 2})] * SCHEMA_EVENTS_MIN)
    mostly_it = [text(data={"a": 1, "b": 2} if number < 380 else {"b": 1, "c": 2}) for number in range(480)]
    members = inferred(inference, mostly_it).names.members
    assert (members.known, members.required) == (frozenset("abc"), frozenset("b"))


def test_a_chunk_in_which_most_events_mismatch_is_not_read_by_the_schema() -> None:
    schema = inferred(SchemaInference(), [text(data={"a": 1})] * SCHEMA_EVENTS_MIN)
    fitting, other = text(data={"a": 1}), text(data={"b": 1})
    mostly_fitting = read_structs(schema, [fitting, other] * MISMATCHES_MAX)
    assert mostly_fitting is not None
    assert mostly_fitting.mismatches == list(range(1, 2 * MISMATCHES_MAX, 2))
    assert read_structs(schema, [fitting, other] * 50) is None
    assert read_structs(schema, [other]) is None


@pytest.mark.parametrize("name", ["data_base64", 'q"', "back\\slash", "new\nline", "\x7f"])
def test_names_that_json_writes_with_escapes_are_not_learned(name: str) -> None:
    assert not is_learnable(name)


def test_members_of_requests_are_properties_of_other_events_among_requests() -> None:
    data = {"input_tokens": 3, "status": "failed", "model": "m"}
    raws = [object_text({k: json.dumps(v) for k, v in event(type=kind, data=data).items()}).encode()
            for kind in ("llm.request", "gpu") * 30]  # fmt: skip
    for _ in range(TIMES_TO_INFER):
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
def test_a_repeated_or_unusually_written_name_is_read_correctly(sent: str) -> None:
    plain = [text(id=f"e-{number}", data=dict.fromkeys("abz", number)) for number in range(60)]
    odd = text(data="X").replace(b'"X"', sent.encode())
    for _ in range(TIMES_TO_INFER):
        properties = decode(*plain, odd).free.column("properties")[60].as_py()
        assert properties == json.dumps(json.loads(sent), sort_keys=True, separators=(",", ":"))
        assert properties == rows_one_by_one([odd])[0]["properties"]
