"""Files are loaded into a backfill as they are ingested: in every format, and as often as needed."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from api.cli.commands.backfill.loading import Loaded
from tests.api.cli.shell import Shell, run

MAP = """
source: {source}
subject: {{column: who}}
time: {{column: at}}
data: {{model: m, input_tokens: {{column: tokens}}, cost_usd: {{column: cost}}}}
"""
MARCH_3 = ("--from", "2026-03-03T08:00:00Z", "--to", "2026-03-03T14:00:00Z")


def opened(shell: Shell, name: str, *options: str) -> Any:
    return shell.json("backfill", "open", name, *MARCH_3, "--customer", name, *options)


def event(name: str, event_id: str, hour: int) -> str:
    time = f"2026-03-03T{hour:02}:00:00Z"
    return json.dumps(
        {"specversion": "1.0", "source": name, "id": event_id, "type": "job.done", "subject": name, "time": time}
    )


def test_a_csv_file_with_a_map_is_loaded_and_counts_nowhere(shell: Shell, tmp_path: Path) -> None:
    file, map_file = tmp_path / "log.csv", tmp_path / "map.yml"
    map_file.write_text(MAP.format(source="of map"))
    file.write_text("who,at,tokens,cost\ncsv-ada,2026-03-03T09:00:00Z,5,0.10\ncsv-ada,2026-03-03T13:59:59Z,6,0.10\n")
    opened(shell, "csv-ada")
    loaded = shell.json("backfill", "load", "csv-ada", str(file), "--map", str(map_file))
    assert loaded == {
        "file": str(file), "events": 2, "left_out": 0, "loaded": 2, "rejected": 0, "not_yet_checked": 0,
        "position": loaded["position"], "outcomes": [], "warnings": [],
    }  # fmt: skip
    assert shell.json("backfill", "show", "csv-ada")["loaded_events"] == 2
    assert shell.json("events", "list", "--customer", "csv-ada")["data"] == []


def test_a_topic_is_told_as_one() -> None:
    assert Loaded("usage", "topic", events=1, loaded=1).document() == {
        "topic": "usage", "events": 1, "left_out": 0, "loaded": 1, "rejected": 0, "not_yet_checked": 0,
        "position": 0, "outcomes": [], "warnings": [],
    }  # fmt: skip


def test_events_outside_of_the_range_are_rejected_and_shown(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "lost.ndjson"
    file.write_text("\n".join([event("outside", "1", 9), event("outside", "2", 14), event("other", "3", 9)]))
    opened(shell, "outside")
    ended = shell.run("backfill", "load", "outside", str(file))
    assert ended.code == 1
    assert "loaded" in ended.out
    for told in ("time: must be in the range of the backfill", "subject: must be one of those of the backfill"):
        assert told in ended.out
    assert "nothing of it counts yet" in ended.out
    listed = shell.json("rejected", "list", "--reason", "outside_backfill")["data"]
    assert [one["id"] for one in listed if one["stream"].endswith("/outside")] == ["3", "2"]


def test_a_file_that_is_loaded_again_counts_once(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "lost.ndjson"
    file.write_text(event("again", "1", 9))
    opened(shell, "again")
    shell.json("backfill", "load", "again", str(file))
    file.write_text("\n".join([event("again", "1", 9), event("again", "2", 10)]))
    shell.json("backfill", "load", "again", str(file))
    done = shell.json("backfill", "commit", "again", "--yes")
    assert (done["loaded_events"], done["committed"]["counted"], done["committed"]["duplicate"]) == (3, 2, 1)


def test_what_cannot_be_loaded_is_told(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "lost.ndjson"
    file.write_text(event("told", "1", 9))
    unknown = shell.run("backfill", "load", "told", str(file))
    assert (unknown.code, unknown.err) == (3, "meterfold: Not found: backfill 'told' does not exist\n")
    opened(shell, "told")
    shell.json("backfill", "cancel", "told", "--yes")
    closed = shell.run("backfill", "load", "told", str(file))
    assert closed.code == 3
    assert "backfill 'told' was cancelled: nothing can be loaded into it" in closed.err
    (table := tmp_path / "lost.csv").write_text("who\nada\n")
    assert shell.run("backfill", "load", "told", str(table)).code == 2


@pytest.mark.parametrize(("name", "word"), [("plain", "plain"), ("a $b", "'a $b'"), ("-dashed", "-- -dashed")])
def test_the_hint_can_be_pasted_into_a_shell(shell: Shell, tmp_path: Path, name: str, word: str) -> None:
    file = tmp_path / "lost.ndjson"
    file.write_text(event("hinted", name, 9))
    opening = ("backfill", "open", *MARCH_3, "--customer", "hinted", "--source", name)
    assert run(*opening, *shell.target, "--", name).code == 0
    ended = run("backfill", "load", *shell.target, "--", name, str(file))
    where = shlex.join(shell.target[:2])  # the address, and not the key
    hint = f"backfill preview {where} {word}"
    assert ended.out.splitlines()[-1] == f"nothing of it counts yet: see `meterfold {hint}`"
    command, *rest = shlex.split(hint)
    assert run(command, *rest[:1], *shell.target[2:], *rest[1:]).code == 0
