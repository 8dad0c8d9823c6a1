"""Usage is shown with the numbers of the API, as a table and as JSON."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import httpx
import pytest

from tests.api.cli.shell import Shell
from tests.meterfold_process import ADMIN_KEY, Server

DAY = ("--from", "2026-03-01T00:00:00Z", "--to", "2026-03-02T00:00:00Z")


@pytest.fixture(scope="module")
def used(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A customer with usage of two models."""
    event = {"specversion": "1.0", "source": "used", "type": "llm.request", "subject": "used-ada"}
    lines = [
        json.dumps({**event, "id": f"{model}-{hour}", "time": f"2026-03-01T{hour:02d}:30:00Z", "data": data})
        for model in ("small", "large")
        for hour in (3, 4)
        for data in ({"model": model, "input_tokens": 10, "output_tokens": 1, "cost_usd": "0.25"},)
    ]
    file = tmp_path_factory.mktemp("used") / "events.ndjson"
    file.write_text("\n".join(lines))
    assert Shell("--url", server.url, "--key", ADMIN_KEY).json("ingest", str(file))["counts"]["counted"] == 4
    return "used-ada"


def test_usage_is_shown_by_windows_and_groups(shell: Shell, used: str) -> None:
    rows = shell.json("usage", used, *DAY, "--window", "hour", "--group-by", "model")["data"]
    assert [(row["window_start"], row["group"]["model"], row["requests"], row["cost_usd"]) for row in rows] == [
        ("2026-03-01T03:00:00.000000Z", "large", 1, "0.25"),
        ("2026-03-01T03:00:00.000000Z", "small", 1, "0.25"),
        ("2026-03-01T04:00:00.000000Z", "large", 1, "0.25"),
        ("2026-03-01T04:00:00.000000Z", "small", 1, "0.25"),
    ]


def test_json_output_is_the_answer_of_the_api(shell: Shell, server: Server, used: str) -> None:
    answer = httpx.get(
        f"{server.url}/v1/customers/{used}/usage",
        params={"from": DAY[1], "to": DAY[3]},
        headers={"Authorization": f"Bearer {ADMIN_KEY}"},
    ).json()
    printed = shell.json("usage", used, *DAY)
    for member in ("position", "now"):
        del answer[member], printed[member]
    assert printed == answer


def test_a_table_shows_the_same_numbers(shell: Shell, used: str) -> None:
    out = shell.run("usage", used, *DAY, "--group-by", "model").out
    rows = [line.split() for line in out.splitlines() if line.startswith(("large", "small", "Total"))]
    assert rows == [
        ["large", "2", "20", "0", "2", "22", "0.50", "0.50"],
        ["small", "2", "20", "0", "2", "22", "0.50", "0.50"],
        ["Total", "4", "40", "0", "4", "44", "1.00", "1.00"],
    ]


def test_the_total_of_a_report_counts_an_event_of_two_groups_once(shell: Shell, tmp_path: Path) -> None:
    event = {"specversion": "1.0", "source": "tags", "id": "1", "type": "llm.request", "subject": "tagged-ada"}
    data = {"model": "m", "input_tokens": 5, "cost_usd": "1", "tags": ["a", "b"]}
    file = tmp_path / "events.ndjson"
    file.write_text(json.dumps({**event, "time": "2026-03-01T09:00:00Z", "data": data}))
    shell.json("ingest", str(file))
    out = shell.run("usage", "tagged-ada", *DAY, "--group-by", "tag").out
    rows = [line.split()[:2] for line in out.splitlines() if line.startswith(("a ", "b ", "Total"))]
    assert rows == [["a", "1"], ["b", "1"], ["Total", "1"]]


def test_customers_are_shown_with_their_names(shell: Shell, used: str) -> None:
    shell.json("customers", "create", used, "--set", "name=Ada Lovelace")
    assert "Usage of Ada Lovelace (used-ada), 2026-03-01 to 2026-03-02 (UTC)" in shell.run("usage", used, *DAY).out
    assert "Ada Lovelace" in shell.run("usage", *DAY, "--group-by", "customer").out


def test_csv_output_has_the_values_of_the_api(shell: Shell, used: str) -> None:
    rows = list(csv.DictReader(io.StringIO(shell.run("usage", used, *DAY, "--group-by", "model", "--csv").out)))
    assert [(row["window_start"], row["group.model"], row["cost_usd"]) for row in rows] == [
        ("2026-03-01T00:00:00.000000Z", "large", "0.5"),
        ("2026-03-01T00:00:00.000000Z", "small", "0.5"),
    ]


def test_a_bad_value_is_named_by_its_option(shell: Shell, used: str) -> None:
    ended = shell.run("usage", used, "--as-of", "2026-02-30")
    assert (ended.code, "--as-of must be an RFC 3339 instant or a day that exists" in ended.err) == (3, True)


def test_a_meter_shows_its_value(shell: Shell, used: str) -> None:
    rows = shell.json("usage", used, *DAY, "--meter", "total_tokens")["data"]
    assert [row["value"] for row in rows] == ["44"]


def test_as_of_takes_a_position(shell: Shell, used: str) -> None:
    now = shell.json("usage", used, *DAY)
    known = ("--as-of", str(now["position"]), "--at", now["now"])
    assert shell.json("usage", used, *DAY, *known) == now
    ended = shell.run("usage", used, *DAY, "--as-of", "1")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err == f"meterfold: Not found: customer {used!r} was not yet known then\n"


@pytest.mark.parametrize("command", ["usage", "current-usage", "past-usage", "budget"])
def test_as_of_takes_an_instant_and_a_day(shell: Shell, used: str, command: str) -> None:
    assert shell.run(command, used, "--as-of", "2099-01-01T00:00:00Z").code == 0
    assert shell.run(command, used, "--as-of", "2099-01-01").code == 0


@pytest.mark.parametrize("command", ["current-usage", "past-usage", "budget", "access"])
def test_every_view_of_a_customer_has_text_and_json_output(shell: Shell, used: str, command: str) -> None:
    assert shell.json(command, used)["customer"] == used
    ended = shell.run(command, used)
    assert (ended.code, ended.err, bool(ended.out)) == (0, "", True)


def test_units_are_shown_where_any_was_used(shell: Shell, tmp_path: Path, used: str) -> None:
    event = {"specversion": "1.0", "source": "units", "type": "llm.request", "subject": "units-ada"}
    sent = [
        {"model": "one", "cost_usd": "1", "web_searches": 2, "units": {"gpu_seconds": 0.5}},
        {"model": "two", "cost_usd": "1"},
    ]
    file = tmp_path / "events.ndjson"
    lines = [{**event, "id": str(n), "time": "2026-03-01T09:00:00Z", "data": data} for n, data in enumerate(sent)]
    file.write_text("\n".join(map(json.dumps, lines)))
    shell.json("ingest", str(file))
    of_usage = ("units-ada", *DAY, "--group-by", "model")
    out = shell.run("usage", *of_usage).out
    assert "Units" in out
    assert "0.5 gpu_seconds, 2 web_searches" in " ".join(out.split())
    rows = list(csv.DictReader(io.StringIO(shell.run("usage", *of_usage, "--csv").out)))
    assert [json.loads(row["units"]) for row in rows] == [{"gpu_seconds": "0.5", "web_searches": "2"}, {}]
    metered = shell.json("usage", *of_usage, "--meter", "web_searches")["data"]
    assert [row["value"] for row in metered] == ["2", "0"]
    assert "Units" not in shell.run("usage", used, *DAY, "--group-by", "model").out
