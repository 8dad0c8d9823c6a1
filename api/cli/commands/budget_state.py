"""`meterfold budget` and `meterfold access`: what a customer may spend, and whether it may go on."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from api.cli.commands.engine_command import engine_command
from api.cli.commands.names import label_of, profile_of
from api.cli.commands.usage import UNKNOWN
from api.cli.options import AsOf, At, CustomerArgument, MinPosition
from api.cli.output.cells import cells
from api.cli.output.columns import Column, Kind
from api.cli.output.results import Output
from api.cli.output.tables import print_fields, print_table
from api.cli.output.text import print_lines
from api.cli.server.http_client import Connection, path_to

PERIOD_UNKNOWN: Final = f"period_{UNKNOWN}"
LIMITS: Final = (
    Column("Limit", "name"),
    Column("Limit (USD)", "limit", Kind.MONEY),
    Column("Spent (USD)", "spent", Kind.MONEY, unknown=UNKNOWN),
    Column("Remaining (USD)", "remaining", Kind.MONEY, unknown=UNKNOWN, unknown_lowers=True),
    Column("Resets", "resets_at", Kind.INSTANT, drop=1),
)
MODEL_LIMITS: Final = (
    Column("Model", "model"),
    Column("Limit (USD)", "limit_usd", Kind.MONEY),
    Column("Spent (USD)", "spent_usd", Kind.MONEY, unknown=UNKNOWN),
    Column("Remaining (USD)", "remaining_usd", Kind.MONEY, unknown=UNKNOWN, unknown_lowers=True),
    Column("Resets", "resets_at", Kind.INSTANT, drop=1),
)
#: What is spent of a budget, and what remains, by member.
BOUNDED: Final = {
    f"{of}_{name}_usd": Column("", f"{of}_{name}_usd", Kind.MONEY, unknown=unknown, unknown_lowers=name == "remaining")
    for of, unknown in (("period", PERIOD_UNKNOWN), ("total", UNKNOWN))
    for name in ("spent", "remaining")
}
#: Members of a budget that are shown elsewhere, or in no text.
_BESIDE: Final = (
    *("customer", "position", "now", "model_limits"),
    *(UNKNOWN, PERIOD_UNKNOWN, "spend_is_lower_bound"),
)


@engine_command()
def budget(
    engine: Connection,
    output: Output,
    customer: CustomerArgument,
    as_of: AsOf = None,
    at: At = None,
    min_position: MinPosition = None,
) -> None:
    """Show limits of a customer, what is spent, and the reset."""
    answer = engine.get(path_to("v1", "customers", customer, "budget"), as_of=as_of, at=at, min_position=min_position)
    if not output.is_text:
        output.fields("", answer)
        return
    profile = profile_of(engine, customer)
    fields = {name: value for name, value in answer.items() if name not in _BESIDE}
    if answer["spend_is_lower_bound"]:
        fields |= {name: cells(column, [answer], profile.zone)[0] for name, column in BOUNDED.items()}
    if not answer["ignored_fields"]:
        del fields["ignored_fields"]
    if answer["budget_id"] is not None:
        shared = engine.found(path_to("v1", "budgets", answer["budget_id"])) or {}
        fields["budget_id"] = label_of(answer["budget_id"], shared.get("name"))
    known = {"as_of": answer["position"], "at": answer["now"]}
    fields = {"access": access_text(engine.get(path_to("v1", "customers", customer, "access"), **known)), **fields}
    print_fields(f"Budget of {profile.label}", fields, zone=profile.zone)
    if answer["model_limits"]:
        print_table("Model limits", MODEL_LIMITS, answer["model_limits"], zone=profile.zone)
    print_lines(f"as of log position {answer['position']}")


@engine_command()
def access(
    engine: Connection,
    output: Output,
    customer: CustomerArgument,
    model: Annotated[str | None, typer.Option(help="Model that the customer wants to use.")] = None,
    as_of: AsOf = None,
    at: At = None,
) -> None:
    """Show whether a customer has access, and why."""
    answer = engine.get(path_to("v1", "customers", customer, "access"), model=model, as_of=as_of, at=at)
    note = answer["reason_text"]
    output.lines(answer, access_text(answer), *([] if note is None else [note]))
    if output.is_text and answer["limits"]:
        print_table("Limits", LIMITS, answer["limits"], zone=profile_of(engine, customer).zone)


def access_text(answer: dict[str, Any]) -> str:
    """Return a decision about access with its reason, such as `refused: period_limit`."""
    return f"{'allowed' if answer['allowed'] else 'refused'}: {answer['reason']}"
