"""Usage events as JSON text: a plain valid one, and Hypothesis strategies for valid and for invalid ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from domain.scope import DEFAULT_SCOPE
from domain.usage.decoding.decoder import DecodedEvents, DecodingContext, decode_body

RECORDED_AT = datetime(2026, 9, 2, tzinfo=UTC)
CONTEXT = DecodingContext(DEFAULT_SCOPE, 7, RECORDED_AT)
NDJSON = "application/x-ndjson"

Members = dict[str, str]  # name to JSON text


def event(**changes: Any) -> dict[str, Any]:
    """A valid event; `data` in `changes` replaces its data, and None removes an attribute."""
    whole = {
        "specversion": "1.0",
        "id": "e-1",
        "source": "gateway",
        "type": "llm.request",
        "subject": "acme",
        "time": "2026-09-01T12:00:00Z",
        "data": {"provider": "openai", "model": "gpt-4o", "input_tokens": 10, "output_tokens": 5},
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def text(**changes: Any) -> bytes:
    return json.dumps(event(**changes)).encode()


def decode(*lines: bytes, **options: Any) -> DecodedEvents:
    return decode_body(NDJSON, b"\n".join(lines), CONTEXT, **options)


def only_row(decoded: DecodedEvents) -> dict[str, Any]:
    """The columns of both batches of the only event."""
    [typed], [free] = decoded.typed.to_pylist(), decoded.free.to_pylist()
    row: dict[str, Any] = typed | free
    return row


def object_text(members: Members) -> str:
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members.items()) + "}"


ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda value: "\x00" not in value and value not in (".", "..")
)
_id_texts = ids.map(json.dumps) | st.integers(0, 5).map(lambda n: f'"e-{n}"')
_names = st.sampled_from(['"openai"', '"gpt-4o"', '"anthropic"', "null"])
_tokens = st.integers(0, 9).map(str) | st.sampled_from(
    ["3.0", "1e2", "null", "1.20e1", "1000000000000000", "-0", "0.0"]
)
_quantities = st.sampled_from(["3", "1.5", "0.1234567890125", "1e-30", "0", "null", '"2"'])
_costs = st.sampled_from(
    [
        '"0.0125"',
        '"1"',
        "2",
        "0.5",
        "1e-05",
        '"1E-30"',
        "0.1234567890125",
        '"999999999999999.9"',
        "null",
        '"-0"',
        "0e99",
    ]
) | st.decimals(0, 1000, places=9).map(lambda cost: f'"{cost:f}"')
_times = st.sampled_from(
    [
        '"2026-09-01T12:00:00Z"',
        '"2026-09-01T12:00:00.123456789+02:00"',
        '"2026-09-01T12:00:00.5Z"',
        '"2026-09-01t12:00:00z"',
        '"1980-01-01T00:00:00Z"',
        '"2026-06-30T23:59:60Z"',
        '"2026-09-01T12:00:00-23:59"',
        '"2026-09-02T23:59:59.999999Z"',
        "null",
    ]
)
_durations = st.sampled_from(["812", "812.3456789", "0", "1e3", "null", "0.0004"])
_refs = ids.map(json.dumps) | st.just("null")
_any_text = st.recursive(
    st.sampled_from(["1", "1.50", "true", "null", '"x"', "1e400", "12345678901234567890123"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: "[" + ",".join(parts) + "]")
        | st.dictionaries(ids, inner, max_size=3).map(object_text)
    ),
    max_leaves=5,
)


def _some(required: dict[str, st.SearchStrategy[str]], optional: dict[str, st.SearchStrategy[str]]) -> Any:
    return st.fixed_dictionaries(required, optional=optional)


good_data = _some(
    {},
    {
        "provider": _names,
        "model": _names,
        "cost_usd": _costs,
        "cache_write_tokens": _tokens,
        "input_tokens": st.just("1000000000000000"),
        "cached_input_tokens": st.just("0") | st.just("null"),
        "output_tokens": _tokens,
        "status": st.sampled_from(['"succeeded"', '"failed"', '"pending"', "null"]),
        "tags": st.sampled_from(['["a","b"]', "[]", "null", '["é"]']),
        "latency_ms": _durations,
        "ttft_ms": _durations,
        "subscription": _refs,
        "parent_request": _refs,
        "hold_id": _refs,
        "custom": _any_text,
        "user": _refs,
        "completion_tokens": _tokens,
        "cache_write_1h_tokens": st.just("0") | st.just("null"),
        "web_searches": _quantities,
        "audio_seconds": _quantities,
        "units": st.sampled_from(['{"code_executions":2,"gpu_seconds":"1"}', '{"input_tokens":7}', "[]", "null"]),
        "requests": st.sampled_from(["1", "25", "2.0", "null"]),
        "service_tier": st.sampled_from(['"flex"', '"batch"', "null", "1"]),
    },
)

good_events = _some(
    {
        "specversion": st.just('"1.0"'),
        "id": _id_texts,
        "source": st.sampled_from(['"gateway"', '"edge/1"']),
        "type": st.sampled_from(['"llm.request"', '"llm.request"', '"gpu.second"']),
        "subject": st.sampled_from(['"acme"', '"globex"']),
        "data": good_data,
    },
    {
        "time": _times,
        "datacontenttype": st.just('"application/json"'),
        "traceparent": _any_text,
        "data_base64": st.just("null"),
    },
)

#: JSON texts that break some rule wherever they are put, and a few that do not.
SPOILERS = [
    "null",
    "true",
    "false",
    "0",
    "-1",
    "1.5",
    "1e400",
    "-1e-400",
    '""',
    '"."',
    '".."',
    '"x\\u0000y"',
    "[]",
    "{}",
    '"NaN"',
    '["a",1]',
    '{"a":1}',
    '"' + "x" * 300 + '"',
    '"' + "x" * 1001 + '"',
    "1000000000000001",
    "9" * 30,
    "1" * 40,
    '"' + "9" * 39 + '"',
    '"1e15"',
    '"0x10"',
    '" 1"',
    '"1.0"',
    "1e15",
    "123456789012345678901234567890.5",
    '"9999-01-01T00:00:00Z"',
    '"1979-12-31T23:59:59Z"',
    '"2026-09-01"',
    '"2026-02-30T00:00:00Z"',
    '"0000-01-01T00:00:00Z"',
    '"2026-09-01 12:00:00Z"',
    '"2026-09-01T12:00:00+0100"',
    '"2026-09-01T12:00:00"',
    '"2026-09-03T00:00:00Z"',
    '"٢"',
    '"succeeded"',
    "[" * 70 + "]" * 70,
    "[" * 62 + "]" * 62,
    "[" * 63 + "]" * 63,
    "-0.0",
    "1e-999999999999999999999999999",
    "1e999999999",
    "[null]",
    '["' + "t" * 257 + '"]',
]

_ATTRIBUTES = ["specversion", "id", "source", "type", "subject", "time", "data", "data_base64", "extra"]
_MEMBERS = [
    "provider",
    "model",
    "cost_usd",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "status",
    "tags",
    "latency_ms",
    "ttft_ms",
    "subscription",
    "parent_request",
    "hold_id",
    "customerId",
    "user",
    "custom",
    "prompt_tokens",
    "cache_write_1h_tokens",
    "web_searches",
    "units",
    "requests",
    "service_tier",
    "usage",
]


@st.composite
def events(draw: st.DrawFn) -> bytes:
    """The text of one event: valid, or with up to two attributes or members of data replaced or removed."""
    attributes = dict(draw(good_events))
    data = dict(attributes["data"])
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
        spoiled, names = draw(st.sampled_from([(attributes, _ATTRIBUTES), (data, _MEMBERS)]))
        name = draw(st.sampled_from(names))
        if draw(st.booleans()) and draw(st.booleans()):
            spoiled.pop(name, None)
        else:
            spoiled[name] = draw(st.sampled_from(SPOILERS))
    if isinstance(attributes.get("data"), dict):
        attributes["data"] = object_text(data)
    return object_text(attributes).encode()
