"""`meterfold consume`: read usage and commands from Kafka into the log, in any number of processes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from api.cli.options import DataFolderOption, settings_with
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.text import print_lines
from consumers.errors import FolderUnusable, KafkaMisconfigured
from consumers.log_output import configure_logging
from consumers.settings import Settings
from domain.errors import DomainError, InvalidInput, LogError

Partitions = Annotated[
    list[str] | None,
    typer.Option(
        "--partition",
        metavar="TOPIC:NUMBER",
        help="Read this partition, without joining the consumer group; may be repeated.",
    ),
]
FromOffset = Annotated[
    int | None,
    typer.Option(min=0, help="With --partition: read again from this offset to the present end, then stop."),
]


def consume(
    name: Annotated[
        str, typer.Option(help="Name in status and metrics; must be unique among the consumers of a data folder.")
    ] = "consumer",
    partition: Partitions = None,
    from_offset: FromOffset = None,
    data: DataFolderOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the status as JSON lines, once a second.")] = False,
) -> None:
    """Read usage and commands from Kafka until stopped."""
    settings = settings_with(data_dir=data)
    configure_logging(settings.log_level, as_json=settings.log_json)
    try:
        _consume(settings, name, partition or [], from_offset, as_json)
    except (InvalidInput, KafkaMisconfigured) as error:
        raise CommandFailed(ExitCode.WRONG_USE, str(error)) from error
    except (FolderUnusable, LogError) as error:
        raise CommandFailed(ExitCode.UNREACHABLE, str(error)) from error
    except DomainError as error:
        raise CommandFailed(ExitCode.DIFFERENCES, str(error)) from error


def _consume(settings: Settings, name: str, partitions: list[str], from_offset: int | None, as_json: bool) -> None:
    # Imported here because no other command needs them.
    from consumers.bootstrap import open_consumer
    from consumers.kafka.consumer.options import Replay, consumer_options
    from consumers.kafka.consumer.process import stopping_on_signals, tune_memory
    from consumers.kafka.consumer.status import ConsumerStatus

    if from_offset is not None and not partitions:
        raise InvalidInput("--from-offset", "needs --partition; without it every partition would be read again")
    replay = None if from_offset is None else Replay(f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}", from_offset)
    options = msgspec.structs.replace(
        consumer_options(settings, name), partitions=tuple(map(_topic_partition, partitions)), replay=replay
    )

    def show(status: ConsumerStatus) -> None:
        if as_json:
            print_lines(msgspec.json.encode(status).decode())

    stopping = stopping_on_signals()
    tune_memory()
    with open_consumer(settings, options, on_status=show) as consumer:
        if not as_json:
            reading = partitions or options.topics
            print_lines(f"Reading {', '.join(reading)} into {settings.data_dir} (Ctrl+C stops it)")
        consumer.run(stopping)


def _topic_partition(text: str) -> tuple[str, int]:
    """Parse TOPIC:NUMBER. The name of a topic has no colon."""
    topic, colon, number = text.rpartition(":")
    if not (topic and colon and number.isascii() and number.isdigit()):
        raise InvalidInput("--partition", "must be TOPIC:NUMBER, such as meterfold.usage:0")
    return topic, int(number)
