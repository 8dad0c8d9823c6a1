"""Help is whole at 80 columns: no summary is cut off, and no line is too long."""

from __future__ import annotations

import pytest

from tests.api.cli.command_tree import command_tree, options_of
from tests.api.cli.shell import run

COMMANDS = list(command_tree())
#: Commands that show rows under another name than list.
LISTS = {"customers history", "usage", "current-usage", "past-usage", "charges", "diff", "settings", "kafka topics"}
LISTS |= {
    "coupons applied",
    "rejected dead-letters",
    "prices discounts",
    *(words for words in COMMANDS if words.endswith(" list")),
}


@pytest.mark.parametrize("words", COMMANDS)
def test_the_help_of_a_command_is_whole(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ended = run(*words.split(), "--help")
    assert ended.code == 0
    assert [line for line in ended.out.splitlines() if line.endswith("...") and "[ARGS]..." not in line] == []
    assert [line for line in ended.out.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("noun", ["customers", "budgets", "meters", "plans", "subscriptions", "coupons"])
def test_what_names_a_new_thing_is_not_looked_up_in_a_list(noun: str) -> None:
    assert "The id or code, which you make up." in run(noun, "create", "--help").out
    assert "The id or code, as `list` shows it." in run(noun, "show", "--help").out


@pytest.mark.parametrize("words", sorted(LISTS))
def test_every_list_is_printed_as_json_and_csv(words: str) -> None:
    assert {"--json", "--csv"} <= options_of(command_tree()[words])


def test_every_command_that_prints_csv_is_a_list() -> None:
    assert {words for words, command in command_tree().items() if "--csv" in options_of(command)} == LISTS
