"""What a log holds is published again, and another engine that consumes it counts the same usage."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.embedded.engine import EmbeddedEngine
from consumers.errors import BrokerRefused, RangeInvalid
from consumers.kafka.producing.file_producer import Bounds
from consumers.replay.publishing import Pace, Publication, Published
from consumers.settings import Settings
from domain.scope import Scope
from tests.consumers.kafka.broker.consuming import await_received, consuming, open_log
from tests.consumers.kafka.broker.running_broker import RunningBroker, given_or_running_broker
from tests.engine_fixtures import Api, SettableClock, engine_on, http, key_for, llm_request

pytestmark = pytest.mark.kafka

OTHER = Scope("acme", "test")
FAST = 1_000_000
EVER = {"from": "2020-01-01", "to": "2030-01-01"}
QUESTIONS: tuple[dict[str, str], ...] = (
    {"group_by": "customer"},
    {"window": "day", "group_by": "model"},
    {"group_by": "property:plan.seats"},
)
EVENT_MEMBERS = ("id", "source", "type", "customer", "time", "model", "status", "input_tokens", "tags", "properties")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    with given_or_running_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def live(tmp_path: Path, clock: SettableClock) -> Iterator[EmbeddedEngine]:
    """An engine with usage of every kind, of two tenants."""
    with engine_on(tmp_path / "live", clock) as engine:
        with http(engine) as api:
            api.deliver([llm_request(f"a-{number}", customer=f"customer-{number % 3}") for number in range(20)])
            conflict = {**llm_request("a-4", customer="customer-1"), "data": {"model": "swift", "input_tokens": 5}}
            api.deliver([llm_request("a-3", customer="customer-0"), conflict])
            data = {"plan": {"seats": 1e3, "exact": 0.10}, "cost_usd": "0.123456789012", "tags": ["x", "y"]}
            api.deliver(
                [{**llm_request("rich"), "data": {**llm_request("rich")["data"], **data}, "traceparent": "00-1"}]
            )
            api.deliver([{**llm_request("other type"), "type": "page.view", "data": {"plan": "gold"}}])
            api.deliver([{"id": "bad"}, llm_request("without time", time=None)])
            for event_id in ("a-5", "a-6"):
                api.post("/v1/events/void", {"source": "gateway", "id": event_id}, 200)
            api.post("/v1/events/unvoid", {"source": "gateway", "id": "a-6"}, 200)
            amended = {"source": "gateway", "id": "a-7", "data": {"input_tokens": 7_000_000}}
            api.post("/v1/events/amend", amended, 200)
        other = key_for(engine, OTHER)
        with http(engine) as api:
            Api(api.client, other).deliver([llm_request("of acme", customer="theirs")])
        yield engine


def settings_of(engine: EmbeddedEngine, broker: RunningBroker) -> Settings:
    return Settings(data_dir=engine.folder.root, kafka_bootstrap=broker.bootstrap)


def published(
    engine: EmbeddedEngine, broker: RunningBroker, topic: str, first: str | None = None, end: str | None = None
) -> Published:
    publication = Publication(settings_of(engine, broker), topic, Pace(FAST))
    publication.run(first, end, lambda done, total: None)
    return publication.published


def answers(engine: EmbeddedEngine, scope: Scope) -> Any:
    with http(engine) as client:
        api = Api(client.client, key_for(engine, scope))
        counted = [{name: event.get(name) for name in EVENT_MEMBERS} for event in api.pages("/v1/events", limit=100)]
        return [api.get("/v1/usage", **EVER, **asked)["data"] for asked in QUESTIONS], sorted(
            counted, key=lambda event: str(event["id"])
        )


def test_another_engine_that_consumes_it_gives_the_same_usage(
    live: EmbeddedEngine, broker: RunningBroker, tmp_path: Path, clock: SettableClock
) -> None:
    topic = broker.fresh_topic(partitions=3)
    broker.make_topic(f"{topic}.customers")
    found = published(live, broker, topic)
    assert (found.voided, found.amended, found.rejected) == (1, 1, 1)
    assert found.acknowledged == found.events == 25
    assert found.acknowledged_position == live.log.head_position()
    with open_log(tmp_path / "second") as opened, consuming(opened, broker, topic):
        await_received(opened, found.events)
    with engine_on(tmp_path / "second", clock) as second:
        assert second.wait_folded(second.log.head_position(), 60)
        for scope in (Scope("default", "prod"), OTHER):
            assert answers(second, scope) == answers(live, scope)
        [sums, *_] = answers(second, Scope("default", "prod"))[0]
        assert sum(window["requests"] for window in sums) == 21


def test_one_partition_keeps_the_order_of_events_of_several_customers_under_one_identity(
    live: EmbeddedEngine, broker: RunningBroker, tmp_path: Path, clock: SettableClock
) -> None:
    with http(live) as api:
        api.deliver([llm_request("a-8", customer="someone-else"), llm_request("a-9", customer="someone-else")])
    topic = broker.fresh_topic(partitions=1)
    broker.make_topic(f"{topic}.customers")
    found = published(live, broker, topic)
    with open_log(tmp_path / "second") as opened, consuming(opened, broker, topic):
        await_received(opened, found.events)
    with engine_on(tmp_path / "second", clock) as second:
        assert second.wait_folded(second.log.head_position(), 60)
        assert answers(second, OTHER) == answers(live, OTHER)
        assert answers(second, Scope("default", "prod")) == answers(live, Scope("default", "prod"))


def test_records_are_keyed_by_customer_and_name_their_tenant_in_the_order_of_the_log(
    live: EmbeddedEngine, broker: RunningBroker
) -> None:
    topic = broker.fresh_topic(partitions=1)
    published(live, broker, topic)
    records = broker.records(topic)
    events = [json.loads(record.value) for record in records]
    assert [event["id"] for event in events[:5]] == ["a-0", "a-1", "a-2", "a-3", "a-4"]
    assert [record.key.decode() for record in records] == [event["subject"] for event in events]
    tenants = [dict(record.headers)["meterfold-tenant"] for record in records]
    assert (tenants[0], tenants[-1], events[-1]["id"]) == (b"default", b"acme", "of acme")


def test_a_replay_that_was_stopped_goes_on_behind_what_was_acknowledged(
    live: EmbeddedEngine, broker: RunningBroker, tmp_path: Path, clock: SettableClock
) -> None:
    topic = broker.fresh_topic(partitions=2)
    publication = Publication(settings_of(live, broker), topic, Pace(FAST), Bounds(unacknowledged_records_max=1))

    def stop(done: int, total: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publication.run(None, None, stop)
    reached = publication.published.acknowledged_position
    assert 0 < reached <= 6
    rest = published(live, broker, topic, first=str(reached + 1))
    assert rest.acknowledged_position == live.log.head_position()
    whole = {(event["source"], event["id"]) for event in map(json.loads, (one.value for one in broker.records(topic)))}
    assert len(whole) == 23  # 25 with a duplicate and a conflict
    assert publication.published.acknowledged + rest.events >= 25


def test_what_cannot_be_published_to_is_told(live: EmbeddedEngine, broker: RunningBroker) -> None:
    with pytest.raises(BrokerRefused, match="not-there"):
        published(live, broker, "not-there")
    with pytest.raises(RangeInvalid, match="from must be"):
        published(live, broker, broker.fresh_topic(), first="soon")
