"""What all commands that use Kafka share: the option --bootstrap, settings, and failures of the broker."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.options import settings_with
from api.cli.output.exit_codes import CommandFailed, ExitCode
from consumers.errors import BrokerRefused, BrokerUnreachable, KafkaMisconfigured
from consumers.log_output import configure_logging

if TYPE_CHECKING:
    from consumers.settings import Settings

BootstrapOption = Annotated[
    str | None,
    typer.Option("--bootstrap", metavar="HOST:PORT", help="Kafka brokers. [default: METERFOLD_KAFKA_BOOTSTRAP]"),
]


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
