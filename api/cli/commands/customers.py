"""Commands about customers: make, show, change, block, delete, and what happened to them."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from api.cli.options import AsJson, CustomerArgument, DataFolderOption, KeyOption, UrlOption, settings_with
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.tables import print_fields, print_json, print_lines, print_table, shown
from api.cli.server.connection import connected
from api.cli.server.http_client import path_to

app = typer.Typer(no_args_is_help=True, help="Customers: make, show, change, block, delete.", rich_markup_mode=None)
COLUMNS = ("id", "name", "origin", "active", "blocked", "life", "created_at", "first_seen_at", "budget.budget_id")

FieldsOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A field of the customer; VALUE is JSON, else text. Repeatable."),
]
Reason = Annotated[str | None, typer.Option(help="Why; kept in the history.")]


@app.command("list")
def list_customers(
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many.")] = 100,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """List customers, created or seen in usage."""
    with connected(settings_with(data_dir=data), url, key) as engine:
        found = list(engine.pages("/v1/customers", limit))
    if as_json:
        print_json({"data": found})
    else:
        print_table("Customers", found, COLUMNS)


@app.command()
def show(
    customer: CustomerArgument,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Show a customer: profile, budget, life."""
    _print(_send("GET", (customer,), data, url, key), as_json)


@app.command()
def create(
    customer: CustomerArgument,
    fields: FieldsOption = None,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Create a customer, or adopt the usage that is there under its id."""
    with connected(settings_with(data_dir=data), url, key, new_folder=True) as engine:
        made = engine.send("POST", "/v1/customers", body={**fields_of(fields), "id": customer})
    _print(made, as_json)


@app.command()
def update(
    customer: CustomerArgument,
    fields: FieldsOption = None,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Change fields of a customer; null clears one."""
    _print(_send("PATCH", (customer,), data, url, key, fields_of(fields)), as_json)


@app.command()
def block(
    customer: CustomerArgument,
    reason: Reason = None,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Refuse a customer access."""
    _print(_send("POST", (customer, "block"), data, url, key, _because(reason)), as_json)


@app.command()
def unblock(
    customer: CustomerArgument,
    reason: Reason = None,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Let a blocked customer go on."""
    _print(_send("POST", (customer, "unblock"), data, url, key, _because(reason)), as_json)


@app.command()
def delete(
    customer: CustomerArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """End a customer's life. Its usage stays in the log; the id may live again."""
    if not yes and not typer.confirm(f"End the life of {shown(customer)}?", err=True):
        raise typer.Exit(ExitCode.INTERRUPTED)
    answer = _send("DELETE", (customer,), data, url, key)
    if as_json:
        print_json(answer)
    else:
        print_lines("deleted")


@app.command()
def history(
    customer: CustomerArgument,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Show everything that happened to a customer, and who did it."""
    with connected(settings_with(data_dir=data), url, key) as engine:
        found = list(engine.pages(path_to("v1", "customers", customer, "history")))
    if as_json:
        print_json({"data": found})
    else:
        print_table(
            f"History of {customer}", found, ("kind", "effective_at", "recorded_at", "actor", "reason", "fields")
        )


def fields_of(given: list[str] | None) -> dict[str, Any]:
    """NAME=VALUE pairs as an object: budget.period_limit_usd=5 reaches into budget; VALUE is JSON, else text."""
    fields: dict[str, Any] = {}
    for pair in given or ():
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise CommandFailed(ExitCode.WRONG_USE, f"--set {pair}: is NAME=VALUE")
        *outer, last = name.split(".")
        place = fields
        for part in outer:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise CommandFailed(ExitCode.WRONG_USE, f"--set {pair}: {part} has a value already")
        place[last] = _value_of(text)
    return fields


def _value_of(text: str) -> Any:
    """A JSON value where the text is one; numbers stay text, so that no digit of an amount is lost."""
    try:
        return json.loads(text, parse_float=str, parse_int=_integer)
    except ValueError:
        return text


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= 15 else text


def _because(reason: str | None) -> dict[str, str]:
    return {} if reason is None else {"reason": reason}


def _send(
    method: str,
    segments: tuple[str, ...],
    data: Any,
    url: str | None,
    key: str | None,
    body: dict[str, Any] | None = None,
) -> Any:
    with connected(settings_with(data_dir=data), url, key) as engine:
        return engine.send(method, path_to("v1", "customers", *segments), body=body)


def _print(customer: Any, as_json: bool) -> None:
    if as_json:
        print_json(customer)
    elif "id" not in customer:
        print_lines(f"stored at log position {customer['position']}, not yet counted")
    else:
        print_fields(f"Customer {customer['id']}", customer)
