"""The engine in this process: for `serve`, and for commands on a folder that no engine owns."""

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
from consumers.bootstrap import open_engine
from consumers.embedded.engine import EmbeddedEngine
from consumers.engine import OperationStep
from consumers.errors import FolderUnusable
from consumers.settings import Settings
from domain.errors import LogCorrupted, LogError
from projections.duckdb.storage.storage_errors import storage_refusal
from projections.errors import ProjectionError, ReadStoreUnavailable

START_SECONDS_MAX: Final = 30.0
_POLL_SECONDS: Final = 0.002


@contextmanager
def served_here(settings: Settings) -> Iterator[httpx.HTTPTransport]:
    """The engine of a folder, as a transport of HTTP. `FolderOwned` when another process has it."""
    with opened(settings) as engine, _socket_server(engine) as transport:
        yield transport


@contextmanager
def opened(settings: Settings, *, serving: bool = False) -> Iterator[EmbeddedEngine]:
    """The engine of a folder, in this process. `FolderOwned` when another process has it; else `CommandFailed`."""
    with ExitStack() as stack:
        try:
            with waiting(f"Opening {settings.data_dir}: the read store catches up with the log") as tell:
                engine = stack.enter_context(
                    open_engine(settings, serving=serving, on_step=lambda step: tell(folding_again(step)))
                )
        except ReadStoreUnavailable as error:
            raise CommandFailed(ExitCode.UNREACHABLE, str(error)) from error
        except (ProjectionError, LogCorrupted) as error:
            raise CommandFailed(ExitCode.DIFFERENCES, str(error)) from error
        except (FolderUnusable, LogError) as error:
            raise CommandFailed(ExitCode.UNREACHABLE, str(error)) from error
        except Exception as error:
            raise storage_failed(settings, error) or error from error
        yield engine


def storage_failed(settings: Settings, error: Exception) -> CommandFailed | None:
    """How a command ends on an error that the storage is to blame for; None for any other."""
    advice = storage_refusal(error)
    if advice is None:
        return None
    return CommandFailed(
        ExitCode.UNREACHABLE,
        f"the data folder {settings.data_dir} cannot be written, {advice}, then type the same again; "
        f"nothing acknowledged is lost ({error})",
    )


def folding_again(step: OperationStep) -> str:
    """What is told while the log is folded again at start."""
    return (
        f"The read store is of an older release; folding the log again: {step.done} of {step.total} {step.unit}. "
        "Nothing is lost if this is stopped."
    )


@contextmanager
def _socket_server(engine: EmbeddedEngine) -> Iterator[httpx.HTTPTransport]:
    """The engine's HTTP application, served to this process alone."""
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
