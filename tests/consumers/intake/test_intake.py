"""Intake stores what it is given, shares appends, keeps requests apart, and survives every error."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from consumers.errors import IntakeFull, IntakeUnavailable
from consumers.intake.intake import IntakeOptions, IntakeReceipt, IntakeRequest, LocalIntake
from consumers.intake.requests import Piece
from consumers.prices.listing import PriceResolver
from domain.errors import Fenced, InvalidInput, LogUnavailable
from domain.event import Provenance
from domain.log.blocks import check_block, decode_free, decode_typed, read_header
from domain.log.event_codec import decode_lifecycle
from domain.log.records import USAGE_BATCH_TOPIC, NewRecord
from domain.prices.events import PriceListed
from domain.prices.price_list import PriceList, StandardRule, UnitRate
from domain.scope import DEFAULT_SCOPE, Scope
from domain.streams import listed_price_stream, usage_stream
from domain.usage.block_schema import BLOCK_EVENTS_MAX
from domain.usage.decoding.decoder import DecodingContext, ItemRun, decode_items
from tests.domain.usage.usage_event_texts import NDJSON, RECORDED_AT, text
from tests.fakes.event_log import InMemoryEventLog
from tests.fakes.gated_intake import no_price
from tests.fakes.sealer import sealer

STREAM = usage_stream("http", "local")
SECONDS_MAX = 20.0


class Prices(msgspec.Struct, frozen=True):
    prices: PriceList = PriceList((StandardRule({"input_tokens": UnitRate(Decimal(1))}),))
    library: str = "a library 1.0"
    matched: str = "openai/gpt-4o"


class AskedPrices:
    """Knows the models it was given, and remembers what it was asked."""

    def __init__(self, *known: str) -> None:
        self.known = known
        self.asked: list[tuple[str | None, str]] = []

    def __call__(self, provider: str | None, model: str) -> Prices | None:
        self.asked.append((provider, model))
        return Prices() if model in self.known else None


class HeldLog(InMemoryEventLog):
    """Appends wait while it is held, and fail as they are told. Counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Event()
        self.free.set()
        self.waiting = threading.Semaphore(0)
        self.failures: list[Exception] = []
        self.appends: list[Sequence[NewRecord]] = []

    def append(self, records: Sequence[NewRecord]) -> list[int]:
        self.waiting.release()
        assert self.free.wait(SECONDS_MAX)
        if self.failures:
            raise self.failures.pop(0)
        self.appends.append(records)
        return super().append(records)


class SecondAppendFails(InMemoryEventLog):
    """A log whose disk is full for one moment."""

    def __init__(self) -> None:
        super().__init__()
        self.appends = 0

    def append(self, records: Sequence[NewRecord]) -> list[int]:
        self.appends += 1
        if self.appends == 2:
            raise LogUnavailable("the disk is full")
        return super().append(records)


@contextmanager
def intake_on(log: InMemoryEventLog, resolve: PriceResolver = no_price, **options: Any) -> Iterator[LocalIntake]:
    intake = LocalIntake(log, 7, lambda: RECORDED_AT, resolve, IntakeOptions(**options), sealer(log))
    try:
        yield intake
    finally:
        intake.close()


def request(*lines: bytes, **changes: Any) -> IntakeRequest:
    fields: dict[str, Any] = {"scope": DEFAULT_SCOPE, "content_type": NDJSON, "body": b"\n".join(lines)} | changes
    return IntakeRequest(**fields)


def receipt(future: Future[IntakeReceipt]) -> IntakeReceipt:
    return future.result(SECONDS_MAX)


def blocks(log: InMemoryEventLog) -> list[tuple[int, Any, list[Any]]]:
    """(position, header, ids) of every usage block in the log."""
    return [
        (record.position, check_block(record.state), decode_typed(record.state).column("id").to_pylist())
        for record in log.read(0, 1_000)
        if record.topic == USAGE_BATCH_TOPIC
    ]


