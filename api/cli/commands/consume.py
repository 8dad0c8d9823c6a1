"""The command that reads usage and commands from Kafka into the log: a process of its own, as many as one likes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from api.cli.options import DataFolderOption, settings_with
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.tables import print_lines
from consumers.errors import FolderUnusable, KafkaMisconfigured
from consumers.log_output import configure_messages
from consumers.settings import Settings
from domain.errors import DomainError, InvalidInput, LogError

Partitions = Annotated[
    list[str] | None,
    typer.Option("--partition", metavar="TOPIC:NUMBER", help="Read this partition without joining the group; repeat."),
]
FromOffset = Annotated[
    int | None,
    typer.Option(min=0, help="With --partition: read again from here to the end that there is now, then stop."),
]


def consume(
    name: Annotated[
        str, typer.Option(help="Name in status and metrics; no two consumers of a data folder share one.")
    ] = "consumer",
    partition: Partitions = None,
    from_offset: FromOffset = None,
    data: DataFolderOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the status as JSON lines, once a second.")] = False,
) -> None:
    """Read usage and lifecycle commands from Kafka into the log until it is told to stop."""
    settings = settings_with(data_dir=data)
    configure_messages(settings.log_level, as_json=settings.log_json)
    try:
        _consume(settings, name, partition or [], from_offset, as_json)
    except (InvalidInput, KafkaMisconfigured) as error:
        raise CommandFailed(ExitCode.WRONG_USE, str(error)) from error
    except (FolderUnusable, LogError) as error:
        raise CommandFailed(ExitCode.UNREACHABLE, str(error)) from error
    except DomainError as error:
        raise CommandFailed(ExitCode.DIFFERENCES, str(error)) from error


def _consume(settings: Settings, name: str, partitions: list[str], from_offset: int | None, as_json: bool) -> None:
    # Imported here, as the other commands need none of it.
    from consumers.bootstrap import open_consumer
    from consumers.kafka.consumer.options import Replay, consumer_options
    from consumers.kafka.consumer.process import stopping_on_signals, tune_memory
    from consumers.kafka.consumer.status import ConsumerStatus

    if from_offset is not None and not partitions:
        raise InvalidInput("--from-offset", "goes with --partition: it would read every partition again")
    replay = None if from_offset is None else Replay(f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}", from_offset)
    options = msgspec.structs.replace(
        consumer_options(settings, name), partitions=tuple(map(_place, partitions)), replay=replay
    )

    def show(status: ConsumerStatus) -> None:
        if as_json:
            print_lines(msgspec.json.encode(status).decode())

    stopping = stopping_on_signals()
    tune_memory()
    with open_consumer(settings, options, on_status=show) as consumer:
        if not as_json:
            reading = partitions or options.topics
            print_lines(f"Reads {', '.join(reading)} into {settings.data_dir} (Ctrl+C stops it)")
        consumer.run(stopping)


def _place(text: str) -> tuple[str, int]:
    """TOPIC:NUMBER; a topic's name has no colon."""
    topic, colon, number = text.rpartition(":")
    if not (topic and colon and number.isascii() and number.isdigit()):
        raise InvalidInput("--partition", "is TOPIC:NUMBER, such as meterfold.usage:0")
    return topic, int(number)
