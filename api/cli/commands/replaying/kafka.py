"""A replay into Kafka, in this process, from the log of a data folder whether or not an engine owns it."""

from __future__ import annotations

from typing import Any

import msgspec

from api.cli.commands.kafka.broker import kafka_failures
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.progress import progress_bar
from api.cli.output.text import counted
from consumers.embedded.data_folder import DataFolder
from consumers.errors import LogNotPublishable, RangeInvalid
from consumers.settings import Settings
from domain.errors import DomainError, LogUnavailable


def published(settings: Settings, topic: str, rate: int, first: str | None, end: str | None) -> dict[str, Any]:
    """Publish the usage of the log, with a progress bar, and return what was published."""
    if not DataFolder(settings.data_dir).log.exists():
        raise CommandFailed(ExitCode.UNREACHABLE, f"no engine's data in {settings.data_dir}: name it with --data DIR")
    from consumers.replay.publishing import Pace, Publication

    publication = Publication(settings, topic, Pace(rate))
    try:
        with kafka_failures(), progress_bar(f"Publishing to {topic}") as advance:
            publication.run(first, end, lambda done, total: advance(done, total, ""))
    except RangeInvalid as error:
        raise CommandFailed(ExitCode.WRONG_USE, f"--{error}") from error
    except LogNotPublishable as error:
        raise CommandFailed(ExitCode.WRONG_USE, str(error)) from error
    except LogUnavailable as error:
        raise CommandFailed(ExitCode.UNREACHABLE, str(error)) from error
    except DomainError as error:
        raise CommandFailed(ExitCode.DIFFERENCES, _with_position(str(error), publication.published)) from error
    except CommandFailed as error:
        raise CommandFailed(error.code, _with_position(error.message, publication.published)) from error
    except KeyboardInterrupt:
        raise CommandFailed(ExitCode.INTERRUPTED, _with_position("interrupted", publication.published)) from None
    found: dict[str, Any] = msgspec.to_builtins(publication.published)
    return found


def _with_position(message: str, found: Any) -> str:
    if not found.events:
        return message
    return (
        f"{message}\n{found.acknowledged:,} of {counted(found.events, 'event', ('was', 'were'))} acknowledged: "
        f"go on with --from {found.acknowledged_position + 1}"
    )