def test_a_receipt_says_where_the_events_are() -> None:
    log = InMemoryEventLog()
    with intake_on(log) as intake:
        found = receipt(intake.submit(request(text(id="a"), b"oops", text(id="b"))))
    assert found == IntakeReceipt(1, ((1, 0, 3),), 3, 1)  # type: ignore[arg-type]
    [(position, header, ids)] = blocks(log)
    assert (position, ids) == (1, ["a", None, "b"])
    assert (header.stream, header.version, header.first_offset, header.last_offset) == (STREAM, 1, 0, 2)
    assert (header.recorded_at, header.count, header.rejected) == (RECORDED_AT, 3, 1)


def test_requests_that_wait_together_share_one_append_and_keep_their_rows() -> None:
    log = HeldLog()
    log.free.clear()
    with intake_on(log) as intake:
        first = intake.submit(request(text(id="first")))
        assert log.waiting.acquire(timeout=SECONDS_MAX)
        later = [intake.submit(request(*(text(id=f"{n}-{k}") for k in range(n + 1)), b"no")) for n in range(3)]
        other = intake.submit(request(text(id="other"), scope=Scope("globex", "test")))
        log.free.set()
        assert receipt(first).pieces == ((1, 0, 1),)
        assert [receipt(future) for future in later] == [
            IntakeReceipt(2, ((2, 0, 2),), 2, 1),  # type: ignore[arg-type]
            IntakeReceipt(2, ((2, 2, 5),), 3, 1),  # type: ignore[arg-type]
            IntakeReceipt(2, ((2, 5, 9),), 4, 1),  # type: ignore[arg-type]
        ]
        assert receipt(other).pieces == ((3, 0, 1),)
    assert [len(records) for records in log.appends] == [1, 2]
    headers = [header for _, header, _ in blocks(log)]
    assert [(header.scope, header.version, header.first_offset, header.last_offset) for header in headers] == [
        (DEFAULT_SCOPE, 1, 0, 0),
        (DEFAULT_SCOPE, 2, 1, 9),
        (Scope("globex", "test"), 3, 10, 10),
    ]


def test_a_group_stops_at_its_bounds() -> None:
    log = HeldLog()
    log.free.clear()
    with intake_on(log, group_events_max=3) as intake:
        held = intake.submit(request(text()))
        assert log.waiting.acquire(timeout=SECONDS_MAX)
        futures = [intake.submit(request(text(id=f"{n}-1"), text(id=f"{n}-2"))) for n in range(2)]
        log.free.set()
        assert [receipt(future).position for future in (held, *futures)] == [1, 2, 3]


def test_a_large_request_spans_blocks_in_order() -> None:
    log = InMemoryEventLog()
    lines = [b"1"] * (2 * BLOCK_EVENTS_MAX + 5)
    with intake_on(log) as intake:
        found = receipt(intake.submit(request(*lines)))
    assert found == IntakeReceipt(
        3,
        (Piece(1, 0, BLOCK_EVENTS_MAX), Piece(2, 0, BLOCK_EVENTS_MAX), Piece(3, 0, 5)),
        len(lines),
        len(lines),
    )


def test_parts_of_several_large_requests_share_appends_but_a_small_one_among_them_is_appended_soon() -> None:
    log = HeldLog()
    log.free.clear()
    with intake_on(log) as intake:
        held = intake.submit(request(text()))
        assert log.waiting.acquire(timeout=SECONDS_MAX)
        large = [intake.submit(request(*[b"1"] * 3_000, key="bulk")) for _ in range(2)]
        log.free.set()
        assert receipt(held).position == 1
        assert [{piece.position for piece in receipt(future).pieces} for future in large] == [{2}, {2}]
        log.free.clear()
        held = intake.submit(request(text()))
        assert log.waiting.acquire(timeout=SECONDS_MAX)
        large = [intake.submit(request(*[b"1"] * 6_000, key="bulk")) for _ in range(2)]
        small = intake.submit(request(text(id="small"), key="small"))
        log.free.set()
        assert (receipt(held).position, receipt(small).position) == (3, 4)
        assert max(receipt(future).position for future in large) > 4


