"""The time for which a commit and a revert of a backfill hold up writers, beside live events against a real server.

    python -m bench.backfilling --events 1000000 --live-per-second 20000

1. Fill a data folder with as many events as are loaded, so that rows to change lie among others.
2. Send live events at a rate, in bodies of a thousand, from a process of their own; and single events, one after the
   other, whose answers tell how long a writer waits.
3. Load, preview, commit and revert the backfill meanwhile. The difference of the preview must be that of the commit.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.events import DAYS, NDJSON, event_lines, midnight
from bench.http_load import ONE_EVENT, Address, KeepAlive, post_request
from bench.processes import run_step
from bench.serving import serving

LIVE_EVENTS_PER_BODY: Final = 1_000
LOADED_EVENTS_PER_BODY: Final = 10_000
LIVE_CONNECTIONS: Final = 4
CUSTOMERS: Final = 10_000
#: Single events are sent so often, and the live ones for so long before anything is done.
PAUSE_SECONDS: Final = 0.02
ALONE_SECONDS: Final = 10.0

_SINGLE: Final = b'{"specversion":"1.0","id":"single-%d","source":"bench","type":"llm.request","subject":"customer-1"}'


class LiveRun(msgspec.Struct, frozen=True):
    """Live events at a rate, until the file `stop` is there."""

    address: Address
    events_per_second: int
    stop: str


class Phase(msgspec.Struct, frozen=True):
    """How long one step of the backfill took, and what writers saw meanwhile, in seconds and live events a second."""

    name: str
    seconds: float
    longest_wait: float
    live_per_second: float


def send_live(run: LiveRun) -> dict[str, int]:
    """Send live events; return how many were answered, by status."""
    lines = event_lines(LIVE_EVENTS_PER_BODY, CUSTOMERS, 1, midnight(datetime.now(UTC)))
    body = b"\n".join(lines)
    stop, started, answered = Path(run.stop), time.monotonic(), {"bodies": 0, "refused": 0}
    counting = threading.Lock()
    interval = LIVE_EVENTS_PER_BODY * LIVE_CONNECTIONS / run.events_per_second

    def send(number: int) -> None:
        sent = 0
        with closing(KeepAlive(run.address)) as connection:
            while not stop.exists():
                wait = started + sent * interval - time.monotonic()
                if wait > 0:
                    time.sleep(min(wait, 1.0))
                    continue
                named = body.replace(b'"id":"evt-', b'"id":"%d-%d-' % (number, sent))
                status = connection.ask(post_request(run.address, NDJSON, named))
                sent += 1
                with counting:
                    answered["bodies" if status in (200, 202) else "refused"] += 1
                    _replace(progress_of(stop), str(answered["bodies"]))

    with ThreadPoolExecutor(LIVE_CONNECTIONS) as pool:
        list(pool.map(send, range(LIVE_CONNECTIONS)))
    return answered


def progress_of(stop: Path) -> Path:
    """The file that tells how many bodies were answered."""
    return stop.with_suffix(".progress")


def _replace(path: Path, text: str) -> None:
    fresh = path.with_suffix(".fresh")
    fresh.write_text(text)
    fresh.replace(path)


class _Writers:
    """Live events and single ones, and how long the latter waited."""

    def __init__(self, address: Address, events_per_second: int, folder: Path) -> None:
        self._address = address
        self._stop = folder / "stop"
        _replace(progress_of(self._stop), "0")
        self._waits: list[float] = []
        live = LiveRun(address, events_per_second, str(self._stop))
        self._threads = [
            threading.Thread(target=self._send_single, daemon=True),
            threading.Thread(target=lambda: run_step("live", live, dict[str, int]), daemon=True),
        ]

    def _send_single(self) -> None:
        number = 0
        with closing(KeepAlive(self._address)) as connection:
            while not self._stop.exists():
                number += 1
                request = post_request(self._address, ONE_EVENT, _SINGLE % number)
                began = time.monotonic()
                connection.ask(request)
                self._waits.append(time.monotonic() - began)
                time.sleep(PAUSE_SECONDS)

    def phase(self, name: str, work: Callable[[], Any]) -> Phase:
        first, sent, began = len(self._waits), self._sent(), time.monotonic()
        work()
        seconds = time.monotonic() - began
        time.sleep(4 * PAUSE_SECONDS)
        live = (self._sent() - sent) * LIVE_EVENTS_PER_BODY / seconds
        return Phase(name, seconds, max(self._waits[first:], default=0.0), live)

    def _sent(self) -> int:
        return int(progress_of(self._stop).read_text())

    @contextmanager
    def writing(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        yield
        self._stop.touch()
        for thread in self._threads:
            thread.join(60)


class _Client:
    """The requests of one backfill."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def post(self, path: str, body: bytes, content_type: str = "application/json") -> Any:
        return self._ask("POST", path, body, content_type)

    def get(self, path: str) -> Any:
        return self._ask("GET", path, b"", "application/json")

    def _ask(self, method: str, path: str, body: bytes, content_type: str) -> Any:
        with closing(http.client.HTTPConnection(self._address.host, self._address.port, timeout=600)) as connection:
            headers = {"Authorization": f"Bearer {self._address.key}", "Content-Type": content_type}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            told = json.loads(answer.read())
        if answer.status not in (200, 201, 202):
            raise RuntimeError(f"{method} {path}: {answer.status} {told}")
        return told


