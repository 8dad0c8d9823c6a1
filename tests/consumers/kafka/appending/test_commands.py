"""Commands of a partition are honoured once and in order; a refused one changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.commands.handler import CommandHandler
from consumers.kafka.appending.appender import CommandMessage, CommandOutcome, PartitionBatch
from consumers.kafka.appending.commands import CommandDecider
from domain.budgets.shared_budget import SharedBudget
from domain.commands.events import CommandHonoured
from domain.commands.received import COMMAND_KINDS
from domain.commands.wire_names import CUSTOMER_NAMES, TIER_NAMES
from domain.customers.commands import UnblockCustomer
from domain.customers.customer import Customer
from domain.customers.events import (
    ConditionalEvent,
    CustomerDeactivated,
    CustomerEvent,
    CustomerReactivated,
    CustomerUnblocked,
    CustomerUpdated,
)
from domain.customers.personal_data import CustomerSeal
from domain.event import LifecycleEvent, Provenance
from domain.log.aggregate_store import AggregateStore
from domain.log.blocks import decode_typed
from domain.log.event_codec import decode_lifecycle
from domain.log.records import USAGE_BATCH_TOPIC, NewRecord
from domain.scope import DEFAULT_SCOPE, Scope
from domain.sources.events import PartitionConsumed
from tests.consumers.kafka.appending.partition_polls import (
    FIRST_ARRIVAL,
    OTHER_PARTITION,
    RECORDED_AT,
    SOURCE,
    appender_on,
    arrival_us,
    command,
    event,
    poll,
)
from tests.fakes.event_log import InMemoryEventLog
from tests.fakes.personal_keys import InMemoryPersonalKeys
from tests.fakes.randomness import CountedRandomness

BY_TEST = Provenance("test")
OTHER = Scope("globex", "test")


def topics(log: InMemoryEventLog) -> list[str]:
    return [record.topic for record in log.read(0, 10_000)]


def lifecycle(log: InMemoryEventLog) -> list[LifecycleEvent]:
    records = [record for record in log.read(0, 10_000) if record.topic != USAGE_BATCH_TOPIC]
    return [decode_lifecycle(record.topic, record.state) for record in records]


def customer(log: InMemoryEventLog, keys: InMemoryPersonalKeys, name: str = "acme") -> Customer:
    seal = CustomerSeal(keys, CountedRandomness(), DEFAULT_SCOPE, name)
    return AggregateStore(log).load(Customer(DEFAULT_SCOPE, name, seal))


def verdicts(outcomes: Sequence[CommandOutcome]) -> list[str]:
    return [outcome.outcome for outcome in outcomes]


def test_a_customer_is_created_with_everything_that_http_takes() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    budget = {"period_limit_usd": "25.00", "duration": "1mo", "budget_id": "gold"}
    sent = command(
        "customer.create",
        id="acme",
        name="Ada",
        email=None,
        metadata={"tier": 1},
        usage_period={"duration": "1w"},
        budget=budget,
        opening_spend_usd=3,
        effective_at="2026-01-01T00:00:00+01:00",
        reason="signed up",
    )
    done = appender_on(log, keys).append(poll([sent]))

    assert done.commands == [
        CommandOutcome(0, 0, DEFAULT_SCOPE, "customer.create", "crm", "1", "acme", "honoured", None)
    ]
    found = customer(log, keys)
    assert found.timeline.latest() == {
        "name": "Ada",
        "metadata": {"tier": 1},
        "usage_duration": "1w",
        "period_limit_usd": "25",
        "budget_duration": "1mo",
        "budget_id": "gold",
        "opening_spend_usd": "3",
    }
    created, honoured, _ = lifecycle(log)
    assert created.effective_at.isoformat() == "2025-12-31T23:00:00+00:00"
    assert created.recorded_at == RECORDED_AT
    assert created.provenance == Provenance("kafka:meterfold.usage", "kafka", "signed up")
    assert isinstance(honoured, CommandHonoured)
    assert (honoured.stream, honoured.kind) == ("command/default/prod/3/crm/1", "customer.create")


def test_several_commands_about_one_customer_apply_in_order() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    steps = [
        command("customer.create", command_id="1", name="Ada"),
        command("customer.update", command_id="2", name="Grace", active=False),
        command("customer.block", command_id="3"),
        command("customer.delete", command_id="4"),
        command("customer.create", command_id="5", name="Ada again"),
    ]
    done = appender_on(log, keys).append(poll(steps))

    assert verdicts(done.commands) == ["honoured"] * 5
    assert [topic for topic in topics(log) if topic.startswith("customer.")] == [
        "customer.created",
        "customer.updated",
        "customer.deactivated",
        "customer.blocked",
        "customer.deleted",
        "customer.created",
    ]
    found = customer(log, keys)
    assert (found.life, found.timeline.latest()) == (2, {"name": "Ada again"})


def test_a_command_counts_from_when_its_record_arrived() -> None:
    log = InMemoryEventLog()
    sent = poll([event("a"), command("customer.block"), command("customer.unblock", command_id="2")])
    sent.parts[-1].arrival_us = arrival_us(1_000_000)  # type: ignore[union-attr]

    appender_on(log, InMemoryPersonalKeys()).append(sent)

    effective = [(event.version, event.effective_at) for event in lifecycle(log) if isinstance(event, CustomerEvent)]
    second = FIRST_ARRIVAL + timedelta(seconds=1, microseconds=1)  # a command counts after what stands before it
    assert effective == [(1, second), (2, RECORDED_AT)]


def test_a_customer_that_was_never_created_is_made_explicit_by_any_command() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    appender_on(log, keys).append(poll([command("customer.update", time_zone="Europe/Berlin")]))

    assert topics(log)[:2] == ["customer.updated", "command.honoured"]
    found = customer(log, keys)
    assert (found.alive, found.created_at, found.timeline.latest()) == (True, None, {"time_zone": "Europe/Berlin"})


def test_a_customer_that_was_blocked_before_it_is_created_stays_blocked() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    sent = [command("customer.block"), command("customer.create", command_id="2", name="Ada")]
    done = appender_on(log, keys).append(
        poll([*sent, command("customer.create", command_id="3", effective_at="2026-01-01T00:00:00Z")])
    )

    assert verdicts(done.commands) == ["honoured", "honoured", "refused"]
    assert done.commands[-1].reason == "customer 'acme' exists already"
    assert [topic for topic in topics(log) if topic.startswith("customer.")] == ["customer.blocked", "customer.created"]
    assert customer(log, keys).timeline.latest() == {"blocked": True, "name": "Ada"}


@pytest.mark.parametrize(
    ("change", "event_class"),
    [
        ("update", CustomerUpdated),
        ("unblock", CustomerUnblocked),
        ("deactivate", CustomerDeactivated),
        ("reactivate", CustomerReactivated),
    ],
)
def test_a_customer_that_was_deleted_is_brought_back_by_no_change(
    change: str, event_class: type[ConditionalEvent]
) -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    gone = [command("customer.create", command_id="1"), command("customer.delete", command_id="2")]
    late = command(f"customer.{change}", command_id="3", effective_at=RECORDED_AT.isoformat())
    done = appender_on(log, keys).append(poll([*gone, late]))

    assert verdicts(done.commands) == ["honoured"] * 3
    written = [event for event in lifecycle(log) if isinstance(event, CustomerEvent)][2:]
    assert [(type(event), getattr(event, "if_known", None)) for event in written] == [(event_class, True)]
    assert (customer(log, keys).alive, customer(log, keys).life) == (False, 2)


def test_what_is_said_of_a_customer_that_was_deleted_holds_when_it_is_created_again() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    gone = [command("customer.create", command_id="1", email="a@example.com"), command("customer.delete", "acme", "2")]
    said = command("customer.update", command_id="3", name="Ada", active=False)
    appender_on(log, keys).append(poll([*gone, said, command("customer.create", command_id="4", currency="eur")]))

    found = customer(log, keys)
    assert (found.alive, found.life) == (True, 2)
    assert found.timeline.latest() == {"name": "Ada", "active": False, "currency": "EUR"}


def test_a_change_from_before_the_previous_life_ended_is_refused() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    sent = [command("customer.create", command_id="1"), command("customer.delete", command_id="2")]
    before = (FIRST_ARRIVAL + timedelta(microseconds=999_999)).isoformat()
    late = [command(f"customer.{verb}", command_id=verb, effective_at=before) for verb in ("update", "block", "create")]
    done = appender_on(log, keys).append(poll([*sent, *late]))

    assert verdicts(done.commands) == ["honoured", "honoured", "refused", "refused", "refused"]
    assert {(one.reason or "").partition(" 2026")[0] for one in done.commands[2:]} == {
        "effective_at: must not be before"
    }


def test_a_customer_that_was_deleted_can_be_blocked_and_a_life_that_usage_may_have_begun_can_be_ended() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    steps = [command(f"customer.{what}", command_id=what) for what in ("create", "delete")]
    done = appender_on(log, keys).append(
        poll([*steps, command("customer.delete", command_id="3"), command("customer.block", command_id="4")])
    )

    assert verdicts(done.commands) == ["honoured"] * 4
    assert (customer(log, keys).life, customer(log, keys).timeline.latest()) == (3, {"blocked": True})


def test_a_tombstone_deletes_and_is_identified_by_its_offset() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    appender = appender_on(log, keys)
    appender.append(poll([command("customer.create")]))
    done = appender.append(poll([command("customer.delete", command_id=None)], first_offset=1))

    assert [(one.outcome, one.source, one.id) for one in done.commands] == [("honoured", None, None)]
    assert topics(log)[-3:] == ["customer.deleted", "command.honoured", "source.consumed"]
    assert customer(log, keys).life == 2


def test_a_tombstone_that_is_read_again_deletes_nobody_a_second_time() -> None:
    """Not a customer that was created since, and not where the first time there was nothing to delete."""
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    appender = appender_on(log, keys)
    nobody, tombstone = command("customer.delete", "globex", None), command("customer.delete", command_id=None)
    sent = [nobody, nobody, command("customer.create"), tombstone]
    assert verdicts(appender.append(poll(sent)).commands) == ["honoured"] * 4
    appender.append(poll([command("customer.create", "acme", "2"), command("customer.create", "globex", "3")], 4))
    lives = customer(log, keys).life, customer(log, keys, "globex").life

    appender.accept_offset(SOURCE, 0, "the broker was restored")
    again = appender.append(poll(sent))

    assert verdicts(again.commands) == ["duplicate"] * 4
    assert (customer(log, keys).life, customer(log, keys, "globex").life) == lives


def test_another_tombstone_at_an_offset_that_was_read_before_deletes() -> None:
    """After a broker was restored, new records take the offsets of the lost ones."""
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    appender = appender_on(log, keys)
    appender.append(poll([command("customer.create"), command("customer.delete", "globex", None)]))
    appender.accept_offset(SOURCE, 1, "the broker was restored")

    of_another = appender.append(poll([command("customer.delete", command_id=None)], 1))
    appender.accept_offset(SOURCE, 1, "and once more")
    later = poll([command("customer.delete", command_id=None)], 1)
    assert isinstance(later.parts[0], CommandMessage)
    later.parts[0].arrival_us += 1_000
    appender.append(poll([command("customer.create", "acme", "2")], 1))
    appender.accept_offset(SOURCE, 1, "and again")
    of_another_time = appender.append(later)

    assert verdicts(of_another.commands) == verdicts(of_another_time.commands) == ["honoured"]


def test_a_command_is_honoured_once_whatever_partition_or_process_it_comes_by() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    first, second = appender_on(log, keys), appender_on(log, keys)
    sent = [command("customer.create", name="Ada"), command("customer.update", command_id="2", name="Grace")]
    first.append(poll(sent))

    again = second.append(poll([*sent, command("customer.block", command_id="3")], source=OTHER_PARTITION))
    once_more = first.append(poll([*sent, *sent], first_offset=2))

    assert verdicts(again.commands) == ["duplicate", "duplicate", "honoured"]
    assert verdicts(once_more.commands) == ["duplicate"] * 4
    assert topics(log).count("command.honoured") == 3
    assert customer(log, keys).version == 3


def test_the_same_id_of_another_source_or_scope_is_another_command() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    other_source = msgspec.structs.replace(command("customer.block"), source="cr", id="m/1")
    done = appender_on(log, keys).append(
        poll([command("customer.block"), other_source, command("customer.block", scope=OTHER)])
    )
    assert verdicts(done.commands) == ["honoured"] * 3


def test_what_breaks_a_rule_is_refused_with_the_name_that_was_sent_and_changes_nothing() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    refused: list[tuple[Any, str]] = [
        (command("customer.create", command_id="1", budget={"duration": "often"}), "budget.duration: "),
        (command("customer.create", command_id="2", nickname="x"), "nickname: is not known here"),
        (command("customer.create", command_id="3", budget={"limit": 1}), "budget.limit: is not known here"),
        (command("customer.create", command_id="4", budget="much"), "budget: must be an object"),
        (command("customer.create", command_id="5", id="globex"), "id: must equal the subject"),
        (command("customer.create", command_id="6", effective_at="yesterday"), "effective_at: "),
        (command("customer.block", command_id="7", name="x"), "name: is not known here"),
        (command("customer.update", command_id="8", active="no"), "active: must be true or false"),
        (command("customer.update", command_id="9", opening_spend_usd=1), "opening_spend_usd: "),
        (command("customer.block", command_id="10", reason="x" * 1_001), "reason: "),
        (command("customer.block", subject="..", command_id="11"), "subject: "),
        (command("customer.block", command_id=""), "id: "),
        (msgspec.structs.replace(command("customer.block"), source=None), "source: is required"),
        (msgspec.structs.replace(command("customer.block"), data=[1]), "data: must be an object"),
        (command("customer.explode", command_id="12"), "type: must be one of"),
        (command("budget.update", command_id="13", duration="1d"), "budget 'acme' does not exist"),
        (command("budget.create", command_id="14", time_zone="UTC"), "time_zone: is not known here"),
        (command("budget.create", command_id="15", duration="often"), "duration: "),
        (command("customer.delete", command_id="16", effective_at="2026-03-02T00:00:00Z"), "effective_at: "),
    ]
    done = appender_on(log, keys).append(poll([one for one, _ in refused]))

    for outcome, (_, reason) in zip(done.commands, refused, strict=True):
        assert outcome.outcome == "refused"
        assert (outcome.reason or "").startswith(reason), (outcome, reason)
    assert topics(log) == ["source.consumed"]


_hostile_text = st.text(max_size=4) | st.sampled_from(["\ud800", "\x00", "x" * 2_000, "."])
_hostile = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | _hostile_text | st.just(2**70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_hostile_text, inner, max_size=3),
    max_leaves=5,
)
_names = st.sampled_from(
    [*CUSTOMER_NAMES, *TIER_NAMES, "active", "effective_at", "reason", "id", "opening_spend_usd", "\ud800"]
)


@settings(deadline=None, max_examples=200)
@given(
    kind=st.sampled_from([*COMMAND_KINDS]) | _hostile_text,
    named=st.tuples(_hostile, _hostile, _hostile_text),
    data=_hostile | st.dictionaries(_names, _hostile, max_size=3),
    at=st.integers(),
)
def test_no_command_whatever_it_holds_keeps_its_partition_from_being_read_on(
    kind: str, named: tuple[Any, Any, str], data: Any, at: int
) -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    source, command_id, subject = named
    hostile = CommandMessage(0, DEFAULT_SCOPE, kind, source, command_id, subject, data, at)
    good = command("customer.block", command_id="good")
    sent = poll([good, event("a")], first_offset=1)
    done = appender_on(log, keys).append(PartitionBatch(sent.source, 0, sent.next_offset, [hostile, *sent.parts]))

    assert done.commands[1].outcome == "honoured"
    consumed = lifecycle(log)[-1]
    assert isinstance(consumed, PartitionConsumed)
    assert [one.outcome for one in consumed.commands] == verdicts(done.commands)


def test_a_refused_command_does_not_use_up_its_id() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    appender = appender_on(log, keys)
    done = appender.append(poll([command("budget.update", "gold"), command("budget.create", "gold")]))
    assert verdicts(done.commands) == ["refused", "honoured"]


def test_a_command_that_is_refused_half_way_changes_nothing() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    done = appender_on(log, keys).append(
        poll(
            [
                command("customer.update", command_id="1", time_zone="nowhere"),
                command("customer.create", command_id="2", name="Ada"),
                command("customer.update", command_id="3", name="Grace"),
                command("customer.update", command_id="4", currency="many"),
                command("customer.create", command_id="5"),
                command("customer.block", command_id="6"),
            ]
        )
    )
    assert verdicts(done.commands) == ["refused", "honoured", "honoured", "refused", "refused", "honoured"]
    assert done.commands[4].reason == "customer 'acme' exists already"
    found = customer(log, keys)
    assert (found.version, found.timeline.latest()) == (3, {"name": "Grace", "blocked": True})


def test_a_change_to_personal_data_whose_key_is_gone_is_refused_and_the_rest_goes_on() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    appender_on(log, keys).append(poll([command("customer.create", name="Ada")]))
    keys.destroy(next(iter(keys.keys)))

    done = appender_on(log, keys).append(
        poll(
            [command("customer.update", command_id="2", name="Grace"), command("customer.block", command_id="3")],
            first_offset=1,
        )
    )
    assert verdicts(done.commands) == ["refused", "honoured"]


def test_a_customer_changed_by_another_process_is_judged_as_it_is_now() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    appender = appender_on(log, keys)
    appender.append(poll([command("customer.block")]))
    over_http = CommandHandler(log, keys, lambda: RECORDED_AT, CountedRandomness("http"))
    over_http.handle(UnblockCustomer(DEFAULT_SCOPE, BY_TEST, "acme"))

    appender.append(poll([command("customer.block", command_id="2", effective_at="2026-03-01T00:00:00Z")], 1))

    assert customer(log, keys).timeline.latest() == {"blocked": True}


class RacedLog(InMemoryEventLog):
    """Before the next append another process appends what the test asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[list[NewRecord]] = []
        self.attempts = 0

    def append(self, records: Sequence[NewRecord]) -> list[int]:
        self.attempts += 1
        if self.before:
            super().append(self.before.pop(0))
        return super().append(records)


