"""Options that many commands share, and what they mean together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from api.cli.output.exit_codes import CommandFailed, ExitCode
from consumers.settings import Settings, variable_of

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
DataFolderOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Data folder. [default: METERFOLD_DATA_DIR, else ./data]")
]
UrlOption = Annotated[
    str | None, typer.Option("--url", envvar="METERFOLD_URL", help="Talk to the engine at this address instead.")
]
KeyOption = Annotated[
    str | None, typer.Option("--key", envvar="METERFOLD_KEY", help="API key. [default: the data folder's own]")
]
MinPosition = Annotated[int | None, typer.Option(help="Wait until this position of the log is counted.")]
AsOf = Annotated[str | None, typer.Option(help="As it was known at this instant (RFC 3339) or position.")]
CustomerArgument = Annotated[str, typer.Argument(metavar="CUSTOMER", help="Id of the customer.")]


def settings_with(**given: Any) -> Settings:
    """Settings from the environment; what is given on the command line (and is not None) goes before it."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        problems = [f"{variable_of(str(entry['loc'][0]))}: {entry['msg']}" for entry in error.errors()]
        raise CommandFailed(ExitCode.WRONG_USE, "\n".join(problems)) from None
