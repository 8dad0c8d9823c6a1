"""A store of its own answers as the engine did at the end of the range, with the usage of the range alone."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from consumers.bootstrap import open_engine, open_partition_appender
from consumers.embedded.engine import EmbeddedEngine
from consumers.embedded.replaying.log_range import RANGE_FILE, position_of
from consumers.engine import LogRange, OperationResult, OperationStep
from consumers.errors import FolderUnusable, RangeInvalid
from consumers.replay.own_store import replay_into
from consumers.settings import Settings
from projections.folding.recovery import log_creation
from tests.consumers.running_engine import deliver, state_of
from tests.engine_fixtures import NOON, Api, SettableClock, engine_on, http, llm_request

BATCHES = 5


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock()


@pytest.fixture
def live(tmp_path: Path, clock: SettableClock) -> Iterator[EmbeddedEngine]:
    """A running engine: a customer with a name, then an hourly batch of 10 events, each with a void after it."""
    with engine_on(tmp_path / "live", clock) as engine, http(engine) as api:
        api.post("/v1/customers", {"id": "customer-1", "name": "Ada"})
        for batch in range(BATCHES):
            clock.advance(hours=1)
            deliver(engine, clock, 10, first=10 * batch)
            api.post("/v1/events/void", {"source": "gateway", "id": f"event-{10 * batch}"}, status=200)
        yield engine


def settings_of(engine: EmbeddedEngine) -> Settings:
    return Settings(data_dir=engine.folder.root, duckdb_threads=1)


def made(engine: EmbeddedEngine, into: Path, first: str | None = None, end: str | None = None) -> OperationResult:
    *_, last = replay_into(settings_of(engine), into, first, end)
    assert isinstance(last, OperationResult)
    return last


def totals(api: Api, **asked: str) -> Any:
    everything = {"from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z"}
    [window] = api.get("/v1/usage", **everything, **asked)["data"]
    return {name: window[name] for name in ("requests", "input_tokens", "cost_usd")}


def looked_at(folder: Path, clock: SettableClock) -> Any:
    return open_engine(Settings(data_dir=folder, duckdb_threads=1, intake_process=False), clock=clock)


def with_key(engine: EmbeddedEngine, live: EmbeddedEngine) -> Api:
    """The API of a store that is looked at, with the key of the live engine."""
    key = live.folder.first_key()
    assert key is not None
    return Api(TestClient(create_app(engine)), key)


def test_the_whole_log_gives_the_same_store_and_leaves_the_engine_alone(
    live: EmbeddedEngine, tmp_path: Path, clock: SettableClock
) -> None:
    before, head, reading = state_of(live), live.log.head_position(), live.read_side.folder
    result = made(live, tmp_path / "own")
    assert (result.position, result.events) == (head, 10 * BATCHES)
    assert (live.log.head_position(), live.read_side.folder, state_of(live)) == (head, reading, before)
    with looked_at(tmp_path / "own", clock) as engine:
        assert state_of(engine) == before
        assert engine.log_range == LogRange(str(live.folder.root), log_creation(live.log).log_id, 1, head + 1, True)


def test_up_to_a_position_it_answers_as_the_engine_does_as_of_it(
    live: EmbeddedEngine, tmp_path: Path, clock: SettableClock
) -> None:
    for end in (7, 10):
        made(live, tmp_path / f"to-{end}", end=str(end))
        with looked_at(tmp_path / f"to-{end}", clock) as engine, http(live) as api:
            assert totals(with_key(engine, live)) == totals(api, as_of=str(end - 1))


def test_a_range_has_the_usage_that_arrived_in_it_and_names_itself(
    live: EmbeddedEngine, tmp_path: Path, clock: SettableClock
) -> None:
    first, end = NOON + timedelta(hours=2), NOON + timedelta(hours=4)
    result = made(live, tmp_path / "own", first.isoformat(), end.isoformat())
    assert result.events == 20
    with looked_at(tmp_path / "own", clock) as engine, http(live) as api:
        own = with_key(engine, live)
        before, after = (totals(api, as_of=(at - timedelta(microseconds=1)).isoformat()) for at in (first, end))
        assert totals(own)["requests"] == after["requests"] - before["requests"] == 18
        assert totals(own)["input_tokens"] == after["input_tokens"] - before["input_tokens"]
        answer = own.send("GET", "/v1/usage?from=2020-01-01&to=2030-01-01", 200)
        assert engine.log_range is not None
        assert answer.headers["Meterfold-Log-Range"] == f"{engine.log_range.first}-{engine.log_range.end - 1}"
        assert "alone, no totals" in engine.log_range.text


def test_of_events_from_before_a_range_an_amendment_is_lost_and_a_delivery_counts(
    live: EmbeddedEngine, tmp_path: Path, clock: SettableClock
) -> None:
    with http(live) as api:
        api.deliver([llm_request(one, "ann", NOON, input_tokens=1) for one in ("amended", "replaced")])
        known_at = api.get("/v1/corrections")["position"]
        amendment = {"source": "gateway", "id": "amended", "data": {"input_tokens": 50}}
        api.post("/v1/events/amend", amendment, 200)
        right = llm_request("replaced", "ann", NOON, input_tokens=700)
        batch = {"Content-Type": "application/cloudevents-batch+json"}
        path = f"/v1/events/replace?known_at={known_at}"
        assert api.send("POST", path, 200, batch, json=[right]).json()["counts"]["amended"] == 1
        api.deliver([llm_request("new", "ann", NOON, input_tokens=3)])
    made(live, tmp_path / "own", first=str(known_at + 1))
    with looked_at(tmp_path / "own", clock) as engine, http(live) as api:
        own = with_key(engine, live)
        found = {one["id"]: one["input_tokens"] for one in own.pages("/v1/events", customer="ann")}
        assert found == {"new": 3, "replaced": 700}
        assert own.send("GET", "/v1/events/one?source=gateway&id=amended", 404)


def test_facts_from_before_the_range_are_known_and_personal_data_is_not(
    live: EmbeddedEngine, tmp_path: Path, clock: SettableClock
) -> None:
    made(live, tmp_path / "own", first="9")
    with looked_at(tmp_path / "own", clock) as engine, http(live) as api:
        customer = with_key(engine, live).get("/v1/customers/customer-1")
        assert (customer["origin"], customer["name"]) == (api.get("/v1/customers/customer-1")["origin"], None)


def test_nothing_can_be_sent_to_it(live: EmbeddedEngine, tmp_path: Path, clock: SettableClock) -> None:
    made(live, tmp_path / "own")
    settings = Settings(data_dir=tmp_path / "own")
    with looked_at(tmp_path / "own", clock) as engine:
        own, head = with_key(engine, live), engine.log.head_position()
        for method, path in (("POST", "/v1/events"), ("PATCH", "/v1/customers/customer-1"), ("DELETE", "/v1/keys/x")):
            assert own.send(method, path, 403).json()["type"] == "/problems/read_only"
        assert own.send("POST", "/customer/new", 403, json={"user_id": "x"}).headers["Meterfold-Log-Range"]
        assert engine.log.head_position() == head
    with pytest.raises(FolderUnusable, match="to be looked at"), open_engine(settings, serving=True):
        pass
    with pytest.raises(FolderUnusable, match="to be looked at"), open_partition_appender(settings):
        pass
    with pytest.raises(FolderUnusable, match="to be looked at"):
        list(replay_into(settings, tmp_path / "other"))


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_one_that_was_stopped_goes_on_and_is_not_opened_before(
    live: EmbeddedEngine, tmp_path: Path, clock: SettableClock, steps: int
) -> None:
    stopped = replay_into(settings_of(live), tmp_path / "own")
    for _ in range(steps):
        assert isinstance(next(stopped), OperationStep)
    assert isinstance(stopped, Generator)
    stopped.close()
    with pytest.raises(FolderUnusable, match="is not finished"), looked_at(tmp_path / "own", clock):
        pass
    with pytest.raises(RangeInvalid, match="another range was begun"):
        list(replay_into(settings_of(live), tmp_path / "own", first="5"))
    before = state_of(live)
    deliver(live, clock, 10, first=1_000)
    assert made(live, tmp_path / "own").events == 10 * BATCHES
    with looked_at(tmp_path / "own", clock) as engine:
        assert state_of(engine) == before


@pytest.mark.parametrize(
    ("first", "end", "refused"),
    [
        ("99", None, "from must be before the end"),
        ("5", "5", "from must be before the end"),
        ("2030-01-01", None, "from must be before the end"),
        (None, "2020-01-01", "from must be before the end"),
        (None, "99", "to must be at most"),
        ("yesterday", None, "from must be a log position"),
        (None, "-3", "to must be a log position"),
        (None, "2025-06-01T12:00:00", "to must be a log position"),
        (None, "9" * 40, "to must be a log position"),
    ],
)
def test_a_range_without_records_is_refused_and_nothing_is_made(
    live: EmbeddedEngine, tmp_path: Path, first: str | None, end: str | None, refused: str
) -> None:
    with pytest.raises(RangeInvalid, match=refused):
        list(replay_into(settings_of(live), tmp_path / "own", first, end))
    assert not (tmp_path / "own").exists()


def test_a_folder_with_files_is_refused(live: EmbeddedEngine, tmp_path: Path) -> None:
    used, file = tmp_path / "used", tmp_path / "file"
    used.mkdir()
    (used / "mine").write_text("kept")
    file.write_text("kept")
    for into in (used, file, live.folder.root):
        with pytest.raises(RangeInvalid, match="into must name"):
            list(replay_into(settings_of(live), into))
    assert (used / "mine").read_text() == file.read_text() == "kept"
    assert not (live.folder.root / RANGE_FILE).exists()


def test_an_instant_means_the_first_record_written_at_it_or_later(live: EmbeddedEngine) -> None:
    hour = [position_of(live.log, (NOON + timedelta(hours=number)).isoformat()) for number in range(BATCHES + 2)]
    assert hour[0] == 1
    assert hour[BATCHES + 1] == live.log.head_position() + 1
    assert hour[1:-1] == sorted(hour[1:-1])  # type: ignore[type-var]
    assert len(set(hour[1:-1])) == BATCHES
    assert position_of(live.log, "2025-06-01") == 1
    assert position_of(live.log, "2025-06-02") == live.log.head_position() + 1
