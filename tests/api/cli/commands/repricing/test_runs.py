"""What a re-pricing is about is shown as it was given, and told in the words of the command line where it is wrong."""

from __future__ import annotations

import pytest

from api.cli.commands.repricing.runs import COLUMNS
from api.cli.output.cells import cells
from tests.api.cli.commands.correcting.test_runs import shown_fields
from tests.api.cli.shell import Shell


def test_days_are_those_of_utc(shell: Shell) -> None:
    made = shell.json("repricings", "open", "days", "--from", "2026-03-01", "--to", "2026-03-02")
    assert (made["from"], made["to"]) == ("2026-03-01T00:00:00.000000Z", "2026-03-02T00:00:00.000000Z")


@pytest.mark.parametrize(
    ("name", "options", "field", "cell"),
    [
        ("of-none", ("--provider", ""), "''", "''"),
        ("of-one", ("--provider", "acme"), "acme", "acme"),
        ("of-any", (), "-", "all"),
    ],
)
def test_a_provider_is_shown_as_a_condition(
    shell: Shell, name: str, options: tuple[str, ...], field: str, cell: str
) -> None:
    made = shell.run("repricings", "open", name, *options)
    assert shown_fields(made.out)["Provider"] == field
    [row] = [one for one in shell.json("repricings", "list")["data"] if one["name"] == name]
    [column] = [one for one in COLUMNS if one.title == "Provider"]
    assert cells(column, [row], "UTC") == [cell]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("wrong", "--model", ""), "--model must be text of 1 to 256 characters"),
        (("wrong", "--to", "x"), "--to must be an RFC 3339 instant or a day"),
        (("wrong", "--from", "2026-03-02", "--to", "2026-03-01"), "--to must be after --from"),
        (("two\nlines",), "NAME must be one line of text without control characters"),
    ],
)
def test_a_broken_rule_names_what_was_given(shell: Shell, arguments: tuple[str, ...], message: str) -> None:
    ended = shell.run("repricings", "open", *arguments)
    assert (ended.code, ended.out, ended.err) == (3, "", f"meterfold: {message}\n")
