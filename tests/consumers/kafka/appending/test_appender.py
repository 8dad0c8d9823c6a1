"""A poll of a partition is one append, fenced by the partition's stream; its last record holds the checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from consumers.commands.handler import CommandHandler
from consumers.intake.options import IntakeOptions
from consumers.kafka.appending.appender import PartitionAppender, PartitionBatch, RejectedItem, UsageRun
from consumers.kafka.appending.blocks import REJECTED_ROWS_MAX
from consumers.kafka.appending.checkpoints import POLLS_AGAIN_MAX, PartitionCheckpoint
from domain.errors import Fenced, LogUnavailable
from domain.event import Provenance
from domain.log.blocks import decode_typed, read_header
from domain.log.event_codec import decode_lifecycle
from domain.log.records import USAGE_BATCH_TOPIC, NewRecord
from domain.log.sqlite.event_log import SQLiteEventLog
from domain.prices.commands import SetPrice
from domain.prices.events import PriceListed
from domain.prices.own_price import OwnPrice
from domain.prices.price_list import UnitRate
from domain.scope import DEFAULT_SCOPE, Scope
from domain.sources.events import OffsetsAccepted, PartitionConsumed, PartitionTruncated, RecordsLost
from domain.usage.block_schema import BLOCK_EVENTS_MAX
from tests.consumers.intake.test_intake import AskedPrices
from tests.consumers.kafka.appending.partition_polls import (
    FIRST_ARRIVAL,
    OTHER_PARTITION,
    RECORDED_AT,
    SEED,
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

STREAM = "usage/kafka/cluster-1/topic-1/0"
OTHER = Scope("globex", "test")


def topics(log: InMemoryEventLog) -> list[str]:
    return [record.topic for record in log.read(0, 10_000)]


def header_of(log: InMemoryEventLog, position: int) -> Any:
    return read_header(log.read(position - 1, 1)[0].state)


def ids_of(log: InMemoryEventLog, position: int) -> list[str | None]:
    found: list[str | None] = decode_typed(log.read(position - 1, 1)[0].state).column("id").to_pylist()
    return found


def test_a_poll_of_usage_is_one_block_that_says_where_to_go_on() -> None:
    log = InMemoryEventLog()
    appender = appender_on(log, InMemoryPersonalKeys())
    assert appender.read_checkpoint(SOURCE).next_offset is None

    done = appender.append(poll([event("a"), event("b")], first_offset=5))

    assert (done.position, done.received, done.rejected, done.commands) == (1, 2, [], [])
    header = header_of(log, 1)
    assert (header.stream, header.version, header.first_offset, header.last_offset) == (STREAM, 1, 5, 6)
    assert header.extra == {"topic": "meterfold.usage", "partition": 0, "next_offset": 7, "first_version": 1}
    assert appender_on(log, InMemoryPersonalKeys()).read_checkpoint(SOURCE).next_offset == 7
    assert appender.read_checkpoint(OTHER_PARTITION).next_offset is None


def test_a_poll_goes_on_behind_the_last_record_whatever_offsets_are_missing() -> None:
    log = InMemoryEventLog()
    appender = appender_on(log, InMemoryPersonalKeys())
    appender.append(PartitionBatch(SOURCE, 0, 40, poll([event("a")]).parts))
    appender.append(PartitionBatch(SOURCE, 41, 50, []))

    assert topics(log) == [USAGE_BATCH_TOPIC, "source.consumed"]
    assert appender.read_checkpoint(SOURCE).next_offset == 50


def test_an_event_without_time_happened_when_its_record_arrived() -> None:
    log = InMemoryEventLog()
    sent = poll([event("a"), event("b"), event("c") | {"time": "2026-02-01T00:00:00Z"}, event("d")])
    run = sent.parts[0]
    assert isinstance(run, UsageRun)
    run.arrivals_us[3] = -1

    appender_on(log, InMemoryPersonalKeys()).append(sent)

    times = [time.replace(tzinfo=UTC) for time in decode_typed(log.read(0, 1)[0].state).column("time").to_pylist()]
    assert times == [
        FIRST_ARRIVAL,
        FIRST_ARRIVAL + timedelta(seconds=1),
        datetime(2026, 2, 1, tzinfo=UTC),
        RECORDED_AT,
    ]


def test_the_key_of_a_record_names_its_customer_where_the_event_does_not() -> None:
    log = InMemoryEventLog()
    items = [poll([event(str(number), None)]).parts[0].items[0] for number in range(3)]  # type: ignore[union-attr]
    run = UsageRun(DEFAULT_SCOPE, items, [0, 1, 2], [arrival_us(0)] * 3, ["one", None, "t" * 1_001])

    done = appender_on(log, InMemoryPersonalKeys()).append(PartitionBatch(SOURCE, 0, 3, [run]))

    assert decode_typed(log.read(0, 1)[0].state).column("subject").to_pylist() == ["one", None, None]
    assert [(item.offset, item.reason) for item in done.rejected] == [(1, "subject_missing"), (2, "subject_invalid")]


def test_a_unit_that_the_scope_has_priced_is_told_by_its_name() -> None:
    log = InMemoryEventLog()
    sent = event("a", gpu_seconds=4)
    appender = appender_on(log, InMemoryPersonalKeys())
    appender.append(poll([sent]))
    commands = CommandHandler(log, InMemoryPersonalKeys(), lambda: RECORDED_AT, CountedRandomness())
    rates = {"input_tokens": UnitRate(Decimal(1)), "gpu_seconds": UnitRate(Decimal(2))}
    commands.handle(SetPrice(DEFAULT_SCOPE, Provenance("test"), "", "m", OwnPrice(None, rates=rates)))
    appender.append(poll([sent | {"id": "b"}], first_offset=1))

    blocks = [decode_typed(one.state) for one in log.read(0, 9) if one.topic == USAGE_BATCH_TOPIC]
    assert [block.column("units").to_pylist() for block in blocks] == [
        [None],
        [[{"unit": "gpu_seconds", "quantity": Decimal(4)}]],
    ]


def test_usage_of_several_scopes_makes_a_block_of_each() -> None:
    log = InMemoryEventLog()
    sent = poll([event("a"), event("b"), event("c"), event("d")])
    [run] = sent.parts
    assert isinstance(run, UsageRun)
    sent.parts = [
        UsageRun([DEFAULT_SCOPE, OTHER][index % 2], run.items[index : index + 1], [index], [arrival_us(index)])
        for index in range(4)
    ]

    done = appender_on(log, InMemoryPersonalKeys()).append(sent)

    assert [ids_of(log, 1), ids_of(log, 2)] == [["a", "c"], ["b", "d"]]
    assert [header_of(log, 1).scope, header_of(log, 2).scope] == [DEFAULT_SCOPE, OTHER]
    assert ("next_offset" in header_of(log, 1).extra, header_of(log, 2).extra["next_offset"]) == (False, 4)
    assert (header_of(log, 1).first_offset, header_of(log, 1).last_offset, done.position) == (0, 2, 2)


def test_a_large_poll_is_cut_into_full_blocks() -> None:
    log = InMemoryEventLog()
    count = BLOCK_EVENTS_MAX + 3
    done = appender_on(log, InMemoryPersonalKeys()).append(poll([b"1"] * 100 + [event(str(n)) for n in range(count)]))

    assert [header_of(log, position).count for position in (1, 2)] == [BLOCK_EVENTS_MAX, 103]
    assert (done.received, len(done.rejected)) == (count + 100, 100)


def test_rejected_items_have_their_offsets_at_the_append_and_from_the_log() -> None:
    log = InMemoryEventLog()
    appender = appender_on(log, InMemoryPersonalKeys())
    items = [b"oops", poll([event("b")]).parts[0].items[0], b"{}", b""]  # type: ignore[union-attr]
    run = UsageRun(DEFAULT_SCOPE, items, [10, 10, 10, 4_000_000_000], [arrival_us(0)] * 4, None, [0, 1, 2, 0])

    done = appender.append(PartitionBatch(SOURCE, 10, 4_000_000_001, [run]))

    assert [(item.offset, item.index, item.reason, item.raw) for item in done.rejected] == [
        (10, 0, "not_json", b"oops"),
        (10, 2, "specversion_unsupported", b"{}"),
        (4_000_000_000, 0, "not_json", b""),
    ]
    assert all(item.detail for item in done.rejected)
    assert appender.rejected_since(SOURCE, None) == done.rejected
    assert appender.rejected_since(OTHER_PARTITION, None) == []


def test_without_an_offset_the_rejections_of_the_last_poll_are_found_past_records_about_offsets() -> None:
    log = InMemoryEventLog()
    appender = appender_on(log, InMemoryPersonalKeys())
    appender.append(poll([b"first"]))
    last = appender.append(poll([b"second", command("customer.block"), b"third"], first_offset=1))
    appender.records_lost(SOURCE, 4, 9)
    appender.accept_offset(SOURCE, 2, "the topic was truncated")

    assert [item.raw for item in last.rejected] == [b"second", b"third"]
    assert appender.rejected_since(SOURCE, None) == last.rejected


def test_a_poll_of_nothing_but_garbage_keeps_every_offset() -> None:
    log = InMemoryEventLog()
    appender = appender_on(log, InMemoryPersonalKeys())
    count = 2 * REJECTED_ROWS_MAX + 5
    sent = poll([b"x"] * count)
    run = sent.parts[0]
    assert isinstance(run, UsageRun)
    run.offsets = [number * 1_000_000_007 for number in range(count)]
    sent.next_offset = run.offsets[-1] + 1

    done = appender.append(sent)

    assert [header_of(log, position).count for position in (1, 2, 3)] == [REJECTED_ROWS_MAX, REJECTED_ROWS_MAX, 5]
    assert [item.offset for item in appender.rejected_since(SOURCE, None)] == run.offsets
    assert appender.rejected_since(SOURCE, None) == done.rejected


def test_prices_are_listed_before_the_usage_that_they_price() -> None:
    log, prices = InMemoryEventLog(), AskedPrices("m")
    appender = PartitionAppender(
        log, InMemoryPersonalKeys(), SEED, lambda: RECORDED_AT, CountedRandomness(), prices, IntakeOptions()
    )
    appender.append(poll([event("a")]))
    done = appender.append(poll([event("b")], first_offset=1))

    assert topics(log) == ["price.listed", USAGE_BATCH_TOPIC, USAGE_BATCH_TOPIC]
    listed = decode_lifecycle("price.listed", log.read(0, 1)[0].state)
    assert isinstance(listed, PriceListed)
    assert listed.prices.standard[0].rates["input_tokens"].price == Decimal(1)
    assert (done.position, prices.asked) == (3, [("p", "m")])


def test_of_two_consumers_that_append_a_partition_one_wins_and_the_other_is_fenced() -> None:
    log = InMemoryEventLog()
    zombie, owner = appender_on(log, InMemoryPersonalKeys()), appender_on(log, InMemoryPersonalKeys())
    for appender in (zombie, owner):
        appender.read_checkpoint(SOURCE)
    owner.append(poll([event("a"), command("customer.block"), event("b")]))

    with pytest.raises(Fenced):
        zombie.append(poll([event("a"), command("customer.block")]))

    assert topics(log).count("source.consumed") == 1
    assert zombie.read_checkpoint(SOURCE).next_offset == 3
    zombie.append(poll([event("c")], first_offset=3))
    with pytest.raises(Fenced):
        owner.append(poll([event("c")], first_offset=3))
    assert owner.read_checkpoint(SOURCE).next_offset == 4


def test_offsets_that_the_log_has_are_never_appended_again() -> None:
    log = InMemoryEventLog()
    appender = appender_on(log, InMemoryPersonalKeys())
    appender.append(poll([event("a"), event("b")]))

    with pytest.raises(Fenced, match="below 2"):
        appender.append(poll([event("b"), event("c")], first_offset=1))

    assert log.head_position() == 1


class RacedLog(InMemoryEventLog):
    """Before the next append another process appends what the test asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Sequence[NewRecord]] = []

    def append(self, records: Sequence[NewRecord]) -> list[int]:
        if self.before:
            super().append(self.before.pop(0))
        return super().append(records)


