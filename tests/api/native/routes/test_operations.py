"""Health, metrics, the access log and the operations of an operator."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from consumers.embedded.engine import EmbeddedEngine
from consumers.engine import FoldProgress, Refusals
from consumers.kafka.consumer.status import ConsumerStatus, StatusFile
from consumers.settings import Settings
from projections.queries.api_keys import ApiKeyRecord
from tests.captured_logs import captured_logs
from tests.engine_fixtures import Api, llm_request

QUICK = Settings(http_write_wait_seconds_max=0.05)


def metric(api: Api, line: str) -> float:
    found = [one for one in api.send("GET", "/metrics", 200).text.splitlines() if one.startswith(line + " ")]
    return float(found[0].rpartition(" ")[2])


def test_readiness_shows_how_far_the_fold_is_behind(api: Api) -> None:
    position = api.deliver([llm_request("ready")])["position"]
    assert api.get("/healthz") == {"status": "ok"}
    assert api.get("/readyz") == {
        "ready": True,
        "position": position,
        "head": position,
        "behind_positions": 0,
        "behind_seconds": 0.0,
        "failure": None,
        "writes_refused": None,
        "reads_refused": None,
    }


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (
            "IOException: /data: No space left on device",
            "the read store cannot be written, the disk under it is full: free some space; "
            "the fold then resumes by itself",
        ),
        (
            "LogCorrupted: a record holds no such event: 'Ann of acme'",  # is for the operator alone
            "the fold stopped after position 3; 'meterfold status' and the engine's log have the reason",
        ),
    ],
)
def test_an_engine_whose_fold_has_stopped_is_not_ready(
    engine: EmbeddedEngine, api: Api, failure: str, told: str
) -> None:
    class Stopped(EmbeddedEngine):
        def __init__(self) -> None:
            self.settings, self.reads, self.now = QUICK, engine.reads, engine.now

        def authenticate(self, secret: str) -> ApiKeyRecord | None:
            return engine.authenticate(secret)

        def wait_folded(self, position: int, timeout_seconds: float) -> bool:
            return position <= 3

        def folded_position(self) -> int:
            return 3

        def progress(self) -> FoldProgress:
            return FoldProgress(3, 5, 2.5, failure)

        def refusals(self) -> Refusals:
            return Refusals(None, None)

        def replay_state(self) -> None:
            return None

    stopped = Api(TestClient(create_app(Stopped())), api.key)
    assert stopped.get("/v1/budgets", min_position=3)["data"] == []
    assert stopped.refused("GET", "/v1/budgets?min_position=4", 503)["type"] == "/problems/fold_stopped"
    answer = stopped.client.get("/readyz")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert (answer.json()["ready"], answer.json()["behind_positions"], answer.json()["failure"]) == (
        False,
        2,
        told,
    )
    assert stopped.get("/v1/operations/status")["failure"] == failure


class Refusing(EmbeddedEngine):
    """An engine whose storage refuses something."""

    def __init__(self, engine: EmbeddedEngine, refused: Refusals) -> None:
        self.__dict__ |= engine.__dict__
        self.refused = refused

    def refusals(self) -> Refusals:
        return self.refused


FULL = "the disk under it is full: free some space"


@pytest.mark.parametrize(
    ("refused", "statuses", "told"),
    [
        (Refusals(None, None), (200, 200), (None, None)),
        (Refusals(FULL, None), (503, 200), (f"the log cannot be written, {FULL}", None)),
        (Refusals(None, "it broke"), (503, 503), (None, "the read store cannot be read, it broke")),
    ],
)
def test_what_the_storage_refuses_makes_the_engine_not_ready_for_it(
    engine: EmbeddedEngine, api: Api, refused: Refusals, statuses: tuple[int, int], told: tuple[str | None, str | None]
) -> None:
    refusing = Api(TestClient(create_app(Refusing(engine, refused))), api.key)
    all_in_all, for_reads = refusing.client.get("/readyz"), refusing.client.get("/readyz?for=reads")
    assert (all_in_all.status_code, for_reads.status_code) == statuses
    assert (all_in_all.json()["ready"], for_reads.json()["ready"]) == tuple(status == 200 for status in statuses)
    assert (all_in_all.json()["writes_refused"], all_in_all.json()["reads_refused"]) == told
    shown = refusing.get("/v1/operations/status")
    assert (shown["writes_refused"], shown["reads_refused"]) == told
    assert metric(refusing, "meterfold_writes_refused") == (told[0] is not None)
    assert metric(refusing, "meterfold_reads_refused") == (told[1] is not None)
    assert refusing.refused("GET", "/readyz?for=everything", 422)["field"] == "for"


def test_metrics_count_requests_and_events(api: Api) -> None:
    counted = metric(api, 'meterfold_events_total{outcome="counted"}')
    answered = 'meterfold_http_requests_total{method="POST",route="/v1/events",status="200"}'
    api.deliver([llm_request("metric 0")])
    before = metric(api, answered)
    position = api.deliver([llm_request("metric 1"), llm_request("metric 2")])["position"]
    assert metric(api, answered) == before + 1
    assert metric(api, 'meterfold_events_total{outcome="counted"}') == counted + 3
    assert metric(api, "meterfold_log_head_position") == position
    assert metric(api, "meterfold_fold_lag_records") == 0
    assert metric(api, "meterfold_fold_stopped") == 0


def test_metrics_name_routes_never_ids(api: Api) -> None:
    api.refused("GET", "/v1/customers/very-private", 404)
    api.refused("GET", "/nowhere/very-private", 404)
    text = api.send("GET", "/metrics", 200).text
    assert 'route="/v1/customers/{customer_id}",status="404"' in text
    assert 'route="(none)",status="404"' in text
    assert "very-private" not in text


def test_the_access_log_names_key_and_route_and_no_secret(api: Api) -> None:
    with captured_logs() as lines:
        api.send("GET", "/v1/customers?prefix=query-value", 200, {"X-Request-Id": "first"})
        api.send("GET", "/v1/customers", 401, {"Authorization": "Bearer sk-wrong-secret", "X-Request-Id": "second"})
    (first, second) = [line for line in lines if line["event"] == "request"]
    key_id = first.pop("key_id")
    assert first.pop("milliseconds") > 0
    assert key_id.startswith("key_")
    assert first == {
        "event": "request",
        "request_id": "first",
        "tenant": "default",
        "environment": "prod",
        "client": key_id,
        "log_level": "info",
        "method": "GET",
        "route": "/v1/customers",
        "path": "/v1/customers",
        "status": 200,
    }
    assert (second["status"], second["key_id"], second["request_id"]) == (401, None, "second")
    assert {"tenant", "environment", "client"} & second.keys() == set()
    assert all(secret not in repr(lines) for secret in (api.key, "sk-wrong-secret", "query-value"))


def test_status_shows_positions_counts_and_sources(api: Api) -> None:
    api.deliver([llm_request("status"), llm_request("status")])
    status = api.get("/v1/operations/status")
    assert status["position"] == status["head"]
    assert status["tenants"] == ["default/prod"]
    (source,) = status["sources"]
    assert (source["tenant"], source["environment"]) == ("default", "prod")
    assert {**source["counts"], "withdrawn": 0} == status["counts"]
    assert status["counts"]["duplicate"] >= 1
    assert min(status["log_bytes"], status["store_bytes"]) > 0


def test_replay_and_verify_answer_with_steps_and_result(api: Api) -> None:
    api.deliver([llm_request("operated")])
    before = api.get("/v1/operations/status")["counts"]
    for operation in ("replay", "verify"):
        answer = api.send("POST", f"/v1/operations/{operation}", 200)
        assert answer.headers["content-type"] == "application/x-ndjson"
        *steps, last = [json.loads(line) for line in answer.text.splitlines()]
        assert steps
        assert all(set(step["step"]) == {"stage", "done", "total", "unit"} for step in steps)
        assert (last["result"]["operation"], last["result"]["findings"]) == (operation, [])
    assert api.get("/v1/operations/status")["counts"] == before
    assert api.deliver([llm_request("after replay"), llm_request("operated")])["counts"]["counted"] == 1


def test_a_failed_operation_says_so_in_its_last_line(engine: EmbeddedEngine, api: Api) -> None:
    class Failing(EmbeddedEngine):
        def __init__(self) -> None:
            self.settings, self.reads, self.key_cache = engine.settings, engine.reads, engine.key_cache

        def verify(self):  # type: ignore[no-untyped-def]
            yield from ()
            raise OSError("no space left")

    answer = Api(TestClient(create_app(Failing())), api.key).send("POST", "/v1/operations/verify", 200)
    assert json.loads(answer.text) == {"failure": {"detail": "OSError: no space left"}}


def test_the_status_tells_why_a_consumer_reads_by_the_public_poll(engine: EmbeddedEngine, api: Api) -> None:
    reasons = {"fast": None, "slow": "kafka-python 9.9 lacks kafka.a:B"}
    files = {name: StatusFile(engine.settings.data_dir, name) for name in reasons}
    for name, reason in reasons.items():
        files[name].write(ConsumerStatus(name, 7, datetime.now(UTC), public_poll=reason))
    try:
        consumers = api.get("/v1/operations/status")["consumers"]
    finally:
        for file in files.values():
            file.close()
    assert {one["name"]: one["public_poll"] for one in consumers} == reasons
