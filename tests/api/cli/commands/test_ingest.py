"""Files are counted once, and the exit code tells whether events were rejected."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.cli.shell import Shell, run
from tests.meterfold_process import free_port

MAP = """
source: {source}
subject: {{column: who}}
time: {{column: at}}
data: {{model: m, input_tokens: {{column: tokens}}, cost_usd: {{column: cost}}}}
"""
HEADER = "who,at,tokens,cost\n"
ROW = "{who},2026-03-01T09:00:00Z,{tokens},0.10\n"


def write_map(folder: Path, source: str) -> Path:
    path = folder / "map.yml"
    path.write_text(MAP.format(source=source))
    return path


def test_a_file_is_counted_once_even_when_it_has_grown(shell: Shell, tmp_path: Path) -> None:
    file, map_file = tmp_path / "log.csv", write_map(tmp_path, "grown")
    rows = [ROW.format(who="grown-ada", tokens=tokens) for tokens in (1, 2, 2)]
    file.write_text(HEADER + "".join(rows[:2]))
    first = shell.json("ingest", str(file), "--map", str(map_file))
    file.write_text(HEADER + "".join(rows))
    second = shell.json("ingest", str(file), "--map", str(map_file))
    assert first["counts"] == {"counted": 2, "duplicate": 0, "conflict": 0, "rejected": 0}
    assert second["counts"] == {"counted": 1, "duplicate": 2, "conflict": 0, "rejected": 0}
    usage = shell.json("usage", "grown-ada", "--from", "2026-03-01T00:00:00Z", "--to", "2026-03-02T00:00:00Z")
    assert [(row["requests"], row["input_tokens"], row["cost_usd"]) for row in usage["data"]] == [(3, 5, "0.3")]


def test_bad_rows_are_rejected_and_shown_and_the_rest_is_counted(shell: Shell, tmp_path: Path) -> None:
    file, map_file = tmp_path / "log.csv", write_map(tmp_path, "bad-rows")
    good = ROW.format(who="bad-rows-ada", tokens=1)
    file.write_text(HEADER + good + ROW.format(who="bad-rows-ada", tokens="x") + "only,two\n" + good)
    ended = shell.run("ingest", str(file), "--map", str(map_file), "--json")
    printed = json.loads(ended.out)
    assert ended.code == 1
    assert printed["counts"] == {"counted": 2, "duplicate": 0, "conflict": 0, "rejected": 2}
    assert [entry["outcome"] for entry in printed["outcomes"]] == ["rejected", "rejected"]


def test_a_changed_map_causes_conflicts_and_the_first_version_stands(shell: Shell, tmp_path: Path) -> None:
    file, map_file = tmp_path / "log.csv", write_map(tmp_path, "changed-map")
    file.write_text(HEADER + ROW.format(who="changed-ada", tokens=1))
    shell.json("ingest", str(file), "--map", str(map_file))
    map_file.write_text(map_file.read_text().replace("model: m", "model: other"))
    ended = shell.run("ingest", str(file), "--map", str(map_file))
    assert (ended.code, "conflict" in ended.out) == (1, True)


def test_equal_rows_of_two_sources_are_counted_separately(shell: Shell, tmp_path: Path) -> None:
    file, map_file = tmp_path / "log.csv", write_map(tmp_path, "apart")
    file.write_text(HEADER + ROW.format(who="apart-ada", tokens=1))
    for source in ("apart/1", "apart/2"):
        printed = shell.json("ingest", str(file), "--map", str(map_file), "--source", source)
        assert printed["counts"]["counted"] == 1


def test_events_are_ingested_without_a_map(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    event = {"specversion": "1.0", "source": "lines", "id": "1", "type": "job.done", "subject": "lines-ada"}
    file.write_text("\n\n".join([json.dumps(event), json.dumps({**event, "id": "2"})]))
    printed = shell.json("ingest", str(file))
    assert (printed["events"], printed["counts"]["counted"], printed["outcomes"]) == (2, 2, [])


@pytest.mark.parametrize(
    ("map_text", "message"),
    [
        ("source: s\nsubject: x\ntime: {column: when}\n", "no column 'when'; it has 'who', 'at', 'tokens', 'cost'"),
        ("source: s\nsubject: x\nzone: UTC\n", "zone: Extra inputs are not permitted"),
        ("]", "not YAML"),
    ],
)
def test_errors_of_a_map_are_reported_before_anything_is_sent(
    shell: Shell, tmp_path: Path, map_text: str, message: str
) -> None:
    (tmp_path / "log.csv").write_text(HEADER)
    (tmp_path / "map.yml").write_text(map_text)
    ended = shell.run("ingest", str(tmp_path / "log.csv"), "--map", str(tmp_path / "map.yml"))
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


def test_rows_without_a_map_are_wrong_use(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(HEADER)
    ended = shell.run("ingest", str(tmp_path / "log.csv"))
    assert (ended.code, "--map" in ended.err) == (2, True)


def test_an_unreachable_engine_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    file.write_text("{}\n")
    ended = run("ingest", str(file), "--url", f"http://127.0.0.1:{free_port()}", "--key", "sk-x")
    assert (ended.code, "no answer from the engine" in ended.err) == (4, True)


def test_an_empty_file_has_no_events(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "events.ndjson").write_text("")
    assert shell.json("ingest", str(tmp_path / "events.ndjson"))["events"] == 0


def test_a_map_with_a_misspelt_unit_is_told_so(shell: Shell, tmp_path: Path) -> None:
    file, map_file = tmp_path / "log.csv", write_map(tmp_path, "misspelt")
    map_file.write_text(map_file.read_text().replace("input_tokens:", "input_token:"))
    file.write_text(HEADER + ROW.format(who="misspelt-ada", tokens=1) + ROW.format(who="misspelt-ada", tokens=2))
    printed = shell.json("ingest", str(file), "--map", str(map_file))
    advice = "is kept as a property: did you mean input_tokens?"
    assert printed["warnings"] == [{"member": "data.input_token", "advice": advice, "events": 2}]
    shown = shell.run("ingest", str(file), "--map", str(map_file)).out
    assert "data.input_token" in shown
