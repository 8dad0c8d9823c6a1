"""Customers are created, changed and deleted from the command line, with any id."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cli.commands.fields import fields_of
from api.cli.output.exit_codes import CommandFailed
from tests.api.cli.shell import Shell

HOSTILE = "a/b?c=#%2F [red]x[/red] \x1b[31m..\u202e"


def test_a_customer_is_created_changed_blocked_and_deleted(shell: Shell) -> None:
    made = shell.json("customers", "create", "cli-ada", "--set", "name=Ada", "--set", "budget.period_limit_usd=5.50")
    assert (made["id"], made["name"], made["budget"]["period_limit_usd"]) == ("cli-ada", "Ada", "5.5")
    changed = shell.json("customers", "update", "cli-ada", "--set", "name=null", "--set", "markup_percentage=10")
    assert (changed["name"], changed["markup_percentage"]) == (None, "10")
    assert shell.json("customers", "block", "cli-ada", "--reason", "unpaid")["blocked"] is True
    assert shell.json("access", "cli-ada")["reason"] == "blocked"
    assert shell.json("customers", "unblock", "cli-ada")["blocked"] is False
    assert shell.run("customers", "delete", "cli-ada", "--yes").code == 0
    ended = shell.run("customers", "show", "cli-ada")
    assert (ended.code, ended.out) == (3, "")


def test_a_refusal_is_printed_with_its_reason(shell: Shell) -> None:
    shell.json("customers", "create", "cli-twice")
    ended = shell.run("customers", "create", "cli-twice")
    assert (ended.code, "exists" in ended.err) == (3, True)


def test_the_history_shows_kind_and_reason(shell: Shell) -> None:
    shell.json("customers", "create", "cli-history")
    shell.json("customers", "block", "cli-history", "--reason", "unpaid")
    facts = shell.json("customers", "history", "cli-history")["data"]
    assert [(fact["kind"], fact["reason"]) for fact in facts] == [
        ("customer.created", None),
        ("customer.blocked", "unpaid"),
    ]


def test_a_hostile_id_works_and_sends_no_control_characters_to_the_terminal(shell: Shell) -> None:
    assert shell.json("customers", "create", HOSTILE)["id"] == HOSTILE
    assert shell.json("customers", "show", HOSTILE)["id"] == HOSTILE
    shown = shell.run("customers", "show", HOSTILE).out + shell.run("customers", "list", "--limit", "1000").out
    assert "[red]x[/red]" in shown
    assert not {"\x1b", "\u202e"} & set(shown)


def test_a_customer_is_deactivated_and_reactivated(shell: Shell) -> None:
    shell.json("customers", "create", "cli-idle")
    assert shell.json("customers", "deactivate", "cli-idle", "--reason", "Vertrag beendet, 契約終了")["active"] is False
    assert shell.json("customers", "reactivate", "cli-idle")["active"] is True
    (_, deactivated, _) = shell.json("customers", "history", "cli-idle")["data"]
    assert (deactivated["kind"], deactivated["reason"]) == ("customer.deactivated", "Vertrag beendet, 契約終了")


def test_a_list_is_narrowed_by_the_beginning_of_ids(shell: Shell) -> None:
    for customer in ("cli-prefix-a", "cli-prefix-b", "cli-pre"):
        shell.json("customers", "create", customer)
    found = shell.json("customers", "list", "--prefix", "cli-prefix")["data"]
    assert [customer["id"] for customer in found] == ["cli-prefix-a", "cli-prefix-b"]


def test_a_list_follows_pages_up_to_its_limit(shell: Shell) -> None:
    for number in range(3):
        shell.json("customers", "create", f"cli-list-{number}")
    found = shell.json("customers", "list", "--limit", "2")["data"]
    assert len(found) == 2
    assert {f"cli-list-{number}" for number in range(3)} <= {
        customer["id"] for customer in shell.json("customers", "list", "--limit", "10000")["data"]
    }


def test_fields_are_json_else_text_and_keep_every_digit() -> None:
    given_fields = ["a=1", "b=0.10", "c=null", "d=x=y", "e.f=true", 'e.g={"h": 1.50}', "i=", "j=12345678901234567890"]
    assert fields_of(given_fields) == {
        "a": 1,
        "b": "0.10",
        "c": None,
        "d": "x=y",
        "e": {"f": True, "g": {"h": "1.50"}},
        "i": "",
        "j": "12345678901234567890",
    }


@pytest.mark.parametrize("pairs", [["a"], ["=1"], ["a=1", "a.b=2"]])
def test_an_invalid_field_is_wrong_use(pairs: list[str]) -> None:
    with pytest.raises(CommandFailed, match="--set"):
        fields_of(pairs)


@given(st.text())
def test_any_text_is_a_value(text: str) -> None:
    assert set(fields_of([f"name={text}"])) == {"name"}
