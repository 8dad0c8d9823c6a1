"""Every kind of named runs is listed, previewed, committed and reverted by the same commands."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest

from tests.api.cli.shell import Shell

DAY = ("--from", "2026-03-03T00:00:00Z", "--to", "2026-03-04T00:00:00Z")
#: A kind, how one is opened, its title, and what is told of a preview, a commit and a revert.
KINDS = (
    (
        "corrections",
        (),
        "Correction",
        ["1 of 1 event would be voided, of 1 customer: 1 request,", "a difference of -2 USD before markup"],
        "1 event, difference -2 USD before markup",
        "1 event, difference 2 USD before markup",
    ),
    (
        "repricings",
        (),
        "Re-pricing",
        [
            "0 of 0 events would get another cost, of 0 customers:",
            "0 USD in place of 0 before markup: a difference of 0",
        ],
        "0 events, difference 0 USD before markup",
        "0 events, difference 0 USD before markup",
    ),
    (
        "backfill",
        ("--mode", "replace"),
        "Backfill",
        [
            "of the loaded events 0 would count; 0 are duplicates, 0 in conflict",
            "a difference of -2 USD before markup, for 1 customer",
            "1 event of the range would be withdrawn;",
            "of them 1 was not loaded again",
        ],
        "a difference of -2 USD before markup",
        "a difference of 2 USD before markup",
    ),
)
STEPS = pytest.mark.parametrize(("kind", "options", "title", "previewed", "committed", "reverted"), KINDS)


def opened(shell: Shell, folder: Path, kind: str, options: tuple[str, ...]) -> str:
    """Open a run over the one event of a customer, and return its name."""
    name = f"run of {kind}"
    data = {"model": "m", "cost_usd": "2"}
    event = {"specversion": "1.0", "source": kind, "id": "1", "type": "llm.request", "subject": name, "data": data}
    (file := folder / "usage.ndjson").write_text(json.dumps(event | {"time": "2026-03-03T09:00:00Z"}))
    shell.json("ingest", str(file))
    shell.json(kind, "open", name, "--customer", name, *DAY, *options)
    return name


@STEPS
def test_a_run_is_previewed_committed_and_reverted(
    tmp_path: Path,
    kind: str,
    options: tuple[str, ...],
    title: str,
    previewed: list[str],
    committed: str,
    reverted: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell = Shell("--data", str(tmp_path / "data"))
    name = opened(shell, tmp_path, kind, options)
    assert [one["name"] for one in shell.json(kind, "list")["data"]] == [name]
    assert f"{title} {name}" in shell.run(kind, "show", name).out
    told = shell.run(kind, "preview", name).out.splitlines()
    assert [line for line in told if line in previewed] == previewed
    refused = shell.run(kind, "commit", name, "--json")
    assert (refused.code, refused.err) == (2, "meterfold: with --json, give --previewed-at or --yes\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n" * 2))
    unsure = shell.run(kind, "commit", name)
    assert (unsure.code, set(previewed) <= set(unsure.out.splitlines())) == (130, True)
    for verb, done, line in (("commit", "committed", committed), ("revert", "reverted", reverted)):
        if verb == "revert":
            assert shell.run(kind, verb, name).code == 130
        told = shell.run(kind, verb, name, "--yes").out.splitlines()
        assert [one for one in told if re.fullmatch(rf"{done} at log position \d+: {re.escape(line)}", one)] != []
        assert shell.json(kind, "show", name)["state"] == done