def test_an_atomic_request_stays_in_one_block() -> None:
    log = HeldLog()
    log.free.clear()
    with intake_on(log, group_events_max=3 * BLOCK_EVENTS_MAX) as intake:
        held = intake.submit(request(text()))
        assert log.waiting.acquire(timeout=SECONDS_MAX)
        before = intake.submit(request(*[b"1"] * (BLOCK_EVENTS_MAX - 1)))
        atomic = intake.submit(request(text(id="a"), text(id="b"), group="g", atomic=True))
        log.free.set()
        assert [receipt(future).pieces for future in (held, before, atomic)] == [
            ((1, 0, 1),),
            ((2, 0, BLOCK_EVENTS_MAX - 1),),
            ((3, 0, 2),),
        ]
    typed = decode_typed(log.read(2, 1)[0].state)
    assert (typed.column("group").to_pylist(), typed.column("atomic").to_pylist()) == (["g", "g"], [True, True])


def test_an_atomic_request_that_fits_no_block_is_refused_as_a_whole() -> None:
    log = InMemoryEventLog()
    with intake_on(log) as intake:
        future = intake.submit(request(*[b"1"] * (BLOCK_EVENTS_MAX + 1), group="g", atomic=True))
        with pytest.raises(InvalidInput, match="at most 10000 events"):
            future.result(SECONDS_MAX)
        assert receipt(intake.submit(request(text()))).position == 1


def test_a_request_without_events_is_answered_with_the_head_of_the_log() -> None:
    log = InMemoryEventLog()
    with intake_on(log) as intake:
        receipt(intake.submit(request(text())))
        assert receipt(intake.submit(request(b"\n"))) == IntakeReceipt(1, (), 0, 0)


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"content_type": "text/csv"}, "Content-Type"), ({"customer_header": ""}, "customer header")],
)
def test_a_request_that_cannot_be_taken_is_refused_at_once(changes: dict[str, Any], field: str) -> None:
    with intake_on(InMemoryEventLog()) as intake, pytest.raises(InvalidInput) as caught:
        intake.submit(request(text(), **changes))
    assert caught.value.field == field


def test_the_customer_header_names_the_customer_of_events_without_a_subject() -> None:
    log = InMemoryEventLog()
    with intake_on(log) as intake:
        receipt(intake.submit(request(text(subject=None), customer_header="from-header")))
    assert decode_typed(log.read(0, 1)[0].state).column("subject").to_pylist() == ["from-header"]


def test_files_have_a_stream_of_their_own() -> None:
    log = InMemoryEventLog()
    with intake_on(log, name="here") as intake:
        receipt(intake.submit(request(text(), kind="file")))
    assert log.read(0, 1)[0].stream == "usage/file/here"


def test_requests_beyond_the_bounds_are_refused_and_pending_ones_are_still_taken() -> None:
    log = HeldLog()
    log.free.clear()
    size = len(text())
    with intake_on(log, pending_requests_max=2, pending_bytes_max=3 * size) as intake:
        taken = [intake.submit(request(text()))]
        assert log.waiting.acquire(timeout=SECONDS_MAX)
        taken.append(intake.submit(request(text(), text()[:-10])))
        with pytest.raises(IntakeFull, match="bytes are waiting"):
            intake.submit(request(text(), text()))
        taken.append(intake.submit(request(text())))
        with pytest.raises(IntakeFull, match="2 requests are waiting"):
            intake.submit(request(b""))
        with pytest.raises(InvalidInput, match="body"):
            intake.submit(request(*[text()] * 4))
        log.free.set()
        assert [receipt(future).received for future in taken] == [1, 2, 1]


def test_a_cancelled_request_is_dropped() -> None:
    log = HeldLog()
    log.free.clear()
    with intake_on(log) as intake:
        held = intake.submit(request(text(id="held")))
        assert log.waiting.acquire(timeout=SECONDS_MAX)
        given_up = intake.submit(request(text(id="given-up")))
        assert given_up.cancel()
        log.free.set()
        receipt(held)
        receipt(intake.submit(request(text(id="last"))))
    assert [ids for _, _, ids in blocks(log)] == [["held"], ["last"]]


