"""The result of a command in the form that was asked for: a table, JSON, or CSV for lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from api.cli.output.columns import Column, Row
from api.cli.output.csv_output import print_csv
from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.tables import print_fields, print_table
from api.cli.output.text import print_json, print_lines


class Output:
    """Prints one result. `is_text` tells whether it is for a person."""

    def __init__(self, as_json: bool, as_csv: bool = False) -> None:
        """Raises `CommandFailed` if both forms for programs are asked for."""
        if as_json and as_csv:
            raise CommandFailed(ExitCode.WRONG_USE, "--json and --csv cannot be given together")
        self._as_json = as_json
        self._as_csv = as_csv
        self.is_text = not (as_json or as_csv)

    def rows(
        self,
        title: str,
        columns: Sequence[Column],
        rows: Iterable[Row],
        *,
        headers: Callable[[], Sequence[str]],
        document: Any = None,
        total: Row | None = None,
        zone: str = "UTC",
    ) -> None:
        """Print a list: `document` (else the rows as its `data`) as JSON, `headers` of the rows as CSV, or a table."""
        if self._as_json:
            print_json({"data": list(rows)} if document is None else document)
        elif self._as_csv:
            print_csv(headers(), rows)
        else:
            print_table(title, columns, rows, total=total, zone=zone)

    def fields(self, title: str, document: Mapping[str, Any], *, zone: str = "UTC") -> None:
        """Print one object, as JSON or as a table of its members."""
        if self.is_text:
            print_fields(title, document, zone=zone)
        else:
            print_json(document)

    def lines(self, document: Any, *lines: str) -> None:
        """Print lines for a person, or a document as JSON."""
        if self.is_text:
            print_lines(*lines)
        else:
            print_json(document)
