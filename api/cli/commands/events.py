"""`meterfold events`: list usage events, explain one, void it or remove its void, and amend it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import Annotated, Any

import msgspec
import typer

from api.cli.commands.engine_command import engine_command
from api.cli.commands.fields import exact_value, fields_of
from api.cli.commands.names import actor_labels, label_of, profile_of
from api.cli.commands.rejected import detail_of
from api.cli.options import AsOf, At, From, Limit, Reason, To
from api.cli.output.columns import Column, Kind, Row
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.results import Output
from api.cli.output.tables import print_fields, print_table
from api.cli.output.text import print_lines
from api.cli.server.http_client import Connection
from domain.units.registry import EXTRA_UNITS

app = typer.Typer(no_args_is_help=True, help="List, explain, void and amend usage events.", rich_markup_mode=None)

Source = Annotated[str, typer.Argument(metavar="SOURCE", help="The `source` of the event.")]
EventId = Annotated[str, typer.Argument(metavar="ID", help="The `id` of the event.")]


class Status(StrEnum):
    """The status of the request that an event reports."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PENDING = "pending"


def _cost(row: Row) -> Any:
    return "unknown" if row["cost_origin"] == "unknown" else row["cost_usd"]


EVENTS = (
    Column("Time", "time", Kind.MOMENT),
    Column("Customer", "customer"),
    Column("Model", "model", drop=3),
    Column("Tokens", "total_tokens", Kind.COUNT, drop=2),
    Column("Cost (USD)", _cost, Kind.MONEY),
    Column("Status", "status", drop=4),
    Column("Voided", "voided", drop=5),
    Column("Type", "type", drop=6),
    Column("Source", "source", drop=1),
    Column("Id", "id"),
)
CORRECTIONS = (
    Column("Correction", "kind"),
    Column("Recorded", "recorded_at", Kind.MOMENT),
    Column("By", "actor", drop=1),
    Column("Reason", "reason", Kind.PROSE),
)
#: Shown where a run corrected the event.
RUN = Column("Run", lambda row: row["run"] or "")
CHANGES = (
    Column("Member", "member"),
    Column("Before", lambda row: row["before"] or "none"),
    Column("After", lambda row: row["after"] or "none"),
)
VERSIONS = (
    Column("Version", "because"),
    Column("Run", "run.name", drop=3),
    Column("From", "counted_at", Kind.COUNT),
    Column("To", "closed_at", Kind.COUNT, drop=1),
    Column("Customer", "customer", drop=2),
    Column("Tokens", "total_tokens", Kind.COUNT),
    Column("Cost (USD)", _cost, Kind.MONEY),
)
REFUSALS = (
    Column("Outcome", "outcome"),
    Column("Recorded", "recorded_at", Kind.MOMENT),
    Column("Reason", "reason", drop=1),
    Column("Detail", detail_of, Kind.PROSE),
)


@app.command("list")
@engine_command(csv=True)
def list_events(
    engine: Connection,
    output: Output,
    customer: Annotated[str | None, typer.Option(help="Only events of this customer.")] = None,
    model: Annotated[str | None, typer.Option(help="Only events of this model.")] = None,
    status: Annotated[Status | None, typer.Option(help="Only events with this status.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only events with this tag.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only events of this type.")] = None,
    from_: From = None,
    to: To = None,
    voided: Annotated[bool, typer.Option("--voided", help="Include voided events.")] = False,
    unmatched: Annotated[
        bool | None,
        typer.Option(
            "--unmatched/--matched", help="Only events that wait for a meter or a subscription, or only the others."
        ),
    ] = None,
    limit: Limit = 100,
    as_of: AsOf = None,
    at: At = None,
) -> None:
    """List counted events, newest first."""
    where = {"from": from_, "to": to, "type": type_, "voided": voided, "unmatched": unmatched}
    where |= {"customer": customer, "model": model, "status": status, "tag": tag, "as_of": as_of, "at": at}
    found = list(engine.pages("/v1/events", limit, **where))
    output.rows("Usage events", EVENTS, found, headers=partial(engine.row_members, "/v1/events"))


@app.command()
@engine_command()
def show(
    engine: Connection, output: Output, source: Source, event_id: EventId, as_of: AsOf = None, at: At = None
) -> None:
    """Explain one event: its outcome, cost, price and totals."""
    explained = engine.get("/v1/events/one", source=source, id=event_id, as_of=as_of, at=at)
    if output.is_text:
        _print_explained(engine, explained)
    else:
        output.fields("", explained)


@app.command()
@engine_command()
def void(engine: Connection, output: Output, source: Source, event_id: EventId, reason: Reason = None) -> None:
    """Void an event: it counts in no total any more."""
    _correct(engine, output, "void", source, event_id, reason)


@app.command()
@engine_command()
def unvoid(engine: Connection, output: Output, source: Source, event_id: EventId, reason: Reason = None) -> None:
    """Remove the void of an event: it counts again."""
    _correct(engine, output, "unvoid", source, event_id, reason)