def test_a_failed_append_fails_its_requests_and_intake_goes_on() -> None:
    log = HeldLog()
    log.failures = [LogUnavailable("the disk is full")]
    with intake_on(log) as intake:
        with pytest.raises(LogUnavailable, match="the disk is full"):
            intake.submit(request(text())).result(SECONDS_MAX)
        assert receipt(intake.submit(request(text()))).position == 1


def test_a_request_that_makes_intake_fail_does_not_fail_others() -> None:
    log = HeldLog()
    log.free.clear()

    def failing_resolver(provider: str | None, model: str) -> None:
        if model == "cursed":
            raise RuntimeError("cursed")

    with intake_on(log, failing_resolver) as intake:
        held = intake.submit(request(text()))
        assert log.waiting.acquire(timeout=SECONDS_MAX)
        cursed = intake.submit(request(text(data={"model": "cursed"})))
        neighbour = intake.submit(request(text(id="neighbour")))
        log.free.set()
        with pytest.raises(RuntimeError, match="cursed"):
            cursed.result(SECONDS_MAX)
        assert [receipt(held).position, receipt(neighbour).position] == [1, 2]


def test_a_single_event_is_durable_long_before_a_large_request_that_came_first() -> None:
    log = HeldLog()
    log.free.clear()
    with intake_on(log) as intake:
        held = intake.submit(request(text(id="held"), key="one"))
        assert log.waiting.acquire(timeout=SECONDS_MAX)
        large = intake.submit(request(*(text(id=f"{n}") for n in range(30_000)), key="one"))
        single = intake.submit(request(text(id="single"), key="other"))
        same_key = intake.submit(request(text(id="same key"), key="one"))
        log.free.set()
        receipts = [receipt(future) for future in (held, single, same_key, large)]
    assert [one.received for one in receipts] == [1, 1, 1, 30_000]
    held_at, single_at, same_key_at, large_at = (one.position for one in receipts)
    assert held_at < single_at <= large_at - 2
    assert held_at < same_key_at <= large_at - 2
    stored = [name for _, _, ids in blocks(log) for name in ids]
    assert [name for name in stored if name.isdigit()] == [f"{n}" for n in range(30_000)]
    assert sum(piece.row_to - piece.row_from for piece in receipts[3].pieces) == 30_000


def test_slices_of_one_request_make_the_blocks_that_it_would_make_as_a_whole() -> None:
    lines = [text(id=f"{n}", subject=f"customer-{n % 7}") if n % 3 else b"oops" for n in range(4_000)]
    log, context = InMemoryEventLog(), DecodingContext(DEFAULT_SCOPE, 7, RECORDED_AT)
    with intake_on(log) as intake:
        assert receipt(intake.submit(request(*lines, key="one"))).rejected == 1_334
    whole = decode_items([ItemRun(lines)], context)
    [record] = log.read(0, 10)
    assert decode_typed(record.state).to_pylist() == whole.typed.to_pylist()
    assert decode_free(record.state).to_pylist() == whole.free.to_pylist()


def test_a_request_of_which_a_part_is_stored_is_not_said_to_be_refused() -> None:
    log = SecondAppendFails()
    with intake_on(log) as intake:
        with pytest.raises(IntakeUnavailable, match="a part of the request is stored, then: the disk is full"):
            receipt(intake.submit(request(*[b"0"] * (BLOCK_EVENTS_MAX + 5), key="one")))
        assert receipt(intake.submit(request(text()))).position == 2


def test_another_writer_of_the_stream_costs_a_retry() -> None:
    log = InMemoryEventLog()
    with intake_on(log) as one, intake_on(log) as other:
        futures = [intake.submit(request(text(id=f"{n}"))) for n in range(5) for intake in (one, other)]
        assert sorted(receipt(future).received for future in futures) == [1] * 10
    assert sorted(name for _, _, ids in blocks(log) for name in ids) == sorted(f"{n}" for n in range(5) for _ in "12")
    headers = [header for _, header, _ in blocks(log)]
    assert [header.version for header in headers] == list(range(1, len(headers) + 1))
    assert [header.first_offset for header in headers[1:]] == [header.last_offset + 1 for header in headers[:-1]]


