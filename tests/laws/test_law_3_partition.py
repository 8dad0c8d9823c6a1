"""Law 3: sums are additive: the parts of any partition by time, customer or model sum to the whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.laws.histories import Step, histories, live_through
from tests.laws.laboratory import FROM, TO, JsonObject, Laboratory, examples

MEASURES = (
    "requests",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "total_tokens",
    "cost_usd",
    "reported_cost_usd",
    "cost_unknown_events",
)
SPAN = datetime.fromisoformat(TO) - datetime.fromisoformat(FROM)


def added_up(rows: Iterable[JsonObject]) -> dict[str, Decimal]:
    sums = defaultdict(Decimal, dict.fromkeys(MEASURES, Decimal(0)))
    for row in rows:
        for name in MEASURES:
            sums[name] += Decimal(row[name])
        for unit, quantity in row["units"].items():
            sums[unit] += Decimal(quantity)
    return sums


def cut_instants() -> st.SearchStrategy[list[str]]:
    """Any instants in between, whole hours and days more often than others."""
    offsets = st.one_of(
        st.integers(1, SPAN // timedelta(hours=1) - 1).map(lambda hours: timedelta(hours=hours)),
        st.integers(1, SPAN // timedelta(microseconds=1) - 1).map(lambda micros: timedelta(microseconds=micros)),
    )
    instants = offsets.map(lambda offset: (datetime.fromisoformat(FROM) + offset).isoformat())
    return st.lists(instants, max_size=5, unique=True).map(sorted)


@examples(10)
@given(steps=histories(), cuts=cut_instants(), window=st.sampled_from(("hour", "day", "month")))
def test_every_partition_adds_up(laboratory: Laboratory, steps: list[Step], cuts: list[str], window: str) -> None:
    tenant = laboratory.tenant()
    live_through(laboratory, tenant, steps)
    whole = added_up(tenant.sums())
    pieces = [row for start, end in pairwise([FROM, *cuts, TO]) for row in tenant.sums(start, end)]
    assert added_up(pieces) == whole
    assert added_up(tenant.sums(window=window)) == whole
    assert added_up(tenant.sums(window=window, timezone="America/St_Johns", group_by="customer")) == whole
    assert added_up(tenant.sums(group_by="provider,model,status,source")) == whole
    assert meter_sum(tenant.sums(meter="web_searches", window=window)) == whole["web_searches"]
    assert meter_sum(tenant.sums(meter="disk_sum", window=window, group_by="customer")) == meter_sum(
        tenant.sums(meter="disk_sum")
    )


def meter_sum(rows: Iterable[dict[str, Any]]) -> Decimal:
    return sum((Decimal(row["value"]) for row in rows), Decimal(0))
