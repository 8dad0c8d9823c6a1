"""`meterfold corrections`: void, restore or amend all events of a filter, and take that back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from api.cli.commands.engine_command import engine_command
from api.cli.commands.runs.named_runs import (
    Answer,
    Name,
    NamedRuns,
    add_commands,
    events_and_difference,
    print_run,
)
from api.cli.options import From, Reason, To
from api.cli.output.cells import EMPTY_TEXT
from api.cli.output.columns import Column, Kind
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.results import Output
from api.cli.output.text import counted, print_lines
from api.cli.server.http_client import Connection, path_to

_NO_CONDITION: Final = (
    "give at least one condition, by any of these options:\n"
    "--customer, --source, --model, --provider, --type, --tag,\n"
    "--from, --to, --recorded-from, --recorded-to"
)
app = typer.Typer(
    no_args_is_help=True,
    help="Void, restore or amend all events of a filter.",
    rich_markup_mode=None,
)

Names = list[str] | None
#: What `--set` can name.
_SINGLE: Final = ("model", "provider", "customer")
_SINGLE_TOLD: Final = "model, provider or customer"
#: What a filter is made of, in an answer.
_CONDITIONS: Final = (
    *("customers", "sources", "models", "providers", "types", "tags"),
    *("from", "to", "recorded_from", "recorded_to"),
)


class Action(StrEnum):
    """What becomes of the events of a filter."""

    VOID = "void"
    RESTORE = "restore"
    AMEND = "amend"


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


def _set_members(run: Mapping[str, Any]) -> list[str]:
    given = run["set"] or {}
    told = [f"{name}={given[name]}" for name in _SINGLE if given.get(name) is not None]
    return [
        *told,
        *(f"+{tag}" for tag in given.get("add_tags", ())),
        *(f"-{tag}" for tag in given.get("remove_tags", ())),
    ]


def _for_people(run: Answer) -> Answer:
    """The members of a run, with what it sets in one line; of a run that sets nothing without it."""
    told = {name: value for name, value in run.items() if name != "set"}
    return told if not run.get("set") else told | {"set": ", ".join(_set_members(run))}


COLUMNS: Final = (
    Column("Name", "name"),
    Column("State", "state"),
    Column("Action", "action"),
    Column("Set", _set_members, Kind.LIST, drop=3),
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


_DONE: Final = {"void": "voided", "restore": "restored", "amend": "amended"}


def print_effect(found: Mapping[str, Any]) -> None:
    """Print what a preview says of events and costs in all."""
    done = _DONE[found["action"]]
    print_lines(
        f"{found['changed_events']:,} of {counted(found['events'], 'event')} would be {done}, of "
        f"{counted(found['changed_customers'], 'customer')}: {counted(found['changed_requests'], 'request')},",
        f"a difference of {found['difference_usd']} USD before markup",
    )
    if unknown := found["cost_unknown_events"]:
        have = "would have" if found["action"] == "amend" else "has" if unknown == 1 else "have"
        print_lines(f"{unknown:,} of these events {have} an unknown cost")


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
    commit_help="Void, restore or amend the previewed events, all at once.\n\n`revert` takes that back.",
    revert_help="Undo a correction, all at once.",
    commit_question="Commit this correction?",
    print_effect=print_effect,
    change_lines=events_and_difference,
    for_people=_for_people,
)


@app.command("open")
@engine_command()
def open_run(
    engine: Connection,
    output: Output,
    name: Name,
    action: Annotated[
        Action, typer.Option(help="Void events that count, restore voided ones, or amend all.")
    ] = Action.VOID,
    set_: Annotated[
        Names,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="With amend: the new model, provider or customer. May be repeated."
        ),
    ] = None,
    add_tag: Annotated[Names, typer.Option(help="With amend: a tag that is added. May be repeated.")] = None,
    remove_tag: Annotated[Names, typer.Option(help="With amend: a tag that is removed. May be repeated.")] = None,
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

    It changes no number. Of a repeated condition one is enough.
    """
    conditions = (customer, source, model, provider, type_, tag, from_, to, recorded_from, recorded_to)
    if not any(conditions):
        raise CommandFailed(ExitCode.WRONG_USE, _NO_CONDITION)
    members = _members(set_ or [], add_tag or [], remove_tag or [])
    if action is Action.AMEND and not members:
        raise CommandFailed(ExitCode.WRONG_USE, "--action amend: give --set, --add-tag or --remove-tag")
    if members and action is not Action.AMEND:
        raise CommandFailed(ExitCode.WRONG_USE, "--set and tags to change need --action amend")
    body = {
        "name": name,
        "action": action.value,
        **({"set": members} if members else {}),
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


def _members(given: Sequence[str], add_tags: Sequence[str], remove_tags: Sequence[str]) -> dict[str, Any]:
    """What is set, as the API takes it."""
    members: dict[str, Any] = {}
    for one in given:
        name, is_set, value = one.partition("=")
        if not is_set or name not in _SINGLE:
            raise CommandFailed(ExitCode.WRONG_USE, f"--set {one}: give {_SINGLE_TOLD}, as NAME=VALUE")
        if members.setdefault(name, value) != value:
            raise CommandFailed(ExitCode.WRONG_USE, f"--set {one}: {name} is set to another value before")
    tags = (("add_tags", add_tags), ("remove_tags", remove_tags))
    return members | {name: list(of_name) for name, of_name in tags if of_name}


add_commands(app, RUNS)
