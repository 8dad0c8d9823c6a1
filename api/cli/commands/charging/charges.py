"""The command `charges`: what usage costs a customer by its plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
import typer

from api.cli.commands.engine_command import engine_command
from api.cli.commands.names import profile_of
from api.cli.options import AsOf, At, CustomerArgument, MinPosition
from api.cli.output.cells import span_text
from api.cli.output.columns import Column, Kind, Row
from api.cli.output.results import Output
from api.cli.output.text import counted, print_lines, shown
from api.cli.server.http_client import Connection, path_to
from domain.charges.currencies import minor_digits


def _group_texts(row: Row) -> list[str]:
    """The values of a group and of a filter; of what is added to reach a minimum, that it is."""
    if row["is_minimum"]:
        return ["(minimum)"]
    group = [f"{name}={'-' if value is None else value}" for name, value in row["group"].items()]
    return [*group, *_filter_texts(row)]


def _filter_texts(row: Row) -> list[str]:
    """The name of a filter, or its values: `region=eu|us`."""
    if row["filter"] is None:
        return []
    if row["filter"]["name"] is not None:
        return [row["filter"]["name"]]
    named = [f"{path}={'|'.join(texts) or '*'}" for path, texts in row["filter"]["values"].items()]
    return named or ["(no filter)"]


_AMOUNT: Final = Column("Amount", "amount", Kind.MONEY, unknown="cost_unknown_events")
#: Amounts in a currency without a minor unit.
_WHOLE: Final = msgspec.structs.replace(_AMOUNT, kind=Kind.NUMBER)
_COLUMNS: Final = (
    Column("Charge", "code"),
    Column("Group", _group_texts, Kind.LIST, drop=1),
    Column("Units", "units", Kind.NUMBER),
    _AMOUNT,
    Column("Currency", "currency"),
)
#: In tables of several subscriptions: one has its period in the title.
_PERIOD_COLUMNS: Final = (
    Column("Subscription", "subscription"),
    Column("From", "start", Kind.INSTANT, drop=2),
    Column("To", "end", Kind.INSTANT, drop=3),
)
_PERIOD: Final = ("subscription", "plan", "currency", "start", "end")
#: For CSV: what names the charge, and what it costs.
_CHARGED: Final = (
    "code",
    "meter",
    "model",
    "group",
    "filter",
    "is_minimum",
    "units",
    "events",
    "amount",
    "unknown_because",
)


@engine_command(csv=True)
def charges(
    engine: Connection,
    output: Output,
    customer: CustomerArgument,
    period: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="The billing periods that contain this day or instant. [default: now]"),
    ] = None,
    subscription: Annotated[str | None, typer.Option(metavar="ID", help="Only those of this subscription.")] = None,
    as_of: AsOf = None,
    at: At = None,
    min_position: MinPosition = None,
) -> None:
    """Show what usage costs a customer by its plans."""
    path = path_to("v1", "customers", customer, "charges")
    asked = {"period": period, "subscription": subscription, "as_of": as_of, "at": at}
    answer = engine.get(path, **asked, min_position=min_position)
    of_subscriptions, zone = answer["data"], answer["time_zone"]
    title = f"Charges of {profile_of(engine, customer).label}" if output.is_text else ""
    if len(of_subscriptions) == 1 and of_subscriptions[0]["end"] is not None:
        title += f", {span_text(of_subscriptions[0]['start'], of_subscriptions[0]['end'], zone)}"
    rows = [row for one in of_subscriptions for charge in one["charges"] for row in _rows(one, charge)]
    output.rows(
        title,
        _columns(rows, named=len(of_subscriptions) > 1),
        rows,
        headers=lambda: (*_PERIOD, *_CHARGED),
        document=answer,
        zone=zone,
    )
    if output.is_text:
        for one in of_subscriptions:
            print_lines(*_reasons(one), _total(one), *_coupons(one))
        print_lines(f"as of log position {answer['position']}")


def _columns(rows: Sequence[Row], *, named: bool) -> Sequence[Column]:
    has_cents = any(minor_digits(row["currency"]) for row in rows)
    columns = _COLUMNS if has_cents else tuple(_WHOLE if one is _AMOUNT else one for one in _COLUMNS)
    return (*_PERIOD_COLUMNS, *columns) if named else columns


def _rows(of: Mapping[str, Any], charge: Mapping[str, Any]) -> Sequence[Row]:
    """A row for each group of a charge and each filter in it that was used, and one for what is added to reach the
    minimum."""
    shared = {**charge, **{name: of[name] for name in _PERIOD}, "group": {}, "filter": None, "is_minimum": False}
    groups, added = charge["groups"], charge["added_to_minimum"]
    if not groups or not (groups[0]["group"] or charge["filters"]):
        used = [shared if added == "0" else {**shared, "amount": groups[0]["amount"] if groups else "0"}]
    else:
        if not groups[0]["group"]:
            groups = [{**groups[0], "filters": charge["filters"]}]
        used = [{**shared, **one} for group in groups for one in _used(group)]
    if added == "0":
        return used or [shared]
    unmeasured = {"amount": added, "units": None, "events": None, "cost_unknown_events": None}
    return [*used, {**shared, **unmeasured, "is_minimum": True}]


def _used(group: Mapping[str, Any]) -> Sequence[Row]:
    """A group, or its filters that have an event or an amount."""
    if not group["filters"]:
        return [group]
    used = (one for one in group["filters"] if one["events"] or one["amount"] != "0")
    return [{**group, **one, "filter": {"name": one["name"], "values": one["values"]}, "name": None} for one in used]


def _reasons(of: Mapping[str, Any]) -> list[str]:
    unknown = ((one["code"], one["unknown_because"]) for one in of["charges"])
    return [shown(f"{code} is unknown: {reason}") for code, reason in unknown if reason is not None]


def _coupons(of: Mapping[str, Any]) -> list[str]:
    """A line for each coupon that takes something off, and one for what is left of the amount."""
    if not of["coupons"]:
        return []
    lines = [_coupon(one, of["currency"]) for one in of["coupons"]]
    return [*lines, shown(f"{of['subscription']} after coupons: {_money(of['amount_after_coupons'], of['currency'])}")]


def _coupon(one: Mapping[str, Any], currency: str) -> str:
    charges = ", ".join(charge["code"] for charge in one["charges"])
    text = f"{one['coupon']} ({one['number']}): {_money(one['amount_off'], currency)} off {charges}"
    if one["amount_remaining"] is not None:
        text += f", {_money(one['amount_remaining'], currency)} remain"
    if one["periods_remaining"] is not None:
        text += f", {counted(one['periods_remaining'], 'period', ('remains', 'remain'))}"
    return shown(text)


def _total(of: Mapping[str, Any]) -> str:
    subscription = f"{of['subscription']}, plan {of['plan']}"
    if of["currency"] is None:
        return shown(f"{subscription}: unknown, the plan is deleted")
    if of["amount"] is None:
        return shown(f"{subscription}: unknown")
    lacking = " + unknown" if any(one["cost_unknown_events"] for one in of["charges"]) else ""
    text = f"{subscription}: {_money(of['amount'], of['currency'])}{lacking} {'in all' if of['ended'] else 'so far'}"
    if of["restated"] and of["amount_at_closing"] is not None:
        text += f", {_money(of['amount_at_closing'], of['currency'])} at closing"
    return shown(text)


def _money(amount: str | None, currency: str) -> str:
    """An amount as tables show it, with all digits of the minor unit."""
    return "unknown" if amount is None else f"{Decimal(amount):,.{minor_digits(currency)}f} {currency}"
