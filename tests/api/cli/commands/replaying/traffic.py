"""Readers and producers over HTTP beside an engine, which keep what was not answered as it should be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from tests.api.cli.served_engine import EVENTS_OF_BATCH, HEADERS, lines

READER_PATHS = (
    "/v1/customers/customer-{}",
    "/v1/customers/customer-{}/current-usage",
    "/v1/customers/customer-{}/usage?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z",
    "/v1/customers/customer-{}/access",
    "/v1/events?customer=customer-{}&limit=3",
)


@dataclass
class Traffic:
    """`readers` ask all the time, and one producer sends batches, from the start of the context to its end."""

    url: str
    readers: int
    answers: int = 0
    acknowledged: int = 0
    failed: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ending: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        with ThreadPoolExecutor(self.readers + 1) as threads:
            started = [threads.submit(self._read, reader) for reader in range(self.readers)]
            started.append(threads.submit(self._produce))
            try:
                yield
            finally:
                self._ending.set()
            for one in started:
                one.result(60)

    def _read(self, reader: int) -> None:
        with httpx.Client(base_url=self.url, headers=HEADERS, timeout=60) as http:
            number = reader
            while not self._ending.is_set():
                path = READER_PATHS[number % len(READER_PATHS)].format(number % 50)
                self._note(http, "GET", path)
                number += 1

    def _produce(self) -> None:
        with httpx.Client(base_url=self.url, headers=HEADERS, timeout=60) as http:
            batch = 1_000
            while not self._ending.is_set():
                if self._note(http, "POST", "/v1/events", lines(0, batch)):
                    self.acknowledged += EVENTS_OF_BATCH
                batch += 1
                self._ending.wait(0.2)

    def _note(self, http: httpx.Client, method: str, path: str, content: bytes | None = None) -> bool:
        try:
            answer = http.request(method, path, content=content)
            problem = None if answer.status_code == 200 else f"{method} {path}: {answer.status_code} {answer.text}"
        except httpx.HTTPError as error:
            problem = f"{method} {path}: {error!r}"
        with self._lock:
            if problem is None:
                self.answers += 1
            else:
                self.failed.append(problem)
        return problem is None