def test_a_price_that_another_listed_in_between_costs_a_retry_and_no_event() -> None:
    theirs, log = InMemoryEventLog(), RacedLog()
    for one in (theirs, log):
        one.append([NewRecord("log", 1, "log.created", b"")])

    def appender(one: InMemoryEventLog) -> PartitionAppender:
        clock, prices = lambda: RECORDED_AT, AskedPrices("m")
        return PartitionAppender(one, InMemoryPersonalKeys(), SEED, clock, CountedRandomness(), prices, IntakeOptions())

    appender(theirs).append(poll([event("x")]))
    [listed] = [record for record in theirs.read(0, 10) if record.topic == "price.listed"]
    log.before.append([NewRecord(listed.stream, 1, listed.topic, listed.state)])

    appender(log).append(poll([event("a")]))

    assert topics(log) == ["log.created", "price.listed", USAGE_BATCH_TOPIC]


def test_an_append_that_is_fenced_again_and_again_gives_up_and_stores_nothing() -> None:
    class NeverFree(InMemoryEventLog):
        attempts = 0

        def append(self, records: Sequence[NewRecord]) -> list[int]:
            self.attempts += 1
            raise Fenced("somebody was faster")

    log = NeverFree()
    with pytest.raises(Fenced):
        appender_on(log, InMemoryPersonalKeys(), append_attempts_max=3).append(poll([command("customer.block")]))
    assert (log.attempts, log.head_position()) == (3, 0)


