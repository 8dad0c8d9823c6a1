"""`meterfold portal` prints a link that opens the page, whether or not an engine runs, and revokes links."""

from __future__ import annotations

import shlex
from pathlib import Path

import httpx

from tests.api.cli.shell import Shell
from tests.meterfold_process import Server


def test_it_prints_a_link_that_opens_and_that_can_be_revoked(shell: Shell, server: Server) -> None:
    shell.json("customers", "create", "portal-ada")
    made = shell.run("portal", "portal-ada", "--valid-seconds", "3600")
    link = made.out.strip()
    assert (made.code, link.startswith(server.url + "/portal/")) == (0, True)
    assert "Whoever has this link sees the usage of the customer until" in made.err
    assert httpx.get(link).status_code == 200
    revoked = shell.run("portal", "portal-ada", "--revoke", "--reason", "sent to the wrong address")
    assert (revoked.code, revoked.out) == (0, "revoked\n")
    assert httpx.get(link).status_code == 403


def test_an_unknown_customer_has_no_link(shell: Shell) -> None:
    ended = shell.run("portal", "portal-nobody")
    assert (ended.code, "does not exist" in ended.err) == (3, True)
    assert shell.run("portal", "portal-nobody", "--revoke").code == 3


def test_revoking_makes_no_link(shell: Shell) -> None:
    assert shell.run("portal", "portal-ada", "--revoke", "--valid-seconds", "60").code == 2


def test_a_reason_is_only_for_what_is_stored(shell: Shell) -> None:
    ended = shell.run("portal", "portal-ada", "--reason", "asked")
    assert (ended.code, ended.out, "leave out --reason" in ended.err) == (2, "", True)


def test_without_a_running_engine_the_link_has_the_address_that_it_will_have(tmp_path: Path) -> None:
    shell = Shell("--data", str(tmp_path))
    shell.json("customers", "create", "ada")
    made = shell.run("portal", "ada")
    assert (made.code, made.out.startswith("http://127.0.0.1:8080/portal/")) == (0, True)
    assert "No engine serves the data folder now" in made.err
    assert made.err.splitlines()[-1] == f"`meterfold serve {shlex.join(shell.target)}` runs."
