"""Coupons at the command line: tables as people see them, JSON, CSV and exit codes."""

from __future__ import annotations

import csv
import io
from typing import Final

import pytest

from tests.api.cli.shell import Shell

START: Final = "2026-02-01T00:00:00.000000Z"


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "130")


def create(shell: Shell, code: str, *fields: str) -> str:
    given = [word for field in (*fields, f"effective_at={START}") for word in ("--set", field)]
    ended = shell.run("coupons", "create", code, *given)
    assert ended.code == 0, ended
    return ended.out


def test_a_coupon_is_shown_with_its_members(shell: Shell) -> None:
    made = create(shell, "cli-shown", "amount=20", "currency=USD", "frequency=once", 'plans=["pro","team"]')
    assert made.splitlines() == [
        "Coupon cli-shown",
        "Amount       20",
        "Currency     USD",
        "Percentage   -",
        "Frequency    once",
        "Periods      -",
        "Plans        pro, team",
        "Meters       -",
        "Code         cli-shown",
        "Name         -",
        "Description  -",
        "Expires      -",
        "Reusable     yes",
        "Created      2026-02-01",
        "Updated      2026-02-01",
        "Times in UTC.",
    ]
    assert shell.run("coupons", "show", "cli-shown").out == made


def test_a_coupon_is_changed_listed_and_deleted(shell: Shell) -> None:
    create(shell, "cli-listed", "percentage=10", "frequency=recurring", "periods=3", 'meters=["cli-gb"]')
    assert shell.json("coupons", "update", "cli-listed", "--set", "percentage=12.5")["percentage"] == "12.5"
    listed = [line.split("  ") for line in shell.run("coupons", "list").out.splitlines()]
    (row,) = [[word.strip() for word in line if word.strip()] for line in listed if line[0] == "cli-listed"]
    assert row == ["cli-listed", "-", "12.5 %", "recurring, 3 periods", "meter cli-gb", "-", "2026-02-01"]
    assert shell.run("coupons", "delete", "cli-listed", "--yes").out == "deleted\n"
    assert shell.run("coupons", "show", "cli-listed").code == 3


def test_a_coupon_is_applied_listed_and_terminated(shell: Shell) -> None:
    create(shell, "cli-five", "amount=5", "currency=USD", "frequency=once")
    create(shell, "cli-tenth", "percentage=10", "frequency=forever")
    applied = shell.run("coupons", "apply", "cli-tess", "cli-five", "--set", f"effective_at={START}")
    assert applied.out.splitlines()[:4] == [
        "Applied coupon 1 of cli-tess",
        "Amount             5",
        "Currency           USD",
        "Percentage         -",
    ]
    own = ("--set", "frequency=recurring", "--set", "periods=2", "--set", f"effective_at={START}")
    assert shell.json("coupons", "apply", "cli-tess", "cli-tenth", *own)["number"] == 2
    ended = ("--yes", "--effective-at", "2026-03-01T00:00:00Z")
    assert shell.run("coupons", "terminate", "cli-tess", "1", *ended).out == "terminated\n"
    assert shell.run("coupons", "applied", "--customer", "cli-tess").out.splitlines() == [
        "Applied coupons",
        "Customer  Number  Coupon     Off    Frequency             Only  Remaining  Status      Start       End",
        "─" * 109,
        "cli-tess  1       cli-five   5 USD  once                  -     5 USD      terminated  2026-02-01  2026-03-01",
        "cli-tess  2       cli-tenth  10 %   recurring, 2 periods  -     2 periods  active      2026-02-01  -",
        "Times in UTC.",
    ]
    active = shell.run("coupons", "applied", "--customer", "cli-tess", "--status", "active", "--csv").out
    assert [row["coupon"] for row in csv.DictReader(io.StringIO(active))] == ["cli-tenth"]
    of_five = shell.json("coupons", "applied", "--coupon", "cli-five")["data"]
    assert [(row["customer"], row["end"]) for row in of_five] == [("cli-tess", "2026-03-01T00:00:00.000000Z")]


def test_a_percentage_that_is_taken_once_or_forever_has_no_remainder(shell: Shell) -> None:
    for frequency in ("once", "forever"):
        create(shell, f"cli-{frequency}", "percentage=10", f"frequency={frequency}")
        shell.run("coupons", "apply", "cli-rest", f"cli-{frequency}", "--set", f"effective_at={START}")
    rows = shell.run("coupons", "applied", "--customer", "cli-rest").out.splitlines()[3:5]
    assert [row.split() for row in rows] == [
        ["cli-rest", "1", "cli-once", "10", "%", "once", "-", "-", "active", "2026-02-01", "-"],
        ["cli-rest", "2", "cli-forever", "10", "%", "forever", "-", "-", "active", "2026-02-01", "-"],
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("coupons", "show", "cli-nothing"), "coupon 'cli-nothing' does not exist"),
        (("coupons", "create", "cli-bad"), "frequency"),
        (("coupons", "apply", "cli-tess", "cli-nothing"), "there is no coupon 'cli-nothing'"),
        (("coupons", "terminate", "cli-nobody", "7", "--yes"), "customer 'cli-nobody' has no applied coupon 7"),
        (("coupons", "applied", "--status", "lost"), "status"),
    ],
)
def test_what_is_refused_is_told(shell: Shell, words: tuple[str, ...], message: str) -> None:
    ended = shell.run(*words)
    assert (ended.code, message in ended.err) == (3, True)
