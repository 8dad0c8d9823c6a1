"""`meterfold ingest`: ingest a file of events (NDJSON), or of rows with a map (CSV, Parquet, NDJSON)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import msgspec
import typer

from api.cli.options import (
    AsJson,
    DataFolderOption,
    EventFile,
    KeyOption,
    MapFile,
    Reason,
    SourceOfFile,
    UrlOption,
    settings_with,
)
from api.cli.output.columns import Column, Kind
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.progress import progress_bar
from api.cli.output.tables import print_table
from api.cli.output.text import counted, print_json, print_lines
from api.cli.server.connection import connected
from api.cli.server.field_names import REASON_HEADER
from api.cli.server.http_client import Connection, problem_text
from consumers.errors import FileUnreadable
from consumers.files.event_batches import Batch, read_batches
from consumers.files.map_file import FileMap, MapInvalid, read_map
from domain.usage.outcomes import DECIDED_OUTCOMES

SHOWN_OUTCOMES_MAX: Final = 20
SHOWN_WARNINGS_MAX: Final = 20
RETRIES_MAX: Final = 120
RETRY_SECONDS_MAX: Final = 10.0
LAG_POLLS_MAX: Final = 6_000
LAG_POLL_SECONDS: Final = 0.1
COUNTS: Final = (Column("Outcome", "outcome"), Column("Events", "events", Kind.COUNT))
NOT_COUNTED: Final = (
    Column("Id", "id"),
    Column("Source", "source", drop=2),
    Column("Outcome", "outcome"),
    Column("Reason", "reason", drop=1),
    Column("Detail", "detail", Kind.PROSE),
)


WARNINGS: Final = (
    Column("Member", "member"),
    Column("Events", "events", Kind.COUNT),
    Column("Advice", "advice", Kind.PROSE),
)


class Destination(msgspec.Struct, frozen=True):
    """Where events of a file are sent, and the words for it. `until_counted`: a batch is sent again until it is."""

    path: str
    doing: str
    done: str
    params: dict[str, Any] | None = None
    headers: dict[str, str] = {}
    until_counted: bool = False


#: What became of an event, beside the decided outcomes, where a file amends.
AMENDED: Final = "amended"
INGEST: Final = Destination("/v1/events", "Ingesting", "ingested")


def replacing(known_at: int, reason: str | None) -> Destination:
    """Return where events are sent that replace those counted with other content by a log position, for this reason."""
    headers = {} if reason is None else {REASON_HEADER: reason}
    return Destination("/v1/events/replace", "Ingesting", "ingested", {"known_at": known_at}, headers, True)


class Ingested(msgspec.Struct):
    """The result of a file so far: `counts` tells each event in one way, but for those in the two members below.

    `not_yet_counted`: stored, their outcome is not known yet. `counted_or_duplicate`: of batches that had to be sent
    again, stored by the first attempt, which counted them, or counted before. The counts of a file that amends have
    `amended` too.
    """

    file: str
    events: int = 0
    counts: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(DECIDED_OUTCOMES, 0))
    not_yet_counted: int = 0
    counted_or_duplicate: int = 0
    position: int = 0
    outcomes: list[dict[str, Any]] = msgspec.field(default_factory=list)
    warnings: list[dict[str, Any]] = msgspec.field(default_factory=list)

    def add(self, batch: Batch, receipt: dict[str, Any]) -> None:
        """Add the engine's receipt for a batch."""
        self.events += batch.events
        self.position = max(self.position, receipt["position"])
        if "counts" not in receipt:
            self.not_yet_counted += batch.events
            return
        counts = dict(receipt["counts"])
        if receipt.get("sent_again"):
            self.counted_or_duplicate += counts["duplicate"]
            counts["duplicate"] = 0
        for outcome in self.counts:
            self.counts[outcome] += counts[outcome]
        worth_showing = [entry for entry in receipt["outcomes"] if entry["outcome"] in ("rejected", "conflict")]
        self.outcomes += worth_showing[: SHOWN_OUTCOMES_MAX - len(self.outcomes)]
        add_warnings(self.warnings, receipt["warnings"])


def add_warnings(known: list[dict[str, Any]], warnings: list[dict[str, Any]]) -> None:
    """Add the warnings of a receipt to those of the file so far, as far as there is room."""
    for warning in warnings:
        same = next((one for one in known if one["member"] == warning["member"]), None)
        if same is not None:
            same["events"] += warning["events"]
        elif len(known) < SHOWN_WARNINGS_MAX:
            known.append(dict(warning))


