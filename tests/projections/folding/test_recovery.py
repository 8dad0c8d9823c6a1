"""Before the fold resumes, the store is held against the log, and the index is brought up to the store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from domain.corrections.events import UsageVoided
from domain.customers.events import CustomerBlocked
from domain.log.chain import CHAIN_START, chain
from domain.log.events import LogSealed
from domain.scope import DEFAULT_SCOPE, Scope
from domain.streams import LOG_STREAM
from domain.usage.canonical_form import identity_hash
from domain.usage.locators import locator_of
from projections.errors import IdentityIndexCorrupted, ReadStoreMismatch
from projections.folding.projector import Projector
from projections.folding.recovery import READ_RECORDS_MAX, catch_up_index, check_store_against_log
from projections.identity.index import IdentityIndex
from tests.fakes.in_memory_fold_store import InMemoryFoldStore
from tests.projections.folded_log import LOG_ID, SEED, WrittenLog, usage


def block(log: WrittenLog, customer_id: str = "acme") -> int:
    scope = {"tenant": DEFAULT_SCOPE.tenant, "environment": DEFAULT_SCOPE.environment}
    return log.append(CustomerBlocked, f"customer/{customer_id}", **scope, customer_id=customer_id)


def seal(log: WrittenLog) -> None:
    position = log.log.head_position()
    *_, running_hash = chain(CHAIN_START, log.log.read(0, position))
    log.append(LogSealed, LOG_STREAM, position=position, running_hash=running_hash)


def folded(log: WrittenLog, folder: Path) -> tuple[InMemoryFoldStore, IdentityIndex]:
    """A store and an index that have folded the whole log."""
    store, index = InMemoryFoldStore(LOG_ID), IdentityIndex.open(folder, LOG_ID)
    projector = Projector(log.log, store, index, log.keys)
    while projector.step():
        pass
    return store, index


def test_a_store_of_this_log_is_accepted_wherever_the_fold_stands(tmp_path: Path) -> None:
    log = WrittenLog()
    check_store_against_log(log.log, InMemoryFoldStore(LOG_ID))
    for _ in range(READ_RECORDS_MAX + 1):
        block(log)
    seal(log)
    block(log)
    store, _ = folded(log, tmp_path)
    block(log)
    check_store_against_log(log.log, store)


def test_a_store_ahead_of_the_log_is_refused(tmp_path: Path) -> None:
    longer, log = WrittenLog(), WrittenLog()
    block(longer)
    store, _ = folded(longer, tmp_path)
    with pytest.raises(ReadStoreMismatch, match="ends at position 1, but the read store has folded 2"):
        check_store_against_log(log.log, store)


@pytest.mark.parametrize("sealed", [False, True])
def test_a_store_of_other_records_is_refused(tmp_path: Path, sealed: bool) -> None:
    log, other = WrittenLog(), WrittenLog()
    for written, customer_id in ((log, "acme"), (other, "nobody")):
        block(written, customer_id)
        if sealed:
            seal(written)
    store, _ = folded(other, tmp_path)
    with pytest.raises(ReadStoreMismatch, match="folded from other records"):
        check_store_against_log(log.log, store)


def test_an_index_that_lags_gets_the_claims_of_counted_events(tmp_path: Path) -> None:
    log = WrittenLog()
    counted = log.deliver([usage("1"), usage("1"), b"{no json", usage("2")])
    elsewhere = log.deliver([usage("1")], scope=Scope("other", "test"))
    scope = {"tenant": DEFAULT_SCOPE.tenant, "environment": DEFAULT_SCOPE.environment}
    log.append(UsageVoided, "correction/1", **scope, source="gateway", id="2")  # a voided event keeps its identity
    store, complete = folded(log, tmp_path / "complete")
    index = IdentityIndex.open(tmp_path / "lagging", LOG_ID)
    reported: list[int] = []
    catch_up_index(index, tmp_path / "lagging", log.log, store, reported.append)
    assert (index.covered_position, index.running_hash) == store.reached()
    assert (index.count, complete.count, reported) == (3, 3, [4])
    identities = [(DEFAULT_SCOPE, "1"), (DEFAULT_SCOPE, "2"), (Scope("other", "test"), "1"), (DEFAULT_SCOPE, "3")]
    hashes = [identity_hash(SEED, scope, "gateway", event_id) for scope, event_id in identities]
    found = index.lookup(np.array(hashes, dtype=np.uint64))
    assert [[locator for _, locator in found.of_row(row)] for row in range(4)] == [
        [locator_of(counted, 0)],
        [locator_of(counted, 3)],
        [locator_of(elsewhere, 0)],
        [],
    ]


def test_an_index_ahead_of_the_store_is_refused(tmp_path: Path) -> None:
    log = WrittenLog()
    _, index = folded(log, tmp_path)
    with pytest.raises(IdentityIndexCorrupted, match="position 1 of another history"):
        catch_up_index(index, tmp_path, log.log, InMemoryFoldStore(LOG_ID))


def test_an_index_of_another_history_is_refused(tmp_path: Path) -> None:
    log, other = WrittenLog(), WrittenLog()
    block(log, "acme")
    block(other, "nobody")
    store, _ = folded(log, tmp_path / "this")
    _, index = folded(other, tmp_path / "other")
    with pytest.raises(IdentityIndexCorrupted, match="position 2 of another history"):
        catch_up_index(index, tmp_path / "other", log.log, store)
