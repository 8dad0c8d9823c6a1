"""The table beside other stores shows ratios first, their range over the rounds, and every difference of contents."""

from __future__ import annotations

from io import StringIO

import msgspec
from rich.console import Console

from bench.peers.running import CHDB, ENGINE, SQLITE, Peers, Turn
from bench.peers.stream import Held, StoreResult
from bench.peers.tables import peers_caption, peers_rows
from bench.tables import peers_tables

HELD = Held(distinct=990, tokens=5_000, summed=990, stored_bytes=198_000)


def turn(store: str, size: int, quiet: float, counted: float, held: Held = HELD) -> Turn:
    return Turn(1, store, size, StoreResult(counted, quiet, 990, held))


PEERS = Peers(
    2,
    [
        turn(ENGINE, 10_000, 50_000.0, 100_000.0),
        turn(SQLITE, 10_000, 25_000.0, 25_000.0),
        turn(CHDB, 10_000, 100_000.0, 100_000.0, msgspec.structs.replace(HELD, summed=1_000)),
        turn(CHDB, 10_000, 100_000.0, 100_000.0, msgspec.structs.replace(HELD, summed=1_000)),
        turn(SQLITE, 10_000, 25_000.0, 25_000.0),
        turn(ENGINE, 10_000, 60_000.0, 100_000.0),
    ],
    [],
)


def test_a_store_has_the_ratio_of_the_engine_to_it_its_range_and_then_the_rates() -> None:
    assert peers_rows(PEERS, 1) == [
        ("engine 10k", "1.00", "1.00", "55,000", "100,000", "200", "0"),
        ("SQLite 10k", "2.20 2.00-2.40", "4.00", "25,000", "25,000", "200", "0"),
        ("chdb 10k", "0.55 0.50-0.60", "1.00", "100,000", "100,000", "200", "10"),
    ]


def test_other_contents_than_the_engine_counted_are_named() -> None:
    assert peers_caption(PEERS).endswith("Distinct events and tokens are the same in all.")
    lost = turn(SQLITE, 10_000, 25_000.0, 25_000.0, msgspec.structs.replace(HELD, distinct=989))
    wrong = msgspec.structs.replace(PEERS, turns=[*PEERS.turns[:-2], lost, PEERS.turns[-1]])
    assert peers_caption(wrong).endswith("WRONG events and tokens: SQLite 989 and 5,000.")


def test_a_store_that_is_not_installed_is_named() -> None:
    alone = msgspec.structs.replace(PEERS, left_out=[CHDB])
    assert peers_caption(alone).endswith("Not installed: chdb (pip install meterfold[bench]).")


def test_the_tables_fit_a_terminal_of_80_columns() -> None:
    console = Console(width=80, file=StringIO())
    for table in peers_tables(PEERS):
        console.print(table)
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue()
    assert [cell for row in peers_rows(PEERS, 1) for cell in row if cell not in lines] == []
