"""The page about units has the units of the engine, and its examples are read as it says."""

from __future__ import annotations

import json
import re

import pytest

from consumers.prices.usage_objects.reading import read_usage
from domain.units.misspellings import misspelt_unit
from domain.units.registry import COMMON_UNITS, UNIT_ALIASES, UNITS, Unit
from tests.meterfold_process import ROOT

PAGE = (ROOT / "docs" / "concepts" / "units.md").read_text()


def rows_of(*header: str) -> list[list[list[str]]]:
    """The rows of each table with this header, as cells without marks of code."""
    title = f"| {' | '.join(header)} |\n{'|---' * len(header)}|\n"
    tables = [text.split("\n\n")[0].strip().splitlines() for text in PAGE.split(title)[1:]]
    return [[[cell.strip().replace("`", "") for cell in row.split("|")[1:-1]] for row in rows] for rows in tables]


def nearest_wholes(unit: Unit) -> list[str]:
    """The units that a unit is part of, without those that another one of them is part of."""
    wholes = [whole for whole in UNITS.values() if whole != unit and unit.is_part_of(whole)]
    return [whole.key for whole in wholes if not any(part != whole and part.is_part_of(whole) for part in wholes)]


def test_the_table_of_all_units_is_the_registry() -> None:
    expected = [[unit.key, f"{unit.per:,}", ", ".join(nearest_wholes(unit))] for unit in UNITS.values()]
    assert rows_of("unit", "a unit price is for", "part of") == [expected]


def test_the_common_units_and_their_other_names_are_those_of_the_registry() -> None:
    assert [[unit for unit, _ in rows] for rows in rows_of("unit", "what it counts")] == [list(COMMON_UNITS)]
    assert rows_of("name", "unit") == [[[name, unit] for name, unit in UNIT_ALIASES.items()]]


@pytest.mark.parametrize(("index", "provider"), [(0, "openai"), (1, "anthropic")])
def test_an_example_is_read_as_the_page_says(index: int, provider: str) -> None:
    example = re.findall(rf"<!-- {provider} -->\n```json\n(.+?)```", PAGE, re.DOTALL)
    assert len(example) == 1
    said = {unit: int(quantity) for unit, quantity in rows_of("unit", "quantity")[index]}
    read = read_usage(provider, None, json.loads(example[0])) or {}
    assert {unit: quantity for unit, quantity in read.items() if quantity} == said


def test_the_example_of_a_warning_is_one() -> None:
    (member, meant) = re.findall(r"`data\.(\w+) is kept\nas a property: did you mean (\w+)\?`", PAGE)[0]
    assert misspelt_unit(member) == meant
