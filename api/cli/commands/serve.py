"""`meterfold serve`: run the engine on a data folder, listen for HTTP requests, and print how to use it."""

from __future__ import annotations

import gc
import json
import os
import shlex
import signal
import socket
import sys
from typing import Annotated, Final

import typer

from api.cli.options import DataFolderOption, settings_with
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.text import print_lines
from api.cli.server.local_address import url_of
from api.cli.server.quick_imports import quick_imports
from consumers.errors import FolderOwned
from consumers.log_output import configure_logging
from consumers.settings import Settings

BACKLOG_CONNECTIONS_MAX: Final = 2048
#: Time for closing connections, after every request was answered and the engine was closed.
CLOSING_SECONDS_MAX: Final = 1


def serve(
    data: DataFolderOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: METERFOLD_HOST]")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on; 0 for any free port. [default: METERFOLD_PORT]")
    ] = None,
    consumers: Annotated[
        int | None,
        typer.Option(help="Kafka consumers to run with it, if a broker is set. [default: METERFOLD_KAFKA_CONSUMERS]"),
    ] = None,
    without_personal_keys: Annotated[
        bool,
        typer.Option(
            "--without-personal-keys",
            help="Go on although the key store of the log is lost: names, emails and metadata stay null.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the address, and the file with the key, as one JSON line.")
    ] = False,
) -> None:
    """Run the engine on a data folder until stopped."""
    settings = settings_with(data_dir=data, host=host, port=port, kafka_consumers=consumers)
    if consumers and settings.kafka_bootstrap is None:
        raise CommandFailed(ExitCode.WRONG_USE, "--consumers needs a broker: set METERFOLD_KAFKA_BOOTSTRAP")
    configure_logging(settings.log_level, as_json=settings.log_json)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _bound_socket(settings) as listening:
            _serve_on(listening, settings, as_json, without_personal_keys)
    except KeyboardInterrupt:
        return
    except FolderOwned as error:
        where = "" if error.owner is None else f", at {error.owner['url']} (process {error.owner['pid']})"
        raise CommandFailed(
            ExitCode.TAKEN, f"an engine already runs on the data folder {settings.data_dir}{where}"
        ) from error


def _serve_on(listening: socket.socket, settings: Settings, as_json: bool, without_personal_keys: bool) -> None:
    # Imported here because no other command needs them.
    with quick_imports():
        import uvicorn

        from api.app import create_app
        from api.cli.server.graceful_shutdown import GracefulServer
        from api.cli.server.in_process_engine import opened_engine
        from api.http.middleware.shutdown_gate import ShutdownGate

    with opened_engine(settings, serving=True, without_personal_keys=without_personal_keys) as engine:
        app = create_app(engine)
        gate = ShutdownGate(app, app.state.meterfold.dialects)
        _listen(listening, settings)  # not before a request would be answered at once
        url = url_of(settings.host, listening.getsockname()[1])
        engine.folder.announce(url)
        new_key = engine.folder.first_key() if engine.generated_first_key and sys.stdout.isatty() else None
        shown = _as_line(url, settings) if as_json else greeting(settings.public_url or url, new_key, settings)
        print_lines(*shown)
        config = uvicorn.Config(
            gate,
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG_CONNECTIONS_MAX,
            timeout_graceful_shutdown=CLOSING_SECONDS_MAX,
        )
        gc.freeze()  # or every full collection looks through all that the start made, for a tenth of a second
        try:
            GracefulServer(config, gate, engine).run(sockets=[listening])
        finally:
            gc.unfreeze()  # or libraries that are unloaded report objects that were never collected


def greeting(url: str, new_key: str | None, settings: Settings) -> list[str]:
    """Return what a person needs to start: address, where the key is, and commands to copy and paste.

    The key itself is shown only when it is a new one; whoever calls this makes sure that it reaches no log.
    """
    event = {
        "specversion": "1.0",
        "id": "request-1",
        "source": "my-gateway",
        "type": "llm.request",
        "subject": "ada",
        "data": {"provider": "openai", "model": "gpt-4o", "input_tokens": 1200, "output_tokens": 350},
    }
    key_file = settings.data_dir / "admin.key"
    authorization = f'"Authorization: Bearer $(cat {shlex.quote(str(key_file))})"'
    shown_key = [] if new_key is None else [f"API key    {new_key}", "           This is the only time it is shown."]
    return [
        f"Meterfold serves {settings.data_dir} on {url} (Ctrl+C stops it)",
        *shown_key,
        f"Key file   {key_file}",
        f"API pages  {url}/docs",
        "",
        "Send a usage event:",
        "",
        f"  curl {url}/v1/events -H {authorization} \\",
        "    -H 'Content-Type: application/cloudevents+json' \\",
        f"    -d {shlex.quote(json.dumps(event))}",
        "",
        "Get the customer's usage:",
        "",
        f"  curl {url}/v1/customers/ada/current-usage -H {authorization}",
        "",
        "Ingest a month of synthetic traffic: make demo (or meterfold demo)",
    ]


def _as_line(url: str, settings: Settings) -> list[str]:
    key_file = str(settings.data_dir / "admin.key")
    return [json.dumps({"url": url, "key_file": key_file, "data_dir": str(settings.data_dir), "pid": os.getpid()})]


def _bound_socket(settings: Settings) -> socket.socket:
    """Return a socket bound to host and port that does not listen yet; `CommandFailed` if the address is in use."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((settings.host, settings.port))
    except OSError as error:
        bound.close()
        raise _address_in_use(settings, error) from error
    return bound


def _listen(bound: socket.socket, settings: Settings) -> None:
    """Listen on a bound socket. Two processes can bind the same address; the second to listen fails."""
    try:
        bound.listen(BACKLOG_CONNECTIONS_MAX)
    except OSError as error:
        raise _address_in_use(settings, error) from error


def _address_in_use(settings: Settings, error: OSError) -> CommandFailed:
    where = f"{settings.host}:{settings.port}"
    return CommandFailed(
        ExitCode.TAKEN,
        f"cannot listen on {where} ({error.strerror}); stop the other server, or choose another port with --port",
    )
