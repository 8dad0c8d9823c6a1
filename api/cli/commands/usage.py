"""Commands that query usage: `usage`, `current-usage`, `past-usage`, `budget` and `access`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from api.cli.options import (
    AsJson,
    AsOf,
    CustomerArgument,
    DataFolderOption,
    KeyOption,
    MinPosition,
    UrlOption,
    settings_with,
)
from api.cli.output.tables import print_fields, print_json, print_lines, print_table
from api.cli.server.connection import connected
from api.cli.server.http_client import path_to

MEASURES = (
    "requests",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "total_tokens",
    "cost_usd",
    "reported_cost_usd",
)


class Window(StrEnum):
    """The length of the windows over which usage is summed."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


def usage(
    customer: Annotated[
        str | None, typer.Argument(metavar="CUSTOMER", help="Id of the customer. [default: all customers]")
    ] = None,
    begin: Annotated[
        str | None, typer.Option("--from", help="Start, inclusive. [default: start of the current period]")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="End, exclusive. [default: now]")] = None,
    window: Annotated[Window | None, typer.Option(help="Sum usage over windows of this length.")] = None,
    timezone: Annotated[str | None, typer.Option(help="IANA time zone of the windows.")] = None,
    group_by: Annotated[
        list[str] | None, typer.Option(help="Group by this dimension too, such as model; may be repeated.")
    ] = None,
    meter: Annotated[str | None, typer.Option(help="Show the value of this meter instead.")] = None,
    as_of: AsOf = None,
    min_position: MinPosition = None,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the usage of one customer or of all, by windows and groups."""
    params = {
        "from": begin,
        "to": end,
        "window": window,
        "timezone": timezone,
        "group_by": ",".join(group_by) if group_by else None,
        "meter": meter,
        "as_of": as_of,
        "min_position": min_position,
    }
    path = "/v1/usage" if customer is None else path_to("v1", "customers", customer, "usage")
    with connected(settings_with(data_dir=data), url, key) as engine:
        answer = engine.send("GET", path, params=params)
    if as_json:
        print_json(answer)
        return
    groups = [f"group.{name}" for name in (group_by or ())]
    columns = ["window_start", *groups, *(("value",) if meter else MEASURES)]
    print_table(f"Usage of {customer or 'all customers'}, {answer['from']} to {answer['to']}", answer["data"], columns)
    _print_position(answer)


def current_usage(
    customer: CustomerArgument,
    as_of: AsOf = None,
    min_position: MinPosition = None,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the usage of a customer in its current period, by model."""
    answer = _customer_answer(customer, "current-usage", data, url, key, as_of=as_of, min_position=min_position)
    if as_json:
        print_json(answer)
        return
    period = answer["period"]
    rows = [*answer["by_model"], {"model": "all", **answer["usage"]}]
    print_table(
        f"Current usage of {customer}, {period['start']} to {period['end']}", rows, ("provider", "model", *MEASURES)
    )
    _print_position(answer)


def past_usage(
    customer: CustomerArgument,
    periods: Annotated[int | None, typer.Option(min=1, max=120, help="Number of periods. [default: 6]")] = None,
    as_of: AsOf = None,
    min_position: MinPosition = None,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the usage of a customer in past periods: as known at closing, as known now, and the difference."""
    answer = _customer_answer(
        customer, "past-usage", data, url, key, periods=periods, as_of=as_of, min_position=min_position
    )
    if as_json:
        print_json(answer)
        return
    columns = ("start", "end", "closed", "now.requests", "now.total_tokens")
    costs = ("at_closing.reported_cost_usd", "now.reported_cost_usd", "difference.reported_cost_usd")
    print_table(f"Past usage of {customer}", answer["periods"], columns + costs)
    _print_position(answer)


def budget(
    customer: CustomerArgument,
    min_position: MinPosition = None,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Show a customer's budget: limits, spent and remaining amounts, and the next reset."""
    answer = _customer_answer(customer, "budget", data, url, key, min_position=min_position)
    if as_json:
        print_json(answer)
        return
    print_fields(f"Budget of {customer}", {name: value for name, value in answer.items() if name != "model_limits"})
    if answer["model_limits"]:
        columns = ("model", "limit_usd", "spent_usd", "remaining_usd", "resets_at")
        print_table("Model limits", answer["model_limits"], columns)


def access(
    customer: CustomerArgument,
    model: Annotated[str | None, typer.Option(help="Model that the customer wants to use.")] = None,
    data: DataFolderOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    as_json: AsJson = False,
) -> None:
    """Show whether a customer has access, and why."""
    answer = _customer_answer(customer, "access", data, url, key, model=model)
    if as_json:
        print_json(answer)
        return
    print_lines(f"{'allowed' if answer['allowed'] else 'refused'}: {answer['reason']}")
    if answer["limits"]:
        print_table("Limits", answer["limits"], ("name", "limit", "spent", "remaining", "resets_at"))


def _customer_answer(customer: str, what: str, data: Any, url: str | None, key: str | None, **params: Any) -> Any:
    with connected(settings_with(data_dir=data), url, key) as engine:
        return engine.get(path_to("v1", "customers", customer, what), **params)


def _print_position(answer: Any) -> None:
    print_lines(f"as of log position {answer['position']}")
