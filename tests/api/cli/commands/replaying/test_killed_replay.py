"""A replay goes on where it was after the client was killed, or the engine, at any moment."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.api.cli.served_engine import HEADERS, Engine, counted, lines, started
from tests.api.cli.shell import run
from tests.meterfold_process import command_line, environment
from tests.waiting import eventually

KEY = {"Authorization": HEADERS["Authorization"]}
BATCHES = 120
EVENTS_OF_BATCH = 200
EVENTS = BATCHES * EVENTS_OF_BATCH
KILLS = 6
PATIENCE_SECONDS = 60
#: A price before each batch makes each a step of its own, and each step is durable.
PRICE = {"provider": "nobody", "unit_prices": {"input": "1", "output": "2"}}
SETTINGS = {"METERFOLD_REPLAY_FLUSH_RECORDS_MAX": "1"}


@dataclass
class Killable:
    """An engine with `EVENTS` counted events, that may be killed and started again."""

    folder: Path
    output: Path
    running: Engine

    def again(self) -> None:
        self.running = started(self.folder, self.output, **SETTINGS)

    def replay_state(self) -> dict[str, Any] | None:
        answer = httpx.get(f"{self.running.url}/v1/operations/status", headers=HEADERS, timeout=30)
        found: dict[str, Any] | None = answer.raise_for_status().json()["replay"]
        return found


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Killable]:
    killable = Killable(
        tmp_path / "data", tmp_path / "output", started(tmp_path / "data", tmp_path / "output", **SETTINGS)
    )
    try:
        for batch in range(BATCHES):
            price = {**PRICE, "model": f"m-{batch}"}
            httpx.post(f"{killable.running.url}/v1/prices", json=price, headers=KEY, timeout=60).raise_for_status()
            body = lines(0, batch, EVENTS_OF_BATCH)
            url = f"{killable.running.url}/v1/events"
            httpx.post(url, content=body, headers=HEADERS, timeout=60).raise_for_status()
        yield killable
    finally:
        if killable.running.process.poll() is None:
            killable.running.stop()


def launched(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command_line("replay", "--data", str(folder), "--json"),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_every_kill_loses_only_what_was_not_durable(engine: Killable) -> None:
    random = Random(20)
    reached: list[int] = []
    for number in range(KILLS):
        client = launched(engine.folder)
        victim = client if number % 2 else engine.running.process
        least = reached[-1] if reached else 0

        def is_ahead(least: int = least, client: subprocess.Popen[str] = client) -> bool:
            state = engine.replay_state()
            return client.poll() is not None or (state is not None and state["position"] > least)

        assert eventually(is_ahead, PATIENCE_SECONDS)
        time.sleep(random.random() * 0.1)
        victim.send_signal(signal.SIGKILL)
        client.communicate(timeout=PATIENCE_SECONDS)
        if victim is engine.running.process:
            victim.wait()
            engine.again()
        if not eventually(lambda: (engine.replay_state() or {"running": False})["running"] is False, PATIENCE_SECONDS):
            raise AssertionError("a replay goes on that nobody asks for")
        state = engine.replay_state()
        if state is None:  # it was done before the kill
            break
        assert state["position"] >= least
        reached.append(state["position"])
    assert len(reached) >= 3, "the replay was too quick to be killed, so that the test proves nothing"
    assert reached[-1] > 0
    finished = run("replay", "--data", str(engine.folder), "--json")
    assert json.loads(finished.out)["events"] == EVENTS
    assert f"goes on after position {reached[-1]}, where an earlier replay was stopped" in finished.err
    assert counted(engine.running) == EVENTS
    assert json.loads(run("verify", "--data", str(engine.folder), "--json").out)["findings"] == []
