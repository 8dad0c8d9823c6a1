"""A real `meterfold serve` process, events for it, and the number of events it counted."""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec

from tests.meterfold_process import ADMIN_KEY, command_line, environment, free_port

HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/x-ndjson"}
EVENTS_OF_BATCH = 500


def lines(client: int, batch: int, events: int = EVENTS_OF_BATCH) -> bytes:
    return b"\n".join(
        msgspec.json.encode(
            {
                "specversion": "1.0",
                "id": f"{batch}-{number}",
                "source": f"client-{client}",
                "type": "llm.request",
                "subject": f"customer-{number % 50}",
                "data": {"provider": "acme", "model": "swift", "input_tokens": 1, "cost_usd": "0.5"},
            }
        )
        for number in range(events)
    )


@dataclass
class Engine:
    folder: Path
    output: Path
    process: subprocess.Popen[bytes]
    url: str

    def stop(self) -> float:
        """Send SIGTERM, require exit code 0, and return the seconds until the exit."""
        asked = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        assert status == 0, self.output.read_text()[-3000:]
        return time.monotonic() - asked


class EngineEndedError(AssertionError):
    """The end of a `meterfold serve` that never answered; has its exit code and what it printed last."""

    def __init__(self, code: int, printed: str) -> None:
        super().__init__(printed)
        self.code, self.printed = code, printed


def started(folder: Path, output: Path, **settings: str) -> Engine:
    """An engine that answers reads; raises `EngineEndedError` if it ends, or is not ready in time."""
    port = free_port()
    arguments = ("serve", "--data", str(folder), "--port", str(port))
    with output.open("ab") as written:
        process = subprocess.Popen(
            command_line(*arguments),
            env=environment(METERFOLD_LOG_LEVEL="warning", **settings),
            stdout=written,
            stderr=written,
        )
    engine = Engine(folder, output, process, f"http://127.0.0.1:{port}")
    deadline = time.monotonic() + 60
    while True:
        try:
            if httpx.get(f"{engine.url}/readyz?for=reads", timeout=5).status_code == 200:
                return engine
        except httpx.TransportError:
            if process.poll() is not None:
                break
        if time.monotonic() > deadline:
            process.kill()
            break
        time.sleep(0.05)
    raise EngineEndedError(process.wait(), output.read_text()[-3000:])


def counted(engine: Engine) -> int:
    asked = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
    answer = httpx.get(f"{engine.url}/v1/usage", params=asked, headers=HEADERS, timeout=30).raise_for_status().json()
    (whole,) = answer["data"]
    return int(whole["requests"])
