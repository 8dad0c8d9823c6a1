"""Output of commands: tables for people, JSON for programs. Control characters in values never reach the terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain.usage.outcomes import OUTCOMES

#: Width of tables without a terminal: wide enough that rows are not wrapped, for grep.
PIPED_WIDTH_COLUMNS: Final = 240
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_CONTROL: Final = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), _REPLACEMENT)
#: Direction marks and line separators, which could make one id look like another.
_MISLEADING: Final = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029), _REPLACEMENT)
_NUMBERS: Final = frozenset("usd tokens requests events position count value spent limit remaining".split())
_RIGHT: Final = _NUMBERS | set(OUTCOMES)


def shown(value: Any) -> str:
    """Return a value as one line of text without control characters."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) if _nested(value) else str(value)
    return text.encode("utf-8", "replace").decode().translate(_CONTROL).translate(_MISLEADING)


def print_json(document: Any) -> None:
    """Print one JSON document to standard output."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def print_table(title: str, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows as a table with these columns; a dotted column is a member of a nested object."""
    table = Table(header_style="bold")
    for column in columns:
        right = column.replace(".", "_").rsplit("_", 1)[-1] in _RIGHT
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    empty = True
    for row in rows:
        table.add_row(*(Text(shown(_value_at(row, column))) for column in columns))
        empty = False
    console = _console()
    console.print(Text(shown(title), style="bold"))
    console.print(table)
    if empty:
        console.print("(none)", style="dim")


def print_fields(title: str, fields: Mapping[str, Any]) -> None:
    """Print one object as a table of names and values; nested members have dotted names."""
    print_table(title, ({"name": name, "is": value} for name, value in _flat(fields)), ("name", "is"))


def print_lines(*lines: str) -> None:
    """Print plain lines to standard output."""
    sys.stdout.writelines(line + "\n" for line in lines)
    sys.stdout.flush()


def print_message(message: str) -> None:
    """Print a message to the error stream."""
    sys.stderr.write("\n".join(shown(line) for line in message.split("\n")) + "\n")
    sys.stderr.flush()


def _console() -> Console:
    width = None if sys.stdout.isatty() else PIPED_WIDTH_COLUMNS
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def _flat(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in fields.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, None if value == {} else value


def _nested(value: Any) -> bool:
    return isinstance(value, dict | list)


def _value_at(row: Mapping[str, Any], column: str) -> Any:
    value: Any = row
    for name in column.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value