def test_a_command_honoured_elsewhere_in_between_becomes_a_duplicate() -> None:
    theirs, log, keys = InMemoryEventLog(), RacedLog(), InMemoryPersonalKeys()
    appender_on(theirs, keys).append(poll([command("customer.create")], source=OTHER_PARTITION))
    log.before.append([NewRecord(one.stream, one.version, one.topic, one.state) for one in theirs.read(0, 10)])

    done = appender_on(log, keys).append(poll([event("a"), command("customer.create"), event("b")]))

    assert (verdicts(done.commands), log.attempts) == (["duplicate"], 2)
    assert topics(log)[3:] == [USAGE_BATCH_TOPIC, USAGE_BATCH_TOPIC, "source.consumed"]


def test_a_customer_moved_elsewhere_in_between_is_loaded_again() -> None:
    log, keys = RacedLog(), InMemoryPersonalKeys()
    appender = appender_on(log, keys)
    appender.append(poll([command("customer.create")]))
    theirs = InMemoryEventLog()
    theirs.append([NewRecord(one.stream, one.version, one.topic, one.state) for one in log.read(0, 10)])
    appender_on(theirs, keys).append(poll([command("customer.block", command_id="2")], source=OTHER_PARTITION))
    log.before.append([NewRecord(one.stream, one.version, one.topic, one.state) for one in theirs.read(3, 10)])

    done = appender.append(poll([command("customer.update", command_id="3", name="Ada")], first_offset=1))

    assert verdicts(done.commands) == ["honoured"]
    found = customer(log, keys)
    assert (found.version, found.timeline.latest()) == (3, {"blocked": True, "name": "Ada"})


