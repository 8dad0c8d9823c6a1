"""`meterfold portal`: a link to the page that shows a customer its usage, and the revocation of such links."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.commands.engine_command import engine_command
from api.cli.options import CustomerArgument, Reason
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.results import Output
from api.cli.output.text import next_command, print_message
from api.cli.server.http_client import Connection, path_to


@engine_command()
def portal(
    engine: Connection,
    output: Output,
    customer: CustomerArgument,
    valid_seconds: Annotated[
        int | None, typer.Option(help="How long the link is valid: 60 to 604800. [default: twelve hours]")
    ] = None,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Revoke all links of the customer that were made so far, and make none.")
    ] = False,
    reason: Reason = None,
) -> None:
    """Print a link to the page that shows a customer its usage."""
    links = path_to("v1", "customers", customer, "portal-links")
    if revoke:
        if valid_seconds is not None:
            raise CommandFailed(ExitCode.WRONG_USE, "--revoke makes no link: leave out --valid-seconds")
        output.lines(engine.send("DELETE", links, reason=reason), "revoked")
        return
    if reason is not None:
        raise CommandFailed(ExitCode.WRONG_USE, "a link is not stored: leave out --reason, or revoke with --revoke")
    made = engine.send("POST", links, body={} if valid_seconds is None else {"valid_seconds": valid_seconds})
    if output.is_text:
        print_message(f"Whoever has this link sees the usage of the customer until {made['expires_at']}.")
        if not engine.is_served:
            serve = next_command(engine.typed, "serve")
            print_message(f"No engine serves the data folder now: the link opens once\n`{serve}` runs.")
    output.lines(made, made["url"])
