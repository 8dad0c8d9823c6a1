"""Latency of a subscription's current usage by Lago's API, over HTTP against a real `meterfold serve`.

Each subscription has a charge with many filters, for a metric of one aggregation: sums, counts and maxima, which are
kept, and such as are read from rows.

1. Ask while there is no event.
2. Send all events, and ask for the first time; then again and again.
3. Send one more event before each question.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.events import NDJSON
from bench.http_load import Address, KeepAlive, get_request, percentiles
from bench.serving import serving

BASE: Final = "/lago/api/v1"
#: The kept ones come first.
AGGREGATIONS: Final = ("sum_agg", "count_agg", "max_agg", "latest_agg", "unique_count_agg", "weighted_sum_agg")
NO_EVENTS: Final = "no event"
FIRST: Final = "the first time"
AGAIN: Final = "again"
AFTER_EACH: Final = "after each event"
WAYS: Final = (NO_EVENTS, FIRST, AGAIN, AFTER_EACH)
#: A question is asked at least this often, however long it takes.
ASKED_MIN: Final = 3
EVENTS_PER_BODY: Final = 10_000
WAIT_SECONDS_MAX: Final = 600.0
PAUSE_SECONDS: Final = 0.01


class UsageRun(msgspec.Struct, frozen=True):
    """One measurement in a new folder: each question is asked for `seconds`, at most `asked_max` times."""

    folder: str
    events: int  # of each subscription
    filters: int  # of each charge
    seconds: float
    asked_max: int = 500


class UsageLatencies(msgspec.Struct, frozen=True):
    """The latencies of one question, in seconds."""

    aggregation: str
    way: str
    events: int
    asked: int
    p50: float
    p99: float
    longest: float


def measure(run: UsageRun) -> list[UsageLatencies]:
    """Measure each aggregation in each way. Runs in a process of its own, on all cores."""
    found: list[UsageLatencies] = []
    with serving(Path(run.folder)) as server:
        for aggregation in AGGREGATIONS:
            subject = Subject(server.address, aggregation)
            subject.define(run.filters)
            with closing(KeepAlive(server.address)) as connection:
                subject.ask(connection)
                found.append(_latencies(run, subject, NO_EVENTS, 0, partial(subject.ask, connection)))
            subject.send_events(run.events, run.filters)
            with closing(KeepAlive(server.address)) as connection:
                first = subject.ask(connection)
                found.append(UsageLatencies(aggregation, FIRST, run.events, 1, first, first, first))
                found.append(_latencies(run, subject, AGAIN, run.events, partial(subject.ask, connection)))
                with_events = partial(subject.ask_after_one_event, connection)
                found.append(_latencies(run, subject, AFTER_EACH, run.events, with_events))
    return found


class Subject:
    """A subscription, named like the aggregation of its metric."""

    def __init__(self, address: Address, aggregation: str) -> None:
        self._address = address
        self.aggregation = aggregation
        self._sent = 0

    def define(self, filters: int) -> None:
        """Create the metric, the plan with its charge, and the subscription."""
        name = self.aggregation
        kinds = [f"kind-{number}" for number in range(filters)]
        metric = {"name": name, "code": name, "aggregation_type": name, "filters": [{"key": "kind", "values": kinds}]}
        metric |= {} if name == "count_agg" else {"field_name": "n"}
        metric |= {"weighted_interval": "seconds"} if name == "weighted_sum_agg" else {}
        made = self._create("billable_metrics", "billable_metric", metric)
        priced = [{"values": {"kind": [kind]}, "properties": {"amount": "0.25"}} for kind in kinds]
        charge = {"billable_metric_id": made["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
        plan = {"name": name, "code": name, "interval": "yearly", "amount_cents": 0, "amount_currency": "USD"}
        self._create("plans", "plan", plan | {"pay_in_advance": False, "charges": [charge | {"filters": priced}]})
        began = (datetime.now(UTC) - timedelta(days=30)).isoformat()
        subscription = {"external_customer_id": "customer", "external_id": name, "plan_code": name}
        self._create("subscriptions", "subscription", subscription | {"subscription_at": began})

    def ask(self, connection: KeepAlive) -> float:
        """Ask for the current usage; the seconds that it took."""
        path = f"{BASE}/customers/customer/current_usage?external_subscription_id={self.aggregation}"
        began = time.perf_counter()
        status = connection.ask(get_request(self._address, path))
        if status != 200:
            raise AssertionError(f"current usage was answered with {status}")
        return time.perf_counter() - began

    def ask_after_one_event(self, connection: KeepAlive) -> float:
        """Send an event, which is counted when it is answered; then ask."""
        self._sent += 1
        event = {"transaction_id": f"later-{self._sent}", "code": self.aggregation}
        event |= {"external_subscription_id": self.aggregation}
        self._create("events", "event", {**event, "properties": {"kind": "kind-0", "n": 1}})
        return self.ask(connection)

    def send_events(self, events: int, filters: int) -> None:
        """Send events of the last ten days, in no order of time, and wait until they are folded."""
        for body in _bodies(self.aggregation, events, filters):
            self._send("POST", "/v1/events", NDJSON, body)
        until = time.monotonic() + WAIT_SECONDS_MAX
        while self._send("GET", "/readyz", NDJSON, b"")["behind_positions"]:
            if time.monotonic() > until:
                raise TimeoutError("the events were not folded within the time of a benchmark")
            time.sleep(PAUSE_SECONDS)

    def _create(self, path: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        encoded = json.dumps({name: body}).encode()
        made: dict[str, Any] = self._send("POST", f"{BASE}/{path}", "application/json", encoded)[name]
        return made

    def _send(self, method: str, path: str, content_type: str, body: bytes) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._address.key}", "Content-Type": content_type}
        with closing(http.client.HTTPConnection(self._address.host, self._address.port)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            shown = answer.read()
        if answer.status != 200:
            raise AssertionError(f"{path} was answered with {answer.status}: {shown[:400].decode()}")
        decoded: dict[str, Any] = json.loads(shown)
        return decoded


def _latencies(run: UsageRun, subject: Subject, way: str, events: int, ask: Callable[[], float]) -> UsageLatencies:
    until = time.monotonic() + run.seconds
    seconds: list[float] = []
    while len(seconds) < ASKED_MIN or (time.monotonic() < until and len(seconds) < run.asked_max):
        seconds.append(ask())
    return UsageLatencies(subject.aggregation, way, events, len(seconds), *percentiles(seconds))


def _bodies(subscription: str, events: int, filters: int) -> Iterator[bytes]:
    end = datetime.now(UTC)
    for first in range(0, events, EVENTS_PER_BODY):
        yield b"\n".join(
            msgspec.json.encode(
                {
                    "specversion": "1.0",
                    "source": f"lago/{subscription}",
                    "id": str(number),
                    "type": subscription,
                    "time": (end - timedelta(seconds=number * 7_919 % 864_000)).isoformat(),
                    "data": {"subscription": subscription, "kind": f"kind-{number % filters}", "n": number % 1_000},
                }
            )
            for number in range(first, min(first + EVENTS_PER_BODY, events))
        )
