"""Options shared by many commands, and the settings that result from them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.text import print_message
from consumers.errors import SettingsInvalid
from consumers.setting_variables import read_settings, service_variables
from consumers.settings import Settings
from domain.values.identifiers import line_problem


def reason_given(text: str | None) -> str | None:
    """Return a reason without blanks around it; `CommandFailed` where it says nothing, or is not one line of text."""
    if text is None:
        return None
    if not text.strip():
        raise CommandFailed(ExitCode.WRONG_USE, "--reason is blank: say why, or leave it out")
    problem = line_problem(text.strip())
    if problem is not None:
        raise CommandFailed(ExitCode.WRONG_USE, f"--reason {problem}")
    return text.strip()


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV instead of tables.")]
DataFolderOption = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Data folder. [default: METERFOLD_DATA_DIR, else ./data]")
]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", envvar="METERFOLD_URL", help="Use the engine at this address instead of a data folder."),
]
KeyOption = Annotated[
    str | None, typer.Option("--key", envvar="METERFOLD_KEY", help="API key. [default: the key of the data folder]")
]
MinPosition = Annotated[int | None, typer.Option(help="Wait until the log is counted up to this position.")]
AsOf = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Answer as known then: an RFC 3339 instant, a day or a log position."),
]
At = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Answer as if asked at this RFC 3339 instant. [default: now; with --as-of, that of the last record]",
    ),
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="TIME", help="Only events at or after it: an RFC 3339 instant or a day in UTC."),
]
To = Annotated[
    str | None, typer.Option(metavar="TIME", help="Only events before it: an RFC 3339 instant or a day in UTC.")
]
Limit = Annotated[int, typer.Option(min=1, help="List at most this many.")]
Reason = Annotated[str | None, typer.Option(help="The reason, which is kept in the log.", callback=reason_given)]
EventFile = Annotated[
    Path, typer.Argument(help="NDJSON, CSV or Parquet file.", exists=True, dir_okay=False, readable=True)
]
MapFile = Annotated[
    Path | None,
    typer.Option(
        "--map", metavar="MAP.yml", help="Map from columns to members of events.", exists=True, dir_okay=False
    ),
]
SourceOfFile = Annotated[str | None, typer.Option(help="Source of the events, instead of the one in the map.")]
CustomerArgument = Annotated[str, typer.Argument(metavar="CUSTOMER", help="Id of the customer.")]


def settings_with(**given: Any) -> Settings:
    """Return the settings from the environment, overridden by the given values that are not None.

    Raises `CommandFailed` naming every setting that is unknown or has an invalid value.
    """
    if passed_over := service_variables(os.environ):
        print_message(f"warning: {', '.join(passed_over)} passed over: Kubernetes sets these for a service")
    try:
        return read_settings(os.environ, {name: value for name, value in given.items() if value is not None})
    except SettingsInvalid as error:
        raise CommandFailed(ExitCode.WRONG_USE, str(error)) from None
