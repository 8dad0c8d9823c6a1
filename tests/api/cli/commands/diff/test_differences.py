"""The command `diff`: tables as people see them at 80 columns, JSON, CSV and what is refused."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.api.cli.shell import Shell
from tests.meterfold_process import ADMIN_KEY, Server

MARCH: Final = ("--period-of", "2026-03")


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def event(event_id: str, customer: str, cost_usd: str) -> dict[str, Any]:
    about = {"specversion": "1.0", "source": "diffed", "type": "llm.request", "time": "2026-03-10T12:00:00Z"}
    data = {"model": "swift", "input_tokens": 1200, "output_tokens": 34, "cost_usd": cost_usd}
    return {**about, "id": event_id, "subject": customer, "data": data}


def ingest(shell: Shell, folder: Path, *events: dict[str, Any]) -> int:
    file = folder / "events.ndjson"
    file.write_text("\n".join(json.dumps(one) for one in events))
    position: int = shell.json("ingest", str(file))["position"]
    return position


@pytest.fixture(scope="module")
def disputed(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The position at which a March was known that has changed since."""
    shell, folder = Shell("--url", server.url, "--key", ADMIN_KEY), tmp_path_factory.mktemp("disputed")
    ingest(shell, folder, event("1", "diffed-ada", "2"), event("2", "diffed-ada", "0.25"))
    since = shell.json("usage", "diffed-ada")["position"]
    ingest(shell, folder, event("3", "diffed-ada", "5"), event("4", "diffed-bob", "1"))
    shell.run("events", "void", "diffed", "2", "--reason", "our own test")
    markup = ("--set", "markup_percentage=10", "--set", "effective_at=2026-03-01T00:00:00Z")
    shell.run("customers", "update", "diffed-ada", *markup, "--reason", "contract of March")
    return str(since)


def test_tables_tell_the_numbers_at_both_points_the_sums_and_each_cause(shell: Shell, disputed: str) -> None:
    out = shell.run("diff", disputed, "--customer", "diffed-ada", *MARCH).out
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert max(map(len, out.splitlines())) <= 80
    assert lines[0] == "Usage of diffed-ada, 2026-03-01 to 2026-04-01 (UTC)"
    assert f"known at position {disputed} 2 2,468 2.25 2.25 0" in lines
    assert "difference 0 0 4.75 5.45 0" in lines
    for expected in (
        "late events 1 1 1,234 5.00 5.00 0",
        "voided events 1 -1 -1,234 -0.25 -0.25 0",
        "markup - 0 0 0.00 0.70 0",
        "Total - 0 0 4.75 5.45 0",
    ):
        assert expected in lines
    assert [line.split(" ", 2)[2] for line in lines if line.endswith(("5.00", "-0.25", "0.70"))] == [
        "late event 3 of diffed 5.00",
        "voided: our own test 2 of diffed -0.25",
        "markup: contract of March customer.updated 0.70",
    ]


def test_json_is_the_answer_of_the_api_with_the_causes_of_all_pages(shell: Shell, disputed: str) -> None:
    found = shell.json("diff", disputed, *MARCH, "--limit", "1000")
    assert [one["kind"] for one in found["data"] if one["customer"].startswith("diffed")] == [
        *("late", "late", "voided", "markup")
    ]
    assert found["next_cursor"] is None
    assert (found["before"]["position"], found["customer"]) == (int(disputed), None)


def test_a_limit_says_that_there_are_more(shell: Shell, disputed: str) -> None:
    ended = shell.run("diff", disputed, "--customer", "diffed-ada", *MARCH, "--limit", "2")
    assert ended.err == "more causes than shown: give a larger --limit to list them\n"


def test_csv_has_the_causes(shell: Shell, disputed: str) -> None:
    out = shell.run("diff", disputed, "--customer", "diffed-ada", *MARCH, "--csv").out
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["kind"], row["event.id"], row["moved.reported_cost_usd"]) for row in rows] == [
        ("late", "3", "5"),
        ("voided", "2", "-0.25"),
        ("markup", "", "0.7"),
    ]


def test_between_a_point_and_itself_nothing_moved(shell: Shell, disputed: str) -> None:
    out = shell.run("diff", disputed, disputed, "--customer", "diffed-ada", *MARCH).out
    assert out.splitlines()[-1] == "nothing moved it"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("99999999",), "A must not be later than the last folded position"),
        (("3", "2"), "A must not be later than B"),
        (("x",), "A must be an RFC 3339 instant, a day or a log position"),
        (("1", "x"), "B must be an RFC 3339 instant, a day or a log position"),
        (("1", "--period-of", "x"), "--period-of must be an RFC 3339 instant, a day or a month"),
        (("1", "--from", "x"), "--from must be an RFC 3339 instant or a day"),
        (("1", "99999999"), "B must not be later than the last folded position"),
        (("1", "--period-of", "2026-13"), "--period-of must be an instant, a day or a month that exists"),
        (("1", "--from", "2026-03-02", "--to", "2026-03-01"), "--to must be after --from"),
    ],
)
def test_what_cannot_be_asked_names_the_argument(shell: Shell, arguments: tuple[str, ...], message: str) -> None:
    ended = shell.run("diff", *arguments)
    assert (ended.code, ended.err) == (3, f"meterfold: {message}\n")
