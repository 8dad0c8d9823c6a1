"""The preview of a backfill, as a table and sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from api.cli.commands.runs.named_runs import unknown_costs
from api.cli.output.columns import Column, Kind
from api.cli.output.tables import print_table
from api.cli.output.text import counted, print_lines, print_message

PERIODS: Final = (
    Column("Customer", "customer"),
    Column("Period", "start", Kind.INSTANT),
    Column("Requests", "requests.after", Kind.COUNT, drop=2),
    Column("More", "requests.difference", Kind.COUNT, drop=1),
    Column("Before (USD)", "reported_cost_usd.before_usd", Kind.MONEY, unknown="cost_unknown_events.before"),
    Column("After (USD)", "reported_cost_usd.after_usd", Kind.MONEY, unknown="cost_unknown_events.after"),
    Column("Difference", "reported_cost_usd.difference_usd", Kind.MONEY),
)

EXCEEDED: Final = (
    Column("Customer", "customer"),
    Column("Limit", "limit"),
    Column("Period", "start", Kind.INSTANT),
    Column("Limit (USD)", "limit_usd", Kind.MONEY),
    Column("Before (USD)", "before_usd", Kind.MONEY),
    Column("After (USD)", "after_usd", Kind.MONEY),
)

MISSING: Final = (
    Column("Time", "time", Kind.MOMENT),
    Column("Customer", "customer"),
    Column("Source", "source", drop=1),
    Column("Id", "id"),
)


def print_effect(found: Mapping[str, Any]) -> None:
    """Print what the commit of a backfill would change in all."""
    duplicate, missing = found["duplicate"], found["missing"]
    duplicates = f"{duplicate:,} {'is a duplicate' if duplicate == 1 else 'are duplicates'}"
    print_lines(
        f"of the loaded events {found['counted']:,} would count; {duplicates}, {found['conflict']:,} in conflict",
        f"a difference of {found['difference_usd']} USD before markup, for "
        f"{counted(found['changed_customers'], 'customer')}",
        *unknown_costs(found["cost_unknown_events"]),
    )
    if found["exceeded_limits"]:
        print_table("Limits that would be exceeded", EXCEEDED, found["exceeded_limits"])
    if not found["exceeded_limits_complete"]:
        print_message("of limits with more than 400 periods only the newest 400 were looked at")
    if found["mode"] == "replace":
        print_lines(
            f"{counted(found['withdrawn'], 'event')} of the range would be withdrawn;",
            f"of them {missing:,} {'was' if missing == 1 else 'were'} not loaded again",
        )
    if found["missing_events"]:
        print_table("The first that were not loaded again", MISSING, found["missing_events"])
    if found["late_events"]:
        print_message(
            f"warning: {counted(found['late_events'], 'event')} of the range came after the backfill was opened;\n"
            "any that comes after this preview counts beside what was loaded"
        )
