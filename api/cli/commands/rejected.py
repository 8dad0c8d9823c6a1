"""Commands about dead letters: what Kafka brought that could not be counted, and putting it back once repaired."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from api.cli.commands.kafka import BootstrapOption, kafka_failures, kafka_settings
from api.cli.options import AsJson
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.tables import print_json, print_lines, print_message, print_table
from consumers.errors import FileUnreadable

if TYPE_CHECKING:
    from consumers.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Dead letters of Kafka: list, put back.", rich_markup_mode=None)
COLUMNS: Final = ("cursor", "topic", "partition", "offset", "index", "reason", "detail", "key", "value")
SHOWN_VALUE_LENGTH: Final = 60

TopicOption = Annotated[str | None, typer.Option(help="Only letters of records of this topic.")]
ReasonOption = Annotated[str | None, typer.Option(help="Only letters with this reason, such as not_json.")]


@app.command("list")
def list_letters(
    topic: TopicOption = None,
    reason: ReasonOption = None,
    after: Annotated[str | None, typer.Option(help="Go on after this cursor.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="So many at most.")] = 100,
    bootstrap: BootstrapOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON line for each, to be repaired.")] = False,
) -> None:
    """List what was rejected, with the reason, where it came from, and the original."""
    from consumers.kafka.dead_letters.repair import Selection, read_letters

    settings = kafka_settings(bootstrap)
    with _letters_client(settings) as client:
        letters = read_letters(client, settings.kafka_rejected_topic, after, Selection(topic, reason))
        found = list(islice(letters, limit))
    if as_json:
        print_lines(*(msgspec.json.encode(letter).decode() for letter in found))
    else:
        shown = [msgspec.to_builtins(letter) for letter in found]
        print_table("Rejected", [one | {"value": _shortened(one["value"])} for one in shown], COLUMNS)
    if len(found) == limit:
        print_message(f"more with: --after {found[-1].cursor}")


@app.command()
def retry(
    file: Annotated[
        Path | None,
        typer.Argument(help="Repaired letters, as `rejected list --json` prints them.", exists=True, dir_okay=False),
    ] = None,
    topic: TopicOption = None,
    reason: ReasonOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Put every letter back as it is.")] = False,
    bootstrap: BootstrapOption = None,
    as_json: AsJson = False,
) -> None:
    """Put letters back where they came from: those of a FILE, or selected ones as they are, which must be whole."""
    selected = everything or topic is not None or reason is not None
    if (file is not None) == selected:
        raise CommandFailed(ExitCode.WRONG_USE, "name a FILE of repaired letters, or choose: --topic, --reason, --all")
    settings = kafka_settings(bootstrap)
    from consumers.kafka.dead_letters.repair import Selection, put_back, read_letters, repaired_letters

    topics = (*settings.kafka_usage_topics, *settings.kafka_customer_topics)
    with _letters_client(settings) as client, _letters_producer(settings) as producer:
        if file is not None:
            with file.open("rb") as lines:
                count = put_back(producer, list(repaired_letters(lines)), topics)
        else:
            selection = Selection(topic, reason, whole=True)
            letters = read_letters(client, settings.kafka_rejected_topic, None, selection)
            count = put_back(producer, letters, topics)
    if as_json:
        print_json({"put_back": count})
    else:
        print_lines(f"put back {count} records")


def _shortened(value: str | None) -> str | None:
    return value if value is None or len(value) <= SHOWN_VALUE_LENGTH else value[: SHOWN_VALUE_LENGTH - 1] + "…"


@contextmanager
def _letters_client(settings: Settings) -> Iterator[Any]:
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
def _letters_producer(settings: Settings) -> Iterator[Any]:
    from kafka import KafkaProducer

    from consumers.kafka.connection import client_options
    from consumers.kafka.topics import REJECTED_MESSAGE_BYTES_MAX

    options = client_options(settings)
    producer = KafkaProducer(**options, allow_auto_create_topics=False, max_request_size=REJECTED_MESSAGE_BYTES_MAX)
    try:
        yield producer
    finally:
        producer.close()
