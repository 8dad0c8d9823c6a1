"""The usage events of a Kafka topic, sent into an open backfill."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from api.cli.commands.ingest import Destination, sent_batches
from api.cli.commands.kafka.broker import kafka_failures, kafka_settings
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.progress import progress_bar
from api.cli.server.http_client import Connection
from consumers.files.event_batches import BATCH_BYTES_MAX, Batch, batched
from consumers.files.row_mapping import Line
from domain.errors import InvalidInput
from domain.scope import Scope, scope_of

if TYPE_CHECKING:
    from consumers.kafka.reading.topic_events import TopicEvents
    from consumers.settings import Settings

TenantOfTopic = Annotated[
    str | None, typer.Option("--tenant", help="Tenant of the events. [default: METERFOLD_KAFKA_TENANT]")
]
EnvironmentOfTopic = Annotated[
    str | None, typer.Option("--environment", help="prod or test. [default: METERFOLD_KAFKA_ENVIRONMENT]")
]


class TopicToLoad(msgspec.Struct, frozen=True):
    """A topic, the tenant and environment whose events are loaded, and the brokers; None: those of the settings."""

    name: str
    tenant: str | None
    environment: str | None
    bootstrap: str | None


def topic_events(topic: TopicToLoad, backfill: Mapping[str, Any]) -> TopicEvents:
    """Return the events of a topic that are in the range of a backfill, as the API shows it."""
    settings = kafka_settings(topic.bootstrap)
    from consumers.kafka.reading.topic_events import TopicEvents, WantedEvents

    wanted = WantedEvents(
        datetime.fromisoformat(backfill["from"]),
        datetime.fromisoformat(backfill["to"]),
        tuple(backfill["customers"]),
        tuple(backfill["sources"]),
    )
    return TopicEvents(settings, topic.name, _scope(topic, settings), wanted)


def sent_topic(
    engine: Connection, where: Destination, events: TopicEvents, lag_seconds_max: float
) -> Iterator[tuple[Batch, dict[str, Any]]]:
    """Send the events of a topic, with a progress bar; yield each batch with its receipt."""
    with kafka_failures(), progress_bar(f"{where.doing} {events.topic}") as advance:
        batches = batched((Line(line, events.records) for line in events.lines()), BATCH_BYTES_MAX)
        for batch, receipt in sent_batches(engine, where, batches, lag_seconds_max):
            yield batch, receipt
            advance(events.records, events.records_total, "")


def _scope(topic: TopicToLoad, settings: Settings) -> Scope:
    try:
        return scope_of(topic.tenant or settings.kafka_tenant, topic.environment or settings.kafka_environment)
    except InvalidInput as error:
        raise CommandFailed(ExitCode.WRONG_USE, f"--{error.field} {error.rule}") from error
