"""An own price is set from the command line, and gives events of unknown cost their cost."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.api.cli.shell import Shell
from tests.engine_fixtures import as_listed


def test_a_price_is_set_and_prices_what_was_unknown(shell: Shell, tmp_path: Path) -> None:
    event = {"specversion": "1.0", "source": "cli-prices", "id": "1", "type": "llm.request", "subject": "priced-ada"}
    file = tmp_path / "events.ndjson"
    file.write_text(json.dumps({**event, "data": {"provider": "cli", "model": "swift", "input_tokens": 2_000_000}}))
    shell.json("ingest", str(file))
    assert shell.json("current-usage", "priced-ada")["usage"]["cost_unknown_events"] == 1
    shell.json("prices", "set", "swift", "--provider", "cli", "--input", "1.5", "--output", "3")
    usage = shell.json("current-usage", "priced-ada")["usage"]
    assert (usage["cost_usd"], usage["cost_unknown_events"]) == ("3", 0)


def test_each_tier_of_a_price_is_a_row(shell: Shell) -> None:
    tiers = '[{"input_tokens_above": 200000, "unit_prices": {"input": "4", "output": "8"}}]'
    command = ("prices", "set", "deep", "--provider", "cli", "--input", "2", "--output", "4", "--set", f"tiers={tiers}")
    rows = [line.split()[:7] for line in shell.run(*command).out.splitlines() if line.startswith("cli")]
    assert rows == [
        ["cli", "deep", "own", "-", "-", "2.00", "4.00"],
        ["cli", "deep", "own", "-", "200,000", "4.00", "8.00"],
    ]
    listed = csv.DictReader(
        io.StringIO(shell.run("prices", "list", "--provider", "cli", "--model", "deep", "--csv").out)
    )
    assert [(row["input_tokens_above"], row["unit_prices.input"]) for row in listed] == [("", "2"), ("200000", "4")]


def test_hours_and_other_units_of_a_list_price_are_shown(shell: Shell, tmp_path: Path) -> None:
    event = {"specversion": "1.0", "source": "cli-prices", "type": "llm.request", "subject": "hourly-ada"}
    used = {"input_tokens": 1, "output_tokens": 1}
    models = [("deepseek", "deepseek-chat"), ("anthropic", "claude-opus-4-8")]
    file = tmp_path / "hourly.ndjson"
    file.write_text(
        "\n".join(
            json.dumps({**event, "id": model, "data": {"provider": provider, "model": model, **used}})
            for provider, model in models
        )
    )
    shell.json("ingest", str(file))
    hours = csv.DictReader(io.StringIO(shell.run("prices", "list", "--model", "deepseek-chat", "--csv").out))
    assert [(row["hours.start"], row["hours.end"]) for row in hours] == [("", ""), ("00:30:00", "16:30:00")]
    (opus,) = shell.json("prices", "list", "--model", "claude-opus-4-8")["data"]
    assert opus["versions"][0]["rates"]["cache_write_1h_tokens"] == {"price": "10", "per": 1_000_000, "tiers": []}


def test_rates_price_any_unit(shell: Shell) -> None:
    rates = ("--rate", "web_searches=0.01/1", "--rate", "stamps=0.25")
    made = shell.json("prices", "set", "seeker", "--provider", "cli", "--input", "2", "--output", "4", *rates)
    assert {unit: (one["price"], one["per"]) for unit, one in made["versions"][0]["rates"].items()} == {
        "input_tokens": ("2", 1_000_000),
        "output_tokens": ("4", 1_000_000),
        "web_searches": ("0.01", 1),
        "stamps": ("0.25", 1),
    }
    alone = shell.json("prices", "set", "hearer", "--provider", "cli", "--rate", "audio_seconds=0.36")
    assert alone["versions"][0]["rates"] == {"audio_seconds": {"price": "0.36", "per": 3_600, "tiers": []}}


def test_prices_of_other_units_and_of_variants_are_shown_when_they_are_set(shell: Shell) -> None:
    flex = '[{"when": {"service_tier": "flex"}, "rates": {"input_tokens": {"price": "1"}}}]'
    command = ("prices", "set", "bender", "--provider", "cli", "--input", "2", "--output", "4", "--rate", "stamps=3/7")
    lines = shell.run(*command, "--set", f"variants={flex}").out.splitlines()
    assert [line.split() for line in lines if line.startswith(("stamps", "input_tokens"))] == [
        ["stamps", "-", "-", "3.00", "7"],
        ["input_tokens", "service_tier=flex", "-", "1.00", "1,000,000"],
    ]


@pytest.mark.parametrize("rate", ["stamps", "=1", "stamps=", "stamps=1/", "stamps=1/x", "stamps=1/2/3"])
def test_a_rate_that_cannot_be_read_is_wrong_use(shell: Shell, rate: str) -> None:
    ended = shell.run("prices", "set", "seeker", "--rate", rate)
    assert (ended.code, f"--rate {rate}: must be UNIT=PRICE or UNIT=PRICE/PER" in ended.err) == (2, True)


def test_a_unit_with_two_rates_is_wrong_use(shell: Shell) -> None:
    ended = shell.run("prices", "set", "seeker", "--rate", "stamps=1", "--rate", "stamps=2")
    assert (ended.code, "stamps has a price already" in ended.err) == (2, True)


def test_a_price_without_any_unit_is_refused(shell: Shell) -> None:
    ended = shell.run("prices", "set", "seeker")
    assert (ended.code, "unit_prices" in ended.err) == (3, True)


def test_a_wrong_price_is_refused_with_its_field(shell: Shell) -> None:
    ended = shell.run("prices", "set", "swift", "--input", "-1", "--output", "3")
    assert (ended.code, "--input must" in ended.err) == (3, True)


def test_a_refresh_tells_how_many_prices_differ(shell: Shell) -> None:
    told = shell.json("prices", "refresh", "--dry-run")
    assert (told["dry_run"], told["changed"], told["changes"], told["position"]) == (True, 0, [], None)
    assert told["library"].startswith("genai-prices ")
    assert shell.run("prices", "refresh").out == (
        f"0 of {told['checked']} models listed with the prices of {told['library']}\n"
    )


def test_a_customer_has_a_price_and_a_discount_of_its_own(shell: Shell, tmp_path: Path) -> None:
    of_model = ("--provider", "cli-own")
    shell.json("prices", "set", "m-1", *of_model, "--input", "8", "--output", "8")
    made = shell.json("prices", "set", "m-1", *of_model, "--input", "2", "--output", "2", "--customer", "own-ada")
    assert made["customer"] == "own-ada"
    discount = shell.json("prices", "discount", "25", "--customer", "own-bob", "--model", "m-1", *of_model)
    assert (discount["percentage"], discount["customer"], discount["model"]) == ("25", "own-bob", "m-1")
    event = {"specversion": "1.0", "source": "cli-own", "type": "llm.request"}
    used = {"provider": "cli-own", "model": "m-1", "input_tokens": 1_000_000, "output_tokens": 0}
    events = [json.dumps({**event, "id": who, "subject": who, "data": used}) for who in ("own-ada", "own-bob")]
    file = tmp_path / "own.ndjson"
    file.write_text("\n".join(events))
    shell.json("ingest", str(file))
    costs = [shell.json("events", "show", "cli-own", who)["cost"]["cost_usd"] for who in ("own-ada", "own-bob")]
    assert costs == ["2", "6"]
    assert "customer's own price of cli-own m-1" in shell.run("events", "show", "cli-own", "own-ada").out
    assert "25 % off (customer's)" in shell.run("events", "show", "cli-own", "own-bob").out
    assert shell.json("prices", "list", "--customer", "own-ada")["data"] == [as_listed(made)]
    assert shell.json("prices", "discounts", "--customer", "own-bob")["data"] == [as_listed(discount)]


def test_prices_of_customers_and_discounts_are_tables_that_name_the_customer(shell: Shell) -> None:
    shell.run("prices", "set", "m-2", "--input", "2", "--output", "3", "--customer", "tab-ada")
    listed = [
        line.split()[:4] for line in shell.run("prices", "list", "--model", "m-2").out.splitlines() if "m-2" in line
    ]
    assert listed == [["-", "m-2", "own", "tab-ada"]]
    shell.run("prices", "discount", "12.5", "--customer", "tab-ada", "--effective-from", "2026-01-01T00:00:00Z")
    shown = shell.run("prices", "discounts", "--customer", "tab-ada").out
    assert "tab-ada" in shown
    assert "every model" in shown
    (row,) = csv.DictReader(io.StringIO(shell.run("prices", "discounts", "--customer", "tab-ada", "--csv").out))
    assert (row["percentage"], row["effective_from"], row["model"]) == ("12.5", "2026-01-01T00:00:00.000000Z", "")
