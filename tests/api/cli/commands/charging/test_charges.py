"""The command `charges`: tables as people see them at 80 columns, JSON, CSV and exit codes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.api.cli.shell import Shell
from tests.engine_fixtures import JsonObject

MARCH: Final = ("--period", "2026-03-10")
_DISK: Final = {
    "code": "disk",
    "meter": "cli_gb",
    "group_by": ["region"],
    "minimum_amount": "31",
    "price": {"model": "standard", "amount": "0.5"},
}
_TOKENS: Final = {"code": "tokens", "meter": "total_tokens", "price": {"model": "standard", "amount": "0.01"}}
_SEATS: Final = {"code": "seats", "meter": "seats", "price": {"model": "standard", "amount": "9"}}
_MONEY: Final = {"code": "money", "meter": "cost_usd", "price": {"model": "percentage", "rate": "10"}}


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture(scope="module")
def usage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Usage of one customer in March."""
    rows = [
        event("1", "llm.request", provider="own", model="swift", input_tokens=1200, output_tokens=34, cost_usd="3"),
        event("2", "llm.request", provider="own", model="unheard of", input_tokens=0, output_tokens=0),
        event("3", "cli.disk", gb="12.5", region="eu"),
        event("4", "cli.disk", gb=3),
    ]
    path = tmp_path_factory.mktemp("charges") / "usage.ndjson"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def event(number: str, of_type: str, **data: Any) -> JsonObject:
    return {
        "specversion": "1.0",
        "id": number,
        "source": "cli charges",
        "type": of_type,
        "subject": "cli-charged",
        "time": "2026-03-20T12:00:00Z",
        "data": data,
    }


def subscribed(shell: Shell, customer: str, currency: str, *charges: JsonObject, since: str = "2026-03-01") -> None:
    """Subscribe a customer to a plan of its own, each of the same name."""
    start = ("--set", f"effective_at={since}T00:00:00Z")
    name = f"of-{customer}-{currency}"
    fields = ("--set", "interval=monthly", "--set", f"currency={currency}", "--set", f"charges={json.dumps(charges)}")
    assert shell.run("plans", "create", name, *fields, *start).code == 0
    of_customer = ("--set", f"customer={customer}", "--set", f"plan={name}")
    assert shell.run("subscriptions", "create", name, *of_customer, *start).code == 0


def lines(shell: Shell, *arguments: str) -> list[str]:
    """What `charges` prints, without the log position below it."""
    ended = shell.run("charges", *arguments)
    *shown, position = ended.out.splitlines()
    assert (ended.code, position.startswith("as of log position ")) == (0, True), ended
    return shown


def test_groups_minimums_and_unknown_charges_have_their_lines(shell: Shell, usage: Path) -> None:
    fields = ("--set", "event_type=cli.disk", "--set", "aggregation=sum", "--set", "value_property=gb")
    assert shell.run("meters", "create", "cli_gb", *fields).code == 0
    assert shell.run("ingest", str(usage)).code == 0
    subscribed(shell, "cli-charged", "USD", _TOKENS, _DISK, _MONEY)
    assert lines(shell, "cli-charged", *MARCH) == [
        "Charges of cli-charged, 2026-03-01 to 2026-04-01 (UTC)",
        "Charge  Group        Units               Amount  Currency",
        "─────────────────────────────────────────────────────────",
        "tokens  -          1,234    12.34                USD",
        "disk    region=-       3     1.50                USD",
        "disk    region=eu     12.5   6.25                USD",
        "disk    (minimum)        -  23.25                USD",
        "money   -              3     0.30 + unknown (1)  USD",
        "of-cli-charged-USD, plan of-cli-charged-USD: 43.64 USD + unknown in all",
    ]
    read = list(csv.DictReader(io.StringIO(shell.run("charges", "cli-charged", *MARCH, "--csv").out)))
    assert [(row["code"], row["group"], row["is_minimum"], row["units"], row["amount"]) for row in read] == [
        ("tokens", "{}", "false", "1234", "12.34"),
        ("disk", '{"region": null}', "false", "3", "1.5"),
        ("disk", '{"region": "eu"}', "false", "12.5", "6.25"),
        ("disk", "{}", "true", "", "23.25"),
        ("money", "{}", "false", "3", "0.3"),
    ]
    answer = shell.json("charges", "cli-charged", *MARCH)
    assert [one["code"] for one in answer["data"][0]["charges"]] == ["tokens", "disk", "money"]


