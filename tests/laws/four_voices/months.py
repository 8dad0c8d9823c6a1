"""Months of customers with hostile ids, drawn: as they are told step by step, and as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.engine_fixtures import JsonObject
from tests.oracle.plain_lives import PlainCustomer, PlainMonth, Used

#: In a month in which New York sets its clocks back, and Berlin has done so.
NOW: Final = datetime(2025, 11, 27, 17, 30, 15, 250_000, UTC)
MONTH: Final = datetime(2025, 11, 1, tzinfo=UTC)
ZONES: Final = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe")
TICK: Final = timedelta(microseconds=1)
#: The instants of facts, deletions and usage: days, the starts of the month, and both sides of now.
DAYS: Final = tuple(NOW - timedelta(days=days) for days in range(1, 38, 2))
STARTS: Final = tuple(datetime(2025, 11, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC) for zone in ZONES)
CLOCK_CHANGE: Final = datetime(2025, 11, 2, 6, tzinfo=UTC)
AHEAD: Final = (NOW + timedelta(hours=3), NOW + timedelta(hours=20))
MOMENTS: Final = tuple(sorted({*DAYS, *STARTS, CLOCK_CHANGE, NOW - TICK, NOW, *AHEAD}))
#: Ids that meet the rules of paths, queries, headers, JSON, SQL patterns and lists.
HOSTILE_IDS: Final = (
    *(
        " ",
        "a b",
        " ann ",
        "a/b",
        "/a",
        "a/",
        "a//b",
        "a/usage",
        "list",
        "%",
        "100%",
        "%2F",
        "a%20b",
        "+",
        "a+b",
        "a&b=c",
    ),
    *(
        "a?b",
        "a#b",
        "a,b",
        "a;b",
        "..a",
        "../a",
        "a/../b",
        "'",
        '"',
        "\\",
        "{id}",
        "[]",
        "\n",
        "a\tb",
        "\u202eab",
        "null",
    ),
    *(
        "🦔",
        "👩‍👩‍👧",
        "ß",
        "é",
        "e\u0301",
        "Ann",
        "ann",
        "0",
        "1.0",
        "3dfc539f93f474d4575affe4",
        "x" * 1_000,
        "🦔" * 1_000,
    ),
)


@dataclass(frozen=True)
class Said:
    """A command about a customer as it is told, or a log of Respan's with what it says of the customer."""

    kind: str
    customer: str
    data: JsonObject
    by_kafka: bool


@dataclass(frozen=True)
class Batch:
    """Usage that is sent together."""

    events: tuple[JsonObject, ...]
    by_kafka: bool


@dataclass(frozen=True)
class Month:
    """A month as it is told, step by step, and as plain data."""

    told: tuple[Said | Batch, ...]
    plain: PlainMonth


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


IDS: Final = one_of(*HOSTILE_IDS) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8
).filter(lambda text: text not in (".", ".."))
#: Costs whose sums need every digit, and half a credit.
COSTS: Final = one_of("0", "1", "2.5", "0.0000005", "0.0000015", "0.000000001", "12345.678901234") | st.decimals(
    0, 1000, allow_nan=False, places=9
).map(str)
MARKUPS: Final = one_of("0", "10", "12.5", "33.3333", "-50", "250")


@dataclass
class Telling:
    """What one customer's history adds up to, while it is drawn."""

    early: list[JsonObject] = field(default_factory=list)
    late: list[JsonObject] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    used: list[Used] = field(default_factory=list)
    markups: list[tuple[datetime, Decimal]] = field(default_factory=list)
    created: list[bool] = field(default_factory=list)


@st.composite
def usage(draw: st.DrawFn, identity: str, customer: str, at: datetime) -> tuple[JsonObject, Used]:
    is_request, is_root = draw(st.integers(0, 5)) > 0, draw(st.integers(0, 3)) > 0
    cost = draw(st.none() | COSTS | COSTS) if is_request else None
    tokens = draw(st.integers(0, 10**9)) if is_request else 0
    data: JsonObject = {"provider": "acme", "model": draw(one_of("swift", "slow")), "input_tokens": tokens}
    data |= {} if cost is None else {"cost_usd": cost}
    data |= {} if is_root else {"parent_request": "another"}
    event = {
        "specversion": "1.0",
        "id": identity,
        "source": "gateway",
        "type": "llm.request" if is_request else "disk.sampled",
        "subject": customer,
        "time": at.isoformat(),
        "data": {**data, "status": draw(one_of("succeeded", "failed"))} if is_request else {"bytes": 1},
    }
    plain = Used(identity, customer, at, None if cost is None else Decimal(cost), tokens, is_request, is_root)
    return event, plain


@st.composite
def customers(draw: st.DrawFn, number: int, customer: str) -> tuple[Telling, PlainCustomer]:
    """A customer with up to three lives, each created by a command or begun by usage that is told before the facts."""
    telling = Telling()
    past = [one for one in MOMENTS if MOMENTS[0] < one <= NOW]
    ended = draw(one_of(0, 1, 2))
    ends = sorted(draw(st.lists(one_of(*past), min_size=ended, max_size=ended, unique=True)))
    for begin, end in pairwise([MOMENTS[0], *ends]):
        draw(lives(telling, customer, begin, end))
    zone, active, budget = draw(lives(telling, customer, max([MOMENTS[0], *ends]), None))
    for late in range(draw(one_of(1, 3, 6))):
        at = draw(one_of(*MOMENTS)) + draw(one_of(-1, 0, 0, 1)) * TICK
        event, plain = draw(usage(f"{number} {late}", customer, at))
        (telling.late if draw(st.booleans()) else telling.early).append(event)
        telling.used.append(plain)
    told = PlainCustomer(
        customer, tuple(ends), tuple(telling.created), tuple(telling.markups), zone, active, has_budget=budget
    )
    return telling, told