def test_a_poll_that_the_log_refused_can_be_appended_again_whole() -> None:
    class FullOnce(InMemoryEventLog):
        full = True

        def append(self, records: Sequence[NewRecord]) -> list[int]:
            if self.full:
                raise LogUnavailable("the disk is full")
            return super().append(records)

    log = FullOnce()
    appender = appender_on(log, InMemoryPersonalKeys())
    sent = poll([event("a"), command("customer.create", name="Ada"), event("b")])
    with pytest.raises(LogUnavailable):
        appender.append(sent)
    assert log.head_position() == 0

    log.full = False
    done = appender.append(sent)

    assert [outcome.outcome for outcome in done.commands] == ["honoured"]
    assert topics(log).count("customer.created") == 1


def test_lost_and_accepted_offsets_move_the_end_and_are_fenced_like_a_poll() -> None:
    log = InMemoryEventLog()
    first, second = appender_on(log, InMemoryPersonalKeys()), appender_on(log, InMemoryPersonalKeys())
    first.append(poll([event("a")]))
    second.read_checkpoint(SOURCE)

    assert first.records_lost(SOURCE, 1, 100) == 2
    with pytest.raises(Fenced):
        second.records_lost(SOURCE, 1, 100)
    assert second.read_checkpoint(SOURCE).next_offset == 100
    assert second.accept_offset(SOURCE, 30, "restored from a mirror") == 3
    assert first.read_checkpoint(SOURCE).next_offset == 30

    lost, accepted = (decode_lifecycle(one.topic, one.state) for one in log.read(1, 2))
    assert isinstance(lost, RecordsLost)
    assert (lost.from_offset, lost.to_offset, lost.topic) == (1, 100, SOURCE.topic)
    assert isinstance(accepted, OffsetsAccepted)
    assert accepted.next_offset == 30
    assert accepted.provenance.reason == "restored from a mirror"
    first.append(poll([event("b")], first_offset=30))


