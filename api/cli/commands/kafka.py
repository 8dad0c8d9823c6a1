"""`meterfold kafka topics`: show and create topics; and the settings and errors of all commands that use Kafka."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
import typer

from api.cli.options import AsJson, settings_with
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.progress import waiting
from api.cli.output.tables import print_json, print_message, print_table
from consumers.errors import BrokerRefused, BrokerUnreachable, KafkaMisconfigured
from consumers.log_output import configure_logging

if TYPE_CHECKING:
    from consumers.kafka.topics import TopicState
    from consumers.settings import Settings

COLUMNS: Final = ("name", "purpose", "partitions", "replication", "records", "end_offset", "retention_hours")

app = typer.Typer(no_args_is_help=True, help="Show and create Kafka topics, resume partitions.", rich_markup_mode=None)

BootstrapOption = Annotated[
    str | None,
    typer.Option("--bootstrap", metavar="HOST:PORT", help="Kafka brokers. [default: METERFOLD_KAFKA_BOOTSTRAP]"),
]


@app.callback()
def _kafka() -> None:
    pass


@app.command()
def topics(
    create: Annotated[bool, typer.Option("--create", help="Create the topics that are missing.")] = False,
    partitions: Annotated[
        int | None, typer.Option(min=1, max=1000, help="With --create: partitions of a new topic. [default: 6]")
    ] = None,
    replication: Annotated[
        int | None,
        typer.Option(min=1, max=9, help="With --create: replicas of a partition. [default: that of the cluster]"),
    ] = None,
    bootstrap: BootstrapOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the configured topics as they exist in Kafka; with --create, create those that are missing."""
    if not create and (partitions is not None or replication is not None):
        raise CommandFailed(ExitCode.WRONG_USE, "--partitions and --replication need --create")
    settings = kafka_settings(bootstrap)
    from consumers.kafka import topics as kafka_topics

    made: list[str] = []
    with kafka_failures(), waiting("Asking Kafka"):
        if create:
            plans = kafka_topics.plans(settings, partitions or kafka_topics.PARTITIONS, replication)
            made = [topic.name for topic in kafka_topics.create_topics(settings, plans) if topic.made]
        found = kafka_topics.describe_topics(settings)
    _print(found, made, created=create, as_json=as_json)


def kafka_settings(bootstrap: str | None) -> Settings:
    """Return the settings of a command that uses Kafka, and silence the client library unless the level is debug."""
    settings = settings_with(kafka_bootstrap=bootstrap)
    configure_logging(settings.log_level, as_json=settings.log_json)
    if settings.log_level != "debug":
        library = logging.getLogger("kafka")
        library.addHandler(logging.NullHandler())
        library.propagate = False
    return settings


@contextmanager
def kafka_failures() -> Iterator[None]:
    """Convert Kafka errors to `CommandFailed`, with an exit code that tells whether a retry may help."""
    try:
        yield
    except KafkaMisconfigured as error:
        raise CommandFailed(ExitCode.WRONG_USE, str(error)) from error
    except BrokerRefused as error:
        raise CommandFailed(ExitCode.REFUSED, str(error)) from error
    except BrokerUnreachable as error:
        raise CommandFailed(ExitCode.UNREACHABLE, str(error)) from error


def _print(found: list[TopicState], made: list[str], *, created: bool, as_json: bool) -> None:
    if as_json:
        print_json({"data": [{**msgspec.to_builtins(topic), "made": topic.name in made} for topic in found]})
        return
    if created:
        print_message(f"created: {', '.join(made)}" if made else "all topics exist already and were not changed")
    print_table("Topics", map(msgspec.to_builtins, found), COLUMNS)
    missing = [topic.name for topic in found if topic.partitions is None]
    if missing:
        print_message(f"missing: {', '.join(missing)}; create them with: meterfold kafka topics --create")
