"""A replay into a new read store, which takes the place of the one in use: by a running engine, or in this process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from api.cli.commands.operations import refuse_own_store, result_of
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.server.connection import connected
from consumers.embedded.data_folder import DataFolder
from consumers.errors import FolderOwned, FolderUnusable
from consumers.settings import Settings
from domain.errors import DomainError, LogUnavailable, UnknownRecord
from projections.errors import ProjectionError, ReadStoreUnavailable


def replayed(settings: Settings, url: str | None, key: str | None) -> dict[str, Any]:
    """Replay the log, with a progress bar, and return the result."""
    folder = DataFolder(settings.data_dir)
    if url is None:
        refuse_own_store(folder.root)
    if url is None and folder.log.exists() and not folder.is_owned():
        try:
            return result_of("Replaying", _in_this_process(settings))
        except FolderOwned:  # by an engine that was started at this moment
            pass
    with connected(settings, url, key) as engine:
        return result_of("Replaying", engine.steps("/v1/operations/replay"))


def _in_this_process(settings: Settings) -> Iterator[dict[str, Any]]:
    """Yield the steps of a replay without an open engine, which also repairs a read store that cannot be opened."""
    from api.cli.server.in_process_engine import storage_failure
    from consumers.bootstrap import replay_closed
    from consumers.engine import OperationStep

    try:
        for step in replay_closed(settings):
            yield {"step" if isinstance(step, OperationStep) else "result": msgspec.to_builtins(step)}
    except (FolderUnusable, ReadStoreUnavailable, LogUnavailable, UnknownRecord) as error:
        raise CommandFailed(ExitCode.UNREACHABLE, str(error)) from error
    except (DomainError, ProjectionError) as error:
        raise CommandFailed(ExitCode.DIFFERENCES, str(error)) from error
    except FolderOwned:
        raise
    except Exception as error:
        raise storage_failure(settings, error) or error from error