@app.command()
@engine_command()
def amend(
    engine: Connection,
    output: Output,
    source: Source,
    event_id: EventId,
    fields: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Set a member of its data, such as input_tokens or units.web_searches; VALUE is JSON, or text if it "
            "is not JSON. May be repeated.",
        ),
    ] = None,
    unset: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Remove a member of its data. May be repeated.")
    ] = None,
    customer: Annotated[str | None, typer.Option(help="The customer that it belongs to.")] = None,
    time: Annotated[str | None, typer.Option(metavar="TIME", help="When the usage was, RFC 3339.")] = None,
    reason: Reason = None,
) -> None:
    """Amend an event: totals count it as amended.

    What it was before stays in the log, and is shown by `events show`.
    """
    data = fields_of([*(fields or ()), *(f"{name}=null" for name in unset or ())], exact_value)
    given = {"customer": customer, "time": time, "data": data or None}
    _correct(engine, output, "amend", source, event_id, reason, **given)


def _correct(
    engine: Connection, output: Output, verb: str, source: str, event_id: str, reason: str | None, **given: Any
) -> None:
    given |= {"reason": reason}
    body = {"source": source, "id": event_id, **{name: value for name, value in given.items() if value is not None}}
    try:
        encoded = msgspec.json.encode(body)  # which writes numbers as they were given
    except UnicodeEncodeError:
        raise CommandFailed(ExitCode.WRONG_USE, "an argument is not UTF-8") from None
    answer = engine.send("POST", f"/v1/events/{verb}", body=encoded)
    if not output.is_text:
        output.fields("", answer)
    elif "corrections" not in answer:
        print_lines(f"stored at log position {answer['position']}, not yet counted")
    else:
        state = "voided: it counts in no total" if answer["voided"] else "not voided: it counts"
        if answer["waits_for_event"]:
            state = "voided: no such event has been received yet, and the void waits for it"
        print_lines(f"{label_of(event_id, None)} of {label_of(source, None)} is {state}")
        _print_corrections(engine, answer["corrections"])
        if verb == "amend":
            _print_changes(answer["corrections"])


def _print_corrections(engine: Connection, corrections: Sequence[dict[str, Any]], zone: str = "UTC") -> None:
    of_runs = (RUN,) if any(one["run"] for one in corrections) else ()
    columns = (*CORRECTIONS[:1], *of_runs, *CORRECTIONS[1:])
    print_table("Corrections", columns, actor_labels(engine, corrections), zone=zone)


def _print_changes(corrections: Sequence[Mapping[str, Any]], zone: str = "UTC") -> None:
    """Print what the last amendment changed, if there is one."""
    changed = [one["changed"] for one in corrections if one["changed"]]
    if changed:
        print_table("Changed by the last amendment", CHANGES, changed[-1], zone=zone)


def _print_explained(engine: Connection, explained: Mapping[str, Any]) -> None:
    """Print the event, what its cost comes from, the totals that it is in, and what was done to it later."""
    event, cost, totals = explained["event"], explained["cost"], explained["totals"]
    profile = profile_of(engine, event["customer"]) if event else None
    zone = profile.zone if profile else "UTC"
    about: dict[str, Any] = {"source": explained["source"], "id": explained["id"], "outcome": explained["outcome"]}
    if event and profile:
        about |= {
            "customer": profile.label,
            **{name: event[name] for name in ("type", "time", "recorded_at", "provider", "model", "status")},
            **{name: event[name] for name in event if name.endswith("_tokens")},
            "tags": event["tags"] or None,
            "voided": event["voided"],
        }
    print_fields("Event", about, zone=zone)
    if event and cost:
        _print_cost(event, cost, zone)
    print_fields("Totals that it is in", totals or {"totals": "none"}, zone=zone)
    if explained["corrections"]:
        _print_corrections(engine, explained["corrections"], zone)
        _print_changes(explained["corrections"], zone)
    if [one["because"] for one in explained["versions"]] not in ([], ["counted"]):
        print_table("Versions, by log position", VERSIONS, explained["versions"], zone=zone)
    if explained["refusals"]:
        print_table("Deliveries that were not counted", REFUSALS, explained["refusals"], zone=zone)


def _print_cost(event: Mapping[str, Any], cost: Mapping[str, Any], zone: str) -> None:
    unknown = event["cost_origin"] == "unknown"
    price, unit_prices = cost["price"], cost["unit_prices"] or {}
    made = {
        "cost_usd": "unknown" if unknown else cost["cost_usd"],
        "cost_origin": event["cost_origin"],
        "markup_percentage": cost["markup_percentage"],
        "reported_cost_usd": "unknown" if unknown else cost["reported_cost_usd"],
        "price": price and f"{_origin(price)} price of {price['provider']} {price['model']}, per million tokens",
        "price_recorded_at": price and price["recorded_at"],
        "discounts": [_discount_text(discount) for discount in cost["discounts"]] or None,
        **{f"{name}_price_usd": value for name, value in unit_prices.items() if value is not None},
        **{
            f"{unit}_price_usd": f"{rate['price']} for {rate['per']:,}"
            for unit, rate in (cost["applied"] or {"rates": {}})["rates"].items()
            if unit in EXTRA_UNITS
        },
    }
    print_fields("Cost", {name: value for name, value in made.items() if value is not None}, zone=zone)


def _origin(price: Mapping[str, Any]) -> str:
    return str(price["origin"] if price["customer"] is None else "customer's own")


def _discount_text(discount: Mapping[str, Any]) -> str:
    owner = "own" if discount["customer"] is None else "customer's"
    return f"{discount['percentage']} % off ({owner})"
