"""Numbers and instants are written one way in every table, and what is unknown is never written as 0."""

from __future__ import annotations

from typing import Any

import pytest

from api.cli.output.cells import cells, duration_text, span_text
from api.cli.output.columns import Column, Kind


def written(kind: Kind, *values: Any, zone: str = "UTC") -> list[str]:
    return cells(Column("Title", "value", kind), [{"value": value} for value in values], zone)


def costs(*sums: tuple[str | None, int]) -> list[str]:
    column = Column("Cost (USD)", "cost", Kind.MONEY, unknown="unknown")
    return cells(column, [{"cost": cost, "unknown": unknown} for cost, unknown in sums], "UTC")


def test_counts_have_separators() -> None:
    assert written(Kind.COUNT, 0, 999, 3668635, None) == ["0", "999", "3,668,635", "-"]


def test_money_has_two_to_six_decimals_below_each_other() -> None:
    assert written(Kind.MONEY, "250", "36.3920731864", "-1234567.5", None) == [
        "250.00    ",
        "36.392073",
        "-1,234,567.50    ",
        "-",
    ]


def test_an_amount_too_small_for_six_decimals_is_not_shown_as_zero() -> None:
    assert written(Kind.MONEY, "0.0000001", "-0.0000001", "0.000001") == ["<0.000001", ">-0.000001", "0.000001"]


def test_other_amounts_have_no_decimals_of_necessity() -> None:
    assert written(Kind.NUMBER, "44", "1.5") == ["44  ", "1.5"]


def test_a_sum_says_how_many_costs_are_unknown() -> None:
    assert costs(("12.5", 3), ("0", 1), ("7", 0)) == ["12.50 + unknown (3)", "unknown (1)", "7.00              "]


def test_what_remains_says_how_many_costs_may_lower_it() -> None:
    column = Column("Remaining (USD)", "left", Kind.MONEY, unknown="unknown", unknown_lowers=True)
    rows = [{"left": left, "unknown": unknown} for left, unknown in (("12.5", 3), ("0", 1), ("7", 0), (None, 2))]
    assert cells(column, rows, "UTC") == ["12.50 - unknown (3)", "0.00              ", "7.00              ", "-"]


def test_a_difference_says_how_many_costs_became_known() -> None:
    assert costs(("1", -2), ("0", -1)) == ["1.00, known since (2)", "known since (1)"]


def test_instants_are_short_and_in_the_zone() -> None:
    assert written(Kind.INSTANT, "2026-11-28T23:30:12.5Z", None, zone="Europe/Berlin") == ["2026-11-29 00:30", "-"]
    assert written(Kind.MOMENT, "2026-11-28T23:30:12.5Z", zone="Europe/Berlin") == ["2026-11-29 00:30:12"]


def test_midnights_are_dates() -> None:
    midnights = ("2026-11-01T04:00:00.000000Z", "2026-12-01T05:00:00.000000Z")
    assert written(Kind.INSTANT, *midnights, zone="America/New_York") == ["2026-11-01", "2026-12-01"]
    assert span_text(*midnights, "America/New_York") == "2026-11-01 to 2026-12-01 (America/New_York)"


def test_a_local_time_that_occurs_twice_is_told_apart() -> None:
    assert written(Kind.INSTANT, "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", zone="Europe/Berlin") == [
        "2026-10-25 02:30 +0200",
        "2026-10-25 02:30 +0100",
    ]


def test_an_empty_text_in_a_list_is_shown() -> None:
    assert cells(Column("Tags", "tags", Kind.LIST), [{"tags": [""]}, {"tags": ["a", ""]}, {"tags": []}], "UTC") == [
        "''",
        "a, ''",
        "-",
    ]


def test_lists_are_joined_and_an_empty_one_is_not_set() -> None:
    assert written(Kind.LIST, ["read", "ingest"], []) == ["read, ingest", "-"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (75, "1 min 15 s"), (3700, "1 h 1 min"), (200_000, "2 d 7 h")],
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "NaN", "sNaN", "1e400"])
def test_what_is_no_amount_is_shown_as_it_came(value: str) -> None:
    assert written(Kind.MONEY, value) == [value]


def test_an_instant_beyond_the_calendar_or_in_an_unknown_zone_is_shown_as_it_came() -> None:
    assert written(Kind.INSTANT, "0001-01-01T00:00:00+14:00", zone="America/New_York") == ["0001-01-01T00:00:00+14:00"]
    assert written(Kind.INSTANT, "2026-01-01T00:00:00Z", zone="Mars/Olympus") == ["2026-01-01T00:00:00Z"]
