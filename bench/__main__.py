"""`make bench`: what this machine does with a small, seeded load, as ratios measured in one run.

`python -m bench --json` prints the same as one JSON object.
"""

from __future__ import annotations

import sys

import msgspec
from rich.console import Console
from rich.table import Table

from bench.chain import ChainMeasurement, measure


def main() -> None:
    """Measure, and print a table or JSON."""
    rows = [measure(pinned=True), measure(pinned=False)]
    if "--json" in sys.argv[1:]:
        print(msgspec.json.encode({"chain": [_as_json(row) for row in rows]}).decode())
        return
    table = Table(title="NDJSON bytes in, counted and committed (with a row per event)")
    for heading in ("cores", "events", "bytes/event", "decode only/s", "whole chain/s", "chain : decode"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            str(row.cores),
            f"{row.events:,}",
            f"{row.bytes_per_event:.0f}",
            f"{row.decode_only_per_second:,.0f}",
            f"{row.chain_per_second:,.0f}",
            f"{row.ratio:.3f}",
        )
    Console().print(table)


def _as_json(row: ChainMeasurement) -> dict[str, float]:
    return {**msgspec.structs.asdict(row), "ratio": row.ratio}


if __name__ == "__main__":
    main()
