"""Every command of `meterfold`, with its words."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import typer

from api.cli.main import app


@cache
def command_tree() -> dict[str, Any]:
    """The commands and groups by their words, such as `customers list`; the program itself has none.

    Leave it unchanged: other tests read the same one.
    """
    return dict(_below(typer.main.get_command(app), ""))


def _below(command: Any, words: str) -> Iterator[tuple[str, Any]]:
    yield words, command
    for word, inner in getattr(command, "commands", {}).items():
        yield from _below(inner, f"{words} {word}".strip())


def options_of(command: Any) -> set[str]:
    """The options of a command, such as --json."""
    return {option for parameter in command.params for option in parameter.opts}
