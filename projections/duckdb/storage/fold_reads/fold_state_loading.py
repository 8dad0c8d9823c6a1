"""The state of a fold, loaded from the tables of a store as of the position that a cursor sees."""

from __future__ import annotations

from typing import Final

import duckdb
import msgspec
import numpy as np

from domain.backfills.events import BACKFILL_COMMITTED, BACKFILL_OPENED
from domain.correction_runs.events import CORRECTION_RUN_COMMITTED, CORRECTION_RUN_REVERTED
from domain.correction_runs.set_members import SetMembers
from domain.log.chain import CHAIN_START
from domain.repricings.events import REPRICING_COMMITTED
from domain.scope import Scope
from domain.usage.outcomes import REPLACED, REVERTED
from domain.values.instants import aware_or_none
from projections.duckdb.storage.fold_reads.void_states import WITHDRAWN
from projections.duckdb.storage.pricing_records import pricing_records
from projections.duckdb.storage.subscription_facts import load_subscribers
from projections.folding.fold_state import CommittedRun, FoldState
from projections.identity.claims import TakenClaims
from projections.identity.entries import U64
from projections.identity.known_backfills import KnownBackfills

#: Events of a reverted backfill are as if they had never been, though they have rows.
_REVERTED: Final = f"SELECT locator FROM outcomes WHERE outcome = 'withdrawn' AND reason = '{REVERTED}'"
_VOIDED: Final = """SELECT scope_key, source, id FROM (
    SELECT scope_key, source, id, arg_max(kind, position) AS last FROM corrections
    WHERE kind <> 'usage.amended' GROUP BY ALL) WHERE last = 'usage.voided'"""
#: What a replacement withdrew keeps its identity for what replaces it, with what was said of it.
_WITH_EVENT: Final = f"""SELECT DISTINCT r.scope_key, r.source, r.id FROM {{rows}} r SEMI JOIN ({_VOIDED}) c
    ON r.scope_key = c.scope_key AND r.source = c.source AND r.id = c.id
    WHERE r.locator NOT IN ({_REVERTED} UNION ALL {WITHDRAWN})"""
_members: Final = msgspec.json.Decoder(SetMembers).decode


def load_fold_state(cursor: duckdb.DuckDBPyConnection, rows: str) -> tuple[FoldState, list[int]]:
    """Return the state, without the hash seed, and the first positions of customers in the order of their keys.

    `rows`: the SQL of all versions of rows.
    """
    state = FoldState()
    query = cursor.execute
    progress = query("SELECT log_id, recorded_at, position, running_hash FROM progress").fetchall()[0]
    state.log_id, state.recorded_at, state.position = progress[0], aware_or_none(progress[1]), progress[2]
    state.running_hash = bytes(progress[3] or CHAIN_START)
    for key, tenant, environment in query("SELECT scope_key, tenant, environment FROM scopes").fetchall():
        state.scope_keys[Scope(tenant, environment)] = key
    for key, event_type, provider, model in query("SELECT kind_key, type, provider, model FROM kinds").fetchall():
        state.kind_keys[event_type, provider, model] = key
    customers = "SELECT customer_key, scope_key, customer_id, first_position FROM customers ORDER BY customer_key"
    first_positions = []
    for key, scope_key, name, first_position in query(customers).fetchall():
        state.customer_keys[scope_key, name] = key
        first_positions.append(first_position)
    for owner, record in pricing_records(cursor):
        state.prices.add(owner, record)
    committed = "SELECT scope_key, name, position FROM repricings WHERE kind = ?"
    for scope_key, name, position in query(committed, [REPRICING_COMMITTED]).fetchall():
        state.repricings[scope_key, name] = position
    of_runs = "SELECT scope_key, name, kind, position, members FROM correction_runs ORDER BY position"
    for scope_key, name, kind, position, members in query(of_runs).fetchall():
        if kind == CORRECTION_RUN_COMMITTED:
            of_run = None if members is None else _members(members)
            state.correction_runs[scope_key, name] = CommittedRun(position, of_run)
        elif kind == CORRECTION_RUN_REVERTED:
            state.correction_runs[scope_key, name].is_reverted = True
    amended = query("SELECT locator, customer_key, content FROM amendments ORDER BY position").fetchall()
    for locator, customer_key, content in amended:
        state.amended.add(locator, customer_key, content)
    load_subscribers(cursor, state.subscribers)
    _load_backfills(cursor, state.backfills)
    state.taken = TakenClaims(_taken(cursor, REPLACED), _taken(cursor, REVERTED))
    state.waiting_voids = waiting_voids(cursor, rows)
    return state, first_positions


def waiting_voids(cursor: duckdb.DuckDBPyConnection, rows: str) -> set[tuple[int, str, str]]:
    """Return the identities whose last void or restoration is a void, and that no event has."""
    voided = voided_identities(cursor)
    return voided.difference(cursor.execute(_WITH_EVENT.format(rows=rows)).fetchall()) if voided else voided


def voided_identities(cursor: duckdb.DuckDBPyConnection) -> set[tuple[int, str, str]]:
    """Return the identities whose last void or restoration is a void."""
    return set(cursor.execute(_VOIDED).fetchall())


def _load_backfills(cursor: duckdb.DuckDBPyConnection, known: KnownBackfills) -> None:
    events = "SELECT scope_key, name, kind, position, blocks FROM backfills ORDER BY position"
    told = cursor.execute(events).fetchall()
    for scope_key, name, kind, _, _ in told:
        if kind == BACKFILL_OPENED:
            known.open(scope_key, name)
    staged = "SELECT scope_key, name, position FROM staged_blocks ORDER BY position"
    for scope_key, name, position in cursor.execute(staged).fetchall():
        known.get(scope_key, name).blocks.append(position)
    for scope_key, name, kind, position, blocks in told:
        backfill = known.get(scope_key, name)
        if kind == BACKFILL_COMMITTED:
            backfill.committed_at, backfill.blocks = position, backfill.blocks[:blocks]
        elif kind != BACKFILL_OPENED:
            backfill.ended = True


def _taken(cursor: duckdb.DuckDBPyConnection, reason: str) -> U64:
    asked = "SELECT locator FROM outcomes WHERE outcome = 'withdrawn' AND closed_at IS NULL AND reason = ?"
    locators = np.asarray(cursor.execute(asked, [reason]).fetchnumpy()["locator"])
    found: U64 = locators.astype(np.uint64)
    return found
