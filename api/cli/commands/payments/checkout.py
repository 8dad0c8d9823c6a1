"""The command `checkout`: a link to the page on which a customer leaves its payment details."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.commands.engine_command import engine_command
from api.cli.options import CustomerArgument, Reason
from api.cli.output.results import Output
from api.cli.server.http_client import Connection, path_to


@engine_command()
def checkout(
    engine: Connection,
    output: Output,
    customer: CustomerArgument,
    success_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where the page leads when the customer is done. [default: that of the engine's settings]",
        ),
    ] = None,
    reason: Reason = None,
) -> None:
    """Make a link for a customer to leave its payment details."""
    body = {} if success_url is None else {"success_url": success_url}
    answer = engine.send("POST", path_to("v1", "customers", customer, "checkout-links"), body=body, reason=reason)
    output.lines(answer, answer["url"])
