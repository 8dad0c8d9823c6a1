"""`meterfold kafka topics`: show and create topics."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
import typer

from api.cli.commands.kafka.broker import BootstrapOption, kafka_failures, kafka_settings
from api.cli.options import AsCsv, AsJson
from api.cli.output.columns import Column, Kind
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.progress import waiting
from api.cli.output.results import Output
from api.cli.output.text import print_message

HEADERS: Final = ("name", "purpose", "partitions", "replication", "records", "end_offset", "retention_hours", "made")
TOPICS: Final = (
    Column("Topic", "name"),
    Column("Purpose", "purpose", drop=1),
    Column("Partitions", "partitions", Kind.COUNT),
    Column("Replicas", "replication", Kind.COUNT, drop=4),
    Column("Records", "records", Kind.COUNT, drop=2),
    Column("End offset", "end_offset", Kind.COUNT, drop=5),
    Column("Retention (hours)", "retention_hours", Kind.COUNT, drop=3),
)

app = typer.Typer(no_args_is_help=True, help="Show and create Kafka topics, resume partitions.", rich_markup_mode=None)


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
    as_csv: AsCsv = False,
) -> None:
    """Show the configured topics, and create missing ones."""
    output = Output(as_json, as_csv)
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
    if create and output.is_text:
        print_message(f"created: {', '.join(made)}" if made else "all topics exist already and were not changed")
    rows = [{**msgspec.to_builtins(topic), "made": topic.name in made} for topic in found]
    output.rows("Topics", TOPICS, rows, headers=lambda: HEADERS)
    missing = [topic.name for topic in found if topic.partitions is None]
    if missing and output.is_text:
        print_message(f"missing: {', '.join(missing)}; create them with: meterfold kafka topics --create")
