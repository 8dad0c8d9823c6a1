"""Exactly once, with a real broker: consumers killed and frozen, the broker restarted, duplicates sent in every way.

TEST_KAFKA_EVENTS (12,000) sets the amount, TEST_SEED the content; `make soak` sends a million. The seed determines the
traffic and the plan of disruptions, but not the state of each process at that moment. In a second, smaller run the
consumers read by the public poll of kafka-python.

- every record that was committed is received in exactly one outcome, by partition, and no other;
- every command is honoured, a duplicate or refused as the generator's own account says, each delivery recorded once;
- totals by outcome, tokens by customer, and the final customers and budgets are those of the account;
- the open runs of a frozen consumer were fenced;
- `meterfold verify` finds nothing, and the memory of no process keeps growing.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.consumers.kafka.broker.consumer_fleet import SESSION_SECONDS, Fleet, eventually, fleet, kafka_environment
from tests.consumers.kafka.broker.generated_lives import shown
from tests.consumers.kafka.broker.generated_traffic import account_of
from tests.consumers.kafka.broker.honoured_commands import recorded_commands
from tests.consumers.kafka.broker.process_memory import MemoryWatch, watching
from tests.consumers.kafka.broker.publishing import publishing
from tests.consumers.kafka.broker.readers import WAYS
from tests.consumers.kafka.broker.running_broker import RunningBroker, running_broker
from tests.consumers.kafka.broker.sent_records import CUSTOMER_PARTITIONS, PARTITIONS, Account, CommandId, Destination
from tests.meterfold_process import ADMIN_KEY, Server, meterfold, serving

pytestmark = pytest.mark.kafka

SEED = int(os.environ.get("TEST_SEED") or time.time_ns() % 1_000_000)
EVENTS = int(os.environ.get("TEST_KAFKA_EVENTS") or 12_000)
CONSUMERS = 3
#: How long the log may make no progress before the test fails.
STANDSTILL_SECONDS_MAX = 90.0
#: All of `DISRUPTIONS` for so many events, at least once; the traffic is spread over them.
ROUND_EVENTS = 250_000
ROUNDS = max(1, EVENTS // ROUND_EVENTS)
ROUND_SECONDS = 25.0
#: For consumers that read by the public poll.
FEWER_EVENTS = min(EVENTS, 6_000)
FEWER_DISRUPTIONS = ("kill", "kill broker")
FEWER_SECONDS = 16.0
#: Long enough for a frozen consumer to have open runs.
BATCH_SECONDS = 0.5
#: How long to wait for a consumer to have open runs: a broker may just have been started.
FLOWING_SECONDS_MAX = 10.0
#: How long others may need to take over from a frozen consumer, once its session has ended.
TAKING_SECONDS_MAX = 6.0
#: How long a thawed consumer may need until it appends, or has learned that its partitions are gone.
WAKING_SECONDS_MAX = 2.0
#: How often consumers are frozen at the beginning until one was fenced: one that just appended has nothing in hand.
FREEZES_MAX = 3
FENCED = "append_fenced"
HEADERS = {"Authorization": f"Bearer {ADMIN_KEY}"}
#: The disruptions while traffic is sent, in an order determined by the seed; before them one is frozen until fenced.
DISRUPTIONS = ("kill", "restart broker", "kill", "freeze", "kill broker", "kill")
#: Ways and kinds that the traffic must contain for the test to prove what it claims.
SENT = {
    *((way, kind) for way in ("plain", "lz4", "zstd", "committed") for kind in ("usage", "binary", "batched")),
    *((way, kind) for way in ("plain", "lz4", "zstd", "committed") for kind in ("command", "tombstone")),
    ("aborted", "usage"),
    ("aborted", "command"),
    ("plain", "garbage"),
}
PAGE_ROWS = 1_000
#: Memory of an owner: DuckDB up to its limit of 1 GB, and the rest.
OWNER_BYTES_MAX = 1_000_000_000 + (512 << 20)
#: By how much the peak of the last fifth may exceed that of the first two.
CONSUMER_GROWTH_BYTES_MAX = 96 << 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("public_poll", "events", "disruptions", "seconds"),
    [
        (False, EVENTS, DISRUPTIONS * ROUNDS, ROUNDS * ROUND_SECONDS),
        (True, FEWER_EVENTS, FEWER_DISRUPTIONS, FEWER_SECONDS),
    ],
    ids=WAYS,
)
def test_every_record_counts_exactly_once_whoever_dies(
    tmp_path: Path, public_poll: bool, events: int, disruptions: tuple[str, ...], seconds: float
) -> None:
    print(f"seed {SEED}, {events} events")  # noqa: T201 -- what repeats a failure
    account = account_of(SEED, events)
    assert account.sent.keys() >= SENT
    with running_broker(tmp_path / "broker") as broker:
        topic = broker.fresh_topic(PARTITIONS)
        broker.make_topic(f"{topic}.customers", CUSTOMER_PARTITIONS)
        broker.make_topic(f"{topic}.rejected")
        folder = tmp_path / "data"
        settings = kafka_environment(broker, topic) | {"METERFOLD_KAFKA_BATCH_SECONDS_MAX": str(BATCH_SECONDS)}
        with (
            serving(folder, tmp_path / "serve.log") as server,
            fleet(folder, settings, public_poll=public_poll) as run,
        ):
            for number in range(CONSUMERS):
                run.start(number)
            with _watching(server, run, account) as memory:
                traffic = (SEED, events, broker.bootstrap, topic, server.url, seconds)
                with publishing(*traffic, tmp_path / "publishing.log"):
                    random = Random(SEED)
                    _freeze_until_fenced(random, run)
                    for disruption in random.sample(disruptions, len(disruptions)):
                        _disrupt(disruption, random, broker, run)
                _await_all(server, broker, topic, run)
            _compare_sent(broker, topic, account)
            _compare_usage(server, topic, account)
            _compare_commands(server, account)
            fenced = run.said().count(FENCED)
            assert all((status.public_poll is not None) is public_poll for status in run.statuses())
            told = meterfold("status", "--url", server.url, "--key", ADMIN_KEY)
            assert told.count("reads by the slower public poll: it is asked for") == CONSUMERS * public_poll
            print(f"{account.records.total()} records, {fenced} appends fenced")  # noqa: T201
            print(f"{dict(account.outcomes)}, {dict(account.command_outcomes())}")  # noqa: T201
            print(f"anonymous memory by fifths, MiB: {memory.shown()}")  # noqa: T201
            _assess(memory)
            meterfold("verify", "--data", str(folder), "--url", server.url, "--key", ADMIN_KEY)
            run.end_all()  # the last dead letters are on their way until then
            assert _letters(broker, topic) == account.letters


# -- disruptions


def _disrupt(what: str, random: Random, broker: RunningBroker, consumers: Fleet) -> None:
    victim = random.randrange(CONSUMERS)
    time.sleep(random.random())
    if what == "kill":
        consumers.kill(victim)
        consumers.start(victim)
    elif what == "freeze":
        _freeze(victim, consumers)
    else:
        (broker.own.kill if what == "kill broker" else broker.own.stop)()
        broker.own.start()


def _freeze_until_fenced(random: Random, consumers: Fleet) -> None:
    """Freeze consumers, one after the other, while records are certain to come, until an append was fenced."""
    for _ in range(FREEZES_MAX):
        before = consumers.said().count(FENCED)
        _freeze(random.randrange(CONSUMERS), consumers)
        deadline = time.monotonic() + WAKING_SECONDS_MAX
        while time.monotonic() < deadline:
            if consumers.said().count(FENCED) > before:
                return
            time.sleep(0.05)
    raise AssertionError("no consumer had anything in hand when it was frozen")


def _freeze(victim: int, consumers: Fleet) -> None:
    """Freeze a consumer with partitions until others have taken all of them.

    One that is frozen during an append holds the log's lock: then no other can continue before it is thawed.
    """
    others = [number for number in range(CONSUMERS) if number != victim]
    eventually(lambda: bool(consumers.reading(victim)), consumers.statuses)
    before, deadline = consumers.appends(victim), time.monotonic() + FLOWING_SECONDS_MAX
    while consumers.appends(victim) == before and time.monotonic() < deadline:
        time.sleep(0.02)  # records come: it has open runs
    consumers.freeze(victim)
    taken = consumers.reading(victim)
    time.sleep(SESSION_SECONDS + 1.5)  # they take its partitions, and read on
    deadline = time.monotonic() + TAKING_SECONDS_MAX
    while not taken <= set().union(*map(consumers.reading, others)) and time.monotonic() < deadline:
        time.sleep(0.05)
    consumers.thaw(victim)


def _await_all(server: Server, broker: RunningBroker, topic: str, consumers: Fleet) -> None:
    """Wait until every partition is read and folded to its end; fail when there is no progress for too long."""
    wanted = {(name, number): end for name in _read(topic) for number, end in broker.ends(name).items()}
    seen, since = -1, time.monotonic()
    while (reached := _offsets(server)) != wanted:
        if sum(reached.values()) != seen:
            seen, since = sum(reached.values()), time.monotonic()
        behind = {one: (reached.get(one), end) for one, end in wanted.items() if reached.get(one) != end}
        assert time.monotonic() - since < STANDSTILL_SECONDS_MAX, (behind, consumers.statuses())
        time.sleep(0.2)


def _read(topic: str) -> tuple[str, str]:
    """The topics of usage and of customers."""
    return topic, f"{topic}.customers"


def _offsets(server: Server) -> dict[tuple[str, int], int]:
    sources = _get(server, "/v1/sources")["data"]
    return {(source["topic"], source["partition"]): source["next_offset"] for source in sources}


# -- comparisons


def _compare_sent(broker: RunningBroker, topic: str, account: Account) -> None:
    """Each record of the account is in the topics once, and no aborted one is."""
    records: dict[Destination, int] = {
        ("usage", number): count for number, count in broker.committed_records(topic).items()
    }
    of_customers = broker.committed_records(f"{topic}.customers")
    records |= {("customers", number): count for number, count in of_customers.items()}
    assert records == {one: count for one, count in account.records.items() if one is not None}


def _compare_usage(server: Server, topic: str, account: Account) -> None:
    status = _get(server, "/v1/operations/status")
    assert Counter(status["counts"]) == account.outcomes
    names: dict[str, Destination] = {
        source["stream"]: ("usage" if source["topic"] == topic else "customers", source["partition"])
        for source in _get(server, "/v1/sources")["data"]
    }
    by_destination: Counter[tuple[Destination, str]] = Counter()
    for source in status["sources"]:
        for outcome, count in source["counts"].items():
            decided_here = outcome not in ("counted", "duplicate")
            by_destination[names.get(source["stream"]), outcome if decided_here else "counted or duplicate"] += count
    assert +by_destination == account.outcomes_by_destination
    assert {customer: _tokens(server, customer) for customer in account.tokens} == dict(account.tokens)


def _compare_commands(server: Server, account: Account) -> None:
    recorded = list(recorded_commands(server.folder))
    assert len({one.origin for one in recorded}) == len(recorded), "a delivery was recorded twice"
    outcomes: dict[CommandId, Counter[str]] = {}
    tombstones: Counter[str] = Counter()
    for one in recorded:
        source, command = one.command.source, one.command.id
        named = tombstones if source is None or command is None else outcomes.setdefault((source, command), Counter())
        named[one.command.outcome] += 1
    assert outcomes == account.commands
    assert tombstones == Counter(honoured=account.tombstones)
    assert _get(server, "/v1/operations/status")["commands_refused"] == account.command_outcomes()["refused"]
    there = {one["id"]: {name: one[name] for name in shown()} for one in _listed(server, "/v1/customers")}
    by_usage_alone = account.tokens.keys() - account.customers.keys()
    assert there == dict.fromkeys(by_usage_alone, shown()) | account.customers_there()
    assert {one["id"]: one["period_limit_usd"] for one in _listed(server, "/v1/budgets")} == account.budgets


def _tokens(server: Server, customer: str) -> int:
    answer = _get(server, f"/v1/customers/{customer}/usage?from=2025-01-01T00:00:00Z&to=2026-12-01T00:00:00Z")
    return sum(int(row["input_tokens"]) for row in answer["data"])


def _listed(server: Server, path: str) -> Iterator[Any]:
    page = _get(server, f"{path}?limit={PAGE_ROWS}")
    yield from page["data"]
    while page["next_cursor"] is not None:
        page = _get(server, f"{path}?limit={PAGE_ROWS}&cursor={page['next_cursor']}")
        yield from page["data"]


def _get(server: Server, path: str) -> Any:
    answer = httpx.get(server.url + path, headers=HEADERS, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _letters(broker: RunningBroker, topic: str) -> int:
    """The number of distinct dead letters: those of an append before a crash may be there twice."""
    names = ("meterfold-topic", "meterfold-partition", "meterfold-offset", "meterfold-index")
    found = [dict(record.headers) for record in broker.records(f"{topic}.rejected")]
    return len({tuple(headers[name] for name in names) for headers in found})


# -- memory


def _watching(server: Server, consumers: Fleet, account: Account) -> Any:
    def processes() -> dict[str, list[int]]:
        return {"owner": [server.pid], "consumer": consumers.pids()}

    def done() -> float:
        return float(sum(_get(server, "/v1/operations/status")["counts"].values()) / account.received)

    return watching(processes, done)


def _assess(memory: MemoryWatch) -> None:
    assert all(max(peaks[:2]) > 0 and peaks[-1] > 0 for peaks in memory.peaks.values()), memory.shown()
    assert max(memory.peaks["owner"]) < OWNER_BYTES_MAX, memory.shown()
    assert memory.growth("consumer") < CONSUMER_GROWTH_BYTES_MAX, memory.shown()
