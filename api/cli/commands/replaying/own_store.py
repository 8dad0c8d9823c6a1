"""A replay into a store of its own, in this process, from the log of a data folder whether or not an engine owns it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from api.cli.commands.operations import result_of
from api.cli.output.exit_codes import CommandFailed, ExitCode
from consumers.embedded.data_folder import DataFolder
from consumers.errors import FolderOwned, FolderUnusable, RangeInvalid
from consumers.settings import Settings
from domain.errors import DomainError, LogUnavailable, UnknownRecord
from projections.errors import ProjectionError, ReadStoreUnavailable


def replayed_into(settings: Settings, into: Path, first: str | None, end: str | None) -> dict[str, Any]:
    """Make a store of its own, with a progress bar, and return the result with the folder and the range."""
    if not DataFolder(settings.data_dir).log.exists():
        raise CommandFailed(ExitCode.UNREACHABLE, f"no engine's data in {settings.data_dir}: name it with --data DIR")
    result = result_of("Replaying", _steps(settings, into, first, end))
    from consumers.embedded.replaying.log_range import stored_range

    made = stored_range(into)
    if made is None:
        raise CommandFailed(ExitCode.DIFFERENCES, f"nothing was made in {into}")
    return {**result, "into": str(into), "from": made.first, "to": made.end, "range": made.text}


def _steps(settings: Settings, into: Path, first: str | None, end: str | None) -> Iterator[dict[str, Any]]:
    from api.cli.server.in_process_engine import storage_failure
    from consumers.engine import OperationStep
    from consumers.replay.own_store import replay_into

    try:
        for step in replay_into(settings, into, first, end):
            yield {"step" if isinstance(step, OperationStep) else "result": msgspec.to_builtins(step)}
    except RangeInvalid as error:
        raise CommandFailed(ExitCode.WRONG_USE, f"--{error}") from error
    except FolderOwned as error:
        raise CommandFailed(ExitCode.UNREACHABLE, str(error)) from error
    except (FolderUnusable, ReadStoreUnavailable, LogUnavailable, UnknownRecord) as error:
        raise CommandFailed(ExitCode.UNREACHABLE, str(error)) from error
    except (DomainError, ProjectionError) as error:
        raise CommandFailed(ExitCode.DIFFERENCES, str(error)) from error
    except Exception as error:
        raise storage_failure(settings.model_copy(update={"data_dir": into}), error) or error from error
