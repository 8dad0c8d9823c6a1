"""A client that backfills, while its engine is killed again and again: what was answered is done, and done once."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

from tests.laws.kills.clients import AGAIN_SECONDS, HEADERS, SENDING_SECONDS_MAX, ExpectedEvent, JsonObject

SOURCE = "backfiller"
EVENTS_OF_LOAD_MAX = 40
#: Each backfill has a day of its own, so that none overlaps with another.
DAYS_MAX = 28 * 12
SHARE_REPLACED = 0.5
SHARE_REVERTED = 0.3


@dataclass
class Backfiller:
    """Opens, loads, previews and commits one backfill after the other, and reverts some.

    Each step is repeated until it is answered; a step that was done though its answer was lost is done once. Where a
    day is loaded a second time, as a replacement, its events have other tokens.
    """

    url: str
    random: Random
    enough: threading.Event
    standing: dict[tuple[str, str], ExpectedEvent] = field(default_factory=dict)
    commits: int = 0

    def run(self) -> None:
        with httpx.Client(base_url=self.url, headers=HEADERS, timeout=60) as http:
            for number in range(DAYS_MAX):
                if self.enough.is_set():
                    return
                self._backfill(http, f"first-{number}", number, "add")
                if self.random.random() < SHARE_REPLACED and not self.enough.is_set():
                    self._backfill(http, f"second-{number}", number, "replace")

    def _backfill(self, http: httpx.Client, name: str, number: int, mode: str) -> None:
        month, day = divmod(number, 28)
        date = f"2025-{month + 1:02}-{day + 1:02}"
        asked = {"name": name, "from": f"{date}T00:00:00Z", "to": f"{date}T23:00:00Z", "mode": mode}
        self._until_done(http, "/v1/backfills", asked | {"sources": [SOURCE]}, done=(201, 202, 409))
        loaded: dict[tuple[str, str], ExpectedEvent] = {}
        for _ in range(self.random.randrange(1, 4)):
            events = [self._event(number, date) for _ in range(self.random.randrange(1, EVENTS_OF_LOAD_MAX))]
            self._until_done(http, f"/v1/backfills/{name}/events", events)
            for event in events:  # what is loaded again under one id is a duplicate, or a conflict
                told = ExpectedEvent(event["subject"], event["data"]["input_tokens"])
                loaded.setdefault((SOURCE, event["id"]), told)
        self._commit(http, name)
        self.commits += 1
        before = {identity: told for identity, told in self.standing.items() if identity[1].startswith(f"{number}-")}
        if mode == "replace":
            for identity in before:
                del self.standing[identity]
        self.standing |= loaded
        if self.random.random() < SHARE_REVERTED:
            self._until_done(http, f"/v1/backfills/{name}/revert", None)
            for identity in loaded:
                self.standing.pop(identity, None)
            self.standing |= before

    def _event(self, number: int, date: str) -> JsonObject:
        tokens = self.random.randrange(1, 5_000)
        return {
            "specversion": "1.0",
            "id": f"{number}-{self.random.randrange(60)}",
            "source": SOURCE,
            "type": "llm.request",
            "subject": f"customer-{self.random.randrange(20)}",
            "time": f"{date}T{self.random.randrange(23):02}:00:00Z",
            "data": {"provider": "acme", "model": "swift", "input_tokens": tokens, "cost_usd": f"0.{tokens:06}"},
        }

    def _commit(self, http: httpx.Client, name: str) -> None:
        """Commit what a preview shows; where the preview is refused, the commit was done before."""
        preview = self._until_done(http, f"/v1/backfills/{name}/preview", get=True)
        self._until_done(http, f"/v1/backfills/{name}/commit", {"previewed_at": preview["previewed_at"]})

    def _until_done(
        self, http: httpx.Client, path: str, body: Any = None, done: tuple[int, ...] = (200, 202), get: bool = False
    ) -> JsonObject:
        deadline = time.monotonic() + SENDING_SECONDS_MAX
        while True:
            with suppress(httpx.TransportError):
                answer = http.get(path) if get else http.post(path, json=body)
                if answer.status_code in done:
                    found: JsonObject = answer.json()
                    return found
                assert answer.status_code >= 500, f"{path}: {answer.status_code} {answer.text}"
            assert time.monotonic() < deadline, f"{path} was not answered for {SENDING_SECONDS_MAX} s"
            time.sleep(AGAIN_SECONDS)
