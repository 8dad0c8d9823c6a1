"""Commands that show usage: `usage`, `current-usage` and `past-usage`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from api.cli.commands.engine_command import engine_command
from api.cli.commands.names import customer_names, profile_of
from api.cli.options import AsOf, At, CustomerArgument, MinPosition
from api.cli.output.cells import span_text
from api.cli.output.columns import Column, Kind, Row, member
from api.cli.output.results import Output
from api.cli.output.text import print_lines, shown
from api.cli.server.http_client import Connection, path_to

#: Members of every sum of usage, for CSV.
MEASURES: Final = (
    "requests",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "total_tokens",
    "cost_usd",
    "reported_cost_usd",
    "cost_unknown_events",
    "units",
)
UNKNOWN: Final = "cost_unknown_events"
MEASURE_COLUMNS: Final = (
    Column("Requests", "requests", Kind.COUNT),
    Column("Input tokens", "input_tokens", Kind.COUNT, drop=4),
    Column("Cached input", "cached_input_tokens", Kind.COUNT, drop=6),
    Column("Output tokens", "output_tokens", Kind.COUNT, drop=5),
    Column("Tokens", "total_tokens", Kind.COUNT, drop=1),
    Column("Cost (USD)", "cost_usd", Kind.MONEY, drop=2, unknown=UNKNOWN),
    Column("Reported cost (USD)", "reported_cost_usd", Kind.MONEY, unknown=UNKNOWN),
)
MODEL_COLUMNS: Final = (Column("Model", "model"), Column("Provider", "provider", drop=3), *MEASURE_COLUMNS)
PAST_COLUMNS: Final = (
    Column("From", "start", Kind.INSTANT),
    Column("To", "end", Kind.INSTANT, drop=2),
    Column("Closed", "closed", drop=3),
    Column("Restated", "restated", drop=3),
    Column("Requests", "now.requests", Kind.COUNT, drop=1),
    Column("Tokens", "now.total_tokens", Kind.COUNT, drop=4),
    *(
        Column(title, f"{when}.reported_cost_usd", Kind.MONEY, unknown=f"{when}.{UNKNOWN}")
        for title, when in (
            ("Cost at closing (USD)", "at_closing"),
            ("Cost now (USD)", "now"),
            ("Difference (USD)", "difference"),
        )
    ),
)
#: Units without a column of their own, in tables where any was used.
UNITS: Final = "units"
PAST_UNITS: Final = "now.units"
PAST_HEADERS: Final = (
    *("start", "end", "closed", "restated"),
    *(f"{when}.{measure}" for when in ("at_closing", "now", "difference") for measure in MEASURES),
)


class Window(StrEnum):
    """The length of the windows over which usage is summed."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


class Period(StrEnum):
    """Which periods of a customer are meant."""

    USAGE = "usage"
    BUDGET = "budget"


PeriodOption = Annotated[Period | None, typer.Option(help="Periods of usage, or of the budget. [default: usage]")]


@engine_command(csv=True)
def usage(
    engine: Connection,
    output: Output,
    customer: Annotated[
        str | None, typer.Argument(metavar="CUSTOMER", help="Id of the customer. [default: all customers]")
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Start, inclusive: an RFC 3339 instant or a day. [default: start of the period]",
        ),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="End, exclusive: an RFC 3339 instant or a day. [default: now]"),
    ] = None,
    window: Annotated[Window | None, typer.Option(help="Sum usage over windows of this length.")] = None,
    timezone: Annotated[str | None, typer.Option(help="IANA time zone of windows and days.")] = None,
    group_by: Annotated[
        list[str] | None, typer.Option(help="Group by this dimension too, such as model; may be repeated.")
    ] = None,
    meter: Annotated[str | None, typer.Option(help="Show the value of this meter instead.")] = None,
    as_of: AsOf = None,
    at: At = None,
    min_position: MinPosition = None,
) -> None:
    """Show usage of one customer or all, in windows and groups."""
    path = "/v1/usage" if customer is None else path_to("v1", "customers", customer, "usage")
    common = {"timezone": timezone, "meter": meter, "as_of": as_of, "at": at}
    split = {"window": window, "group_by": ",".join(group_by) if group_by else None}
    answer = engine.get(path, **{"from": begin, "to": end}, **common, **split, min_position=min_position)
    rows, total = answer["data"], None
    title = ""
    if output.is_text:
        label = "all customers" if customer is None else profile_of(engine, customer).label
        of = f"Usage of {label}" if meter is None else f"Meter {shown(meter)} of {label}"
        title = f"{of}, {span_text(answer['from'], answer['to'], answer['timezone'])}"
        if len(rows) > 1:
            # Asked for, not added up: an event may be in several groups, and a maximum is no sum.
            span = {"from": answer["from"], "to": answer["to"]}
            known = {"as_of": answer["position"], "at": answer["now"]}
            total = engine.get(path, **span, **{**common, **known})["data"][0]
        if "customer" in answer["group_by"]:
            names = customer_names(engine, (row["group"]["customer"] for row in rows))
            rows = [{**row, "name": names.get(row["group"]["customer"])} for row in rows]
    columns = _report_columns(answer, named=any(row.get("name") for row in rows))
    headers = ("window_start", "window_end", *(f"group.{name}" for name in answer["group_by"]))
    measures = ("value", UNKNOWN) if meter else MEASURES
    output.rows(
        title,
        columns,
        rows,
        headers=lambda: (*headers, *measures),
        document=answer,
        total=total,
        zone=answer["timezone"],
    )
    _print_position(output, answer)


