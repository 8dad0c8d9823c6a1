"""The options of every command that asks an engine, and the connection and output that they mean.

A command is written as a function of a `Connection`, an `Output`, and options of its own. `engine_command` makes it a
command with the options --data, --url, --key, --json and, for lists, --csv.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any, Concatenate, Final, ParamSpec

from typer.models import ArgumentInfo, OptionInfo

from api.cli.options import AsCsv, AsJson, DataFolderOption, KeyOption, UrlOption, settings_with
from api.cli.output.results import Output
from api.cli.server.connection import connected
from api.cli.server.field_names import FieldNames
from api.cli.server.http_client import Connection

_OPTIONS: Final = {"data": DataFolderOption, "url": UrlOption, "key": KeyOption}
NO_FIELDS: Final[Mapping[str, str]] = MappingProxyType({})
Own = ParamSpec("Own")


def engine_command(
    *, csv: bool = False, new_folder: bool = False, fields: Mapping[str, str] = NO_FIELDS
) -> Callable[[Callable[Concatenate[Connection, Output, Own], None]], Callable[..., None]]:
    """Make a function a command. `csv`: it lists rows. `new_folder`: it creates the data folder if it is missing.

    `fields`: the parameters that give fields of other names, for messages about these.
    """

    def decorate(function: Callable[Concatenate[Connection, Output, Own], None]) -> Callable[..., None]:
        names = _names_of(_own_parameters(function), fields)

        @wraps(function)
        def command(
            *,
            data: Path | None,
            url: str | None,
            key: str | None,
            as_json: bool,
            as_csv: bool = False,
            **own: Any,
        ) -> None:
            output = Output(as_json, as_csv)
            with connected(settings_with(data_dir=data), url, key, new_folder=new_folder) as engine:
                engine.names = names
                engine.typed = _typed(data, url)
                function(engine, output, **own)  # type: ignore[call-arg]

        _set_parameters(command, [*_own_parameters(function), *_shared_parameters(csv)])
        return command

    return decorate


def _typed(data: Path | None, url: str | None) -> dict[str, str]:
    if url is not None:
        return {} if url == os.environ.get("METERFOLD_URL") else {"--url": url}
    return {} if data is None else {"--data": str(data)}


def _own_parameters(function: Callable[..., None]) -> list[inspect.Parameter]:
    """The parameters after the connection and the output."""
    return list(inspect.signature(function, eval_str=True).parameters.values())[2:]


def _names_of(parameters: Sequence[inspect.Parameter], fields: Mapping[str, str]) -> FieldNames:
    """What gives each field: an option or argument of that name, or of that parameter."""
    given: dict[str, str] = {}
    for parameter in parameters:
        [info] = [one for one in parameter.annotation.__metadata__ if isinstance(one, ArgumentInfo | OptionInfo)]
        plain = parameter.name.rstrip("_")
        if isinstance(info, ArgumentInfo):
            label = info.metavar or plain.upper()
        else:
            declared = (info.default, *(info.param_decls or ()))  # the first one is the default, to typer
            options = [one for one in declared if isinstance(one, str) and one.startswith("--")]
            label = options[0] if options else f"--{plain.replace('_', '-')}"
        for name in (plain, label.removeprefix("--").replace("-", "_").lower()):
            given[name] = label
    return FieldNames({**given, **{field: given[name] for field, name in fields.items()}})


def _shared_parameters(csv: bool) -> list[inspect.Parameter]:
    forms: dict[str, Any] = {"as_json": AsJson, "as_csv": AsCsv} if csv else {"as_json": AsJson}
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [
        *(inspect.Parameter(name, kind, default=None, annotation=option) for name, option in _OPTIONS.items()),
        *(inspect.Parameter(name, kind, default=False, annotation=option) for name, option in forms.items()),
    ]


def _set_parameters(command: Callable[..., None], parameters: list[inspect.Parameter]) -> None:
    """Set the parameters from which Typer makes arguments and options."""
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
