"""Events are found by the identity index, and what they said is rebuilt from the log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from domain.corrections.commands import VoidUsage
from domain.scope import DEFAULT_SCOPE, Scope
from domain.usage.locators import locator_of
from domain.usage.received_members import members_text
from projections.identity.index import IdentityIndex
from projections.queries.events import UsageEventRow
from projections.read_side.received_events import IndexedEvents
from tests.projections.folded_log import BY_TEST, LOG_ID, SEED, START, usage
from tests.projections.queries.store_under_test import DuckDBUnderTest


@pytest.fixture
def store(tmp_path: Path) -> Iterator[DuckDBUnderTest]:
    store = DuckDBUnderTest(tmp_path / "store")
    yield store
    store.close()


def counted(
    store: DuckDBUnderTest, event_id: str, scope: Scope = DEFAULT_SCOPE, by: IndexedEvents | None = None
) -> UsageEventRow | None:
    with store.reads.snapshot() as snapshot:
        found = (by or store.received).counted(snapshot, scope, "gateway", event_id)
        assert found == snapshot.event(scope, "gateway", event_id)
        return found


def test_an_event_is_found_by_its_identity_in_its_own_scope(store: DuckDBUnderTest) -> None:
    store.deliver([usage(str(number), f"c{number % 3}", START + timedelta(hours=number)) for number in range(9)])
    store.deliver([usage("4", "other")], Scope("other", "prod"))
    store.fold()
    found, elsewhere = counted(store, "4"), counted(store, "4", Scope("other", "prod"))
    assert found is not None
    assert elsewhere is not None
    assert (found.id, found.customer_id, elsewhere.customer_id) == ("4", "c1", "other")
    assert counted(store, "9") is None
    assert counted(store, "4", Scope("unknown", "prod")) is None


def test_a_voided_event_is_found_and_one_rejected_or_in_conflict_is_not(store: DuckDBUnderTest) -> None:
    store.deliver([usage("1"), usage("2", input_tokens=-1), usage("1", input_tokens=5)])
    store.commands.handle(VoidUsage(DEFAULT_SCOPE, BY_TEST, "gateway", "1"))
    store.fold()
    found = counted(store, "1")
    assert found is not None
    assert (found.voided, found.input_tokens) == (True, 1000)
    assert counted(store, "2") is None


def test_what_the_index_does_not_cover_yet_is_found_in_the_rows(store: DuckDBUnderTest, tmp_path: Path) -> None:
    store.deliver([usage("1")])
    store.fold()
    behind = IndexedEvents(store.log, store.keys, SEED, lambda: IdentityIndex.open(tmp_path / "empty", LOG_ID))
    assert counted(store, "1", by=behind) is not None


def test_an_index_that_a_rebuild_has_closed_costs_no_answer(store: DuckDBUnderTest, tmp_path: Path) -> None:
    store.deliver([usage("1")])
    store.fold()
    closed = IdentityIndex.open(tmp_path / "closed", LOG_ID)
    closed.close()
    assert counted(store, "1", by=IndexedEvents(store.log, store.keys, SEED, lambda: closed)) is not None


def test_an_event_that_the_snapshot_does_not_hold_yet_is_not_found(store: DuckDBUnderTest) -> None:
    store.deliver([usage("1")])
    store.fold()
    with store.reads.snapshot() as earlier:
        assert earlier.point().position == 2
        store.deliver([usage("2")])
        store.fold()
        assert store.received.counted(earlier, DEFAULT_SCOPE, "gateway", "2") is None
    assert counted(store, "2") is not None


def test_what_an_event_said_is_rebuilt_unless_it_was_rejected(store: DuckDBUnderTest) -> None:
    position = store.deliver([usage("1", cost_usd="0.500", weight=1.0), b"?"])
    members = store.received.members(locator_of(position, 0))
    assert members is not None
    assert members_text(members).startswith('{"data":{"cache_write_tokens":0,"cached_input_tokens":0,"cost_usd":"0.5",')
    assert store.received.members(locator_of(position, 1)) is None
