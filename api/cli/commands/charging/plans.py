"""Commands about plans and subscriptions: `plans` and `subscriptions`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Final

import typer

from api.cli.commands.engine_command import engine_command
from api.cli.commands.resources import Resource, add_commands, app_of
from api.cli.options import AsOf, At, Limit
from api.cli.output.columns import Column, Kind
from api.cli.output.results import Output
from api.cli.output.text import counted
from api.cli.server.http_client import Connection, path_to

#: Members of charge models that are read more easily by other words.
_MEMBERS: Final = {"per_unit_amount": "{} each", "flat_amount": "{} flat", "rate": "{} %"}


def _plan_members(plan: Mapping[str, Any]) -> Mapping[str, Any]:
    """A plan with a line for each charge, below its code."""
    charges = {one["code"]: _charge_text(one) for one in plan["charges"]}
    return {name: value for name, value in plan.items() if name != "charges"} | {"charge": charges}


def _charge_text(charge: Mapping[str, Any]) -> str:
    text = f"{charge['meter']}: {charge['price']['model']}, {'; '.join(_price_texts(charge['price']))}"
    if charge["group_by"]:
        text += f"; by {', '.join(charge['group_by'])}"
    if charge["filters"]:
        keys = sorted({path for one in charge["filters"] for path in one["values"]})
        text += f"; {counted(len(charge['filters']), 'filter')} by {', '.join(keys)}"
    return text if charge["minimum_amount"] is None else f"{text}; at least {charge['minimum_amount']}"


def _price_texts(price: Mapping[str, Any]) -> Iterator[str]:
    """The members of a charge model in words: `package size 10`, `up to 1000 units: 0.02 each`."""
    for name, value in price.items():
        if name == "ranges":
            yield from map(_range_text, value)
        elif name != "model" and value is not None:
            yield _member_text(name, value)


def _range_text(of: Mapping[str, Any]) -> str:
    units = f"above {of['from_value']} units" if of["to_value"] is None else f"up to {of['to_value']} units"
    priced = [
        _member_text(name, value)
        for name, value in of.items()
        if name not in ("from_value", "to_value") and (name, value) != ("flat_amount", "0")
    ]
    return f"{units}: {', '.join(priced)}"


def _member_text(name: str, value: Any) -> str:
    return _MEMBERS[name].format(value) if name in _MEMBERS else f"{name.replace('_', ' ')} {value}"


def _subscription_members(subscription: Mapping[str, Any]) -> Mapping[str, Any]:
    """A subscription with its plans over time, if there are several."""
    plans = [f"{term['plan']} from {_instant_text(term['start'])}" for term in subscription["terms"]]
    members = {name: value for name, value in subscription.items() if name != "terms"}
    return {**members, "plans": plans} if len(plans) > 1 else members


def _instant_text(instant: str) -> str:
    """A day, of a midnight; else the instant as it is, without a fraction of 0."""
    return instant.removesuffix("T00:00:00.000000Z").replace(".000000Z", "Z")


PLANS = Resource(
    noun="plan",
    plural="plans",
    id_member="code",
    segment="plans",
    columns=(
        Column("Code", "code"),
        Column("Name", "name", drop=2),
        Column("Interval", "interval"),
        Column("Currency", "currency", drop=1),
        Column("Charges", lambda row: [charge["code"] for charge in row["charges"]], Kind.LIST),
        Column("Created", "created_at", Kind.INSTANT, drop=3),
    ),
    fields="interval (weekly, monthly, quarterly, semiannual, yearly), currency, charges (JSON), amount, name, "
    "description, effective_at",
    create_help="Create a plan: how often it bills, and what usage costs.",
    update_help="Change name, description, fee or charges of a plan. Charges are replaced\nas a whole.",
    delete_help="Delete a plan: its subscriptions have no charges any more.",
    members=_plan_members,
)

SUBSCRIPTIONS = Resource(
    noun="subscription",
    plural="subscriptions",
    id_member="id",
    segment="subscriptions",
    columns=(
        Column("Id", "id"),
        Column("Customer", "customer"),
        Column("Plan", "plan"),
        Column("Status", "status"),
        Column("Billing", "billing", drop=3),
        Column("Start", "start", Kind.INSTANT, drop=1),
        Column("End", "end", Kind.INSTANT, drop=2),
    ),
    fields="customer, plan, billing (calendar, anniversary), name, ends_at, effective_at (the start)",
    create_help="Subscribe a customer to a plan.",
    update_help="Change the name, the plan or the end of a subscription.",
    delete_help="End a subscription; what it cost stays. To end it later, set ends_at.",
    members=_subscription_members,
)

plans = app_of(PLANS, "Manage plans: how often they bill, and what usage costs.")
subscriptions = typer.Typer(no_args_is_help=True, help="Manage which plan a customer has.", rich_markup_mode=None)
add_commands(subscriptions, SUBSCRIPTIONS)


@subscriptions.command("list", help="List subscriptions, ended ones too.")
@engine_command(csv=True)
def list_subscriptions(
    engine: Connection,
    output: Output,
    customer: Annotated[str | None, typer.Option(help="Only those of this customer.")] = None,
    limit: Limit = 100,
    as_of: AsOf = None,
    at: At = None,
) -> None:
    """List subscriptions of all customers or of one."""
    path = path_to("v1", SUBSCRIPTIONS.segment)
    rows = list(engine.pages(path, limit, customer=customer, as_of=as_of, at=at))
    output.rows("Subscriptions", SUBSCRIPTIONS.columns, rows, headers=partial(engine.row_members, path))
