"""Events outside of the range of a backfill are rejected; those inside are as they would be without one."""

from __future__ import annotations

from datetime import UTC, datetime

from domain.usage.decoding.decoder import DecodedEvents, ItemRun, decode_items
from domain.usage.decoding.range_check import OUTSIDE_RANGE, TakenEvents, with_range
from tests.domain.usage.usage_event_texts import CONTEXT, text

FROM, TO = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
INSIDE = text(id="inside", time="2026-03-01T00:00:00Z", subject="acme", source="gateway")
ITEMS = [
    INSIDE,
    text(id="late", time="2026-03-02T00:00:00Z", subject="acme", source="gateway"),
    text(id="early", time="2026-02-28T23:59:59.999999Z", subject="acme", source="gateway"),
    text(id="of beta", time="2026-03-01T00:00:00Z", subject="beta", source="gateway"),
    text(id="elsewhere", time="2026-03-01T00:00:00Z", subject="acme", source="other"),
    b"no event",
]


def refused(decoded: DecodedEvents) -> list[tuple[str | None, str | None]]:
    """The reason and the detail of each row; of accepted ones neither."""
    reasons, details = decoded.typed.column("reason").to_pylist(), decoded.free.column("detail").to_pylist()
    return list(zip(reasons, details, strict=True))


def checked(taken: TakenEvents) -> DecodedEvents:
    return with_range(decode_items([ItemRun(ITEMS)], CONTEXT), ITEMS, taken)


def test_each_event_outside_is_rejected_with_the_field_and_the_rule_that_it_breaks() -> None:
    decoded = checked(TakenEvents(FROM, TO, ("acme", "zeta"), ("gateway",)))
    not_json = refused(decode_items([ItemRun([b"no event"])], CONTEXT))[0]
    assert refused(decoded) == [
        (None, None),
        (OUTSIDE_RANGE, "time: must be in the range of the backfill"),
        (OUTSIDE_RANGE, "time: must be in the range of the backfill"),
        (OUTSIDE_RANGE, "subject: must be one of those of the backfill"),
        (OUTSIDE_RANGE, "source: must be one of those of the backfill"),
        not_json,
    ]
    assert decoded.rejected_rows == [1, 2, 3, 4, 5]


def test_an_event_that_has_the_customer_of_its_subscription_is_taken() -> None:
    items = [text(subject=None, source="lago/x", time="2026-03-01T00:00:00Z", data={"subscription": "x"})]
    plain = decode_items([ItemRun(items)], CONTEXT)
    assert refused(with_range(plain, items, TakenEvents(FROM, TO, ("acme",)))) == [(None, None)]


def test_what_was_sent_is_kept_and_what_could_be_read_of_it() -> None:
    decoded = checked(TakenEvents(FROM, TO))
    assert decoded.free.column("raw").to_pylist() == [None, ITEMS[1], ITEMS[2], None, None, b"no event"]
    assert decoded.typed.column("id").to_pylist()[1] == "late"


def test_events_that_are_all_inside_are_left_as_they_are() -> None:
    plain = decode_items([ItemRun([INSIDE])], CONTEXT)
    assert with_range(plain, [INSIDE], TakenEvents(FROM, TO)) is plain