@st.composite
def lives(
    draw: st.DrawFn, telling: Telling, customer: str, begin: datetime, end: datetime | None
) -> tuple[str | None, bool, bool]:
    """Draw a life onto `telling`; return its zone, whether it is active now, and whether it has a budget."""
    begun_by = draw(one_of("creation", "usage", *(() if end else ("nothing",))))
    telling.created.append(begun_by == "creation")
    if begun_by == "nothing":
        return "UTC", True, False
    zone: str | None = "UTC"
    first: list[Said] = []
    if begun_by == "creation":
        zone, markup = draw(one_of(*ZONES)), draw(MARKUPS)
        fields = {"effective_at": begin.isoformat(), "time_zone": zone, "markup_percentage": markup}
        first.append(Said("customer.create", customer, fields, draw(st.booleans())))
        telling.markups.append((begin, Decimal(markup)))
    else:
        event, plain = draw(usage(f"begin {len(telling.created)} {customer}"[:900], customer, begin))
        telling.early.append(event)
        telling.used.append(plain)
    within = [one for one in MOMENTS if begin < one and (end is None or one < end)]
    facts, active, budget = [], True, False
    size = min(draw(one_of(0, 2, 4)), len(within))
    for at in sorted(draw(st.lists(one_of(*within), min_size=size, max_size=size, unique=True))) if within else ():
        topic = draw(one_of("markup", "markup", "log", "name", "zone", "active", "budget"))
        topic = "markup" if topic == "log" and at > NOW else topic
        if topic == "active":
            is_on = draw(st.booleans())
            active = is_on if at <= NOW else active
            kind = "customer.reactivate" if is_on else "customer.deactivate"
            facts.append(Said(kind, customer, {"effective_at": at.isoformat()}, draw(st.booleans())))
            continue
        if topic == "log":
            facts.append(draw(logs(telling, customer, at)))
            continue
        fields = {}
        if topic == "markup":
            fields["markup_percentage"] = draw(MARKUPS)
            telling.markups.append((at, Decimal(fields["markup_percentage"])))
        if topic == "name":
            fields["name"] = "Ann"
        if topic == "zone":
            fields["time_zone"], zone = draw(one_of(*ZONES)), None
        if topic == "budget" and at <= NOW:
            fields["budget"], budget = {"period_limit_usd": "5", "duration": "1mo"}, True
        facts.append(Said("customer.update", customer, {"effective_at": at.isoformat(), **fields}, draw(st.booleans())))
    telling.said += [*first, *draw(st.permutations(facts))]
    if end is not None:
        by_kafka = end != NOW or draw(st.booleans())
        telling.said.append(Said("customer.delete", customer, {"effective_at": end.isoformat()}, by_kafka))
    return zone, active, budget


@st.composite
def logs(draw: st.DrawFn, telling: Telling, customer: str, at: datetime) -> Said:
    """A log of Respan's whose parameters say a markup, which counts for the log itself too."""
    identity, cost, markup = f"log {len(telling.used)} {customer}"[:900], draw(st.integers(0, 9)), draw(MARKUPS)
    telling.markups.append((at, Decimal(markup)))
    telling.used.append(Used(identity, customer, at, Decimal(cost), 0, True, True))
    params = {"markup_percentage": float(markup)}
    return Said(
        "log",
        customer,
        {"unique_id": identity, "timestamp": at.isoformat(), "cost": cost, "customer_params": params},
        False,
    )


@st.composite
def months(draw: st.DrawFn) -> Month:
    ids = draw(st.lists(IDS, min_size=1, max_size=3, unique=True))
    drawn = [draw(customers(number, one)) for number, one in enumerate(ids)]
    of_each = {one.id: iter(telling.said) for telling, one in drawn}
    turns = draw(st.permutations([said.customer for telling, _ in drawn for said in telling.said]))
    told: list[Said | Batch] = []
    early = draw(batches([event for telling, _ in drawn for event in telling.early]))
    late = draw(batches([event for telling, _ in drawn for event in telling.late]))
    told += [*early, *(next(of_each[customer]) for customer in turns), *late]
    used = [one for telling, _ in drawn for one in telling.used]
    return Month(tuple(told), PlainMonth(NOW, {one.id: one for _, one in drawn}, used))


@st.composite
def batches(draw: st.DrawFn, events: Sequence[JsonObject]) -> list[Batch]:
    """The events in any order, in one batch or two, of which one may be sent again."""
    order = draw(st.permutations(list(events)))
    cut = draw(st.integers(0, len(order)))
    whole = [Batch(tuple(part), draw(st.booleans())) for part in (order[:cut], order[cut:]) if part]
    return [*whole, *whole[: draw(one_of(0, 0, 1))]]
