"""`meterfold diff`: what moved usage between two points of knowledge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from api.cli.commands.engine_command import engine_command
from api.cli.commands.names import actor_labels, profile_of
from api.cli.commands.usage import MEASURES
from api.cli.options import Limit, MinPosition
from api.cli.output.cells import span_text
from api.cli.output.columns import Column, Kind, Row
from api.cli.output.results import Output
from api.cli.output.tables import print_table
from api.cli.output.text import print_lines, print_message, shown
from api.cli.server.http_client import PAGE_SIZE, Connection

_PATH: Final = "/v1/diff"
#: What kinds of causes are called in tables: many of them, and one.
_TITLES: Final = {
    "new": ("new events", "new event"),
    "late": ("late events", "late event"),
    "voided": ("voided events", "voided"),
    "restored": ("restored events", "restored"),
    "amended": ("amended events", "amended"),
    "priced": ("prices became known", "price became known"),
    "repriced": ("re-priced", "re-priced"),
    "corrected": ("corrected by filter", "corrected by filter"),
    "backfilled": ("backfilled", "backfilled"),
    "reverted": ("reverted", "reverted"),
    "moved": ("events of subscriptions", "event of a subscription"),
    "changed": ("other changes of events", "changed"),
    "markup": ("markup", "markup"),
    "period": ("bounds of the period", "bounds of the period"),
}


def _kinds(row: Row) -> str:
    return _with_run(row, _TITLES[row["kind"]][0])


def _why(row: Row) -> str:
    """The kind of a cause, and the reason that was given for it."""
    title = _with_run(row, _TITLES[row["kind"]][1])
    return f"{title}: {row['reason']}" if row["reason"] else title


def _with_run(row: Row, title: str) -> str:
    return f"{title} by {row['run']}" if row["run"] else title


def _about(row: Row) -> str:
    """The event of a cause, or what its fact set."""
    if row["event"] is not None:
        return f"{shown(row['event']['id'])} of {shown(row['event']['source'])}"
    set_to = ", ".join(f"{name} {shown(value)}" for name, value in row["fact"]["fields"].items())
    return f"{row['fact']['kind']} {set_to}".strip()


def _moved(drop: int = 0, known: str = "moved.") -> tuple[Column, ...]:
    """The columns of sums, whose members are at the path `known`."""
    return (
        Column("Requests", f"{known}requests", Kind.COUNT, drop=drop + 1),
        Column("Tokens", f"{known}total_tokens", Kind.COUNT, drop=drop + 4),
        Column("Cost (USD)", f"{known}cost_usd", Kind.MONEY, drop=drop + 2),
        Column("Reported cost (USD)", f"{known}reported_cost_usd", Kind.MONEY),
        Column("Unknown cost", f"{known}cost_unknown_events", Kind.COUNT, drop=drop + 3),
    )


NUMBERS: Final = (Column("", "title"), *_moved(drop=1, known=""))
SUMS: Final = (Column("Why", _kinds), Column("Events", "events", Kind.COUNT), *_moved(drop=1))
CAUSES: Final = (
    Column("Recorded", "recorded_at", Kind.INSTANT),
    Column("Position", "position", Kind.COUNT, drop=6),
    Column("Why", _why, Kind.PROSE),
    Column("What", _about),
    *_moved(drop=6),
    Column("By", "actor", drop=5),
)
HEADERS: Final = (
    *("kind", "position", "recorded_at", "customer", "event.source", "event.id", "event.time", "fact.kind"),
    *("fact.effective_at", "fact.fields", "run", "actor", "reason", *(f"moved.{name}" for name in MEASURES)),
)


@engine_command(csv=True, fields={"as_of": "until"})
def diff(
    engine: Connection,
    output: Output,
    since: Annotated[
        str,
        typer.Argument(metavar="A", help="The earlier point: an RFC 3339 instant, a day or a log position."),
    ],
    until: Annotated[
        str | None, typer.Argument(metavar="B", help="The later point, likewise. [default: what is known now]")
    ] = None,
    customer: Annotated[str | None, typer.Option(help="Only this customer. [default: all customers]")] = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Event time, inclusive: an RFC 3339 instant or a day. [default: start of the period]",
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="Event time, exclusive, likewise. [default: now]"),
    ] = None,
    period_of: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="In place of both: the usage period that contains this instant, or the beginning of this day or "
            "month, such as 2026-03.",
        ),
    ] = None,
    limit: Limit = 100,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Answer as if asked at this RFC 3339 instant. [default: now; with B, that of the last record]",
        ),
    ] = None,
    min_position: MinPosition = None,
) -> None:
    """Explain what moved usage between two points.

    It is shown as known at A and at B, with what changed it in between: late events, corrections, prices and facts.
    """
    span = {"from": begin, "to": end, "period_of": period_of}
    asked = {"since": since, "as_of": until, "at": at, "customer": customer, "min_position": min_position, **span}
    answer = engine.get(_PATH, **asked, limit=min(PAGE_SIZE, limit))
    causes = answer["data"]
    known = {**asked, "as_of": answer["position"], "at": answer["now"]}
    while answer["next_cursor"] is not None and len(causes) < limit:
        size = min(PAGE_SIZE, limit - len(causes))
        page = engine.get(_PATH, **known, limit=size, cursor=answer["next_cursor"])
        causes = [*causes, *page["data"]]
        answer = {**answer, "data": causes, "next_cursor": page["next_cursor"]}
    if output.is_text:
        _print(engine, answer, customer)
    else:
        output.rows("", CAUSES, causes, headers=lambda: HEADERS, document=answer)
    if answer["next_cursor"] is not None:
        print_message("more causes than shown: give a larger --limit to list them")


def _print(engine: Connection, answer: Mapping[str, Any], customer: str | None) -> None:
    before, after = answer["before"], answer["after"]
    label, zone = "all customers", "UTC"
    if customer is not None:
        profile = profile_of(engine, customer)
        label, zone = profile.label, profile.zone
    numbers = [
        {"title": f"known at position {before['position']:,}", **before["usage"]},
        {"title": f"known at position {after['position']:,}", **after["usage"]},
        {"title": "difference", **answer["difference"]},
    ]
    span = span_text(after["start"], after["end"], zone)
    print_table(f"Usage of {label}, {span}", NUMBERS, numbers)
    if (before["start"], before["end"]) != (after["start"], after["end"]):
        print_lines(f"known at position {before['position']:,}: {span_text(before['start'], before['end'], zone)}")
    if not answer["by_kind"] and not answer["data"]:
        print_lines("", "nothing moved it")
        return
    print_lines("")
    difference = {"kind": "new", "run": None, "events": None, "moved": answer["difference"]}
    print_table("What moved it", SUMS, answer["by_kind"], total=difference)
    print_lines("")
    causes = actor_labels(engine, answer["data"])
    columns = CAUSES if customer is not None else (CAUSES[0], Column("Customer", "customer"), *CAUSES[1:])
    print_table("One by one, in log order", columns, causes, zone=zone)
