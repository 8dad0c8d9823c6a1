"""The command line application `meterfold`: all commands and the entry point."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from api.cli.commands import customers, events, keys, prices, rejected, resources
from api.cli.commands.backfill import runs as backfills
from api.cli.commands.backfill.loading import load
from api.cli.commands.budget_state import access, budget
from api.cli.commands.charging.charges import charges
from api.cli.commands.charging.coupons import coupons
from api.cli.commands.charging.plans import plans, subscriptions
from api.cli.commands.correcting import runs as corrections
from api.cli.commands.demo import demo
from api.cli.commands.diff.differences import diff
from api.cli.commands.ingest import ingest
from api.cli.commands.kafka import topics
from api.cli.commands.kafka.accept import accept
from api.cli.commands.kafka.consume import consume
from api.cli.commands.kafka.produce import produce
from api.cli.commands.operations import sources_app, status, verify
from api.cli.commands.payments.checkout import checkout
from api.cli.commands.portal.links import portal
from api.cli.commands.replaying.replay import rebuild, replay
from api.cli.commands.repricing import runs
from api.cli.commands.serve import serve
from api.cli.commands.settings import settings
from api.cli.commands.usage import current_usage, past_usage, usage
from api.cli.output.exit_codes import CommandFailed
from api.cli.output.text import print_lines, print_message
from consumers.release import running_release

app = typer.Typer(
    name="meterfold",
    help="Usage metering: what has a customer used, and is it allowed to use more?",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(consume)
app.command()(ingest)
app.command()(produce)
app.command()(usage)
app.command()(current_usage)
app.command()(past_usage)
app.command()(diff)
app.command()(budget)
app.command()(access)
app.command()(charges)
app.command()(checkout)
app.command()(portal)
app.add_typer(customers.app, name="customers")
app.add_typer(events.app, name="events")
app.add_typer(rejected.app, name="rejected")
app.add_typer(resources.budgets, name="budgets")
app.add_typer(resources.meters, name="meters")
app.add_typer(plans, name="plans")
app.add_typer(subscriptions, name="subscriptions")
app.add_typer(coupons, name="coupons")
app.add_typer(prices.app, name="prices")
app.add_typer(runs.app, name="repricings")
app.add_typer(corrections.app, name="corrections")
backfills.app.command()(load)
app.add_typer(backfills.app, name="backfill")
app.add_typer(keys.app, name="keys")
topics.app.command()(accept)
app.add_typer(topics.app, name="kafka")
app.add_typer(sources_app, name="sources")
app.command()(status)
app.command()(replay)
app.command(hidden=True)(rebuild)
app.command()(verify)
app.command()(settings)
app.command()(demo)


def _print_version(wanted: bool) -> None:
    if wanted:
        print_lines(f"meterfold {running_release()}")
        raise typer.Exit


@app.callback()
def _meterfold(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command, by default with the arguments of the process, and exit with its code (`SystemExit`).

    Typer itself exits with 2 on wrong use and with 130 on an interruption.
    """
    try:
        app(arguments, prog_name="meterfold")
    except CommandFailed as error:
        print_message(f"meterfold: {error.message}")
        sys.exit(error.code)


if __name__ == "__main__":
    main()
