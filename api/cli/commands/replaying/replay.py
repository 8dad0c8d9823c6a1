"""`meterfold replay`: fold the log again. Its earlier name, `meterfold rebuild`, still works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from api.cli.commands.kafka.broker import BootstrapOption, kafka_settings
from api.cli.commands.operations import extent_of
from api.cli.commands.replaying.fresh_store import replayed
from api.cli.commands.replaying.kafka import published
from api.cli.commands.replaying.own_store import replayed_into
from api.cli.options import AsJson, DataFolderOption, KeyOption, UrlOption, settings_with
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.tables import print_fields
from api.cli.output.text import counted, print_json, print_lines, quoted

RATE_DEFAULT: Final = 10_000

Into = Annotated[
    Path | None, typer.Option("--into", metavar="DIR", help="Make a store of its own there, to look at; swap nothing.")
]
From = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="WHEN", help="Only usage from this log position, RFC 3339 instant or UTC day of arrival on."
    ),
]
To = Annotated[
    str | None,
    typer.Option("--to", metavar="WHEN", help="Only what arrived before this log position, instant or UTC day."),
]


ToKafka = Annotated[
    str | None,
    typer.Option("--to-kafka", metavar="TOPIC", help="Publish the usage of the log again, in order; fold nothing."),
]
Rate = Annotated[
    int | None, typer.Option(min=1, help="Events published per second at most. [default: 10000; only with --to-kafka]")
]


def replay(
    into: Into = None,
    first: From = None,
    end: To = None,
    to_kafka: ToKafka = None,
    rate: Rate = None,
    bootstrap: BootstrapOption = None,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Fold the log again into a new read store.

    It takes the place of the present one when it is complete; a running engine answers and takes usage all the while.
    A replay that was interrupted or killed goes on where it was. No number changes unless the present store is wrong:
    `meterfold verify` tells whether it is, without changing it.

    With --into, the store is one of its own, which read commands open with --data DIR. It may be one of a range
    (--from, --to, exclusive): of the usage that arrived in it, with the facts known at its end.

    With --to-kafka, usage is published as `meterfold consume` reads it: another engine then counts the same usage.
    """
    _check_use(into, first is not None or end is not None, to_kafka, rate is not None or bootstrap is not None, url)
    if to_kafka is not None:
        settings = kafka_settings(bootstrap).model_copy(update={"data_dir": settings_with(data_dir=data).data_dir})
        _print_published(published(settings, to_kafka, rate or RATE_DEFAULT, first, end), as_json)
        return
    settings = settings_with(data_dir=data)
    result = replayed(settings, url, key) if into is None else replayed_into(settings, into, first, end)
    if as_json:
        print_json(result)
        return
    if into is None:
        print_lines(f"folded {extent_of(result)}")
    else:
        made = f"{into} has {counted(result['events'], 'event')}: {result['range']}"
        print_lines(made, f"ask it with --data {quoted(str(into))}")


def _check_use(into: Path | None, in_range: bool, to_kafka: str | None, of_kafka: bool, url: str | None) -> None:
    """Refuse options that contradict each other."""
    if into is not None and to_kafka is not None:
        raise CommandFailed(ExitCode.WRONG_USE, "give --into or --to-kafka, not both")
    if of_kafka and to_kafka is None:
        raise CommandFailed(ExitCode.WRONG_USE, "--rate and --bootstrap need --to-kafka TOPIC")
    if in_range and into is None and to_kafka is None:
        raise CommandFailed(
            ExitCode.WRONG_USE,
            "a range needs --into DIR: the store of a range has a part of the usage,\nso that its totals would be "
            "wrong in the place of the present one",
        )
    if url is not None and (into is not None or to_kafka is not None):
        option = "--into" if to_kafka is None else "--to-kafka"
        raise CommandFailed(
            ExitCode.WRONG_USE, f"{option} reads the log in a data folder:\ngive --data DIR, not --url or METERFOLD_URL"
        )


def _print_published(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        print_fields(f"The log published to {found['topic']}", found)


def rebuild(
    data: DataFolderOption = None, url: UrlOption = None, key: KeyOption = None, as_json: AsJson = False
) -> None:
    """Replay the log: the earlier name of `meterfold replay`."""
    replay(data=data, url=url, key=key, as_json=as_json)
