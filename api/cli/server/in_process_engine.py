"""An engine opened in this process: for `serve`, and for commands on a data folder that no engine owns."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx
import uvicorn

from api.app import create_app
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.progress import waiting
from api.cli.output.text import print_message
from consumers.bootstrap import open_engine
from consumers.embedded.engine import EmbeddedEngine
from consumers.engine import CATCHING_UP, OperationStep
from consumers.errors import FolderUnusable, SettingsInvalid
from consumers.settings import Settings
from domain.errors import LogCorrupted, LogError
from projections.errors import ProjectionError, ReadStoreUnavailable
from projections.storage_errors import storage_refusal

START_SECONDS_MAX: Final = 30.0
_POLL_SECONDS: Final = 0.002


@contextmanager
def in_process_transport(settings: Settings) -> Iterator[httpx.HTTPTransport]:
    """Open the engine of a folder and yield an HTTP transport to it; `FolderOwned` if another process owns it."""
    with opened_engine(settings) as engine, _socket_server(engine) as transport:
        if engine.log_range is not None:
            print_message(f"note: this is {engine.log_range.text}")
        yield transport


@contextmanager
def opened_engine(
    settings: Settings, *, serving: bool = False, without_personal_keys: bool = False
) -> Iterator[EmbeddedEngine]:
    """Open the engine of a folder in this process. See `open_engine`.

    Raises `FolderOwned` if another process owns the folder, and `CommandFailed` for any other expected failure.
    """
    with ExitStack() as stack:
        try:
            with waiting(f"Opening {settings.data_dir}: the read store catches up with the log") as report:
                engine = stack.enter_context(
                    open_engine(
                        settings,
                        serving=serving,
                        without_personal_keys=without_personal_keys,
                        on_step=lambda step: report(start_progress_text(step)),
                    )
                )
        except ReadStoreUnavailable as error:
            raise CommandFailed(ExitCode.UNREACHABLE, str(error)) from error
        except (ProjectionError, LogCorrupted) as error:
            raise CommandFailed(ExitCode.DIFFERENCES, str(error)) from error
        except (FolderUnusable, LogError) as error:
            raise CommandFailed(ExitCode.UNREACHABLE, str(error)) from error
        except SettingsInvalid as error:
            raise CommandFailed(ExitCode.WRONG_USE, str(error)) from error
        except Exception as error:
            raise storage_failure(settings, error) or error from error
        yield engine


def storage_failure(settings: Settings, error: Exception) -> CommandFailed | None:
    """Return the failure of a command for an error that the storage caused; None for any other error."""
    advice = storage_refusal(error)
    if advice is None:
        return None
    return CommandFailed(
        ExitCode.UNREACHABLE,
        f"the data folder {settings.data_dir} cannot be written, {advice}, then run the same command again; "
        f"nothing acknowledged is lost ({error})",
    )


def start_progress_text(step: OperationStep) -> str:
    """Return the progress message of a start that folds much of the log."""
    if step.stage == CATCHING_UP:
        return (
            f"What was not flushed when the engine stopped is folded again: {step.done} of {step.total} {step.unit}. "
            "Nothing is lost if this is interrupted."
        )
    return (
        f"The read store was written by an older release and is rebuilt from the log: {step.done} of {step.total} "
        f"{step.unit}. Nothing is lost if this is interrupted."
    )


@contextmanager
def _socket_server(engine: EmbeddedEngine) -> Iterator[httpx.HTTPTransport]:
    """Serve the engine's HTTP application on a Unix socket, to this process only."""
    with tempfile.TemporaryDirectory(prefix="meterfold-") as folder:
        path = str(Path(folder) / "engine")
        server = uvicorn.Server(uvicorn.Config(create_app(engine), uds=path, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, name="http", daemon=True)
        thread.start()
        deadline = time.monotonic() + START_SECONDS_MAX
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise CommandFailed(ExitCode.UNREACHABLE, "the engine did not start in this process")
            time.sleep(_POLL_SECONDS)
        try:
            yield httpx.HTTPTransport(uds=path)
        finally:
            server.should_exit = True
            thread.join()
