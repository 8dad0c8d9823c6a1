"""Shared budgets and meters are created, shown, changed and deleted."""

from __future__ import annotations

import csv
import io

import pytest

from tests.api.cli.shell import Shell


def test_a_shared_budget_is_created_changed_and_deleted(shell: Shell) -> None:
    made = shell.json("budgets", "create", "cli-gold", "--set", "period_limit_usd=100", "--reason", "new price list")
    assert (made["id"], made["period_limit_usd"]) == ("cli-gold", "100")
    assert shell.json("budgets", "update", "cli-gold", "--set", "name=Gold")["name"] == "Gold"
    assert shell.json("budgets", "show", "cli-gold")["name"] == "Gold"
    assert "cli-gold" in [budget["id"] for budget in shell.json("budgets", "list")["data"]]
    assert shell.run("budgets", "delete", "cli-gold", "--yes").out == "deleted\n"
    assert shell.run("budgets", "show", "cli-gold").code == 3


def test_a_meter_is_created_changed_and_deleted(shell: Shell) -> None:
    fields = ("--set", "event_type=storage.measured", "--set", "aggregation=max", "--set", "value_property=gigabytes")
    assert shell.json("meters", "create", "cli_storage", *fields)["aggregation"] == "max"
    assert shell.json("meters", "update", "cli_storage", "--set", "name=Storage")["name"] == "Storage"
    assert shell.json("meters", "show", "cli_storage")["event_type"] == "storage.measured"
    assert shell.run("meters", "delete", "cli_storage", "--yes").code == 0
    assert shell.run("meters", "delete", "requests", "--yes").code == 3


def test_a_meter_is_shown_with_a_line_for_each_filter(shell: Shell) -> None:
    fields = ("event_type=seat", "aggregation=unique_count", "expression=CONCAT(event.properties.team, '/')")
    filters = 'filters=[{"key":"region","values":["eu","us"]},{"key":"size.tier"}]'
    rounding = 'rounding={"function":"ceil","precision":-1}'
    given = [part for field in (*fields, filters, rounding, "recurring=true") for part in ("--set", field)]

    shown = [" ".join(line.split()) for line in shell.run("meters", "create", "cli_seats", *given).out.splitlines()]

    assert [line for line in shown if line.startswith(("Filter", "Rounding", "Expression", "Recurring"))] == [
        "Recurring yes",
        "Rounding function ceil",
        "Rounding precision -1",
        "Expression CONCAT(event.properties.team, '/')",
        "Filter region eu, us",
        "Filter size.tier any",
    ]


@pytest.mark.parametrize("group", ["budgets", "meters", "customers"])
def test_a_list_has_the_same_rows_as_json_and_csv(shell: Shell, group: str) -> None:
    shell.run("budgets", "create", "cli-listed")
    shell.run("customers", "create", "=cli-listed")
    rows = shell.json(group, "list")["data"]
    read = list(csv.DictReader(io.StringIO(shell.run(group, "list", "--csv").out)))
    identifier = "code" if group == "meters" else "id"
    assert [row[identifier].removeprefix("'") for row in read] == [row[identifier] for row in rows]


def test_deleting_asks_first(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.run("budgets", "create", "cli-kept")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert shell.run("budgets", "delete", "cli-kept").code == 130
    assert shell.run("budgets", "show", "cli-kept").code == 0


def test_a_reason_of_several_lines_is_wrong_use(shell: Shell) -> None:
    ended = shell.run("budgets", "create", "cli-reason", "--reason", "two\nlines")
    assert (ended.code, "--reason" in ended.err) == (2, True)
