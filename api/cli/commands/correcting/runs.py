"""`meterfold corrections`: void or restore all events of a filter, and take that back."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from api.cli.commands.engine_command import engine_command
from api.cli.commands.runs.named_runs import Name, NamedRuns, add_commands, counted, events_and_difference, print_run
from api.cli.options import From, Reason, To
from api.cli.output.cells import EMPTY_TEXT
from api.cli.output.columns import Column, Kind
from api.cli.output.results import Output
from api.cli.output.text import print_lines
from api.cli.server.http_client import Connection, path_to

app = typer.Typer(
    no_args_is_help=True,
    help="Void or restore all events of a filter.",
    rich_markup_mode=None,
)

Names = list[str] | None
#: What a filter is made of, in an answer.
_CONDITIONS: Final = (
    *("customers", "sources", "models", "providers", "types", "tags"),
    *("from", "to", "recorded_from", "recorded_to"),
)


class Action(StrEnum):
    """What becomes of the events of a filter."""

    VOID = "void"
    RESTORE = "restore"


def _filter(run: Mapping[str, Any]) -> list[str]:
    told = []
    for name in _CONDITIONS:
        given = run[name]
        if given:
            told.append(
                f"{name} {' or '.join(one or EMPTY_TEXT for one in given)}"
                if isinstance(given, list)
                else f"{name} {given}"
            )
    return told


COLUMNS: Final = (
    Column("Name", "name"),
    Column("State", "state"),
    Column("Action", "action"),
    Column("Filter", _filter, Kind.LIST, drop=3),
    Column("Events", "committed.events", Kind.COUNT, drop=1),
    Column("Difference (USD)", "committed.difference_usd", Kind.MONEY),
    Column("Opened", "opened_at", Kind.INSTANT, drop=4),
    Column("Reason", "reason", Kind.PROSE, drop=2),
)
PERIODS: Final = (
    Column("Customer", "customer"),
    Column("Period", "start", Kind.INSTANT),
    Column("Requests", "requests.difference", Kind.COUNT, drop=2),
    Column("Unknown cost", "cost_unknown_events.difference", Kind.COUNT, drop=3),
    Column("Before (USD)", "reported_cost_usd.before_usd", Kind.MONEY),
    Column("After (USD)", "reported_cost_usd.after_usd", Kind.MONEY),
    Column("Difference", "reported_cost_usd.difference_usd", Kind.MONEY),
)


def print_effect(found: Mapping[str, Any]) -> None:
    """Print what a preview says of events and costs in all."""
    done = "voided" if found["action"] == "void" else "restored"
    print_lines(
        f"{found['changed_events']:,} of {found['events']:,} events would be {done}, of "
        f"{counted(found['changed_customers'], 'customer')}: {counted(found['changed_requests'], 'request')},",
        f"a difference of {found['difference_usd']} USD before markup",
    )
    if found["cost_unknown_events"]:
        print_lines(f"{found['cost_unknown_events']:,} of these events have an unknown cost")


RUNS: Final = NamedRuns(
    noun="correction",
    title="Corrections",
    segment="corrections",
    columns=COLUMNS,
    periods=PERIODS,
    list_help="List corrections by filter.",
    show_help="Show one correction, and what became of it.",
    preview_help="Show what a correction would change, by customer and period.\n\n"
    "Of one that was committed, what it was to change.",
    commit_help="Void or restore the previewed events, all at once.\n\n`revert` takes that back.",
    revert_help="Undo a correction, all at once.",
    commit_question="Commit this correction?",
    print_effect=print_effect,
    change_lines=events_and_difference,
)


@app.command("open")
@engine_command()
def open_run(
    engine: Connection,
    output: Output,
    name: Name,
    action: Annotated[Action, typer.Option(help="Void events that count, or restore voided ones.")] = Action.VOID,
    customer: Annotated[Names, typer.Option(help="Only events of this customer. May be repeated.")] = None,
    source: Annotated[Names, typer.Option(help="Only events of this source. May be repeated.")] = None,
    model: Annotated[Names, typer.Option(help="Only events of this model. May be repeated.")] = None,
    provider: Annotated[
        Names, typer.Option(help="Only events of this provider, empty for those that name none. May be repeated.")
    ] = None,
    type_: Annotated[Names, typer.Option("--type", help="Only events of this type. May be repeated.")] = None,
    tag: Annotated[Names, typer.Option(help="Only events with this tag. May be repeated.")] = None,
    from_: From = None,
    to: To = None,
    recorded_from: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only events recorded at or after it, likewise.")
    ] = None,
    recorded_to: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only events recorded before it, likewise.")
    ] = None,
    reason: Reason = None,
) -> None:
    """Name a correction, with the events that it is about.

    It changes no number. Of a repeated option one is enough.
    """
    body = {
        "name": name,
        "action": action.value,
        "customers": customer or [],
        "sources": source or [],
        "models": model or [],
        "providers": provider or [],
        "types": type_ or [],
        "tags": tag or [],
        "from": from_,
        "to": to,
        "recorded_from": recorded_from,
        "recorded_to": recorded_to,
    }
    print_run(output, RUNS, engine.send("POST", path_to("v1", RUNS.segment), body=body, reason=reason))


add_commands(app, RUNS)
