"""Plans and subscriptions at the command line: tables as people see them, JSON, CSV and exit codes."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, Final

import pytest

from tests.api.cli.shell import Shell

START: Final = "2026-02-01T00:00:00.000000Z"
_RANGES: Final = [
    {"from_value": 0, "to_value": 1000, "per_unit_amount": "0.02"},
    {"from_value": 1000, "to_value": None, "per_unit_amount": "0.01", "flat_amount": "1"},
]
_CHARGES: Final = [
    {"code": "input_tokens", "meter": "input_tokens", "price": {"model": "graduated", "ranges": _RANGES}},
    {
        "code": "disk",
        "meter": "gb",
        "group_by": ["region", "tier"],
        "minimum_amount": "5",
        "price": {"model": "package", "amount": "2", "package_size": 10},
    },
]


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def create_plan(shell: Shell, code: str, *more: str) -> str:
    fields = ("--set", "interval=monthly", "--set", "currency=USD", "--set", f"effective_at={START}")
    ended = shell.run("plans", "create", code, *fields, *more)
    assert ended.code == 0, ended
    return ended.out


def subscribe(shell: Shell, name: str, customer: str, plan: str) -> Any:
    fields = ("--set", f"customer={customer}", "--set", f"plan={plan}", "--set", f"effective_at={START}")
    return shell.json("subscriptions", "create", name, *fields)


def test_a_plan_is_shown_with_a_line_for_each_charge(shell: Shell) -> None:
    made = create_plan(shell, "cli-shown", "--set", f"charges={json.dumps(_CHARGES)}", "--set", "name=Shown")
    assert made.splitlines() == [
        "Plan Shown (cli-shown)",
        "Code                 cli-shown",
        "Name                 Shown",
        "Description          -",
        "Interval             monthly",
        "Currency             USD",
        "Amount               -",
        "Created              2026-02-01",
        "Updated              2026-02-01",
        "Charge input_tokens  input_tokens: graduated, up to 1000 units: 0.02 each; above",
        "                     1000 units: 0.01 each, 1 flat",
        "Charge disk          gb: package, amount 2; package size 10; free units 0; by",
        "                     region, tier; at least 5",
        "Times in UTC.",
    ]
    assert shell.run("plans", "show", "cli-shown").out == made


def test_a_plan_is_changed_listed_and_deleted(shell: Shell) -> None:
    create_plan(shell, "cli-listed")
    charges = f"charges={json.dumps(_CHARGES)}"
    assert len(shell.json("plans", "update", "cli-listed", "--set", charges)["charges"]) == 2
    listed = [line.split() for line in shell.run("plans", "list").out.splitlines()]
    assert listed[:2] == [["Plans"], ["Code", "Name", "Interval", "Currency", "Charges", "Created"]]
    assert ["cli-listed", "-", "monthly", "USD", "input_tokens,", "disk", "2026-02-01"] in listed
    assert shell.run("plans", "delete", "cli-listed", "--yes").out == "deleted\n"
    assert shell.run("plans", "show", "cli-listed").code == 3


def test_a_subscription_is_created_changed_and_ended(shell: Shell) -> None:
    create_plan(shell, "cli-first")
    create_plan(shell, "cli-second")
    assert subscribe(shell, "cli-sub", "cli-tess", "cli-first")["status"] == "active"
    planned = ("--set", "plan=cli-second", "--set", "effective_at=2026-03-01T12:30:00Z")
    changed = shell.run("subscriptions", "update", "cli-sub", *planned)
    assert changed.out.splitlines() == [
        "Subscription cli-sub",
        "Id        cli-sub",
        "Customer  cli-tess",
        "Name      -",
        "Plan      cli-second",
        "Billing   calendar",
        "Status    active",
        "Start     2026-02-01",
        "End       -",
        "Plans     cli-first from 2026-02-01, cli-second from 2026-03-01T12:30:00Z",
        "Times in UTC.",
    ]
    assert shell.run("subscriptions", "show", "cli-sub").out == changed.out
    ended = ("--yes", "--effective-at", "2026-04-01T00:00:00Z")
    assert shell.run("subscriptions", "delete", "cli-sub", *ended).out == "deleted\n"
    assert shell.run("subscriptions", "list", "--customer", "cli-tess").out.splitlines() == [
        "Subscriptions",
        "Id       Customer  Plan        Status      Billing   Start       End",
        "─" * 75,
        "cli-sub  cli-tess  cli-second  terminated  calendar  2026-02-01  2026-04-01",
        "Times in UTC.",
    ]


def test_subscriptions_of_one_customer_are_the_same_rows_as_json_and_csv(shell: Shell) -> None:
    create_plan(shell, "cli-rows")
    subscribe(shell, "cli-rows", "cli-rows", "cli-rows")
    subscribe(shell, "cli-others", "cli-others", "cli-rows")
    rows = shell.json("subscriptions", "list", "--customer", "cli-rows")["data"]
    read = list(csv.DictReader(io.StringIO(shell.run("subscriptions", "list", "--customer", "cli-rows", "--csv").out)))
    assert [row["id"] for row in rows] == [row["id"] for row in read] == ["cli-rows"]
    assert {"cli-rows", "cli-others"} <= {row["id"] for row in shell.json("subscriptions", "list")["data"]}


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("plans", "show", "cli-nothing"), 3, "plan 'cli-nothing' does not exist"),
        (("plans", "create", "cli-bad"), 3, "interval"),
        (("subscriptions", "show", "cli-nothing"), 3, "subscription 'cli-nothing' does not exist"),
        (
            ("subscriptions", "create", "cli-bad", "--set", "customer=x", "--set", "plan=none"),
            3,
            "there is no plan 'none'",
        ),
        (("plans", "create", "cli-bad", "--set", "interval"), 2, "must be NAME=VALUE"),
    ],
)
def test_what_fails_is_told_with_an_exit_code(shell: Shell, words: tuple[str, ...], code: int, message: str) -> None:
    ended = shell.run(*words)
    assert (ended.code, ended.out, message in ended.err) == (code, "", True), ended
