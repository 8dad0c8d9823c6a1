"""Subscriptions: their events, their start and end, and the plan that they must name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.aggregate import Aggregate, CommandContext
from domain.command import SealOf
from domain.errors import AlreadyExists, InvalidInput, NotFound
from domain.event import Provenance
from domain.plans.plan import Plan
from domain.scope import DEFAULT_SCOPE
from domain.subscriptions.commands import (
    CreateSubscription,
    SubscriptionCommand,
    TerminateSubscription,
    UpdateSubscription,
)
from domain.subscriptions.events import SubscriptionCreated, SubscriptionTerminated, SubscriptionUpdated
from domain.subscriptions.subscription import Subscription

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EARLIER, LATER = NOW - timedelta(days=30), NOW + timedelta(days=30)
WHO = Provenance("key_1", "native", "asked")
FIELDS = {"customer": "ada", "plan": "startup"}


def context(effective_at: datetime | None = None) -> CommandContext:
    return CommandContext(NOW, WHO, effective_at)


def subscription(**fields: Any) -> Subscription:
    made = Subscription(DEFAULT_SCOPE, "sub")
    made.create({**FIELDS, **fields}, context(EARLIER))
    made.collect_events()
    return made


def test_fields_of_dialects_are_kept_and_can_be_changed() -> None:
    one = subscription(dialect_fields={"lago": {"lago_id": "1"}})
    one.update({"dialect_fields": {"lago": {"lago_id": "2"}}}, context())

    assert one.timeline.latest() == {**FIELDS, "dialect_fields": {"lago": {"lago_id": "2"}}}
    with pytest.raises(InvalidInput, match="must be a JSON object"):
        one.update({"dialect_fields": "lago"}, context())


def about(version: int, effective_at: datetime) -> dict[str, Any]:
    return {
        "stream": "subscription/default/prod/sub",
        "version": version,
        "recorded_at": NOW,
        "effective_at": effective_at,
        "provenance": WHO,
        "tenant": "default",
        "environment": "prod",
        "subscription_id": "sub",
    }


class Loaded:
    """Aggregates with the plan `startup`."""

    def __init__(self) -> None:
        self._plan = Plan(DEFAULT_SCOPE, "startup")
        self._plan.create({"interval": "monthly", "currency": "USD"}, context())
        self.one = Subscription(DEFAULT_SCOPE, "sub")

    @property
    def seal_of(self) -> SealOf:
        return lambda scope, customer_id: None

    def load(self, blank: Any) -> Any:
        known: dict[str, Aggregate] = {self._plan.id: self._plan, self.one.id: self.one}
        return known.get(blank.id, blank)

    def execute(self, command: SubscriptionCommand) -> None:
        command.execute(self, command.context(NOW))


def test_each_command_is_effective_from_its_effective_at() -> None:
    loaded, who = Loaded(), (DEFAULT_SCOPE, WHO, "sub")

    loaded.execute(CreateSubscription(*who, {**FIELDS, "billing": "anniversary"}, effective_at=EARLIER))
    loaded.execute(UpdateSubscription(*who, {"name": "Ada's", "ends_at": "2027-01-01T00:00:00+01:00"}))
    loaded.execute(UpdateSubscription(*who, {"plan": "startup"}, effective_at=LATER))
    loaded.execute(TerminateSubscription(*who, effective_at=NOW - timedelta(days=1)))

    assert loaded.one.collect_events() == [
        SubscriptionCreated(**about(1, EARLIER), fields={**FIELDS, "billing": "anniversary"}),
        SubscriptionUpdated(**about(2, NOW), fields={"name": "Ada's", "ends_at": "2026-12-31T23:00:00.000000Z"}),
        SubscriptionUpdated(**about(3, LATER), fields={"plan": "startup"}),
        SubscriptionTerminated(**about(4, NOW - timedelta(days=1))),
    ]


def test_a_plan_that_does_not_exist_is_refused() -> None:
    loaded, who = Loaded(), (DEFAULT_SCOPE, WHO, "sub")

    with pytest.raises(InvalidInput, match="there is no plan 'nope'") as refused:
        loaded.execute(CreateSubscription(*who, {**FIELDS, "plan": "nope"}))

    assert refused.value.field == "plan"

    loaded = Loaded()
    loaded.execute(CreateSubscription(*who, FIELDS))
    with pytest.raises(InvalidInput, match="there is no plan 'nope'"):
        loaded.execute(UpdateSubscription(*who, {"plan": "nope"}))


@pytest.mark.parametrize(
    ("fields", "field", "rule"),
    [
        ({"plan": "startup"}, "customer", "is required"),
        ({"customer": "ada"}, "plan", "is required"),
        ({**FIELDS, "plan": ".."}, "plan", "must be the code of a plan"),
        ({**FIELDS, "billing": "lunar"}, "billing", "must be 'calendar' or 'anniversary'"),
        (
            {**FIELDS, "ends_at": "2026-11-20T12:00:00Z"},
            "ends_at",
            "must be after the start, 2026-11-20T12:00:00.000000Z",
        ),
        ({**FIELDS, "price": 1}, "price", "is not a field that can be set here"),
    ],
)
def test_a_creation_that_breaks_a_rule_is_refused(fields: dict[str, Any], field: str, rule: str) -> None:
    one = Subscription(DEFAULT_SCOPE, "sub")

    with pytest.raises(InvalidInput) as refused:
        one.create(fields, context())

    assert (refused.value.field, refused.value.rule, one.collect_events()) == (field, rule, [])


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"customer": "bob"}, "customer", "must not be changed; create another subscription"),
        ({"billing": "calendar"}, "billing", "must not be changed; create another subscription"),
        ({"plan": None}, "plan", "must not be cleared; terminate the subscription"),
        ({"ends_at": "2026-10-21T12:00:00Z"}, "ends_at", "must be after the start, 2026-10-21T12:00:00.000000Z"),
    ],
)
def test_a_change_that_breaks_a_rule_is_refused(changes: dict[str, Any], field: str, rule: str) -> None:
    one = subscription()

    with pytest.raises(InvalidInput) as refused:
        one.update(changes, context())

    assert (refused.value.field, refused.value.rule, one.collect_events()) == (field, rule, [])


def test_an_id_is_used_again_once_its_subscription_has_ended_but_not_from_before_that() -> None:
    one = subscription()
    with pytest.raises(AlreadyExists, match="subscription 'sub' exists already"):
        one.create(FIELDS, context())
    one.delete(context(NOW - timedelta(days=1)))

    with pytest.raises(InvalidInput, match="must not be before"):
        one.create(FIELDS, context(NOW - timedelta(days=2)))
    one.create({**FIELDS, "customer": "bob"}, context(NOW - timedelta(hours=1)))

    assert one.collect_events() == [
        SubscriptionTerminated(**about(2, NOW - timedelta(days=1))),
        SubscriptionCreated(**about(3, NOW - timedelta(hours=1)), fields={**FIELDS, "customer": "bob"}),
    ]


def test_an_id_whose_end_has_passed_is_free_and_one_whose_end_lies_ahead_is_not() -> None:
    ended = subscription(ends_at="2026-11-10T00:00:00Z")
    ended.create({**FIELDS, "customer": "bob"}, context())

    assert ended.collect_events() == [
        SubscriptionTerminated(**about(2, datetime(2026, 11, 10, tzinfo=UTC))),
        SubscriptionCreated(**about(3, NOW), fields={**FIELDS, "customer": "bob"}),
    ]
    with pytest.raises(AlreadyExists):
        subscription(ends_at="2026-11-21T00:00:00Z").create(FIELDS, context())


def test_commands_on_a_missing_subscription_are_refused() -> None:
    one = Subscription(DEFAULT_SCOPE, "sub")

    with pytest.raises(NotFound, match="subscription 'sub' does not exist"):
        one.update({"name": "x"}, context())
    with pytest.raises(NotFound, match="subscription 'sub' does not exist"):
        one.delete(context())

    assert one.collect_events() == []
