"""`meterfold customers`: create, show, change, block and delete customers, and show their history."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from api.cli.options import AsJson, CustomerArgument, DataFolderOption, KeyOption, UrlOption, settings_with
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.tables import print_fields, print_json, print_lines, print_table, shown
from api.cli.server.connection import connected
from api.cli.server.http_client import path_to

app = typer.Typer(no_args_is_help=True, help="Create, show, change, block and delete customers.", rich_markup_mode=None)
COLUMNS = ("id", "name", "origin", "active", "blocked", "life", "created_at", "first_seen_at", "budget.budget_id")

FieldsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Set a field; VALUE is JSON, or text if it is not JSON. May be repeated."
    ),
]
Reason = Annotated[str | None, typer.Option(help="The reason, which is kept in the history.")]


@app.command("list")
def list_customers(
    limit: Annotated[int, typer.Option(min=1, help="List at most this many.")] = 100,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """List customers, both created ones and those known by usage alone."""
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
    """Show a customer's profile and budget."""
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
    """Create a customer; earlier usage of the same id becomes its usage."""
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
    """Change fields of a customer; the value null clears a field."""
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
    """Block a customer: access is refused."""
    _print(_send("POST", (customer, "block"), data, url, key, _reason_body(reason)), as_json)


@app.command()
def unblock(
    customer: CustomerArgument,
    reason: Reason = None,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Unblock a customer."""
    _print(_send("POST", (customer, "unblock"), data, url, key, _reason_body(reason)), as_json)


@app.command()
def delete(
    customer: CustomerArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Delete a customer. Its usage stays in the log, and the id can be used again for a new customer."""
    if not yes and not typer.confirm(f"Delete the customer {shown(customer)}?", err=True):
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
    """Show all changes of a customer, with who made them and why."""
    with connected(settings_with(data_dir=data), url, key) as engine:
        found = list(engine.pages(path_to("v1", "customers", customer, "history")))
    if as_json:
        print_json({"data": found})
    else:
        print_table(
            f"History of {customer}", found, ("kind", "effective_at", "recorded_at", "actor", "reason", "fields")
        )


def fields_of(given: list[str] | None) -> dict[str, Any]:
    """Parse NAME=VALUE pairs into an object; a dotted name such as budget.period_limit_usd sets a nested member."""
    fields: dict[str, Any] = {}
    for pair in given or ():
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise CommandFailed(ExitCode.WRONG_USE, f"--set {pair}: must be NAME=VALUE")
        *outer, last = name.split(".")
        parent = fields
        for part in outer:
            parent = parent.setdefault(part, {})
            if not isinstance(parent, dict):
                raise CommandFailed(ExitCode.WRONG_USE, f"--set {pair}: {part} was set to a value before")
        parent[last] = _value_of(text)
    return fields


def _value_of(text: str) -> Any:
    """Parse a value as JSON, else keep it as text. Decimals stay text, so that no digit of an amount is lost."""
    try:
        return json.loads(text, parse_float=str, parse_int=_integer)
    except ValueError:
        return text


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= 15 else text


def _reason_body(reason: str | None) -> dict[str, str]:
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
