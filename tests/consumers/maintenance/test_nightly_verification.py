"""The nightly verification goes on in the log where it was, takes a day each night, and names what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import pytest

from consumers.engine import Finding
from consumers.maintenance.nightly_verification import NightlyProgress, verify_recent
from domain.log.chain import CHAIN_START, chain
from domain.log.records import NewRecord
from projections.read_side.verification import DayDifference
from tests.fakes.event_log import InMemoryEventLog

FIRST, LAST = date(2025, 5, 30), date(2025, 6, 1)


@dataclass
class Held:
    """A store that has folded a log, with usage from `FIRST` to `LAST` unless told otherwise."""

    hashes: list[bytes]
    days: tuple[date, date] | None = (FIRST, LAST)
    differences: dict[date, list[DayDifference]] = field(default_factory=dict)

    def reached(self) -> tuple[int, bytes]:
        return len(self.hashes), self.hashes[-1]

    def running_hash_at(self, position: int) -> bytes | None:
        return self.hashes[position - 1] if position <= len(self.hashes) else None

    def usage_days(self) -> tuple[date, date] | None:
        return self.days

    def day_differences(self, day: date) -> list[DayDifference]:
        return self.differences.get(day, [])


@pytest.fixture
def log() -> InMemoryEventLog:
    """A log of five records."""
    log = InMemoryEventLog()
    for version in range(1, 6):
        log.append([NewRecord("customer/acme", version, "customer.updated", f"change {version}".encode())])
    return log


@pytest.fixture
def held(log: InMemoryEventLog) -> Held:
    return Held(list(chain(CHAIN_START, log.read(0, 10))))


def test_the_first_night_checks_the_whole_log_and_the_newest_day(log: InMemoryEventLog, held: Held) -> None:
    assert verify_recent(log, held, NightlyProgress()) == (NightlyProgress(5, held.hashes[4], LAST), [])


def test_a_later_night_takes_the_day_before_and_after_the_first_the_newest_again(
    log: InMemoryEventLog, held: Held
) -> None:
    progress, days = NightlyProgress(), []
    for _ in range(4):
        progress, findings = verify_recent(log, held, progress)
        assert findings == []
        days.append(progress.day)
    assert days == [LAST, date(2025, 5, 31), FIRST, LAST]


def test_without_usage_there_is_no_day(log: InMemoryEventLog, held: Held) -> None:
    held.days = None
    assert verify_recent(log, held, NightlyProgress()) == (NightlyProgress(5, held.hashes[4], None), [])


def test_a_store_with_another_running_hash_is_found_and_progress_stays_before_it(
    log: InMemoryEventLog, held: Held
) -> None:
    before, right = NightlyProgress(2, held.hashes[1], FIRST), held.hashes[4]
    held.hashes[4] = bytes(32)
    progress, findings = verify_recent(log, held, before)
    assert (progress.position, progress.running_hash) == (2, held.hashes[1])
    assert findings == [Finding("log chain", "position 5", bytes(32).hex(), right.hex())]


def test_a_log_that_ends_before_the_store_is_found(log: InMemoryEventLog, held: Held) -> None:
    held.hashes.append(bytes(32))
    progress, findings = verify_recent(log, held, NightlyProgress())
    assert progress.position == 5
    assert findings == [Finding("log", "position 6", "a record", "nothing")]


def test_a_day_whose_rows_do_not_add_up_is_found_by_customer(log: InMemoryEventLog, held: Held) -> None:
    held.differences[LAST] = [DayDifference("acme", 3, 4), DayDifference("globex", 1, 2)]
    _, findings = verify_recent(log, held, NightlyProgress())
    where = "usage days against usage rows"
    assert findings == [
        Finding(where, "acme on 2025-06-01", "3 events", "4 events"),
        Finding(where, "globex on 2025-06-01", "1 events", "2 events"),
    ]


def test_a_night_that_is_stopped_goes_on_where_it_was(log: InMemoryEventLog, held: Held) -> None:
    last = NightlyProgress(2, held.hashes[1], FIRST)
    assert verify_recent(log, held, last, should_stop=lambda: True) == (last, [])
