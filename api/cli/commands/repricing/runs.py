"""`meterfold repricings`: give events that have a cost the one of the prices known now, and take that back."""

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
    help="Give events that have a cost the one of the prices of now.",
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the run.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
#: Customers of which a preview shows periods, before it says that there are more.
CUSTOMERS_SHOWN_MAX: Final = 100
_PATH: Final = "/v1/repricings"


class GivenCosts(StrEnum):
    """What becomes of costs that producers gave."""

    KEEP = "keep"
    ZEROS = "zeros"


RUNS: Final = (
    Column("Name", "name"),
    Column("State", "state"),
    Column("Models", lambda row: row["models"] or ["all"], Kind.LIST, drop=3),
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


@app.command("open")
@engine_command()
def open_run(
    engine: Connection,
    output: Output,
    name: Name,
    model: Annotated[list[str] | None, typer.Option(help="Only events of this model. May be repeated.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only events of this provider.")] = None,
    customer: Annotated[list[str] | None, typer.Option(help="Only events of this customer. May be repeated.")] = None,
    from_: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Only events at or after it.")] = None,
    to: Annotated[str | None, typer.Option(metavar="TIME", help="Only events before it.")] = None,
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
    _print_run(output, engine.send("POST", _PATH, body=body, reason=reason))


@app.command("list")
@engine_command(csv=True)
def list_runs(engine: Connection, output: Output, limit: Limit = 100, as_of: AsOf = None, at: At = None) -> None:
    """List runs."""
    found = list(engine.pages(_PATH, limit, as_of=as_of, at=at))
    output.rows("Re-pricing runs", RUNS, found, headers=partial(engine.row_members, _PATH))


@app.command()
@engine_command()
def show(engine: Connection, output: Output, name: Name, as_of: AsOf = None, at: At = None) -> None:
    """Show one run, and what became of it."""
    _print_run(output, engine.get(path_to("v1", "repricings", name), as_of=as_of, at=at))


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
    """Show what a run would change, by customer and period.

    Of a run that was committed, what it was to change.
    """
    found = engine.get(path_to("v1", "repricings", name, "preview"), limit=limit, as_of=as_of, at=at)
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
    """Give the events the previewed costs, all at once.

    `revert` takes that back.
    """
    path = path_to("v1", "repricings", name)
    if previewed_at is None:
        found = engine.get(path_to("v1", "repricings", name, "preview"), limit=CUSTOMERS_SHOWN_MAX)
        previewed_at = found["previewed_at"]
        if output.is_text and found["state"] == "open":
            _print_preview(found)
            if not yes and not typer.confirm("Commit these costs?", err=True):
                raise typer.Exit(ExitCode.INTERRUPTED)
        elif found["state"] == "open" and not yes:
            raise CommandFailed(ExitCode.WRONG_USE, "with --json, give --previewed-at or --yes")
    answer = engine.send("POST", f"{path}/commit", body={"previewed_at": previewed_at}, reason=reason)
    _print_change(output, answer, "committed")


@app.command()
@engine_command()
def revert(engine: Connection, output: Output, name: Name, yes: Yes = False, reason: Reason = None) -> None:
    """Give the events back the costs that they had before."""
    if not yes and not typer.confirm(f"Revert the re-pricing {shown(name)}?", err=True):
        raise typer.Exit(ExitCode.INTERRUPTED)
    answer = engine.send("POST", path_to("v1", "repricings", name) + "/revert", reason=reason)
    _print_change(output, answer, "reverted")


def _print_run(output: Output, run: Mapping[str, Any]) -> None:
    if output.is_text and "name" not in run:
        print_lines(f"stored at log position {run['position']}, not yet in effect")
        return
    hidden = ("position", "now") if output.is_text else ()
    output.fields(f"Re-pricing {run['name']}", {name: run[name] for name in run if name not in hidden})


def _print_preview(found: Mapping[str, Any]) -> None:
    cost = found["cost_usd"]
    if found["data"]:
        print_table("Reported cost by customer and usage period", PERIODS, found["data"])
    print_lines(
        f"{found['changed_events']:,} of {found['events']:,} events would get another cost, of "
        f"{found['changed_customers']:,} customer{'' if found['changed_customers'] == 1 else 's'}:",
        f"{cost['after_usd']} USD in place of {cost['before_usd']} before markup: a difference of "
        f"{cost['difference_usd']}",
    )
    if found["unpriced_events"]:
        print_lines(f"{found['unpriced_events']:,} events have no price now and keep their cost")
    if found["next_cursor"]:
        print_message("more customers than shown: give a larger --limit to list them")


def _print_change(output: Output, run: Mapping[str, Any], done: str) -> None:
    change = run.get(done)
    if not output.is_text or change is None:
        _print_run(output, run)
        return
    print_lines(
        f"{done} at log position {change['position']}: {change['events']:,} events, difference "
        f"{change['difference_usd']} USD before markup"
    )
