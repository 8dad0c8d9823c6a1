"""The customers of the thirteen-month trace, and its scripted entries: prices, shared budgets and commands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.oracle.trace_entries import (
    BudgetWasChanged,
    BudgetWasCreated,
    CustomerWasBlocked,
    CustomerWasChanged,
    CustomerWasCreated,
    CustomerWasDeleted,
    CustomerWasUnblocked,
    DiscountWasGiven,
    Prices,
    PriceWasGiven,
    TraceEntry,
)

ZONES = (
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Pacific/Auckland",
    "UTC",
)
SEEN = tuple(f"seen-{number:02}" for number in range(1, 7))  # never created, known by usage alone
HOSTILE = ("a/b c%2F..", "Zoë ☃/\"'<>&?#")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


START, END = utc("2025-01-10"), utc("2026-02-14T12:00")


@dataclass(frozen=True)
class Silence:
    """A customer has no usage with an event time in [start, end)."""

    customer: str
    start: datetime
    end: datetime


SILENCES = (
    Silence("lives-again-created", utc("2025-06-01T12:00"), utc("2025-07-20")),
    Silence("lives-again-seen", utc("2025-05-05T09:30"), utc("2025-05-25")),
    Silence("gone-for-good", utc("2025-08-10T16:45"), END),
)


def prices() -> Iterator[TraceEntry]:
    million = Decimal
    swift = Prices(million("0.4"), million("1.6"), cached_input=million("0.1"))
    yield PriceWasGiven(utc("2025-01-10T00:00:01"), "acme", "swift", None, swift)
    deep = Prices(
        million("2.5"),
        million("10"),
        million("0.3125"),
        million("3.123456789"),
        million("12.0000001"),
        Decimal("0.0001"),
    )
    long = Prices(million("5"), million("15.5"))
    yield PriceWasGiven(utc("2025-01-10T00:00:02"), "acme", "deep", None, deep, ((20_000, deep), (60_000, long)))
    dated = Prices(million("1"), million("3"))
    yield PriceWasGiven(utc("2025-01-10T00:00:03"), "volt", "dated", utc("2025-01-01"), dated)
    dearer = Prices(million("1.25"), million("3.75"), reasoning=million("7"))
    yield PriceWasGiven(utc("2025-06-20T10:00"), "volt", "dated", utc("2025-07-01"), dearer)
    too_late = Prices(million("1.4"), million("4"))  # events that came before it keep the price they had
    yield PriceWasGiven(utc("2025-10-10T10:00"), "volt", "dated", utc("2025-08-01"), too_late)
    yield PriceWasGiven(
        utc("2025-09-01T08:00"), "volt", "later", utc("2025-05-01"), Prices(million("0.7"), million("2"))
    )
    yield from prices_of_customers()
    yield PriceWasGiven(utc("2025-12-20T08:00"), "volt", "later", None, Prices(million("0.6"), million("1.9")))


def prices_of_customers() -> Iterator[TraceEntry]:
    """Prices of customers' own and discounts, in lives that end; some fill unknown costs, or are replaced."""
    cheap, cheaper = Prices(Decimal(2), Decimal(8), request=Decimal("0.00005")), Prices(Decimal("0.3"), Decimal(1))
    reborn = "lives-again-created"
    yield PriceWasGiven(utc("2025-01-10T00:00:05"), "acme", "deep", None, cheap, ((10_000, cheaper),), reborn)
    yield PriceWasGiven(utc("2025-08-01T08:00"), "acme", "swift", None, cheaper, (), reborn)
    yield PriceWasGiven(utc("2025-07-15T08:00"), "volt", "later", utc("2025-05-10"), cheaper, (), "rolling-2")
    yield DiscountWasGiven(utc("2025-02-10T09:00"), "dies-twice", None, None, Decimal("12.5"))
    yield DiscountWasGiven(utc("2025-06-10T08:00"), "dies-twice", None, None, Decimal("5"), utc("2025-05-20"))
    yield DiscountWasGiven(
        utc("2025-03-10T09:00"), "rolling-1", "acme", "swift", Decimal("33.333333"), utc("2025-03-01")
    )
    yield DiscountWasGiven(utc("2025-03-10T09:01"), "rolling-1", None, None, Decimal(50))
    yield DiscountWasGiven(utc("2025-09-20T09:00"), "rolling-1", "acme", "swift", Decimal(0), utc("2025-09-20"))