def ingest(
    file: EventFile,
    map_file: MapFile = None,
    source: SourceOfFile = None,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    amend: Annotated[
        bool, typer.Option("--amend", help="Amend events that are counted with other content, as the file has them.")
    ] = False,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Ingest the usage events of a file.

    A file ingested again, or grown, counts nothing twice.
    """
    if reason is not None and not amend:
        raise CommandFailed(ExitCode.WRONG_USE, "--reason needs --amend: it is the reason of the amendments")
    file_map = map_from(map_file, source)
    ingested = Ingested(str(file), counts=dict.fromkeys((*DECIDED_OUTCOMES, AMENDED) if amend else DECIDED_OUTCOMES, 0))
    settings = settings_with(data_dir=data)
    with connected(settings, url, key, new_folder=True) as engine:
        known_at = engine.get("/v1/corrections", limit=1)["position"] if amend else None
        where = INGEST if known_at is None else replacing(known_at, reason)
        for batch, receipt in sent_file(engine, where, file, file_map, settings.fold_lag_seconds_max):
            ingested.add(batch, receipt)
    _print(ingested, as_json)
    if ingested.counts["rejected"] or ingested.counts["conflict"]:
        raise typer.Exit(ExitCode.DIFFERENCES)


def sent_file(
    engine: Connection, where: Destination, file: Path, file_map: FileMap | None, lag_seconds_max: float
) -> Iterator[tuple[Batch, dict[str, Any]]]:
    """Send the events of a file, with a progress bar; yield each batch with its receipt.

    A receipt has no outcomes when its events are stored but not folded yet: then the fold is waited for.
    """
    size_bytes = max(file.stat().st_size, 1)
    with progress_bar(f"{where.doing} {file.name}", of_bytes=True) as advance:
        try:
            for batch, receipt in sent_batches(engine, where, read_batches(file, file_map), lag_seconds_max):
                yield batch, receipt
                advance(min(batch.end_bytes, size_bytes), size_bytes, "")
        except (FileUnreadable, OSError) as error:
            raise CommandFailed(ExitCode.WRONG_USE, f"{file}: {error}") from error


def sent_batches(
    engine: Connection, where: Destination, batches: Iterable[Batch], lag_seconds_max: float
) -> Iterator[tuple[Batch, dict[str, Any]]]:
    """Send batches one after the other; yield each with its receipt, as `sent_file` does.

    A batch that was stored by one attempt and told by the next has `sent_again` in its receipt.
    """
    for batch in batches:
        receipt = post_batch(engine, batch, where)
        for _ in range(RETRIES_MAX if where.until_counted else 0):
            if "outcomes" in receipt:
                break
            _wait_for_the_fold(engine, where, lag_seconds_max)
            receipt = post_batch(engine, batch, where) | {"sent_again": True}
        yield batch, receipt
        if "outcomes" not in receipt:
            _wait_for_the_fold(engine, where, lag_seconds_max)


def map_from(path: Path | None, source: str | None) -> FileMap | None:
    """Read a map, with `source` in place of its own source if given; `CommandFailed` names every error."""
    if path is None:
        if source is not None:
            raise CommandFailed(ExitCode.WRONG_USE, "--source needs --map: without a map each event has its own source")
        return None
    try:
        file_map = read_map(path.read_bytes())
    except MapInvalid as error:
        raise CommandFailed(
            ExitCode.WRONG_USE, "\n".join(f"{path}: {problem}" for problem in error.problems)
        ) from error
    return file_map if source is None else file_map.model_copy(update={"source": source})


def post_batch(engine: Connection, batch: Batch, where: Destination = INGEST) -> dict[str, Any]:
    """Send a batch and return its receipt; retry while the engine is full, which is safe thanks to deduplication."""
    headers = {"Content-Type": "application/x-ndjson", **where.headers}
    for _ in range(RETRIES_MAX):
        answer = engine.raw("POST", where.path, params=where.params, content=batch.body, headers=headers)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
        time.sleep(_retry_seconds(answer))
    else:
        raise CommandFailed(ExitCode.UNREACHABLE, f"{problem_text(answer)}\nThe same file can be {where.done} again.")
    receipt: dict[str, Any] = engine.unless_refused(answer).json()
    return receipt


def _wait_for_the_fold(engine: Connection, where: Destination, lag_seconds_max: float) -> None:
    """Wait while the fold lags too far behind (backpressure), so that a bulk load does not delay other clients."""
    for _ in range(LAG_POLLS_MAX):
        state = engine.raw("GET", "/readyz")
        told = state.json()
        if told.get("failure") is not None:
            raise CommandFailed(ExitCode.UNREACHABLE, f"the engine has stopped counting: {told['failure']}")
        if told["behind_seconds"] <= lag_seconds_max:  # writes that are refused at present are tried again
            return
        time.sleep(LAG_POLL_SECONDS)
    raise CommandFailed(ExitCode.UNREACHABLE, f"the fold does not catch up; the same file can be {where.done} again")


def _retry_seconds(answer: httpx.Response) -> float:
    try:
        return min(max(float(answer.headers.get("Retry-After", "1")), 0.0), RETRY_SECONDS_MAX)
    except ValueError:
        return RETRY_SECONDS_MAX


def _print(ingested: Ingested, as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(ingested))
        return
    counts = [{"outcome": outcome, "events": count} for outcome, count in ingested.counts.items()]
    if ingested.not_yet_counted:
        counts.append({"outcome": "not yet counted", "events": ingested.not_yet_counted})
    if ingested.counted_or_duplicate:
        counts.append({"outcome": "counted or duplicate", "events": ingested.counted_or_duplicate})
    print_table(f"{ingested.file}: {counted(ingested.events, 'event')}", COUNTS, counts)
    if ingested.outcomes:
        print_table("The first that were not counted", NOT_COUNTED, ingested.outcomes)
    if ingested.warnings:
        print_table("Members that were not understood", WARNINGS, ingested.warnings)
    print_lines(f"as of log position {ingested.position}")
