"""Commands that list, show, preview, commit and revert one kind of named runs, made from a declaration.

A run is opened by a command of its kind. Its preview changes nothing; its commit does what a preview showed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Final

import msgspec
import typer

from api.cli.commands.engine_command import engine_command
from api.cli.options import AsOf, At, Limit, Reason
from api.cli.output.columns import Column
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.results import Output
from api.cli.output.tables import print_table
from api.cli.output.text import counted, print_lines, print_message, shown
from api.cli.server.http_client import Connection, path_to

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name that it is opened with.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
CustomersShown = Annotated[int, typer.Option(min=1, max=1000, help="Customers to show.")]
PreviewedAt = Annotated[
    int | None,
    typer.Option(help="The position that the preview named. [default: a preview made and shown now]"),
]
#: Customers of which a preview shows periods, before it says that there are more.
CUSTOMERS_SHOWN_MAX: Final = 100
Answer = Mapping[str, Any]


def _as_answered(engine: Connection, name: str, answer: Answer, doing: str) -> Answer:
    return answer


def _as_it_is(run: Answer) -> Answer:
    return run


def _nothing_more(run: Answer) -> None:
    """Most kinds say no more of a run that is shown."""


class NamedRuns(msgspec.Struct, frozen=True):
    """One kind of runs."""

    noun: str
    #: The title of a list.
    title: str
    #: The segment of the path below /v1.
    segment: str
    columns: tuple[Column, ...]
    #: Of the usage periods that a preview shows.
    periods: tuple[Column, ...]
    list_help: str
    show_help: str
    preview_help: str
    commit_help: str
    revert_help: str
    commit_question: str
    #: Prints what a preview says besides its periods.
    print_effect: Callable[[Answer], None]
    #: Lines about a commit or a revert, which follow the position.
    change_lines: Callable[[Answer], tuple[str, ...]]
    #: Waits until a commit or revert is in effect, where that takes long, and returns the run.
    in_effect: Callable[[Connection, str, Answer, str], Answer] = _as_answered
    #: Returns the members of a run as people are to see them.
    for_people: Callable[[Answer], Answer] = _as_it_is
    #: Prints what follows a run that is shown.
    print_more: Callable[[Answer], None] = _nothing_more


def add_commands(app: typer.Typer, runs: NamedRuns) -> None:
    """Add the commands `list`, `show`, `preview`, `commit` and `revert` of a kind of runs."""

    @app.command("list", help=runs.list_help)
    @engine_command(csv=True)
    def list_runs(engine: Connection, output: Output, limit: Limit = 100, as_of: AsOf = None, at: At = None) -> None:
        path = path_to("v1", runs.segment)
        found = list(engine.pages(path, limit, as_of=as_of, at=at))
        output.rows(runs.title, runs.columns, found, headers=partial(engine.row_members, path))

    @app.command(help=runs.show_help)
    @engine_command()
    def show(engine: Connection, output: Output, name: Name, as_of: AsOf = None, at: At = None) -> None:
        found = engine.get(path_to("v1", runs.segment, name), as_of=as_of, at=at)
        print_run(output, runs, found)
        if output.is_text:
            runs.print_more(found)

    @app.command(help=runs.preview_help)
    @engine_command()
    def preview(
        engine: Connection,
        output: Output,
        name: Name,
        limit: CustomersShown = CUSTOMERS_SHOWN_MAX,
        as_of: AsOf = None,
        at: At = None,
    ) -> None:
        found = engine.get(path_to("v1", runs.segment, name, "preview"), limit=limit, as_of=as_of, at=at)
        if output.is_text:
            _print_preview(runs, found)
        else:
            output.fields("", found)

    @app.command(help=runs.commit_help)
    @engine_command()
    def commit(
        engine: Connection,
        output: Output,
        name: Name,
        previewed_at: PreviewedAt = None,
        yes: Yes = False,
        reason: Reason = None,
    ) -> None:
        path = path_to("v1", runs.segment, name)
        if previewed_at is None:
            found = engine.get(f"{path}/preview", limit=CUSTOMERS_SHOWN_MAX)
            previewed_at = found["previewed_at"]
            if output.is_text and found["state"] == "open":
                _print_preview(runs, found)
                _confirm(runs.commit_question, yes)
            elif found["state"] == "open" and not yes:
                raise CommandFailed(ExitCode.WRONG_USE, "with --json, give --previewed-at or --yes")
        answer = engine.send("POST", f"{path}/commit", body={"previewed_at": previewed_at}, reason=reason)
        _print_change(output, runs, runs.in_effect(engine, name, answer, "committing"), "committed")

    @app.command(help=runs.revert_help)
    @engine_command()
    def revert(engine: Connection, output: Output, name: Name, yes: Yes = False, reason: Reason = None) -> None:
        _confirm(f"Revert the {runs.noun} {shown(name)}?", yes)
        answer = engine.send("POST", path_to("v1", runs.segment, name) + "/revert", reason=reason)
        _print_change(output, runs, runs.in_effect(engine, name, answer, "reverting"), "reverted")


def print_run(output: Output, runs: NamedRuns, run: Answer) -> None:
    """Print one run, or where it was stored if it is not in effect yet."""
    if output.is_text and "name" not in run:
        print_lines(f"stored at log position {run['position']}, not yet in effect")
        return
    if output.is_text:
        run = runs.for_people({one: run[one] for one in run if one not in ("position", "now")})
    output.fields(f"{runs.noun.capitalize()} {run['name']}", run)


def events_and_difference(change: Answer) -> tuple[str, ...]:
    """Return what a change is in events and money; of a kind that tells it, also how many events have no known cost."""
    difference = f"difference {change['difference_usd']} USD before markup"
    return (f"{counted(change['events'], 'event')}, {difference}", *unknown_costs(change.get("cost_unknown_events", 0)))


def unknown_costs(more: int) -> tuple[str, ...]:
    """Return a line about a difference that lacks the cost of some events, if so many more or fewer have none."""
    if more > 0:
        return (f"{counted(more, 'event')} of unknown cost {'is' if more == 1 else 'are'} not in it",)
    return (f"{-more:,} fewer event{'' if more == -1 else 's'} of unknown cost",) if more else ()


def _confirm(question: str, yes: bool) -> None:
    if not yes and not typer.confirm(question, err=True):
        raise typer.Exit(ExitCode.INTERRUPTED)


def _print_preview(runs: NamedRuns, found: Answer) -> None:
    if found["data"]:
        print_table("Reported cost by customer and usage period", runs.periods, found["data"])
    runs.print_effect(found)
    if found["next_cursor"]:
        print_message("more customers than shown: give a larger --limit to list them")


def _print_change(output: Output, runs: NamedRuns, run: Answer, done: str) -> None:
    change = run.get(done)
    if not output.is_text or change is None:
        print_run(output, runs, run)
        return
    first, *others = runs.change_lines(change)
    print_lines(f"{done} at log position {change['position']}: {first}", *others)
