"""`meterfold produce`: publish a file to Kafka, with the same file formats and maps as `ingest`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from api.cli.commands.ingest import map_from
from api.cli.commands.kafka.broker import BootstrapOption, kafka_failures, kafka_settings
from api.cli.options import AsJson, EventFile, MapFile, SourceOfFile
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.progress import progress_bar
from api.cli.output.tables import print_fields
from api.cli.output.text import counted, print_json
from consumers.errors import FileUnreadable
from domain.errors import InvalidInput
from domain.scope import scope_of

if TYPE_CHECKING:
    from consumers.kafka.producing.file_producer import Produced


def produce(
    file: EventFile,
    map_file: MapFile = None,
    source: SourceOfFile = None,
    topic: Annotated[
        str | None, typer.Option(help="Topic to publish to. [default: the first of METERFOLD_KAFKA_USAGE_TOPICS]")
    ] = None,
    batch: Annotated[
        int, typer.Option(min=1, max=1000, help="Events per record; 100 is far cheaper for both sides than 1.")
    ] = 1,
    tenant: Annotated[
        str | None, typer.Option(help="Tenant of the usage. [default: the setting of the consumer]")
    ] = None,
    environment: Annotated[
        str | None, typer.Option(help="Environment, prod or test. [default: the setting of the consumer]")
    ] = None,
    bootstrap: BootstrapOption = None,
    as_json: AsJson = False,
) -> None:
    """Publish the usage events of a file to Kafka.

    A file published again, or grown, counts nothing twice.
    """
    headers = _headers(tenant, environment)
    file_map = map_from(map_file, source)
    settings = kafka_settings(bootstrap)
    from consumers.kafka.producing.file_producer import Production

    production = Production(file, file_map, topic or settings.kafka_usage_topics[0])
    size_bytes = max(file.stat().st_size, 1)
    try:
        with kafka_failures(), progress_bar(f"Publishing {file.name}", of_bytes=True) as advance:
            production.run(settings, batch, headers, lambda done: advance(min(done, size_bytes), size_bytes, ""))
    except FileUnreadable as error:
        raise _failed(ExitCode.WRONG_USE, f"{file}: {error}", production.produced) from error
    except CommandFailed as error:
        raise _failed(error.code, error.message, production.produced) from error
    if as_json:
        print_json(msgspec.to_builtins(production.produced))
    else:
        print_fields(f"{file} published to {production.produced.topic}", msgspec.to_builtins(production.produced))


def _headers(tenant: str | None, environment: str | None) -> list[tuple[str, bytes]]:
    try:
        scope_of(tenant or "default", environment or "prod")
    except InvalidInput as error:
        raise CommandFailed(ExitCode.WRONG_USE, f"--{error.field} {error.rule}") from error
    given = (("meterfold-tenant", tenant), ("meterfold-environment", environment))
    return [(name, value.encode()) for name, value in given if value is not None]


def _failed(code: ExitCode, message: str, produced: Produced) -> CommandFailed:
    if not produced.events:
        return CommandFailed(code, message)
    progress = (
        f"{produced.acknowledged:,} of {counted(produced.events, 'event', ('was', 'were'))} acknowledged. "
        "The same file can be published again."
    )
    return CommandFailed(code, f"{message}\n{progress}")
