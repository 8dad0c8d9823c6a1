"""The option --set NAME=VALUE, and the fields of a request that it gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from api.cli.output.exit_codes import CommandFailed, ExitCode
from domain.values.json_numbers import number_keeping_decoder

_exact: Final = number_keeping_decoder().decode
FieldsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="Set a field; VALUE is JSON, or text if it is not JSON. May be repeated."
    ),
]


def fields_of(given: list[str] | None, value_of: Callable[[str], Any] | None = None) -> dict[str, Any]:
    """Parse NAME=VALUE pairs into an object; a dotted name such as budget.period_limit_usd sets a nested member.

    `value_of` reads a value. By default decimals stay text, so that no digit of an amount is lost.
    """
    fields: dict[str, Any] = {}
    for pair in given or ():
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise CommandFailed(ExitCode.WRONG_USE, f"--set {pair}: must be NAME=VALUE")
        *outer, last = name.split(".")
        parent = fields
        for part in outer:
            parent = parent.setdefault(part, {})
            if not isinstance(parent, dict):
                raise CommandFailed(ExitCode.WRONG_USE, f"--set {pair}: {part} was set to a value before")
        parent[last] = (value_of or _value_of)(text)
    return fields


def exact_value(text: str) -> Any:
    """Parse a value as JSON with numbers as they are written, for a body that msgspec encodes; else keep it as text."""
    try:
        return _exact(text)
    except (ValueError, RecursionError):
        return text


def _value_of(text: str) -> Any:
    """Parse a value as JSON, else keep it as text."""
    try:
        return json.loads(text, parse_float=str, parse_int=_integer)
    except ValueError:
        return text


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= 15 else text
