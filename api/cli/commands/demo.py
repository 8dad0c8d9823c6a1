"""`meterfold demo`: ingest a month of synthetic traffic, then show usage and budgets."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, Final

from api.cli.commands.budget_state import PERIOD_UNKNOWN, access_text
from api.cli.commands.engine_command import engine_command
from api.cli.commands.ingest import Ingested, post_batch
from api.cli.commands.names import customer_names, profile_of
from api.cli.commands.usage import MEASURE_COLUMNS, MODEL_COLUMNS, PAST_COLUMNS
from api.cli.output.cells import span_text
from api.cli.output.columns import Column, Kind
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.progress import progress_bar
from api.cli.output.results import Output
from api.cli.output.tables import print_table
from api.cli.output.text import counted, print_lines
from api.cli.server.http_client import Connection, path_to, problem_text
from consumers.demo.traffic import TIERS, customer_ids, days_until, events_of, named_customers
from consumers.files.event_batches import BATCH_BYTES_MAX, batched
from consumers.files.row_mapping import Line

SHOWN_CUSTOMERS: Final = 10
SHOWN_BUDGETS: Final = 20
BUDGETS: Final = (
    Column("Customer", "customer"),
    Column("Budget", "budget_id", drop=1),
    Column("Limit (USD)", "period_limit_usd", Kind.MONEY),
    Column("Spent (USD)", "period_spent_usd", Kind.MONEY, unknown=PERIOD_UNKNOWN),
    Column("Remaining (USD)", "period_remaining_usd", Kind.MONEY, 2, PERIOD_UNKNOWN, unknown_lowers=True),
    Column("Access", "access"),
    Column("Resets", "resets_at", Kind.INSTANT, drop=3),
)
_ALREADY_THERE: Final = 409


@engine_command(new_folder=True)
def demo(engine: Connection, output: Output) -> None:
    """Ingest a month of synthetic traffic, and show its usage.

    300 customers, their usage and their budgets. Running it again counts nothing twice.
    """
    now = datetime.now(UTC)
    ingested = _fill(engine, now)
    shown = _read_results(engine, ingested.position)
    if output.is_text:
        _print(engine, ingested, shown)
    else:
        output.fields(
            "", {"events": ingested.events, "counts": ingested.counts, "position": ingested.position, **shown}
        )


def _fill(engine: Connection, now: datetime) -> Ingested:
    """Create tiers and customers, then ingest usage day by day."""
    days = days_until(now)
    ingested = Ingested("demo")
    with progress_bar("Customers and tiers") as advance:
        for tier in TIERS:
            _create(engine, "/v1/budgets", {**tier._asdict(), "duration": "1mo"})
        customers = list(named_customers(datetime.combine(days[0], time(), UTC)))
        for made, customer in enumerate(customers, start=1):
            _create(engine, "/v1/customers", customer)
            advance(made, len(customers), "")
    with progress_bar("A month of traffic, day by day") as advance:
        for done, day in enumerate(days, start=1):
            for batch in batched((Line(line, 0) for line in events_of(day, now)), BATCH_BYTES_MAX):
                ingested.add(batch, post_batch(engine, batch))
            advance(done, len(days), "")
    return ingested


def _create(engine: Connection, path: str, body: dict[str, Any]) -> None:
    answer = engine.answer("POST", path, body=body)
    if answer.is_error and answer.status_code != _ALREADY_THERE:
        raise CommandFailed(ExitCode.REFUSED, problem_text(answer))


def _read_results(engine: Connection, position: int) -> dict[str, Any]:
    """Return usage, past usage and budgets, counted at least up to `position`."""
    usage = engine.get("/v1/usage", group_by="customer", min_position=position)
    largest = sorted(usage["data"], key=lambda row: (-Decimal(row["reported_cost_usd"]), row["group"]["customer"]))
    named = customer_ids()[:SHOWN_BUDGETS]
    return {
        "usage": {**usage, "data": largest[:SHOWN_CUSTOMERS]},
        "current_usage": engine.get(path_to("v1", "customers", named[0], "current-usage")),
        "past_usage": engine.get(path_to("v1", "customers", named[0], "past-usage"), periods=2),
        "budgets": [engine.get(path_to("v1", "customers", customer, "budget")) for customer in named],
    }


def _print(engine: Connection, ingested: Ingested, shown: dict[str, Any]) -> None:
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in ingested.counts.items())
    print_lines(f"sent {counted(ingested.events, 'event')}: {counts}", "")
    usage, current = shown["usage"], shown["current_usage"]
    names = customer_names(engine, (row["group"]["customer"] for row in usage["data"]))
    largest = [{**row, "name": names.get(row["group"]["customer"])} for row in usage["data"]]
    customers = (Column("Customer", "group.customer"), Column("Name", "name", drop=3), *MEASURE_COLUMNS)
    print_table(f"Largest customers, {span_text(usage['from'], usage['to'], 'UTC')}", customers, largest)
    profile = profile_of(engine, current["customer"])
    span = span_text(current["period"]["start"], current["period"]["end"], profile.zone)
    print_lines("")
    title = f"Current usage of {profile.label}, {span}"
    print_table(title, MODEL_COLUMNS, current["by_model"], total=current["usage"], zone=profile.zone)
    print_lines("")
    print_table(f"Past usage of {profile.label}", PAST_COLUMNS, shown["past_usage"]["periods"], zone=profile.zone)
    print_lines("")
    print_table("Budgets", BUDGETS, (_with_access(engine, budget) for budget in shown["budgets"]))
    print_lines(f"as of log position {usage['position']}")


def _with_access(engine: Connection, budget: dict[str, Any]) -> dict[str, Any]:
    return {**budget, "access": access_text(engine.get(path_to("v1", "customers", budget["customer"], "access")))}
