"""What the commit of a backfill would do, found by doing it: the fold's own steps on a snapshot, with nothing written.

1. Load the state of the fold as of the snapshot.
2. Read the events that a replacement would withdraw, as the commit would find them.
3. Resolve and price the loaded events as the commit would, and keep the rows that it would write.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final, Protocol, cast, runtime_checkable

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.log.records import EventLog
from domain.scope import Scope
from domain.usage.locators import LOCATOR_ROW_BITS
from domain.values.instants import aware
from projections.arrow_columns import Bools, column
from projections.folding.backfill_store import ReplacedRange
from projections.folding.backfills.committing import Claimed, Claiming, commit_events
from projections.folding.backfills.folder import replaced_range
from projections.folding.backfills.staged_events import ClaimPoint
from projections.folding.event_lookup import EventLookup
from projections.folding.fold_state import FoldState
from projections.folding.fold_store import FoldStore
from projections.folding.staged_tables import USAGE_ROWS
from projections.identity.entries import NO_U64, U64, PriorClaims
from projections.identity.index import IdentityIndex
from projections.queries.backfill_effects import EFFECT_ROWS, BackfillEffect, EventName, LoadedBackfill
from projections.queries.snapshot import Snapshot

MISSING_SHOWN_MAX: Final = 100


@runtime_checkable
class FoldReads(Protocol):
    """What a snapshot answers of the state of the fold, for a commit that is only tried."""

    def fold_state(self) -> FoldState:
        """Return the state of the fold at the position of the snapshot, without the hash seed."""

    def voided_identities(self) -> set[tuple[int, str, str]]:
        """Return the identities, with the key of their scope, whose last void or restoration is a void."""

    def replaced_rows(self, asked: ReplacedRange) -> pa.Table:
        """Return the last versions of the events of a range, with `customer_id`, `type`, `model`, and `withdrawn`."""

    def late_events(self, asked: ReplacedRange, after: int) -> int:
        """Return how many events of a range were counted after a log position."""


class LoadedEvents:
    """Tries commits of backfills. Safe to use by several threads."""

    def __init__(self, log: EventLog, hash_seed: int, index: Callable[[], IdentityIndex]) -> None:
        """`index` returns the identity index in use."""
        self._log = log
        self._hash_seed = hash_seed
        self._index = index
        self._lookup = EventLookup(log)
        self._using = threading.Lock()

    def effect(self, snapshot: Snapshot, scope: Scope, backfill: LoadedBackfill) -> BackfillEffect:
        """Return what the commit of a backfill would do at the position of the snapshot."""
        reads, point = fold_reads(snapshot), snapshot.point()
        state = self.fold_state(reads)
        asked = replaced_range(backfill.range, state.scope_key(scope), state, point.position)
        leaving = reads.replaced_rows(asked) if backfill.mode == "replace" else None
        if leaving is not None:
            state.waiting_voids |= _voided_in(leaving, reads)
        at = next_claim_point(snapshot)
        known = state.backfills.get(state.scope_key(scope), backfill.name)
        tried = self.tried(state, known.blocks, at, NO_U64 if leaving is None else _locators(leaving))
        arriving, claimed = _arriving(tried.rows(), state), tried.claimed
        gone = None if leaving is None else leaving.filter(pc.invert(leaving.column("withdrawn")))
        missing = None if gone is None else _not_loaded(gone, arriving)
        return BackfillEffect(
            position=point.position,
            counted=claimed.counted,
            duplicate=claimed.duplicate,
            conflict=claimed.conflict,
            withdrawn=0 if gone is None else gone.num_rows,
            missing=0 if missing is None else missing.num_rows,
            missing_events=() if missing is None else _names(missing.slice(0, MISSING_SHOWN_MAX)),
            late=reads.late_events(asked, backfill.opened_position),
            arriving=_holding(arriving),
            leaving=EFFECT_ROWS.empty_table() if gone is None else _holding(gone),
        )

    def fold_state(self, reads: FoldReads) -> FoldState:
        """Return the state of the fold at the position of a snapshot."""
        state = reads.fold_state()
        state.hash_seed = self._hash_seed
        return state

    def tried(self, state: FoldState, blocks: list[int], at: ClaimPoint, replaced: U64) -> TriedCommit:
        """Try to let the events of these blocks claim and count, by the state of a snapshot, which gets their keys."""
        store = TriedCommit()
        with self._using:
            index = cast(IdentityIndex, _IndexAsOf(self._index(), state.position, _uncommitted(state)))
            claiming = Claiming(
                self._log, index, cast(FoldStore, store), lambda rows: self._lookup.comparisons(rows, state.scope_keys)
            )
            store.claimed = commit_events(claiming, state, blocks, at, replaced)
        return store


def _voided_in(leaving: pa.Table, reads: FoldReads) -> set[tuple[int, str, str]]:
    """The identities of events that leave and are voided: so is what takes them."""
    voided = reads.voided_identities()
    if not voided:
        return voided
    columns = (leaving.column(name).to_pylist() for name in ("scope_key", "source", "id"))
    return voided.intersection(zip(*columns, strict=True))


def fold_reads(snapshot: Snapshot) -> FoldReads:
    """Return a snapshot as one that answers what the fold knows."""
    reads: object = snapshot
    if not isinstance(reads, FoldReads):
        raise TypeError("this snapshot does not answer what the fold knows")
    return reads


def next_claim_point(snapshot: Snapshot) -> ClaimPoint:
    """Return the point of a record that would follow the snapshot at once."""
    point = snapshot.point()
    return ClaimPoint(point.position + 1, point.recorded_at or aware(_EPOCH))


_EPOCH: Final = np.datetime64(0, "us").astype("datetime64[us]").item()


class TriedCommit:
    """What became of the events of a commit that is tried: takes the rows and outcomes that the fold would write."""

    def __init__(self) -> None:
        self.claimed = Claimed()
        self.made: list[pa.Table] = []
        self.outcomes: list[pa.Table] = []

    def add_claimed_rows(self, rows: pa.Table) -> None:
        """Keep rows."""
        self.made.append(rows)

    def add_late_outcomes(self, outcomes: pa.Table) -> None:
        """Keep outcomes."""
        self.outcomes.append(outcomes)

    def rows(self) -> pa.Table:
        """Return all rows, ascending by locator."""
        tables = [USAGE_ROWS.empty_table(), *self.made]
        return pa.concat_tables(tables).unify_dictionaries()


class _IndexAsOf(msgspec.Struct, frozen=True):
    """The claims of an index that held at a log position; `uncommitted`: positions of blocks that claimed nothing."""

    index: IdentityIndex
    position: int
    uncommitted: U64

    def lookup(self, identities: U64) -> PriorClaims:
        prior = self.index.lookup(identities)
        positions = prior.locators >> np.uint64(LOCATOR_ROW_BITS)
        known: Bools = (positions <= self.position) & ~np.isin(positions, self.uncommitted)
        return PriorClaims(prior.rows[known], prior.digests[known], prior.locators[known])


def _uncommitted(state: FoldState) -> U64:
    return np.array(state.backfills.uncommitted_blocks(), dtype=np.uint64)


def _locators(rows: pa.Table) -> U64:
    found: U64 = rows.column("locator").to_numpy().astype(np.uint64)
    return found


def _arriving(rows: pa.Table, state: FoldState) -> pa.Table:
    """The rows with the names of their customers, types and models."""
    customers = {key: name or None for (_, name), key in state.customer_keys.items()}
    types = {key: kind_type for (kind_type, _, _), key in state.kind_keys.items()}
    models = {key: model for (_, _, model), key in state.kind_keys.items()}
    rows = rows.append_column("customer_id", _named(rows, "customer_key", customers))
    return rows.append_column("type", _named(rows, "kind_key", types)).append_column(
        "model", _named(rows, "kind_key", models)
    )


def _named(rows: pa.Table, key_column: str, names: Mapping[int, str | None]) -> pa.Array:
    """The name of each row's key, looked up once for each key."""
    keys = column(rows, key_column).dictionary_encode()
    return pa.array([names[key] for key in keys.dictionary.to_pylist()], pa.utf8()).take(keys.indices)


def _holding(rows: pa.Table) -> pa.Table:
    """Those of the rows that are not closed, as `EFFECT_ROWS`."""
    rows = rows.filter(pc.is_null(rows.column("closed_at")))
    alone = pc.is_null(rows.column("parent_request"))
    requests = pc.if_else(alone, pc.fill_null(rows.column("requests"), 1), 0)
    rows = rows.set_column(rows.schema.get_field_index("requests"), "requests", requests)
    return pa.table({field.name: rows.column(field.name).cast(field.type) for field in EFFECT_ROWS}, EFFECT_ROWS)


def _not_loaded(gone: pa.Table, arriving: pa.Table) -> pa.Table:
    """The events whose identity is not among those that arrive."""
    keys = ["source", "id"]
    loaded = pa.table({name: arriving.column(name).cast(pa.utf8()) for name in keys})
    left = gone.select([*keys, "customer_id", "time"])
    return left.join(loaded, keys, join_type="left anti").sort_by([("time", "ascending"), ("id", "ascending")])


def _names(rows: pa.Table) -> tuple[EventName, ...]:
    return tuple(
        EventName(row["source"], row["id"], row["customer_id"], aware(row["time"])) for row in rows.to_pylist()
    )
