"""What a period costs is what a plain reading of its facts and events gives, in whatever order these arrived."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.corrections.commands import VoidUsage
from domain.customers.commands import CreateCustomer
from domain.meters.commands import CreateMeter
from domain.plans.commands import CreatePlan
from domain.scope import Scope
from domain.subscriptions.commands import CreateSubscription, UpdateSubscription
from domain.values.instants import instant_text
from projections.views.charging.charge_amounts import FilterAmount
from projections.views.charging.charges import SubscriptionCharges, customer_charges
from tests.laws.charging.months import FIRST, MINUTES, Event, Expected, Measure, Month, expected, instants, months
from tests.laws.laboratory import examples
from tests.projections.folded_log import BY_TEST, usage
from tests.projections.queries.store_under_test import DuckDBUnderTest

NOW = FIRST + timedelta(minutes=MINUTES, days=600)


Step = Callable[[], object]
SCOPES = (Scope(f"month-{number}", "prod") for number in count())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBUnderTest]:
    """One store for all months, each in a tenant of its own."""
    store = DuckDBUnderTest(tmp_path_factory.mktemp("months") / "store")
    store.now = NOW
    yield store
    store.close()


@given(months(), st.lists(instants(), min_size=1, max_size=2), st.randoms(use_true_random=False))
@examples(16)
def test_charges_are_those_of_a_plain_reading(
    store: DuckDBUnderTest, month: Month, asked: list[datetime], shuffle: Random
) -> None:
    told = Told(store, month, next(SCOPES))
    steps = [*told.facts(), *told.usage()]
    shuffle.shuffle(steps)
    for step in [*told.definitions(), *steps]:
        step()
    store.fold()
    with store.reads.snapshot() as snapshot:
        for at in [*asked, month.start, max(one.at for one in month.events)]:
            found = customer_charges(snapshot, told.scope, "ada", NOW, at, 3600, "s")
            wanted = expected(month, at)
            assert found is not None
            assert [_shown(one) for one in found.subscriptions] == ([] if wanted is None else [wanted])


class Told:
    """Tells a store a month, in the scope of a tenant; each step is a function without parameters."""

    def __init__(self, store: DuckDBUnderTest, month: Month, scope: Scope) -> None:
        self._store, self._month, self.scope = store, month, scope
        self._who = (scope, BY_TEST)

    def definitions(self) -> list[Step]:
        """What must be there before anything else is told of it: zone, meters, plans and the subscription."""
        month = self._month
        commands: list[Any] = [CreateCustomer(*self._who, "ada", {"time_zone": month.zone}, effective_at=FIRST)]
        for plan, price in month.prices.items():
            meter = _meter(month.measures[plan])
            charge = {
                "code": "disk",
                "meter": plan,
                "price": price,
                "group_by": ["region"] if month.grouped else [],
                "filters": [{"values": one.values, "price": one.price} for one in month.filters],
            }
            fields = {"interval": month.interval, "currency": month.currency, "charges": [charge]}
            commands += [CreateMeter(*self._who, plan, meter), CreatePlan(*self._who, plan, fields)]
        fields = {"customer": "ada", "plan": "small", "billing": month.billing}
        commands.append(CreateSubscription(*self._who, "s", fields, effective_at=month.start))
        return self._handled(commands)

    def facts(self) -> list[Step]:
        """An upgrade, an end, and another subscription."""
        month, commands = self._month, list[Any]()
        if month.upgrade is not None:
            commands.append(UpdateSubscription(*self._who, "s", {"plan": "large"}, effective_at=month.upgrade))
        if month.end is not None:
            changes = {"ends_at": instant_text(month.end)}
            commands.append(UpdateSubscription(*self._who, "s", changes, effective_at=month.start))
        if month.other is not None:
            fields = {"customer": "ada", "plan": "small", "ends_at": instant_text(month.other[1])}
            commands.append(CreateSubscription(*self._who, "t", fields, effective_at=month.other[0]))
        return self._handled(commands)

    def usage(self) -> list[Step]:
        """Deliveries of events, and the voids of some of them, which may come first."""
        events = self._month.events
        voids = [VoidUsage(*self._who, "gateway", str(one.number)) for one in events if one.voided]
        return [*(partial(self._store.deliver, [_event(one)], self.scope) for one in events), *self._handled(voids)]

    def _handled(self, commands: Sequence[Any]) -> list[Step]:
        return [partial(self._store.commands.handle, command) for command in commands]


def _meter(measure: Measure) -> dict[str, Any]:
    """The fields of a meter."""
    fields: dict[str, Any] = {"event_type": "disk", "aggregation": measure.aggregation, "recurring": measure.recurring}
    if measure.aggregation != "count":
        fields["value_property"] = "gb"
    if measure.aggregation == "unique_count":
        fields["operation_property"] = "operation"
    if measure.rounding is not None:
        fields["rounding"] = dict(zip(("function", "precision"), measure.rounding, strict=True))
    return fields


def _event(one: Event) -> dict[str, Any]:
    none: dict[str, Any] = {"provider": None, "model": None, "input_tokens": None, "output_tokens": None}
    value = None if one.value is None else str(one.value)
    data = {"gb": value, "subscription": one.subscription, "region": one.region}
    data |= {"tier": one.tier, "operation": one.operation}
    return usage(str(one.number), "ada", one.at, **none, **data) | {"type": "disk"}


def _shown(one: SubscriptionCharges) -> Expected:
    (charge,) = one.charges
    priced = {}
    for group in charge.groups:
        region = (group.group or (None,))[0]
        for of in group.filters or (FilterAmount(None, group.units, group.events, group.exact_amount, group.amount),):
            priced[region, of.number] = (of.units, of.amount)
        assert group.amount == sum(of.amount for of in group.filters or (group,))
    assert one.amount == charge.amount == sum(of.amount for of in charge.filters or charge.groups)
    return Expected(one.term.plan, one.period.start, one.period.end, priced, one.amount or Decimal(0))
