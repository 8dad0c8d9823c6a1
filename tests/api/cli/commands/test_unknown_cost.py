"""Tables mark money that is a lower bound, --json has the members, and CSV the column."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.api.cli.shell import Shell
from tests.meterfold_process import ADMIN_KEY, Server

#: A model that nobody prices.
UNPRICED = "nobody-prices-this"
TOLD = "The cost of 1 event is unknown: at least the sum shown is spent."


@pytest.fixture(scope="module", autouse=True)
def used(server: Server, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`half-known` has one event of known and one of unknown cost, `unknown` one of unknown cost alone."""
    shell = Shell("--url", server.url, "--key", ADMIN_KEY)
    for customer in ("half-known", "unknown"):
        budget = ("--set", "budget.period_limit_usd=9", "--set", "budget.duration=1mo")
        shell.json(
            "customers",
            "create",
            customer,
            *budget,
            "--set",
            f'budget.model_limits={{"{UNPRICED}":{{"limit_usd":"5"}}}}',
        )
    event = {"specversion": "1.0", "source": "unknown-cost", "type": "llm.request"}
    data = {"model": UNPRICED, "input_tokens": 10}
    lines = [
        {**event, "id": "1", "subject": "half-known", "data": {**data, "model": "m", "cost_usd": "1.5"}},
        {**event, "id": "2", "subject": "half-known", "data": data},
        {**event, "id": "3", "subject": "unknown", "data": data},
    ]
    file = tmp_path_factory.mktemp("unknown") / "events.ndjson"
    file.write_text("\n".join(map(json.dumps, lines)))
    assert shell.json("ingest", str(file))["counts"]["counted"] == 3


def line_of(out: str, begin: str) -> str:
    return next(" ".join(line.split()) for line in out.splitlines() if line.startswith(begin))


def test_sums_of_usage_say_what_they_lack(shell: Shell) -> None:
    total = line_of(shell.run("current-usage", "half-known").out, "Total")
    assert total.endswith("1.50 + unknown (1) 1.50 + unknown (1)")
    assert shell.run("current-usage", "unknown").out.count("unknown (1)") == 4  # of its model and in total, two costs
    assert shell.json("current-usage", "half-known")["usage"]["cost_unknown_events"] == 1


def test_the_meter_of_cost_says_what_it_lacks(shell: Shell) -> None:
    assert "1.5 + unknown (1)" in shell.run("usage", "half-known", "--meter", "cost_usd").out
    (row,) = csv.DictReader(io.StringIO(shell.run("usage", "half-known", "--meter", "cost_usd", "--csv").out))
    assert (row["value"], row["cost_unknown_events"]) == ("1.5", "1")
    (row,) = csv.DictReader(io.StringIO(shell.run("usage", "half-known", "--meter", "requests", "--csv").out))
    assert (row["value"], row["cost_unknown_events"]) == ("2", "")


def test_a_budget_marks_what_is_spent_and_what_remains(shell: Shell) -> None:
    out = shell.run("budget", "half-known").out
    assert line_of(out, "Period spent") == "Period spent (USD) 1.50 + unknown (1)"
    assert line_of(out, "Period remaining") == "Period remaining (USD) 7.50 - unknown (1)"
    assert line_of(out, "Total spent") == "Total spent (USD) 1.50 + unknown (1)"
    assert line_of(out, "Total remaining") == "Total remaining (USD) -"
    assert line_of(out, UNPRICED).startswith(f"{UNPRICED} 5.00 unknown (1) 5.00 - unknown (1)")
    budget = shell.json("budget", "half-known")
    assert (budget["cost_unknown_events"], budget["spend_is_lower_bound"]) == (1, True)


def test_access_says_that_it_rests_on_a_lower_bound(shell: Shell) -> None:
    out = shell.run("access", "half-known").out
    assert out.startswith(f"allowed: ok\n{TOLD} The cost that is known reaches no limit that refuses.\n")
    assert line_of(out, "period").startswith("period 9.00 1.50 + unknown (1) 7.50 - unknown (1)")
    assert shell.json("access", "unknown")["spend_is_lower_bound"] is True


def test_an_event_of_unknown_cost_says_so(shell: Shell) -> None:
    listed = shell.run("events", "list", "--customer", "unknown").out
    assert "unknown" in line_of(listed, "2")
    shown = shell.run("events", "show", "unknown-cost", "3").out
    assert line_of(shown, "Cost (USD)") == "Cost (USD) unknown"
    assert line_of(shown, "Reported cost") == "Reported cost (USD) unknown"
    (row,) = csv.DictReader(io.StringIO(shell.run("events", "list", "--customer", "unknown", "--csv").out))
    assert (row["cost_usd"], row["cost_origin"]) == ("", "unknown")
