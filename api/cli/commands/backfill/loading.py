"""`meterfold backfill load`: load the events of a file into an open backfill."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import typer

from api.cli.commands.backfill.runs import Name
from api.cli.commands.engine_command import engine_command
from api.cli.commands.ingest import NOT_COUNTED, WARNINGS, Destination, add_warnings, map_from, sent_file
from api.cli.options import EventFile, MapFile, SourceOfFile, settings_with
from api.cli.output.columns import Column, Kind
from api.cli.output.exit_codes import ExitCode
from api.cli.output.results import Output
from api.cli.output.tables import print_table
from api.cli.output.text import print_json, print_lines, shown
from api.cli.server.http_client import Connection, path_to
from consumers.files.event_batches import Batch

SHOWN_REJECTED_MAX: Final = 20
LOADED: Final = (Column("Outcome", "outcome"), Column("Events", "events", Kind.COUNT))


class Loaded(msgspec.Struct):
    """The result of a file so far. Events in `not_yet_checked` are stored; their backfill does not show them yet."""

    file: str
    events: int = 0
    loaded: int = 0
    rejected: int = 0
    not_yet_checked: int = 0
    position: int = 0
    outcomes: list[dict[str, Any]] = msgspec.field(default_factory=list)
    warnings: list[dict[str, Any]] = msgspec.field(default_factory=list)

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
    file: EventFile,
    map_file: MapFile = None,
    source: SourceOfFile = None,
) -> None:
    """Load the usage events of a file into an open backfill.

    They count nowhere before `commit`. A file that is loaded again, after a crash or because it has grown, counts
    nothing twice: what was loaded before becomes a duplicate at the commit. Events that are in Kafka alone are written
    to a file first.
    """
    file_map = map_from(map_file, source)
    loaded = Loaded(str(file))
    where = Destination(path_to("v1", "backfills", name) + "/events", "Loading", "loaded")
    for batch, receipt in sent_file(engine, where, file, file_map, settings_with().fold_lag_seconds_max):
        loaded.add(batch, receipt)
    if output.is_text:
        _print(loaded, name)
    else:
        print_json(msgspec.to_builtins(loaded))
    if loaded.rejected:
        raise typer.Exit(ExitCode.DIFFERENCES)


def _print(loaded: Loaded, name: str) -> None:
    counts = [{"outcome": "loaded", "events": loaded.loaded}, {"outcome": "rejected", "events": loaded.rejected}]
    if loaded.not_yet_checked:
        counts.append({"outcome": "not yet checked", "events": loaded.not_yet_checked})
    print_table(f"{loaded.file}: {loaded.events:,} events", LOADED, counts)
    if loaded.outcomes:
        print_table("The first that were rejected", NOT_COUNTED, loaded.outcomes)
    if loaded.warnings:
        print_table("Members that were not understood", WARNINGS, loaded.warnings)
    print_lines(
        f"as of log position {loaded.position}",
        f"nothing of it counts yet: see `meterfold backfill preview {shown(name)}`",
    )
