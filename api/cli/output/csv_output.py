"""CSV for spreadsheets and programs (RFC 4180): one header, one line for each row, values as exact as in JSON.

Nothing is rounded, and nothing is left out. What is not set is empty. A list, or an object with names of its own such
as metadata, is JSON in one cell. Text that a spreadsheet would run as a formula begins with an apostrophe, as OWASP
advises: customers choose their ids, and whoever opens the file trusts it. Numbers, also negative ones, stay as they
are.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

from api.cli.output.columns import Row, member
from api.cli.output.text import shown

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def print_csv(headers: Sequence[str], rows: Iterable[Row]) -> None:
    """Print rows below a line of headers; a dotted header is a member of a nested object.

    Files and pipes get every cell as it is; a terminal gets no control characters.
    """
    writer, to_terminal = csv.writer(sys.stdout), sys.stdout.isatty()
    writer.writerow(headers)
    for row in rows:
        cells = [_cell(member(row, header)) for header in headers]
        writer.writerow(map(shown, cells) if to_terminal else cells)
    sys.stdout.flush()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    formula = value.startswith(_FORMULA) and not _NUMBER.fullmatch(value)
    return f"'{value}" if formula else value
