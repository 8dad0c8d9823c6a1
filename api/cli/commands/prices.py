"""`meterfold prices`: list the prices of models, and set the tenant's own, those of customers, and discounts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Final

import typer

from api.cli.commands.engine_command import engine_command
from api.cli.commands.fields import FieldsOption, fields_of
from api.cli.options import AsOf, At, Limit, Reason
from api.cli.output.columns import Column, Kind
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.results import Output
from api.cli.output.tables import print_table
from api.cli.output.text import counted, print_lines
from api.cli.server.http_client import Connection
from domain.units.registry import COMMON_UNITS, REQUESTS

app = typer.Typer(
    no_args_is_help=True,
    help="List prices of models, set your own, and discounts.",
    rich_markup_mode=None,
)

UNITS: Final = ("input", "output", "cached_input", "cache_write", "reasoning", "request")
#: A line of the list is one version of a price, or one tier of a version.
HEADERS: Final = (
    "position",
    "origin",
    "provider",
    "model",
    "effective_from",
    "input_tokens_above",
    *(f"unit_prices.{unit}" for unit in UNITS),
    "library",
    "recorded_at",
    "actor",
    "hours.start",
    "hours.end",
    "customer",
)
PRICES: Final = (
    Column("Provider", lambda row: row["provider"] or None),
    Column("Model", "model"),
    Column("Origin", "origin"),
    Column("From", "effective_from", Kind.INSTANT, drop=6),
    Column("Input above", "input_tokens_above", Kind.COUNT, drop=5),
    Column("Input", "unit_prices.input", Kind.MONEY),
    Column("Output", "unit_prices.output", Kind.MONEY),
    Column("Cached input", "unit_prices.cached_input", Kind.MONEY, drop=7),
    Column("Cache write", "unit_prices.cache_write", Kind.MONEY, drop=8),
    Column("Reasoning", "unit_prices.reasoning", Kind.MONEY, drop=9),
    Column("Request", "unit_prices.request", Kind.MONEY, drop=10),
    Column("Hours", lambda row: _hours(row["hours"]), drop=4),
    Column("Other units", lambda row: _other_units(row.get("rates") or {}), drop=3),
    Column("Recorded", "recorded_at", Kind.INSTANT, drop=11),
)
#: Where a customer has prices of its own.
PRICES_OF_CUSTOMERS: Final = (*PRICES[:3], Column("Customer", "customer"), *PRICES[3:])
DISCOUNTS: Final = (
    Column("Customer", "customer"),
    Column("Provider", lambda row: row["provider"] or None, drop=1),
    Column("Model", lambda row: row["model"] or "every model"),
    Column("Percent off", "percentage", Kind.NUMBER),
    Column("From", "effective_from", Kind.INSTANT),
    Column("Recorded", "recorded_at", Kind.INSTANT, drop=2),
)
#: The units whose prices have columns of their own.
_COLUMN_UNITS: Final = frozenset((*COMMON_UNITS, REQUESTS))
TITLE: Final = "Prices in USD per million tokens"
#: Units whose prices `PRICES` show.
COMMON: Final = frozenset({*COMMON_UNITS, REQUESTS})
RATES: Final = (
    Column("Unit", "unit"),
    Column("Where", lambda row: ", ".join(f"{name}={value}" for name, value in row["when"].items()) or None),
    Column("Input above", "input_tokens_above", Kind.COUNT),
    Column("USD", "price", Kind.MONEY),
    Column("Per", "per", Kind.COUNT),
)


CustomerOfRule = Annotated[str | None, typer.Option(help="The customer it is for. [default: all of your own usage]")]
EffectiveFrom = Annotated[
    str | None, typer.Option(metavar="TIME", help="RFC 3339 event time from which it holds. [default: always]")
]


@app.command("list")
@engine_command(csv=True)
def list_prices(
    engine: Connection,
    output: Output,
    provider: Annotated[str | None, typer.Option(help="Only prices of this provider.")] = None,
    model: Annotated[str | None, typer.Option(help="Only prices of this model.")] = None,
    customer: Annotated[str | None, typer.Option(help="Only the prices of this customer's own.")] = None,
    limit: Limit = 1_000,
    as_of: AsOf = None,
    at: At = None,
) -> None:
    """List own prices and list prices, as they were recorded."""
    where = {"provider": provider, "model": model, "customer": customer, "as_of": as_of, "at": at}
    found = list(engine.pages("/v1/prices", limit, **where))
    rows = (row for price in found for row in _rows_of(price))
    output.rows(TITLE, _columns_for(found), rows, headers=lambda: HEADERS, document={"data": found})


@app.command("set")
@engine_command()
def set_price(
    engine: Connection,
    output: Output,
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model as events name it.")],
    input_price: Annotated[str | None, typer.Option("--input", metavar="USD", help="Per million input tokens.")] = None,
    output_price: Annotated[
        str | None, typer.Option("--output", metavar="USD", help="Per million output tokens.")
    ] = None,
    provider: Annotated[str, typer.Option(help="Provider as events name it. [default: events that name none]")] = "",
    cached_input: Annotated[str | None, typer.Option(metavar="USD", help="Per million cached input tokens.")] = None,
    cache_write: Annotated[
        str | None, typer.Option(metavar="USD", help="Per million tokens written to caches.")
    ] = None,
    reasoning: Annotated[str | None, typer.Option(metavar="USD", help="Per million reasoning tokens.")] = None,
    request: Annotated[str | None, typer.Option(metavar="USD", help="Per request.")] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="UNIT=PRICE[/PER]",
            help="Price of any unit in USD, for PER of it. May be repeated. [default PER: that of list prices; 1 for a "
            "unit of your own]",
        ),
    ] = None,
    effective_from: EffectiveFrom = None,
    customer: CustomerOfRule = None,
    fields: FieldsOption = None,
    reason: Reason = None,
) -> None:
    """Set your own price of a model, or that of one customer.

    Events whose cost is unknown get a cost at once; events that have a cost keep it. --rate gives prices of any units,
    in place of --input and --output or beside them. Prices for requests with many input tokens are given by
    --set tiers=JSON, and prices by the context of a request by --set variants=JSON, as the HTTP API takes them.
    """
    units = dict(zip(UNITS, (input_price, output_price, cached_input, cache_write, reasoning, request), strict=True))
    unit_prices = {unit: value for unit, value in units.items() if value is not None}
    body: dict[str, Any] = {
        "provider": provider,
        "model": model,
        **({"unit_prices": unit_prices} if unit_prices else {}),
        **({"rates": _rates_of(rate)} if rate else {}),
        **_given(customer=customer, effective_from=effective_from),
        **fields_of(fields),
    }
    answer = engine.send("POST", "/v1/prices", body=body, reason=reason)
    if not output.is_text:
        output.fields("", answer)
    elif "versions" in answer:
        print_table(TITLE, _columns_for([answer]), _rows_of(answer))
        if rates := list(_rates_shown(answer)):
            print_table("Prices of other units, and by the context of a request", RATES, rates)
        _print_effect(answer["repricing"])
    else:
        print_lines(f"stored at log position {answer['position']}, not yet in effect")


@app.command("discount")
@engine_command()
def set_discount(
    engine: Connection,
    output: Output,
    percentage: Annotated[str, typer.Argument(metavar="PERCENT", help="Percent off: 0 to 100.")],
    model: Annotated[str | None, typer.Option(help="Model as events name it. [default: every model]")] = None,
    provider: Annotated[
        str | None, typer.Option(help="Provider of the model as events name it. [default: events that name none]")
    ] = None,
    effective_from: EffectiveFrom = None,
    customer: CustomerOfRule = None,
    reason: Reason = None,
) -> None:
    """Set your own discount, or that of one customer.

    Your own is taken off list prices, one of a customer off what your own prices and discounts give. Events that have a
    cost keep it. 0 ends an own price or discount of the model.
    """
    about = _given(model=model, provider=provider, customer=customer, effective_from=effective_from)
    answer = engine.send("POST", "/v1/discounts", body={"percentage": percentage, **about}, reason=reason)
    if not output.is_text:
        output.fields("", answer)
    elif "percentage" in answer:
        print_table("Discounts", DISCOUNTS, [answer])
        _print_effect(answer["repricing"])
    else:
        print_lines(f"stored at log position {answer['position']}, not yet in effect")


@app.command("discounts")
@engine_command(csv=True)
def list_discounts(
    engine: Connection,
    output: Output,
    customer: Annotated[str | None, typer.Option(help="Only the discounts of this customer's own.")] = None,
    limit: Limit = 1_000,
    as_of: AsOf = None,
    at: At = None,
) -> None:
    """List discounts, as they were recorded."""
    found = list(engine.pages("/v1/discounts", limit, customer=customer, as_of=as_of, at=at))
    output.rows("Discounts", DISCOUNTS, found, headers=partial(engine.row_members, "/v1/discounts"))


@app.command("refresh")
@engine_command()
def refresh(
    engine: Connection,
    output: Output,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would change.")] = False,
) -> None:
    """List the prices of the installed price library anew.

    A running engine does this at its start and daily. Events that have a cost keep it. Needs an admin key of
    default/prod.
    """
    answer = engine.send("POST", "/v1/prices/refresh", body={"dry_run": dry_run})
    if not output.is_text:
        output.fields("", answer)
        return
    if answer["changes"]:
        print_table("Changed list prices in USD per million tokens", CHANGES, answer["changes"])
    verb = "would be listed" if dry_run else "listed"
    print_lines(
        f"{answer['changed']:,} of {counted(answer['checked'], 'model')} {verb} with the prices of {answer['library']}"
    )
    if answer["changed"] > len(answer["changes"]):
        print_lines(f"the first {len(answer['changes'])} are shown")


def _print_effect(effect: Mapping[str, Any]) -> None:
    """Tell what a re-pricing would change of the events that keep their cost."""
    if effect["events"] is None:
        print_lines(
            "many events keep the cost that they have: `meterfold repricings` tells what the price would change"
        )
    elif effect["events"]:
        one = effect["events"] == 1
        kept = (
            "1 event keeps the cost that it has" if one else f"{effect['events']:,} events keep the cost that they have"
        )
        print_lines(
            f"{kept}; a re-pricing would change it by {effect['difference_usd']} USD: see `meterfold repricings`"
        )


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _columns_for(prices: Iterable[Mapping[str, Any]]) -> tuple[Column, ...]:
    return PRICES_OF_CUSTOMERS if any(price["customer"] is not None for price in prices) else PRICES


def _rates_of(given: list[str]) -> dict[str, dict[str, Any]]:
    """Parse UNIT=PRICE[/PER]; the name of a unit may have an equals sign, a price has none."""
    rates: dict[str, dict[str, Any]] = {}
    for text in given:
        unit, equals, value = text.rpartition("=")
        price, slash, per = value.partition("/")
        if not (equals and unit and price) or (slash and not (per.isascii() and per.isdecimal() and len(per) <= 15)):
            raise CommandFailed(ExitCode.WRONG_USE, f"--rate {text}: must be UNIT=PRICE or UNIT=PRICE/PER")
        if unit in rates:
            raise CommandFailed(ExitCode.WRONG_USE, f"--rate {text}: {unit} has a price already")
        rates[unit] = {"price": price, **({"per": int(per)} if per else {})}
    return rates


def _rates_shown(price: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row for each price that `PRICES` do not show: of a unit that is not common, or of a variant."""
    named: list[tuple[Mapping[str, str], Mapping[str, Any], frozenset[str]]] = [
        ({}, version, COMMON) for version in price["versions"]
    ]
    named += [(variant["when"], variant, frozenset()) for variant in price["variants"]]
    for when, rule, shown in named:
        for unit, rate in rule["rates"].items():
            for tier in () if unit in shown else ({"price": rate["price"]}, *rate["tiers"]):
                yield {"unit": unit, "when": when, "per": rate["per"], **tier}