def test_aggregates_beyond_what_is_kept_in_memory_are_loaded_again() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    deciding = CommandDecider(log, keys, CountedRandomness(), aggregates_max=2)
    for turn in range(3):
        sent = [command("customer.update", f"c-{number}", f"{turn}-{number}", name=f"{turn}") for number in range(5)]
        decisions = deciding.decide(deciding.parse(sent, SOURCE), RECORDED_AT)
        log.append([record for decision in decisions for record in decision.records])
    assert [customer(log, keys, f"c-{number}").version for number in range(5)] == [3] * 5
    assert customer(log, keys, "c-3").timeline.latest() == {"name": "2"}


def test_shared_budgets_are_commanded_too() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    appender_on(log, keys).append(
        poll(
            [
                command("budget.create", "gold", command_id="1", name="Gold", period_limit_usd="100", duration="1mo"),
                command("budget.update", "gold", command_id="2", period_limit_usd=None, reason="unlimited"),
                command("budget.create", "old", command_id="3"),
                command("budget.delete", "old", command_id="4"),
            ]
        )
    )
    gold, old = (AggregateStore(log).load(SharedBudget(DEFAULT_SCOPE, name)) for name in ("gold", "old"))
    assert (gold.alive, gold.timeline.latest()) == (True, {"name": "Gold", "budget_duration": "1mo"})
    assert (old.alive, old.life) == (False, 2)


