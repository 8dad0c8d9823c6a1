"""`meterfold backfill load`: load the events of a file, or of a Kafka topic, into an open backfill."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import typer

from api.cli.commands.backfill.topic_loading import (
    EnvironmentOfTopic,
    TenantOfTopic,
    TopicToLoad,
    sent_topic,
    topic_events,
)
from api.cli.commands.engine_command import engine_command
from api.cli.commands.ingest import NOT_COUNTED, WARNINGS, Destination, add_warnings, map_from, sent_file
from api.cli.commands.kafka.broker import BootstrapOption
from api.cli.commands.runs.named_runs import Name
from api.cli.options import MapFile, SourceOfFile, settings_with
from api.cli.output.columns import Column, Kind
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.results import Output
from api.cli.output.tables import print_table
from api.cli.output.text import counted, next_command, print_json, print_lines
from api.cli.server.http_client import Connection, path_to
from consumers.files.event_batches import Batch

SHOWN_REJECTED_MAX: Final = 20
LOADED: Final = (Column("Outcome", "outcome"), Column("Events", "events", Kind.COUNT))


class Loaded(msgspec.Struct):
    """The result of a file or topic so far. Those in `not_yet_checked` are stored, and not shown by their backfill yet.

    `of`: what `name` is the name of. `left_out`: events of a topic that are outside of the backfill, and were not sent.
    """

    name: str
    of: Literal["file", "topic"]
    events: int = 0
    left_out: int = 0
    loaded: int = 0
    rejected: int = 0
    not_yet_checked: int = 0
    position: int = 0
    outcomes: list[dict[str, Any]] = msgspec.field(default_factory=list)
    warnings: list[dict[str, Any]] = msgspec.field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return the result as JSON has it: the file or the topic by that name."""
        members: dict[str, Any] = msgspec.to_builtins(self)
        return {members.pop("of"): members.pop("name"), **members}

    def add_all(self, sent: Iterable[tuple[Batch, dict[str, Any]]]) -> None:
        """Add the receipts of all batches, which are sent by that."""
        for batch, receipt in sent:
            self.add(batch, receipt)

    def add(self, batch: Batch, receipt: dict[str, Any]) -> None:
        """Add the engine's receipt for a batch."""
        self.events += batch.events
        self.position = max(self.position, receipt["position"])
        if "outcomes" not in receipt:
            self.not_yet_checked += batch.events
            return
        self.loaded += receipt["loaded"]
        self.rejected += receipt["rejected"]
        self.outcomes += receipt["outcomes"][: SHOWN_REJECTED_MAX - len(self.outcomes)]
        add_warnings(self.warnings, receipt["warnings"])


@engine_command()
def load(
    engine: Connection,
    output: Output,
    name: Name,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="NDJSON, CSV or Parquet file.", exists=True, dir_okay=False, readable=True),
    ] = None,
    map_file: MapFile = None,
    source: SourceOfFile = None,
    topic: Annotated[
        str | None, typer.Option(help="Load the events of this Kafka topic, up to its present end.")
    ] = None,
    tenant: TenantOfTopic = None,
    environment: EnvironmentOfTopic = None,
    bootstrap: BootstrapOption = None,
) -> None:
    """Load the events of a file or a Kafka topic into an open backfill.

    They count nowhere before `commit`. What is loaded again, after a crash or because it has grown, counts nothing
    twice: what was loaded before becomes a duplicate at the commit. Of a topic, events outside of the backfill are left
    out.
    """
    where = Destination(path_to("v1", "backfills", name) + "/events", "Loading", "loaded")
    lag_seconds_max = settings_with().fold_lag_seconds_max
    if topic is None:
        if file is None:
            raise CommandFailed(ExitCode.WRONG_USE, "give FILE, or --topic TOPIC")
        if (tenant, environment, bootstrap) != (None, None, None):
            raise CommandFailed(ExitCode.WRONG_USE, "--tenant, --environment and --bootstrap need --topic TOPIC")
        loaded = Loaded(str(file), "file")
        loaded.add_all(sent_file(engine, where, file, map_from(map_file, source), lag_seconds_max))
    else:
        if (file, map_file, source) != (None, None, None):
            raise CommandFailed(ExitCode.WRONG_USE, "give FILE or --topic, not both; --map and --source need FILE")
        loaded = Loaded(topic, "topic")
        backfill = engine.get(path_to("v1", "backfills", name))
        events = topic_events(TopicToLoad(topic, tenant, environment, bootstrap), backfill)
        loaded.add_all(sent_topic(engine, where, events, lag_seconds_max))
        loaded.left_out = events.left_out
    if output.is_text:
        _print(engine, loaded, name)
    else:
        print_json(loaded.document())
    if loaded.rejected:
        raise typer.Exit(ExitCode.DIFFERENCES)


def _print(engine: Connection, loaded: Loaded, name: str) -> None:
    counts = [{"outcome": "loaded", "events": loaded.loaded}, {"outcome": "rejected", "events": loaded.rejected}]
    if loaded.not_yet_checked:
        counts.append({"outcome": "not yet checked", "events": loaded.not_yet_checked})
    print_table(f"{loaded.name}: {counted(loaded.events, 'event')}", LOADED, counts)
    if loaded.left_out:
        were = "was" if loaded.left_out == 1 else "were"
        print_lines(f"{counted(loaded.left_out, 'event')} outside of the backfill {were} left out")
    if loaded.outcomes:
        print_table("The first that were rejected", NOT_COUNTED, loaded.outcomes)
    if loaded.warnings:
        print_table("Members that were not understood", WARNINGS, loaded.warnings)
    print_lines(
        f"as of log position {loaded.position}",
        f"nothing of it counts yet: see `{next_command(engine.typed, 'backfill preview', name)}`",
    )
