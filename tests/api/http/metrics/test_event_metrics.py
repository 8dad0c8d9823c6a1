"""Events by outcome: exact, and each record of the log is counted by one scrape only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from api.http.metrics.event_metrics import EventMetrics
from domain.usage.outcomes import OUTCOMES, OutcomeCounts
from projections.duckdb.reading.snapshot import DuckDBReads
from projections.queries.log import LogPoint, SourceRecord
from tests.engine_fixtures import Api, llm_request
from tests.projections.folded_log import START, usage
from tests.projections.folding.backfills.conftest import Backfilled


class FakeReads:
    """A store in which every record holds one counted and one rejected event; remembers what it was asked."""

    def __init__(self) -> None:
        self.position = 0
        self.asked: list[tuple[int, bool]] = []

    @contextmanager
    def snapshot(self) -> Iterator[Any]:
        yield self

    def point(self) -> LogPoint:
        return LogPoint(self.position, None)

    def totals(self, after: int, gained: bool = False) -> OutcomeCounts:
        self.asked.append((after, gained))
        return OutcomeCounts(counted=self.position - after, rejected=self.position - after)

    def rejections(self, after: int) -> dict[str, int]:
        return {"not_json": self.position - after}

    def sources(self, after: str | None, limit: int) -> list[SourceRecord]:
        if after is not None:
            return []
        lost = self.position
        return [SourceRecord("kafka/c/t/0", "t", 0, lost, lost, 0, lost, START)]


def counts_of(metrics: EventMetrics) -> dict[str, float]:
    """Every value by the name of its series, and its label where it has one."""
    return {
        ":".join((sample.name.removeprefix("meterfold_"), *sample.labels.values())): sample.value
        for metric in metrics.collect()
        for sample in metric.samples
    }


def test_a_scrape_counts_what_is_new_and_counters_wait_for_a_store_that_is_behind() -> None:
    reads = FakeReads()
    metrics = EventMetrics(reads.snapshot)
    of_events = ("outcome_events:counted", "events_total:counted", "events_rejected_total:not_json")
    names = (*of_events, "kafka_records_lost_total")
    seen = []
    for position in (5, 7, 7, 3, 8):
        reads.position = position
        found = counts_of(metrics)
        seen.append(tuple(found[name] for name in names))
    assert seen == [(5, 5, 5, 5), (7, 7, 7, 7), (7, 7, 7, 7), (3, 7, 7, 7), (8, 8, 8, 8)]
    assert reads.asked == [(0, False), (0, True), (5, False), (5, True), (0, False), (3, False), (7, True)]


def test_counters_never_fall_and_do_not_depend_on_when_they_were_scraped(tmp_path: Path) -> None:
    """A replacement withdraws three events and counts four, two of them for the first time; then it is reverted."""
    folded = Backfilled(tmp_path / "read")
    reads = DuckDBReads(folded.database.cursor, folded.store.changes)
    metrics, scrapes = EventMetrics(reads.snapshot), []
    folded.deliver([usage("1"), usage("2"), usage("3"), usage("3")])
    folded.fold()
    scrapes.append(counts_of(metrics))
    folded.backfilled("again", [usage("1"), usage("2"), usage("4"), usage("5"), usage("5"), b"nothing"], "replace")
    scrapes.append(counts_of(metrics))
    folded.revert("again")
    scrapes.append(counts_of(metrics))
    at_once = counts_of(EventMetrics(reads.snapshot))
    present = [tuple(int(scrape[f"outcome_events:{one}"]) for one in OUTCOMES) for scrape in scrapes]
    came_to = [tuple(int(scrape[f"events_total:{one}"]) for one in OUTCOMES) for scrape in scrapes]
    totals = folded.totals()
    folded.close()
    assert OUTCOMES == ("counted", "duplicate", "conflict", "rejected", "withdrawn")
    assert present == [(3, 1, 0, 0, 0), (4, 2, 0, 1, 3), totals]
    assert came_to == [(3, 1, 0, 0, 0), (7, 2, 0, 1, 3), (7, 2, 0, 1, 5)]
    assert at_once == scrapes[-1]


def test_the_counts_are_those_of_the_status_also_after_a_rebuild(api: Api) -> None:
    def scraped() -> dict[str, float]:
        lines = api.send("GET", "/metrics", 200).text.splitlines()
        present, came_to = (
            {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in lines if line.startswith(series)}
            for series in ("meterfold_outcome_events{", "meterfold_events_total{")
        )
        assert present == came_to  # as there is no backfill
        return present

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
