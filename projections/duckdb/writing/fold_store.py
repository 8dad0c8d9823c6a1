"""The writing side of the DuckDB read store: what one fold transaction may do to it.

One thread writes at a time. `begin` .. `commit` enclose everything a fold step changes, progress included.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import duckdb
import msgspec
import numpy as np
import pyarrow as pa

from domain.event import LifecycleEvent
from domain.prices.schedule import PriceVersion
from domain.scope import Scope
from domain.values.instants import aware_or_none, naive
from projections.duckdb.memory.change_tracking import Changes, Positions
from projections.duckdb.memory.uncompacted_days import uncompacted_days
from projections.duckdb.storage.generations import Generations
from projections.duckdb.writing.write_buffer import WriteBuffer
from projections.folding.day_deltas import delta_table, deltas_of_rows
from projections.folding.fold_state import FoldState, NewKeys
from projections.folding.fold_store import SourceMoved

_DELTA_SUMS: Final = """
    {sign}count(*), {sign}sum(input_tokens), {sign}sum(cached_input_tokens), {sign}sum(cache_write_tokens),
    {sign}sum(output_tokens), {sign}sum(reasoning_tokens), {sign}coalesce(sum(cost_usd), 0),
    {sign}count(*) FILTER (cost_origin = 'unknown')"""


_UPSERT_SOURCES: Final = """INSERT INTO sources BY NAME SELECT * FROM staged
    ON CONFLICT (stream) DO UPDATE SET topic = excluded.topic, partition_number = excluded.partition_number,
    next_offset = excluded.next_offset, records_lost = records_lost + excluded.records_lost,
    commands_refused = commands_refused + excluded.commands_refused, position = excluded.position,
    recorded_at = excluded.recorded_at"""
_ADDED: Final = "min(time), max(time)"
_TAKEN_AWAY: Final = "NULL, NULL"


def deltas_of(days: str, source: str, sign: str = "") -> str:
    """The statement that adds (`sign` "-": takes away) to `days` what the rows of `source` hold."""
    return (
        f"INSERT INTO {days} SELECT scope_key, customer_key, time::DATE, kind_key,"
        f"{_DELTA_SUMS.format(sign=sign)}, {_TAKEN_AWAY if sign else _ADDED}"
        f" FROM {source} GROUP BY scope_key, customer_key, time::DATE, kind_key"
    )


def _customer_keys(rows: pa.Table) -> Positions:
    keys: Positions = rows.column("customer_key").to_numpy().astype(np.int64)
    return keys


class DuckDBFoldStore:
    """Statements of the fold. Nothing in here decides anything: it stores what it is told."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        #: What snapshots of this store may know from memory; complete once the state is loaded.
        self.changes: Final = Changes()
        self._waiting = WriteBuffer()
        self._generations = Generations(cursor)
        self.load_generations()
        self._days_loaded = False
        self._undone = False

    def load_generations(self) -> None:
        """See which tables there are: after a compaction, or after a transaction was undone."""
        self._generations.load()
        self._row_tables = self._generations.row_tables()
        self._open_rows = self._generations.open_name("rows")
        self._open_days = self._generations.open_name("days")
        self.changes.days.compacted(self._days_settled_to())

    def _days_settled_to(self) -> int:
        return int(self._cursor.execute("SELECT days_settled_to FROM progress").fetchall()[0][0])

    def _load_days(self, position: int) -> None:
        """Know what an earlier process has added since the days were compacted, and no step that was undone."""
        if self._days_loaded:
            if self._undone:
                self.changes.days.restart(position)
            self._undone = False
            return
        uncompacted = [one for one in self._generations.of("days") if one.state != "settled"]
        deltas = uncompacted_days(self._cursor, uncompacted)
        self.changes.days.restart(position if deltas is None else self._days_settled_to())
        self.changes.days.add(deltas)
        self.changes.days.publish(position)
        self._days_loaded = True
        self._undone = False

    def drop_leftovers(self) -> None:
        """Remove tables of a compaction that did not come to its end."""
        self._generations.drop_leftovers()

    def close(self) -> None:
        """Let go of the database."""
        self._cursor.close()

    # -- transactions

    def begin(self) -> None:
        self.changes.begin()
        self._waiting = WriteBuffer()
        self._cursor.execute("BEGIN")

    def commit(self) -> None:
        self._cursor.execute("COMMIT")

    def rollback(self) -> None:
        """Undo the open transaction, if there is one. The state has to be loaded again then."""
        self._undone = True
        try:
            self._cursor.execute("ROLLBACK")
        except duckdb.TransactionException:
            return
        self.load_generations()

    # -- state

    def reached(self) -> tuple[int, bytes]:
        """The position up to which this store has folded, and the running hash there."""
        position, running_hash = self._cursor.execute("SELECT position, running_hash FROM progress").fetchall()[0]
        return position, bytes(running_hash)

    def load_state(self) -> FoldState:
        """What the fold must know to go on from the stored position."""
        state = FoldState()
        query = self._cursor.execute
        row = query("SELECT log_id, recorded_at FROM progress").fetchall()[0]
        state.log_id, state.recorded_at = row[0], aware_or_none(row[1])
        state.position, state.running_hash = self.reached()
        for key, tenant, environment in query("SELECT scope_key, tenant, environment FROM scopes").fetchall():
            state.scope_keys[Scope(tenant, environment)] = key
        for key, event_type, provider, model in query("SELECT kind_key, type, provider, model FROM kinds").fetchall():
            state.kind_keys[event_type, provider, model] = key
        customers = "SELECT customer_key, scope_key, customer_id, first_position FROM customers ORDER BY customer_key"
        first_positions = []
        for key, scope_key, name, first_position in query(customers).fetchall():
            state.customer_keys[scope_key, name] = key
            first_positions.append(first_position)
        facts = query("SELECT customer_key AS key, max(position) AS at FROM customer_facts GROUP BY ALL").fetchnumpy()
        self.changes.load(state.customer_keys, first_positions, (np.array(facts["key"]), np.array(facts["at"])))
        self._load_days(state.position)
        self.changes.refusals.restart(state.position)
        prices = query("SELECT scope_key, provider, model, position, versions FROM prices ORDER BY position").fetchall()
        for scope_key, provider, model, position, versions in prices:
            decoded = msgspec.json.decode(versions, type=tuple[PriceVersion, ...])
            state.prices.add(scope_key, provider, model, position, decoded)
        state.waiting_voids = {(row[0], row[1], row[2]) for row in query(_WAITING_VOIDS).fetchall()}
        return state

    def add_keys(self, new: NewKeys) -> None:
        """Store surrogates that were given in this transaction."""
        if new.scopes:
            self._cursor.executemany(
                "INSERT INTO scopes VALUES (?, ?, ?)", [(key, s.tenant, s.environment) for key, s in new.scopes]
            )
        if new.kinds:
            self.changes.wrote_kinds()
            self._insert_columns("kinds", ["kind_key", "type", "provider", "model"], new.kinds)
        if new.customers:
            self.changes.wrote_customers([first_position for *_, first_position in new.customers])
            columns = ["customer_key", "scope_key", "customer_id", "first_position"]
            self._insert_columns("customers", columns, new.customers)

    def _insert_columns(self, table: str, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
        arrays = [pa.array(values) for values in zip(*rows, strict=True)]
        self._insert(table, pa.table(arrays, names=columns))

    def _insert(self, table: str, staged: pa.Table) -> None:
        if not staged.num_rows:  # see Compaction._write_merged: nothing must never come before much
            return
        # DuckDB finds `staged` among this function's variables; registering it would cost a millisecond more.
        self._cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM staged")

    def advance(self, position: int, running_hash: bytes, recorded_at: datetime | None) -> None:
        """Write what waited, and record how far the fold has come."""
        for table, rows in self._waiting.facts():
            self._insert(table, rows)
        if (moved := self._waiting.sources()) is not None:
            self._upsert_sources(moved)
        self._waiting = WriteBuffer()
        self._cursor.execute(
            "UPDATE progress SET position = ?, running_hash = ?, recorded_at = ?",
            [position, running_hash, None if recorded_at is None else naive(recorded_at)],
        )
        self.changes.publish(position)

    def _upsert_sources(self, staged: pa.Table) -> None:
        self._cursor.execute(_UPSERT_SOURCES)

    def add_log_records(self, records: pa.Table) -> None:
        self._insert("log_records", records)

    # -- usage

    def add_rows(self, staged_rows: pa.Table) -> None:
        """Insert usage rows and what they add to the days; rows already closed add nothing."""
        self._insert(self._open_rows, staged_rows)
        self._add_to_days(staged_rows)
        self.changes.wrote_usage(_customer_keys(staged_rows))

    def _add_to_days(self, staged: pa.Table) -> None:
        deltas = deltas_of_rows(staged)
        self.changes.days.add(deltas)
        if deltas is None:
            self._cursor.execute(deltas_of(self._open_days, "staged WHERE closed_at IS NULL"))
        else:
            self._insert(self._open_days, delta_table(deltas))

    def add_outcomes(self, outcomes: pa.Table) -> None:
        self._insert("outcomes", outcomes)
        self.changes.refusals.add(outcomes.column("locator").to_numpy())

    def close_row(self, customer_key: int, locator: int, position: int) -> bool:
        """End the version of a row that holds now; False when none does."""
        where = "customer_key = ? AND locator = ? AND closed_at IS NULL"
        if not self.row_holds(customer_key, locator):
            return False
        self.changes.corrected_usage(np.array([customer_key]))
        self._cursor.execute(deltas_of(self._open_days, f"usage_rows WHERE {where}", sign="-"), [customer_key, locator])
        for table in self._row_tables:
            self._cursor.execute(f"UPDATE {table} SET closed_at = ? WHERE {where}", [position, customer_key, locator])
        return True

    def row_holds(self, customer_key: int, locator: int) -> bool:
        """Whether a version of this row holds now."""
        held = self._cursor.execute(
            "SELECT count(*) FROM usage_rows WHERE customer_key = ? AND locator = ? AND closed_at IS NULL",
            [customer_key, locator],
        ).fetchall()
        return bool(held[0][0] > 0)

    def reopen_row(self, customer_key: int, locator: int, position: int) -> tuple[str | None, str | None]:
        """Begin a new version of a row that no version holds of, equal to its last one;
        answer its provider and model.
        """
        self._cursor.execute(
            f"""INSERT INTO {self._open_rows}
            SELECT * REPLACE (?::BIGINT AS counted_at, NULL::BIGINT AS closed_at) FROM (
                SELECT * FROM usage_rows WHERE customer_key = ? AND locator = ?
                ORDER BY counted_at DESC, closed_at DESC LIMIT 1)""",
            [position, customer_key, locator],
        )
        self.changes.corrected_usage(np.array([customer_key]))
        where = "customer_key = ? AND locator = ? AND closed_at IS NULL"
        self._cursor.execute(deltas_of(self._open_days, f"usage_rows WHERE {where}"), [customer_key, locator])
        kind = self._cursor.execute(
            f"SELECT provider, model FROM kinds JOIN usage_rows USING (kind_key) WHERE {where}", [customer_key, locator]
        ).fetchall()
        return kind[0][0], kind[0][1]

    def unknown_cost_rows(self, kind_key: int, scope_key: int, above_locator: int, rows_max: int) -> pa.Table:
        """Rows of one kind whose cost is unknown now, ascending by locator, after `above_locator`."""
        return self._cursor.sql(
            """SELECT locator, customer_key, time, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
                reasoning_tokens FROM usage_rows
            WHERE scope_key = $1 AND kind_key = $2 AND cost_origin = 'unknown' AND closed_at IS NULL AND locator > $3
            ORDER BY locator LIMIT $4""",
            params=[scope_key, kind_key, above_locator, rows_max],
        ).to_arrow_table()

    def price_rows(self, priced: pa.Table, position: int) -> None:
        """Give rows of unknown cost the cost in `priced` (locator, customer_key, cost_usd, price_position), from
        `position` on.
        """
        self.changes.corrected_usage(_customer_keys(priced))
        same = "r.customer_key = p.customer_key AND r.locator = p.locator"
        closed_rows = 0
        for table in self._row_tables:
            updated = self._cursor.execute(
                f"""UPDATE {table} AS r SET closed_at = {int(position)} FROM priced p
                WHERE {same} AND r.closed_at IS NULL AND r.cost_origin = 'unknown'"""
            )
            closed_rows += updated.fetchall()[0][0]
        if not closed_rows:
            return
        closed = (
            f"""usage_rows r JOIN priced p ON {same} AND r.closed_at = {int(position)} AND r.cost_origin = 'unknown'"""
        )
        self._cursor.execute(
            f"""INSERT INTO {self._open_days} SELECT r.scope_key, r.customer_key, r.time::DATE, r.kind_key,
            0, 0, 0, 0, 0, 0, sum(p.cost_usd), -count(*), {_TAKEN_AWAY} FROM {closed} GROUP BY ALL"""
        )
        self._cursor.execute(
            f"""INSERT INTO {self._open_rows} SELECT r.* REPLACE (p.cost_usd AS cost_usd, 'price' AS cost_origin,
            p.price_position AS price_position, {int(position)} AS counted_at, NULL::BIGINT AS closed_at) FROM
            {closed}"""
        )

    # -- lifecycle

    def add_fact(
        self,
        table: str,
        owner: tuple[int] | tuple[int, str],
        position: int,
        kind: str,
        event: LifecycleEvent,
        fields: dict[str, Any],
    ) -> None:
        """One fact of a customer, budget or meter; `owner` is its key in `table`. Written with the step's progress."""
        if table == "customer_facts":
            self.changes.wrote_fact(owner[0])
        self._waiting.add_fact(table, owner, position, kind, event, fields)

    def move_source(self, moved: SourceMoved) -> None:
        """A partition was read on, or something about it was told."""
        self._waiting.move_source(moved)

    def add_correction(
        self, scope_key: int, source: str, event_id: str, kind: str, position: int, event: LifecycleEvent
    ) -> None:
        self._cursor.execute(
            "INSERT INTO corrections VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                scope_key,
                source,
                event_id,
                kind,
                position,
                naive(event.recorded_at),
                event.provenance.actor,
                event.provenance.reason,
            ],
        )

    def add_price(
        self,
        position: int,
        scope_key: int | None,
        provider: str,
        model: str,
        versions: tuple[PriceVersion, ...],
        library: str | None,
        event: LifecycleEvent,
    ) -> None:
        self._cursor.execute(
            "INSERT INTO prices VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                position,
                scope_key,
                provider,
                model,
                msgspec.json.encode(versions).decode(),
                library,
                naive(event.recorded_at),
                event.provenance.actor,
            ],
        )

    def add_api_key(
        self,
        key_id: str,
        scope_key: int,
        scopes: tuple[str, ...],
        prefix: str,
        secret_hash: str,
        name: str | None,
        position: int,
        issued_at: datetime,
    ) -> None:
        self._cursor.execute(
            "INSERT INTO api_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            [key_id, scope_key, ",".join(scopes), prefix, secret_hash, name, naive(issued_at), position],
        )

    def revoke_api_key(self, key_id: str, revoked_at: datetime) -> None:
        self._cursor.execute(
            "UPDATE api_keys SET revoked_at = ? WHERE key_id = ? AND revoked_at IS NULL", [naive(revoked_at), key_id]
        )

    # -- questions that the fold asks its own store

    def running_hash_at(self, position: int) -> bytes | None:
        """The running hash after a folded position; None when the store has not folded it."""
        found = self._cursor.execute("SELECT running_hash FROM log_records WHERE position = ?", [position]).fetchall()
        return bytes(found[0][0]) if found else None

    def received_events(self) -> int:
        """How many events were received, whatever became of them."""
        return int(self._cursor.execute("SELECT coalesce(sum(received), 0) FROM log_records").fetchall()[0][0])

    def refused_locators(self, first: int, last: int) -> list[int]:
        """Locators in [first, last) whose events were not counted."""
        found = self._cursor.execute(
            "SELECT locator FROM outcomes WHERE locator >= ? AND locator < ?", [first, last]
        ).fetchall()
        return [row[0] for row in found]


_WAITING_VOIDS: Final = """
    SELECT c.scope_key, c.source, c.id FROM
        (SELECT scope_key, source, id, arg_max(kind, position) AS last FROM corrections GROUP BY ALL) c
    WHERE c.last = 'usage.voided'
      AND NOT EXISTS (SELECT 1 FROM usage_rows r WHERE r.scope_key = c.scope_key AND r.source = c.source AND r.id =
      c.id)"""
