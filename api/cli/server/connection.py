"""The connection of a command to its engine, always over HTTP, whether or not an engine runs on the data folder.

1. With `--url`: connect to that address, with the given key.
2. Else, if a running engine owns the data folder: connect to its address, with the key of the folder.
3. Else: open the engine in this process and connect through a Unix socket that only this user can access.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import httpx

from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.server.http_client import CONNECT_SECONDS_MAX, Connection
from api.cli.server.local_address import url_of
from api.cli.server.quick_imports import quick_imports
from consumers.embedded.data_folder import DataFolder
from consumers.errors import FolderOwned
from consumers.log_output import configure_logging
from consumers.settings import Settings

#: How long to wait for the owner of the folder to publish its address or to release the folder.
OWNER_SECONDS_MAX: Final = 30.0
_POLL_SECONDS: Final = 0.02


@contextmanager
def connected(
    settings: Settings, url: str | None = None, key: str | None = None, *, new_folder: bool = False
) -> Iterator[Connection]:
    """Connect to the engine; see the module for the order. `new_folder`: create the data folder if it is missing."""
    if key or (url is not None and key is not None):  # without an address, an empty one stands for that of the folder
        _check_sendable(key)
    if url is not None:
        if key is None:
            raise CommandFailed(ExitCode.WRONG_USE, "--url needs an API key: give --key or set METERFOLD_KEY")
        with _over_network(url, key) as connection:
            yield connection
        return
    folder = DataFolder(settings.data_dir)
    if not new_folder and not folder.log.exists():
        raise CommandFailed(
            ExitCode.UNREACHABLE,
            f"no engine's data in {settings.data_dir}: name the data folder with --data DIR, or create it with "
            "`meterfold serve`",
        )
    with _connected_to_folder(settings, folder, key) as connection:
        yield connection


def _check_sendable(key: str) -> None:
    """Check that a header can have the key; otherwise what fails is the request, which says nothing of it."""
    if not key.strip():
        raise CommandFailed(ExitCode.WRONG_USE, "the API key is empty: give one with --key or METERFOLD_KEY")
    if not (key.isascii() and key.isprintable()):
        raise CommandFailed(
            ExitCode.WRONG_USE, "the API key has characters that no key has: check --key, METERFOLD_KEY"
        )


@contextmanager
def _connected_to_folder(settings: Settings, folder: DataFolder, key: str | None) -> Iterator[Connection]:
    with ExitStack() as stack:
        yield _owner_or_own_engine(stack, settings, folder, key)


def _owner_or_own_engine(stack: ExitStack, settings: Settings, folder: DataFolder, key: str | None) -> Connection:
    """Connect to the owner as soon as it has an address, or open the folder as soon as nobody owns it."""
    deadline = time.monotonic() + OWNER_SECONDS_MAX
    while True:
        owner = folder.owner() if folder.is_owned() else None
        if owner is not None and _is_reachable(str(owner["url"])):
            return stack.enter_context(_over_network(str(owner["url"]), _key_of(folder, key)))
        try:
            return stack.enter_context(_in_process(settings, folder, key))
        except FolderOwned:
            if time.monotonic() > deadline:
                message = f"another command is using the data folder {folder.root}; try again later"
                raise CommandFailed(ExitCode.UNREACHABLE, message) from None
        time.sleep(_POLL_SECONDS)


def _is_reachable(url: str) -> bool:
    """Whether a server listens there. An engine that was killed leaves its address behind."""
    try:
        return httpx.get(f"{url}/healthz", timeout=CONNECT_SECONDS_MAX).is_success
    except httpx.ConnectError:
        return False
    except httpx.HTTPError:
        return True


@contextmanager
def _over_network(url: str, key: str) -> Iterator[Connection]:
    with httpx.Client(base_url=url, headers=_headers(key)) as client:
        yield Connection(client, url)


@contextmanager
def _in_process(settings: Settings, folder: DataFolder, key: str | None) -> Iterator[Connection]:
    # Imported here because it takes a second, which commands with a running engine do not need.
    with quick_imports():
        from api.cli.server.in_process_engine import in_process_transport

    configure_logging("error", as_json=settings.log_json)
    with (
        in_process_transport(settings) as transport,
        # The address that the engine will have when it is served: links in answers begin with it.
        httpx.Client(
            transport=transport,
            base_url=url_of(settings.host, settings.port),
            headers=_headers(_key_of(folder, key)),
        ) as client,
    ):
        yield Connection(client, str(settings.data_dir), is_served=False)


def _key_of(folder: DataFolder, key: str | None) -> str:
    try:
        found = key or folder.first_key()
    except OSError as error:
        raise CommandFailed(
            ExitCode.UNREACHABLE,
            f"the key in {folder.admin_key} cannot be read ({error.strerror}); give one with --key",
        ) from error
    if found is None:
        raise CommandFailed(ExitCode.UNREACHABLE, f"there is no key in {folder.admin_key}; give one with --key")
    return found


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
