"""Parsing of durations."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.values.durations import DURATION_COUNT_MAX, Duration, DurationUnit, duration_text, parse_duration

UNITS: list[DurationUnit] = list(DURATION_COUNT_MAX)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("30s", Duration(30, "s")),
        ("30m", Duration(30, "m")),
        ("30h", Duration(30, "h")),
        ("30d", Duration(30, "d")),
        ("1w", Duration(1, "w")),
        ("1mo", Duration(1, "mo")),
        ("2mo", Duration(2, "mo")),
        ("1y", Duration(1, "y")),
        ("hourly", Duration(1, "h")),
        ("daily", Duration(1, "d")),
        ("weekly", Duration(1, "w")),
        ("monthly", Duration(1, "mo")),
        ("yearly", Duration(1, "y")),
    ],
)
def test_a_duration_is_parsed_from_text_or_word(text: str, duration: Duration) -> None:
    assert parse_duration(text) == duration


@given(
    st.sampled_from(UNITS).flatmap(
        lambda unit: st.builds(Duration, st.integers(1, DURATION_COUNT_MAX[unit]), st.just(unit))
    )
)
def test_the_text_of_a_duration_is_parsed_to_an_equal_duration(duration: Duration) -> None:
    assert parse_duration(duration_text(duration)) == duration


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0d",
        "-1d",
        "d",
        "5",
        "1.5d",
        " 1d",
        "1d ",
        "1d\n",
        "1D",
        "1hr",
        "60min",
        "1 mo",
        "\u0661d",
        "banana",
        "Daily",
    ]
    + [f"{most + 1}{unit}" for unit, most in DURATION_COUNT_MAX.items()]
    + [pytest.param("9" * 10_000 + "s", id="thousands of digits")],
)
def test_other_text_is_refused_naming_the_field(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_duration(text, "budget_duration")
    assert refused.value.field == "budget_duration"


def test_only_seconds_minutes_and_hours_have_an_exact_length() -> None:
    assert [parse_duration(f"2{unit}").elapsed for unit in UNITS] == [
        timedelta(seconds=2),
        timedelta(minutes=2),
        timedelta(hours=2),
        None,
        None,
        None,
        None,
    ]