def _bodies(events: int, seed: int) -> Iterator[bytes]:
    for first in range(0, events, LOADED_EVENTS_PER_BODY):
        count = min(LOADED_EVENTS_PER_BODY, events - first)
        yield b"\n".join(event_lines(count, CUSTOMERS, seed + first, midnight(datetime.now(UTC))))


def measure(folder: Path, events: int, live_per_second: int, mode: str) -> list[Phase]:
    """Measure one backfill of so many events."""
    today = midnight(datetime.now(UTC))
    span = {"from": f"{today - timedelta(days=DAYS):%Y-%m-%d}T00:00:00Z", "to": f"{today:%Y-%m-%d}T00:00:00Z"}
    phases: list[Phase] = []
    with serving(folder / "data") as server:
        client = _Client(server.address)
        for body in _bodies(events, 1):
            client.post("/v1/events", body, NDJSON)
        client.post("/v1/backfills", json.dumps({"name": "lost", **span, "mode": mode}).encode())
        writers = _Writers(server.address, live_per_second, folder)

        def load() -> None:
            for body in _bodies(events, 1 if mode == "replace" else 2):
                client.post("/v1/backfills/lost/events", body, NDJSON)

        def commit() -> None:
            previewed = json.dumps({"previewed_at": preview["previewed_at"]}).encode()
            told = client.post("/v1/backfills/lost/commit", previewed)
            assert told["committed"]["difference_usd"] == preview["difference_usd"], (told, preview)

        with writers.writing():
            phases.append(writers.phase("alone", lambda: time.sleep(ALONE_SECONDS)))
            phases.append(writers.phase("load", load))
            preview: dict[str, Any] = {}
            phases.append(writers.phase("preview", lambda: preview.update(client.get("/v1/backfills/lost/preview"))))
            phases.append(writers.phase("commit", commit))
            phases.append(writers.phase("afterwards", lambda: time.sleep(ALONE_SECONDS)))
            phases.append(writers.phase("revert", lambda: client.post("/v1/backfills/lost/revert", b"{}")))
            phases.append(writers.phase("at the end", lambda: time.sleep(ALONE_SECONDS)))
    return phases


def main() -> None:
    """Measure as asked on the command line, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--live-per-second", type=int, default=20_000)
    parser.add_argument("--mode", choices=("add", "replace"), default="add")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        phases = measure(Path(folder), asked.events, asked.live_per_second, asked.mode)
    print(f"{'':12}{'seconds':>10}{'longest wait, s':>18}{'live events/s':>16}")
    for one in phases:
        print(f"{one.name:12}{one.seconds:10.1f}{one.longest_wait:18.2f}{one.live_per_second:16,.0f}")


if __name__ == "__main__":
    main()
