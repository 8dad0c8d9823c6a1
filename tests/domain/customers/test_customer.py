"""The customer aggregate: allowed commands, the events they produce, and lives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from eventsourcing.domain import CollectEventsProtocol, DomainEventProtocol
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain.aggregate import CommandContext
from domain.customers.customer import Customer
from domain.customers.events import (
    CustomerBlocked,
    CustomerCreated,
    CustomerDeleted,
    CustomerFactsCarried,
    CustomerUpdated,
)
from domain.customers.personal_data import CustomerSeal, open_personal
from domain.errors import AlreadyExists, InvalidInput, LogCorrupted, PersonalKeyMissing
from domain.event import LifecycleEvent, Provenance
from domain.scope import DEFAULT_SCOPE
from tests.fakes.personal_keys import InMemoryPersonalKeys
from tests.fakes.randomness import CountedRandomness

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WHO = Provenance("key_1", "native", "asked")
#: Hours from now to the instant that a command asks for; None: it asks for none.
instants = st.none() | st.integers(-3, 3)


def context(hours: float = 0, effective_at: datetime | None = None) -> CommandContext:
    return CommandContext(NOW + timedelta(hours=hours), WHO, effective_at)


def customer(keys: InMemoryPersonalKeys | None = None) -> Customer:
    seal = CustomerSeal(keys or InMemoryPersonalKeys(), CountedRandomness(), DEFAULT_SCOPE, "acme")
    return Customer(DEFAULT_SCOPE, "acme", seal)


def living(keys: InMemoryPersonalKeys | None = None, **fields: Any) -> Customer:
    made = customer(keys)
    made.create(fields, context())
    made.collect_events()
    return made


def test_a_creation_produces_one_event_with_encrypted_personal_fields() -> None:
    keys = InMemoryPersonalKeys()
    made = customer(keys)

    made.create({"name": "Ada", "metadata": {"a": 1}, "currency": "eur", "email": None}, context())

    (event,) = made.collect_events()
    assert isinstance(event, CustomerCreated)
    assert event.personal is not None
    assert event.personal.key_id == made.personal_key_id
    assert open_personal(keys, event.personal, DEFAULT_SCOPE, "acme") == {"name": "Ada", "metadata": {"a": 1}}
    assert event == CustomerCreated(
        stream="customer/default/prod/acme",
        version=1,
        recorded_at=NOW,
        effective_at=NOW,
        provenance=WHO,
        tenant="default",
        environment="prod",
        customer_id="acme",
        fields={"currency": "EUR"},
        personal=event.personal,
    )
    assert made.collect_events() == []
    assert made.timeline.latest() == {"currency": "EUR", "name": "Ada", "metadata": {"a": 1}}
    assert (made.alive, made.created_at) == (True, NOW)


def test_creating_twice_is_refused() -> None:
    with pytest.raises(AlreadyExists):
        living().create({}, context())


def test_a_customer_that_was_never_created_is_made_explicit_by_what_is_said_of_it_alone() -> None:
    one = customer()

    one.block(context())

    (event,) = one.collect_events()
    assert isinstance(event, CustomerBlocked)
    assert (one.alive, one.created_at, one.timeline.latest()) == (True, None, {"blocked": True})


def test_an_update_stores_what_was_asked_whether_it_differs_or_not() -> None:
    keys = InMemoryPersonalKeys()
    one = living(keys, name="Ada", currency="EUR", time_zone="Europe/Berlin")

    one.update({"name": "Ada", "currency": "usd", "time_zone": None, "total_limit_usd": None}, context(1))

    (event,) = one.collect_events()
    assert isinstance(event, CustomerUpdated)
    assert event.personal is not None
    assert open_personal(keys, event.personal, DEFAULT_SCOPE, "acme") == {"name": "Ada"}
    assert event == CustomerUpdated(
        stream="customer/default/prod/acme",
        version=2,
        recorded_at=NOW + timedelta(hours=1),
        effective_at=NOW + timedelta(hours=1),
        provenance=WHO,
        tenant="default",
        environment="prod",
        customer_id="acme",
        fields={"currency": "USD", "time_zone": None, "total_limit_usd": None, "limits_as_one": None},
        personal=event.personal,
    )
    assert one.timeline.latest() == {"currency": "USD", "name": "Ada"}


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        ({"total_limit_usd": "7"}, {"period_limit_usd": "5", "total_limit_usd": "7"}),
        ({"budget_duration": "1w"}, {"period_limit_usd": "5", "budget_duration": "1w"}),
        ({"period_limit_usd": None}, {}),
        ({"currency": "EUR"}, {"period_limit_usd": "5", "limits_as_one": True, "currency": "EUR"}),
        ({"period_limit_usd": "6", "limits_as_one": True}, {"period_limit_usd": "6", "limits_as_one": True}),
    ],
)
def test_setting_one_limit_clears_limits_as_one(changes: dict[str, Any], after: dict[str, Any]) -> None:
    one = living(period_limit_usd="5", limits_as_one=True)

    one.update(changes, context(1))

    assert one.timeline.latest() == after


def test_an_update_without_changes_produces_no_event() -> None:
    one = living(name="Ada", period_limit_usd="5", metadata={"a": 1})

    one.update({"name": "Ada", "period_limit_usd": 5.0, "metadata": {"a": 1, "b": None}, "email": None}, context())
    one.update({}, context())

    assert one.collect_events() == []


def test_a_map_is_stored_as_the_patch_that_was_asked_or_as_the_whole_new_map() -> None:
    keys = InMemoryPersonalKeys()
    one = living(keys, metadata={"a": 1, "b": 2})

    one.update({"metadata": {"b": None, "c": 3}}, context(1))
    one.update({"metadata": {"d": 4, "e": None}}, context(2), replaced=frozenset({"metadata"}))
    one.update({"metadata": None}, context(3))

    updated = [event for event in one.collect_events() if isinstance(event, CustomerUpdated)]
    sealed = [event.personal for event in updated if event.personal is not None]
    assert [open_personal(keys, each, DEFAULT_SCOPE, "acme") for each in sealed] == [
        {"metadata": {"b": None, "c": 3}},
        {"metadata": {"d": 4, "e": None}},
        {"metadata": None},
    ]
    assert [(event.fields, event.patched) for event in updated] == [({}, ("metadata",)), ({}, ()), ({}, ())]
    assert list(one.timeline.states()) == [
        (NOW, {"metadata": {"a": 1, "b": 2}}),
        (NOW + timedelta(hours=1), {"metadata": {"a": 1, "c": 3}}),
        (NOW + timedelta(hours=2), {"metadata": {"d": 4, "e": None}}),
        (NOW + timedelta(hours=3), {}),
    ]


def test_opening_spend_is_given_at_creation_only() -> None:
    one = living(opening_spend_usd="12.5")

    assert one.timeline.latest() == {"opening_spend_usd": "12.5"}
    with pytest.raises(InvalidInput, match="only when the customer is created"):
        one.update({"opening_spend_usd": "1"}, context())


def test_a_period_must_end_after_it_starts_whichever_is_changed() -> None:
    one = living(period_start="2026-01-01T00:00:00Z")

    for end in ("2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z"):
        with pytest.raises(InvalidInput, match="after period_start"):
            one.update({"period_end": end}, context())
    one.update({"period_end": "2026-01-01T00:00:00.000001Z"}, context())
    with pytest.raises(InvalidInput, match="after period_start"):
        one.update({"period_start": "2026-02-01T00:00:00Z"}, context())

    assert len(one.collect_events()) == 1


def test_blocking_or_deactivating_twice_produces_one_event() -> None:
    one = living()

    for command in (one.block, one.block, one.deactivate, one.deactivate):
        command(context())
    assert one.timeline.latest() == {"blocked": True, "active": False}
    for command in (one.unblock, one.unblock, one.reactivate, one.reactivate):
        command(context())
    assert one.timeline.latest() == {}

    assert [type(event).__name__ for event in one.collect_events()] == [
        "CustomerBlocked",
        "CustomerDeactivated",
        "CustomerUnblocked",
        "CustomerReactivated",
    ]


def test_a_new_life_starts_with_nothing_of_the_old_one_and_another_key() -> None:
    keys = InMemoryPersonalKeys()
    one = living(keys, name="Ada", currency="EUR")
    first_key = one.personal_key_id
    one.block(context())
    one.deactivate(context())

    one.delete(context(1))
    one.create({"email": "new@example.com"}, context(2))

    assert (one.life, one.alive) == (2, True)
    assert (one.began_at, one.created_at) == (NOW + timedelta(hours=1), NOW + timedelta(hours=2))
    assert one.timeline.latest() == {"email": "new@example.com"}
    assert one.personal_key_id != first_key
    assert set(keys.keys) == {first_key, one.personal_key_id}


def test_the_key_id_does_not_name_the_customer() -> None:
    assert "acme" not in living(name="Ada").personal_key_id


def test_no_key_is_made_for_a_customer_without_personal_data() -> None:
    keys = InMemoryPersonalKeys()
    one = living(keys, currency="EUR")
    one.update({"currency": "USD"}, context())

    assert keys.keys == {}


def test_what_a_dialect_says_of_a_person_is_encrypted() -> None:
    keys = InMemoryPersonalKeys()
    one = living(keys, personal_dialect_fields={"lago": {"phone": "1", "city": "Paris"}}, dialect_fields={"lago": {}})
    one.update({"personal_dialect_fields": {"lago": {"phone": None}}}, context())

    (updated,) = one.collect_events()
    assert isinstance(updated, CustomerUpdated)
    assert (updated.fields, updated.patched) == ({}, ("personal_dialect_fields",))
    assert updated.personal is not None
    assert open_personal(keys, updated.personal, DEFAULT_SCOPE, "acme") == {
        "personal_dialect_fields": {"lago": {"phone": None}}
    }
    assert one.timeline.latest() == {
        "personal_dialect_fields": {"lago": {"city": "Paris"}},
        "dialect_fields": {"lago": {}},
    }


def test_erasure_keeps_fields_that_are_not_personal() -> None:
    keys = InMemoryPersonalKeys()
    one = living(keys, name="Ada", currency="EUR")
    one.update({"name": "Ada L."}, context())
    history: list[LifecycleEvent] = []
    whole = customer(keys)
    whole.create({"name": "Ada", "currency": "EUR"}, context())
    history += whole.collect_events()
    keys.destroy(whole.personal_key_id)

    again = customer(keys)
    for event in history:
        again.replay(event)

    assert again.timeline.latest() == {"currency": "EUR"}


def test_a_lost_key_refuses_personal_data_until_the_next_life() -> None:
    keys = InMemoryPersonalKeys()
    one = living(keys, name="Ada")
    keys.keys.clear()

    with pytest.raises(PersonalKeyMissing):
        one.update({"name": "Bob"}, context())
    one.update({"currency": "EUR"}, context())
    one.delete(context())
    one.create({"name": "Bob"}, context())

    assert one.timeline.latest() == {"name": "Bob"}


def test_commands_are_effective_from_their_effective_at() -> None:
    one = living()
    then = NOW - timedelta(days=3)

    one.update({"currency": "EUR"}, context(1, then))

    (event,) = one.collect_events()
    assert (event.recorded_at, event.effective_at) == (NOW + timedelta(hours=1), then)


def test_a_life_cannot_begin_before_the_previous_one_ended() -> None:
    one = living()
    one.delete(context(5))
    died_at = NOW + timedelta(hours=5)

    with pytest.raises(InvalidInput, match="must not be before"):
        one.create({}, context(6, died_at - timedelta(microseconds=1)))
    one.create({}, context(6, died_at))

    with pytest.raises(InvalidInput, match="must not be before"):
        one.delete(context(7, NOW))


def test_a_clock_set_back_does_not_move_a_life_into_the_previous_one() -> None:
    one = living()
    one.delete(context(5))
    one.create({}, context(2))

    created = one.collect_events()[-1]
    assert (created.recorded_at, created.effective_at) == (NOW + timedelta(hours=2), NOW + timedelta(hours=5))


def test_a_deletion_cannot_lie_in_the_future() -> None:
    one = living()

    with pytest.raises(InvalidInput, match="future"):
        one.delete(context(0, NOW + timedelta(microseconds=1)))


def test_an_event_that_is_not_the_next_of_the_stream_is_corruption() -> None:
    donor = living()
    donor.block(context())
    (block,) = donor.collect_events()

    with pytest.raises(LogCorrupted, match="version 2"):
        customer().replay(block)


def test_a_customer_satisfies_the_protocols_of_the_eventsourcing_library() -> None:
    one = customer()
    one.create({}, context())

    assert isinstance(one, CollectEventsProtocol)
    assert all(isinstance(event, DomainEventProtocol) for event in one.collect_events())


def test_a_future_dated_change_does_not_suppress_the_same_change_made_now() -> None:
    one = living(markup_percentage="10")
    one.update({"markup_percentage": "20"}, context(1, NOW + timedelta(days=30)))
    one.update({"markup_percentage": "20"}, context(2))
    one.update({"markup_percentage": "20"}, context(3))
    assert [event.effective_at for event in one.collect_events()] == [
        NOW + timedelta(days=30),
        NOW + timedelta(hours=2),
    ]


def test_a_value_set_today_can_be_back_dated() -> None:
    one = living(markup_percentage="10", currency="EUR")
    earlier = NOW - timedelta(days=30)
    one.update({"markup_percentage": "10"}, context(1, earlier))
    (event,) = one.collect_events()
    assert isinstance(event, CustomerUpdated)
    assert (event.effective_at, event.fields) == (earlier, {"markup_percentage": "10"})


def test_a_back_dated_change_keeps_later_changes() -> None:
    one = living(currency="EUR")
    one.update({"currency": "USD"}, context(10))
    one.update({"currency": "CHF"}, context(11, NOW + timedelta(hours=5)))
    assert one.timeline.latest() == {"currency": "USD"}
    one.collect_events()
    one.update({"currency": "USD"}, context(12))
    assert one.collect_events() == []
    one.update({"currency": "CHF"}, context(12))
    assert [type(event) for event in one.collect_events()] == [CustomerUpdated]


def test_a_future_dated_block_does_not_suppress_a_block_now() -> None:
    one = living()
    one.block(context(1, NOW + timedelta(days=30)))
    one.block(context(2))
    one.block(context(3))
    assert [event.effective_at for event in one.collect_events()] == [
        NOW + timedelta(days=30),
        NOW + timedelta(hours=2),
    ]


class Lives(RuleBasedStateMachine):
    """Any sequence of commands: replaying its events results in the same state."""

    @initialize()
    def begin(self) -> None:
        self.keys = InMemoryPersonalKeys()
        self.one = customer(self.keys)
        self.history: list[LifecycleEvent] = []
        self.hours = 0

    def _now(self, ahead: int | None = None) -> CommandContext:
        """An hour after the last one; effective so many hours from then, but not before the present life."""
        self.hours += 1
        if ahead is None:
            return context(self.hours)
        return context(self.hours, max(NOW + timedelta(hours=self.hours + ahead), self.one.began_at or NOW))

    @rule(name=st.none() | st.sampled_from(["Ada", "Bob"]), limit=st.none() | st.integers(0, 3), ahead=instants)
    def set_fields(self, name: str | None, limit: int | None, ahead: int | None) -> None:
        changes = {"name": name, "period_limit_usd": limit}
        if self.one.created_at is None:
            self.one.create(changes, self._now(ahead))
        else:
            self.one.update(changes, self._now(ahead))

    @rule(ahead=instants)
    def block(self, ahead: int | None) -> None:
        self.one.block(self._now(ahead))

    @rule(switch=st.sampled_from(["unblock", "deactivate", "reactivate"]), ahead=instants, if_known=st.booleans())
    def switch(self, switch: str, ahead: int | None, if_known: bool) -> None:
        getattr(self.one, switch)(self._now(ahead), if_known=if_known)

    @rule()
    def delete(self) -> None:
        self.one.delete(self._now())

    @rule(
        patch=st.dictionaries(st.sampled_from("ab"), st.none() | st.integers(0, 2)),
        ahead=instants,
        if_known=st.booleans(),
    )
    def patch_metadata(self, patch: dict[str, int | None], ahead: int | None, if_known: bool) -> None:
        self.one.update({"metadata": patch}, self._now(ahead), if_known=if_known)

    @invariant()
    def replaying_gives_the_same_state(self) -> None:
        self.history += self.one.collect_events()
        again = customer(self.keys)
        for event in self.history:
            again.replay(event)
        assert _state(again) == _state(self.one)
        assert self.one.life == 1 + sum(isinstance(event, CustomerDeleted) for event in self.history)
        assert [event.version for event in self.history] == list(range(1, len(self.history) + 1))


def _state(one: Customer) -> tuple[Any, ...]:
    return (one.version, one.life, one.alive, one.began_at, one.created_at, list(one.timeline.states()))


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=40, stateful_step_count=15)


def carried(of: Customer, key_id: str | None = None) -> None:
    """Tell the customer that usage carries facts about it."""
    about = {"tenant": "default", "environment": "prod", "customer_id": "acme", "personal_key_id": key_id}
    common = {"recorded_at": NOW, "effective_at": NOW, "provenance": WHO}
    of.replay(CustomerFactsCarried(stream=of.id, version=of.version + 1, **common, **about))  # type: ignore[arg-type]


def test_a_command_that_seems_to_change_nothing_is_written_where_usage_may_have_said_something_else() -> None:
    one = living(currency="EUR")
    one.update({"currency": "EUR"}, context(1))
    assert one.collect_events() == []

    carried(one)

    assert (one.alive, one.timeline.latest()) == (True, {"currency": "EUR"})
    one.update({"currency": "EUR"}, context(1))
    assert [event.version for event in one.collect_events()] == [3]


def test_facts_of_usage_begin_no_life_and_end_with_the_one_that_they_are_about() -> None:
    one = customer()
    carried(one)
    assert not one.alive
    one.delete(context(1))
    one.create({}, context(2))
    one.update({"currency": None}, context(3))
    assert [type(event) for event in one.collect_events()] == [CustomerDeleted, CustomerCreated]


def test_a_key_that_facts_of_usage_were_encrypted_with_is_not_made_again() -> None:
    keys = InMemoryPersonalKeys()
    one = customer(keys)
    carried(one, one.personal_key_id)
    with pytest.raises(PersonalKeyMissing, match="restore the key store"):
        one.create({"name": "Ada"}, context())
    assert keys.keys == {}
