"""What a request used is read from every member that says it, each quantity once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from domain.errors import InvalidInput
from domain.usage.quantity_rules import RequestQuantities, quantity_of, request_quantities
from domain.values.json_numbers import number_keeping_decoder

_decode = number_keeping_decoder().decode


def read(data: str) -> RequestQuantities:
    return request_quantities(_decode(data))


def test_common_units_are_read_under_their_names() -> None:
    data = '{"input_tokens":10,"cached_input_tokens":4,"cache_write_tokens":5,"output_tokens":7,"reasoning_tokens":6}'
    assert read(data) == RequestQuantities((10, 4, 5, 7, 6), (), 1, False, ())


@pytest.mark.parametrize("members", ["{}", '{"input_tokens":null,"units":null,"web_searches":null}'])
def test_a_request_that_tells_nothing_is_unknown(members: str) -> None:
    assert read(members) == RequestQuantities((0, 0, 0, 0, 0), (), 1, True, ())


def test_an_explicit_zero_is_told() -> None:
    assert read('{"output_tokens":0}').unknown is False


def test_names_of_other_systems_are_read_where_a_unit_is_not_told_under_its_own() -> None:
    data = '{"prompt_tokens":10,"completion_tokens":7,"output_tokens":8,"cache_read_tokens":3}'
    assert read(data).tokens == (10, 3, 0, 8, 0)


def test_other_units_stand_in_data_or_in_units_and_data_counts_first() -> None:
    data = '{"web_searches":2,"units":{"web_searches":9,"audio_seconds":12.5,"input_tokens":4}}'
    found = read(data)
    assert found.units == (("audio_seconds", Decimal("12.5")), ("web_searches", Decimal(2)))
    assert found.tokens == (4, 0, 0, 0, 0)


def test_a_unit_that_is_no_number_is_no_quantity() -> None:
    assert read('{"input_tokens":1,"web_searches":"two","units":{"code_executions":true}}').units == ()


def test_the_usage_object_of_a_provider_tells_what_no_other_member_does() -> None:
    asked: list[Any] = []

    def usage_reader(provider: str | None, model: str | None, usage: Any) -> dict[str, int | Decimal]:
        asked.append((provider, model, usage))
        return {"input_tokens": 12_307, "cache_write_tokens": 12_304, "web_searches": 1, "output_tokens": 9}

    data = _decode('{"provider":"anthropic","model":"claude","output_tokens":550,"usage":{"input_tokens":3}}')
    found = request_quantities(data, usage_reader)
    assert found.tokens == (12_307, 0, 12_304, 550, 0)
    assert found.units == (("web_searches", Decimal(1)),)
    assert asked == [("anthropic", "claude", {"input_tokens": 3})]


def test_texts_of_members_that_choose_a_price_are_its_context() -> None:
    data = '{"service_tier":"flex","speed":3,"route":"","processing":"batch"}'
    assert read(data).context == (("processing", "batch"), ("service_tier", "flex"))


def test_an_event_may_stand_for_several_requests() -> None:
    assert (read('{"requests":25}').requests, read('{"requests":2.0}').requests) == (25, 2)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("3", Decimal(3)),
        ("1.50", Decimal("1.5")),
        ("0.30000000000000004", Decimal("0.3")),
        ("0.0000000000005", Decimal(0)),
        ("1e-400", Decimal(0)),
        ("999999999999999", Decimal(999_999_999_999_999)),
        ("1e15", None),
        ("-1", None),
        ('"1"', None),
        ("true", None),
    ],
)
def test_a_quantity_has_twelve_decimals_rounded_half_even(value: str, expected: Decimal | None) -> None:
    assert quantity_of(_decode(value)) == expected


def test_a_refusal_says_which_part_exceeds_which_whole_and_what_to_do() -> None:
    with pytest.raises(InvalidInput) as error:
        read('{"input_tokens":100,"cached_input_tokens":80,"input_audio_tokens":50}')
    assert (error.value.code, str(error.value)) == (
        "parts_exceed_whole",
        "data.cached_input_tokens: together with data.input_audio_tokens must not exceed data.input_tokens, which "
        "includes them: send data.input_tokens with all its parts, and what is several of them at once as "
        "cache_audio_read_tokens",
    )


def test_a_number_of_requests_that_is_none_is_told_before_what_tokens_add_up_to() -> None:
    with pytest.raises(InvalidInput) as refused:
        request_quantities({"cache_write_tokens": 1, "requests": True})
    assert refused.value.code == "requests_invalid"
