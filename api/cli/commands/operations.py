"""`meterfold status`, `sources` and `verify`: the state of the engine, and the verification of its read store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import typer

from api.cli.commands.engine_command import engine_command
from api.cli.options import AsJson, DataFolderOption, KeyOption, Limit, UrlOption, settings_with
from api.cli.output.columns import Column, Kind
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.progress import progress_bar
from api.cli.output.results import Output
from api.cli.output.tables import print_fields, print_table
from api.cli.output.text import counted, next_command, print_json, print_lines, print_message
from api.cli.server.connection import connected
from api.cli.server.http_client import Connection
from consumers.errors import FolderUnusable
from domain.usage.outcomes import DECIDED_OUTCOMES

OUTCOME_COLUMNS: Final = (
    Column("Stream", "stream"),
    Column("Tenant", lambda row: f"{row['tenant']}/{row['environment']}", drop=1),
    *(Column(outcome.capitalize(), f"counts.{outcome}", Kind.COUNT) for outcome in DECIDED_OUTCOMES),
)
CONSUMER_COLUMNS: Final = (
    Column("Consumer", "consumer"),
    Column("Topic", "topic"),
    Column("Partition", "partition"),
    Column("Next offset", "next_offset", drop=5),
    Column("End offset", "end_offset", drop=6),
    Column("Behind", "lag_positions", Kind.COUNT),
    Column("Oldest", "lag_seconds", Kind.DURATION, drop=1),
    Column("Paused", "paused", drop=3),
    Column("Stale", "stale", drop=2),
    Column("Stopped", "stopped", Kind.PROSE),
    Column("Trouble", "trouble", Kind.PROSE),
)
SOURCES: Final = (
    Column("Topic", "topic"),
    Column("Partition", "partition"),
    Column("Next offset", "next_offset"),
    Column("Records lost", "records_lost", Kind.COUNT),
    Column("Commands refused", "commands_refused", Kind.COUNT),
    Column("Recorded", "recorded_at", Kind.MOMENT, drop=1),
    Column("Stream", "stream", drop=2),
)
#: As `consumers.engine.TAKEN_UP`, which takes a second to import.
TAKEN_UP: Final = "taken up"
FINDINGS: Final = (
    Column("Where", "where"),
    Column("Key", "key", Kind.PROSE),
    Column("Expected", "expected", Kind.PROSE),
    Column("Found", "found", Kind.PROSE),
)

sources_app = typer.Typer(no_args_is_help=True, help="Show what was read from Kafka.", rich_markup_mode=None)


@sources_app.callback()
def _sources() -> None:
    pass


@sources_app.command("list")
@engine_command(csv=True)
def list_sources(engine: Connection, output: Output, limit: Limit = 1_000) -> None:
    """List partitions of Kafka: next offset, records lost."""
    found = list(engine.pages("/v1/sources", limit))
    output.rows("Sources", SOURCES, found, headers=partial(engine.row_members, "/v1/sources"))


@engine_command()
def status(engine: Connection, output: Output) -> None:
    """Show progress of fold and consumers, and event counts."""
    answer = engine.get("/v1/operations/status")
    if not output.is_text:
        output.fields("", answer)
        return
    print_fields("Engine", {name: value for name, value in answer.items() if not isinstance(value, dict | list)})
    total = {"stream": "", "tenant": "", "environment": "", "counts": answer["counts"]}
    print_table("Received events by source", OUTCOME_COLUMNS, answer["sources"], total=total)
    if answer["counts"]["withdrawn"]:
        withdrawn = answer["counts"]["withdrawn"]
        them = "it" if withdrawn == 1 else "them"
        told = counted(withdrawn, "event", ("is", "are"))
        print_lines(f"{told} withdrawn: a backfill replaced {them}, or loaded {them} and was reverted")
    if answer["consumers"]:
        print_table("Kafka consumers", CONSUMER_COLUMNS, _by_partition(answer["consumers"]))
    if (replay := answer["replay"]) is not None:
        print_lines(_replay_text(engine, replay))
    for consumer in answer["consumers"]:
        if consumer["public_poll"] is not None:
            print_lines(f"{consumer['name']} reads by the slower public poll: {consumer['public_poll']}")


def _replay_text(engine: Connection, replay: dict[str, Any]) -> str:
    if replay["running"]:
        return f"A replay is running ({replay['stage']}): position {replay['position']} of {replay['until']}"
    return (
        f"A replay was stopped at position {replay['position']} of {replay['until']}: "
        f"`{next_command(engine.typed, 'replay')}` goes on from there"
    )


def _by_partition(consumers: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield one row for each partition, and one for a consumer without partitions."""
    for consumer in consumers:
        common = {"consumer": consumer["name"], "stale": consumer["stale"], "trouble": consumer["trouble"]}
        for partition in consumer["partitions"] or [{}]:
            yield {**common, **partition}


def verify(
    data: DataFolderOption = None, url: UrlOption = None, key: KeyOption = None, as_json: AsJson = False
) -> None:
    """Compare the read store with a new fold of the log.

    Also checks blocks, hash chain and seals. Exits with 1 on a difference.
    """
    settings = settings_with(data_dir=data)
    if url is None:
        refuse_own_store(settings.data_dir)
    with connected(settings, url, key) as engine:
        result = result_of("Verifying", engine.steps("/v1/operations/verify"))
    findings = result["findings"]
    if as_json:
        print_json(result)
    elif findings:
        print_table(counted(len(findings), "difference"), FINDINGS, findings)
    else:
        print_lines(f"all is well: {extent_of(result)}")
    if findings:
        raise typer.Exit(ExitCode.DIFFERENCES)


def refuse_own_store(folder: Path) -> None:
    """Raise `CommandFailed` for the folder of a store that was made to be looked at."""
    from consumers.embedded.replaying.log_range import refuse_folding

    try:
        refuse_folding(folder)
    except FolderUnusable as error:
        raise CommandFailed(ExitCode.WRONG_USE, str(error)) from error


def extent_of(result: dict[str, Any]) -> str:
    """Return how much of the log the result of an operation is about, in words."""
    records, events = counted(result["records"], "record"), counted(result["events"], "event")
    return f"{records} with {events}, up to position {result['position']}"


def result_of(description: str, lines: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Show the steps of an operation as progress and return its result."""
    with progress_bar(description) as advance:
        for line in lines:
            if "step" in line:
                step = line["step"]
                if step["stage"] == TAKEN_UP:
                    print_message(f"goes on after position {step['done']}, where an earlier replay was stopped")
                advance(step["done"], step["total"], f"{description}: {step['stage']}")
            elif "failure" in line:
                raise CommandFailed(ExitCode.DIFFERENCES, str(line["failure"]["detail"]))
            else:
                result: dict[str, Any] = line["result"]
                return result
    raise CommandFailed(ExitCode.UNREACHABLE, "the engine stopped before the operation was finished")
