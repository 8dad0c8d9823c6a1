"""Clients that send events to an engine that is killed again and again, and keep what it acknowledged."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import msgspec

from tests.meterfold_process import ADMIN_KEY

EVENTS_OF_BATCH_MAX = 60
KEPT_BATCHES_MAX = 100
SHARE_THAT_WAITS = 0.7
SHARE_SENT_TWICE = 0.1
AGAIN_SECONDS = 0.02
#: Longer than any restart; who waits in vain for so long has met an engine that hangs.
#: Kills come faster than a slow machine starts the intake process: only what never goes on again is a failure.
SENDING_SECONDS_MAX = 240.0
HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}"}

JsonObject = dict[str, Any]


class ExpectedEvent(msgspec.Struct, frozen=True):
    """The counted event that an acknowledged delivery must lead to."""

    customer: str
    input_tokens: int


@dataclass
class Client:
    """Sends batch after batch; one that was not acknowledged is sent again until it is. Some batches, acknowledged
    long ago, are sent once more, as a client does that never saw the answer.
    """

    url: str
    number: int
    random: Random
    enough: threading.Event
    acknowledged: dict[tuple[str, str], ExpectedEvent] = field(default_factory=dict)
    sent_again: int = 0
    _made: int = 0
    _kept: list[list[JsonObject]] = field(default_factory=list)

    def run(self) -> None:
        with httpx.Client(base_url=self.url, headers=HEADERS, timeout=15) as http:
            while not self.enough.is_set():
                twice = self._kept and self.random.random() < SHARE_SENT_TWICE
                batch = self.random.choice(self._kept) if twice else self._batch()
                self._send_until_acknowledged(http, batch)
                for event in batch:
                    told = ExpectedEvent(event["subject"], event["data"]["input_tokens"])
                    self.acknowledged[event["source"], event["id"]] = told

    def _batch(self) -> list[JsonObject]:
        batch = [self._event(self._made + index) for index in range(self.random.randrange(1, EVENTS_OF_BATCH_MAX))]
        self._made += len(batch)
        if len(self._kept) < KEPT_BATCHES_MAX:
            self._kept.append(batch)
        else:
            self._kept[self.random.randrange(KEPT_BATCHES_MAX)] = batch
        return batch

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

    def _send_until_acknowledged(self, http: httpx.Client, batch: list[JsonObject]) -> None:
        deadline = time.monotonic() + SENDING_SECONDS_MAX
        while not self._send(http, batch):
            assert time.monotonic() < deadline, f"nothing was acknowledged for {SENDING_SECONDS_MAX} s"
            self.sent_again += 1
            time.sleep(AGAIN_SECONDS)

    def _send(self, http: httpx.Client, batch: list[JsonObject]) -> bool:
        waits = self.random.random() < SHARE_THAT_WAITS
        with suppress(httpx.TransportError):
            answer = http.post("/v1/events", json=batch, headers={} if waits else {"Prefer": "respond-async"})
            assert answer.status_code in (200, 202) or answer.status_code >= 500, answer.text
            if answer.status_code == 200:
                counts = answer.json()["counts"]
                assert counts["counted"] + counts["duplicate"] == len(batch), answer.text
            return answer.status_code < 300
        return False