def _changed(part: str) -> Callable[[Mapping[str, Any]], str]:
    """The text of a unit price in all versions, before and after a change."""

    def text(change: Mapping[str, Any]) -> str:
        before, after = (_of_versions(part, change[which]) for which in ("before", "after"))
        return before if before == after else f"{before} -> {after}"

    return text


def _of_versions(part: str, listed: Mapping[str, Any] | None) -> str:
    if listed is None:
        return "unknown"
    return " / ".join(version["unit_prices"][part] or "none" for version in listed["versions"])


CHANGES: Final = (
    Column("Provider", lambda row: row["provider"] or None),
    Column("Model", "model"),
    Column("From", lambda row: row["before"] and row["before"]["library"]),
    Column("To", "after.library"),
    Column("Input", _changed("input")),
    Column("Output", _changed("output")),
)


def _hours(hours: Mapping[str, Any] | None) -> str | None:
    return None if hours is None else f"{hours['start'][:5]}-{hours['end'][:5]} UTC"


def _other_units(rates: Mapping[str, Any]) -> str | None:
    """The prices in units without a column of their own, each with what it is for."""
    shown = (f"{unit} {rate['price']}/{rate['per']:,}" for unit, rate in rates.items() if unit not in _COLUMN_UNITS)
    return ", ".join(shown) or None


def _rows_of(price: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a row for each version of a price, followed by a row for each of its tiers."""
    common = {
        name: price[name]
        for name in ("position", "origin", "customer", "provider", "model", "library", "recorded_at", "actor")
    }
    for version in price["versions"]:
        row = {**common, "effective_from": version["effective_from"], "hours": version["hours"]}
        yield {**row, "unit_prices": version["unit_prices"], "rates": version["rates"]}
        for tier in version["tiers"]:
            yield {**row, **tier}
