"""Exactly once, with a real broker: consumers killed and frozen, the broker restarted, duplicates by every way.

METERFOLD_TEST_KAFKA_EVENTS (20,000) chooses how much, METERFOLD_TEST_SEED what; `make soak` sends a million. The seed
gives the traffic and the plan of what happens when; which process is where at that moment it cannot give.

- every received record is in exactly one outcome, by partition;
- totals by outcome and tokens by customer are those of the generator's own account;
- `meterfold verify` finds nothing.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.kafka.consumer_fleet import SESSION_SECONDS, Fleet, fleet, kafka_environment
from tests.kafka.generated_traffic import Account, account_of
from tests.kafka.publishing import publishing
from tests.kafka.running_broker import RunningBroker, running_broker
from tests.meterfold_process import ADMIN_KEY, Server, meterfold, serving

SEED = int(os.environ.get("METERFOLD_TEST_SEED") or time.time_ns() % 1_000_000)
EVENTS = int(os.environ.get("METERFOLD_TEST_KAFKA_EVENTS") or 20_000)
PARTITIONS = 6
CONSUMERS = 3
#: So long the log may stand still before the test gives up.
STANDSTILL_SECONDS_MAX = 90.0
#: All of `HAPPENINGS` for so many events, at least once; the traffic is spread over what happens.
ROUND_EVENTS = 250_000
ROUNDS = max(1, EVENTS // ROUND_EVENTS)
ROUND_SECONDS = 25.0
HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}"}
#: What happens, while traffic is sent, in an order that the seed gives.
HAPPENINGS = ("kill", "freeze", "restart broker", "kill", "freeze", "kill broker", "kill")


@pytest.mark.slow
def test_every_record_counts_exactly_once_whoever_dies(tmp_path: Path) -> None:
    print(f"seed {SEED}, {EVENTS} events")  # noqa: T201 -- what repeats a failure
    account = account_of(SEED, EVENTS, PARTITIONS)
    with running_broker(tmp_path / "broker") as broker:
        topic = broker.fresh_topic(PARTITIONS)
        for beside in ("rejected", "customers"):
            broker.make_topic(f"{topic}.{beside}")
        folder = tmp_path / "data"
        with serving(folder, tmp_path / "serve.log") as server, fleet(folder, kafka_environment(broker, topic)) as run:
            for number in range(CONSUMERS):
                run.start(number)
            traffic = (SEED, EVENTS, PARTITIONS, broker.bootstrap, topic, server.url, ROUNDS * ROUND_SECONDS)
            with publishing(*traffic, tmp_path / "publishing.log"):
                random = Random(SEED)
                for happening in random.sample(HAPPENINGS * ROUNDS, len(HAPPENINGS) * ROUNDS):
                    _happen(happening, random, broker, run)
            assert broker.ends(topic) == {number: account.received[number] for number in range(PARTITIONS)}
            _await_all(server, account, run)
            _compare(server, account)
            received, fenced = sum(account.received.values()), run.said().count("append_fenced")
            print(f"{received} received, {fenced} appends fenced")  # noqa: T201
            meterfold("verify", "--data", str(folder), "--url", server.url, "--key", ADMIN_KEY)
            run.end_all()  # the last dead letters are on their way until then
            assert _letters(broker, topic) == account.outcomes["rejected"]


def _happen(what: str, random: Random, broker: RunningBroker, consumers: Fleet) -> None:
    victim = random.randrange(CONSUMERS)
    time.sleep(random.random())
    if what == "kill":
        consumers.kill(victim)
        consumers.start(victim)
    elif what == "freeze":
        consumers.freeze(victim)
        time.sleep(SESSION_SECONDS + 1.5)  # by now another has its partitions, and has read on
        consumers.thaw(victim)
    else:
        (broker.own.kill if what == "kill broker" else broker.own.stop)()
        broker.own.start()


def _await_all(server: Server, account: Account, consumers: Fleet) -> None:
    """Wait until everything is folded, or nothing has come for too long."""
    wanted, seen, since = sum(account.received.values()), -1, time.monotonic()
    while (received := sum(_status(server)["counts"].values())) != wanted:
        if received != seen:
            seen, since = received, time.monotonic()
        assert time.monotonic() - since < STANDSTILL_SECONDS_MAX, (received, wanted, consumers.statuses())
        assert received < wanted, "more was received than was sent"
        time.sleep(0.2)


def _compare(server: Server, account: Account) -> None:
    status = _status(server)
    assert Counter(status["counts"]) == account.outcomes
    by_partition: Counter[int | None] = Counter()
    for source in status["sources"]:
        kind, _, rest = source["stream"].removeprefix("usage/").partition("/")
        by_partition[int(rest.rpartition("/")[2]) if kind == "kafka" else None] += sum(source["counts"].values())
    assert by_partition == account.received
    assert {customer: _tokens(server, customer) for customer in account.tokens} == dict(account.tokens)


def _status(server: Server) -> dict[str, Any]:
    answer: dict[str, Any] = _get(server, "/v1/operations/status")
    return answer


def _tokens(server: Server, customer: str) -> int:
    answer = _get(server, f"/v1/customers/{customer}/usage?from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z")
    return sum(int(row["input_tokens"]) for row in answer["data"])


def _get(server: Server, path: str) -> Any:
    answer = httpx.get(server.url + path, headers=HEADERS, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _letters(broker: RunningBroker, topic: str) -> int:
    """Different dead letters: those of an append before a crash may be there twice."""
    names = ("meterfold-topic", "meterfold-partition", "meterfold-offset", "meterfold-index")
    found = [dict(record.headers) for record in broker.records(f"{topic}.rejected")]
    return len({tuple(headers[name] for name in names) for headers in found})


