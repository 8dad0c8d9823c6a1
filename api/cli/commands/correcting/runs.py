"""`meterfold corrections`: void or restore all events of a filter, and take that back."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Final

import typer

from api.cli.commands.engine_command import engine_command
from api.cli.options import AsOf, At, Limit, Reason
from api.cli.output.columns import Column, Kind
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.results import Output
from api.cli.output.tables import print_table
from api.cli.output.text import print_lines, print_message, shown
from api.cli.server.http_client import Connection, path_to

app = typer.Typer(
    no_args_is_help=True,
    help="Void or restore all events of a filter.",
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the correction.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
Names = list[str] | None
#: Customers of which a preview shows periods, before it says that there are more.
CUSTOMERS_SHOWN_MAX: Final = 100
_PATH: Final = "/v1/corrections"
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
                f"{name} {' or '.join(repr(one) if one == '' else one for one in given)}"
                if isinstance(given, list)
                else f"{name} {given}"
            )
    return told


RUNS: Final = (
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
    from_: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Only events at or after it.")] = None,
    to: Annotated[str | None, typer.Option(metavar="TIME", help="Only events before it.")] = None,
    recorded_from: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only events recorded at or after it.")
    ] = None,
    recorded_to: Annotated[str | None, typer.Option(metavar="TIME", help="Only events recorded before it.")] = None,
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
    _print_run(output, engine.send("POST", _PATH, body=body, reason=reason))


@app.command("list")
@engine_command(csv=True)
def list_runs(engine: Connection, output: Output, limit: Limit = 100, as_of: AsOf = None, at: At = None) -> None:
    """List corrections by filter."""
    found = list(engine.pages(_PATH, limit, as_of=as_of, at=at))
    output.rows("Corrections", RUNS, found, headers=partial(engine.row_members, _PATH))


@app.command()
@engine_command()
def show(engine: Connection, output: Output, name: Name, as_of: AsOf = None, at: At = None) -> None:
    """Show one correction, and what became of it."""
    _print_run(output, engine.get(path_to("v1", "corrections", name), as_of=as_of, at=at))


@app.command()
@engine_command()
def preview(
    engine: Connection,
    output: Output,
    name: Name,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Customers to show.")] = CUSTOMERS_SHOWN_MAX,
    as_of: AsOf = None,
    at: At = None,
) -> None:
    """Show what a correction would change, by customer and period.

    Of one that was committed, what it was to change.
    """
    found = engine.get(path_to("v1", "corrections", name, "preview"), limit=limit, as_of=as_of, at=at)
    if output.is_text:
        _print_preview(found)
    else:
        output.fields("", found)


@app.command()
@engine_command()
def commit(
    engine: Connection,
    output: Output,
    name: Name,
    previewed_at: Annotated[
        int | None,
        typer.Option(help="The position that the preview named. [default: a preview made and shown now]"),
    ] = None,
    yes: Yes = False,
    reason: Reason = None,
) -> None:
    """Void or restore the previewed events, all at once.

    `revert` takes that back.
    """
    path = path_to("v1", "corrections", name)
    if previewed_at is None:
        found = engine.get(path_to("v1", "corrections", name, "preview"), limit=CUSTOMERS_SHOWN_MAX)
        previewed_at = found["previewed_at"]
        if output.is_text and found["state"] == "open":
            _print_preview(found)
            if not yes and not typer.confirm("Commit this correction?", err=True):
                raise typer.Exit(ExitCode.INTERRUPTED)
        elif found["state"] == "open" and not yes:
            raise CommandFailed(ExitCode.WRONG_USE, "with --json, give --previewed-at or --yes")
    answer = engine.send("POST", f"{path}/commit", body={"previewed_at": previewed_at}, reason=reason)
    _print_change(output, answer, "committed")


@app.command()
@engine_command()
def revert(engine: Connection, output: Output, name: Name, yes: Yes = False, reason: Reason = None) -> None:
    """Undo a correction, all at once."""
    if not yes and not typer.confirm(f"Revert the correction {shown(name)}?", err=True):
        raise typer.Exit(ExitCode.INTERRUPTED)
    answer = engine.send("POST", path_to("v1", "corrections", name) + "/revert", reason=reason)
    _print_change(output, answer, "reverted")


def _print_run(output: Output, run: Mapping[str, Any]) -> None:
    if output.is_text and "name" not in run:
        print_lines(f"stored at log position {run['position']}, not yet in effect")
        return
    hidden = ("position", "now") if output.is_text else ()
    output.fields(f"Correction {run['name']}", {name: run[name] for name in run if name not in hidden})


def _print_preview(found: Mapping[str, Any]) -> None:
    if found["data"]:
        print_table("Reported cost by customer and usage period", PERIODS, found["data"])
    done = "voided" if found["action"] == "void" else "restored"
    print_lines(
        f"{found['changed_events']:,} of {found['events']:,} events would be {done}, of "
        f"{_counted(found['changed_customers'], 'customer')}: {_counted(found['changed_requests'], 'request')},",
        f"a difference of {found['difference_usd']} USD before markup",
    )
    if found["cost_unknown_events"]:
        print_lines(f"{found['cost_unknown_events']:,} of these events have an unknown cost")
    if found["next_cursor"]:
        print_message("more customers than shown: give a larger --limit to list them")


def _counted(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def _print_change(output: Output, run: Mapping[str, Any], done: str) -> None:
    change = run.get(done)
    if not output.is_text or change is None:
        _print_run(output, run)
        return
    print_lines(
        f"{done} at log position {change['position']}: {change['events']:,} events, difference "
        f"{change['difference_usd']} USD before markup"
    )
