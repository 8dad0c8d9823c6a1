"""How a command reaches its engine: always by HTTP, whether one is running on the data folder or not.

1. An address was given: talk to it, with the key that was given.
2. An engine owns the data folder: talk to where it listens, with the folder's own key.
3. Nobody owns it: open the engine in this process and talk to it through a socket file that only this user can reach.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import httpx

from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.server.http_client import CONNECT_SECONDS_MAX, Connection
from consumers.embedded.data_folder import DataFolder
from consumers.errors import FolderOwned
from consumers.log_output import configure_messages
from consumers.settings import Settings

#: How long to wait for an engine that has the folder to say where it listens, or to let go of it.
OWNER_SECONDS_MAX: Final = 30.0
_POLL_SECONDS: Final = 0.02


@contextmanager
def connected(
    settings: Settings, url: str | None = None, key: str | None = None, *, new_folder: bool = False
) -> Iterator[Connection]:
    """A connection to the engine. `new_folder`: a data folder that does not exist yet is made."""
    if url is not None:
        if key is None:
            raise CommandFailed(ExitCode.WRONG_USE, "an engine at --url needs its API key: --key or METERFOLD_KEY")
        with _over_network(url, key) as connection:
            yield connection
        return
    folder = DataFolder(settings.data_dir)
    if not new_folder and not folder.log.exists():
        raise CommandFailed(
            ExitCode.UNREACHABLE,
            f"there is no engine's data in {settings.data_dir}: name the folder with --data DIR, or start an engine "
            "there with `meterfold serve`",
        )
    with _of_folder(settings, folder, key) as connection:
        yield connection


@contextmanager
def _of_folder(settings: Settings, folder: DataFolder, key: str | None) -> Iterator[Connection]:
    with ExitStack() as stack:
        yield _first_to_answer(stack, settings, folder, key)


def _first_to_answer(stack: ExitStack, settings: Settings, folder: DataFolder, key: str | None) -> Connection:
    """The owner's address as soon as it says one, or the folder itself as soon as nobody owns it."""
    deadline = time.monotonic() + OWNER_SECONDS_MAX
    while True:
        owner = folder.owner() if folder.is_owned() else None
        if owner is not None and _answers(str(owner["url"])):
            return stack.enter_context(_over_network(str(owner["url"]), _key_of(folder, key)))
        try:
            return stack.enter_context(_in_process(settings, folder, key))
        except FolderOwned:
            if time.monotonic() > deadline:
                message = f"another command is busy with the data folder {folder.root}; try again later"
                raise CommandFailed(ExitCode.UNREACHABLE, message) from None
        time.sleep(_POLL_SECONDS)


def _answers(url: str) -> bool:
    """Whether someone listens there. An engine that was killed leaves its address behind."""
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
    # Imported here, as it costs a second that a command with a running engine need not spend.
    from api.cli.server.in_process_engine import served_here

    configure_messages("error", as_json=settings.log_json)
    with (
        served_here(settings) as transport,
        httpx.Client(transport=transport, base_url="http://engine", headers=_headers(_key_of(folder, key))) as client,
    ):
        yield Connection(client, str(settings.data_dir))


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
