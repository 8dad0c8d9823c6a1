"""The page about aggregations has an amount of the engine for each pair of aggregation and charge model."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from domain.charges.models import MODEL_NAMES
from domain.meters.commands import CreateMeter
from domain.meters.fields import AGGREGATIONS, RECURRING_AGGREGATIONS
from domain.plans.commands import CreatePlan
from domain.scope import DEFAULT_SCOPE
from domain.subscriptions.commands import CreateSubscription
from projections.views.charging.charge_amounts import ChargeAmount
from projections.views.charging.charges import customer_charges
from tests.docs.test_charge_models_page import cells
from tests.meterfold_process import ROOT
from tests.projections.folded_log import BY_TEST, usage
from tests.projections.queries.store_under_test import DuckDBUnderTest

PAGE = (ROOT / "docs" / "concepts" / "aggregations.md").read_text()
EVENTS = re.findall(r"^\| (2026-04-\d\d) \| (\d+) \|$", PAGE, re.MULTILINE)
UNITS = re.findall(r"^\| `(\w+)` \| (\d+) \| [^|]+ \|$", PAGE, re.MULTILINE)
#: By the name of the model: the model in JSON, and the rows of its table.
PRICED = {
    name: (json.loads(model), [cells(row) for row in rows.splitlines()])
    for name, model, rows in re.findall(
        r"\n## (\w+)\n[^`]*(?:`[a-z]+`[^`]*)*```json\n([^`]+)```\n\n\| aggregation .+\n\|[-|]+\n((?:\|.+\n)+)", PAGE
    )
}
WHO = (DEFAULT_SCOPE, BY_TEST)
APRIL, MAY = (datetime(2026, month, 1, tzinfo=UTC) for month in (4, 5))


def charged(store: DuckDBUnderTest, at: datetime) -> dict[str, ChargeAmount]:
    """The charges of the period that contains an instant, by code."""
    with store.reads.snapshot() as snapshot:
        found = customer_charges(snapshot, DEFAULT_SCOPE, "ada", store.now, at, 3600)
    assert found is not None
    return {one.charge.code: one for one in found.subscriptions[0].charges}


def told(store: DuckDBUnderTest) -> None:
    """Tell the events of the page, a meter for each aggregation, and a plan with a charge for each pair."""
    store.pass_time(days=90)
    charges = []
    for aggregation in AGGREGATIONS:
        value = {} if aggregation == "count" else {"value_property": "value"}
        recurring = {"recurring": True} if aggregation in RECURRING_AGGREGATIONS else {}
        fields = {"event_type": "page", "aggregation": aggregation, **value}
        store.commands.handle(CreateMeter(*WHO, aggregation, fields))
        store.commands.handle(CreateMeter(*WHO, f"still-{aggregation}", {**fields, **recurring}))
        charges.append(
            {"code": f"still {aggregation}", "meter": f"still-{aggregation}", "price": PRICED["standard"][0]}
        )
        charges += [
            {"code": f"{aggregation} {model}", "meter": aggregation, "price": PRICED[model][0]} for model in PRICED
        ]
    store.commands.handle(CreatePlan(*WHO, "page", {"interval": "monthly", "currency": "USD", "charges": charges}))
    store.commands.handle(CreateSubscription(*WHO, "s", {"customer": "ada", "plan": "page"}, effective_at=APRIL))
    none = {"provider": None, "model": None}
    store.deliver(
        [
            usage(day, "ada", datetime.fromisoformat(day).replace(tzinfo=UTC), value=value, **none) | {"type": "page"}
            for day, value in EVENTS
        ]
    )
    store.fold()


def test_the_page_has_every_pair() -> None:
    assert tuple(PRICED) == MODEL_NAMES
    assert [aggregation for aggregation, _ in UNITS] == list(AGGREGATIONS)
    pairs = [(name, row[0]) for name, (_, rows) in PRICED.items() for row in rows]
    assert pairs == [(name, aggregation) for name in MODEL_NAMES for aggregation in AGGREGATIONS]


def test_units_and_amounts_are_those_of_the_engine(tmp_path: Path) -> None:
    store = DuckDBUnderTest(tmp_path / "store")
    told(store)

    april, may = charged(store, APRIL), charged(store, MAY)
    store.close()

    said = {
        f"{aggregation} {model}": [Decimal(units), Decimal(amount)]
        for model, (_, rows) in PRICED.items()
        for aggregation, units, amount, _ in rows
    }
    assert {code: [one.units, one.amount] for code, one in april.items() if code in said} == said
    assert {f"{aggregation} standard": Decimal(units) for aggregation, units in UNITS} == {
        f"{aggregation} standard": april[f"{aggregation} standard"].units for aggregation in AGGREGATIONS
    }
    still = {aggregation: may[f"still {aggregation}"] for aggregation in RECURRING_AGGREGATIONS}
    assert {aggregation: one.units for aggregation, one in still.items()} == {
        "sum": 40,
        "unique_count": 3,
        "weighted_sum": 40,
    }
    assert (april["weighted_sum standard"].total_units, may["sum standard"].units) == (Decimal(40), Decimal(0))
