"""`meterfold keys`: create, list and revoke API keys. A key is shown once, when it is created."""

from __future__ import annotations

import sys
from enum import StrEnum
from functools import partial
from typing import Annotated, Final

import typer

from api.cli.commands.engine_command import engine_command
from api.cli.options import Reason
from api.cli.output.columns import Column, Kind
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.results import Output
from api.cli.output.text import print_message
from api.cli.server.http_client import Connection, path_to

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.", rich_markup_mode=None)
KEYS: Final = (
    Column("Id", "id"),
    Column("Name", "name"),
    Column("Begins with", "prefix", drop=3),
    Column("Scopes", "scopes", Kind.LIST, drop=1),
    Column("Tenant", lambda row: f"{row['tenant']}/{'+'.join(row['environments'])}", drop=5),
    Column("Created", "created_at", Kind.INSTANT, drop=4),
    Column("Last used", "last_used_at", Kind.INSTANT, drop=2),
    Column("Revoked", "revoked_at", Kind.INSTANT, drop=6),
)


class Environment(StrEnum):
    """The environment of a key."""

    PROD = "prod"
    TEST = "test"


class Scope(StrEnum):
    """A permission of a key."""

    ADMIN = "admin"
    INGEST = "ingest"
    READ = "read"


@app.command()
@engine_command(new_folder=True)
def create(
    engine: Connection,
    output: Output,
    tenant: Annotated[str, typer.Option(help="Tenant of the key; a new name creates a tenant.")] = "default",
    environment: Annotated[
        list[Environment] | None,
        typer.Option(
            help="Environment of the key, prod by default; may be repeated. The first of both is the default."
        ),
    ] = None,
    scope: Annotated[
        list[Scope] | None,
        typer.Option(help="Permission of the key; may be repeated. Asked for on a terminal if it is not given."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name that tells what the key is for.")] = None,
    reason: Reason = None,
) -> None:
    """Create an API key and show it once."""
    environments = list(environment or [Environment.PROD])
    body = {"tenant": tenant, "environments": environments, "scopes": list(scope or _asked_scopes()), "name": name}
    given = {field: value for field, value in body.items() if value is not None}
    made = engine.send("POST", "/v1/keys", body=given, reason=reason)
    if output.is_text:
        print_message("This is the only time the key is shown; keep it.")
    output.lines(made, made["secret"])


def _asked_scopes() -> list[Scope]:
    """Ask on a terminal for the permissions of a key; `CommandFailed` elsewhere: a key gets none by default."""
    names = ", ".join(Scope)
    if not sys.stdin.isatty():
        raise CommandFailed(ExitCode.WRONG_USE, f"name the permissions of the key by --scope: one or more of {names}")
    asked = f"Scopes of the key, separated by commas ({names})"
    scopes: list[Scope] = typer.prompt(asked, value_proc=_scopes_in, err=True)  # the output is the key alone
    return scopes


def _scopes_in(text: str) -> list[Scope]:
    named = [name for part in text.split(",") if (name := part.strip())]
    if not named or set(named) - set(Scope):
        raise typer.BadParameter(f"name one or more of {', '.join(Scope)}")
    return [Scope(name) for name in named]


@app.command("list")
@engine_command(csv=True)
def list_keys(
    engine: Connection,
    output: Output,
    revoked: Annotated[bool, typer.Option("--revoked", help="Include revoked keys.")] = False,
) -> None:
    """List API keys with their first characters and last use."""
    found = list(engine.pages("/v1/keys", revoked=revoked))
    output.rows("API keys", KEYS, found, headers=partial(engine.row_members, "/v1/keys"))


@app.command()
@engine_command()
def revoke(
    engine: Connection,
    output: Output,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the key, as shown by `keys list`.")],
    reason: Reason = None,
) -> None:
    """Revoke an API key for good."""
    output.lines(engine.send("DELETE", path_to("v1", "keys", key_id), reason=reason), "revoked")