def test_once_the_broker_lacked_what_was_read_nothing_is_appended_until_an_offset_is_accepted() -> None:
    log = InMemoryEventLog()
    first, second = appender_on(log, InMemoryPersonalKeys()), appender_on(log, InMemoryPersonalKeys())
    first.append(poll([event(str(number)) for number in range(5)]))
    second.read_checkpoint(SOURCE)

    assert first.truncated(SOURCE, 3) == 2
    with pytest.raises(Fenced):
        second.append(poll([event("x")], first_offset=5))
    assert (
        second.read_checkpoint(SOURCE)
        == first.read_checkpoint(SOURCE)
        == PartitionCheckpoint(2, 5, None, truncated_at=3)
    )
    for appender in (first, second):
        with pytest.raises(Fenced, match="until an operator accepts"):
            appender.append(poll([event("x")], first_offset=5))

    second.accept_offset(SOURCE, 0, "restored from a backup")
    assert first.read_checkpoint(SOURCE) == PartitionCheckpoint(3, 0)
    first.append(poll([event("x")]))
    (record,) = log.read(1, 1)
    truncated = decode_lifecycle(record.topic, record.state)
    assert isinstance(truncated, PartitionTruncated)
    assert (truncated.next_offset, truncated.end_offset, truncated.topic) == (5, 3, SOURCE.topic)


@pytest.mark.parametrize("sent", [[event("a")], [command("customer.block")], []])
def test_the_log_keeps_the_leader_epoch_of_the_last_record_read(sent: list[Any]) -> None:
    log = InMemoryEventLog()
    batch = poll(sent)
    batch.next_offset, batch.leader_epoch = 3, 7
    appender = appender_on(log, InMemoryPersonalKeys())
    appender.append(batch)

    end = appender_on(log, InMemoryPersonalKeys()).read_checkpoint(SOURCE)
    assert (end.version, end.next_offset, end.leader_epoch) == (1, 3, 7)