def test_commands_about_shared_budgets_may_name_their_instant() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    claude, gpt = {"claude": {"limit_usd": 9}}, {"gpt-4o": {"limit_usd": 0, "duration": "1d"}}
    done = appender_on(log, keys).append(
        poll(
            [
                command("budget.create", "gold", "1", name="Gold", effective_at="2026-01-01T00:00:00Z"),
                command("budget.update", "gold", "2", model_limits=claude, effective_at="2026-04-01T00:00:00Z"),
                command("budget.update", "gold", "3", model_limits=gpt, effective_at="2026-02-01T01:00:00+01:00"),
                command("budget.create", "old", "4"),
                command("budget.delete", "old", "5", effective_at="2026-03-02T00:00:00Z"),
                command("budget.delete", "old", "6", effective_at="2026-02-01T00:00:00Z"),
                command("budget.create", "old", "7", effective_at="2026-01-31T23:59:59Z"),
                command("budget.create", "new", "8", effective_at="soon"),
            ]
        )
    )
    gold, old = (AggregateStore(log).load(SharedBudget(DEFAULT_SCOPE, name)) for name in ("gold", "old"))
    assert [(one.outcome, one.reason) for one in done.commands[3:]] == [
        ("honoured", None),
        ("refused", "effective_at: of a deletion must not be in the future"),
        ("honoured", None),
        ("refused", "effective_at: must not be before 2026-02-01T00:00:00.000000Z, when the previous life ended"),
        ("refused", "effective_at: must be an instant with an offset, such as 2026-01-31T00:00:00Z"),
    ]
    limits = {"gpt-4o": {"limit_usd": "0", "duration": "1d"}}
    assert list(gold.timeline.states()) == [
        (datetime(2026, 1, 1, tzinfo=UTC), {"name": "Gold"}),
        (datetime(2026, 2, 1, tzinfo=UTC), {"name": "Gold", "model_limits": limits}),
        (
            datetime(2026, 4, 1, tzinfo=UTC),
            {"name": "Gold", "model_limits": limits | {"claude": {"limit_usd": "9", "duration": None}}},
        ),
    ]
    assert (old.alive, old.began_at) == (False, datetime(2026, 2, 1, tzinfo=UTC))


def test_usage_stays_between_the_commands_about_its_customer_and_gathers_with_that_of_others() -> None:
    log, keys = InMemoryEventLog(), InMemoryPersonalKeys()
    done = appender_on(log, keys).append(
        poll(
            [
                event("acme-1", "acme"),
                command("customer.block", "acme", command_id="1"),
                event("acme-2", "acme"),
                event("globex-1", "globex"),
                command("customer.block", "globex", command_id="2"),
                event("other", "other"),
                command("customer.unblock", "acme", command_id="3"),
                event("acme-3", "acme"),
                event("globex-2", "globex"),
                event("acme-1", "other"),
            ]
        )
    )
    assert done.received == 7
    appended: list[Any] = []
    for record in log.read(0, 100):
        if record.topic == USAGE_BATCH_TOPIC:
            appended.append(decode_typed(record.state).column("id").to_pylist())
        elif record.topic.startswith("customer."):
            appended.append(record.topic)
    assert appended == [
        ["acme-1", "globex-1", "other", "acme-1"],
        "customer.blocked",
        "customer.blocked",
        ["acme-2", "globex-2"],
        "customer.unblocked",
        ["acme-3"],
    ]  # fmt: skip
