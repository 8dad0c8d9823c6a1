"""Latency of a customer's current usage by Lago's API, over HTTP: `python -m bench.current_usage 1000000 1500`.

One subscription has a charge with so many filters, for each of three aggregations: a sum and a count, which are kept,
and a unique count, which is read from rows. It is asked before there is any event; then with all events for the first
time, again and again, and again with one more event before each question.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
from starlette.testclient import TestClient

from api.app import create_app
from bench.bench_settings import engine_settings
from bench.events import NDJSON
from bench.http_load import percentiles
from consumers.bootstrap import open_engine
from consumers.embedded.engine import EmbeddedEngine
from consumers.intake.intake import IntakeRequest
from domain.api_keys.commands import IssueApiKey
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE

BASE: Final = "/lago/api/v1"
AGGREGATIONS: Final = ("sum_agg", "count_agg", "unique_count_agg")
ASKED: Final = 200
EVENTS_PER_BODY: Final = 10_000
WAIT_SECONDS_MAX: Final = 600.0
EVENTS_DEFAULT: Final = 1_000_000
FILTERS_DEFAULT: Final = 1_500


class Client:
    """Requests of one key to an application in this process."""

    def __init__(self, http: TestClient, key: str) -> None:
        self._http = http
        self._headers = {"Authorization": f"Bearer {key}"}

    def send(self, path: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create something; its object."""
        answer = self._http.post(BASE + path, json={name: body}, headers=self._headers)
        answer.raise_for_status()
        made: dict[str, Any] = answer.json()[name]
        return made

    def ask(self, aggregation: str) -> float:
        """Ask for the current usage of a subscription; the seconds that it took."""
        began = time.perf_counter()
        path = f"{BASE}/customers/customer/current_usage"
        asked = {"external_subscription_id": aggregation}
        self._http.get(path, params=asked, headers=self._headers).raise_for_status()
        return time.perf_counter() - began


def main(events: int, filters: int, asked: int = ASKED) -> None:
    """Measure each aggregation, and print a line for each way of asking, `asked` times each."""
    with TemporaryDirectory() as folder, open_engine(engine_settings(Path(folder))) as engine:
        issued = engine.commands.handle(IssueApiKey(DEFAULT_SCOPE, Provenance("bench"), ("admin",)))
        engine.wait_folded(issued.position or 0, WAIT_SECONDS_MAX)
        with TestClient(create_app(engine)) as http:
            gc.freeze()  # as `meterfold serve` does
            client = Client(http, issued.state.secret)
            try:
                for aggregation in AGGREGATIONS:
                    _measure(engine, client, Subject(aggregation, events, filters), asked)
            finally:
                gc.unfreeze()


class Subject(msgspec.Struct, frozen=True):
    """A subscription: the aggregation of its metric, and how many events and filters it has."""

    aggregation: str
    events: int
    filters: int


def _measure(engine: EmbeddedEngine, client: Client, subject: Subject, asked: int) -> None:
    aggregation, events = subject.aggregation, subject.events
    _define(client, aggregation, subject.filters)
    client.ask(aggregation)
    _print(aggregation, 0, "no events", [client.ask(aggregation) for _ in range(asked)])
    for body in _bodies(subject):
        receipt = engine.intake.submit(IntakeRequest(DEFAULT_SCOPE, NDJSON, body)).result(WAIT_SECONDS_MAX)
    engine.wait_folded(receipt.position, WAIT_SECONDS_MAX)
    _print(aggregation, events, "the first time", [client.ask(aggregation)])
    _print(aggregation, events, "again", [client.ask(aggregation) for _ in range(asked)])
    seconds = []
    for number in range(asked):
        event = {"transaction_id": f"later-{number}", "code": aggregation, "external_subscription_id": aggregation}
        client.send("/events", "event", {**event, "properties": {"kind": "kind-0", "n": 1}})
        seconds.append(client.ask(aggregation))
    _print(aggregation, events, "after each event", seconds)


def _define(client: Client, aggregation: str, filters: int) -> None:
    kinds = [f"kind-{number}" for number in range(filters)]
    metric = {"name": aggregation, "code": aggregation, "aggregation_type": aggregation}
    metric |= {} if aggregation == "count_agg" else {"field_name": "n"}
    made = client.send("/billable_metrics", "billable_metric", metric | {"filters": [{"key": "kind", "values": kinds}]})
    priced = [{"values": {"kind": [kind]}, "properties": {"amount": "0.25"}} for kind in kinds]
    charge = {"billable_metric_id": made["lago_id"], "charge_model": "standard", "properties": {"amount": "1"}}
    plan = {"name": aggregation, "code": aggregation, "interval": "yearly", "amount_cents": 0, "amount_currency": "USD"}
    client.send("/plans", "plan", plan | {"pay_in_advance": False, "charges": [charge | {"filters": priced}]})
    began = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    subscription = {"external_customer_id": "customer", "external_id": aggregation, "plan_code": aggregation}
    client.send("/subscriptions", "subscription", subscription | {"subscription_at": began})


def _bodies(subject: Subject) -> Iterator[bytes]:
    """Events of one subscription in the last ten days, in no order of time."""
    end = datetime.now(UTC)
    for first in range(0, subject.events, EVENTS_PER_BODY):
        yield b"\n".join(
            msgspec.json.encode(
                {
                    "specversion": "1.0",
                    "source": f"lago/{subject.aggregation}",
                    "id": str(number),
                    "type": subject.aggregation,
                    "time": (end - timedelta(seconds=number * 7_919 % 864_000)).isoformat(),
                    "data": {
                        "subscription": subject.aggregation,
                        "kind": f"kind-{number % subject.filters}",
                        "n": number % 1_000,
                    },
                }
            )
            for number in range(first, min(first + EVENTS_PER_BODY, subject.events))
        )


def _print(aggregation: str, events: int, way: str, seconds: Sequence[float]) -> None:
    milliseconds = ", ".join(f"{one * 1e3:7.1f}" for one in percentiles(seconds))
    print(f"{aggregation:<17} {events:>9,} events  {way:<17} p50, p99, longest: {milliseconds} ms", flush=True)


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    main(*(given + [EVENTS_DEFAULT, FILTERS_DEFAULT][len(given) :]))
