"""Files are counted once, and the exit code tells whether events were rejected."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from api.cli.commands.ingest import Ingested, replacing, sent_batches
from api.cli.server.http_client import Connection
from consumers.files.event_batches import Batch
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


def amended(shell: Shell, file: Path, *rows: str) -> tuple[int, dict[str, int], list[str]]:
    """The exit code, the counts that are not 0 and the ids of the rows that are listed, which a table tells alike."""
    file.write_text("id,who,tokens\n" + "".join(f"{row}\n" for row in rows))
    map_file = file.with_suffix(".yml")
    map_file.write_text(
        f"source: {file.parent.name}\nid: {{column: id}}\nsubject: {{column: who}}\n"
        "data: {input_tokens: {column: tokens}}\n"
    )
    asked = ("ingest", str(file), "--map", str(map_file), "--amend")
    ended = shell.run(*asked, "--json")
    printed = json.loads(ended.out)
    assert sum(printed["counts"].values()) == len(rows)
    listed = [f"{one['id']} {one['outcome']}" for one in printed["outcomes"]]
    return ended.code, {name: count for name, count in printed["counts"].items() if count}, listed


def test_rows_that_amend_are_told_in_one_way_each(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    assert amended(shell, file, "1,ada,1", "2,ada,2") == (0, {"counted": 2}, [])
    assert amended(shell, file, "1,ada,10", "2,ada,2") == (0, {"duplicate": 1, "amended": 1}, [])
    back_and_a_conflict = ("1,ada,1", "2,ada,3", "2,ada,4", "3,ada,x")
    told = (1, {"conflict": 1, "rejected": 1, "amended": 2}, ["2 conflict", "3 rejected"])
    assert amended(shell, file, *back_and_a_conflict) == told


def test_a_table_of_amended_rows_agrees_with_json(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    amended(shell, file, "1,bob,1", "2,bob,2")
    amended(shell, file, "1,bob,10")
    file.write_text("id,who,tokens\n1,bob,1\n2,bob,3\n2,bob,4\n")
    ended = shell.run("ingest", str(file), "--map", str(file.with_suffix(".yml")), "--amend")
    words = [line.split() for line in ended.out.splitlines()]
    counts = {one[0]: int(one[1]) for one in words if len(one) == 2 and one[1].isdigit()}
    assert counts == {"counted": 0, "duplicate": 0, "conflict": 1, "rejected": 0, "amended": 2}
    listed = [one[0] for one in words if "conflict" in one[1:]]
    assert (ended.code, listed) == (1, ["2"])


def test_rows_that_the_first_attempt_stored_are_not_told_as_duplicates() -> None:
    """The engine stores both batches; the first one is counted only after the answer, so it is sent again."""
    counts = {"counted": 0, "duplicate": 3, "conflict": 1, "rejected": 0, "amended": 2}
    told = {"position": 9, "counts": counts, "outcomes": [], "warnings": []}
    answers = iter([(202, {"position": 7}), (200, told), (200, told)])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/readyz":
            return httpx.Response(200, json={"behind_seconds": 0})
        status, body = next(answers)
        return httpx.Response(status, json=body)

    engine = Connection(httpx.Client(transport=httpx.MockTransport(answer), base_url="http://engine"), "there")
    ingested = Ingested("rows.csv", counts=dict.fromkeys(counts, 0))
    for batch, receipt in sent_batches(engine, replacing(5, None), [Batch(b"", 6, 0), Batch(b"", 6, 0)], 1.0):
        ingested.add(batch, receipt)
    assert ingested == Ingested(
        "rows.csv",
        events=12,
        counts={"counted": 0, "duplicate": 3, "conflict": 2, "rejected": 0, "amended": 4},
        counted_or_duplicate=3,
        position=9,
    )
