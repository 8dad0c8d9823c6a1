"""`meterfold customers`: list, show, create, change, block and delete customers, and show their history."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import typer

from api.cli.commands.engine_command import engine_command
from api.cli.commands.names import actor_labels, profile_of
from api.cli.commands.resources import Id, Resource, add_commands, print_one
from api.cli.options import AsOf, At, Limit, Reason
from api.cli.output.columns import Column, Kind, Row
from api.cli.output.results import Output
from api.cli.output.text import shown
from api.cli.server.http_client import Connection, path_to

app = typer.Typer(no_args_is_help=True, help="Manage customers, and show their history.", rich_markup_mode=None)

EffectiveAt = Annotated[
    str | None, typer.Option(metavar="TIME", help="The RFC 3339 instant from which this holds. [default: now]")
]


def _state_of(row: Row) -> str:
    return "blocked" if row["blocked"] else "active" if row["active"] else "inactive"


def _changes(row: Row) -> str | None:
    return ", ".join(f"{name} {shown(value)}" for name, value in row["fields"].items()) or None


CUSTOMERS = Resource(
    noun="customer",
    plural="customers",
    id_member="id",
    segment="customers",
    columns=(
        Column("Id", "id"),
        Column("Name", "name", drop=1),
        Column("State", _state_of),
        Column("Budget", "budget.budget_id", drop=2),
        Column("Time zone", "time_zone", drop=5),
        Column("Created", "created_at", Kind.INSTANT, drop=3),
        Column("First seen", "first_seen_at", Kind.INSTANT, drop=4),
        Column("Life", "life", drop=6),
    ),
    fields="name, email, metadata, currency, time_zone, group_identifier, allowed_region, default_model, "
    "markup_percentage, payment_provider, usage_period, budget, opening_spend_usd, effective_at; "
    "budget.period_limit_usd sets a member of budget",
    create_help="Create a customer; earlier usage of its id becomes its own.",
    update_help="Change fields of a customer.",
    delete_help="Delete a customer; its usage stays, and the id is free again.",
)
HISTORY = (
    Column("Change", "kind"),
    Column("Effective", "effective_at", Kind.INSTANT),
    Column("Recorded", "recorded_at", Kind.INSTANT, drop=2),
    Column("By", "actor", drop=1),
    Column("Reason", "reason", Kind.PROSE),
    Column("Set to", _changes, Kind.PROSE),
)


@app.command("list")
@engine_command(csv=True)
def list_customers(
    engine: Connection,
    output: Output,
    prefix: Annotated[str | None, typer.Option(help="Only customers whose id begins with this.")] = None,
    limit: Limit = 100,
    as_of: AsOf = None,
    at: At = None,
) -> None:
    """List customers, also those known by usage alone."""
    found = list(engine.pages("/v1/customers", limit, prefix=prefix, as_of=as_of, at=at))
    output.rows("Customers", CUSTOMERS.columns, found, headers=partial(engine.row_members, "/v1/customers"))


add_commands(app, CUSTOMERS)


@app.command()
@engine_command()
def block(
    engine: Connection, output: Output, customer: Id, reason: Reason = None, effective_at: EffectiveAt = None
) -> None:
    """Block a customer: access is refused."""
    _change(engine, output, "POST", (customer, "block"), reason=reason, effective_at=effective_at)


@app.command()
@engine_command()
def unblock(
    engine: Connection, output: Output, customer: Id, reason: Reason = None, effective_at: EffectiveAt = None
) -> None:
    """Unblock a customer."""
    _change(engine, output, "POST", (customer, "unblock"), reason=reason, effective_at=effective_at)


@app.command()
@engine_command()
def deactivate(
    engine: Connection, output: Output, customer: Id, reason: Reason = None, effective_at: EffectiveAt = None
) -> None:
    """Deactivate a customer: reports by customer leave it out."""
    _activate(engine, output, customer, False, reason, effective_at)


@app.command()
@engine_command()
def reactivate(
    engine: Connection, output: Output, customer: Id, reason: Reason = None, effective_at: EffectiveAt = None
) -> None:
    """Reactivate a customer: reports show it again."""
    _activate(engine, output, customer, True, reason, effective_at)


@app.command()
@engine_command(csv=True)
def history(
    engine: Connection, output: Output, customer: Id, limit: Limit = 10_000, as_of: AsOf = None, at: At = None
) -> None:
    """Show all changes of a customer, who made them and why."""
    found = list(engine.pages(path_to("v1", "customers", customer, "history"), limit, as_of=as_of, at=at))
    headers = partial(engine.row_members, "/v1/customers/{customer_id}/history")
    if not output.is_text:
        output.rows("", HISTORY, found, headers=headers)
        return
    profile = profile_of(engine, customer)
    rows = actor_labels(engine, found)
    output.rows(f"History of {profile.label}", HISTORY, rows, headers=headers, zone=profile.zone)


def _activate(
    engine: Connection, output: Output, customer: str, active: bool, reason: str | None, effective_at: str | None
) -> None:
    body = {"active": active, **({} if effective_at is None else {"effective_at": effective_at})}
    answer = engine.send("PATCH", path_to("v1", "customers", customer), body=body, reason=reason)
    print_one(output, CUSTOMERS, answer)


def _change(engine: Connection, output: Output, method: str, segments: tuple[str, ...], **given: Any) -> None:
    body = {name: value for name, value in given.items() if value is not None}
    print_one(output, CUSTOMERS, engine.send(method, path_to("v1", "customers", *segments), body=body))
