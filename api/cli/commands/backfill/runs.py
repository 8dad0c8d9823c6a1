"""`meterfold backfill`: fill a gap in the usage of a past time, or replace it, and take that back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Final

import typer

from api.cli.commands.backfill.previews import print_preview
from api.cli.commands.engine_command import engine_command
from api.cli.options import AsOf, At, Limit, Reason
from api.cli.output.columns import Column, Kind, Row
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.progress import waiting
from api.cli.output.results import Output
from api.cli.output.text import print_lines, print_message, shown
from api.cli.server.http_client import Connection, path_to

app = typer.Typer(
    no_args_is_help=True,
    help="Fill a gap in the usage of a past time, or replace it.",
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name of the backfill.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
_PATH: Final = "/v1/backfills"
#: Customers of which a preview shows periods, before it says that there are more.
CUSTOMERS_SHOWN_MAX: Final = 100
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


BACKFILLS: Final = (
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


@app.command("open")
@engine_command()
def open_backfill(
    engine: Connection,
    output: Output,
    name: Name,
    from_: Annotated[str, typer.Option("--from", metavar="TIME", help="The time of the first event of the range.")],
    to: Annotated[str, typer.Option(metavar="TIME", help="The range ends before it.")],
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
    _print_backfill(output, engine.send("POST", _PATH, body=body, reason=reason))


@app.command("list")
@engine_command(csv=True)
def list_backfills(engine: Connection, output: Output, limit: Limit = 100, as_of: AsOf = None, at: At = None) -> None:
    """List backfills."""
    found = list(engine.pages(_PATH, limit, as_of=as_of, at=at))
    output.rows("Backfills", BACKFILLS, found, headers=partial(engine.row_members, _PATH))


@app.command()
@engine_command()
def show(engine: Connection, output: Output, name: Name, as_of: AsOf = None, at: At = None) -> None:
    """Show one backfill: what it loaded, what became of it."""
    found = engine.get(path_to("v1", "backfills", name), as_of=as_of, at=at)
    _print_backfill(output, found)
    if output.is_text and found["mode"] == "replace" and found["late_events"]:
        since = "the preview that was committed" if found["committed"] else "the backfill was opened"
        print_message(f"warning: {found['late_events']:,} events of the range came after {since}, and count")


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
    """Show what a commit would change, by customer and period.

    Of a backfill that was committed, what it was to change.
    """
    found = engine.get(path_to("v1", "backfills", name, "preview"), limit=limit, as_of=as_of, at=at)
    if output.is_text:
        print_preview(found)
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
    """Count what was loaded as it was previewed, all at once.

    `revert` takes that back.
    """
    path = path_to("v1", "backfills", name)
    if previewed_at is None:
        found = engine.get(f"{path}/preview", limit=CUSTOMERS_SHOWN_MAX)
        previewed_at = found["previewed_at"]
        if output.is_text and found["state"] == "open":
            print_preview(found)
            if not yes and not typer.confirm("Commit this backfill?", err=True):
                raise typer.Exit(ExitCode.INTERRUPTED)
        elif found["state"] == "open" and not yes:
            raise CommandFailed(ExitCode.WRONG_USE, "with --json, give --previewed-at or --yes")
    answer = engine.send("POST", f"{path}/commit", body={"previewed_at": previewed_at}, reason=reason)
    print_change(output, in_effect(engine, name, answer, "committing"), "committed")


@app.command()
@engine_command()
def revert(engine: Connection, output: Output, name: Name, yes: Yes = False, reason: Reason = None) -> None:
    """Take a committed backfill back, all at once.

    What it loaded counts no more, what it replaced counts again.
    """
    if not yes and not typer.confirm(f"Revert the backfill {shown(name)}?", err=True):
        raise typer.Exit(ExitCode.INTERRUPTED)
    answer = engine.send("POST", path_to("v1", "backfills", name) + "/revert", reason=reason)
    print_change(output, in_effect(engine, name, answer, "reverting"), "reverted")


@app.command()
@engine_command()
def cancel(engine: Connection, output: Output, name: Name, yes: Yes = False, reason: Reason = None) -> None:
    """Give an open backfill up: what was loaded into it never counts."""
    if not yes and not typer.confirm(f"Cancel the backfill {shown(name)}?", err=True):
        raise typer.Exit(ExitCode.INTERRUPTED)
    answer = engine.send("POST", path_to("v1", "backfills", name) + "/cancel", reason=reason)
    done = answer.get("cancelled")
    if output.is_text and done is not None:
        print_lines(f"cancelled at log position {done['position']}: {answer['loaded_events']:,} events never count")
    else:
        _print_backfill(output, answer)


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


def _print_backfill(output: Output, backfill: Mapping[str, Any]) -> None:
    if output.is_text and "name" not in backfill:
        print_lines(f"stored at log position {backfill['position']}, not yet in effect")
        return
    hidden = ("position", "now") if output.is_text else ()
    output.fields(f"Backfill {backfill['name']}", {one: backfill[one] for one in backfill if one not in hidden})


def print_change(output: Output, backfill: Mapping[str, Any], done: str) -> None:
    """Print the commit or the revert of a backfill."""
    change = backfill.get(done)
    if not output.is_text or change is None:
        _print_backfill(output, backfill)
        return
    print_lines(
        f"{done} at log position {change['position']}: a difference of {change['difference_usd']} USD before markup",
        ", ".join(f"{change[one]:+,} {one}" for one in ("counted", "withdrawn", "duplicate", "conflict")),
    )
