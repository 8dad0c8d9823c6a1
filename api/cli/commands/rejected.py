"""`meterfold rejected`: list received events that were not counted; list and retry dead letters of Kafka."""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import Annotated, Final

import typer

from api.cli.commands.engine_command import engine_command
from api.cli.commands.kafka.dead_letters import list_dead_letters, retry
from api.cli.options import AsOf, At, Limit
from api.cli.output.columns import Column, Kind, Row
from api.cli.output.results import Output
from api.cli.server.http_client import Connection

app = typer.Typer(no_args_is_help=True, help="Show events that were not counted.", rich_markup_mode=None)


def detail_of(row: Row) -> str | None:
    """What is wrong with an event that was not counted; of a conflict, what differs."""
    detail: str | None = row["detail"]
    if row["differences"] is None:
        return detail
    told = (
        f"{one['member']}: counted {one['counted'] or 'nothing'}, received {one['received'] or 'nothing'}"
        for one in row["differences"]
    )
    return "; ".join(told) or "differs in what the log does not keep"


REJECTED: Final = (
    Column("Recorded", "recorded_at", Kind.MOMENT, drop=1),
    Column("Reason", "reason"),
    Column("Detail", detail_of, Kind.PROSE),
    Column("Customer", "customer", drop=3),
    Column("Source", "source", drop=2),
    Column("Id", "id"),
    Column("Stream", "stream", drop=5),
    Column("Position", "position", drop=4),
)


class Outcome(StrEnum):
    """An outcome of events that were not counted."""

    REJECTED = "rejected"
    CONFLICT = "conflict"
    DUPLICATE = "duplicate"
    WITHDRAWN = "withdrawn"


TITLES: Final = {
    Outcome.REJECTED: "Rejected events",
    Outcome.CONFLICT: "Events in conflict",
    Outcome.DUPLICATE: "Duplicate events",
    Outcome.WITHDRAWN: "Events that backfills withdrew",
}


@app.command("list")
@engine_command(csv=True)
def list_rejected(
    engine: Connection,
    output: Output,
    outcome: Annotated[Outcome, typer.Option(help="The outcome to list.")] = Outcome.REJECTED,
    reason: Annotated[str | None, typer.Option(help="Only events with this reason, such as required.")] = None,
    limit: Limit = 100,
    as_of: AsOf = None,
    at: At = None,
) -> None:
    """List events that were not counted, newest first."""
    found = list(engine.pages("/v1/rejected", limit, outcome=outcome, reason=reason, as_of=as_of, at=at))
    output.rows(TITLES[outcome], REJECTED, found, headers=partial(engine.row_members, "/v1/rejected"))


app.command("dead-letters")(list_dead_letters)
app.command()(retry)
