"""Every store takes the same events, and what it holds at the end is what the engine counted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from bench.peers.running import CHDB, CORES, ENGINE, SQLITE, measure
from bench.peers.stream import StoreRun, sent_in
from bench.peers.tables import wrong_turns

RUN = StoreRun("", 1_000, 300, 20, 7, datetime(2026, 3, 1, tzinfo=UTC))


def test_all_stores_are_sent_the_same_bytes_and_one_event_in_a_hundred_twice() -> None:
    sent = sent_in(RUN)
    lines = b"\n".join(sent.measured).split(b"\n")
    assert (len(lines), len(set(lines)), sent.events) == (1_000, 990, 1_000)
    assert sent.distinct == 990 + b"\n".join(sent.warming).count(b'"id"')
    assert sent == sent_in(RUN)


def test_every_store_holds_the_events_and_tokens_that_the_engine_counted(tmp_path: Path) -> None:
    reported: list[str] = []
    peers = measure(tmp_path, 1_000, 20, 7, 1, reported.append, (100, 500))
    contenders = [(ENGINE, 100), (ENGINE, 500), (CHDB, 100), (CHDB, 500), (SQLITE, 100)]
    turns = [(cores, *contender) for cores in CORES for contender in contenders]
    assert [(one.cores, one.store, one.events_per_body) for one in peers.turns] == turns
    assert (wrong_turns(peers), peers.left_out, len(reported)) == ([], [], len(turns))
    assert all(one.result.counted >= one.result.quiet > 0 for one in peers.turns)
    assert {one.store: one.result.held.summed - one.result.held.distinct for one in peers.turns} == {
        ENGINE: 0,
        CHDB: 10,  # its view sums what is sent twice
        SQLITE: 0,
    }
