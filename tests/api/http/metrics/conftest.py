"""What a real engine exposes after it has met everything that is measured: scraped once, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import msgspec
import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from consumers.kafka.consumer.status import ConsumerStatus, PartitionStatus, StatusFile
from tests.engine_fixtures import CLOUDEVENTS, llm_request
from tests.meterfold_process import ADMIN_KEY, Server, serving

NEW_NAMES_SECONDS_MAX = 30
_JSON = msgspec.json.Encoder(decimal_format="number")


@pytest.fixture(scope="session")
def exposition(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The text of /metrics, of an engine that runs in processes of its own."""
    folder = tmp_path_factory.mktemp("scraped")
    with serving(folder / "data", folder / "output") as server:
        _meet_everything(server)
        with httpx.Client(base_url=server.url, timeout=NEW_NAMES_SECONDS_MAX) as client:
            return client.get("/metrics").raise_for_status().text


@pytest.fixture(scope="session")
def scraped(exposition: str) -> dict[str, Metric]:
    """The metrics by name, as a client library of Prometheus reads them."""
    return {metric.name: metric for metric in text_string_to_metric_families(exposition)}


@pytest.fixture(scope="session")
def labels_of(scraped: dict[str, Metric]) -> dict[str, set[str]]:
    """The labels of every series by its name, such as meterfold_http_requests_total."""
    found: dict[str, set[str]] = {}
    for metric in scraped.values():
        for sample in metric.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def _meet_everything(server: Server) -> None:
    """Usage that counts and that does not, a customer over its budget, wrong keys, a verification, a consumer."""
    headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=NEW_NAMES_SECONDS_MAX) as client:
        budget = {"id": "very-private", "budget": {"total_limit_usd": "0"}}
        client.post("/v1/customers", json=budget).raise_for_status()
        events = [llm_request("one", "very-private"), llm_request("one", "very-private"), llm_request("")]
        body = _JSON.encode([{**event, "time": datetime.now(UTC).isoformat()} for event in events])
        client.post("/v1/events", content=body, headers={"Content-Type": CLOUDEVENTS}).raise_for_status()
        client.get("/v1/customers/very-private/access").raise_for_status()
        client.get("/nowhere/very-private")
        client.get("/v1/customers", headers={"Authorization": "Bearer sk-very-private"})
        client.post("/v1/operations/verify").raise_for_status()
    partitions = (PartitionStatus("meterfold.usage", 0, 5, 9, 4, 0.5, paused=False),)
    StatusFile(server.folder, "serve-1").write(ConsumerStatus("serve-1", 7, datetime.now(UTC), partitions))
