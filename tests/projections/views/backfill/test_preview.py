"""The preview of a backfill of many customers."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, Final, cast

import numpy as np
import pyarrow as pa

from domain.scope import DEFAULT_SCOPE
from projections.queries.backfill_effects import EFFECT_ROWS, BackfillEffect
from projections.queries.snapshot import Snapshot
from projections.views.backfill.preview import PeriodNumbers, backfill_preview

MARCH: Final = datetime(2026, 3, 1, tzinfo=UTC)
NOW: Final = datetime(2026, 6, 1, tzinfo=UTC)
#: Nobody is known, and nothing is counted yet.
EMPTY: Final = cast(Snapshot, SimpleNamespace(customer=lambda *_: None, usage=lambda *_: []))


def rows(customers: list[str | None], **columns: Any) -> pa.Table:
    """Rows of these customers, each an hour before the last, of one dollar."""
    count = len(customers)
    times = [MARCH.replace(tzinfo=None) + timedelta(hours=count - number) for number in range(count)]
    defaults = {
        "customer_id": customers,
        "type": ["llm.request"] * count,
        "model": ["m-1"] * count,
        "time": times,
        "source": ["gateway"] * count,
        "id": [str(number) for number in range(count)],
        "cost_usd": [Decimal(1)] * count,
        "cost_origin": ["producer"] * count,
        "requests": [1] * count,
    }
    return pa.table(defaults | columns, EFFECT_ROWS)


def effect(arriving: pa.Table, leaving: pa.Table) -> BackfillEffect:
    counts = {"counted": arriving.num_rows, "duplicate": 0, "conflict": 0, "withdrawn": leaving.num_rows}
    return BackfillEffect(7, **counts, missing=0, missing_events=(), late=0, arriving=arriving, leaving=leaving)


def test_events_in_any_order_are_told_by_customer_and_period() -> None:
    arriving = rows(["b", None, "a", "b", "a"], type=["llm.request"] * 4 + ["disk.sampled"])
    leaving = rows(
        ["c", "b", None], cost_usd=[None, Decimal("0.25"), Decimal(9)], cost_origin=["unknown", *["none"] * 2]
    )
    found = backfill_preview(EMPTY, DEFAULT_SCOPE, effect(arriving, leaving), NOW, None, 2)
    assert (found.customers, found.has_more, found.last_customer) == (3, True, "b")
    assert (found.difference_usd, found.cost_unknown_events) == (Decimal("-4.25"), -1)
    assert [(one.customer_id, one.arriving, one.leaving, one.difference) for one in found.periods] == [
        ("a", 1, 0, PeriodNumbers(1, Decimal(1), Decimal(1), 0)),
        ("b", 2, 1, PeriodNumbers(1, Decimal("1.75"), Decimal("1.75"), 0)),
    ]
    [last] = backfill_preview(EMPTY, DEFAULT_SCOPE, effect(arriving, leaving), NOW, "b", 2).periods
    assert (last.customer_id, last.difference) == ("c", PeriodNumbers(-1, Decimal(0), Decimal(0), -1))


def test_what_arrives_in_two_months_is_told_in_two_periods() -> None:
    months = [datetime(2026, 4, 1), datetime(2026, 3, 31, 23), datetime(2026, 4, 2)]  # noqa: DTZ001 - as Arrow has it
    found = backfill_preview(EMPTY, DEFAULT_SCOPE, effect(rows(["a"] * 3, time=months), rows([])), NOW, None, 100)
    assert [(one.period.start, one.arriving) for one in found.periods] == [
        (datetime(2026, 3, 1, tzinfo=UTC), 1),
        (datetime(2026, 4, 1, tzinfo=UTC), 2),
    ]


def test_the_events_of_all_customers_are_not_read_again_for_each() -> None:
    count, customers = 500_000, 1_000
    whole = rows([f"c-{number:03}" for number in range(customers)])
    many = effect(whole.take(pa.array(np.arange(count) % customers)), rows([]))
    took = {}
    for limit in (1, customers):
        began = time.process_time()
        found = backfill_preview(EMPTY, DEFAULT_SCOPE, many, NOW, None, limit)
        took[limit] = time.process_time() - began
    assert len(found.periods) >= customers
    assert took[customers] - took[1] < 1.5
