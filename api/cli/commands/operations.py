"""Commands about the engine itself: how it is doing, folding its log again, and verifying what it knows."""

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
from domain.errors import DomainError, LogUnavailable
from domain.usage.outcomes import OUTCOMES
from projections.errors import ProjectionError, ReadStoreUnavailable

CONSUMER_COLUMNS: Final = tuple(
    "consumer topic partition next_offset end_offset lag_positions lag_seconds paused stopped stale trouble".split()
)


def status(
    data: DataFolderOption = None, url: UrlOption = None, key: KeyOption = None, as_json: AsJson = False
) -> None:
    """Show how far the fold and the consumers are, and how many events ended how, by source."""
    with connected(settings_with(data_dir=data), url, key) as engine:
        answer = engine.get("/v1/operations/status")
    if as_json:
        print_json(answer)
        return
    print_fields("Engine", {name: value for name, value in answer.items() if not isinstance(value, dict | list)})
    counts = [f"counts.{outcome}" for outcome in OUTCOMES]
    rows = [*answer["sources"], {"stream": "all", "counts": answer["counts"]}]
    print_table("Received, by source", rows, ("tenant", "environment", "stream", *counts))
    if answer["consumers"]:
        print_table("Consumers of Kafka", _by_partition(answer["consumers"]), CONSUMER_COLUMNS)


def _by_partition(consumers: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A row for each partition; one for a consumer that has none."""
    for consumer in consumers:
        said = {"consumer": consumer["name"], "stale": consumer["stale"], "trouble": consumer["trouble"]}
        for partition in consumer["partitions"] or [{}]:
            yield {**said, **partition}


def rebuild(
    data: DataFolderOption = None, url: UrlOption = None, key: KeyOption = None, as_json: AsJson = False
) -> None:
    """Fold the log again from position 0 into a fresh read store, then swap it in."""
    settings = settings_with(data_dir=data)
    folder = DataFolder(settings.data_dir)
    result: dict[str, Any] | None = None
    if url is None and folder.log.exists() and not folder.is_owned():
        try:
            result = _finished("Rebuilding", _rebuilt_here(settings))
        except FolderOwned:
            result = None
    if result is None:
        with connected(settings, url, key) as engine:
            result = _finished("Rebuilding", engine.steps("/v1/operations/rebuild"))
    if as_json:
        print_json(result)
    else:
        print_lines(f"folded {_extent(result)}")


def verify(
    data: DataFolderOption = None, url: UrlOption = None, key: KeyOption = None, as_json: AsJson = False
) -> None:
    """Fold the log again beside the live store and compare; check buffers, chain and seals. Exit 1 on a difference."""
    with connected(settings_with(data_dir=data), url, key) as engine:
        result = _finished("Verifying", engine.steps("/v1/operations/verify"))
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


def _rebuilt_here(settings: Settings) -> Iterator[dict[str, Any]]:
    """The steps of a rebuild that opens no engine: the read store may be beyond opening, and this is its remedy."""
    from api.cli.server.in_process_engine import storage_failed
    from consumers.bootstrap import rebuild_closed
    from consumers.engine import OperationStep

    try:
        for step in rebuild_closed(settings):
            yield {"step" if isinstance(step, OperationStep) else "result": msgspec.to_builtins(step)}
    except (FolderUnusable, ReadStoreUnavailable, LogUnavailable) as error:
        raise CommandFailed(ExitCode.UNREACHABLE, str(error)) from error
    except (DomainError, ProjectionError) as error:
        raise CommandFailed(ExitCode.DIFFERENCES, str(error)) from error
    except FolderOwned:
        raise
    except Exception as error:
        raise storage_failed(settings, error) or error from error


def _finished(description: str, lines: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The result of an operation, after showing its steps."""
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
    raise CommandFailed(ExitCode.UNREACHABLE, "the engine stopped before it was done")
