"""A backfill is opened, looked at, committed and taken back by commands, with an engine that runs and without one."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from api.cli.commands.runs.named_runs import unknown_costs
from tests.api.cli.commands.backfill.test_loading import MARCH_3, event, opened
from tests.api.cli.shell import Shell


def loaded(shell: Shell, name: str, folder: Path, *options: str) -> None:
    file = folder / "lost.ndjson"
    file.write_text("\n".join([event(name, "1", 9), event(name, "2", 10)]))
    opened(shell, name, *options)
    shell.json("backfill", "load", name, str(file))


def counted(shell: Shell, customer: str) -> list[str]:
    return [one["id"] for one in shell.json("events", "list", "--customer", customer)["data"]]


def test_a_backfill_is_committed_and_reverted(shell: Shell, tmp_path: Path) -> None:
    loaded(shell, "committed", tmp_path, "--reason", "gateway lost them")
    done = shell.run("backfill", "commit", "committed", "--yes")
    assert done.code == 0, done.err
    assert "committed at log position" in done.out
    assert "+2 counted, +0 withdrawn, +0 duplicate, +0 conflict" in done.out
    assert counted(shell, "committed") == ["2", "1"]
    undone = shell.run("backfill", "revert", "committed", "--yes")
    assert "-2 counted, +2 withdrawn, +0 duplicate, +0 conflict" in undone.out
    assert counted(shell, "committed") == []
    shown = shell.run("backfill", "show", "committed").out
    assert "gateway lost them" in shown
    explained = shell.run("events", "show", "committed", "1")
    assert "backfill 'committed' was reverted" in explained.out
    withdrawn = shell.run("rejected", "list", "--outcome", "withdrawn")
    assert "Events that backfills withdrew" in withdrawn.out
    assert "events are withdrawn" in shell.run("status").out


def test_a_preview_that_was_not_shown_is_committed_only_when_that_is_asked_for(shell: Shell, tmp_path: Path) -> None:
    loaded(shell, "unseen", tmp_path)
    ended = shell.run("backfill", "commit", "unseen", "--json")
    assert (ended.code, ended.err) == (2, "meterfold: with --json, give --previewed-at or --yes\n")
    position = shell.json("backfill", "preview", "unseen")["previewed_at"]
    done = shell.json("backfill", "commit", "unseen", "--previewed-at", str(position))
    assert done["committed"]["counted"] == 2


@pytest.mark.parametrize(("costs", "told"), [((None, None), 2), ((None, "1"), 1), (("1", "2"), 0)])
def test_a_difference_that_lacks_unknown_costs_says_of_how_many_events(
    shell: Shell, tmp_path: Path, costs: tuple[str | None, str | None], told: int
) -> None:
    name = f"unknown-{told}"
    file = tmp_path / "lost.ndjson"
    file.write_text("\n".join(request(name, str(number), cost) for number, cost in enumerate(costs)))
    opened(shell, name)
    shell.json("backfill", "load", name, str(file))
    lines = {2: ["2 events of unknown cost are not in it"], 1: ["1 event of unknown cost is not in it"], 0: []}[told]
    preview = shell.json("backfill", "preview", name)
    assert preview["cost_unknown_events"] == told
    for command in (("preview", name), ("commit", name, "--previewed-at", str(preview["previewed_at"]))):
        assert [line for line in shell.run("backfill", *command).out.splitlines() if "of unknown" in line] == lines
    assert shell.json("backfill", "show", name)["committed"]["cost_unknown_events"] == told
    undone = shell.run("backfill", "revert", name, "--yes").out
    fewer = {2: "2 fewer events of unknown cost", 1: "1 fewer event of unknown cost", 0: ""}[told]
    assert fewer in undone


def request(name: str, event_id: str, cost: str | None) -> str:
    data = {"model": "of no price", "input_tokens": 5} | ({} if cost is None else {"cost_usd": cost})
    return json.dumps(json.loads(event(name, event_id, 9)) | {"type": "llm.request", "data": data})


def test_fewer_unknown_costs_are_told_as_fewer() -> None:
    assert [unknown_costs(more) for more in (-1200, -1, 0)] == [
        ("1,200 fewer events of unknown cost",),
        ("1 fewer event of unknown cost",),
        (),
    ]


def test_what_was_not_confirmed_is_not_done(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(shell, "unsure", tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n" * 3))
    assert [shell.run("backfill", verb, "unsure").code for verb in ("commit", "cancel")] == [130, 130]
    assert shell.json("backfill", "show", "unsure")["state"] == "open"
    shell.json("backfill", "commit", "unsure", "--yes")
    assert shell.run("backfill", "revert", "unsure").code == 130
    assert shell.json("backfill", "show", "unsure")["state"] == "committed"


def test_a_cancelled_backfill_never_counts_and_its_range_is_free(shell: Shell, tmp_path: Path) -> None:
    loaded(shell, "given up", tmp_path)
    taken = shell.run("backfill", "open", "another", *MARCH_3, "--customer", "given up")
    assert taken.code == 3
    assert "backfill 'given up' is open and overlaps" in taken.err
    assert "2 events never count" in shell.run("backfill", "cancel", "given up", "--yes").out
    another = shell.json("backfill", "open", "another", *MARCH_3, "--customer", "given up", "--mode", "replace")
    assert (another["state"], another["mode"]) == ("open", "replace")
    names = [one["name"] for one in shell.json("backfill", "list")["data"]]
    assert {"given up", "another"} <= set(names)


def test_a_range_may_be_given_in_days(shell: Shell) -> None:
    made = shell.json("backfill", "open", "days", "--from", "2026-03-01", "--to", "2026-03-03", "--customer", "days")
    assert (made["from"], made["to"]) == ("2026-03-01T00:00:00.000000Z", "2026-03-03T00:00:00.000000Z")


def test_a_name_is_one_line_of_text(shell: Shell) -> None:
    for name in ("two\nlines", "tab\t", "\x1b[31m"):
        ended = shell.run("backfill", "open", name, *MARCH_3)
        told = "meterfold: NAME must be one line of text without control characters\n"
        assert (ended.code, ended.out, ended.err) == (3, "", told)


def test_wrong_ranges_are_refused_with_their_field(shell: Shell) -> None:
    for options, told in (
        (("--from", "2026-03-03T14:00:00Z", "--to", "2026-03-03T08:00:00Z"), "--to must be after --from\n"),
        (
            ("--from", "yesterday", "--to", "2026-03-03T08:00:00Z"),
            "meterfold: --from must be an RFC 3339 instant or a day\n",
        ),
        (("--from", "2026-02-30", "--to", "2026-03-03"), "--from must be an RFC 3339 instant or a day that exists\n"),
        ((*MARCH_3, "--customer", ""), "meterfold: --customer must not be empty\n"),
    ):
        ended = shell.run("backfill", "open", "wrong", *options)
        assert ended.code == 3, ended
        assert told in ended.err
    assert shell.run("backfill", "open", "wrong", *MARCH_3[:2]).code == 2
    assert shell.run("backfill", "open", "wrong", *MARCH_3, "--mode", "merge").code == 2


def test_without_an_engine_every_step_opens_the_folder_again(tmp_path: Path) -> None:
    alone = Shell("--data", str(tmp_path / "data"))
    (file := tmp_path / "seen.ndjson").write_text(event("alone", "seen", 9))
    alone.json("ingest", str(file))
    loaded(alone, "alone", tmp_path, "--mode", "replace")
    assert counted(alone, "alone") == ["seen"]
    alone.json("backfill", "commit", "alone", "--yes")
    assert counted(alone, "alone") == ["2", "1"]
    alone.json("backfill", "revert", "alone", "--yes")
    assert counted(alone, "alone") == ["seen"]
