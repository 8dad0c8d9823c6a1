"""The command that runs the engine: it owns the data folder, listens, and says how to use it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
from typing import Annotated, Final

import typer

from api.cli.options import DataFolderOption, settings_with
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.tables import print_lines
from consumers.errors import FolderOwned
from consumers.log_output import configure_messages
from consumers.settings import Settings

BACKLOG_CONNECTIONS_MAX: Final = 2048
#: For connections, once every request was answered and the engine is closed.
CLOSING_SECONDS_MAX: Final = 1


def serve(
    data: DataFolderOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: METERFOLD_HOST]")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0: any. [default: METERFOLD_PORT]")] = None,
    consumers: Annotated[
        int | None,
        typer.Option(help="Kafka consumers beside it, when a broker is named. [default: METERFOLD_CONSUMERS]"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print address and key as one JSON line.")] = False,
) -> None:
    """Run the engine on a data folder until it is told to stop."""
    settings = settings_with(data_dir=data, host=host, port=port, consumers=consumers)
    if consumers and settings.kafka_bootstrap is None:
        raise CommandFailed(ExitCode.WRONG_USE, "--consumers needs a broker: set METERFOLD_KAFKA_BOOTSTRAP")
    configure_messages(settings.log_level, as_json=settings.log_json)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _bound_socket(settings) as listening:
            _serve_on(listening, settings, as_json)
    except KeyboardInterrupt:
        return
    except FolderOwned as error:
        where = "" if error.owner is None else f", at {error.owner['url']} (process {error.owner['pid']})"
        raise CommandFailed(
            ExitCode.TAKEN, f"an engine runs on the data folder {settings.data_dir} already{where}"
        ) from error


def _serve_on(listening: socket.socket, settings: Settings, as_json: bool) -> None:
    # Imported here, as the other commands need none of it.
    import uvicorn

    from api.app import create_app
    from api.cli.server.graceful_shutdown import StoppingServer
    from api.cli.server.in_process_engine import opened
    from api.http.middleware.shutdown_gate import ShutdownGate

    with opened(settings, serving=True) as engine:
        _listen(listening, settings)
        url = url_of(settings.host, listening.getsockname()[1])
        engine.folder.announce(url)
        key = engine.folder.first_key() or ""
        print_lines(*(_as_line(url, key, settings) if as_json else greeting(settings.public_url or url, key, settings)))
        app = create_app(engine)
        gate = ShutdownGate(app, app.state.meterfold.shapes)
        config = uvicorn.Config(
            gate,
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG_CONNECTIONS_MAX,
            timeout_graceful_shutdown=CLOSING_SECONDS_MAX,
        )
        StoppingServer(config, gate, engine).run(sockets=[listening])


def url_of(host: str, port: int) -> str:
    """Where a client on this machine reaches a server that listens on `host`."""
    reached = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(host)  # noqa: S104 -- compared, not bound
    if reached is None:
        reached = f"[{host}]" if ":" in host else host
    return f"http://{reached}:{port}"


def greeting(url: str, key: str, settings: Settings) -> list[str]:
    """What a person needs: address, key, and lines to copy and paste."""
    event = {
        "specversion": "1.0",
        "id": "request-1",
        "source": "my-gateway",
        "type": "llm.request",
        "subject": "ada",
        "data": {"provider": "openai", "model": "gpt-4o", "input_tokens": 1200, "output_tokens": 350},
    }
    authorization = shlex.quote(f"Authorization: Bearer {key}")
    return [
        f"Meterfold serves {settings.data_dir} on {url} (Ctrl+C stops it)",
        f"API key    {key}",
        f"           kept in {settings.data_dir / 'admin.key'}",
        f"API pages  {url}/docs",
        "",
        "Report a request:",
        "",
        f"  curl {url}/v1/events -H {authorization} \\",
        "    -H 'Content-Type: application/cloudevents+json' \\",
        f"    -d {shlex.quote(json.dumps(event))}",
        "",
        "Ask what the customer has used:",
        "",
        f"  curl {url}/v1/customers/ada/current-usage -H {authorization}",
        "",
        "Fill it with a month of traffic: make demo (or meterfold demo)",
    ]


def _as_line(url: str, key: str, settings: Settings) -> list[str]:
    return [json.dumps({"url": url, "key": key, "data_dir": str(settings.data_dir), "pid": os.getpid()})]


def _bound_socket(settings: Settings) -> socket.socket:
    """A socket bound to host and port, not listening yet; `CommandFailed` when the place is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((settings.host, settings.port))
    except OSError as error:
        bound.close()
        raise _taken(settings, error) from error
    return bound


def _listen(bound: socket.socket, settings: Settings) -> None:
    """Binding alone does not keep others out: two may bind, and the second to listen fails."""
    try:
        bound.listen(BACKLOG_CONNECTIONS_MAX)
    except OSError as error:
        raise _taken(settings, error) from error


def _taken(settings: Settings, error: OSError) -> CommandFailed:
    where = f"{settings.host}:{settings.port}"
    return CommandFailed(
        ExitCode.TAKEN,
        f"cannot listen on {where} ({error.strerror}); stop what listens there, or choose another port with --port",
    )
