"""`meterfold backfill`: fill a gap in the usage of a past time, or replace it, and take that back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from api.cli.commands.backfill.previews import PERIODS, print_effect
from api.cli.commands.engine_command import engine_command
from api.cli.commands.runs.named_runs import Name, NamedRuns, Yes, add_commands, print_run, unknown_costs
from api.cli.options import Reason
from api.cli.output.columns import Column, Kind, Row
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.progress import waiting
from api.cli.output.results import Output
from api.cli.output.text import counted, print_lines, print_message, shown
from api.cli.server.http_client import Connection, path_to

app = typer.Typer(
    no_args_is_help=True,
    help="Fill a gap in the usage of a past time, or replace it.",
    rich_markup_mode=None,
)

FOLD_POLLS_MAX: Final = 18_000
FOLD_POLL_SECONDS: Final = 0.2


class Mode(StrEnum):
    """What becomes of the events of the range that count already."""

    ADD = "add"
    REPLACE = "replace"


def _standing_difference(row: Row) -> str | None:
    """What the cost grew by, of a backfill that is committed and not reverted."""
    difference: str | None = row["committed"]["difference_usd"] if row["state"] == "committed" else None
    return difference


COLUMNS: Final = (
    Column("Name", "name"),
    Column("State", "state"),
    Column("Mode", "mode", drop=3),
    Column("From", "from", Kind.INSTANT),
    Column("To", "to", Kind.INSTANT),
    Column("Customers", lambda row: row["customers"] or ["all"], Kind.LIST, drop=4),
    Column("Sources", lambda row: row["sources"] or ["all"], Kind.LIST, drop=5),
    Column("Loaded", "loaded_events", Kind.COUNT, drop=1),
    Column("Difference (USD)", _standing_difference, Kind.MONEY, drop=2),
    Column("Opened", "opened_at", Kind.INSTANT, drop=7),
    Column("Reason", "reason", Kind.PROSE, drop=6),
)


def in_effect(engine: Connection, name: str, answer: Mapping[str, Any], doing: str) -> Mapping[str, Any]:
    """Return the backfill once the change that was answered is in effect, which takes a while for many events."""
    if "name" in answer:
        return answer
    with waiting(f"{doing} {shown(name)}: stored at log position {answer['position']}, events are counted anew"):
        for _ in range(FOLD_POLLS_MAX):
            told = engine.raw("GET", "/readyz").json()
            if told.get("failure") is not None:
                raise CommandFailed(ExitCode.UNREACHABLE, f"the engine has stopped counting: {told['failure']}")
            if told["position"] >= answer["position"]:
                found: Mapping[str, Any] = engine.get(path_to("v1", "backfills", name))
                return found
            time.sleep(FOLD_POLL_SECONDS)
    return answer


def print_late_events(backfill: Mapping[str, Any]) -> None:
    """Print how many events came late into the range of a replacement."""
    if backfill["mode"] == "replace" and backfill["late_events"]:
        since = "the preview that was committed" if backfill["committed"] else "the backfill was opened"
        late, counts = counted(backfill["late_events"], "event"), "counts" if backfill["late_events"] == 1 else "count"
        print_message(f"warning: {late} of the range came after\n{since}, and {counts}")


def change_lines(change: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a commit or revert is in money and events."""
    return (
        f"a difference of {change['difference_usd']} USD before markup",
        *unknown_costs(change["cost_unknown_events"]),
        ", ".join(f"{change[one]:+,} {one}" for one in ("counted", "withdrawn", "duplicate", "conflict")),
    )


BACKFILLS: Final = NamedRuns(
    noun="backfill",
    title="Backfills",
    segment="backfills",
    columns=COLUMNS,
    periods=PERIODS,
    list_help="List backfills.",
    show_help="Show one backfill: what it loaded, what became of it.",
    preview_help="Show what a commit would change, by customer and period.\n\n"
    "Of a backfill that was committed, what it was to change.",
    commit_help="Count what was loaded as it was previewed, all at once.\n\n`revert` takes that back.",
    revert_help="Take a committed backfill back, all at once.\n\n"
    "What it loaded counts no more, what it replaced counts again.",
    commit_question="Commit this backfill?",
    print_effect=print_effect,
    change_lines=change_lines,
    in_effect=in_effect,
    print_more=print_late_events,
)


@app.command("open")
@engine_command()
def open_backfill(
    engine: Connection,
    output: Output,
    name: Name,
    from_: Annotated[
        str,
        typer.Option("--from", metavar="TIME", help="Where the range begins: an RFC 3339 instant or a day in UTC."),
    ],
    to: Annotated[str, typer.Option(metavar="TIME", help="The range ends before it, likewise.")],
    customer: Annotated[list[str] | None, typer.Option(help="Only events of this customer. May be repeated.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only events of this source. May be repeated.")] = None,
    mode: Annotated[
        Mode, typer.Option(help="Add to the events of the range that count, or replace them by what is loaded.")
    ] = Mode.ADD,
    reason: Reason = None,
) -> None:
    """Name a backfill, with the events that can be loaded into it. It changes no number."""
    body = {
        "name": name,
        "from": from_,
        "to": to,
        "customers": customer or [],
        "sources": source or [],
        "mode": mode.value,
    }
    print_run(output, BACKFILLS, engine.send("POST", path_to("v1", BACKFILLS.segment), body=body, reason=reason))


add_commands(app, BACKFILLS)


@app.command()
@engine_command()
def cancel(engine: Connection, output: Output, name: Name, yes: Yes = False, reason: Reason = None) -> None:
    """Give an open backfill up: what was loaded into it never counts."""
    if not yes and not typer.confirm(f"Cancel the backfill {shown(name)}?", err=True):
        raise typer.Exit(ExitCode.INTERRUPTED)
    answer = engine.send("POST", path_to("v1", "backfills", name) + "/cancel", reason=reason)
    done = answer.get("cancelled")
    if output.is_text and done is not None:
        never = counted(answer["loaded_events"], "event") + (
            " never counts" if answer["loaded_events"] == 1 else " never count"
        )
        print_lines(f"cancelled at log position {done['position']}: {never}")
    else:
        print_run(output, BACKFILLS, answer)