def test_an_unknown_cost_is_told_with_its_group_and_its_filter(shell: Shell, tmp_path: Path) -> None:
    priced = {"subject": "cli-lacking"}
    rows = [
        event("l-1", "llm.request", model="known", input_tokens=1, cost_usd="4") | priced,
        event("l-2", "llm.request", model="strange", input_tokens=1) | priced,
    ]
    (tmp_path / "usage.ndjson").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert shell.run("ingest", str(tmp_path / "usage.ndjson")).code == 0
    plain = {"meter": "cost_usd", "price": {"model": "standard", "amount": "1"}}
    filtered = {"values": {"model": ["strange"]}, "price": {"model": "standard", "amount": "1"}, "name": "Strange"}
    subscribed(
        shell, "cli-lacking", "USD", {**plain, "code": "grouped", "group_by": ["model"]},
        {**plain, "code": "split", "filters": [filtered]},
    )  # fmt: skip
    assert [" ".join(line.split()) for line in lines(shell, "cli-lacking", *MARCH)[3:]] == [
        "grouped model=known 4 4.00 USD",
        "grouped model=strange 0 unknown (1) USD",
        "split Strange 0 unknown (1) USD",
        "split (no filter) 4 4.00 USD",
        "of-cli-lacking-USD, plan of-cli-lacking-USD: 8.00 USD + unknown in all",
    ]


def test_the_minimum_of_a_charge_without_groups_has_a_line_of_its_own(shell: Shell) -> None:
    plain = {**_TOKENS, "code": "plain", "minimum_amount": "31"}
    subscribed(shell, "cli-least", "USD", plain, {**plain, "code": "grouped", "group_by": ["region"]})
    assert lines(shell, "cli-least", *MARCH)[1:] == [
        "Charge   Group      Units  Amount  Currency",
        "───────────────────────────────────────────",
        "plain    -              0    0.00  USD",
        "plain    (minimum)      -   31.00  USD",
        "grouped  -              0    0.00  USD",
        "grouped  (minimum)      -   31.00  USD",
        "of-cli-least-USD, plan of-cli-least-USD: 62.00 USD in all",
    ]


def test_filters_that_were_used_have_their_lines(shell: Shell, tmp_path: Path) -> None:
    west = {"values": {"region": ["eu", "us"], "tier": []}, "price": {"model": "standard", "amount": "2"}}
    named = {"values": {"region": ["eu"]}, "price": {"model": "standard", "amount": "1"}, "name": "Europe"}
    unused = {"values": {"region": ["jp"]}, "price": {"model": "standard", "amount": "9"}}
    flat = {"from_value": 0, "to_value": None, "per_unit_amount": "0", "flat_amount": "3"}
    standing = {"values": {"region": ["cn"]}, "price": {"model": "graduated", "ranges": [flat]}}
    price = {"model": "standard", "amount": "0.5"}
    filters = [west, named, unused, standing]
    plain = {"code": "plain", "meter": "cli_filtered", "price": price, "filters": filters}
    grouped = {**plain, "code": "grouped", "group_by": ["tier"], "filters": [named], "minimum_amount": "31"}
    fields = ("--set", "event_type=cli.filtered", "--set", "aggregation=sum", "--set", "value_property=gb")
    assert shell.run("meters", "create", "cli_filtered", *fields).code == 0
    rows = [
        event("filtered 1", "cli.filtered", gb=10, region="eu", tier="x"),
        event("filtered 2", "cli.filtered", gb=20, region="eu"),
        event("filtered 3", "cli.filtered", gb=40),
    ]
    (tmp_path / "usage.ndjson").write_text(
        "".join(f"{json.dumps({**row, 'subject': 'cli-filtered'})}\n" for row in rows)
    )
    assert shell.run("ingest", str(tmp_path / "usage.ndjson")).code == 0
    subscribed(shell, "cli-filtered", "USD", plain, grouped)
    assert lines(shell, "cli-filtered", *MARCH)[3:] == [
        "plain    region=eu|us, tier=*     10   20.00  USD",
        "plain    Europe                   20   20.00  USD",
        "plain    region=cn                 0    3.00  USD",
        "plain    (no filter)              40   20.00  USD",
        "grouped  tier=-, Europe           20   20.00  USD",
        "grouped  tier=-, (no filter)      40   20.00  USD",
        "grouped  tier=x, Europe           10   10.00  USD",
        "of-cli-filtered-USD, plan of-cli-filtered-USD: 113.00 USD in all",
    ]


