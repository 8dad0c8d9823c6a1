"""The page about charge models has the models and members of the engine, and its amounts are those of the engine."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest

from domain.charges.amounts import amount_of
from domain.charges.models import MODEL_NAMES, ChargeModel, charge_model, model_name
from domain.charges.ranges import PriceRange, RateRange
from tests.domain.charges.generated_models import used_by
from tests.meterfold_process import ROOT

PAGE = (ROOT / "docs" / "concepts" / "charge-models.md").read_text()
#: The text below each heading.
SECTIONS = {text.split("\n")[0]: text for text in PAGE.split("\n## ")[1:]}
#: A model in JSON, then the table of its amounts.
EXAMPLES = re.findall(
    r"```json\n([^`]+)```\n\n\| (units|units of the events) \| amount \| how \|\n\|---\|---\|---\|\n((?:\|.+\n)+)", PAGE
)


def cells(row: str) -> list[str]:
    return [cell.strip().replace("`", "") for cell in row.split("|")[1:-1]]


def members_of(section: str) -> list[str]:
    table = SECTIONS[section].split("| member | what it is |\n|---|---|\n")[1].split("\n\n")[0]
    return [cells(row)[0] for row in table.splitlines()]


def values_of(cell: str) -> list[Decimal]:
    """Numbers with a comma and a space between them, and commas alone in thousands."""
    return [Decimal(number.replace(",", "")) for number in cell.split(", ")]


def models_in(section: str) -> list[ChargeModel]:
    return [charge_model(section, json.loads(text)) for text in re.findall(r"```json\n([^`]+)```", SECTIONS[section])]


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_each_model_has_a_section_with_its_members_and_examples(name: str) -> None:
    models = models_in(name)
    assert {model_name(model) for model in models} == {name}
    assert members_of(name) == list(models[0].__struct_fields__)


def test_the_page_has_all_models_in_order_and_then_their_ranges() -> None:
    assert tuple(SECTIONS) == (*MODEL_NAMES, "Ranges")
    assert set(members_of("Ranges")) == {*PriceRange.__struct_fields__, *RateRange.__struct_fields__}


def test_every_model_on_the_page_has_amounts() -> None:
    assert len(EXAMPLES) == PAGE.count("```json\n") == len(MODEL_NAMES) + 1


@pytest.mark.parametrize(("written", "column", "rows"), EXAMPLES)
def test_amounts_are_those_of_the_page(written: str, column: str, rows: str) -> None:
    model = charge_model("charge", json.loads(written))
    said = [cells(row) for row in rows.splitlines()]
    assert [amount_of(model, used_by(values_of(used))) for used, _, _ in said] == [
        Decimal(amount) for _, amount, _ in said
    ]
    assert column == ("units of the events" if model_name(model) == "percentage" else "units")