def tiers() -> Iterator[TraceEntry]:
    basic = {"name": "Basic", "period_limit_usd": "0.75", "soft_limit_usd": "0.5", "budget_duration": "1mo"}
    yield BudgetWasCreated(utc("2025-01-10T00:00:10"), "basic", {**basic, "requests_per_minute": 60})
    yield BudgetWasChanged(utc("2025-05-14T11:00"), "basic", {"period_limit_usd": "1.25", "soft_limit_usd": None})
    yield BudgetWasChanged(utc("2025-09-17T11:00"), "basic", {"budget_duration": "weekly"})
    anchored = {
        "period_limit_usd": "2",
        "total_limit_usd": "12",
        "budget_duration": "30d",
        "budget_alignment": "anchored",
        "budget_anchor": "2025-01-15T09:15:00.000000Z",
    }
    yield BudgetWasCreated(utc("2025-01-10T00:00:11"), "rolling", anchored)


def opening_profiles() -> dict[str, dict[str, Any]]:
    """Every customer created in the first days, with the fields of its creation."""
    profiles: dict[str, dict[str, Any]] = {
        f"zone-{zone}": {"time_zone": zone, "budget_duration": "1d", "period_limit_usd": "0.05"} for zone in ZONES
    }
    for day, zone in ((29, "Europe/Berlin"), (30, "Asia/Kolkata"), (31, "America/New_York")):
        anchor = f"2024-12-{day}T11:22:33.000000Z"
        profiles[f"month-end-{day}"] = {
            "time_zone": zone,
            "usage_duration": "1mo",
            "usage_alignment": "anchored",
            "usage_anchor": anchor,
            "budget_duration": "monthly",
            "budget_alignment": "anchored",
            "budget_anchor": anchor,
            "period_limit_usd": "1.5",
        }
    profiles["in-the-gap"] = {
        "time_zone": "America/New_York",
        "usage_duration": "1w",
        "usage_alignment": "anchored",
        "usage_anchor": "2025-01-05T07:30:00.000000Z",  # 02:30 on a Sunday: does not exist on 9 March
        "budget_duration": "36h",
        "budget_alignment": "anchored",
        "budget_anchor": "2025-01-05T07:30:00.000000Z",
        "period_limit_usd": "0.1",
    }
    for number, zone in enumerate(ZONES[:3], start=1):
        profiles[f"basic-{number}"] = {"budget_id": "basic", "time_zone": zone}
        profiles[f"rolling-{number}"] = {"budget_id": "rolling", "time_zone": zone, "markup_percentage": "20"}
    profiles["basic-own-limit"] = {"budget_id": "basic", "period_limit_usd": "9", "time_zone": "UTC"}
    profiles["markup-dated"] = {"markup_percentage": "10", "time_zone": "Europe/Berlin", "budget_id": "rolling"}
    profiles["markup-backdated"] = {"markup_percentage": "33.3333", "budget_id": "basic"}
    profiles["markup-cleared"] = {"markup_percentage": "5", "total_limit_usd": "3"}
    profiles["moves-house"] = {"time_zone": "America/New_York", "budget_duration": "1mo", "period_limit_usd": "2"}
    profiles["moves-to-weeks"] = {"time_zone": "Australia/Lord_Howe"}
    profiles["shorter-budget"] = {"budget_duration": "30d", "period_limit_usd": "2", "time_zone": "Europe/Berlin"}
    profiles["custom-period"] = {
        "budget_duration": "1mo",
        "budget_alignment": "anchored",
        "period_start": "2025-01-12T00:00:00.000000Z",
        "period_end": "2025-02-28T12:00:00.000000Z",
        "period_limit_usd": "2",
    }
    profiles["opening-period"] = {"opening_spend_usd": "0.123456", "budget_duration": "1mo", "period_limit_usd": "1"}
    profiles["opening-total"] = {"opening_spend_usd": "2.5", "total_limit_usd": "6.75"}
    profiles["zero-limit"] = {"total_limit_usd": "0"}
    profiles["per-model"] = {
        "time_zone": "Pacific/Auckland",
        "budget_duration": "1mo",
        "period_limit_usd": "3",
        "model_limits": {
            "swift": {"limit_usd": "0.2", "duration": None},
            "deep": {"limit_usd": "0.15", "duration": "1d"},
        },
    }
    profiles["lives-again-created"] = {
        "time_zone": "America/New_York",
        "markup_percentage": "15",
        "total_limit_usd": "5",
    }
    profiles["lives-again-seen"] = {"markup_percentage": "25", "time_zone": "Asia/Kolkata"}
    profiles["dies-twice"] = {"markup_percentage": "8", "budget_duration": "1w", "period_limit_usd": "1"}
    profiles["gone-for-good"] = {"budget_id": "basic"}
    profiles["blocked-a-while"] = {"total_limit_usd": "100"}
    profiles["blocked-now"] = {}
    for name in HOSTILE:
        profiles[name] = {"time_zone": "Europe/Berlin", "markup_percentage": "1.5"}
    return profiles


