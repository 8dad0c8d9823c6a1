"""`meterfold kafka accept`: resume a partition that stopped because the broker lost records."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import msgspec
import typer

from api.cli.commands.kafka.broker import BootstrapOption, kafka_failures
from api.cli.options import AsJson, DataFolderOption, reason_given, settings_with
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.text import print_json, print_lines
from consumers.errors import FolderUnusable
from domain.errors import DomainError, InvalidInput


def accept(
    topic: Annotated[str, typer.Option(help="Topic of the stopped partition.")],
    partition: Annotated[int, typer.Option(min=0, help="Number of the partition.")],
    from_offset: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Resume at this offset. [default: the first one that the broker has; nothing is counted twice]",
        ),
    ] = None,
    reason: Annotated[
        str, typer.Option(help="The reason, which is kept in the log.", callback=reason_given)
    ] = "accepted by an operator",
    data: DataFolderOption = None,
    bootstrap: BootstrapOption = None,
    as_json: AsJson = False,
) -> None:
    """Resume a partition of which Kafka lost records.

    Records that were read already and that Kafka has lost are accepted as lost; reading goes on with those it has.
    """
    settings = settings_with(data_dir=data, kafka_bootstrap=bootstrap)
    from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

    from consumers.bootstrap import open_partition_appender
    from consumers.kafka.connection import broker_failures, client_options
    from consumers.kafka.consumer.offset_acceptance import accept_offset

    with kafka_failures():
        options = client_options(settings)
        try:
            with (
                open_partition_appender(settings) as appender,
                broker_failures(settings),
                closing(KafkaAdminClient(**options)) as admin,
                closing(KafkaConsumer(**options, enable_auto_commit=False, allow_auto_create_topics=False)) as client,
            ):
                place = TopicPartition(topic, partition)
                accepted = accept_offset(client, admin, appender, place, from_offset, reason)
        except InvalidInput as error:
            raise CommandFailed(ExitCode.REFUSED, str(error)) from error
        except (FolderUnusable, DomainError) as error:
            raise CommandFailed(ExitCode.UNREACHABLE, str(error)) from error
    if as_json:
        print_json(msgspec.to_builtins(accepted))
    else:
        print_lines(f"{topic}:{partition} resumes at offset {accepted.next_offset} (log position {accepted.position})")
