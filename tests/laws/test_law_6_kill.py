"""Law 6, first form: SIGKILL at random moments under load loses no acknowledged event and counts none twice."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import httpx

from tests.meterfold_process import ADMIN_KEY, Server, meterfold, serving

SEED = int(os.environ.get("METERFOLD_TEST_SEED", str(time.time_ns() % 1_000_000)))
KILLS = int(os.environ.get("METERFOLD_TEST_KILLS", "5"))
CLIENTS = 4
EVENTS_OF_BATCH_MAX = 60
HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}"}

JsonObject = dict[str, Any]


@dataclass
class Client:
    """Sends batch after batch; one that was not acknowledged is sent again until it is."""

    url: str
    number: int
    random: Random
    enough: threading.Event
    acknowledged: list[JsonObject] = field(default_factory=list)
    sent_again: int = 0

    def run(self) -> None:
        made = 0
        with httpx.Client(base_url=self.url, headers=HEADERS, timeout=15) as http:
            while not self.enough.is_set():
                batch = [self._event(made + index) for index in range(self.random.randrange(1, EVENTS_OF_BATCH_MAX))]
                made += len(batch)
                while not self._send(http, batch):
                    self.sent_again += 1
                    time.sleep(0.02)
                self.acknowledged += batch

    def _event(self, number: int) -> JsonObject:
        tokens = self.random.randrange(1, 5_000)
        return {
            "specversion": "1.0",
            "id": f"{self.number}-{number}",
            "source": f"client-{self.number}",
            "type": "llm.request",
            "subject": f"customer-{self.random.randrange(20)}",
            "time": (datetime.now(UTC) - timedelta(minutes=self.random.randrange(5_000))).isoformat(),
            "data": {"provider": "acme", "model": "swift", "input_tokens": tokens, "cost_usd": f"0.{tokens:06}"},
        }

    def _send(self, http: httpx.Client, batch: list[JsonObject]) -> bool:
        waits = self.random.random() < 0.7
        with suppress(httpx.TransportError):
            answer = http.post("/v1/events", json=batch, headers={} if waits else {"Prefer": "respond-async"})
            assert answer.status_code in (200, 202) or answer.status_code >= 500, answer.text
            if answer.status_code == 200:
                counts = answer.json()["counts"]
                assert (counts["conflict"], counts["rejected"]) == (0, 0), answer.text
            return answer.status_code < 300
        return False


def kill(server: Server, victim: str) -> None:
    """SIGKILL to the owner, its children, or all; the owner is then started again."""
    if victim in ("children", "both"):
        for child in server.children():
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
    if victim in ("owner", "both"):
        server.kill()
        server.start()


def all_events(http: httpx.Client) -> list[JsonObject]:
    found: list[JsonObject] = []
    asked: dict[str, str | int] = {"limit": 1000}
    while True:
        page = http.get("/v1/events", params=asked).raise_for_status().json()
        found += page["data"]
        if page["next_cursor"] is None:
            return found
        asked["cursor"] = page["next_cursor"]


def counted_once(server: Server) -> tuple[dict[tuple[str, str], tuple[str, int]], JsonObject]:
    """What stands, by identity, and the whole sum."""
    with httpx.Client(base_url=server.url, headers=HEADERS, timeout=60) as http:
        events = all_events(http)
        standing = {(event["source"], event["id"]): (event["customer"], event["input_tokens"]) for event in events}
        assert len(standing) == len(events), "an identity is counted twice"
        asked = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
        (whole,) = http.get("/v1/usage", params=asked).raise_for_status().json()["data"]
        return standing, whole


def test_kills_under_load_lose_nothing_and_count_nothing_twice(tmp_path: Path) -> None:
    random = Random(SEED)
    victims = ["owner", *random.choices(("owner", "children", "both"), k=KILLS - 1)]
    print(f"seed {SEED}, victims {victims}")  # noqa: T201 - shown when the test fails
    enough = threading.Event()
    folder = tmp_path / "data"
    with serving(folder, tmp_path / "output") as server, ThreadPoolExecutor(CLIENTS) as threads:
        clients = [Client(server.url, number, Random(SEED + number), enough) for number in range(CLIENTS)]
        running = [threads.submit(client.run) for client in clients]
        try:
            for victim in victims:
                time.sleep(random.uniform(0.2, 1.2))
                kill(server, victim)
            time.sleep(0.5)
        finally:
            enough.set()
        for each in running:
            each.result(timeout=60)
        acknowledged = [event for client in clients for event in client.acknowledged]
        standing, whole = counted_once(server)
    assert standing == {
        (event["source"], event["id"]): (event["subject"], event["data"]["input_tokens"]) for event in acknowledged
    }
    tokens = sum(event["data"]["input_tokens"] for event in acknowledged)
    micros = sum(int(event["data"]["cost_usd"][2:]) for event in acknowledged)
    assert (whole["requests"], whole["input_tokens"]) == (len(acknowledged), tokens)
    assert Decimal(whole["cost_usd"]) * 1_000_000 == micros
    assert sum(client.sent_again for client in clients) > 0, "no kill met a request: this showed nothing"
    meterfold("verify", "--data", str(folder))