def stories() -> Iterator[TraceEntry]:
    """Later commands about customers."""

    def change(at: str, customer: str, effective: str | None = None, **fields: Any) -> TraceEntry:
        return CustomerWasChanged(utc(at), customer, fields, None if effective is None else utc(effective))

    yield change("2025-04-10T08:00", "seen-02", time_zone="Asia/Kolkata", markup_percentage="4")
    yield CustomerWasCreated(
        utc("2025-04-11T08:00"), "seen-03", {"time_zone": "Europe/Berlin", "markup_percentage": "6"}
    )
    yield CustomerWasDeleted(utc("2025-10-03T03:03"), "seen-04")
    yield change("2025-06-15T14:00", "markup-dated", markup_percentage="12.5")
    yield change("2025-07-10T09:00", "markup-backdated", "2025-06-20T17:00", markup_percentage="7.25")
    yield change("2025-12-05T09:00", "markup-backdated", "2025-11-01T00:00", markup_percentage="41")
    yield change("2025-08-20T09:00", "markup-cleared", markup_percentage=None, total_limit_usd="4.5")
    yield change("2025-06-18T21:00", "moves-house", time_zone="Europe/Berlin")
    yield change("2025-10-26T00:30", "moves-house", time_zone="Asia/Kolkata")
    yield change("2025-05-21T10:00", "moves-to-weeks", usage_duration="weekly")
    yield change(
        "2025-09-10T10:00",
        "moves-to-weeks",
        usage_duration="1mo",
        usage_alignment="anchored",
        usage_anchor="2025-09-02T06:00:00.000000Z",
    )
    yield change("2025-07-09T10:00", "shorter-budget", budget_duration="1w")
    yield change("2025-11-12T10:00", "shorter-budget", budget_duration="1mo", period_limit_usd="3.5")
    yield change("2025-08-05T10:00", "rolling-2", budget_id="basic")
    yield change("2025-08-06T10:00", "basic-own-limit", period_limit_usd=None)
    yield CustomerWasDeleted(utc("2025-06-01T12:00"), "lives-again-created")
    again = {
        "time_zone": "Europe/Berlin",
        "period_limit_usd": "1",
        "budget_duration": "1mo",
        "opening_spend_usd": "0.01",
    }
    yield CustomerWasCreated(utc("2025-07-20T00:00:05"), "lives-again-created", again)
    yield CustomerWasDeleted(utc("2025-05-05T09:30"), "lives-again-seen")
    yield CustomerWasDeleted(utc("2025-05-17T18:20"), "dies-twice")
    yield CustomerWasCreated(utc("2025-06-04T18:20"), "dies-twice", {"markup_percentage": "3"})
    yield CustomerWasDeleted(utc("2025-11-11T11:11"), "dies-twice")
    yield CustomerWasDeleted(utc("2025-08-10T16:45"), "gone-for-good")
    yield CustomerWasBlocked(utc("2025-03-20T10:00"), "blocked-a-while")
    yield CustomerWasUnblocked(utc("2025-07-01T10:00"), "blocked-a-while")
    yield CustomerWasBlocked(utc("2025-12-01T10:00"), "blocked-now")


def scripted_entries() -> list[TraceEntry]:
    """All scripted entries in recorded order."""
    created = [
        CustomerWasCreated(utc(f"2025-01-{11 + number % 3}T0{number % 7}:{10 + number}:07"), customer, fields)
        for number, (customer, fields) in enumerate(opening_profiles().items())
    ]
    return sorted([*prices(), *tiers(), *created, *stories()], key=lambda it: it.recorded_at)


def members() -> tuple[str, ...]:
    return (*SEEN, *opening_profiles())
