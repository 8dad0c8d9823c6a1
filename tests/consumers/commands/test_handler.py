"""Commands given to the handler: each decides on the log as it stands, appends once, and answers what it did."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from consumers.commands.handler import CommandHandler
from domain.api_keys.commands import IssueApiKey, RevokeApiKey
from domain.api_keys.events import ApiKeyIssued
from domain.budgets.commands import CreateBudget, DeleteBudget, UpdateBudget, UpdateBudgetBy
from domain.corrections.commands import RestoreUsage, VoidUsage
from domain.corrections.events import UsageRestored, UsageVoided
from domain.customers.commands import (
    BlockCustomer,
    CreateCustomer,
    DeactivateCustomer,
    DeleteCustomer,
    DeleteCustomers,
    ExistingCustomerCommand,
    ReactivateCustomer,
    UnblockCustomer,
    UpdateCustomer,
)
from domain.customers.events import (
    CustomerBlocked,
    CustomerCreated,
    CustomerDeactivated,
    CustomerDeleted,
    CustomerReactivated,
    CustomerUnblocked,
    CustomerUpdated,
)
from domain.errors import AlreadyExists, CommandRefused, Fenced, InvalidInput, LogCorrupted, NotFound
from domain.event import LifecycleEvent, Provenance
from domain.log.commands import AnnounceClosings, SealLog
from domain.log.creation import ensure_log_created
from domain.log.event_codec import decode_lifecycle
from domain.log.events import LogSealed
from domain.log.records import EventLog, NewRecord
from domain.log.sqlite.event_log import SQLiteEventLog
from domain.log.sqlite.key_store import SQLiteKeyStore
from domain.meters.commands import CreateMeter, DeleteMeter, UpdateMeter
from domain.meters.events import MeterUpdated
from domain.prices.commands import SetPrice
from domain.prices.events import PriceSet
from domain.prices.own_price import OwnPrice
from domain.prices.schedule import PriceTier, UnitPrices
from domain.scope import DEFAULT_SCOPE, Scope
from tests.fakes.event_log import InMemoryEventLog
from tests.fakes.personal_keys import InMemoryPersonalKeys
from tests.fakes.randomness import CountedRandomness

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WHO = Provenance("key_1", "native", "asked")
TEST_SCOPE = Scope("default", "test")
ONE_USD = UnitPrices(Decimal(1), Decimal(1))
COUNTED = {"event_type": "image.made", "aggregation": "count"}


@pytest.fixture
def log() -> InMemoryEventLog:
    return InMemoryEventLog()


@pytest.fixture
def commands(log: InMemoryEventLog) -> CommandHandler:
    return commands_over(log)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[tuple[SQLiteEventLog, SQLiteKeyStore]]:
    log = SQLiteEventLog(tmp_path / "log.sqlite")
    keys = SQLiteKeyStore(tmp_path / "keys.sqlite", CountedRandomness())
    yield log, keys
    keys.close()
    log.close()


def commands_over(log: EventLog, attempts_max: int = 16) -> CommandHandler:
    return CommandHandler(log, InMemoryPersonalKeys(), lambda: NOW, CountedRandomness(), attempts_max)


def events(log: EventLog) -> list[LifecycleEvent]:
    return [decode_lifecycle(one.topic, one.state) for one in log.read(0, 1_000)]


def test_a_customer_is_created_changed_and_deleted(commands: CommandHandler, log: InMemoryEventLog) -> None:
    created = commands.handle(CreateCustomer(DEFAULT_SCOPE, WHO, "acme", {"name": "Ada"}))
    changed = commands.handle(UpdateCustomer(DEFAULT_SCOPE, WHO, "acme", {"currency": "eur"}))
    unchanged = commands.handle(UpdateCustomer(DEFAULT_SCOPE, WHO, "acme", {"currency": "EUR", "name": "Ada"}))
    deleted = commands.handle(DeleteCustomer(DEFAULT_SCOPE, WHO, "acme", effective_at=NOW))

    assert [one.position for one in (created, changed, unchanged, deleted)] == [1, 2, None, 3]
    assert changed.state.timeline.latest() == {"currency": "EUR", "name": "Ada"}
    assert unchanged.state.timeline.latest() == changed.state.timeline.latest()
    assert (deleted.state.alive, deleted.state.life) == (False, 2)
    assert all(event.provenance == WHO and event.recorded_at == NOW for event in events(log))


def test_scopes_do_not_meet(commands: CommandHandler) -> None:
    commands.handle(CreateCustomer(DEFAULT_SCOPE, WHO, "acme"))

    assert commands.handle(CreateCustomer(TEST_SCOPE, WHO, "acme")).position == 2


@pytest.mark.parametrize(
    ("command", "own"),
    [
        (BlockCustomer, CustomerBlocked),
        (DeactivateCustomer, CustomerDeactivated),
        (DeleteCustomer, CustomerDeleted),
    ],
)
def test_a_command_about_a_customer_known_by_usage_writes_its_own_fact_alone(
    command: type[ExistingCustomerCommand],
    own: type[LifecycleEvent],
    commands: CommandHandler,
    log: InMemoryEventLog,
) -> None:
    with pytest.raises(NotFound):
        commands.handle(command(DEFAULT_SCOPE, WHO, "acme"))

    result = commands.handle(command(DEFAULT_SCOPE, WHO, "acme", seen_at=NOW))

    assert result.position == 1
    assert [type(event) for event in events(log)] == [own]


def test_a_known_customer_is_not_made_explicit_by_an_update_that_says_nothing_new(
    commands: CommandHandler, log: InMemoryEventLog
) -> None:
    result = commands.handle(UpdateCustomer(DEFAULT_SCOPE, WHO, "acme", seen_at=NOW))

    assert (result.position, result.state.alive) == (None, False)
    assert events(log) == []


def test_a_known_customer_is_created_after_what_was_said_of_it(commands: CommandHandler, log: InMemoryEventLog) -> None:
    commands.handle(UpdateCustomer(DEFAULT_SCOPE, WHO, "acme", {"currency": "EUR"}, seen_at=NOW))
    commands.handle(BlockCustomer(DEFAULT_SCOPE, WHO, "acme"))
    created = commands.handle(CreateCustomer(DEFAULT_SCOPE, WHO, "acme", {"name": "Ada"}))
    with pytest.raises(AlreadyExists):
        commands.handle(CreateCustomer(DEFAULT_SCOPE, WHO, "acme", {"name": "Bob"}))

    assert [type(event) for event in events(log)] == [CustomerUpdated, CustomerBlocked, CustomerCreated]
    assert created.state.timeline.latest() == {"currency": "EUR", "blocked": True, "name": "Ada"}


@pytest.mark.parametrize(
    ("command", "own"),
    [
        (UpdateCustomer, CustomerUpdated),
        (BlockCustomer, CustomerBlocked),
        (UnblockCustomer, CustomerUnblocked),
        (DeactivateCustomer, CustomerDeactivated),
        (ReactivateCustomer, CustomerReactivated),
        (DeleteCustomer, CustomerDeleted),
    ],
)
def test_nothing_revives_a_customer_that_was_deleted_after_it_was_last_seen(
    command: type[ExistingCustomerCommand],
    own: type[LifecycleEvent],
    commands: CommandHandler,
    log: InMemoryEventLog,
) -> None:
    commands.handle(CreateCustomer(DEFAULT_SCOPE, WHO, "acme"))
    commands.handle(DeleteCustomer(DEFAULT_SCOPE, WHO, "acme"))

    for seen_at in (None, NOW - timedelta(microseconds=1)):
        with pytest.raises(NotFound):
            commands.handle(command(DEFAULT_SCOPE, WHO, "acme", seen_at=seen_at, effective_at=NOW))
    assert log.head_position() == 2

    commands.handle(command(DEFAULT_SCOPE, WHO, "acme", seen_at=NOW, effective_at=NOW))
    assert [type(event) for event in events(log)[2:]] == [own], "usage after the deletion began a new life"


def test_of_many_concurrent_deletions_of_a_customer_one_succeeds(
    commands: CommandHandler, log: InMemoryEventLog
) -> None:
    commands.handle(CreateCustomer(DEFAULT_SCOPE, WHO, "acme"))

    def delete(number: int) -> str:
        try:
            commands.handle(DeleteCustomer(DEFAULT_SCOPE, WHO, "acme", seen_at=NOW - timedelta(hours=1)))
        except NotFound:
            return "missing"
        return "deleted"

    with ThreadPoolExecutor(16) as pool:
        outcomes = sorted(pool.map(delete, range(40)))
    assert outcomes == ["deleted"] + ["missing"] * 39
    assert log.head_position() == 2


def test_customers_are_deleted_together_or_not_at_all(commands: CommandHandler, log: InMemoryEventLog) -> None:
    commands.handle(CreateCustomer(DEFAULT_SCOPE, WHO, "made"))
    for unknown in ("never", "never-either"):
        refused = commands.handle(DeleteCustomers(DEFAULT_SCOPE, WHO, {"made": None, "seen": NOW, unknown: None}))
        assert (refused.position, refused.state) == (None, (unknown,))
    assert log.head_position() == 1

    deleted = commands.handle(DeleteCustomers(DEFAULT_SCOPE, WHO, {"made": None, "seen": NOW}))
    assert (deleted.position, deleted.state) == (3, ())
    assert [type(event) for event in events(log)] == [CustomerCreated, CustomerDeleted, CustomerDeleted]


def test_a_refused_command_appends_nothing(commands: CommandHandler, log: InMemoryEventLog) -> None:
    refusals: tuple[Callable[[], object], ...] = (
        lambda: commands.handle(CreateCustomer(DEFAULT_SCOPE, WHO, "..")),
        lambda: commands.handle(CreateCustomer(DEFAULT_SCOPE, WHO, "acme", {"currency": "??"})),
        lambda: commands.handle(UpdateCustomer(DEFAULT_SCOPE, WHO, "acme", {"currency": "??"}, seen_at=NOW)),
        lambda: commands.handle(CreateCustomer(DEFAULT_SCOPE, WHO, "acme", effective_at=NOW.replace(tzinfo=None))),
        lambda: commands.handle(CreateCustomer(DEFAULT_SCOPE, WHO, "acme", effective_at=NOW.replace(year=1979))),
        lambda: commands.handle(CreateBudget(DEFAULT_SCOPE, WHO, "gold", effective_at=NOW.replace(year=1979))),
        lambda: commands.handle(CreateBudget(DEFAULT_SCOPE, WHO, "gold", effective_at=NOW.replace(tzinfo=None))),
        lambda: commands.handle(CreateMeter(DEFAULT_SCOPE, WHO, "m", COUNTED, effective_at=NOW.replace(year=2200))),
    )
    for refused in refusals:
        with pytest.raises(InvalidInput):
            refused()

    assert log.head_position() == 0


def test_two_hundred_threads_that_create_one_customer_make_one(
    files: tuple[SQLiteEventLog, SQLiteKeyStore],
) -> None:
    log, keys = files
    # Two handlers on one log: they do not share locks, so that the log itself must decide.
    handlers = [CommandHandler(log, keys, lambda: NOW, CountedRandomness(str(seed))) for seed in range(2)]

    together = threading.Barrier(200)

    def create(number: int) -> str:
        together.wait(30)
        try:
            handlers[number % 2].handle(CreateCustomer(DEFAULT_SCOPE, WHO, "acme", {"name": str(number)}))
        except AlreadyExists:
            return "exists"
        return "created"

    with ThreadPoolExecutor(200) as pool:
        outcomes = sorted(pool.map(create, range(200)))

    assert outcomes == ["created"] + ["exists"] * 199
    assert log.head_position() == 1


def _update_many(folder: Path, field: str, count: int) -> None:
    log = SQLiteEventLog(folder / "log.sqlite")
    keys = SQLiteKeyStore(folder / "keys.sqlite", CountedRandomness(field))
    commands = CommandHandler(log, keys, lambda: NOW, CountedRandomness(field), 1_000)
    for number in range(count):
        commands.handle(UpdateCustomer(DEFAULT_SCOPE, WHO, "acme", {"metadata": {field: number}}, seen_at=NOW))
    keys.close()
    log.close()


def test_processes_that_patch_one_customer_lose_no_patch(
    tmp_path: Path, files: tuple[SQLiteEventLog, SQLiteKeyStore]
) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_update_many, args=(tmp_path, field, 15)) for field in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0

    log, keys = files
    commands = CommandHandler(log, keys, lambda: NOW, CountedRandomness("reader"))
    last = commands.handle(UpdateCustomer(DEFAULT_SCOPE, WHO, "acme"))
    assert last.state.timeline.latest() == {"metadata": {"a": 14, "b": 14}}
    assert log.head_position() == 30


class FencingLog(InMemoryEventLog):
    """Lets another writer in before each of the first `fenced` appends."""

    def __init__(self, fenced: int) -> None:
        super().__init__()
        self.fenced = fenced
        self.attempts = 0

    def append(self, records: Sequence[NewRecord]) -> list[int]:
        self.attempts += 1
        if self.attempts <= self.fenced:
            raise Fenced("another writer")
        return super().append(records)


def test_a_fenced_command_is_tried_again_as_often_as_allowed() -> None:
    allowed, too_many = FencingLog(2), FencingLog(3)

    assert commands_over(allowed, 3).handle(VoidUsage(DEFAULT_SCOPE, WHO, "s", "e")).position == 1
    with pytest.raises(Fenced, match="each of 3 attempts"):
        commands_over(too_many, 3).handle(VoidUsage(DEFAULT_SCOPE, WHO, "s", "e"))
    assert (allowed.attempts, too_many.attempts) == (3, 3)


def test_shared_budgets_are_created_changed_and_deleted(commands: CommandHandler) -> None:
    with pytest.raises(NotFound):
        commands.handle(UpdateBudget(DEFAULT_SCOPE, WHO, "gold"))
    commands.handle(CreateBudget(DEFAULT_SCOPE, WHO, "gold", {"name": "Gold", "period_limit_usd": 100}))
    with pytest.raises(AlreadyExists):
        commands.handle(CreateBudget(DEFAULT_SCOPE, WHO, "gold"))
    with pytest.raises(InvalidInput, match="period_start"):
        commands.handle(UpdateBudget(DEFAULT_SCOPE, WHO, "gold", {"period_start": "2026-01-01T00:00:00Z"}))

    changed = commands.handle(UpdateBudget(DEFAULT_SCOPE, WHO, "gold", {"model_limits": {"m": {"limit_usd": 1}}}))
    unchanged = commands.handle(UpdateBudget(DEFAULT_SCOPE, WHO, "gold", {"period_limit_usd": "100.00"}))
    commands.handle(DeleteBudget(DEFAULT_SCOPE, WHO, "gold"))
    again = commands.handle(CreateBudget(DEFAULT_SCOPE, WHO, "gold"))

    assert changed.state.timeline.latest() == {
        "name": "Gold",
        "period_limit_usd": "100",
        "model_limits": {"m": {"limit_usd": "1", "duration": None}},
    }
    assert (unchanged.position, again.position, again.state.timeline.latest()) == (None, 4, {})


def test_many_concurrent_changes_of_one_budget_by_its_value_are_all_made(commands: CommandHandler) -> None:
    commands.handle(CreateBudget(DEFAULT_SCOPE, WHO, "gold", {"requests_per_minute": 0}))

    def one_more(fields: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"requests_per_minute": fields["requests_per_minute"] + 1}

    def add_one(number: int) -> None:
        commands.handle(UpdateBudgetBy(DEFAULT_SCOPE, WHO, "gold", one_more))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(add_one, range(40)))
    last = commands.handle(UpdateBudget(DEFAULT_SCOPE, WHO, "gold"))
    assert last.state.timeline.latest() == {"requests_per_minute": 40}


def test_a_change_of_an_unknown_budget_is_not_decided(commands: CommandHandler) -> None:
    def decide(fields: object) -> dict[str, Any]:
        raise AssertionError("nothing to decide by")

    with pytest.raises(NotFound):
        commands.handle(UpdateBudgetBy(DEFAULT_SCOPE, WHO, "gold", decide))


def test_a_change_of_a_budget_is_decided_again_when_another_process_wrote_in_between() -> None:
    log = FencingLog(0)
    commands_over(log).handle(CreateBudget(DEFAULT_SCOPE, WHO, "gold", {"requests_per_minute": 1}))
    asked: list[Any] = []

    def decide(fields: Any) -> dict[str, Any]:
        asked.append(dict(fields))
        if len(asked) == 1:
            commands_over(log).handle(UpdateBudget(DEFAULT_SCOPE, WHO, "gold", {"requests_per_minute": 5}))
        return {"requests_per_minute": fields["requests_per_minute"] + 1}

    changed = commands_over(log).handle(UpdateBudgetBy(DEFAULT_SCOPE, WHO, "gold", decide))
    assert asked == [{"requests_per_minute": 1}, {"requests_per_minute": 5}]
    assert changed.state.timeline.latest() == {"requests_per_minute": 6}


def test_meters_are_created_changed_and_deleted(commands: CommandHandler, log: InMemoryEventLog) -> None:
    definition = {"event_type": "image.made", "aggregation": "sum", "value_property": "size.mb", "group_by": ["style"]}
    commands.handle(CreateMeter(DEFAULT_SCOPE, WHO, "images", definition))
    with pytest.raises(AlreadyExists):
        commands.handle(CreateMeter(DEFAULT_SCOPE, WHO, "images", definition))

    commands.handle(UpdateMeter(DEFAULT_SCOPE, WHO, "images", {"group_by": ["region"], "name": "Images"}))
    with pytest.raises(InvalidInput, match="must not be changed"):
        commands.handle(UpdateMeter(DEFAULT_SCOPE, WHO, "images", {"aggregation": "max"}))
    commands.handle(DeleteMeter(DEFAULT_SCOPE, WHO, "images"))
    with pytest.raises(NotFound):
        commands.handle(DeleteMeter(DEFAULT_SCOPE, WHO, "images"))

    updated = events(log)[1]
    assert isinstance(updated, MeterUpdated)
    assert updated.fields == {"group_by": {"region": "region"}, "name": "Images"}


@pytest.mark.parametrize(
    ("code", "definition", "field"),
    [
        ("total_tokens", {"event_type": "t", "aggregation": "count"}, "code"),
        ("cache_write_tokens", {"event_type": "t", "aggregation": "count"}, "code"),
        ("a b", {"event_type": "t", "aggregation": "count"}, "code"),
        ("a" * 65, {"event_type": "t", "aggregation": "count"}, "code"),
        ("m", {"aggregation": "count"}, "event_type"),
        ("m", {"event_type": "t"}, "aggregation"),
        ("m", {"event_type": "t", "aggregation": "sum"}, "value_property"),
        ("m", {"event_type": "t", "aggregation": "count", "value_property": "x"}, "value_property"),
    ],
)
def test_an_invalid_meter_is_refused(
    code: str, definition: dict[str, Any], field: str, commands: CommandHandler
) -> None:
    with pytest.raises(InvalidInput) as refused:
        commands.handle(CreateMeter(DEFAULT_SCOPE, WHO, code, definition))

    assert refused.value.field == field


def test_a_key_is_issued_with_a_secret_that_the_log_does_not_hold(
    commands: CommandHandler, log: InMemoryEventLog
) -> None:
    issued = commands.handle(IssueApiKey(DEFAULT_SCOPE, WHO, ("read",), name="reader"))
    other = commands.handle(IssueApiKey(DEFAULT_SCOPE, WHO, ("read",)))

    assert (issued.position, other.position) == (1, 2)
    assert issued.state.secret != other.state.secret
    stored = events(log)[0]
    assert isinstance(stored, ApiKeyIssued)
    assert (issued.state.key_id, issued.state.prefix, issued.state.name, issued.state.scopes) == (
        stored.key_id,
        issued.state.secret[3:11],
        "reader",
        ("read",),
    )
    assert all(issued.state.secret.encode() not in record.state for record in log.read(0, 10))


def test_a_given_secret_is_issued_once_and_stays_revoked(commands: CommandHandler) -> None:
    issued = commands.handle(IssueApiKey(DEFAULT_SCOPE, WHO, ("admin",), secret="sk-1234567890123456"))
    again = commands.handle(IssueApiKey(DEFAULT_SCOPE, WHO, ("admin",), secret="sk-1234567890123456"))

    assert (issued.position, again.position, again.state.secret) == (1, None, "sk-1234567890123456")
    assert (issued.known_position, again.known_position) == (1, 1)
    with pytest.raises(NotFound):
        commands.handle(RevokeApiKey(TEST_SCOPE, WHO, issued.state.key_id))
    assert commands.handle(RevokeApiKey(DEFAULT_SCOPE, WHO, issued.state.key_id)).position == 2
    assert commands.handle(RevokeApiKey(DEFAULT_SCOPE, WHO, issued.state.key_id)).position is None
    with pytest.raises(CommandRefused, match="revoked"):
        commands.handle(IssueApiKey(DEFAULT_SCOPE, WHO, ("admin",), secret="sk-1234567890123456"))


def test_prices_are_set_version_by_version(commands: CommandHandler, log: InMemoryEventLog) -> None:
    cheap = OwnPrice(None, UnitPrices(Decimal("0.1"), Decimal("0.4")))
    tiers = (PriceTier(200, UnitPrices(Decimal(3), Decimal(3))), PriceTier(100, UnitPrices(Decimal(2), Decimal(2))))
    dear = OwnPrice(NOW, UnitPrices(Decimal(1), Decimal(4)), tiers)

    given = (cheap, dear, cheap, dear)
    results = [commands.handle(SetPrice(DEFAULT_SCOPE, WHO, "openai", "gpt-5", price)).position for price in given]
    commands.handle(SetPrice(DEFAULT_SCOPE, WHO, "", "gpt-5", cheap))

    stored = events(log)
    assert results == [1, 2, None, None]
    assert [(event.stream, event.version) for event in stored] == [
        ("price/default/prod/6/openai/gpt-5", 1),
        ("price/default/prod/6/openai/gpt-5", 2),
        ("price/default/prod/0//gpt-5", 1),
    ]
    assert isinstance(stored[1], PriceSet)
    assert [tier.input_tokens_above for tier in stored[1].prices.standard[0].rates["input_tokens"].tiers] == [100, 200]


@pytest.mark.parametrize(
    ("price", "field"),
    [
        (OwnPrice(None, UnitPrices(Decimal(-1), Decimal(1))), "input"),
        (OwnPrice(None, UnitPrices(Decimal(1), Decimal("NaN"))), "output"),
        (OwnPrice(None, UnitPrices(Decimal(1), Decimal(1), request=Decimal("1E-19"))), "request"),
        (OwnPrice(datetime(2026, 1, 1), UnitPrices(Decimal(1), Decimal(1))), "effective_from"),  # noqa: DTZ001
        (OwnPrice(None, ONE_USD, (PriceTier(-1, ONE_USD),)), "input_tokens_above"),
        (OwnPrice(None, ONE_USD, (PriceTier(1, ONE_USD),) * 2), "tiers"),
    ],
)
def test_an_invalid_price_is_refused(price: OwnPrice, field: str, commands: CommandHandler) -> None:
    with pytest.raises(InvalidInput) as refused:
        commands.handle(SetPrice(DEFAULT_SCOPE, WHO, "openai", "gpt-5", price))

    assert refused.value.field == field


def test_an_event_may_be_voided_before_it_arrives_and_is_restored_once(
    commands: CommandHandler, log: InMemoryEventLog
) -> None:
    positions = [
        commands.handle(command(DEFAULT_SCOPE, WHO, "source", "id")).position
        for command in (RestoreUsage, VoidUsage, VoidUsage, RestoreUsage, RestoreUsage, VoidUsage)
    ]

    assert positions == [None, 1, None, 2, None, 3]
    assert [type(event) for event in events(log)] == [UsageVoided, UsageRestored, UsageVoided]


def test_the_log_is_created_once_at_position_one(log: InMemoryEventLog) -> None:
    created = ensure_log_created(log, "log-1", 2**64 - 1, NOW)
    again = ensure_log_created(log, "log-2", 7, NOW)

    assert again == created
    assert (created.log_id, created.log_format, created.hash_seed) == ("log-1", 1, 2**64 - 1)
    assert events(log) == [created]


def test_openers_that_create_the_log_together_agree(tmp_path: Path) -> None:
    logs = [SQLiteEventLog(tmp_path / "log.sqlite") for _ in range(8)]

    def create(number: int) -> Any:
        return ensure_log_created(logs[number], f"log-{number}", number, NOW)

    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(create, range(8)))

    assert all(one == created[0] for one in created)
    assert logs[0].head_position() == 1
    for log in logs:
        log.close()


def test_a_log_that_begins_with_something_else_is_refused(commands: CommandHandler, log: InMemoryEventLog) -> None:
    commands.handle(CreateCustomer(DEFAULT_SCOPE, WHO, "acme"))

    with pytest.raises(LogCorrupted, match="not the creation"):
        ensure_log_created(log, "log-1", 1, NOW)


def test_a_seal_is_written_when_there_is_something_new_to_seal(commands: CommandHandler, log: InMemoryEventLog) -> None:
    ensure_log_created(log, "log-1", 1, NOW)

    assert commands.handle(SealLog(1, b"first")).position == 2
    assert commands.handle(SealLog(1, b"first")).position is None
    assert commands.handle(SealLog(2, b"a seal alone")).position is None, "seals must not keep an idle log growing"
    commands.handle(CreateCustomer(DEFAULT_SCOPE, WHO, "acme"))
    result = commands.handle(SealLog(3, b"second"))

    assert result.position == 4
    assert events(log)[3] == result.state
    assert (result.state.position, result.state.running_hash) == (3, b"second")


def test_closings_are_announced_once_however_many_seals_lie_between(
    commands: CommandHandler, log: InMemoryEventLog
) -> None:
    ensure_log_created(log, "log-1", 1, NOW)
    first = commands.handle(AnnounceClosings(NOW))
    for number in range(100):
        commands.handle(VoidUsage(DEFAULT_SCOPE, WHO, "source", str(number)))
        commands.handle(SealLog(log.head_position(), b"hash"))

    assert first.position == 2
    assert commands.handle(AnnounceClosings(NOW)).position is None
    assert commands.handle(AnnounceClosings(NOW - timedelta(days=1))).state == first.state
    assert commands.handle(AnnounceClosings(NOW + timedelta(days=1))).position == 203
    assert sum(isinstance(event, LogSealed) for event in events(log)) == 100


def test_issued_keys_carry_their_scope(commands: CommandHandler, log: InMemoryEventLog) -> None:
    commands.handle(IssueApiKey(TEST_SCOPE, WHO, ("ingest", "admin")))

    (issued,) = events(log)
    assert isinstance(issued, ApiKeyIssued)
    assert (issued.tenant, issued.environment, issued.scopes) == ("default", "test", ("admin", "ingest"))
