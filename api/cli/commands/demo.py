"""`meterfold demo`: ingest a month of synthetic traffic, then show usage and budgets."""

from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, Final

from api.cli.commands.ingest import Ingested, post_batch
from api.cli.options import AsJson, DataFolderOption, KeyOption, UrlOption, settings_with
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.progress import progress_bar
from api.cli.output.tables import print_json, print_lines, print_table
from api.cli.server.connection import connected
from api.cli.server.http_client import Connection, path_to, problem_text
from consumers.demo.traffic import TIERS, customer_ids, days_until, events_of, named_customers
from consumers.files.event_batches import BATCH_BYTES_MAX, batched
from consumers.files.row_mapping import Line

SHOWN_CUSTOMERS: Final = 10
SHOWN_BUDGETS: Final = 20
_ALREADY_THERE: Final = 409


def demo(data: DataFolderOption = None, url: UrlOption = None, key: KeyOption = None, as_json: AsJson = False) -> None:
    """Ingest a month of synthetic traffic of 300 customers, then show usage and budgets.

    Running it again counts nothing twice.
    """
    now = datetime.now(UTC)
    with connected(settings_with(data_dir=data), url, key, new_folder=True) as engine:
        ingested = _fill(engine, now)
        shown = _read_results(engine, ingested.position)
    if as_json:
        print_json({"events": ingested.events, "counts": ingested.counts, "position": ingested.position, **shown})
    else:
        _print(ingested, shown)


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


def _print(ingested: Ingested, shown: dict[str, Any]) -> None:
    counts = ", ".join(f"{count} {outcome}" for outcome, count in ingested.counts.items())
    print_lines(f"sent {ingested.events} events: {counts}", "")
    measures = ("requests", "input_tokens", "output_tokens", "cost_usd", "reported_cost_usd")
    usage = shown["usage"]
    print_table(f"Largest customers, {usage['from']} to {usage['to']}", usage["data"], ("group.customer", *measures))
    current = shown["current_usage"]
    customer, period = current["customer"], current["period"]
    title = f"Current usage of {customer}, {period['start']} to {period['end']}"
    print_table(title, current["by_model"], ("provider", "model", *measures))
    past = ("start", "end", "closed", "at_closing.reported_cost_usd", "now.requests", "now.reported_cost_usd")
    print_table(f"Past usage of {customer}", shown["past_usage"]["periods"], past)
    budgets = ("customer", "budget_id", "period_limit_usd", "period_spent_usd", "period_remaining_usd", "resets_at")
    print_table("Budgets", shown["budgets"], budgets)
    print_lines(f"as of log position {usage['position']}")
