"""Every command works the same whether or not an engine runs on the data folder."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest

from consumers.embedded.data_folder import DataFolder
from tests.api.cli.shell import Ended, Shell, run
from tests.meterfold_process import command_line, environment, free_port, meterfold, serving

EVENT = {
    "specversion": "1.0",
    "source": "places",
    "type": "llm.request",
    "subject": "ada",
    "time": "2026-03-01T09:00:00Z",
    "data": {"model": "m", "input_tokens": 5, "cost_usd": "0.5"},
}
ASKED = (
    ("usage", "ada", "--from", "2026-03-01T00:00:00Z", "--to", "2026-03-02T00:00:00Z"),
    ("customers", "show", "ada"),
    ("customers", "history", "ada"),
    ("access", "ada"),
    ("budget", "ada"),
    ("status",),
    ("verify",),
    ("replay",),
)


@pytest.fixture(scope="module")
def metered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two counted events that no engine owns."""
    folder = tmp_path_factory.mktemp("places")
    file = folder / "events.ndjson"
    file.write_text("\n".join(json.dumps({**EVENT, "id": name}) for name in ("1", "2", "1")))
    printed = json.loads(meterfold("ingest", str(file), "--data", str(folder / "data"), "--json"))
    assert printed["counts"] == {"counted": 2, "duplicate": 1, "conflict": 0, "rejected": 0}
    return folder / "data"


def test_answers_are_the_same_with_and_without_a_running_engine(metered: Path, tmp_path: Path) -> None:
    folder = Shell("--data", str(metered))
    alone = [_timeless(folder.json(*asked)) for asked in ASKED]
    with serving(metered, tmp_path / "messages") as server:
        owned = [_timeless(folder.json(*asked)) for asked in ASKED]
        assert json.loads((metered / "engine.json").read_text())["url"] == server.url
    assert owned == alone


def _timeless(answer: dict[str, Any]) -> dict[str, Any]:
    """Without positions and times: an engine that starts may write a record of its own."""
    return {name: value for name, value in answer.items() if name not in ("position", "now", "head", "records")}


def test_two_commands_on_one_folder_take_turns(metered: Path) -> None:
    asking = [
        subprocess.Popen(
            command_line("customers", "list", "--data", str(metered), "--json"),
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=60)[0] for process in asking]
    assert [process.returncode for process in asking] == [0, 0]
    assert [[customer["id"] for customer in json.loads(text)["data"]] for text in answers] == [["ada"], ["ada"]]


def test_the_address_of_a_killed_engine_is_ignored(metered: Path) -> None:
    (metered / "engine.json").write_text(json.dumps({"pid": 1, "url": f"http://127.0.0.1:{free_port()}"}))
    holding = DataFolder(metered)
    holding.acquire()
    asking = subprocess.Popen(
        command_line("customers", "list", "--data", str(metered), "--json"), env=environment(), stdout=subprocess.PIPE
    )
    with pytest.raises(subprocess.TimeoutExpired):
        asking.communicate(timeout=2)
    holding.release()
    assert json.loads(asking.communicate(timeout=60)[0])["data"][0]["id"] == "ada"


def test_a_query_creates_no_data_folder(tmp_path: Path) -> None:
    ended = run("status", "--data", str(tmp_path / "nothing"))
    assert (ended.code, "no engine's data" in ended.err) == (4, True)
    assert not (tmp_path / "nothing").exists()


def test_verify_finds_a_changed_number_and_rebuild_repairs_it(metered: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(metered, folder)
    _tamper(folder)
    found = run("verify", "--data", str(folder), "--json")
    assert found.code == 1
    assert json.loads(found.out)["findings"] != []
    assert run("replay", "--data", str(folder)).code == 0
    mended = run("verify", "--data", str(folder))
    assert (mended.code, mended.out.startswith("all is well: ")) == (0, True)


def test_a_read_store_that_cannot_be_opened_is_rebuilt(metered: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(metered, folder)
    (store,) = folder.glob("read/*/store.duckdb")
    store.write_bytes(b"no database" * 1000)
    broken: Ended = run("status", "--data", str(folder))
    assert (broken.code, broken.out) == (1, "")
    assert run("replay", "--data", str(folder)).code == 0
    assert Shell("--data", str(folder)).json("status")["counts"]["counted"] == 2


def _tamper(folder: Path) -> None:
    (store,) = folder.glob("read/*/store.duckdb")
    with duckdb.connect(str(store)) as connection:
        connection.execute("UPDATE days_2 SET input_tokens = input_tokens + 1")


@pytest.mark.parametrize("key", ["", "  "])
def test_an_empty_key_is_named(key: str) -> None:
    ended = run("status", "--url", "http://127.0.0.1:9", "--key", key)
    assert ended == Ended(2, "", "meterfold: the API key is empty: give one with --key or METERFOLD_KEY\n")


def test_a_key_that_no_header_can_have_is_named() -> None:
    ended = run("status", "--url", "http://127.0.0.1:9", "--key", "sk-\n1")
    assert ended == Ended(2, "", "meterfold: the API key has characters that no key has: check --key, METERFOLD_KEY\n")
