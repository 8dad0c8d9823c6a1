"""Single events beside clients that send worst-case bodies without pause, against a real `meterfold serve`.

One client sends a single event at a time. Others, none, one or ten, each with a key of its own, send the largest
bodies that are taken, one kind after the other. The single events must be answered soon, whatever the others send.
"""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from bench.events import event_lines, midnight
from bench.http_load import ONE_EVENT, Address, KeepAlive, percentiles, post_request
from bench.processes import run_step
from bench.serving import serving

JSON: Final = "application/json"
#: What the single events should be answered within, at the 99th percentile.
SECONDS_MAX: Final = 0.5
WARMING_SECONDS: Final = 1.0
PAUSE_SECONDS: Final = 0.01
SINGLE_EVENTS: Final = 20_000

_ITEMS: Final = 100_000
_MEBIBYTE: Final = 1024 * 1024
_BODY_BYTES: Final = 16 * _MEBIBYTE


class FairnessRun(msgspec.Struct, frozen=True):
    """One measurement in a new folder, for `seconds` with each kind of body and number of neighbours."""

    folder: str
    seconds: float
    customers: int
    seed: int
    kinds: tuple[str, ...]
    neighbours: tuple[int, ...] = (1, 10)


class NeighbourRun(msgspec.Struct, frozen=True):
    """Neighbours, one for each address, that send bodies of one kind for `seconds`."""

    addresses: tuple[Address, ...]
    kind: str
    seconds: float


class Fairness(msgspec.Struct, frozen=True):
    """The latencies of single events in seconds beside `neighbours`, and the answers that those got, by status."""

    kind: str
    neighbours: int
    single_events: int
    p50: float
    p99: float
    longest: float
    answers: dict[str, int]


def _event(number: int | str, **data: object) -> bytes:
    whole = {"specversion": "1.0", "id": f"n-{number}", "source": "neighbour", "type": "llm.request", "subject": "n"}
    return json.dumps({**whole, "data": {"provider": "openai", "model": "gpt-4o", "input_tokens": 1, **data}}).encode()


def _fitting(item: Callable[[int], bytes]) -> bytes:
    """A batch of as many items as fit into a body."""
    count = min(_ITEMS, _BODY_BYTES // (len(item(0)) + 8))
    return b"[%b]" % b",".join(map(item, range(count)))


#: The worst bodies, each made when it is sent first.
BODIES: Final[dict[str, Callable[[], tuple[str, bytes]]]] = {
    "zeros": lambda: (JSON, _fitting(lambda number: b"0")),
    "too many zeros": lambda: (JSON, b"[" + b"0," * (6 * _ITEMS) + b"0]"),
    "nested": lambda: (JSON, _fitting(lambda number: b'{"a":' * 400 + b"1" + b"}" * 400)),
    "brackets": lambda: (JSON, b"[" * _BODY_BYTES),
    "long strings": lambda: (JSON, _fitting(lambda number: _event(number, note="x" * 4_000))),
    "1 MiB events": lambda: (JSON, _fitting(lambda number: _event(number, note="x" * (_MEBIBYTE - 500)))),
    "duplicates": lambda: (JSON, _fitting(lambda number: _event("same"))),
    "conflicts": lambda: (JSON, _fitting(lambda number: _event("other", note=number))),
}


def measure(run: FairnessRun) -> list[Fairness]:
    """Measure alone, then beside each number of neighbours with each kind of body."""
    found = []
    with serving(Path(run.folder)) as server:
        addresses = tuple(_with_new_key(server.address) for _ in range(max(run.neighbours)))
        single = _SingleEvents(server.address, run)
        single.beside("warming", 0, WARMING_SECONDS, dict)
        found.append(single.beside("none", 0, run.seconds, dict))
        for neighbours in run.neighbours:
            for kind in run.kinds:
                sending = NeighbourRun(addresses[:neighbours], kind, run.seconds + WARMING_SECONDS)
                found.append(single.beside(kind, neighbours, run.seconds, partial(_send_in_own_process, sending)))
    return found


def _send_in_own_process(sending: NeighbourRun) -> dict[str, int]:
    return run_step("neighbours", sending, dict[str, int])


def send_as_neighbours(run: NeighbourRun) -> dict[str, int]:
    """Send bodies of one kind on a connection for each address, without pause; return the answers by status."""
    content_type, body = BODIES[run.kind]()
    answers: Counter[str] = Counter()
    until = time.monotonic() + run.seconds

    def send(address: Address) -> None:
        request = post_request(address, content_type, body)
        while time.monotonic() < until:
            try:
                with closing(KeepAlive(address)) as connection:
                    while time.monotonic() < until:
                        answers[str(connection.ask(request))] += 1
            except OSError as error:
                answers[type(error).__name__] += 1

    threads = [threading.Thread(target=send, args=(address,), daemon=True) for address in run.addresses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(run.seconds + 60)
    return dict(answers)


def _with_new_key(address: Address) -> Address:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=30)
    headers = {"Authorization": f"Bearer {address.key}", "Content-Type": JSON}
    connection.request("POST", "/v1/keys", json.dumps({"scopes": ["ingest"]}), headers)
    answer = json.loads(connection.getresponse().read())
    connection.close()
    return Address(address.host, address.port, answer["secret"])


class _SingleEvents:
    """A client that sends one event at a time."""

    def __init__(self, address: Address, run: FairnessRun) -> None:
        self._address = address
        lines = event_lines(SINGLE_EVENTS, run.customers, run.seed, midnight(datetime.now(UTC)))
        self._requests = iter([post_request(address, ONE_EVENT, line) for line in lines])

    def beside(self, kind: str, neighbours: int, seconds: float, neighbour: Callable[[], dict[str, int]]) -> Fairness:
        """Send events until the neighbours end, and for at least `seconds`."""
        answers: dict[str, int] = {}
        thread = threading.Thread(target=lambda: answers.update(neighbour()))
        thread.start()
        latencies, until = [], time.monotonic() + seconds
        with closing(KeepAlive(self._address)) as connection:
            while thread.is_alive() or time.monotonic() < until:
                status = connection.ask(next(self._requests))
                latencies.append(time.perf_counter() - connection.sent_at)
                answers[f"single {status}"] = answers.get(f"single {status}", 0) + 1
                time.sleep(PAUSE_SECONDS)
        thread.join()
        return Fairness(kind, neighbours, len(latencies), *percentiles(latencies), answers)
