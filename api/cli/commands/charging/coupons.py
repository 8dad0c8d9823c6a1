"""Commands about coupons, those that a tenant defines and those that customers have applied: `coupons`."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final

import typer

from api.cli.commands.engine_command import engine_command
from api.cli.commands.fields import FieldsOption, fields_of
from api.cli.commands.resources import DeletedAt, Resource, Yes, app_of
from api.cli.options import AsOf, At, CustomerArgument, Limit, Reason
from api.cli.output.columns import Column, Kind, Row
from api.cli.output.exit_codes import ExitCode
from api.cli.output.results import Output
from api.cli.output.text import counted, print_lines, shown
from api.cli.server.http_client import Connection, path_to


def _taken_off(row: Row) -> str:
    """What a coupon takes off: `20 USD`, `12.5 %`."""
    return f"{row['amount']} {row['currency']}" if row["percentage"] is None else f"{row['percentage']} %"


def _frequency(row: Row) -> str:
    return (
        f"{row['frequency']}, {counted(row['periods'], 'period')}"
        if row["periods"] is not None
        else str(row["frequency"])
    )


def _limits(row: Row) -> list[str]:
    return [f"plan {one}" for one in row["plans"]] + [f"meter {one}" for one in row["meters"]]


def _remaining(row: Row) -> str | None:
    """What is left of a coupon: `12.5 USD`, `2 periods`; nothing for one that ends some other way."""
    if not row["remaining_known"]:
        return "unknown"
    if row["amount_remaining"] is not None:
        return f"{row['amount_remaining']} {row['currency']}"
    return None if row["periods_remaining"] is None else counted(row["periods_remaining"], "period")


_TERMS: Final = (
    Column("Off", _taken_off),
    Column("Frequency", _frequency, drop=1),
    Column("Only", _limits, Kind.LIST, drop=2),
)
COUPONS: Final = Resource(
    noun="coupon",
    plural="coupons",
    id_member="code",
    segment="coupons",
    columns=(
        Column("Code", "code"),
        Column("Name", "name", drop=3),
        *_TERMS,
        Column("Expires", "expires_at", Kind.INSTANT, drop=4),
        Column("Created", "created_at", Kind.INSTANT, drop=5),
    ),
    fields="amount and currency, or percentage; frequency (once, recurring, forever), periods, plans (JSON) or meters "
    "(JSON), expires_at, reusable, name, description, effective_at",
    create_help="Create a coupon, which customers can apply.",
    update_help="Change a coupon for those who apply it later.",
    delete_help="Delete a coupon.\n\nWhat customers have applied of it takes nothing off any more.",
)
_APPLIED: Final = (
    Column("Customer", "customer"),
    Column("Number", "number"),
    Column("Coupon", "coupon"),
    *_TERMS,
    Column("Remaining", _remaining),
    Column("Status", "status"),
    Column("Start", "start", Kind.INSTANT, drop=3),
    Column("End", "end", Kind.INSTANT, drop=4),
)
_OWN_TERMS: Final = "amount and currency, or percentage; frequency, periods, effective_at"

coupons = app_of(COUPONS, "Manage coupons, and which customers have applied them.")


@coupons.command(help=f"Apply a coupon for a customer.\n\nFields, in place of those of the coupon: {_OWN_TERMS}.")
@engine_command(new_folder=True)
def apply(
    engine: Connection,
    output: Output,
    customer: CustomerArgument,
    coupon: Annotated[str, typer.Argument(metavar="COUPON", help="The code of the coupon.")],
    fields: FieldsOption = None,
    reason: Reason = None,
) -> None:
    """Apply a coupon, and show it with its number."""
    body = {**fields_of(fields), "coupon": coupon}
    path = path_to("v1", "customers", customer, "coupons")
    document = engine.send("POST", path, body=body, reason=reason)
    if output.is_text and "number" not in document:
        print_lines(f"stored at log position {document['position']}, not yet counted")
        return
    members = {name: value for name, value in document.items() if name not in ("position", "now")}
    title = f"Applied coupon {document.get('number')} of {shown(customer)}"
    output.fields(title, members if output.is_text else document)


@coupons.command(help="End what a customer has applied; what it took off stays.")
@engine_command()
def terminate(
    engine: Connection,
    output: Output,
    customer: CustomerArgument,
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The number, as `applied` shows it.")],
    yes: Yes = False,
    reason: Reason = None,
    effective_at: DeletedAt = None,
) -> None:
    """End an applied coupon, once the user has confirmed it."""
    if not yes and not typer.confirm(f"Terminate applied coupon {number} of {shown(customer)}?", err=True):
        raise typer.Exit(ExitCode.INTERRUPTED)
    path = path_to("v1", "customers", customer, "coupons", str(number))
    output.lines(engine.send("DELETE", path, reason=reason, effective_at=effective_at), "terminated")


@coupons.command(help="List applied coupons, and what is left of each.")
@engine_command(csv=True)
def applied(
    engine: Connection,
    output: Output,
    customer: Annotated[str | None, typer.Option(help="Only those of this customer.")] = None,
    coupon: Annotated[str | None, typer.Option(metavar="CODE", help="Only those of this coupon.")] = None,
    status: Annotated[
        str | None, typer.Option(help="Only those with this status: pending, active or terminated.")
    ] = None,
    limit: Limit = 100,
    as_of: AsOf = None,
    at: At = None,
) -> None:
    """List applied coupons of all customers or of one."""
    path = path_to("v1", "applied-coupons")
    rows = list(engine.pages(path, limit, customer=customer, coupon=coupon, status=status, as_of=as_of, at=at))
    output.rows("Applied coupons", _APPLIED, rows, headers=partial(engine.row_members, path))
