"""Facts that events carry are stored with them, the personal ones encrypted under the key of the customer's life."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumers.commands.handler import CommandHandler
from consumers.intake.fact_sealing import FactSealer
from consumers.intake.intake import IntakeOptions, IntakeReceipt, IntakeRequest, LocalIntake
from consumers.intake.item_facts import ItemFacts
from domain.customers.commands import NOT_LOOKED_UP, CreateCustomer, DeleteCustomer, UpdateCustomer
from domain.customers.customer import Customer
from domain.customers.event_facts import StoredFacts, checked_event_facts, facts_text
from domain.customers.events import CustomerEvent, CustomerFactsCarried
from domain.customers.personal_data import CustomerSeal, open_personal, personal_key_id
from domain.event import Provenance
from domain.log.blocks import decode_facts, decode_typed
from domain.log.event_codec import decode_lifecycle
from domain.log.records import USAGE_BATCH_TOPIC, NewRecord
from domain.scope import DEFAULT_SCOPE
from domain.streams import customer_stream
from tests.captured_logs import captured_logs
from tests.domain.usage.usage_event_texts import RECORDED_AT, text
from tests.fakes.event_log import InMemoryEventLog
from tests.fakes.gated_intake import no_price
from tests.fakes.personal_keys import InMemoryPersonalKeys
from tests.fakes.randomness import CountedRandomness

STREAM = customer_stream(DEFAULT_SCOPE, "acme")
WHO = Provenance("key_1", "native")
SECONDS_MAX = 20.0


Given = dict[str, Any] | ItemFacts | None


def request(items: Sequence[bytes], facts: Sequence[Given]) -> IntakeRequest:
    carried = tuple(ItemFacts(facts_text(checked_event_facts(one))) if isinstance(one, dict) else one for one in facts)
    batch = "application/cloudevents-batch+json"
    return IntakeRequest(DEFAULT_SCOPE, batch, tuple(items), key="key_2", facts=carried, dialect="respan")


class Laboratory:
    """A log with an intake and commands."""

    def __init__(self, log: InMemoryEventLog | None = None) -> None:
        self.log = log or InMemoryEventLog()
        self.keys = InMemoryPersonalKeys()
        self.commands = CommandHandler(self.log, self.keys, lambda: RECORDED_AT, CountedRandomness("commands"))
        self.sealer = FactSealer(self.log, self.keys, CountedRandomness())

    def intake(self) -> LocalIntake:
        return LocalIntake(self.log, 7, lambda: RECORDED_AT, no_price, IntakeOptions(), self.sealer)

    def submit(self, items: Sequence[bytes], facts: Sequence[Given]) -> IntakeReceipt:
        intake = self.intake()
        try:
            return intake.submit(request(items, facts)).result(SECONDS_MAX)
        finally:
            intake.close()

    def create(self, **fields: Any) -> None:
        self.commands.handle(CreateCustomer(DEFAULT_SCOPE, WHO, "acme", fields))

    def delete(self) -> None:
        self.commands.handle(DeleteCustomer(DEFAULT_SCOPE, WHO, "acme", seen_at=NOT_LOOKED_UP))

    def blocks(self) -> list[tuple[StoredFacts, ...]]:
        return [decode_facts(record.state) for record in self.log.read(0, 100) if record.topic == USAGE_BATCH_TOPIC]

    def stream(self) -> list[CustomerEvent]:
        events = [decode_lifecycle(record.topic, record.state) for record in self.log.stream(STREAM)]
        return [event for event in events if isinstance(event, CustomerEvent)]

    def told(self) -> list[tuple[int, str | None]]:
        """(version, key id) of what the stream was told of facts that usage carries."""
        return [(one.version, one.personal_key_id) for one in self.stream() if isinstance(one, CustomerFactsCarried)]

    def opened(self, facts: StoredFacts) -> dict[str, Any] | None:
        assert facts.personal is not None
        return open_personal(self.keys, facts.personal, DEFAULT_SCOPE, "acme")


def key_of(life: int) -> str:
    return personal_key_id(STREAM, life)


def test_facts_are_stored_by_row_with_key_and_dialect_and_personal_ones_are_encrypted() -> None:
    lab = Laboratory()
    items = [text(id="a"), text(id="b"), text(id="c")]
    lab.submit(items, [None, {"name": "Ada", "markup_percentage": 5}, {"name": None}])
    [(first, second)] = lab.blocks()
    assert first == StoredFacts(1, {"markup_percentage": "5"}, first.personal, "key_2", "respan")
    assert (second.row, second.fields) == (2, {})
    assert [lab.opened(one) for one in (first, second)] == [{"name": "Ada"}, {"name": None}]
    assert b"Ada" not in lab.log.read(0, 9)[-1].state
    assert lab.keys.keys.keys() == {key_of(1)}


def test_the_stream_of_a_customer_is_told_once_that_usage_carries_facts_and_once_that_its_key_is_in_use() -> None:
    lab = Laboratory()
    said: list[dict[str, Any]] = [{"markup_percentage": 1}, {"currency": "EUR"}, {"name": "Ada"}, {"name": "Bob"}]
    for number, facts in enumerate(said):
        lab.submit([text(id=f"e-{number}")], [facts])
    assert lab.told() == [(1, None), (2, key_of(1))]
    assert [record.topic for record in lab.log.read(0, 2)] == ["customer.facts_carried", USAGE_BATCH_TOPIC]


def test_requests_without_facts_tell_nobody_and_leave_a_block_of_version_1() -> None:
    lab = Laboratory()
    lab.submit([text(id="a")], [None])
    lab.submit([text(id="b")], [])
    assert [record.state[:4] for record in lab.log.read(0, 9)] == [b"MFB1", b"MFB1"]


def test_another_intake_learns_from_the_stream_what_this_one_told_it() -> None:
    lab = Laboratory()
    lab.submit([text(id="a")], [{"name": "Ada"}])
    lab.sealer = FactSealer(lab.log, lab.keys, CountedRandomness("other"))
    lab.submit([text(id="b")], [{"name": "Bob"}])
    assert lab.told() == [(1, key_of(1))]


def test_facts_hold_in_the_life_of_their_event_under_its_key() -> None:
    lab = Laboratory()
    lab.create(name="Ada")
    lab.delete()
    later = (RECORDED_AT + timedelta(minutes=5)).isoformat()
    lab.submit([text(id="now", time=later)], [{"name": "Bob"}])
    [[facts]] = lab.blocks()
    assert facts.personal is not None
    assert facts.personal.key_id == key_of(2)
    assert lab.told() == [(3, key_of(2))]


def test_personal_facts_of_a_life_that_has_ended_are_left_out_and_the_others_are_kept() -> None:
    lab = Laboratory()
    lab.create(name="Ada")
    lab.delete()
    lab.submit([text(id="late")], [{"name": "Bob", "markup_percentage": 7}])
    assert lab.blocks() == [(StoredFacts(0, {"markup_percentage": "7"}, None, "key_2", "respan"),)]
    assert lab.told() == []


@pytest.mark.parametrize("is_destroyed", [True, False], ids=["destroyed", "lost"])
def test_usage_counts_without_personal_facts_whose_key_is_gone_and_a_warning_says_so_once(is_destroyed: bool) -> None:
    lab = Laboratory()
    lab.create(name="Ada")
    if is_destroyed:
        lab.keys.destroy(key_of(1))
    else:
        lab.keys.keys.clear()
    with captured_logs() as logs:
        receipt = lab.submit([text(id="a"), text(id="b")], [{"name": "Bob", "currency": "EUR"}, {"name": "Cy"}])
    assert receipt.rejected == 0
    assert [[(one.fields, one.personal) for one in block] for block in lab.blocks()] == [
        [({"currency": "EUR"}, None), ({}, None)]
    ]
    assert [entry["event"] for entry in logs] == ["personal_facts_left_out"]


def test_a_key_that_facts_were_encrypted_with_is_never_replaced_when_it_is_lost() -> None:
    lab = Laboratory()
    lab.submit([text(id="a")], [{"name": "Ada"}])
    lab.keys.keys.clear()
    lab.submit([text(id="b")], [{"name": "Bob"}])
    assert lab.keys.keys == {}
    assert lab.blocks()[1][0].personal is None


class OvertakenLog(InMemoryEventLog):
    """Before the first append of usage, another process creates the customer."""

    def __init__(self) -> None:
        super().__init__()
        self.overtake: list[Any] = []

    def append(self, records: Sequence[NewRecord]) -> list[int]:
        if self.overtake and records[-1].topic == USAGE_BATCH_TOPIC:
            self.overtake.pop()()
        return super().append(records)


def test_facts_are_sealed_again_when_another_process_wrote_to_the_stream_in_between() -> None:
    log = OvertakenLog()
    lab = Laboratory(log)

    def end_two_lives() -> None:
        lab.create(name="Ada")
        lab.delete()
        lab.delete()

    log.overtake.append(end_two_lives)
    later = (RECORDED_AT + timedelta(minutes=5)).isoformat()
    receipt = lab.submit([text(id="a", time=later)], [{"name": "Bob"}])
    [[facts]] = lab.blocks()
    assert facts.personal is not None
    assert (facts.personal.key_id, lab.told()) == (key_of(3), [(4, key_of(3))])
    assert lab.opened(facts) == {"name": "Bob"}
    assert [tuple(piece) for piece in receipt.pieces] == [(5, 0, 1)]


def test_a_command_after_facts_of_usage_uses_the_same_key() -> None:
    lab = Laboratory()
    lab.submit([text(id="a")], [{"name": "Ada"}])
    lab.commands.handle(
        UpdateCustomer(DEFAULT_SCOPE, WHO, "acme", {"email": "a@b.example"}, seen_at=datetime(2026, 9, 1, tzinfo=UTC))
    )
    assert lab.keys.keys.keys() == {key_of(1)}
    one = Customer(DEFAULT_SCOPE, "acme", CustomerSeal(lab.keys, CountedRandomness(), DEFAULT_SCOPE, "acme"))
    for event in lab.stream():
        one.replay(event)
    assert one.timeline.latest() == {"email": "a@b.example"}


def test_facts_that_break_a_rule_reject_their_event_alone_and_carry_nothing() -> None:
    lab = Laboratory()
    items = [text(id=f"e-{number}") for number in range(30)]
    facts: list[Given] = [{"name": f"N{number}"} for number in range(30)]
    facts[3] = ItemFacts(problem=("customer_params.email", "must be an email address"))
    receipt = lab.submit(items, facts)
    assert (receipt.received, receipt.rejected) == (30, 1)
    [block] = lab.blocks()
    assert [one.row for one in block] == [row for row in range(30) if row != 3]
    reasons = decode_typed(lab.log.read(0, 9)[-1].state).column("reason").to_pylist()
    assert [(row, reason) for row, reason in enumerate(reasons) if reason] == [(3, "facts_invalid")]


def test_facts_keep_their_rows_in_a_request_that_is_cut_into_slices_and_blocks() -> None:
    lab = Laboratory()
    count = 10_500
    items = [text(id=f"e-{number}", subject="acme") for number in range(count)]
    facts = [{"currency": "EUR", "markup_percentage": number % 9_000} if number % 500 == 7 else None
             for number in range(count)]  # fmt: skip
    receipt = lab.submit(items, facts)
    assert receipt.received == count
    found: list[tuple[str, str]] = []
    for record in lab.log.read(0, 100):
        if record.topic == USAGE_BATCH_TOPIC:
            ids = decode_typed(record.state).column("id")
            found += [(ids[one.row].as_py(), one.fields["markup_percentage"]) for one in decode_facts(record.state)]
    assert found == [(f"e-{number}", str(number % 9_000)) for number in range(7, count, 500)]


class HeldLog(InMemoryEventLog):
    """The first append waits until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked, self.free = threading.Event(), threading.Event()

    def append(self, records: Sequence[NewRecord]) -> list[int]:
        self.is_asked.set()
        assert self.free.wait(SECONDS_MAX)
        return super().append(records)


def test_facts_keep_their_rows_in_requests_that_share_a_block() -> None:
    log = HeldLog()
    lab = Laboratory(log)
    intake = lab.intake()
    first = intake.submit(request([text(id="first")], []))
    assert log.is_asked.wait(SECONDS_MAX)
    later = [
        intake.submit(request([text(id=f"{n}-a"), text(id=f"{n}-b")], [None, {"markup_percentage": n}]))
        for n in range(3)
    ]
    log.free.set()
    assert [future.result(SECONDS_MAX).received for future in (first, *later)] == [1, 2, 2, 2]
    intake.close()
    assert [[(one.row, one.fields["markup_percentage"]) for one in block] for block in lab.blocks()] == [
        [],
        [(1, "0"), (3, "1"), (5, "2")],
    ]


def test_a_request_has_facts_or_none_for_each_of_its_items() -> None:
    lab = Laboratory()
    with pytest.raises(ValueError, match="for each"):
        lab.submit([text(id="a"), text(id="b")], [{"name": "Ada"}])