def _report_columns(answer: dict[str, Any], *, named: bool) -> Sequence[Column]:
    """The columns of a report: its windows and groups, then measures or the value of a meter."""
    groups = [Column(_group_title(name), f"group.{name}") for name in answer["group_by"]]
    return (
        *([Column("From", "window_start", Kind.INSTANT)] if answer["window"] else []),
        *groups,
        *([Column("Name", "name", drop=3)] if named else []),
        *([Column("Value", "value", Kind.NUMBER, unknown=UNKNOWN)] if answer["meter"] else MEASURE_COLUMNS),
        *_unit_columns(answer["data"], UNITS),
    )


def _unit_columns(rows: Sequence[Row], path: str) -> Sequence[Column]:
    """A column of the units at `path` of each row, if there are any."""
    if not any(member(row, path) for row in rows):
        return ()

    def listed(row: Row) -> list[str]:
        return [f"{quantity} {unit}" for unit, quantity in (member(row, path) or {}).items()]

    return (Column("Units", listed, Kind.LIST),)


def _group_title(name: str) -> str:
    return shown(name[:1].upper() + name[1:])


@engine_command(csv=True)
def current_usage(
    engine: Connection,
    output: Output,
    customer: CustomerArgument,
    period: PeriodOption = None,
    as_of: AsOf = None,
    at: At = None,
    min_position: MinPosition = None,
) -> None:
    """Show usage of a customer in its current period, by model."""
    path = path_to("v1", "customers", customer, "current-usage")
    answer = engine.get(path, period=period, as_of=as_of, at=at, min_position=min_position)
    title, zone = "", "UTC"
    if output.is_text:
        profile = profile_of(engine, customer)
        zone = profile.zone
        span = span_text(answer["period"]["start"], answer["period"]["end"], zone)
        title = f"Current usage of {profile.label}, {span}"
    output.rows(
        title,
        (*MODEL_COLUMNS, *_unit_columns(answer["by_model"], UNITS)),
        answer["by_model"],
        headers=lambda: ("provider", "model", *MEASURES),
        document=answer,
        total=answer["usage"],
        zone=zone,
    )
    _print_position(output, answer)


@engine_command(csv=True)
def past_usage(
    engine: Connection,
    output: Output,
    customer: CustomerArgument,
    periods: Annotated[int | None, typer.Option(min=1, max=120, help="Number of periods. [default: 6]")] = None,
    period: PeriodOption = None,
    as_of: AsOf = None,
    at: At = None,
    min_position: MinPosition = None,
) -> None:
    """Show usage of a customer in past periods, then and now.

    Then is as known at closing; now has late events, corrections and later prices.
    """
    path = path_to("v1", "customers", customer, "past-usage")
    answer = engine.get(path, periods=periods, period=period, as_of=as_of, at=at, min_position=min_position)
    title, zone = "", "UTC"
    if output.is_text:
        profile = profile_of(engine, customer)
        title, zone = f"Past usage of {profile.label}", profile.zone
    columns = (*PAST_COLUMNS, *_unit_columns(answer["periods"], PAST_UNITS))
    output.rows(title, columns, answer["periods"], headers=lambda: PAST_HEADERS, document=answer, zone=zone)
    _print_position(output, answer)


def _print_position(output: Output, answer: Any) -> None:
    if output.is_text:
        print_lines(f"as of log position {answer['position']}")
