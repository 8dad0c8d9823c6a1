"""Plain output of commands: text, JSON and messages. Control characters in values never reach the terminal."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from typing import Any, Final

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_CONTROL: Final = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), _REPLACEMENT)
#: Direction marks and line separators, which could make one id look like another.
_MISLEADING: Final = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029), _REPLACEMENT)


def shown(value: Any) -> str:
    """Return a value as one line of text without control characters; `-` for what is not set."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return text.encode("utf-8", "replace").decode().translate(_CONTROL).translate(_MISLEADING)


def quoted(value: str) -> str:
    """Return a value as one word of a command that a shell reads."""
    return shown(shlex.quote(value))


def next_command(typed: Mapping[str, str], command: str, *arguments: str) -> str:
    """Return a command for the user to run next, with the options of this one that were typed, such as `--data`."""
    options = [word for option, value in typed.items() for word in (option, quoted(value))]
    dashes = ["--"] if any(one.startswith("-") for one in arguments) else []
    return " ".join(["meterfold", command, *options, *dashes, *(quoted(one) for one in arguments)])


def counted(count: int, noun: str, verb: tuple[str, str] | None = None) -> str:
    """Return a number of things as text, with the form of a verb that goes with one, or with several: `1 event is`."""
    one = count == 1
    return f"{count:,} {noun}{'' if one else 's'}" + ("" if verb is None else f" {verb[0] if one else verb[1]}")


def print_json(document: Any) -> None:
    """Print one JSON document to standard output."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def print_lines(*lines: str) -> None:
    """Print plain lines to standard output."""
    sys.stdout.writelines(line + "\n" for line in lines)
    sys.stdout.flush()


def print_message(message: str) -> None:
    """Print a message to the error stream."""
    sys.stderr.write("\n".join(shown(line) for line in message.split("\n")) + "\n")
    sys.stderr.flush()
