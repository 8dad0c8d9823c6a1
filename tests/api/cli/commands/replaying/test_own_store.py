"""`meterfold replay --into DIR`: a store to look at, whose answers come with a note."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.api.cli.shell import Shell, run

EVENT = {"specversion": "1.0", "source": "s", "type": "llm.request", "subject": "ada", "time": "2026-03-01T09:00:00Z"}


@pytest.fixture
def live(tmp_path: Path) -> Path:
    """A data folder that took two files, an event each."""
    for number in ("1", "2"):
        file = tmp_path / f"{number}.ndjson"
        file.write_text(json.dumps({**EVENT, "id": number, "data": {"input_tokens": int(number), "cost_usd": "1"}}))
        assert run("ingest", str(file), "--data", str(tmp_path / "data")).code == 0
    return tmp_path / "data"


def test_a_store_of_the_last_record_says_so_in_every_answer(live: Path, tmp_path: Path) -> None:
    head = Shell("--data", str(live)).json("status")["head"]
    own = tmp_path / "own"
    made = run("replay", "--into", str(own), "--from", str(head), "--data", str(live))
    text = f"usage of the log of {live} from position {head} to {head} alone, no totals"
    assert made.out.splitlines() == [f"{own} has 1 event: {text}", f"ask it with --data {own}"]
    asked = run("usage", "ada", "--from", "2026-03-01", "--to", "2026-03-02", "--json", "--data", str(own))
    assert asked.err == f"note: this is {text}\n"
    assert [window["input_tokens"] for window in json.loads(asked.out)["data"]] == [2]


def test_its_result_as_json_tells_the_range(live: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    made = Shell("--data", str(live)).json("replay", "--into", str(own))
    assert (made["into"], made["from"], made["to"], made["events"]) == (str(own), 1, made["position"] + 1, 2)
    assert made["range"] == f"the log of {live} up to position {made['position']}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from", "3"), "a range needs --into DIR"),
        (("--to", "2026-03-01"), "a range needs --into DIR"),
        (("--from", ""), "a range needs --into DIR"),
        (("--into", "own", "--url", "http://127.0.0.1:9", "--key", "k"), "--into reads the log in a data folder"),
        (("--into", "own", "--from", "soon"), "--from must be a log position"),
        (("--into", ".", "--from", "1"), "--into must name an empty folder"),
    ],
)
def test_what_cannot_be_made_is_wrong_use(
    live: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(live)
    ended = run("replay", *arguments, "--data", str(live))
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert not (live / "own").exists()


def test_it_is_refused_what_would_change_it(live: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    assert run("replay", "--into", str(own), "--data", str(live)).code == 0
    for command in (("ingest", str(tmp_path / "1.ndjson")), ("customers", "delete", "ada", "--yes")):
        ended = run(*command, "--data", str(own))
        assert ended.code != 0, command
        assert "looked at" in ended.err, command
    assert "no engine serves it" in run("serve", "--data", str(own), "--port", "0").err


@pytest.mark.parametrize("command", ["verify", "replay", "rebuild"])
@pytest.mark.parametrize("folder", ["own", "own $HOME"])
def test_it_is_neither_verified_nor_folded_again(live: Path, tmp_path: Path, command: str, folder: str) -> None:
    own = tmp_path / folder
    made = run("replay", "--into", str(own), "--from", "2", "--data", str(live))
    assert made.out.splitlines()[-1] == f"ask it with --data {shlex.quote(str(own))}"
    before = {path: path.stat().st_mtime_ns for path in own.rglob("*")}
    ended = run(command, "--data", str(own))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines() == [
        f"meterfold: {own} was made by `meterfold replay --into`, to be looked at:",
        "it is neither verified nor replayed. Do that with the data folder that it",
        f"was made of, --data {live}, or make another one",
    ]
    assert {path: path.stat().st_mtime_ns for path in own.rglob("*")} == before
