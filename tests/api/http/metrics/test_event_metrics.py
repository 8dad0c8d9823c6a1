"""Events by outcome: exact, and each record of the log is counted by one scrape only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from api.http.metrics.event_metrics import EventMetrics
from domain.usage.outcomes import OutcomeCounts
from projections.queries.log import LogPoint
from tests.engine_fixtures import Api, llm_request


class FakeReads:
    """A store in which every record holds one counted and one rejected event; remembers what it was asked."""

    def __init__(self) -> None:
        self.position = 0
        self.asked: list[int] = []

    @contextmanager
    def snapshot(self) -> Iterator[Any]:
        yield self

    def point(self) -> LogPoint:
        return LogPoint(self.position, None)

    def totals(self, after: int) -> OutcomeCounts:
        self.asked.append(after)
        return OutcomeCounts(counted=self.position - after, rejected=self.position - after)

    def rejections(self, after: int) -> dict[str, int]:
        return {"not_json": self.position - after}

    def sources(self, after: str | None, limit: int) -> list[Any]:
        return []


def counts_of(metrics: EventMetrics) -> dict[str, float]:
    return {
        next(iter(sample.labels.values()), metric.name): sample.value
        for metric in metrics.collect()
        for sample in metric.samples
    }


def test_a_scrape_counts_what_is_new_and_a_store_that_is_behind_from_its_beginning() -> None:
    reads = FakeReads()
    metrics = EventMetrics(reads.snapshot)
    seen = []
    for position in (5, 7, 7, 3):
        reads.position = position
        found = counts_of(metrics)
        seen.append((found["counted"], found["rejected"], found["not_json"]))
    assert seen == [(5, 5, 5), (7, 7, 7), (7, 7, 7), (3, 3, 3)]
    assert reads.asked == [0, 5, 0]


def test_the_counts_are_those_of_the_status_also_after_a_rebuild(api: Api) -> None:
    def scraped() -> dict[str, float]:
        lines = api.send("GET", "/metrics", 200).text.splitlines()
        found = [line.split("outcome=")[1] for line in lines if line.startswith("meterfold_events_total{")]
        return {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in found}

    def expected() -> dict[str, float]:
        counts = api.get("/v1/operations/status")["counts"]
        return {name: counts[name] for name in ("counted", "duplicate", "conflict", "rejected", "withdrawn")}

    before = scraped()
    assert before == expected()
    api.deliver([llm_request("one"), llm_request("one"), llm_request("one", input_tokens=9), llm_request("")])
    api.deliver([llm_request("two")])
    assert (
        scraped()
        == expected()
        == {name: count + 1 for name, count in before.items()} | {"counted": before["counted"] + 2, "withdrawn": 0}
    )
    api.send("POST", "/v1/operations/rebuild", 200)
    api.deliver([llm_request("three")])
    assert scraped() == expected()
    assert 'meterfold_events_rejected_total{reason="id_invalid"}' in api.send("GET", "/metrics", 200).text
