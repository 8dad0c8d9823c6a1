"""`meterfold replay --to-kafka`: what cannot be done is wrong use, or tells that the broker is not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.cli.shell import run
from tests.meterfold_process import free_port


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--to-kafka", "t", "--into", "own"), 2, "give --into or --to-kafka, not both"),
        (("--rate", "5"), 2, "--rate and --bootstrap need --to-kafka TOPIC"),
        (("--to-kafka", "t", "--rate", "0"), 2, "--rate"),
        (
            ("--to-kafka", "t", "--url", "http://127.0.0.1:9", "--key", "k"),
            2,
            "--to-kafka reads the log in a data folder",
        ),
        (("--to-kafka", "t", "--from", "soon"), 2, "--from must be a log position"),
        (("--to-kafka", "t", "--bootstrap", f"127.0.0.1:{free_port()}"), 4, "127.0.0.1"),
    ],
)
def test_it_says_what_is_wrong(tmp_path: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    event = {"specversion": "1.0", "source": "s", "id": "1", "type": "llm.request", "subject": "ada"}
    (tmp_path / "usage.ndjson").write_text(json.dumps(event))
    data = ("--data", str(tmp_path / "data"))
    assert run("ingest", str(tmp_path / "usage.ndjson"), *data).code == 0
    ended = run("replay", *arguments, *data)
    assert (ended.code, ended.out) == (code, ""), ended
    assert message in ended.err


def test_a_folder_without_a_log_is_told(tmp_path: Path) -> None:
    ended = run("replay", "--to-kafka", "t", "--data", str(tmp_path / "none"))
    assert (ended.code, "no engine's data" in ended.err) == (4, True)
    assert not (tmp_path / "none").exists()
