"""Reasons are checked before they are sent, by every command that keeps one."""

from __future__ import annotations

import pytest
import typer
from typer.core import TyperOption

from api.cli.options import reason_given
from api.cli.output.exit_codes import CommandFailed, ExitCode
from tests.api.cli.command_tree import command_tree
from tests.api.cli.shell import Shell

#: Commands whose --reason selects what is listed.
SELECTING = {"rejected list", "rejected dead-letters", "rejected retry"}


def reasons() -> dict[str, TyperOption]:
    """The option --reason of each command that has one."""
    return {
        words: parameter
        for words, command in command_tree().items()
        for parameter in command.params
        if "--reason" in parameter.opts
    }


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (None, None),
        ("wrong map", "wrong map"),
        ("  around\t", "around"),
        ("Ablösung → 更新 👩\u200d💻", "Ablösung → 更新 👩\u200d💻"),
    ],
)
def test_a_reason_is_kept_without_blanks_around_it(given: str | None, kept: str | None) -> None:
    assert reason_given(given) == kept


@pytest.mark.parametrize("given", ["", "  ", "\t\n"])
def test_a_reason_of_blanks_is_wrong_use(given: str) -> None:
    with pytest.raises(CommandFailed) as refused:
        reason_given(given)
    assert (refused.value.code, refused.value.message) == (
        ExitCode.WRONG_USE,
        "--reason is blank: say why, or leave it out",
    )


@pytest.mark.parametrize("given", ["two\nlines", "a\tb", "\x1b[1m", "a\x85b", "a\u2028b", "\udcff"])
def test_a_reason_with_control_characters_is_wrong_use(given: str) -> None:
    with pytest.raises(CommandFailed) as refused:
        reason_given(given)
    assert (refused.value.code, refused.value.message) == (
        ExitCode.WRONG_USE,
        "--reason must be one line of text without control characters",
    )


@pytest.mark.parametrize("words", sorted(reasons().keys() - SELECTING))
def test_every_command_with_a_reason_checks_it(words: str) -> None:
    option = reasons()[words]
    context = typer.Context(command_tree()[words])
    assert option.process_value(context, " why ") == "why"
    with pytest.raises(CommandFailed):
        option.process_value(context, " ")


def test_a_reason_arrives_as_it_was_given(shell: Shell) -> None:
    shell.json("customers", "create", "with-reason")
    shell.json("customers", "block", "with-reason", "--reason", "  zu spät — 更新 ")
    entries = shell.json("customers", "history", "with-reason")["data"]
    assert entries[-1]["reason"] == "zu spät — 更新"
    ended = shell.run("customers", "unblock", "with-reason", "--reason", " ")
    assert (ended.code, ended.out, ended.err) == (2, "", "meterfold: --reason is blank: say why, or leave it out\n")
    ended = shell.run("customers", "unblock", "with-reason", "--reason", "更" * 1000)
    assert (ended.code, shell.json("customers", "history", "with-reason")["data"][-1]["reason"]) == (0, "更" * 1000)