def test_retries_are_bounded() -> None:
    log = HeldLog()
    log.failures = [Fenced("again")] * 3
    with intake_on(log, append_attempts_max=3) as intake:
        with pytest.raises(Fenced):
            intake.submit(request(text())).result(SECONDS_MAX)
        assert receipt(intake.submit(request(text()))).position == 1


def test_a_restarted_intake_goes_on_with_versions_and_offsets() -> None:
    log = InMemoryEventLog()
    for name in ("a", "b"):
        with intake_on(log) as intake:
            receipt(intake.submit(request(text(id=name), text(id=f"{name}2"))))
    assert [(header.version, header.first_offset, header.last_offset) for _, header, _ in blocks(log)] == [
        (1, 0, 1),
        (2, 2, 3),
    ]


def test_a_list_price_goes_into_the_log_once_before_the_first_usage() -> None:
    log, prices = InMemoryEventLog(), AskedPrices("gpt-4o")
    unknown = text(id="u", data={"model": "home-grown"})
    bare = text(id="n", data={"cost_usd": "1"})
    with intake_on(log, prices) as intake:
        found = receipt(intake.submit(request(text(id="a"), unknown, bare, text(id="b"))))
        receipt(intake.submit(request(text(id="c"), unknown)))
    assert found.pieces == ((2, 0, 4),)
    assert [record.topic for record in log.read(0, 9)] == ["price.listed", USAGE_BATCH_TOPIC, USAGE_BATCH_TOPIC]
    listed = log.read(0, 1)[0]
    assert decode_lifecycle(listed.topic, listed.state) == PriceListed(
        stream=listed_price_stream("openai", "gpt-4o"),
        version=1,
        recorded_at=RECORDED_AT,
        effective_at=RECORDED_AT,
        provenance=Provenance("engine"),
        provider="openai",
        model="gpt-4o",
        prices=Prices().prices,
        library="a library 1.0",
        matched="openai/gpt-4o",
    )
    assert sorted(prices.asked, key=str) == [("openai", "gpt-4o"), (None, "home-grown")]


def test_neither_other_types_nor_rejected_events_ask_for_prices() -> None:
    prices = AskedPrices("gpt-4o")
    with intake_on(InMemoryEventLog(), prices) as intake:
        receipt(intake.submit(request(text(type="gpu.second"), text(time="never"))))
    assert prices.asked == []


def test_a_price_that_is_listed_already_is_not_listed_again() -> None:
    log = InMemoryEventLog()
    for _ in range(2):
        with intake_on(log, AskedPrices("gpt-4o")) as intake:
            receipt(intake.submit(request(text())))
    assert [record.topic for record in log.read(0, 9)] == ["price.listed", USAGE_BATCH_TOPIC, USAGE_BATCH_TOPIC]


def test_a_price_that_another_intake_lists_in_between_is_not_listed_again() -> None:
    class RacedLog(InMemoryEventLog):
        """Another intake lists the price just before the first append."""

        raced = False

        def append(self, records: Sequence[NewRecord]) -> list[int]:
            if not self.raced and records[0].topic == "price.listed":
                self.raced = True
                super().append(records[:1])
            return super().append(records)

    log = RacedLog()
    with intake_on(log, AskedPrices("gpt-4o")) as intake:
        assert receipt(intake.submit(request(text()))).pieces == ((2, 0, 1),)
    assert [record.topic for record in log.read(0, 9)] == ["price.listed", USAGE_BATCH_TOPIC]


def test_closing_finishes_what_was_submitted_and_takes_nothing_more() -> None:
    log = InMemoryEventLog()
    intake = LocalIntake(log, 7, lambda: datetime(2026, 9, 2, tzinfo=UTC), no_price, IntakeOptions(), sealer(log))
    futures = [intake.submit(request(text(id=f"{n}"))) for n in range(20)]
    intake.close()
    assert [future.done() and receipt(future).received for future in futures] == [1] * 20
    with pytest.raises(IntakeUnavailable):
        intake.submit(request(text()))
    assert read_header(log.read(0, 1)[0].state).first_offset == 0
