"""GET /v1/sources, and records from Kafka in status, rebuild and verification."""

from __future__ import annotations

import json

from consumers.embedded.engine import EmbeddedEngine
from consumers.intake.options import IntakeOptions
from consumers.kafka.appending.appender import PartitionAppender
from domain.scope import Scope
from projections.folding.recovery import log_creation
from tests.consumers.kafka.appending.partition_polls import OTHER_PARTITION, SOURCE, command, event, poll
from tests.engine_fixtures import Api, key_for
from tests.fakes.gated_intake import no_price
from tests.fakes.randomness import CountedRandomness


def appender_of(engine: EmbeddedEngine) -> PartitionAppender:
    seed = log_creation(engine.log).hash_seed
    return PartitionAppender(engine.log, engine.keys, seed, engine.now, CountedRandomness(), no_price, IntakeOptions())


def test_partitions_are_listed_page_by_page_and_counted_in_the_status(engine: EmbeddedEngine, api: Api) -> None:
    api.deliver([event("over http", "kafka-customer")])
    appender = appender_of(engine)
    appender.append(poll([event("a", "kafka-customer"), command("customer.nap"), event("over http", "kafka-customer")]))
    appender.records_lost(SOURCE, 3, 10)
    done = appender.append(
        poll([command("customer.update", "kafka-customer", name="Ada"), b"oops"], source=OTHER_PARTITION)
    )

    listed = api.get("/v1/sources", min_position=done.position)["data"]
    assert listed == api.pages("/v1/sources", limit=1)
    assert [(one["partition"], one["next_offset"], one["records_lost"], one["commands_refused"]) for one in listed] == [
        (0, 10, 7, 1),
        (1, 2, 0, 0),
    ]
    assert listed[0]["stream"] == SOURCE.stream
    assert listed[0]["topic"] == "meterfold.usage"
    status = api.get("/v1/operations/status")
    assert (status["records_lost"], status["commands_refused"]) == (7, 1)
    metrics = api.send("GET", "/metrics", 200).text.splitlines()
    assert {"meterfold_kafka_records_lost_total 7.0", "meterfold_kafka_commands_refused_total 1.0"} <= set(metrics)
    by_stream = {source["stream"]: source["counts"] for source in status["sources"]}
    assert by_stream[SOURCE.stream] == {"counted": 1, "duplicate": 1, "conflict": 0, "rejected": 0}
    assert by_stream[OTHER_PARTITION.stream] == {"counted": 0, "duplicate": 0, "conflict": 0, "rejected": 1}
    assert api.get("/v1/customers/kafka-customer")["name"] == "Ada"


def test_rebuild_and_verification_agree_on_records_from_kafka(api: Api) -> None:
    before = api.get("/v1/sources")["data"]
    for operation in ("verify", "replay", "verify"):
        answer = api.send("POST", f"/v1/operations/{operation}", 200)
        assert json.loads(answer.text.splitlines()[-1])["result"]["findings"] == []
    assert api.get("/v1/sources")["data"] == before


def test_sources_are_for_operators_only(engine: EmbeddedEngine, api: Api) -> None:
    tenant = Api(api.client, key_for(engine, Scope("globex", "prod")))
    assert tenant.refused("GET", "/v1/sources", 403)["type"] == "/problems/forbidden"
    reader = Api(api.client, key_for(engine, Scope("default", "prod"), "read"))
    assert reader.refused("GET", "/v1/sources", 403)["type"] == "/problems/forbidden"
