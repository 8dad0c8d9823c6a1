"""`meterfold keys`: create, list and revoke API keys. A key is shown once, when it is created."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from api.cli.options import AsJson, DataFolderOption, KeyOption, UrlOption, settings_with
from api.cli.output.tables import print_json, print_lines, print_message, print_table
from api.cli.server.connection import connected
from api.cli.server.http_client import path_to

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.", rich_markup_mode=None)
COLUMNS = ("id", "prefix", "name", "tenant", "environment", "scopes", "created_at", "last_used_at", "revoked_at")


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
def create(
    tenant: Annotated[str, typer.Option(help="Tenant of the key; a new name creates a tenant.")] = "default",
    environment: Annotated[Environment, typer.Option(help="Environment of the tenant.")] = Environment.PROD,
    scope: Annotated[
        list[Scope] | None, typer.Option(help="Permission of the key; may be repeated. [default: admin]")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name that tells what the key is for.")] = None,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Create an API key and show it once."""
    body = {"tenant": tenant, "environment": environment, "scopes": list(scope or [Scope.ADMIN]), "name": name}
    with connected(settings_with(data_dir=data), url, key, new_folder=True) as engine:
        made = engine.send(
            "POST", "/v1/keys", body={field: value for field, value in body.items() if value is not None}
        )
    if as_json:
        print_json(made)
    else:
        print_message("This is the only time the key is shown; keep it.")
        print_lines(made["secret"])


@app.command("list")
def list_keys(
    data: DataFolderOption = None, url: UrlOption = None, key: KeyOption = None, as_json: AsJson = False
) -> None:
    """List API keys with their first characters and last use."""
    with connected(settings_with(data_dir=data), url, key) as engine:
        found = list(engine.pages("/v1/keys"))
    if as_json:
        print_json({"data": found})
    else:
        print_table("API keys", found, COLUMNS)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the key, as shown by `keys list`.")],
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Revoke an API key permanently."""
    with connected(settings_with(data_dir=data), url, key) as engine:
        answer = engine.send("DELETE", path_to("v1", "keys", key_id))
    if as_json:
        print_json(answer)
    else:
        print_lines("revoked")
