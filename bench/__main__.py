"""The benchmarks of `make bench` and `make bench-full`, with results as ratios within one run.

python -m bench [--full] [--only QUESTION ...] [--kinds KIND ...] [--rounds N] [--seed N] [--folder DIR] [--json FILE|-]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console

from bench.fairness import BODIES
from bench.processes import StepFailed
from bench.suite import FULL, QUESTIONS, SHORT, DiskTooSmall, Report, measure
from bench.tables import tables_of
from deploy.kafka.broker import BrokerFailed

SEED: Final = 20261101
TABLE_COLUMNS_MIN: Final = 140


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; return the exit status."""
    given = _parser().parse_args(arguments)
    questions = frozenset(given.only or QUESTIONS)
    try:
        sizes, kinds = FULL if given.full else SHORT, given.kinds or tuple(BODIES)
        if given.rounds is not None:
            sizes = msgspec.structs.replace(sizes, peer_rounds=given.rounds)
        measured = measure(sizes, questions, given.seed, given.folder, _progress_printer(), kinds)
    except (StepFailed, DiskTooSmall, BrokerFailed) as error:
        print(error, file=sys.stderr)
        return 1
    encoded = msgspec.json.format(msgspec.json.encode(measured)).decode()
    if given.json == "-":
        print(encoded)
        return 0
    if given.json is not None:
        Path(given.json).write_text(encoded + "\n")
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(TABLE_COLUMNS_MIN, console.width))
    for table in tables_of(measured):
        console.print(table)
        console.print()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Benchmarks of the engine on this machine, with results as ratios."
    )
    parser.add_argument(
        "--full", action="store_true", help="use the large sizes; takes three quarters of an hour and 24 GB of disk"
    )
    parser.add_argument("--only", nargs="+", choices=QUESTIONS, metavar="QUESTION", help=", ".join(QUESTIONS))
    parser.add_argument(
        "--kinds",
        nargs="+",
        choices=tuple(BODIES),
        metavar="KIND",
        help=f"of bodies, for fairness: {', '.join(BODIES)}",
    )
    parser.add_argument("--rounds", type=int, help="rounds of the turns beside other stores, for peers")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of all events")
    parser.add_argument("--folder", type=Path, help="folder for temporary folders (default: the system's)")
    parser.add_argument(
        "--json", metavar="FILE|-", help="write the figures as JSON to FILE, or print them instead of the tables (-)"
    )
    return parser


def _progress_printer() -> Report:
    started = time.monotonic()

    def report(what: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {what}", file=sys.stderr, flush=True)

    return report


if __name__ == "__main__":
    sys.exit(main())
