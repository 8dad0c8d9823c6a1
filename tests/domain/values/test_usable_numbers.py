"""Numbers of requests: exact, except those that cannot be computed with, which no rule accepts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.values.field_rules import check_json, check_stored_json
from domain.values.json_numbers import USABLE_EXPONENT_MAX, UnusableNumber, exact_json, usable_json


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,30})\.[0-9]{1,30}([eE][+-]?[0-9]{1,20})?", fullmatch=True))
def test_a_number_is_exact_or_unusable(text: str) -> None:
    read = usable_json(text.encode())
    if isinstance(read, UnusableNumber):
        assert abs(int(text.lower().partition("e")[2])) > USABLE_EXPONENT_MAX - 31
    else:
        assert read == exact_json(text.encode())
        assert abs(read.adjusted()) <= USABLE_EXPONENT_MAX


def test_only_numbers_of_a_thousand_digits_are_unusable() -> None:
    found = usable_json(b"[1e1000, 1e1001, 1e-1000, 1e-1001, 1e99999999999999999999, 7, 0.5]")
    assert [repr(one) if isinstance(one, UnusableNumber) else one for one in found] == [
        Decimal("1e1000"),
        "a number beyond all bounds",
        Decimal("1e-1000"),
        "a number beyond all bounds",
        "a number beyond all bounds",
        7,
        Decimal("0.5"),
    ]


@pytest.mark.parametrize("value", [b"1e1001", b"[1e1001]", b'{"k": {"deep": [1e1001]}}'])
def test_an_unusable_number_is_no_json_value(value: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_json("metadata", usable_json(value))
    assert (refused.value.field, refused.value.rule) == ("metadata", "must contain only JSON values")


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**30])
@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: [one], lambda one: {"k": {"deep": [one]}}])
def test_stored_json_has_whole_numbers_of_64_bits(number: int, wrap: Any) -> None:
    check_json("kept", wrap(number))
    with pytest.raises(InvalidInput) as refused:
        check_stored_json("kept", wrap(number))
    rule = "must not contain a whole number below -2^63 or of 2^64 or more"
    assert (refused.value.field, refused.value.rule) == ("kept", rule)
    nearer = number - 1 if number > 0 else number + 1
    if abs(nearer) <= 2**64:
        check_stored_json("kept", wrap(nearer))
