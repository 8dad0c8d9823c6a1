"""Events are listed, explained and voided, and those that were not counted are listed with their reason."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.api.cli.shell import Shell
from tests.meterfold_process import ADMIN_KEY, Server


@pytest.fixture(scope="module")
def events(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A customer with an event of known cost, one of unknown cost, and a source with a rejected event."""
    event = {"specversion": "1.0", "source": "cli-events", "type": "llm.request", "time": "2026-03-01T09:00:00Z"}
    lines = [
        {**event, "id": "known", "subject": "eve", "data": {"model": "m", "input_tokens": 1200, "cost_usd": "12.5"}},
        {**event, "id": "unknown", "subject": "eve", "data": {"model": "of-no-price", "input_tokens": 5}},
        {**event, "id": "refused"},
    ]
    file: Path = tmp_path_factory.mktemp("events") / "events.ndjson"
    file.write_text("\n".join(map(json.dumps, lines)))
    assert Shell("--url", server.url, "--key", ADMIN_KEY).run("ingest", str(file)).code == 1
    return "eve"


def test_events_are_listed_with_their_identity(shell: Shell, events: str) -> None:
    out = shell.run("events", "list", "--customer", events).out
    rows = [line.split() for line in out.splitlines() if "cli-events" in line]
    assert [(row[3], row[5], row[-1]) for row in rows] == [
        ("of-no-price", "unknown", "unknown"),
        ("m", "12.50", "known"),
    ]


def test_a_sum_with_an_unknown_cost_says_so(shell: Shell, events: str) -> None:
    day = ("--from", "2026-03-01", "--to", "2026-03-02")
    out = shell.run("usage", events, *day, "--group-by", "model").out
    assert [line.split("  ")[-1].strip() for line in out.splitlines() if line.startswith(("m ", "of-no", "Total"))] == [
        "12.50",
        "unknown (1)",
        "12.50 + unknown (1)",
    ]


def test_an_event_is_explained(shell: Shell, events: str) -> None:
    out = shell.run("events", "show", "cli-events", "known").out
    assert [line.split() for line in out.splitlines() if line.startswith(("Outcome", "Cost (", "Cost origin"))] == [
        ["Outcome", "counted"],
        ["Cost", "(USD)", "12.50"],
        ["Cost", "origin", "producer"],
    ]
    assert shell.json("events", "show", "cli-events", "known")["event"]["customer"] == events
    assert shell.run("events", "show", "cli-events", "none").code == 3


def test_a_void_is_made_and_removed(shell: Shell, events: str) -> None:
    voided = shell.json("events", "void", "cli-events", "known", "--reason", "billed twice")
    assert (voided["voided"], voided["corrections"][-1]["reason"]) == (True, "billed twice")
    assert [one["id"] for one in shell.json("events", "list", "--customer", events)["data"]] == ["unknown"]
    out = shell.run("events", "unvoid", "cli-events", "known").out
    assert "known of cli-events is not voided: it counts" in out
    assert "billed twice" in out


def test_a_conflict_is_told_by_what_differs(shell: Shell, events: str, tmp_path: Path) -> None:
    event = {"specversion": "1.0", "source": "cli-conflicts", "id": "1", "type": "llm.request", "subject": "con"}
    lines = [{**event, "data": {"input_tokens": tokens}} for tokens in (5, 7)]
    file = tmp_path / "events.ndjson"
    file.write_text("\n".join(map(json.dumps, lines)))
    assert shell.run("ingest", str(file)).code == 1
    shown = " ".join(shell.run("events", "show", "cli-conflicts", "1").out.split())
    assert "data.input_tokens: counted 5, received 7" in shown
    assert "data.input_tokens" in shell.run("rejected", "list", "--outcome", "conflict").out


def test_the_void_of_an_event_that_nobody_sent_is_said_to_wait_for_it(shell: Shell) -> None:
    out = shell.run("events", "void", "cli-events", "to come").out
    assert "to come of cli-events is voided: no such event has been received yet, and the void waits for it" in out


def test_a_rejected_event_is_listed_with_its_reason(shell: Shell, events: str) -> None:
    rows = list(csv.DictReader(io.StringIO(shell.run("rejected", "list", "--csv").out)))
    assert [(row["reason"], row["outcome"]) for row in rows if row["source"] == "cli-events"] == [
        ("subject_missing", "rejected")
    ]
    assert "subject_missing" in shell.run("rejected", "list", "--reason", "subject_missing").out
    conflicts = shell.json("rejected", "list", "--outcome", "conflict")["data"]
    assert [one["id"] for one in conflicts if one["source"] == "cli-events"] == []


@pytest.fixture
def mixed_up(shell: Shell, tmp_path: Path) -> tuple[str, str]:
    """The identity of an event with wrong values."""
    identity = {"source": "cli-amended", "id": "one"}
    data = {"model": "m", "input_tokens": 1200, "output_tokens": 5}
    event = {
        "specversion": "1.0",
        "type": "llm.request",
        "subject": "eve",
        "time": "2026-03-01T09:00:00Z",
        "data": data,
    }
    file = tmp_path / "mixed_up.ndjson"
    file.write_text(json.dumps(identity | event))
    shell.run("ingest", str(file))
    return identity["source"], identity["id"]


def test_an_event_is_amended_and_shown_with_its_versions(shell: Shell, mixed_up: tuple[str, str]) -> None:
    given = ("--set", "input_tokens=7", "--set", "units.own=2.5", "--set", "note=a b", "--unset", "output_tokens")
    to = ("--customer", "cli-amended", "--time", "2026-01-02T00:00:00Z", "--reason", "mixed up")
    out = shell.run("events", "amend", *mixed_up, *given, *to).out
    assert "mixed up" in out
    assert "data.input_tokens" in out
    shown = shell.json("events", "show", *mixed_up)
    event = shown["event"]
    assert (event["customer"], event["time"]) == ("cli-amended", "2026-01-02T00:00:00.000000Z")
    assert (event["input_tokens"], event["output_tokens"], event["units"]) == (7, 0, {"own": "2.5"})
    assert event["properties"] == {"note": "a b", "units": {"own": 2.5}}
    assert [version["because"] for version in shown["versions"]] == ["counted", "amended"]
    assert "Versions, by log position" in shell.run("events", "show", *mixed_up).out


def test_an_amendment_that_breaks_a_rule_is_refused(shell: Shell, mixed_up: tuple[str, str]) -> None:
    ended = shell.run("events", "amend", *mixed_up, "--set", "status=lost")
    assert ended.code == 3
    assert "--set status must be" in ended.err
