"""Bodies of each media type are split into items, and an invalid item does not affect the others."""

from __future__ import annotations

import pytest

from domain.errors import InvalidInput
from domain.usage.decoding.decoder import DecodedEvents, decode_body
from domain.usage.request_bodies import BodyFormat, items_in_steps
from tests.domain.usage.usage_event_texts import CONTEXT, text

ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
LINES = "application/x-ndjson"
PLAIN = "application/json"

A, B = text(id="a"), text(id="b")


def outcome(content_type: str, body: bytes) -> list[tuple[str | None, str | None]]:
    decoded = decode_body(content_type, body, CONTEXT)
    return list(zip(decoded.typed.column("id").to_pylist(), decoded.typed.column("reason").to_pylist(), strict=True))


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        (ONE, A, [("a", None)]),
        (PLAIN, b"\n " + A + b" ", [("a", None)]),
        (BATCH, b"[" + A + b"," + B + b"]", [("a", None), ("b", None)]),
        (PLAIN, b" \r\n[" + A + b"]", [("a", None)]),
        (BATCH, b"[]", []),
        (LINES, A + b"\n" + B + b"\n", [("a", None), ("b", None)]),
        (LINES, A + b"\r\n\r\n  \n" + B, [("a", None), ("b", None)]),
        (LINES, b"", []),
        (ONE, b"", [(None, "not_json")]),
        (PLAIN, b"", [(None, "not_json")]),
        (ONE, b"[" + A + b"]", [(None, "not_an_object")]),
        (BATCH, A, [("a", None)]),
        (BATCH, b"oops", [(None, "not_json")]),
        (BATCH, b"[" + A, [(None, "not_json")]),
        (BATCH, b"[" + A + b",]", [(None, "not_json")]),
        (BATCH, b"[" + A + b"]]", [(None, "not_json")]),
        (BATCH, b'["unterminated]', [(None, "not_json")]),
        (LINES, A + b"\n{oops\n" + B, [("a", None), (None, "not_json"), ("b", None)]),
        (LINES, A + B, [(None, "not_json")]),
        (BATCH, b"[" + A + b", ," + B + b"]", [("a", None), (None, "not_json"), ("b", None)]),
        (BATCH, A[:-1] + b', "data": []]', [(None, "not_json")]),
    ],
)
def test_a_body_is_split_into_its_events(
    content_type: str, body: bytes, expected: list[tuple[str | None, str | None]]
) -> None:
    if (content_type, body) == (BATCH, A):
        expected = [("a", None)]
    assert outcome(content_type, body) == expected


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"5", "not_an_object"),
        (b"null", "not_an_object"),
        (b'{"cost":NaN}', "not_json"),
        (b'{"id":"\\ud800"}', "not_json"),
        (b'{"id":"\xff, [{"}', "not_json"),
        (b'"a string with , and ] and \\" in it"', "not_an_object"),
        (b"[" * 5_000 + b"]" * 5_000, "data_invalid"),
    ],
)
def test_an_invalid_element_of_a_batch_does_not_affect_the_others(bad: bytes, reason: str) -> None:
    found = outcome(BATCH, b"[" + A + b" ,\n" + bad + b", " + B + b"]")
    assert found == [("a", None), (None, reason), ("b", None)]


@pytest.mark.parametrize("form", [ONE, PLAIN, BATCH, LINES])
def test_a_byte_order_mark_is_not_part_of_the_first_event(form: str) -> None:
    body = b"[" + A + b"]" if form == BATCH else A
    assert outcome(form, b"\xef\xbb\xbf" + body) == [("a", None)]


@pytest.mark.parametrize("form", [BodyFormat.BATCH, BodyFormat.LINES])
def test_a_body_is_known_to_have_too_many_items_long_before_its_end(form: BodyFormat) -> None:
    body = b"[" + b"0," * 2_000_000 + b"0]" if form is BodyFormat.BATCH else b"0\n" * 2_000_000
    steps = items_in_steps(form, body, items_max=200_000)
    next(steps)
    with pytest.raises(InvalidInput) as caught:
        next(steps)
    assert str(caught.value) == "body: must have at most 200000 items"
    assert caught.value.code == "too_many_items"


def test_a_rejected_element_of_a_batch_keeps_its_own_bytes() -> None:
    decoded: DecodedEvents = decode_body(BATCH, b"[" + A + b', {"cost" : NaN} ]', CONTEXT)
    assert decoded.free.column("raw").to_pylist() == [None, b'{"cost" : NaN}']


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-ndjson; charset=utf-8",
        'APPLICATION/X-NDJSON;charset="UTF-8"',
        "application/x-ndjson ; profile=x ; charset=utf8",
    ],
)
def test_media_types_may_have_parameters(content_type: str) -> None:
    assert outcome(content_type, A) == [("a", None)]


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/xml", "application/json; charset=utf-16", "application/jsonp"]
)
def test_other_media_types_are_refused_as_a_whole(content_type: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_body(content_type, A, CONTEXT)
    assert (caught.value.field, caught.value.code) == ("Content-Type", "unsupported_media_type")
