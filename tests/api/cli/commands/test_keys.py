"""API keys are shown once and are invalid after they were revoked."""

from __future__ import annotations

import json
import os
import pty
import subprocess

from tests.api.cli.shell import Shell, run
from tests.meterfold_process import ADMIN_KEY, Server, command_line, environment


def test_a_key_is_limited_to_its_scopes_and_invalid_once_revoked(shell: Shell, server: Server) -> None:
    made = shell.json("keys", "create", "--scope", "read", "--name", "reader")
    reader = Shell("--url", server.url, "--key", made["secret"])
    assert reader.run("customers", "list").code == 0
    assert reader.run("customers", "create", "not-by-a-reader").code == 3
    assert shell.run("keys", "revoke", made["id"]).code == 0
    ended = reader.run("customers", "list")
    assert (ended.code, made["secret"] in ended.err) == (3, False)


def test_a_key_is_shown_once(shell: Shell) -> None:
    ended = shell.run("keys", "create", "--scope", "read", "--name", "once")
    secret = ended.out.strip()
    assert (secret.startswith("sk-"), "only time" in ended.err) == (True, True)
    listed = shell.run("keys", "list", "--json")
    assert ("once" in listed.out, secret in listed.out) == (True, False)


def test_a_new_tenant_sees_nothing_of_another(shell: Shell, server: Server) -> None:
    shell.json("customers", "create", "of-the-default-tenant")
    made = shell.json("keys", "create", "--scope", "admin", "--tenant", "cli-other", "--environment", "test")
    other = Shell("--url", server.url, "--key", made["secret"])
    assert other.json("customers", "list")["data"] == []


def test_a_key_of_both_environments_works_in_the_first_one(shell: Shell, server: Server) -> None:
    named = ("--environment", "test", "--environment", "prod")
    made = shell.json("keys", "create", "--scope", "admin", "--tenant", "cli-both", *named)
    assert (made["environment"], made["environments"]) == ("test", ["test", "prod"])
    listed = Shell("--url", server.url, "--key", made["secret"]).run("keys", "list")
    assert "cli-both/test+prod" in listed.out


def test_an_address_without_a_key_is_wrong_use(server: Server) -> None:
    ended = run("customers", "list", "--url", server.url)
    assert (ended.code, "--key" in ended.err) == (2, True)


def test_the_scopes_of_a_key_have_to_be_named(shell: Shell) -> None:
    ended = shell.run("keys", "create", "--name", "of no scope")
    assert (ended.code, ended.out) == (2, "")
    assert "name the permissions of the key by --scope: one or more of admin, ingest, read" in ended.err
    assert "of no scope" not in shell.run("keys", "list", "--json").out


def test_the_scopes_of_a_key_are_asked_for_on_a_terminal(server: Server) -> None:
    ours, theirs = pty.openpty()
    os.write(ours, b"everything\ningest, read\n")
    ended = subprocess.run(
        command_line("keys", "create", "--name", "asked", "--json", "--url", server.url, "--key", ADMIN_KEY),
        env=environment(),
        stdin=theirs,
        capture_output=True,
        text=True,
        check=True,
    )
    os.close(ours)
    os.close(theirs)
    assert json.loads(ended.stdout)["scopes"] == ["ingest", "read"]
    assert ended.stderr.count("Scopes of the key") == 2
