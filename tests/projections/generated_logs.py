"""Logs that Hypothesis generates: usage, prices, corrections, facts, keys and Kafka partitions in any order.

A generated log is a list of entries, each a name of `_WRITERS` and its arguments. Few ids are used, so that events meet
again: duplicates, conflicts, voids before and after their event, prices before and after usage of their model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

from domain.api_keys.events import ApiKeyIssued, ApiKeyRevoked
from domain.backfills.backfill_range import BackfillRange
from domain.backfills.events import (
    BackfillCancelled,
    BackfillCommitted,
    BackfillEvent,
    BackfillOpened,
    BackfillReverted,
)
from domain.budgets.events import BudgetCreated, BudgetDeleted, BudgetUpdated
from domain.commands.events import CommandHonoured, CommandRecord
from domain.correction_runs.event_filter import CorrectedEvents
from domain.correction_runs.events import CorrectionRunCommitted, CorrectionRunOpened, CorrectionRunReverted
from domain.correction_runs.set_members import SetMembers
from domain.corrections.events import UsageAmended, UsageReplaced, UsageRestored, UsageVoided
from domain.coupons.application_events import AppliedCouponTerminated, CouponApplied
from domain.coupons.events import CouponCreated, CouponDeleted, CouponUpdated
from domain.customers.events import CustomerBlocked, CustomerCreated, CustomerDeleted, CustomerUpdated
from domain.customers.personal_data import CustomerSeal
from domain.log.blocks import decode_typed, read_header
from domain.log.chain import CHAIN_START, chain
from domain.log.event_codec import decode_lifecycle
from domain.log.events import LogSealed
from domain.log.records import USAGE_BATCH_TOPIC
from domain.meters.events import MeterCreated, MeterDeleted, MeterUpdated
from domain.plans.events import PlanCreated, PlanDeleted, PlanUpdated
from domain.prices.conversion import own_price_list, price_list_of
from domain.prices.events import DiscountSet, PriceListed, PriceSet
from domain.prices.schedule import PriceVersion, UnitPrices
from domain.repricings.events import RepricingCommitted, RepricingOpened, RepricingReverted
from domain.repricings.repricing_range import RepricingRange
from domain.scope import DEFAULT_SCOPE, Scope
from domain.sources.events import OffsetsAccepted, PartitionConsumed, RecordsLost
from domain.streams import LOG_STREAM, backfills_stream, staged_stream
from domain.subscriptions.events import SubscriptionCreated, SubscriptionTerminated, SubscriptionUpdated
from domain.usage.amending.amended_event import MemberChange
from domain.usage.locators import locator_of
from tests.fakes.randomness import CountedRandomness
from tests.projections.folded_log import START, WrittenLog, usage

#: The name of an entry, the number of its scope and owner, and whatever else its writer draws from.
Entry = tuple[str, int, Any]

_SCOPES: Final = (DEFAULT_SCOPE, Scope("other", "test"))
_NUMBERS: Final = st.integers(0, 7)
_EVENTS: Final = st.lists(st.tuples(_NUMBERS, st.integers(0, 9)), min_size=2, max_size=8)
_DELIVERIES: Final = (
    "usage",
    "load",
    "replace by a backfill",
    "atomic usage",
    "usage of Kafka",
    "usage with facts",
    "usage of subscriptions",
)
_EFFECTS_ON_USAGE: Final = (
    "void",
    "restore",
    "amend",
    "replace",
    "set a price",
    "reprice",
    "reprice and revert",
    "correct by filter",
    "revert corrections",
    "correct by filter and revert",
    "amend by filter",
    "amend by filter and revert",
    "set a price of a customer",
    "set a discount",
    "end a life in the past",
    "list a price",
    "set a price while voided",
    "subscribe in the past",
    "end a subscription in the past",
    "correct usage of subscriptions",
    "backfill",
    "revert a backfill",
)


def generated_logs(entries_max: int) -> st.SearchStrategy[list[Entry]]:
    """Logs of this many entries or down to half of it; most entries are one record."""
    rest = sorted(_WRITERS.keys() - {*_DELIVERIES, *_EFFECTS_ON_USAGE})
    others = st.tuples(st.sampled_from(rest), _NUMBERS, _NUMBERS)
    return st.lists(st.one_of(writes_about_usage(), others), min_size=entries_max // 2, max_size=entries_max)


def writes_about_usage() -> st.SearchStrategy[Entry]:
    """Entries of usage, and of what has an effect on it."""
    deliveries = st.tuples(st.sampled_from(_DELIVERIES), _NUMBERS, _EVENTS)
    effects = st.tuples(st.sampled_from(_EFFECTS_ON_USAGE), _NUMBERS, _NUMBERS)
    return st.one_of(deliveries, effects)


def write_entries(log: WrittenLog, entries: Sequence[Entry]) -> None:
    """Append these entries to a log, one minute apart."""
    for name, number, rest in entries:
        log.pass_time(minutes=1)
        _WRITERS[name](log, number, rest)


def _scope(number: int) -> Scope:
    return _SCOPES[number // 7]  # mostly the first one


def _of_scope(number: int) -> dict[str, str]:
    return {"tenant": _scope(number).tenant, "environment": _scope(number).environment}


def _usage(log: WrittenLog, number: int, events: list[tuple[int, int]], **more: Any) -> None:
    log.deliver([_usage_event(which, variant) for which, variant in events], _scope(number), **more)


def _usage_with_facts(log: WrittenLog, number: int, events: list[tuple[int, int]]) -> None:
    """Every second event says something of its customer; under the same id it may say something else."""
    said = [{"name": f"N{variant % 3}", "markup_percentage": variant % 2} for _, variant in events]
    _usage(log, number, events, facts={row: said[row] for row in range(0, len(events), 2)})


def _usage_event(which: int, variant: int) -> dict[str, Any] | bytes:
    """The event with this id; variants are other content under the same id, and one of them no event at all."""
    if variant == 9:
        return b"{no json"
    data: dict[str, Any] = {"input_tokens": 1000 + variant // 7, "model": f"m-{which % 3}"}
    if which % 4 == 0:
        data["cost_usd"] = "0.25"
    if which % 5 == 0:
        data["provider"] = None
    if which % 2 == 0:
        data["parent_request"] = "root"
    if which % 3 == 1:
        data |= {"web_searches": variant % 4, "units": {"gpu_seconds": 1e-12, "audio_seconds": variant}}
    return usage(f"e-{which}", customer=f"c-{which % 3}", at=START - timedelta(hours=7 * which), **data)


def _usage_of_subscriptions(log: WrittenLog, number: int, events: list[tuple[int, int]]) -> None:
    """Usage that has the customer of its subscription, which may have none yet."""
    sent = [_of_subscription(_usage_event(which, min(variant, 8)), which % 2) for which, variant in events]
    log.deliver(sent, _scope(number))


def _of_subscription(event: Any, number: int) -> dict[str, Any]:
    named = {name: member for name, member in event.items() if name != "subject"}
    subscription = f"x-{number}"
    return named | {"source": f"lago/{subscription}", "data": event["data"] | {"subscription": subscription}}


def _subscribed_in_the_past(log: WrittenLog, number: int, which: int) -> None:
    about = {"subscription_id": f"x-{number % 2}", "effective_at": START - timedelta(hours=7 * which + 3)}
    fields = {"customer": f"c-{(number + which) % 4}", "plan": "x-1"}
    stream = f"subscription_id/{_scope(number)}/{number % 2}"
    log.append(SubscriptionCreated, stream, **_of_scope(number), **about, fields=fields)


def _ended_subscription(log: WrittenLog, number: int, which: int) -> None:
    """End a subscription between its events, or take such an end back."""
    ends_at = None if which == 0 else (START - timedelta(hours=5 * which)).isoformat()
    stream = f"subscription_id/{_scope(number)}/{number % 2}"
    about = {"subscription_id": f"x-{number % 2}", "fields": {"ends_at": ends_at}}
    log.append(SubscriptionUpdated, stream, **_of_scope(number), **about)


def _corrected_usage_of_subscriptions(log: WrittenLog, number: int, which: int) -> None:
    """Void, restore or amend an event of a subscription."""
    source, event_id = f"lago/x-{which % 2}", f"e-{which}"
    stream = f"correction/{_scope(number)}/lago/{which}"
    about = {**_of_scope(number), "source": source, "id": event_id}
    if number % 3 < 2:
        log.append(UsageVoided if number % 3 else UsageRestored, stream, **about)
        return
    event = usage(event_id, "nobody", START - timedelta(hours=3 * number), model=f"m-{number % 4}")
    block = log.block([_of_subscription(event, which % 2)], _scope(number), stream)
    changed = (MemberChange("data.model", None, f'"m-{number % 4}"'),)
    log.append(UsageAmended, stream, **about, block=block, changed=changed)


def _usage_of_kafka(log: WrittenLog, number: int, events: list[tuple[int, int]]) -> None:
    partition = _partition(number)
    offset = len(log.log.stream(partition["stream"]))
    extra = {"topic": partition["topic"], "partition": partition["partition"], "next_offset": offset}
    _usage(log, number, events, stream=partition["stream"], extra=extra)


def _partition(number: int) -> dict[str, Any]:
    which = number % 2
    stream = f"usage/kafka/cluster-1/topic-1/{which}"
    return {"stream": stream, "cluster_id": "cluster-1", "topic_id": "topic-1", "topic": "usage", "partition": which}


def _consumed(log: WrittenLog, number: int, refused: int) -> None:
    commands = tuple(CommandRecord(offset, 0, "customer.nap", "crm", "1", "refused") for offset in range(refused % 3))
    partition = _partition(number) | {"first_offset": 0, "next_offset": 10 * number, "first_version": 1}
    log.append(PartitionConsumed, **partition, commands=commands)


def _lost(log: WrittenLog, number: int, lost: int) -> None:
    log.append(RecordsLost, **_partition(number), from_offset=5, to_offset=5 + lost)


def _accepted(log: WrittenLog, number: int, offset: int) -> None:
    log.append(OffsetsAccepted, **_partition(number), next_offset=offset)


def _correction(event: type[UsageVoided | UsageRestored]) -> Callable[[WrittenLog, int, int], None]:
    def write(log: WrittenLog, number: int, which: int) -> None:
        log.append(
            event, f"correction/{_scope(number)}/{which}", **_of_scope(number), source="gateway", id=f"e-{which}"
        )

    return write


def _amend(log: WrittenLog, number: int, which: int) -> None:
    """Amend an event of this id, or of none; its customer, model, time and quantities may become others."""
    event = usage(f"e-{which}", f"c-{number % 5}", START - timedelta(hours=number), model=f"m-{number % 4}")
    if number % 2:
        event["data"] |= {"cost_usd": "0.75"} if number % 3 else {"web_searches": number, "tags": ["a"]}
    stream = f"correction/{_scope(number)}/amended/{which}"
    block = log.block([event], _scope(number), stream)
    changed = (MemberChange("data.model", None, f'"m-{number % 4}"'), MemberChange("data.cost_usd", None, '"0.75"'))
    log.append(
        UsageAmended, stream, **_of_scope(number), source="gateway", id=f"e-{which}", block=block, changed=changed
    )


def _replaced(log: WrittenLog, number: int, which: int) -> None:
    """Deliver events that mostly conflict with earlier ones, and have these replaced by them."""
    scope = _scope(number)
    earlier: dict[str, int] = {}
    for record in log.log.read(0, 10_000):
        if record.topic == USAGE_BATCH_TOPIC and read_header(record.state).scope == scope:
            typed = decode_typed(record.state)
            for row, (source, event_id, reason) in enumerate(
                zip(*(typed.column(name).to_pylist() for name in ("source", "id", "reason")), strict=True)
            ):
                if source == "gateway" and reason is None:
                    earlier.setdefault(event_id, locator_of(record.position, row))
    counted = {
        one: earlier[one] for one in (f"e-{which}", f"e-{(which + 1) % 8}", f"e-{(which + 3) % 8}") if one in earlier
    }
    if not counted:
        return
    events = []
    for place, event_id in enumerate(counted):
        data: dict[str, Any] = {"model": f"m-{(number + place) % 4}", "tags": ["a"]}
        data |= {"cost_usd": "0.5"} if place == number % 3 else {}
        data |= {"web_searches": 2} if number % 2 else {"input_tokens": 1000}
        events.append(usage(event_id, f"c-{(which + place) % 5}", START - timedelta(hours=number), **data))
    position = log.deliver(events, scope)
    received = tuple(locator_of(position, row) for row in range(len(events)))
    pairs = {"counted": tuple(counted.values()), "received": received}
    log.append(UsageReplaced, f"replacement/{scope}/{received[0]}", **_of_scope(number), **pairs)


def _version(which: int, days: float | None) -> PriceVersion:
    since = None if days is None else START - timedelta(days=days)
    return PriceVersion(since, UnitPrices(Decimal(which), Decimal(1), request=Decimal("0.1")))


def _set_price(log: WrittenLog, number: int, which: int) -> None:
    price = _version(which, None if which % 2 else which / 4)
    of_model = {"provider": "nowhere" if which % 5 else "", "model": f"m-{which % 4}"}
    stream, prices = f"price/{_scope(number)}/{which}", own_price_list(price)
    log.append(PriceSet, stream, **_of_scope(number), **of_model, prices=prices)


def _set_price_of_customer(log: WrittenLog, number: int, which: int) -> None:
    price, of_model = _version(number, None if number % 2 else which / 4), {"provider": "nowhere", "model": "m-1"}
    stream, owner = f"customer-price/{_scope(number)}/{which}", f"c-{which % 4}"
    log.append(
        PriceSet, stream, **_of_scope(number), **of_model, prices=own_price_list(price), customer_id=owner,
        life_began_at=START - timedelta(hours=20) if which == 7 else None,
    )  # fmt: skip


def _set_discount(log: WrittenLog, number: int, which: int) -> None:
    """Of the scope or a customer, on a model or on every one; none at all now and then."""
    of_model = {"provider": "nowhere", "model": f"m-{which % 3}"} if which % 2 else {}
    owner = None if which % 3 == 0 else f"c-{which % 4}"
    since = None if number % 2 else START - timedelta(hours=7 * number)
    about = {"percentage": Decimal(12 * number), "effective_from": since, "customer_id": owner}
    log.append(DiscountSet, f"discount/{_scope(number)}/{which}", **_of_scope(number), **of_model, **about)


def _ended_life(log: WrittenLog, number: int, which: int) -> None:
    """Delete a customer between its events."""
    customer_id, ended_at = f"c-{which % 4}", START - timedelta(hours=5 * number)
    about = {**_of_scope(0), "customer_id": customer_id, "effective_at": ended_at}
    log.append(CustomerDeleted, f"customer/{_scope(0)}/{customer_id}", **about)


def _set_price_while_voided(log: WrittenLog, number: int, which: int) -> None:
    for entry in ("void", "set a price", "restore"):
        _WRITERS[entry](log, number, which)


def _repriced(log: WrittenLog, number: int, which: int) -> None:
    """Commit a run over a range, previewed some records before; some runs come after a price that makes it differ."""
    if number % 2:
        _set_price(log, number, which)
    name, head = f"run-{log.log.head_position()}", log.log.head_position()
    asked = RepricingRange(
        models=(f"m-{which % 4}",) if which % 2 else (),
        provider="" if which == 5 else None,
        customers=(f"c-{which % 5}", "c-9") if number > 5 else (),
        start=START - timedelta(hours=7 * which) if which > 4 else None,
        given_costs="zeros" if number % 3 == 0 else "keep",
    )
    stream = f"repricing/{_scope(number)}/{name}"
    log.append(RepricingOpened, stream, **_of_scope(number), name=name, range=asked)
    previewed_at = max(1, head - number % 4)
    log.append(RepricingCommitted, stream, **_of_scope(number), name=name, range=asked, previewed_at=previewed_at)


def _reverted(log: WrittenLog, number: int, which: int) -> None:
    """Revert one of the runs that stand, if any does."""
    records = [record for record in log.log.read(0, 10_000) if record.topic.startswith("repricing.")]
    events = [decode_lifecycle(record.topic, record.state) for record in records]
    ended = {event.stream for event in events if isinstance(event, RepricingReverted)}
    standing = [event for event in events if isinstance(event, RepricingCommitted) and event.stream not in ended]
    if standing:
        event = standing[which % len(standing)]
        of_run = {"tenant": event.tenant, "environment": event.environment, "name": event.name}
        log.append(RepricingReverted, event.stream, **of_run)


def _repriced_and_reverted(log: WrittenLog, number: int, which: int) -> None:
    """A run that is reverted after events of it were voided, restored, or given another cost by a second run."""
    for entry in ("reprice", *(("void", "restore", "reprice", "void")[: number % 5]), "revert", "restore"):
        _WRITERS[entry](log, number, which)


def _corrected_by_filter(log: WrittenLog, number: int, which: int) -> None:
    """Commit a run that voids or restores events, previewed some records before."""
    name, head = f"fix-{log.log.head_position()}", log.log.head_position()
    asked = CorrectedEvents(
        models=(f"m-{which % 4}",) if which % 2 else (),
        providers=("",) if which == 5 else (),
        customers=(f"c-{which % 5}", "c-9") if number > 4 else (),
        sources=("gateway",) if which % 3 == 0 else (),
        tags=("a", "none") if which == 6 else (),
        start=START - timedelta(hours=7 * which) if which > 4 else None,
        recorded_to=START + timedelta(minutes=10) if number == 3 else None,
    )
    about = {**_of_scope(number), "name": name, "action": "restore" if number in (2, 5) else "void", "filter": asked}
    stream = f"correction-run/{_scope(number)}/{name}"
    log.append(CorrectionRunOpened, stream, **about)
    log.append(CorrectionRunCommitted, stream, **about, previewed_at=max(1, head - number % 3))


def _amended_by_filter(log: WrittenLog, number: int, which: int) -> None:
    """Commit a run that sets members of events, previewed some records before."""
    name, head = f"amend-{log.log.head_position()}", log.log.head_position()
    asked = CorrectedEvents(
        models=(f"m-{which % 4}",) if which % 2 else (),
        customers=(f"c-{which % 5}", "c-9") if number > 5 else (),
        tags=("a", "none") if which == 6 else (),
        end=START + timedelta(days=9),
    )
    members = SetMembers(
        model=f"m-{number % 4}" if number % 2 else None,
        provider=("", "acme")[number % 3 % 2] if number > 5 else None,
        customer=f"c-{which}" if number % 3 else None,
        add_tags=("a", "b")[: number % 3],
        remove_tags=("a",) if number % 3 == 0 else (),
    )
    about = {**_of_scope(number), "name": name, "action": "amend", "filter": asked, "members": members}
    stream = f"correction-run/{_scope(number)}/{name}"
    log.append(CorrectionRunOpened, stream, **about)
    log.append(CorrectionRunCommitted, stream, **about, previewed_at=max(1, head - number % 3))


def _amended_and_reverted(log: WrittenLog, number: int, which: int) -> None:
    """A run that is reverted after events of it were voided, amended, moved, priced or set by another run."""
    between = ("amend by filter", "amend", "void", "replace", "reprice", "amend by filter", "set a price", "restore")
    _WRITERS["amend by filter"](log, number, which)
    for entry in between[which % 4 : which % 4 + number % 4]:
        _WRITERS[entry](log, (number + 1) % 8, (which + 1) % 8)
    _WRITERS["revert corrections"](log, number, which)


def _reverted_corrections(log: WrittenLog, number: int, which: int) -> None:
    """Revert one of the correction runs that stand, if any does."""
    records = [record for record in log.log.read(0, 10_000) if record.topic.startswith("correction_run.")]
    events = [decode_lifecycle(record.topic, record.state) for record in records]
    ended = {event.stream for event in events if isinstance(event, CorrectionRunReverted)}
    standing = [event for event in events if isinstance(event, CorrectionRunCommitted) and event.stream not in ended]
    if standing:
        event = standing[which % len(standing)]
        of_run = {"tenant": event.tenant, "environment": event.environment, "name": event.name}
        log.append(CorrectionRunReverted, event.stream, **of_run)


def _corrected_and_reverted(log: WrittenLog, number: int, which: int) -> None:
    """A run that is reverted after events of it were voided, restored, amended, priced or corrected by another run."""
    between = ("void", "restore", "amend", "correct by filter", "set a price", "reprice", "revert")
    _WRITERS["correct by filter"](log, number, which)
    for entry in between[which % 3 : which % 3 + number]:
        _WRITERS[entry](log, number, which)
    _WRITERS["revert corrections"](log, number, which)


def _listed_price(log: WrittenLog, number: int, which: int) -> None:
    prices = price_list_of([_version(number, None), _version(which, 1)])
    of_model = {"provider": "nowhere", "model": f"m-{which % 3}", "matched": "nowhere/m"}
    log.append(PriceListed, f"price-list/{which}", **of_model, prices=prices, library="of the test 1")


def _customer_created(log: WrittenLog, number: int, which: int) -> None:
    """Customers with an even number have personal data."""
    customer_id = f"c-{which % 4}"
    seal = CustomerSeal(log.keys, CountedRandomness(f"{log.log.head_position()}"), _scope(number), customer_id)
    personal = seal.seal(f"key-{which}", {"name": "Ada"}, may_create=True) if which % 2 == 0 else None
    _customer(CustomerCreated, fields={"markup_percentage": str(which)}, personal=personal)(log, number, which)


def _customer(event: type[Any], **fields: Any) -> Callable[[WrittenLog, int, int], None]:
    def write(log: WrittenLog, number: int, which: int) -> None:
        customer_id = f"c-{which % 4}"
        log.append(
            event, f"customer/{_scope(number)}/{customer_id}", **_of_scope(number), customer_id=customer_id, **fields
        )

    return write


def _named(event: type[Any], name: str, kind: str = "", **fields: Any) -> Callable[[WrittenLog, int, int], None]:
    """Write an event of the thing that the field `name` names; `kind` tells apart streams of things with that field."""

    def write(log: WrittenLog, number: int, which: int) -> None:
        stream = f"{kind or name}/{_scope(number)}/{which % 2}"
        log.append(event, stream, **_of_scope(number), **{name: f"x-{which % 2}"}, **fields)

    return write


def _applied_coupon(event: type[Any]) -> Callable[[WrittenLog, int, int], None]:
    """Write an event of an applied coupon of a customer, which may end before it begins, and more than once."""

    def write(log: WrittenLog, number: int, which: int) -> None:
        customer_id = f"c-{which % 4}"
        about = {"customer_id": customer_id, "number": number % 3, "effective_at": START - timedelta(hours=9 * number)}
        terms = {"coupon": f"x-{which % 2}", "percentage": "5", "frequency": "forever"}
        fields = {"fields": terms} if event is CouponApplied else {}
        stream = f"customer-coupons/{_scope(number)}/{customer_id}"
        log.append(event, stream, **_of_scope(number), **about, **fields)

    return write


def _issued(log: WrittenLog, number: int, which: int) -> None:
    """Issue a key, unless it was issued before."""
    key_id = f"key-{which % 3}"
    if log.log.head_version(f"key/{key_id}"):
        return
    allowed = ("ingest", "read")[: which % 3]
    secret = {"prefix": "mf_1", "secret_hash": f"{which:064x}", "name": None if which % 2 else "a key"}
    valid_in = {"scopes": allowed, "environments": ("prod", "test")[: which % 3]}
    log.append(ApiKeyIssued, f"key/{key_id}", **_of_scope(number), key_id=key_id, **valid_in, **secret)


def _revoked(log: WrittenLog, number: int, which: int) -> None:
    """Revoke a key that was issued, maybe once more."""
    key_id = f"key-{which % 3}"
    if log.log.head_version(f"key/{key_id}"):
        log.append(ApiKeyRevoked, f"key/{key_id}", key_id=key_id)


def _honoured(log: WrittenLog, number: int, which: int) -> None:
    stream = f"command/{log.log.head_position()}"
    log.append(CommandHonoured, stream, **_of_scope(number), source="crm", id=str(which), kind="customer.block")


def _sealed(log: WrittenLog, number: int, which: int) -> None:
    """Seal everything, or all but the last records."""
    position = max(1, log.log.head_position() - number)
    *_, running_hash = chain(CHAIN_START, log.log.read(0, position))
    log.append(LogSealed, LOG_STREAM, position=position, running_hash=running_hash)


def _loaded(log: WrittenLog, number: int, events: list[tuple[int, int]]) -> None:
    """Load into a backfill that is opened then, or was before, and maybe ended."""
    name = f"fill-{number % 3}"
    if not _backfills_of(log, number, name):
        asked = _backfill_range(number, events[0][0])
        mode = "replace" if number % 2 else "add"
        stream = backfills_stream(_scope(number))
        log.append(BackfillOpened, stream, **_of_scope(number), name=name, range=asked, mode=mode)
    log.load(name, [_usage_event(which, variant) for which, variant in events], _scope(number))


def _backfill_range(number: int, which: int) -> BackfillRange:
    customers = (f"c-{which % 3}", "c-9") if number > 4 else ()
    return BackfillRange(START - timedelta(hours=7 * which + 10), START + timedelta(hours=1), customers)


def _backfills_of(log: WrittenLog, number: int, name: str) -> list[BackfillEvent]:
    records = log.log.stream(backfills_stream(_scope(number)))
    events = [decode_lifecycle(record.topic, record.state) for record in records]
    return [event for event in events if isinstance(event, BackfillEvent) and event.name == name]


def _backfilled(log: WrittenLog, number: int, which: int) -> None:
    """Commit a backfill that is open, by a preview of some records before, or cancel it now and then."""
    events = _backfills_of(log, number, f"fill-{which % 3}")
    if not events or len(events) > 1:
        return
    opened = events[0]
    assert isinstance(opened, BackfillOpened)
    about = {**_of_scope(number), "name": opened.name}
    if number == 3:
        log.append(BackfillCancelled, opened.stream, **about)
        return
    staged = log.log.head_version(staged_stream(_scope(number), opened.name))
    pinned = {"previewed_at": max(1, log.log.head_position() - which % 4), "blocks": max(0, staged - (which == 6))}
    log.append(BackfillCommitted, opened.stream, **about, range=opened.range, mode=opened.mode, **pinned)


def _reverted_backfill(log: WrittenLog, number: int, which: int) -> None:
    """Revert the last backfill that stands."""
    records = log.log.stream(backfills_stream(_scope(number)))
    events = [decode_lifecycle(record.topic, record.state) for record in records]
    ended = {event.name for event in events if isinstance(event, BackfillReverted)}
    standing = [event for event in events if isinstance(event, BackfillCommitted) and event.name not in ended]
    if standing:
        log.append(BackfillReverted, standing[-1].stream, **_of_scope(number), name=standing[-1].name)


def _replaced_by_backfill(log: WrittenLog, number: int, events: list[tuple[int, int]]) -> None:
    """Usage, a backfill of the same time, usage that repeats it, and maybe the revert."""
    _usage(log, number, events[: len(events) // 2])
    _loaded(log, number, events)
    _usage(log, number, events[len(events) // 2 :])
    _backfilled(log, number, number)
    _usage(log, number, list(reversed(events)))
    if number % 4 == 1:
        _reverted_backfill(log, number, number)


_WRITERS: Final[dict[str, Callable[[WrittenLog, int, Any], None]]] = {
    "usage": _usage,
    "atomic usage": lambda log, number, events: _usage(log, number, events, group="request", atomic=True),
    "usage of Kafka": _usage_of_kafka,
    "usage with facts": _usage_with_facts,
    "usage of subscriptions": _usage_of_subscriptions,
    "subscribe in the past": _subscribed_in_the_past,
    "end a subscription in the past": _ended_subscription,
    "correct usage of subscriptions": _corrected_usage_of_subscriptions,
    "void": _correction(UsageVoided),
    "restore": _correction(UsageRestored),
    "amend": _amend,
    "replace": _replaced,
    "set a price": _set_price,
    "set a price of a customer": _set_price_of_customer,
    "set a discount": _set_discount,
    "end a life in the past": _ended_life,
    "set a price while voided": _set_price_while_voided,
    "list a price": _listed_price,
    "reprice": _repriced,
    "revert": _reverted,
    "reprice and revert": _repriced_and_reverted,
    "correct by filter": _corrected_by_filter,
    "revert corrections": _reverted_corrections,
    "correct by filter and revert": _corrected_and_reverted,
    "amend by filter": _amended_by_filter,
    "amend by filter and revert": _amended_and_reverted,
    "create a customer": _customer_created,
    "update a customer": _customer(CustomerUpdated, fields={"default_model": "m-1", "time_zone": None}),
    "block a customer": _customer(CustomerBlocked),
    "delete a customer": _customer(CustomerDeleted),
    "create a budget": _named(BudgetCreated, "budget_id", fields={"period_limit_usd": "5"}),
    "update a budget": _named(BudgetUpdated, "budget_id", fields={"period_limit_usd": None}),
    "delete a budget": _named(BudgetDeleted, "budget_id"),
    "create a meter": _named(MeterCreated, "code", fields={"event_type": "disk", "aggregation": "max"}),
    "update a meter": _named(MeterUpdated, "code", fields={"name": "Disk"}),
    "delete a meter": _named(MeterDeleted, "code"),
    "create a plan": _named(PlanCreated, "code", "plan", fields={"interval": "monthly", "currency": "USD"}),
    "update a plan": _named(PlanUpdated, "code", "plan", fields={"name": "Plan"}),
    "delete a plan": _named(PlanDeleted, "code", "plan"),
    "create a subscription": _named(SubscriptionCreated, "subscription_id", fields={"customer": "c-1", "plan": "x-1"}),
    "update a subscription": _named(SubscriptionUpdated, "subscription_id", fields={"plan": "x-0"}),
    "terminate a subscription": _named(SubscriptionTerminated, "subscription_id"),
    "create a coupon": _named(CouponCreated, "code", "coupon", fields={"percentage": "5", "frequency": "forever"}),
    "update a coupon": _named(CouponUpdated, "code", "coupon", fields={"name": "Coupon"}),
    "delete a coupon": _named(CouponDeleted, "code", "coupon"),
    "apply a coupon": _applied_coupon(CouponApplied),
    "terminate an applied coupon": _applied_coupon(AppliedCouponTerminated),
    "issue a key": _issued,
    "revoke a key": _revoked,
    "consume a poll": _consumed,
    "lose records": _lost,
    "accept an offset": _accepted,
    "honour a command": _honoured,
    "seal": _sealed,
    "load": _loaded,
    "replace by a backfill": _replaced_by_backfill,
    "backfill": _backfilled,
    "revert a backfill": _reverted_backfill,
}
