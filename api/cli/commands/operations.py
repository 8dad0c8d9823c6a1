"""`meterfold status`, `rebuild` and `verify`: the state of the engine, and operations on its read store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
import typer

from api.cli.options import AsJson, DataFolderOption, KeyOption, UrlOption, settings_with
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.progress import progress_bar
from api.cli.output.tables import print_fields, print_json, print_lines, print_table
from api.cli.server.connection import connected
from consumers.embedded.data_folder import DataFolder
from consumers.errors import FolderOwned, FolderUnusable
from consumers.settings import Settings
from domain.errors import DomainError, LogUnavailable, UnknownRecord
from domain.usage.outcomes import OUTCOMES
from projections.errors import ProjectionError, ReadStoreUnavailable

CONSUMER_COLUMNS: Final = tuple(
    "consumer topic partition next_offset end_offset lag_positions lag_seconds paused stopped stale trouble".split()
)


def status(
    data: DataFolderOption = None, url: UrlOption = None, key: KeyOption = None, as_json: AsJson = False
) -> None:
    """Show the progress of the fold and the consumers, and the number of events by source and outcome."""
    with connected(settings_with(data_dir=data), url, key) as engine:
        answer = engine.get("/v1/operations/status")
    if as_json:
        print_json(answer)
        return
    print_fields("Engine", {name: value for name, value in answer.items() if not isinstance(value, dict | list)})
    counts = [f"counts.{outcome}" for outcome in OUTCOMES]
    rows = [*answer["sources"], {"stream": "all", "counts": answer["counts"]}]
    print_table("Received events by source", rows, ("tenant", "environment", "stream", *counts))
    if answer["consumers"]:
        print_table("Kafka consumers", _by_partition(answer["consumers"]), CONSUMER_COLUMNS)
    for consumer in answer["consumers"]:
        if consumer["public_poll"] is not None:
            print_lines(f"{consumer['name']} reads by the slower public poll: {consumer['public_poll']}")


def _by_partition(consumers: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield one row for each partition, and one for a consumer without partitions."""
    for consumer in consumers:
        common = {"consumer": consumer["name"], "stale": consumer["stale"], "trouble": consumer["trouble"]}
        for partition in consumer["partitions"] or [{}]:
            yield {**common, **partition}


def rebuild(
    data: DataFolderOption = None, url: UrlOption = None, key: KeyOption = None, as_json: AsJson = False
) -> None:
    """Rebuild the read store: fold the log from position 0 into a new store, then swap it in."""
    settings = settings_with(data_dir=data)
    folder = DataFolder(settings.data_dir)
    result: dict[str, Any] | None = None
    if url is None and folder.log.exists() and not folder.is_owned():
        try:
            result = _result_of("Rebuilding", _rebuild_in_process(settings))
        except FolderOwned:
            result = None
    if result is None:
        with connected(settings, url, key) as engine:
            result = _result_of("Rebuilding", engine.steps("/v1/operations/rebuild"))
    if as_json:
        print_json(result)
    else:
        print_lines(f"folded {_extent(result)}")


def verify(
    data: DataFolderOption = None, url: UrlOption = None, key: KeyOption = None, as_json: AsJson = False
) -> None:
    """Verify the read store against a new fold of the log, and check buffers, hash chain and seals.

    Exits with 1 on a difference.
    """
    with connected(settings_with(data_dir=data), url, key) as engine:
        result = _result_of("Verifying", engine.steps("/v1/operations/verify"))
    findings = result["findings"]
    if as_json:
        print_json(result)
    elif findings:
        print_table(f"{len(findings)} differences", findings, ("where", "key", "expected", "found"))
    else:
        print_lines(f"all is well: {_extent(result)}")
    if findings:
        raise typer.Exit(ExitCode.DIFFERENCES)


def _extent(result: dict[str, Any]) -> str:
    return f"{result['records']} records with {result['events']} events, up to position {result['position']}"


def _rebuild_in_process(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield the steps of a rebuild without an open engine, which also repairs a read store that cannot be opened."""
    from api.cli.server.in_process_engine import storage_failure
    from consumers.bootstrap import rebuild_closed
    from consumers.engine import OperationStep

    try:
        for step in rebuild_closed(settings):
            yield {"step" if isinstance(step, OperationStep) else "result": msgspec.to_builtins(step)}
    except (FolderUnusable, ReadStoreUnavailable, LogUnavailable, UnknownRecord) as error:
        raise CommandFailed(ExitCode.UNREACHABLE, str(error)) from error
    except (DomainError, ProjectionError) as error:
        raise CommandFailed(ExitCode.DIFFERENCES, str(error)) from error
    except FolderOwned:
        raise
    except Exception as error:
        raise storage_failure(settings, error) or error from error


def _result_of(description: str, lines: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Show the steps of an operation as progress and return its result."""
    with progress_bar(description) as advance:
        for line in lines:
            if "step" in line:
                step = line["step"]
                advance(step["done"], step["total"], f"{description}: {step['stage']}")
            elif "failure" in line:
                raise CommandFailed(ExitCode.DIFFERENCES, str(line["failure"]["detail"]))
            else:
                result: dict[str, Any] = line["result"]
                return result
    raise CommandFailed(ExitCode.UNREACHABLE, "the engine stopped before the operation was finished")
