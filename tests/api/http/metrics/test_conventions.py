"""What is scraped keeps the conventions of Prometheus: names, units, types, help texts, and labels that are bounded."""

from __future__ import annotations

import re

import httpx
import pytest
from prometheus_client.core import Metric

from domain.usage.outcomes import OUTCOMES
from tests.engine_fixtures import Api
from tests.meterfold_process import ROOT

#: Metrics that the client library defines, by the names of all client libraries.
OF_THE_LIBRARY = re.compile(r"(meterfold_intake_)?process_|python_info")
UNITS = ("_seconds", "_bytes", "_records", "_position", "_info")
#: Gauges that count things or are 1 while something holds.
WITHOUT_UNIT = {
    "meterfold_fold_stopped",
    "meterfold_outcome_events",
    "meterfold_writes_refused",
    "meterfold_reads_refused",
    "meterfold_intake_requests_in_flight",
    "meterfold_verification_findings",
    "meterfold_kafka_consumer_retrying",
    "meterfold_kafka_dead_letters_unpublished",
    "meterfold_kafka_partition_paused",
    "meterfold_kafka_partition_stopped",
}
#: Every label, and how a value of it looks like.
LABELS = {
    "method": "GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|OTHER",
    "route": r"\(none\)|/[a-z0-9_.{}/-]*",
    "status": "[1-5][0-9][0-9]",
    "le": r"[0-9.]+|\+Inf",
    "outcome": "|".join(OUTCOMES),
    "reason": "[a-z_]+",
    "decision": "allowed|refused",
    "job_name": "[a-z -]+",
    "folder": "log|read",
    "source": "fold|events|engine|storage|disk|kafka|process",
    "consumer": "serve-1",
    "topic": "meterfold.usage",
    "partition": "[0-9]+",
    "version": r"[0-9a-z.+]+",
}
#: Names that Prometheus gives to the labels of its targets.
TAKEN_LABELS = {"job", "instance"}


@pytest.fixture(scope="session")
def own(scraped: dict[str, Metric]) -> dict[str, Metric]:
    return {name: metric for name, metric in scraped.items() if not OF_THE_LIBRARY.match(name)}


def test_names_have_the_prefix_of_the_program_and_no_capitals(own: dict[str, Metric]) -> None:
    assert [name for name in own if not re.fullmatch("meterfold_[a-z][a-z0-9_]*[a-z0-9]", name)] == []


def test_every_metric_is_explained_and_typed_and_has_series(own: dict[str, Metric], exposition: str) -> None:
    assert [name for name, metric in own.items() if not metric.documentation.endswith(".")] == []
    assert {metric.type for metric in own.values()} == {"counter", "gauge", "histogram"}
    assert [name for name, metric in own.items() if not metric.samples] == []
    helped = re.findall("^# HELP (\\S+)", exposition, re.MULTILINE)
    assert len(helped) == len(set(helped))


def test_counters_end_in_total_and_nothing_else_does(own: dict[str, Metric]) -> None:
    for name, metric in own.items():
        names = {sample.name for sample in metric.samples}
        assert (names == {f"{name}_total"}) == (metric.type == "counter"), name


def test_gauges_and_histograms_end_in_a_base_unit(own: dict[str, Metric]) -> None:
    measured = {name for name, metric in own.items() if metric.type != "counter"}
    assert {name for name in measured if not name.endswith(UNITS)} == WITHOUT_UNIT


def test_instants_are_called_timestamps_and_are_unix_time(own: dict[str, Metric]) -> None:
    instants = {name: metric for name, metric in own.items() if name.endswith("_timestamp_seconds")}
    assert instants.keys() == {
        "meterfold_verification_timestamp_seconds",
        "meterfold_kafka_consumer_status_timestamp_seconds",
    }
    assert all(sample.value > 1.7e9 for metric in instants.values() for sample in metric.samples)


def test_labels_hold_no_id_and_no_name_that_a_caller_chose(own: dict[str, Metric], exposition: str) -> None:
    found = {
        (name, value) for metric in own.values() for sample in metric.samples for name, value in sample.labels.items()
    }
    assert {name for name, _ in found} == LABELS.keys()
    assert [(name, value) for name, value in found if not re.fullmatch(LABELS[name], value)] == []
    assert not TAKEN_LABELS & LABELS.keys()
    assert "very-private" not in exposition


def test_the_docs_list_every_metric_with_its_labels(own: dict[str, Metric]) -> None:
    page = (ROOT / "docs" / "operating" / "monitoring.md").read_text()
    rows = re.findall(r"^\| `(meterfold_\w+)` \| ([^|]*)\| [^`]", page, re.MULTILINE)
    listed = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    exposed = {
        metric.name + ("_total" if metric.type == "counter" else ""): set(metric.samples[0].labels) - {"le"}
        for metric in own.values()
    }
    assert listed == exposed


def test_no_counter_has_a_second_series_for_its_creation(exposition: str) -> None:
    assert "_created" not in exposition


def test_processes_have_the_names_of_all_client_libraries(labels_of: dict[str, set[str]]) -> None:
    expected = {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds", "python_info"}
    assert expected <= labels_of.keys()
    assert {"meterfold_intake_process_resident_memory_bytes", "meterfold_build_info"} <= labels_of.keys()


def test_every_source_was_read(scraped: dict[str, Metric]) -> None:
    assert {sample.value for sample in scraped["meterfold_scrape_errors"].samples} == {0}


@pytest.mark.parametrize(
    ("accept", "content_type", "ending"),
    [
        ("*/*", "text/plain; version=0.0.4; charset=utf-8", ""),
        ("", "text/plain; version=0.0.4; charset=utf-8", ""),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
            "# EOF\n",
        ),
    ],
)
def test_the_format_is_the_one_that_is_asked_for(api: Api, accept: str, content_type: str, ending: str) -> None:
    answer: httpx.Response = api.send("GET", "/metrics", 200, {"Accept": accept})
    assert answer.headers["content-type"] == content_type
    assert answer.text.endswith("# EOF\n") == bool(ending)
    assert "_created" not in answer.text
