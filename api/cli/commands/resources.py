"""Commands that create, show, change and delete one kind of thing, made from a declaration; and two such groups.

`meterfold budgets` are shared budgets, `meterfold meters` the built-in and own meters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

import msgspec
import typer

from api.cli.commands.engine_command import engine_command
from api.cli.commands.fields import FieldsOption, fields_of
from api.cli.commands.names import label_of
from api.cli.options import AsOf, At, Limit, Reason
from api.cli.output.columns import Column, Kind
from api.cli.output.exit_codes import ExitCode
from api.cli.output.results import Output
from api.cli.output.text import print_lines, shown
from api.cli.server.http_client import Connection, path_to

Id = Annotated[str, typer.Argument(metavar="ID", help="The id or code, as `list` shows it.")]
NewId = Annotated[str, typer.Argument(metavar="ID", help="The id or code, which you make up.")]
DeletedAt = Annotated[
    str | None,
    typer.Option("--effective-at", metavar="TIME", help="When it takes effect, RFC 3339, not later than now."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


class Resource(msgspec.Struct, frozen=True):
    """One kind of thing that the API creates, shows, changes and deletes."""

    noun: str
    plural: str
    id_member: str
    #: The segment of the path below /v1.
    segment: str
    columns: tuple[Column, ...]
    #: The names of the fields for --set, for the help texts.
    fields: str
    create_help: str
    update_help: str
    delete_help: str
    #: The members of one object as people read them.
    members: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict


def app_of(resource: Resource, help_text: str) -> typer.Typer:
    """Make the commands `list`, `show`, `create`, `update` and `delete` of a resource."""
    app = typer.Typer(no_args_is_help=True, help=help_text, rich_markup_mode=None)

    @app.command("list", help=f"List {resource.plural}.")
    @engine_command(csv=True)
    def list_all(engine: Connection, output: Output, limit: Limit = 100, as_of: AsOf = None, at: At = None) -> None:
        path = path_to("v1", resource.segment)
        headers = partial(engine.row_members, path)
        title = resource.plural.capitalize()
        output.rows(title, resource.columns, list(engine.pages(path, limit, as_of=as_of, at=at)), headers=headers)

    add_commands(app, resource)
    return app


def add_commands(app: typer.Typer, resource: Resource) -> None:
    """Add the commands `show`, `create`, `update` and `delete` of a resource."""

    @app.command(help=f"Show one {resource.noun}.")
    @engine_command(fields={resource.id_member: "identifier"})
    def show(engine: Connection, output: Output, identifier: Id, as_of: AsOf = None, at: At = None) -> None:
        print_one(output, resource, engine.get(path_to("v1", resource.segment, identifier), as_of=as_of, at=at))

    @app.command(help=f"{resource.create_help}\n\nFields: {resource.fields}.")
    @engine_command(new_folder=True, fields={resource.id_member: "identifier"})
    def create(
        engine: Connection, output: Output, identifier: NewId, fields: FieldsOption = None, reason: Reason = None
    ) -> None:
        body = {**fields_of(fields), resource.id_member: identifier}
        print_one(output, resource, engine.send("POST", path_to("v1", resource.segment), body=body, reason=reason))

    @app.command(help=f"{resource.update_help}\n\nThe value null clears a field.")
    @engine_command(fields={resource.id_member: "identifier"})
    def update(
        engine: Connection, output: Output, identifier: Id, fields: FieldsOption = None, reason: Reason = None
    ) -> None:
        path = path_to("v1", resource.segment, identifier)
        print_one(output, resource, engine.send("PATCH", path, body=fields_of(fields), reason=reason))

    @app.command(help=resource.delete_help)
    @engine_command()
    def delete(
        engine: Connection,
        output: Output,
        identifier: Id,
        yes: Yes = False,
        reason: Reason = None,
        effective_at: DeletedAt = None,
    ) -> None:
        if not yes and not typer.confirm(f"Delete the {resource.noun} {shown(identifier)}?", err=True):
            raise typer.Exit(ExitCode.INTERRUPTED)
        path = path_to("v1", resource.segment, identifier)
        output.lines(engine.send("DELETE", path, reason=reason, effective_at=effective_at), "deleted")


def print_one(output: Output, resource: Resource, document: Mapping[str, Any]) -> None:
    """Print one object, or where it was stored if it is not counted yet."""
    if not output.is_text or resource.id_member in document:
        name = label_of(document.get(resource.id_member, ""), document.get("name"))
        zone = document.get("time_zone") or "UTC"
        title = f"{resource.noun.capitalize()} {name}"
        output.fields(title, _members(resource, document) if output.is_text else document, zone=zone)
    else:
        print_lines(f"stored at log position {document['position']}, not yet counted")


def _members(resource: Resource, document: Mapping[str, Any]) -> Mapping[str, Any]:
    return resource.members({name: value for name, value in document.items() if name not in ("position", "now")})


BUDGETS = Resource(
    noun="shared budget",
    plural="shared budgets",
    id_member="id",
    segment="budgets",
    columns=(
        Column("Id", "id"),
        Column("Name", "name", drop=1),
        Column("Limit (USD)", "period_limit_usd", Kind.MONEY),
        Column("Period", "duration", drop=2),
        Column("Total limit (USD)", "total_limit_usd", Kind.MONEY, drop=3),
        Column("Soft limit (USD)", "soft_limit_usd", Kind.MONEY, drop=4),
        Column("Limited models", lambda row: sorted(row["model_limits"]), Kind.LIST, drop=5),
        Column("Created", "created_at", Kind.INSTANT, drop=6),
    ),
    fields="name, period_limit_usd, total_limit_usd, soft_limit_usd, model_limits, duration, alignment, anchor, "
    "requests_per_minute, tokens_per_minute, parallel_requests_max, effective_at",
    create_help="Create a shared budget that customers name by id.",
    update_help="Change a shared budget, for all customers that name it.",
    delete_help="Delete a shared budget: its limits no longer hold.",
)


def _meter_members(meter: Mapping[str, Any]) -> Mapping[str, Any]:
    """A meter with a line for each filter, below its path."""
    filters = {one["key"]: ", ".join(one["values"]) or "any" for one in meter["filters"]}
    return {name: value for name, value in meter.items() if name != "filters"} | {"filter": filters}


METERS = Resource(
    noun="meter",
    plural="meters",
    id_member="code",
    segment="meters",
    columns=(
        Column("Code", "code"),
        Column("Name", "name", drop=5),
        Column("Event type", "event_type", drop=1),
        Column("Aggregation", "aggregation"),
        Column("Value", "value_property", drop=2),
        Column("Groups", lambda row: sorted(row["group_by"]), Kind.LIST, drop=3),
        Column("Built in", "built_in", drop=4),
        Column("Created", "created_at", Kind.INSTANT, drop=6),
    ),
    fields="event_type, aggregation (count, sum, max, min, latest, unique_count, weighted_sum), value_property, "
    "operation_property, recurring, rounding (JSON), expression, filters (JSON), group_by, name, description, "
    "effective_at",
    create_help="Create a meter of the events of one type.",
    update_help="Change the fields of a meter that can be changed.",
    delete_help="Delete a meter; its events stay.",
    members=_meter_members,
)

budgets = app_of(BUDGETS, "Manage shared budgets (tiers) and their limits.")
meters = app_of(METERS, "Manage what is measured of events.")
