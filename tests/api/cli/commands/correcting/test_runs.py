"""What a correction is about is shown as it was given, and told in the words of the command line where it is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.cli.commands.correcting.runs import COLUMNS
from api.cli.output.cells import cells
from tests.api.cli.shell import Shell


def shown_fields(out: str) -> dict[str, str]:
    """The fields of one object by their titles."""
    lines = [line.split("  ", 1) for line in out.splitlines()[1:] if "  " in line]
    return {title: value.strip() for title, value in lines}


def test_days_are_those_of_utc(shell: Shell) -> None:
    bounds = ("--from", "2026-03-01", "--to", "2026-03-02T12:00:00+01:00")
    recorded = ("--recorded-from", "2026-03-05", "--recorded-to", "2026-03-06")
    made = shell.json("corrections", "open", "days", *bounds, *recorded)
    assert [made[name] for name in ("from", "to", "recorded_from", "recorded_to")] == [
        "2026-03-01T00:00:00.000000Z",
        "2026-03-02T11:00:00.000000Z",
        "2026-03-05T00:00:00.000000Z",
        "2026-03-06T00:00:00.000000Z",
    ]


def test_an_empty_text_is_shown_as_a_condition(shell: Shell) -> None:
    fields = shown_fields(shell.run("corrections", "open", "empty texts", "--provider", "", "--tag", "").out)
    assert [fields[name] for name in ("Providers", "Tags", "Models")] == ["''", "''", "-"]
    [row] = [one for one in shell.json("corrections", "list")["data"] if one["name"] == "empty texts"]
    [column] = [one for one in COLUMNS if one.title == "Filter"]
    assert cells(column, [row], "UTC") == ["providers '', tags ''"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("wrong", "--model", ""), "--model must be text of 1 to 256 characters"),
        (("wrong", "--source", ".."), "--source must not be '.' or '..'"),
        (("wrong", "--recorded-from", "x"), "--recorded-from must be an RFC 3339 instant or a day"),
        (
            ("wrong", "--recorded-from", "2026-03-02", "--recorded-to", "2026-03-01"),
            "--recorded-to must be after --recorded-from",
        ),
        (("two\nlines", "--model", "m"), "NAME must be one line of text without control characters"),
    ],
)
def test_a_broken_rule_names_what_was_given(shell: Shell, arguments: tuple[str, ...], message: str) -> None:
    ended = shell.run("corrections", "open", *arguments)
    assert (ended.code, ended.out, ended.err) == (3, "", f"meterfold: {message}\n")


@pytest.mark.parametrize("options", [(), ("--action", "restore", "--reason", "all")])
def test_without_any_condition_the_options_are_told(shell: Shell, options: tuple[str, ...]) -> None:
    ended = shell.run("corrections", "open", "wrong", *options)
    assert (ended.code, ended.out, ended.err.splitlines()) == (
        2,
        "",
        [
            "meterfold: give at least one condition, by any of these options:",
            "--customer, --source, --model, --provider, --type, --tag,",
            "--from, --to, --recorded-from, --recorded-to",
        ],
    )


def test_a_commit_and_a_revert_tell_of_events_of_unknown_cost(shell: Shell, tmp_path: Path) -> None:
    data = {"provider": "acme", "model": "nobody knows", "input_tokens": 1}
    event = {"specversion": "1.0", "source": "unknown cost", "type": "llm.request", "subject": "cy", "data": data}
    (file := tmp_path / "usage.ndjson").write_text("\n".join(json.dumps(event | {"id": str(n)}) for n in range(2)))
    shell.json("ingest", str(file))
    shell.json("corrections", "open", "unpriced", "--source", "unknown cost")
    told = [shell.run("corrections", verb, "unpriced", "--yes").out.splitlines()[-1] for verb in ("commit", "revert")]
    assert told == ["2 fewer events of unknown cost", "2 events of unknown cost are not in it"]


def test_a_position_that_no_preview_named_is_told_by_its_option(shell: Shell) -> None:
    shell.json("corrections", "open", "previewed", "--model", "none")
    ended = shell.run("corrections", "commit", "previewed", "--previewed-at", "0")
    assert (ended.code, ended.err) == (
        3,
        "meterfold: --previewed-at must be the position that a preview of the run named\n",
    )


def test_what_an_amendment_sets_is_shown_in_one_line(shell: Shell) -> None:
    given = ("--set", "model=gpt-4o-mini", "--set", "provider=", "--add-tag", "late", "--remove-tag", "a b")
    made = shell.json("corrections", "open", "amends", "--action", "amend", "--model", "gpt-4o", *given)
    assert made["set"] == {
        "model": "gpt-4o-mini",
        "provider": "",
        "customer": None,
        "add_tags": ["late"],
        "remove_tags": ["a b"],
    }
    fields = shown_fields(shell.run("corrections", "show", "amends").out)
    assert (fields["Action"], fields["Set"]) == ("amend", "model=gpt-4o-mini, provider=, +late, -a b")
    shell.json("corrections", "open", "voids", "--model", "gpt-4o")
    assert "Set" not in shown_fields(shell.run("corrections", "show", "voids").out)
    [column] = [one for one in COLUMNS if one.title == "Set"]
    rows = [one for one in shell.json("corrections", "list")["data"] if one["name"] in ("amends", "voids")]
    assert cells(column, rows, "UTC") == ["model=gpt-4o-mini, provider=, +late, -a b", "-"]


AMEND = ("wrong", "--tag", "t", "--action", "amend")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (AMEND, 2, "--action amend: give --set, --add-tag or --remove-tag"),
        (("wrong", "--tag", "t", "--add-tag", "a"), 2, "--set and tags to change need --action amend"),
        ((*AMEND, "--set", "cost_usd=1"), 2, "--set cost_usd=1: give model, provider or customer, as NAME=VALUE"),
        ((*AMEND, "--set", "model"), 2, "--set model: give model, provider or customer, as NAME=VALUE"),
        ((*AMEND, "--set", "model=a", "--set", "model=b"), 2, "--set model=b: model is set to another value before"),
        ((*AMEND, "--set", "model="), 3, "--set model must be text of 1 to 256 characters"),
        ((*AMEND, "--set", "customer=.."), 3, "--set customer must not be '.' or '..'"),
        (
            (*AMEND, "--add-tag", "a", "--add-tag", "x" * 257),
            3,
            "--add-tag must be text of at most 256 characters without NUL",
        ),
        ((*AMEND, "--add-tag", "a", "--remove-tag", "a"), 3, "--remove-tag must not have 'a', which is to be added"),
    ],
)
def test_what_cannot_be_set_is_told_by_its_option(
    shell: Shell, arguments: tuple[str, ...], code: int, message: str
) -> None:
    ended = shell.run("corrections", "open", *arguments)
    assert (ended.code, ended.out, ended.err) == (code, "", f"meterfold: {message}\n")
