"""Tables for people, as wide as the terminal or the variable COLUMNS (else 80), on a terminal and in a pipe alike.

1. Write the cells of every column.
2. While the table is too wide, leave out the column that declares it can be left out first.
3. If it is still too wide, wrap prose at spaces, then break long texts over lines. A number is never broken, and
   nothing is cut off.
4. Below the table, name the time zone and the columns that were left out.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from api.cli.output.cells import NOT_SET, cells
from api.cli.output.columns import INSTANTS, NUMBERS, Column, Kind, Row
from api.cli.output.field_titles import field_columns
from api.cli.output.text import shown

WIDTH_DEFAULT_COLUMNS: Final = 80
#: The least width of a wrapped text.
PROSE_WIDTH_COLUMNS: Final = 30
TEXT_WIDTH_COLUMNS: Final = 6
_GAP: Final = 2


def print_table(
    title: str, columns: Sequence[Column], rows: Iterable[Row], *, total: Row | None = None, zone: str = "UTC"
) -> None:
    """Print rows below a title. `total` is a last row, marked Total; instants are shown in `zone`."""
    shown_rows = [*rows, *(() if total is None else (total,))]
    written = [cells(column, shown_rows, zone) for column in columns]
    if total is not None:
        for column, texts in zip(columns, written, strict=True):
            texts[-1] = texts[-1] if column.kind in NUMBERS else ""
        written[0][-1] = "Total"
    console = _console()
    kept, widths = _fitting(columns, written, console.width)
    rights = [columns[number].kind in NUMBERS for number in kept]
    rule = "─" * _table_width(widths)
    _print_title(console, title)
    for line in _lines([columns[number].title for number in kept], widths, rights, wrap_all=True):
        _print_line(console, line, "bold")
    _print_line(console, rule)
    for place in range(len(shown_rows)):
        if total is not None and place == len(shown_rows) - 1:
            _print_line(console, rule)
        for line in _lines([written[number][place] for number in kept], widths, rights):
            _print_line(console, line)
    if not shown_rows:
        _print_line(console, "(none)", "dim")
    _print_notes(console, columns, kept, written, zone)


def print_fields(title: str, document: Mapping[str, Any], *, zone: str = "UTC") -> None:
    """Print one object as lines of title and value; members of nested objects have lines of their own."""
    columns = field_columns(document)
    titles = [column.title for column in columns]
    values = [cells(column, [document], zone)[0] for column in columns]
    console = _console()
    title_width = max(map(cell_len, titles), default=0)
    widths = [title_width, max(PROSE_WIDTH_COLUMNS, console.width - title_width - _GAP)]
    _print_title(console, title)
    for pair in zip(titles, values, strict=True):
        for line in _lines(pair, widths, [False, False]):
            _print_line(console, line)
    if any(column.kind in INSTANTS and column.of(document) is not None for column in columns):
        _print_line(console, f"Times in {zone}.", "dim")


def _fitting(
    columns: Sequence[Column], written: Sequence[Sequence[str]], available: int
) -> tuple[list[int], list[int]]:
    """Return the columns that fit, and their widths."""
    natural = [_natural_width(column, texts) for column, texts in zip(columns, written, strict=True)]
    least = [
        min(width, max(PROSE_WIDTH_COLUMNS, _title_width(column))) if column.kind is Kind.PROSE else width
        for column, width in zip(columns, natural, strict=True)
    ]
    kept = list(range(len(columns)))
    while _table_width([least[number] for number in kept]) > available:
        optional = [number for number in kept if columns[number].drop]
        if not optional:
            break
        kept.remove(max(optional, key=lambda number: (columns[number].drop, number)))
    widths = [least[number] for number in kept]
    for place, number in enumerate(kept):
        spare = available - _table_width(widths)
        if columns[number].kind is Kind.PROSE and spare > 0:
            widths[place] = min(natural[number], widths[place] + spare)
    return kept, _narrowed([columns[number] for number in kept], widths, available)


def _narrowed(columns: Sequence[Column], widths: list[int], available: int) -> list[int]:
    """Take width from the widest texts until the table fits, or all are narrow."""
    while _table_width(widths) > available:
        texts = [place for place, column in enumerate(columns) if column.kind not in NUMBERS | INSTANTS]
        wide = [place for place in texts if widths[place] > TEXT_WIDTH_COLUMNS]
        if not wide:
            break
        widths[max(wide, key=lambda place: widths[place])] -= 1
    return widths


def _natural_width(column: Column, texts: Sequence[str]) -> int:
    return max([_title_width(column), *map(cell_len, texts)])


def _title_width(column: Column) -> int:
    """The width of the longest word, as titles are wrapped at spaces."""
    return max(map(cell_len, _words(column.title)))


def _words(title: str) -> list[str]:
    return title.split() or [""]


def _table_width(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _console() -> Console:
    width = shutil.get_terminal_size((WIDTH_DEFAULT_COLUMNS, 24)).columns
    return Console(file=sys.stdout, width=width, highlight=False, markup=False, emoji=False)


def _lines(
    texts: Sequence[str], widths: Sequence[int], rights: Sequence[bool], *, wrap_all: bool = False
) -> Iterator[str]:
    """Yield the lines of a row. Numbers are not wrapped. `wrap_all` is for titles, which end on the last line."""
    wrapped = [
        [text] if right and not wrap_all else _wrapped(text, width)
        for text, width, right in zip(texts, widths, rights, strict=True)
    ]
    height = max(map(len, wrapped), default=0)
    padded = [[""] * (height - len(lines)) + lines if wrap_all else lines for lines in wrapped]
    for parts in zip_longest(*padded, fillvalue=""):
        aligned = (
            " " * (width - cell_len(part)) + part if right else part + " " * (width - cell_len(part))
            for part, width, right in zip(parts, widths, rights, strict=True)
        )
        yield (" " * _GAP).join(aligned).rstrip()


def _wrapped(text: str, width: int) -> list[str]:
    """Wrap a text at spaces, and inside of longer words."""
    return [line.plain.rstrip() for line in Text(text).wrap(Console(width=width), width, overflow="fold")] or [""]


def _print_title(console: Console, title: str) -> None:
    console.print(Text(shown(title), style="bold"))


def _print_line(console: Console, line: str, style: str = "") -> None:
    console.print(Text(line, style=style), soft_wrap=True)


def _print_notes(
    console: Console, columns: Sequence[Column], kept: Sequence[int], written: Sequence[Sequence[str]], zone: str
) -> None:
    timed = [number for number in kept if columns[number].kind in INSTANTS]
    if any(text != NOT_SET for number in timed for text in written[number]):
        console.print(Text(f"Times in {zone}."), style="dim")
    left_out = [column.title for number, column in enumerate(columns) if number not in kept]
    if left_out:
        console.print(Text(f"Left out for width: {', '.join(left_out)}; --json has them."), style="dim")
