"""`meterfold rejected dead-letters` and `retry`: list the dead letters of Kafka, and publish repaired ones again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from api.cli.commands.kafka.broker import BootstrapOption, kafka_failures, kafka_settings
from api.cli.options import AsCsv, AsJson
from api.cli.output.columns import Column, Kind
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.results import Output
from api.cli.output.text import counted, print_json, print_lines, print_message
from consumers.errors import FileUnreadable

if TYPE_CHECKING:
    from consumers.settings import Settings

LETTERS: Final = (
    Column("Cursor", "cursor", drop=1),
    Column("Topic", "topic"),
    Column("Partition", "partition", drop=3),
    Column("Offset", "offset", drop=2),
    Column("Index", "index", drop=4),
    Column("Reason", "reason"),
    Column("Detail", "detail", Kind.PROSE),
    Column("Key", "key", drop=5),
    Column("Value", lambda letter: _shortened(letter["value"]), Kind.PROSE, drop=6),
)
SHOWN_VALUE_LENGTH: Final = 60

TopicOption = Annotated[str | None, typer.Option(help="Only dead letters of records from this topic.")]
ReasonOption = Annotated[str | None, typer.Option(help="Only dead letters with this reason, such as not_json.")]


def list_dead_letters(
    topic: TopicOption = None,
    reason: ReasonOption = None,
    after: Annotated[str | None, typer.Option(help="Continue after this cursor.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="List at most this many.")] = 100,
    bootstrap: BootstrapOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line each, which can be repaired.")] = False,
    as_csv: AsCsv = False,
) -> None:
    """List dead letters of Kafka, with reason and value."""
    from consumers.kafka.dead_letters.repair import LetterFilter, ShownLetter, read_letters

    output = Output(as_json, as_csv)
    settings = kafka_settings(bootstrap)
    with _dead_letter_client(settings) as client:
        letters = read_letters(client, settings.kafka_rejected_topic, after, LetterFilter(topic, reason))
        found = list(islice(letters, limit))
    if as_json:
        print_lines(*(msgspec.json.encode(letter).decode() for letter in found))
    else:
        headers = [field.encode_name for field in msgspec.structs.fields(ShownLetter)]
        output.rows("Dead letters", LETTERS, map(msgspec.to_builtins, found), headers=lambda: headers)
    if len(found) == limit:
        print_message(f"more with: --after {found[-1].cursor}")


def retry(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Repaired dead letters, as `rejected dead-letters --json` prints them.", exists=True, dir_okay=False
        ),
    ] = None,
    topic: TopicOption = None,
    reason: ReasonOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Publish every dead letter again as it is.")] = False,
    bootstrap: BootstrapOption = None,
    as_json: AsJson = False,
) -> None:
    """Publish dead letters again, to their own topics.

    Either those of a FILE, or selected ones as they are; the value of a selected one must not be truncated.
    """
    selected = everything or topic is not None or reason is not None
    if (file is not None) == selected:
        raise CommandFailed(
            ExitCode.WRONG_USE, "give either a FILE of repaired dead letters, or --topic, --reason or --all"
        )
    settings = kafka_settings(bootstrap)
    from consumers.kafka.dead_letters.repair import LetterFilter, put_back, read_letters, repaired_letters

    topics = (*settings.kafka_usage_topics, *settings.kafka_customer_topics)
    with _dead_letter_client(settings) as client, _dead_letter_producer(settings) as producer:
        if file is not None:
            with file.open("rb") as lines:
                count = put_back(producer, list(repaired_letters(lines)), topics)
        else:
            selection = LetterFilter(topic, reason, whole=True)
            letters = read_letters(client, settings.kafka_rejected_topic, None, selection)
            count = put_back(producer, letters, topics)
    if as_json:
        print_json({"put_back": count})
    else:
        print_lines(f"put back {counted(count, 'record')}")


def _shortened(value: str | None) -> str | None:
    return value if value is None or len(value) <= SHOWN_VALUE_LENGTH else value[: SHOWN_VALUE_LENGTH - 1] + "…"


@contextmanager
def _dead_letter_client(settings: Settings) -> Iterator[Any]:
    from kafka import KafkaConsumer

    from consumers.kafka.connection import broker_failures, client_options

    try:
        with kafka_failures(), broker_failures(settings):
            client = KafkaConsumer(**client_options(settings), enable_auto_commit=False, allow_auto_create_topics=False)
            try:
                yield client
            finally:
                client.close()
    except FileUnreadable as error:
        raise CommandFailed(ExitCode.WRONG_USE, str(error)) from error


@contextmanager
def _dead_letter_producer(settings: Settings) -> Iterator[Any]:
    from kafka import KafkaProducer

    from consumers.kafka.connection import client_options
    from consumers.kafka.topics import REJECTED_MESSAGE_BYTES_MAX

    options = client_options(settings)
    producer = KafkaProducer(**options, allow_auto_create_topics=False, max_request_size=REJECTED_MESSAGE_BYTES_MAX)
    try:
        yield producer
    finally:
        producer.close()
