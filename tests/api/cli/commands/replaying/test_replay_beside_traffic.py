"""No request fails while a replay folds the log and swaps its store in, and no acknowledged event is missing after."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.api.cli.commands.replaying.traffic import Traffic
from tests.api.cli.served_engine import EVENTS_OF_BATCH, HEADERS, counted, lines, started
from tests.api.cli.shell import run

READERS = 50
BATCHES = 100
SWAPS = 3


@pytest.mark.slow
def test_fifty_readers_and_a_producer_do_not_notice_the_swap(tmp_path: Path) -> None:
    engine = started(tmp_path / "data", tmp_path / "output")
    try:
        for batch in range(BATCHES):
            httpx.post(f"{engine.url}/v1/events", content=lines(0, batch), headers=HEADERS).raise_for_status()
        traffic = Traffic(engine.url, READERS)
        with traffic.going_on():
            results = [json.loads(run("replay", "--data", str(engine.folder), "--json").out) for _ in range(SWAPS)]
        assert traffic.failed == []
        assert traffic.answers > READERS * SWAPS
        assert traffic.acknowledged > 0
        assert [result["operation"] for result in results] == ["replay"] * SWAPS
        assert (engine.folder / "read" / "CURRENT").read_text() == f"{SWAPS + 1:04d}"
        assert counted(engine) == BATCHES * EVENTS_OF_BATCH + traffic.acknowledged
        verified = json.loads(run("verify", "--data", str(engine.folder), "--json").out)
        assert verified["findings"] == []
    finally:
        engine.stop()
    assert "Traceback" not in engine.output.read_text()
