"""An HTTP load generator with little overhead: keep-alive sockets, prepared requests, one thread."""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Final

import msgspec

from bench.events import NDJSON, bodies, event_lines, midnight

ONE_EVENT: Final = "application/cloudevents+json"
_RECEIVE_BYTES: Final = 65_536
_ANSWER_SECONDS_MAX: Final = 60.0


class Address(msgspec.Struct, frozen=True):
    """The address of a server, and an API key for it."""

    host: str
    port: int
    key: str


class LoadRun(msgspec.Struct, frozen=True):
    """One load; it ends after `seconds`, or when all events are sent. `events_per_request` 1: single events."""

    address: Address
    connections: int
    events_per_request: int
    events: int
    customers: int
    seed: int
    warming_seconds: float
    seconds: float


class LoadResult(msgspec.Struct, frozen=True):
    """The events accepted (200) within `seconds`, the number of responses by status, and latencies in seconds."""

    events: int
    seconds: float
    statuses: dict[str, int]
    p50: float
    p99: float
    longest: float

    @property
    def per_second(self) -> float:
        """Accepted events per second."""
        return self.events / self.seconds


def get_request(address: Address, path: str) -> bytes:
    """The bytes of a GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: {address.host}\r\nAuthorization: Bearer {address.key}\r\n\r\n".encode()


def post_request(address: Address, content_type: str, body: bytes) -> bytes:
    """The bytes of a request that posts events."""
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: {address.host}\r\nAuthorization: Bearer {address.key}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class KeepAlive:
    """A keep-alive connection with one request at a time."""

    def __init__(self, address: Address) -> None:
        self.socket = socket.create_connection((address.host, address.port), _ANSWER_SECONDS_MAX)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self._received = b""

    def send(self, request: bytes) -> None:
        """Send a request without waiting for its response."""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """Read the bytes that have arrived; return the status once the response is complete, None before."""
        part = self.socket.recv(_RECEIVE_BYTES)
        if not part:
            raise ConnectionError("the server closed the connection")
        self._received += part
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self._received[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._received) < end + 4 + length:
            return None
        self._received = self._received[end + 4 + length :]
        return int(head[9:12])

    def ask(self, request: bytes) -> int:
        """Send a request and wait for the status of its response."""
        self.send(request)
        while (status := self.receive()) is None:
            pass
        return status

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()


def load(run: LoadRun) -> LoadResult:
    """Post events on many connections at once; each sends its next request after the response to the last one."""
    requests = iter(_requests(run))
    selector = selectors.DefaultSelector()
    connections = [KeepAlive(run.address) for _ in range(run.connections)]
    for connection in connections:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    started = time.perf_counter()
    counted_from, until = started + run.warming_seconds, started + run.warming_seconds + run.seconds
    statuses: Counter[str] = Counter()
    latencies: list[float] = []
    last = counted_from
    waiting = sum(_sent(connection, requests) for connection in connections)
    while waiting:
        for ready, _ in selector.select(_ANSWER_SECONDS_MAX):
            connection = ready.data
            status = connection.receive()
            if status is None:
                continue
            now = time.perf_counter()
            if counted_from <= now <= until:
                statuses[str(status)] += 1
                latencies.append(now - connection.sent_at)
                last = now
            if now > until or not _sent(connection, requests):
                waiting -= 1
    for connection in connections:
        connection.close()
    selector.close()
    p50, p99, longest = percentiles(latencies)
    events = statuses["200"] * run.events_per_request
    return LoadResult(events, max(last - counted_from, 1e-9), dict(statuses), p50, p99, longest)


def _sent(connection: KeepAlive, requests: Iterator[bytes]) -> bool:
    request = next(requests, None)
    if request is None:
        return False
    connection.send(request)
    return True


def _requests(run: LoadRun) -> list[bytes]:
    lines = event_lines(run.events, run.customers, run.seed, midnight(datetime.now(UTC)))
    if run.events_per_request == 1:
        return [post_request(run.address, ONE_EVENT, line) for line in lines]
    return [post_request(run.address, NDJSON, body) for body in bodies(lines, run.events_per_request)]


def read_latencies(address: Address, paths: Sequence[str], seconds: float) -> list[float]:
    """Get the paths in turn, over and over, on one connection; return the seconds of each response (all 200)."""
    requests = [get_request(address, path) for path in paths]
    latencies = []
    with closing(KeepAlive(address)) as connection:
        until = time.perf_counter() + seconds
        number = 0
        while time.perf_counter() < until:
            status = connection.ask(requests[number % len(requests)])
            latencies.append(time.perf_counter() - connection.sent_at)
            if status != 200:
                raise AssertionError(f"{paths[number % len(paths)]} was answered with {status}")
            number += 1
    return latencies


def percentiles(seconds: Sequence[float]) -> tuple[float, float, float]:
    """The median, the 99th percentile and the maximum; zeros if there are no values."""
    if not seconds:
        return 0.0, 0.0, 0.0
    ordered = sorted(seconds)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)], ordered[-1]
