"""SIGTERM to a real process: new requests get 503, accepted events are written, exit 0 within 10 s."""

from __future__ import annotations

import signal
import socket
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import httpx
import msgspec
import pytest

from tests.api.cli.served_engine import EVENTS_OF_BATCH, HEADERS, counted, lines, started

STOPPED_SECONDS_MAX = 10.0
CLIENTS = 4


@dataclass
class Load:
    """Clients that send until they get a 503 of type "stopping", or no answer."""

    url: str
    prefer: str = ""
    acknowledged: int = 0
    refused: list[httpx.Response] = field(default_factory=list)
    unexpected: list[httpx.Response] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, client: int) -> None:
        with httpx.Client(base_url=self.url, headers={**HEADERS, "Prefer": self.prefer}, timeout=15) as http:
            batch = 0
            while True:
                try:
                    answer = http.post("/v1/events", content=lines(client, batch))
                except httpx.TransportError:
                    return
                batch += 1
                self._note(answer)

    def _note(self, answer: httpx.Response) -> None:
        with self._lock:
            if answer.status_code < 300:
                self.acknowledged += EVENTS_OF_BATCH
            elif answer.status_code == 503 and answer.json()["type"] == "/problems/stopping":
                self.refused.append(answer)
            elif answer.json()["type"] != "/problems/intake_full":
                self.unexpected.append(answer)


def head_of(folder: Path) -> int:
    with sqlite3.connect(f"file:{folder / 'log.sqlite'}?mode=ro", uri=True) as log:
        (head,) = log.execute("SELECT max(rowid) FROM stored_events").fetchone()
    log.close()
    return int(head)


def assert_nothing_is_left_to_replay(folder: Path) -> None:
    """Read store, its write-ahead log and the identity index are all at the head of the log."""
    (read,) = [path for path in (folder / "read").iterdir() if path.is_dir()]
    head = head_of(folder)
    assert [path.name for path in read.glob("*.wal")] == []
    with duckdb.connect(str(read / "store.duckdb"), read_only=True) as store:
        assert store.execute("SELECT position FROM progress").fetchall() == [(head,)]
    manifest = msgspec.json.decode((read / "identity" / "manifest.json").read_bytes().split(b"\n")[0])
    assert manifest["covered_position"] == head


@pytest.mark.parametrize("prefer", ["", "respond-async"])
def test_under_load_accepted_events_are_written_and_new_requests_answered_503(tmp_path: Path, prefer: str) -> None:
    # Compaction is always under way.
    engine = started(
        tmp_path / "data",
        tmp_path / "output",
        METERFOLD_COMPACT_INTERVAL_SECONDS="1",
        METERFOLD_COMPACT_ROWS_MIN="1",
        METERFOLD_COMPACT_DELTAS_MIN="1",
        METERFOLD_FLUSH_RECORDS_MAX="1000",
    )
    load = Load(engine.url, prefer)
    with ThreadPoolExecutor(CLIENTS) as threads:
        running = [threads.submit(load.run, client) for client in range(CLIENTS)]
        time.sleep(3)
        seconds = engine.stop()
        for client in running:
            client.result(30)
    assert seconds < STOPPED_SECONDS_MAX
    assert load.unexpected == []
    assert load.acknowledged > 0
    assert load.refused, "no request arrived during the shutdown, so that the test proves nothing"
    assert {answer.headers["Retry-After"] for answer in load.refused} == {"5"}
    assert "Traceback" not in engine.output.read_text()
    assert_nothing_is_left_to_replay(engine.folder)
    again = started(engine.folder, tmp_path / "output")
    try:
        # A batch that was stored, and its answer lost, may be counted too.
        found = counted(again)
        assert load.acknowledged <= found <= load.acknowledged + CLIENTS * EVENTS_OF_BATCH
    finally:
        again.stop()


def test_an_idle_engine_stops_at_once(tmp_path: Path) -> None:
    engine = started(tmp_path / "data", tmp_path / "output")
    httpx.post(f"{engine.url}/v1/events", content=lines(0, 0, 10), headers=HEADERS).raise_for_status()
    assert engine.stop() < STOPPED_SECONDS_MAX / 2
    assert_nothing_is_left_to_replay(engine.folder)


def test_an_unfinished_request_does_not_delay_the_stop(tmp_path: Path) -> None:
    """A request body of which only the beginning arrives, and a second SIGTERM."""
    engine = started(tmp_path / "data", tmp_path / "output")
    httpx.post(f"{engine.url}/v1/events", content=lines(0, 0, 10), headers=HEADERS).raise_for_status()
    host, port = engine.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as slow:
        head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        slow.sendall(f"POST /v1/events HTTP/1.1\r\nHost: {host}\r\n{head}Content-Length: 100000\r\n\r\nx".encode())
        time.sleep(0.3)
        threading.Timer(0.5, engine.process.send_signal, (signal.SIGTERM,)).start()
        assert engine.stop() < STOPPED_SECONDS_MAX
    assert_nothing_is_left_to_replay(engine.folder)


def test_a_running_replay_is_cancelled(tmp_path: Path) -> None:
    engine = started(tmp_path / "data", tmp_path / "output")
    for batch in range(10):
        httpx.post(f"{engine.url}/v1/events", content=lines(0, batch), headers=HEADERS).raise_for_status()
    with httpx.stream("POST", f"{engine.url}/v1/operations/replay", headers=HEADERS, timeout=30) as steps:
        printed = steps.iter_lines()
        first = next(printed)
        seconds = engine.stop()
    assert "step" in msgspec.json.decode(first)
    assert seconds < STOPPED_SECONDS_MAX
