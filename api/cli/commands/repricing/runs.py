"""`meterfold repricings`: give events that have a cost the one of the prices known now, and take that back."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from api.cli.commands.engine_command import engine_command
from api.cli.commands.runs.named_runs import Name, NamedRuns, add_commands, events_and_difference, print_run
from api.cli.options import From, Reason, To
from api.cli.output.cells import EMPTY_TEXT
from api.cli.output.columns import Column, Kind
from api.cli.output.results import Output
from api.cli.output.text import counted, print_lines
from api.cli.server.http_client import Connection, path_to

app = typer.Typer(
    no_args_is_help=True,
    help="Give events that have a cost the one of the prices of now.",
    rich_markup_mode=None,
)


def _provider(run: Mapping[str, Any]) -> str | None:
    """The provider that a run is about, also where its events name none; None: any."""
    provider: str | None = run["provider"]
    return EMPTY_TEXT if provider == "" else provider


class GivenCosts(StrEnum):
    """What becomes of costs that producers gave."""

    KEEP = "keep"
    ZEROS = "zeros"


COLUMNS: Final = (
    Column("Name", "name"),
    Column("State", "state"),
    Column("Models", lambda row: row["models"] or ["all"], Kind.LIST, drop=3),
    Column("Provider", lambda row: _provider(row) or "all", drop=8),
    Column("Customers", lambda row: row["customers"] or ["all"], Kind.LIST, drop=4),
    Column("From", "from", Kind.INSTANT, drop=5),
    Column("To", "to", Kind.INSTANT, drop=6),
    Column("Events", "committed.events", Kind.COUNT, drop=1),
    Column("Difference (USD)", "committed.difference_usd", Kind.MONEY),
    Column("Opened", "opened_at", Kind.INSTANT, drop=7),
    Column("Reason", "reason", Kind.PROSE, drop=2),
)
PERIODS: Final = (
    Column("Customer", "customer"),
    Column("Period", "start", Kind.INSTANT),
    Column("Events", "events", Kind.COUNT, drop=1),
    Column("Before (USD)", "reported_cost_usd.before_usd", Kind.MONEY),
    Column("After (USD)", "reported_cost_usd.after_usd", Kind.MONEY),
    Column("Difference", "reported_cost_usd.difference_usd", Kind.MONEY),
)


def print_effect(found: Mapping[str, Any]) -> None:
    """Print what a preview says of events and costs in all."""
    cost = found["cost_usd"]
    print_lines(
        f"{found['changed_events']:,} of {counted(found['events'], 'event')} would get another cost, of "
        f"{counted(found['changed_customers'], 'customer')}:",
        f"{cost['after_usd']} USD in place of {cost['before_usd']} before markup: a difference of "
        f"{cost['difference_usd']}",
    )
    if unpriced := found["unpriced_events"]:
        keep = "keeps its" if unpriced == 1 else "keep their"
        print_lines(f"{counted(unpriced, 'event', ('has', 'have'))} no price now and {keep} cost")


RUNS: Final = NamedRuns(
    noun="re-pricing",
    title="Re-pricing runs",
    segment="repricings",
    columns=COLUMNS,
    periods=PERIODS,
    list_help="List runs.",
    show_help="Show one run, and what became of it.",
    preview_help="Show what a run would change, by customer and period.\n\n"
    "Of a run that was committed, what it was to change.",
    commit_help="Give the events the previewed costs, all at once.\n\n`revert` takes that back.",
    revert_help="Give the events back the costs that they had before.",
    commit_question="Commit these costs?",
    for_people=lambda run: {**run, "provider": _provider(run)},
    print_effect=print_effect,
    change_lines=events_and_difference,
)


@app.command("open")
@engine_command()
def open_run(
    engine: Connection,
    output: Output,
    name: Name,
    model: Annotated[list[str] | None, typer.Option(help="Only events of this model. May be repeated.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only events of this provider.")] = None,
    customer: Annotated[list[str] | None, typer.Option(help="Only events of this customer. May be repeated.")] = None,
    from_: From = None,
    to: To = None,
    given_costs: Annotated[
        GivenCosts,
        typer.Option(help="Costs that producers gave: keep them, or give those of 0 a price."),
    ] = GivenCosts.KEEP,
    reason: Reason = None,
) -> None:
    """Name a run, with the events that it is about. It changes no number."""
    body = {
        "name": name,
        "models": model or [],
        "provider": provider,
        "customers": customer or [],
        "from": from_,
        "to": to,
        "given_costs": given_costs.value,
    }
    print_run(output, RUNS, engine.send("POST", path_to("v1", RUNS.segment), body=body, reason=reason))


add_commands(app, RUNS)
