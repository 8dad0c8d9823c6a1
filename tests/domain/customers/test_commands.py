"""Which customers exist for a command, and what a command says of one that may not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.aggregate import CommandContext
from domain.customers.commands import (
    NOT_LOOKED_UP,
    BlockCustomer,
    CreateCustomer,
    DeactivateCustomer,
    DeleteCustomer,
    ExistingCustomerCommand,
    ReactivateCustomer,
    SeenAt,
    UnblockCustomer,
    UpdateCustomer,
)
from domain.customers.customer import Customer
from domain.customers.events import (
    CustomerBlocked,
    CustomerCreated,
    CustomerDeactivated,
    CustomerDeleted,
    CustomerReactivated,
    CustomerUnblocked,
    CustomerUpdated,
)
from domain.customers.personal_data import CustomerSeal
from domain.errors import AlreadyExists, NotFound
from domain.event import LifecycleEvent, Provenance
from domain.scope import DEFAULT_SCOPE
from tests.fakes.personal_keys import InMemoryPersonalKeys
from tests.fakes.randomness import CountedRandomness

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DIED_AT = NOW - timedelta(days=1)
WHO = (DEFAULT_SCOPE, Provenance("key_1", "native", "asked"))
INSTANT = timedelta(microseconds=1)

Command = type[ExistingCustomerCommand]
#: Commands that say something of a customer, and the event of each.
SAYING: list[tuple[Command, type[LifecycleEvent]]] = [
    (UpdateCustomer, CustomerUpdated),
    (UnblockCustomer, CustomerUnblocked),
    (DeactivateCustomer, CustomerDeactivated),
    (ReactivateCustomer, CustomerReactivated),
]
#: Commands that begin a life besides.
BEGINNING: list[tuple[Command, type[LifecycleEvent]]] = [
    (BlockCustomer, CustomerBlocked),
    (DeleteCustomer, CustomerDeleted),
]
COMMANDS = [command for command, _ in SAYING + BEGINNING]


def never() -> Customer:
    seal = CustomerSeal(InMemoryPersonalKeys(), CountedRandomness(), DEFAULT_SCOPE, "acme")
    return Customer(DEFAULT_SCOPE, "acme", seal)


def living() -> Customer:
    one = never()
    one.create({}, CommandContext(DIED_AT - timedelta(days=1), WHO[1]))
    one.collect_events()
    return one


def gone() -> Customer:
    """A customer whose first life has ended."""
    one = living()
    one.delete(CommandContext(DIED_AT, WHO[1]))
    one.collect_events()
    return one


def given(command: Command, one: Customer, seen_at: SeenAt, **more: Any) -> list[LifecycleEvent]:
    """The events of a command that names its instant, so that it is written whatever it changes."""
    about = command(*WHO, "acme", seen_at=seen_at, effective_at=NOW, **more)
    about.apply(one, about.context(NOW))
    return one.collect_events()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("make", "seen_at"), [(never, None), (gone, None), (gone, DIED_AT - INSTANT), (gone, DIED_AT - timedelta(days=1))]
)
def test_commands_on_a_missing_customer_are_refused(
    make: Callable[[], Customer], seen_at: datetime | None, command: Command
) -> None:
    one = make()

    with pytest.raises(NotFound, match="customer 'acme' does not exist"):
        given(command, one, seen_at)

    assert (one.collect_events(), one.alive) == ([], False)


@pytest.mark.parametrize(("command", "event"), SAYING + BEGINNING)
@pytest.mark.parametrize(
    ("make", "seen_at"),
    [(living, None), (never, DIED_AT), (gone, DIED_AT), (living, NOT_LOOKED_UP), (never, NOT_LOOKED_UP)],
)
def test_a_command_about_a_customer_that_exists_writes_its_own_fact_and_makes_it_explicit(
    make: Callable[[], Customer], seen_at: SeenAt, command: Command, event: type[LifecycleEvent]
) -> None:
    one = make()
    life, created_at = one.life, one.created_at

    (written,) = given(command, one, seen_at)

    assert type(written) is event
    assert not getattr(written, "if_known", False)
    if event is CustomerDeleted:
        assert (one.alive, one.life, one.created_at) == (False, life + 1, None)
    else:
        assert (one.alive, one.life, one.created_at) == (True, life, created_at)


@pytest.mark.parametrize(("command", "event"), SAYING)
def test_what_is_said_of_a_deleted_customer_that_was_not_looked_up_holds_if_there_is_another_life(
    command: Command, event: type[LifecycleEvent]
) -> None:
    one = gone()

    (written,) = given(command, one, NOT_LOOKED_UP)

    assert type(written) is event
    assert getattr(written, "if_known", None) is True
    assert (one.alive, one.life, one.created_at) == (False, 2, None)
    with pytest.raises(NotFound):
        given(UpdateCustomer, one, None)
    (seen,) = given(UpdateCustomer, one, DIED_AT)
    assert (getattr(seen, "if_known", None), one.alive) == (False, True)


@pytest.mark.parametrize(("command", "event"), BEGINNING)
def test_a_block_or_a_deletion_of_a_deleted_customer_that_was_not_looked_up_begins_its_next_life(
    command: Command, event: type[LifecycleEvent]
) -> None:
    one = gone()

    (written,) = given(command, one, NOT_LOOKED_UP)

    assert type(written) is event
    assert (one.alive, one.life) == ((True, 2) if event is CustomerBlocked else (False, 3))


def test_an_update_of_a_deleted_customer_holds_once_it_is_created() -> None:
    one = gone()
    update = UpdateCustomer(
        *WHO, "acme", changes={"name": "Ada", "currency": "EUR"}, active=False, seen_at=NOT_LOOKED_UP
    )
    update.apply(one, update.context(NOW))
    assert [(type(event), getattr(event, "if_known", None)) for event in one.collect_events()] == [
        (CustomerUpdated, True),
        (CustomerDeactivated, True),
    ]
    assert (one.alive, one.is_known(None, NOW), one.is_known(DIED_AT, NOW)) == (False, False, True)

    create = CreateCustomer(*WHO, "acme", {"currency": "USD"})
    create.apply(one, create.context(NOW + INSTANT))

    assert [type(event) for event in one.collect_events()] == [CustomerCreated]
    assert (one.alive, one.life, one.created_at) == (True, 2, NOW + INSTANT)
    assert one.timeline.latest() == {"name": "Ada", "currency": "USD", "active": False}


def test_usage_ahead_of_now_revives_nobody_who_was_deleted() -> None:
    one = gone()
    ahead = NOW + timedelta(hours=2)
    assert (one.is_known(ahead, NOW), one.is_known(ahead, ahead)) == (False, True)
    with pytest.raises(NotFound):
        given(DeleteCustomer, one, ahead)
    assert never().is_known(ahead, NOW)


def test_what_was_said_of_a_life_that_never_began_ends_with_a_deletion_too() -> None:
    one = gone()
    given(DeactivateCustomer, one, NOT_LOOKED_UP)
    given(DeleteCustomer, one, NOT_LOOKED_UP)

    assert (one.alive, one.life, one.timeline.latest()) == (False, 3, {})


def test_a_creation_after_a_block_is_taken_and_the_block_holds_on() -> None:
    one = never()
    given(BlockCustomer, one, NOT_LOOKED_UP)

    create = CreateCustomer(*WHO, "acme", {"name": "Ada"})
    create.apply(one, create.context(NOW))

    assert [type(event) for event in one.collect_events()] == [CustomerCreated]
    assert one.timeline.latest() == {"blocked": True, "name": "Ada"}
    with pytest.raises(AlreadyExists, match="customer 'acme' exists already"):
        create.apply(one, create.context(NOW))


def test_commands_that_change_nothing_of_a_customer_that_was_never_created_write_nothing() -> None:
    one = never()
    for command in (UpdateCustomer, UnblockCustomer, ReactivateCustomer):
        about = command(*WHO, "acme", seen_at=NOT_LOOKED_UP)
        about.apply(one, about.context(NOW))

    assert (one.collect_events(), one.alive) == ([], False)


@pytest.mark.parametrize(("command", "event"), SAYING)
def test_what_is_said_of_a_deleted_customer_is_the_same_before_and_after_something_began_its_next_life(
    command: Command, event: type[LifecycleEvent]
) -> None:
    before, after = gone(), gone()
    said = [*given(command, before, NOT_LOOKED_UP), *given(BlockCustomer, before, NOT_LOOKED_UP)]
    block, late = (*given(BlockCustomer, after, NOT_LOOKED_UP), *given(command, after, NOT_LOOKED_UP))
    assert [type(one) for one in said] == [event, CustomerBlocked]
    assert (type(block), type(late)) == (CustomerBlocked, event)
    assert [getattr(one, "if_known", None) for one in (*said, block, late)] == [True, None, None, True]
    assert before.alive
    assert after.alive