def test_the_log_keeps_the_instant_of_a_command_for_usage_of_its_millisecond() -> None:
    log = InMemoryEventLog()
    appender_on(log, InMemoryPersonalKeys()).append(poll([event("a"), command("customer.block")]))

    command_us = appender_on(log, InMemoryPersonalKeys()).read_checkpoint(SOURCE).last_command_us
    assert command_us is not None
    assert command_us % 1_000 == 1
    following = poll([event("b")], first_offset=2)
    following.parts[0].arrivals_us = [command_us - 1]  # type: ignore[union-attr]
    second = appender_on(log, InMemoryPersonalKeys())
    second.append(following)
    assert second.read_checkpoint(SOURCE).last_command_us == command_us


def test_rejections_of_several_polls_are_found_from_an_offset_on() -> None:
    log = InMemoryEventLog()
    appender = appender_on(log, InMemoryPersonalKeys())
    appender.append(poll([b"0", b"1"]))
    appender.append(poll([event("a"), b"3"], first_offset=2))
    appender.append(poll([b"4", command("customer.block"), b"6"], first_offset=4))

    def rejected(offset: int | None) -> list[bytes]:
        return [item.raw for item in appender.rejected_since(SOURCE, offset)]

    assert [rejected(offset) for offset in (None, 0, 1, 2, 4, 5, 7)] == [
        [b"4", b"6"],
        [b"0", b"1", b"3", b"4", b"6"],
        [b"1", b"3", b"4", b"6"],
        [b"3", b"4", b"6"],
        [b"4", b"6"],
        [b"6"],
        [],
    ]


def test_rejections_are_looked_for_in_a_bounded_number_of_polls() -> None:
    log = InMemoryEventLog()
    appender = appender_on(log, InMemoryPersonalKeys())
    for number in range(POLLS_AGAIN_MAX + 2):
        appender.append(poll([b"%d" % number], first_offset=number))

    offsets = [item.offset for item in appender.rejected_since(SOURCE, 0)]
    assert offsets == list(range(2, POLLS_AGAIN_MAX + 2))


def test_a_forgotten_partition_is_read_from_the_log_again() -> None:
    log = InMemoryEventLog()
    first, second = appender_on(log, InMemoryPersonalKeys()), appender_on(log, InMemoryPersonalKeys())
    first.append(poll([event("a")]))
    second.append(poll([event("b")], first_offset=1))
    first.forget(SOURCE)
    first.append(poll([event("c")], first_offset=2))

    assert second.read_checkpoint(SOURCE).next_offset == 3


def test_the_last_record_has_the_outcome_of_every_command() -> None:
    log = InMemoryEventLog()
    sent = [command("customer.block"), command("customer.nap", command_id="2"), command("customer.block")]
    appender_on(log, InMemoryPersonalKeys()).append(poll(sent, first_offset=7))

    last = log.read(log.head_position() - 1, 1)[0]
    consumed = decode_lifecycle(last.topic, last.state)
    assert isinstance(consumed, PartitionConsumed)
    assert (consumed.stream, consumed.version, consumed.first_offset, consumed.next_offset) == (STREAM, 1, 7, 10)
    assert [(one.offset, one.kind, one.source, one.id, one.outcome) for one in consumed.commands] == [
        (7, "customer.block", "crm", "1", "honoured"),
        (8, "customer.nap", "crm", "2", "refused"),
        (9, "customer.block", "crm", "1", "duplicate"),
    ]
    assert [one.reason is None for one in consumed.commands] == [True, False, True]


def test_the_real_log_keeps_a_poll_whole(tmp_path: Path) -> None:
    log = SQLiteEventLog(tmp_path / "log.sqlite")
    appender = appender_on(log, InMemoryPersonalKeys())
    done = appender.append(poll([event("a"), command("customer.create", name="Ada"), event("b"), b"oops"]))
    assert done.position == log.head_position() == 5
    with pytest.raises(Fenced):
        log.append([NewRecord("x", 1, "t", b""), NewRecord(STREAM, 1, "t", b"")])
    assert log.head_position() == 5
    assert appender.read_checkpoint(SOURCE).next_offset == 4
    assert appender.rejected_since(SOURCE, None) == [
        RejectedItem(3, 0, DEFAULT_SCOPE, "not_json", done.rejected[0].detail, b"oops")
    ]
    log.close()
