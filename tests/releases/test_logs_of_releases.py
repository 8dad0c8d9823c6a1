"""The log that each release wrote is read by this one, and gives the answers that were recorded then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from consumers.bootstrap import replay_closed
from consumers.embedded.engine import EmbeddedEngine
from consumers.engine import OperationResult
from consumers.errors import LogNotPublishable
from consumers.replay.own_store import replay_into
from consumers.replay.publishing import Pace, Publication
from domain.log.records import BLOCK_TOPICS
from domain.log.topics import LIFECYCLE_TOPICS
from tests.releases.history import settings_of
from tests.releases.recorded import LOGS, answers_of, lost, names, opened, recorded_of, unpack

#: Topics that came after the last log was written. A release writes a log of its own, which has them: remove them then.
NOT_YET_WRITTEN: frozenset[str] = frozenset()
ARCHIVE_BYTES_MAX = 300 * 1024


def differences(name: str, engine: EmbeddedEngine) -> list[str]:
    recorded = recorded_of(name)["answers"]
    return list(lost(recorded, answers_of(engine, list(recorded))))


def _is_empty(answer: dict[str, Any]) -> bool:
    return isinstance(answer["body"], dict) and answer["body"].get("data") == []


def findings(engine: EmbeddedEngine) -> tuple[object, ...]:
    *_, last = engine.verify()
    assert isinstance(last, OperationResult)
    return last.findings


@pytest.mark.parametrize("name", names())
def test_it_folds_to_the_answers_that_were_recorded(name: str, tmp_path: Path) -> None:
    unpack(name, tmp_path)
    with opened(tmp_path) as engine:
        assert differences(name, engine) == []
        assert findings(engine) == ()


@pytest.mark.parametrize("name", names())
def test_its_replays_give_the_same(name: str, tmp_path: Path) -> None:
    unpack(name, tmp_path)
    assert list(replay_closed(settings_of(tmp_path)))
    with opened(tmp_path) as engine:
        assert differences(name, engine) == []
        assert list(engine.replay())
        assert differences(name, engine) == []


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("tenths", [2, 5, 6, 7, 8])
def test_any_range_of_it_can_be_looked_at(name: str, tenths: int, tmp_path: Path) -> None:
    """Wherever a range begins: before, in, and behind runs, replacements and backfills of events that it has not."""
    source = tmp_path / "source"
    source.mkdir()
    unpack(name, source)
    with opened(source) as engine:
        first = engine.log.head_position() * tenths // 10
    *_, last = replay_into(settings_of(source), tmp_path / "range", str(first))
    assert isinstance(last, OperationResult)


@pytest.mark.parametrize("name", names())
def test_a_log_that_kafka_would_get_wrong_is_not_published(name: str, tmp_path: Path) -> None:
    unpack(name, tmp_path)
    settings = settings_of(tmp_path).model_copy(update={"kafka_bootstrap": "nowhere:1"})
    with pytest.raises(LogNotPublishable, match="the log has a backfill, at position"):
        Publication(settings, "usage", Pace(1.0)).run(None, None, lambda done, total: None)


@pytest.mark.parametrize("name", names())
def test_its_answers_are_answers(name: str) -> None:
    """What was recorded was found, and says something."""
    answers = recorded_of(name)["answers"]
    statuses = {question: answer["status"] for question, answer in answers.items()}
    assert {question for question, status in statuses.items() if status != 200} == set()
    empty = {question for question, answer in answers.items() if answer["body"] in ([], {}) or _is_empty(answer)}
    assert empty == set()


def test_the_last_log_has_every_topic() -> None:
    known = {*LIFECYCLE_TOPICS, *BLOCK_TOPICS}
    assert known - set(recorded_of(names()[-1])["topics"]) == NOT_YET_WRITTEN


@pytest.mark.parametrize("name", names())
def test_no_topic_of_an_earlier_release_is_gone(name: str) -> None:
    assert set(recorded_of(name)["topics"]) <= {*LIFECYCLE_TOPICS, *BLOCK_TOPICS}


@pytest.mark.parametrize("name", names())
def test_it_is_small(name: str) -> None:
    assert (LOGS / f"{name}.tar.xz").stat().st_size < ARCHIVE_BYTES_MAX


@pytest.mark.parametrize(
    ("recorded", "answered", "found"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"a": 1}, {"a": 2}, ["/a was 1 and is 2"]),
        ({"a": 1}, {}, ["/a is gone"]),
        ({"a": [1, 2]}, {"a": [1]}, ["/a was [1, 2] and is [1]"]),
        ({"a": [{"b": "1"}]}, {"a": [{"b": "2", "c": 3}]}, ["/a/0/b was '1' and is '2'"]),
    ],
)
def test_a_difference_is_told(recorded: object, answered: object, found: list[str]) -> None:
    assert list(lost(recorded, answered)) == found