def test_several_subscriptions_have_columns_for_them(shell: Shell) -> None:
    subscribed(shell, "cli-several", "JPY", _TOKENS)
    subscribed(shell, "cli-several", "USD", _SEATS, since="2026-03-16")
    assert lines(shell, "cli-several", "--period", "2026-03-20") == [
        "Charges of cli-several",
        "Subscription        From        Charge  Group  Units  Amount  Currency",
        "──────────────────────────────────────────────────────────────────────",
        "of-cli-several-JPY  2026-03-01  tokens  -          0    0.00  JPY",
        "of-cli-several-USD  2026-03-16  seats   -          -       -  USD",
        "Times in UTC.",
        "Left out for width: To; --json has them.",
        "of-cli-several-JPY, plan of-cli-several-JPY: 0 JPY in all",
        "seats is unknown: there is no meter 'seats'",
        "of-cli-several-USD, plan of-cli-several-USD: unknown",
    ]
    one = shell.json("charges", "cli-several", *MARCH, "--subscription", "of-cli-several-JPY")
    assert [of["subscription"] for of in one["data"]] == ["of-cli-several-JPY"]


def test_amounts_of_a_currency_without_cents_are_whole(shell: Shell) -> None:
    subscribed(shell, "cli-whole", "JPY", _TOKENS)
    assert lines(shell, "cli-whole", *MARCH)[3:] == [
        "tokens  -          0       0  JPY",
        "of-cli-whole-JPY, plan of-cli-whole-JPY: 0 JPY in all",
    ]


def test_a_deleted_plan_is_named(shell: Shell) -> None:
    subscribed(shell, "cli-orphan", "USD", _TOKENS)
    shell.run("plans", "delete", "of-cli-orphan-USD", "--yes")
    assert lines(shell, "cli-orphan") == [
        "Charges of cli-orphan",
        "Charge  Group  Units  Amount  Currency",
        "──────────────────────────────────────",
        "(none)",
        "of-cli-orphan-USD, plan of-cli-orphan-USD: unknown, the plan is deleted",
    ]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("cli-unheard-of",), 3, "customer 'cli-unheard-of' does not exist"),
        (("cli-refused", "--subscription", "none"), 3, "customer 'cli-refused' has no subscription 'none'"),
        (("cli-refused", "--period", "soon"), 3, "period"),
        (("cli-refused", "--json", "--csv"), 2, "--json and --csv cannot be given together"),
    ],
)
def test_what_fails_is_told_with_an_exit_code(shell: Shell, words: tuple[str, ...], code: int, message: str) -> None:
    shell.run("customers", "create", "cli-refused")
    ended = shell.run("charges", *words)
    assert (ended.code, ended.out, message in ended.err) == (code, "", True), ended


def test_what_coupons_take_off_has_lines_of_its_own(shell: Shell, tmp_path: Path) -> None:
    subscribed(shell, "cli-cora", "USD", _TOKENS, _SEATS)
    used = event("c-1", "llm.request", model="swift", input_tokens=1000) | {"subject": "cli-cora"}
    (tmp_path / "usage.ndjson").write_text(json.dumps(used))
    assert shell.run("ingest", str(tmp_path / "usage.ndjson")).code == 0
    since = ("--set", "effective_at=2026-03-01T00:00:00Z")
    for code, *fields in (("cora-one", "amount=12.50", "currency=USD", "frequency=once", 'meters=["total_tokens"]'),
                          ("cora-tenth", "percentage=10", "frequency=recurring", "periods=3")):  # fmt: skip
        given = [word for field in fields for word in ("--set", field)]
        shell.json("coupons", "create", code, *given, *since)
        shell.json("coupons", "apply", "cli-cora", code, *since)
    assert lines(shell, "cli-cora", *MARCH)[-5:] == [
        "seats is unknown: there is no meter 'seats'",
        "of-cli-cora-USD, plan of-cli-cora-USD: unknown",
        "cora-one (1): 10.00 USD off tokens, 2.50 USD remain",
        "cora-tenth (2): unknown off tokens, seats",
        "of-cli-cora-USD after coupons: unknown",
    ]
