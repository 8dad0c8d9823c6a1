"""The fold store of DuckDB: everything that a fold transaction reads and writes in the read store.

One thread writes at a time. `begin` and `commit` enclose everything that a fold step changes, its progress included.
A commit changes memory only; what was committed is durable once the database is checkpointed (`note_durable`).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.usage.locators import LOCATOR_ROW_BITS
from domain.values.instants import naive
from projections.duckdb.memory.change_tracking import ChangeTracker, Positions
from projections.duckdb.memory.uncompacted_days import customers_corrected, uncompacted_days
from projections.duckdb.storage.fold_reads.fold_state_loading import load_fold_state
from projections.duckdb.storage.generations import STORED_OUTCOMES, Generations
from projections.duckdb.storage.permissions import permissions_text
from projections.duckdb.storage.range_rows import range_rows
from projections.duckdb.writing.amended_rows import AmendmentWrites
from projections.duckdb.writing.backfill_writes import BackfillWrites
from projections.duckdb.writing.correction_runs import CorrectionRunWrites
from projections.duckdb.writing.delta_inserts import CHANGED, insert_deltas, insert_taken, insert_unit_deltas
from projections.duckdb.writing.moved_rows import move_rows, rows_of_source
from projections.duckdb.writing.prepared.attaching import AttachingWrites
from projections.duckdb.writing.replaced_rows import ReplacementWrites
from projections.duckdb.writing.repricing_undo import undo_repricing
from projections.duckdb.writing.write_buffer import WriteBuffer
from projections.folding.day_deltas import delta_table, deltas_of_rows
from projections.folding.fold_state import FoldState, NewKeys
from projections.folding.lifecycle_writes import (
    CustomerMove,
    NewAmendment,
    NewApiKey,
    NewCorrection,
    NewDiscount,
    NewFact,
    NewPrice,
    NewRepricing,
    SourceProgress,
)
from projections.pricing.row_range import RowRange
from projections.read_side.store import Unflushed

_UPSERT_SOURCES: Final = """INSERT INTO sources BY NAME SELECT * FROM staged
    ON CONFLICT (stream) DO UPDATE SET topic = excluded.topic, partition_number = excluded.partition_number,
    next_offset = excluded.next_offset, records_lost = records_lost + excluded.records_lost,
    commands_refused = commands_refused + excluded.commands_refused, position = excluded.position,
    recorded_at = excluded.recorded_at"""
_CURRENT_VERSION: Final = "customer_key = ? AND locator = ? AND closed_at IS NULL"
_LAST_FACTS: Final = """SELECT customer_key AS key, max(position) AS at FROM facts
    WHERE customer_key IS NOT NULL GROUP BY customer_key"""


def _naive_or_none(instant: datetime | None) -> datetime | None:
    return None if instant is None else naive(instant)


def _customer_keys(rows: pa.Table) -> Positions:
    keys: Positions = rows.column("customer_key").to_numpy().astype(np.int64)
    return keys


def _rows_with_units(staged: pa.Table) -> pa.Table | None:
    """The rows with units that hold; None, and nothing to do, without any."""
    names = staged.column("unit_names")
    if names.null_count == len(names):
        return None
    found = staged.filter(pc.and_(names.is_valid(), staged.column("closed_at").is_null()))
    return found if found.num_rows else None


class DuckDBFoldStore(CorrectionRunWrites, AmendmentWrites, ReplacementWrites, BackfillWrites, AttachingWrites):
    """Fold store in one DuckDB database. It makes no decisions of its own: the projector decides, this stores."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        #: The writes that snapshots of this store may rely on; complete once the state is loaded.
        self.changes = ChangeTracker()
        self._buffer = WriteBuffer()
        self._generations = Generations(cursor)
        self.load_generations()
        self._recent_days_loaded = False
        self._rolled_back = False
        self._durable_position = self.reached()[0]
        self._unflushed_records = 0
        self._unflushed_bytes = 0
        self._holds_attached = False

    def load_generations(self) -> None:
        """Load the list of generations again: after a compaction, or after a rollback."""
        self._generations.load()
        self._row_tables = self._generations.row_tables()
        self._rows = self._generations.rows()  # not the view, which does not exist while rows are missing
        self._open_rows = self._generations.open_name("rows")
        self._open_days = self._generations.open_name("days")
        self.changes.days.mark_compacted(self._days_compacted_to())

    def _days_compacted_to(self) -> int:
        return int(self._cursor.execute("SELECT days_settled_to FROM progress").fetchall()[0][0])

    def _load_recent_days(self, position: int) -> None:
        """Load the uncompacted deltas of an earlier process once, and forget deltas of a step that was rolled back."""
        if self._recent_days_loaded:
            if self._rolled_back:
                self.changes.days.restart(position)
            self._rolled_back = False
            return
        uncompacted = [one for one in self._generations.of("days") if one.state != "settled"]
        deltas = uncompacted_days(self._cursor, uncompacted)
        self.changes.days.restart(position if deltas is None else self._days_compacted_to())
        self.changes.days.add(deltas)
        if (corrected := customers_corrected(self._cursor, uncompacted)).size:
            self.changes.days.skip(corrected)  # the deltas do not tell what is left of their first and last time
        self.changes.days.publish(position)
        self._recent_days_loaded = True
        self._rolled_back = False

    def drop_leftovers(self) -> None:
        """Drop tables left by a compaction that did not finish."""
        self._generations.drop_leftovers()

    def close(self) -> None:
        """Close the cursor."""
        self._cursor.close()

    # -- durability

    def durable_position(self) -> int:
        """Return the position up to which everything is in the file; it is folded again from there after a crash."""
        return self._durable_position

    def unflushed(self) -> Unflushed:
        """Return what was stored since the last checkpoint. Any thread may call this."""
        return Unflushed(self._unflushed_records, self._unflushed_bytes, self._holds_attached)

    def note_durable(self) -> None:
        """Note that everything folded so far is in the file. Called while the fold is paused."""
        self._durable_position = self.reached()[0]
        self._unflushed_records = self._unflushed_bytes = 0
        self._holds_attached = False

    # -- transactions

    def begin(self) -> None:
        """Begin a transaction."""
        self.changes.begin()
        self._buffer = WriteBuffer()
        self._cursor.execute("BEGIN")

    def commit(self) -> None:
        """Commit the transaction."""
        self._cursor.execute("COMMIT")

    def rollback(self) -> None:
        """Roll the open transaction back, if there is one. The state must be loaded again afterwards."""
        self._rolled_back = True
        try:
            self._cursor.execute("ROLLBACK")
        except duckdb.TransactionException:
            return
        self.load_generations()

    # -- state

    def reached(self) -> tuple[int, bytes]:
        """Return the position up to which this store has folded, and the running hash there."""
        position, running_hash = self._cursor.execute("SELECT position, running_hash FROM progress").fetchall()[0]
        return position, bytes(running_hash)

    def load_state(self) -> FoldState:
        """Load the state from which the fold continues at the stored position."""
        state, first_positions = load_fold_state(self._cursor, self._rows)
        query = self._cursor.execute
        facts = query(_LAST_FACTS).fetchnumpy()
        self.changes.load(state.customer_keys, first_positions, (np.array(facts["key"]), np.array(facts["at"])))
        owners = query("SELECT DISTINCT scope_key, customer_key FROM unit_days").fetchnumpy()
        self.changes.unit_owners.add(np.array(owners["scope_key"]), np.array(owners["customer_key"]))
        self._load_recent_days(state.position)
        self.changes.refusals.restart(state.position)
        amended = query("SELECT DISTINCT locator FROM amendments").fetchall()
        self.changes.amended.update(locator for (locator,) in amended)
        return state

    def add_keys(self, new: NewKeys) -> None:
        """Store the surrogate keys assigned in this transaction."""
        if new.scopes:
            self._cursor.executemany(
                "INSERT INTO scopes VALUES (?, ?, ?)", [(key, s.tenant, s.environment) for key, s in new.scopes]
            )
        if new.kinds:
            self.changes.wrote_series()
            self._insert_columns("kinds", ["kind_key", "type", "provider", "model"], new.kinds)
        if new.customers:
            self.changes.wrote_customers([first_position for *_, first_position in new.customers])
            columns = ["customer_key", "scope_key", "customer_id", "first_position"]
            self._insert_columns("customers", columns, new.customers)

    def _insert_columns(self, table: str, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
        arrays = [pa.array(values) for values in zip(*rows, strict=True)]
        self._insert(table, pa.table(arrays, names=columns))

    def _insert(self, table: str, staged: pa.Table) -> None:
        if not staged.num_rows:  # see Compaction._write_merged: an empty insert must not precede a large one
            return
        self._unflushed_bytes += staged.nbytes
        # DuckDB finds `staged` among this function's variables; registering it would cost a millisecond more.
        self._cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM staged")

    def advance(self, position: int, running_hash: bytes, recorded_at: datetime | None) -> None:
        """Write the buffered rows, and record the position of the fold."""
        if (facts := self._buffer.facts()) is not None:
            self._insert("facts", facts)
        if (moved := self._buffer.sources()) is not None:
            self._upsert_sources(moved)
        self._buffer = WriteBuffer()
        # Not an UPDATE: DuckDB makes no checkpoint while a read is open that is older than one, and each step is one.
        self._cursor.execute(
            "INSERT INTO progress SELECT * REPLACE (?::BIGINT AS position, ?::BLOB AS running_hash,"
            " ?::TIMESTAMP AS recorded_at) FROM progress",
            [position, running_hash, None if recorded_at is None else naive(recorded_at)],
        )
        self._cursor.execute("DELETE FROM progress WHERE position <> ?", [position])
        self.changes.publish(position)

    def _upsert_sources(self, staged: pa.Table) -> None:
        self._cursor.execute(_UPSERT_SOURCES)

    def add_log_records(self, records: pa.Table) -> None:
        """Insert log records."""
        self._unflushed_records += records.num_rows
        self._insert("log_records", records)

    # -- usage

    def add_rows(self, staged_rows: pa.Table) -> None:
        """Insert usage rows and their day deltas; of rows that are closed already, days tell that they were taken."""
        self._insert(self._open_rows, staged_rows)
        self._add_to_sums(staged_rows)

    def _add_to_sums(self, staged_rows: pa.Table) -> None:
        self._unflushed_records += staged_rows.num_rows
        self._add_to_days(staged_rows)
        if (with_units := _rows_with_units(staged_rows)) is not None:
            scopes, customers = with_units.column("scope_key").to_numpy(), _customer_keys(with_units)
            self.changes.unit_owners.add(scopes, customers)
            self._add_to_unit_days(with_units)
        self.changes.wrote_usage(_customer_keys(staged_rows))
        if staged_rows.column("closed_at").null_count < staged_rows.num_rows:
            self._take_from_days(staged_rows.filter(pc.is_valid(staged_rows.column("closed_at"))))

    def _take_from_days(self, staged: pa.Table) -> None:
        self._cursor.execute(insert_taken(self._open_days, "staged"))
        self.changes.corrected_usage(_customer_keys(staged))

    def _add_to_days(self, staged: pa.Table) -> None:
        deltas = deltas_of_rows(staged)
        self.changes.days.add(deltas)
        if deltas is None:
            self._cursor.execute(insert_deltas(self._open_days, "staged WHERE closed_at IS NULL"))
        else:
            self._insert(self._open_days, delta_table(deltas))

    def _add_to_unit_days(self, staged: pa.Table) -> None:
        self._cursor.execute(insert_unit_deltas("staged"))

    def add_outcomes(self, outcomes: pa.Table) -> None:
        """Insert the outcomes of events that were not counted."""
        self._unflushed_records += outcomes.num_rows
        self._insert(STORED_OUTCOMES, outcomes)
        self.changes.refusals.add(outcomes.column("locator").to_numpy())

    def close_row(self, customer_key: int, locator: int, position: int) -> None:
        """Close the current version of a row, if it has one."""
        versions, with_units = self._current_versions(customer_key, locator)
        if not versions:
            return
        self.changes.corrected_usage(np.array([customer_key]))
        self._cursor.execute(
            insert_deltas(self._open_days, f"{self._rows} WHERE {_CURRENT_VERSION}", sign="-"), [customer_key, locator]
        )
        if with_units:
            taken = insert_unit_deltas(f"{self._rows} WHERE {_CURRENT_VERSION}", sign="-")
            self._cursor.execute(taken, [customer_key, locator])
        for table in self._row_tables:
            self._cursor.execute(
                f"UPDATE {table} SET closed_at = ? WHERE {_CURRENT_VERSION}", [position, customer_key, locator]
            )

    def _current_versions(self, customer_key: int, locator: int) -> tuple[int, int]:
        """The number of current versions of a row, at most 1, and that of those with units."""
        current = f"SELECT count(*), count(unit_names) FROM {self._rows} WHERE {_CURRENT_VERSION}"
        versions, with_units = self._cursor.execute(current, [customer_key, locator]).fetchall()[0]
        return versions, with_units

    def reopen_row(self, customer_key: int, locator: int, position: int) -> int | None:
        """Open a new version, equal to the last one, of a row that has no current version."""
        if self._current_versions(customer_key, locator)[0]:
            return None
        inserted = self._cursor.execute(
            f"""INSERT INTO {self._open_rows}
            SELECT * REPLACE (?::BIGINT AS counted_at, NULL::BIGINT AS closed_at) FROM (
                SELECT * FROM {self._rows} WHERE customer_key = ? AND locator = ?
                ORDER BY counted_at DESC, closed_at DESC LIMIT 1)""",
            [position, customer_key, locator],
        )
        if not inserted.fetchall()[0][0]:
            raise LookupError(f"no row has the customer key {customer_key} and the locator {locator}")
        self.changes.corrected_usage(np.array([customer_key]))
        self._cursor.execute(
            insert_deltas(self._open_days, f"{self._rows} WHERE {_CURRENT_VERSION}"), [customer_key, locator]
        )
        opened = f"SELECT kind_key, unit_names IS NOT NULL, scope_key FROM {self._rows} WHERE {_CURRENT_VERSION}"
        kind_key, has_units, scope_key = self._cursor.execute(opened, [customer_key, locator]).fetchall()[0]
        if has_units:
            self.changes.unit_owners.add(np.array([scope_key]), np.array([customer_key]))
            added = insert_unit_deltas(f"{self._rows} WHERE {_CURRENT_VERSION}")
            self._cursor.execute(added, [customer_key, locator])
        return int(kind_key)

    def last_version(self, customer_key: int, locator: int) -> pa.Table:
        """Return the version of a row that was opened last."""
        return self._cursor.sql(
            f"""SELECT * FROM {self._rows} WHERE customer_key = $1 AND locator = $2
            ORDER BY counted_at DESC, closed_at DESC NULLS FIRST LIMIT 1""",
            params=[customer_key, locator],
        ).to_arrow_table()

    def add_version(self, version: pa.Table) -> None:
        """Insert a version of a row that has no current one, with its day deltas."""
        self._insert(self._open_rows, version)
        customer_keys = _customer_keys(version)
        self.changes.corrected_usage(customer_keys)
        if version.column("closed_at").null_count == 0:
            self._take_from_days(version)
            return
        found = [int(customer_keys[0]), version.column("locator")[0].as_py()]
        self._cursor.execute(insert_deltas(self._open_days, f"{self._rows} WHERE {_CURRENT_VERSION}"), found)
        if _rows_with_units(version) is not None:
            self.changes.unit_owners.add(version.column("scope_key").to_numpy(), customer_keys)
            self._cursor.execute(insert_unit_deltas(f"{self._rows} WHERE {_CURRENT_VERSION}"), found)

    def rows_of_source(
        self, customer_key: int, source: str, start: datetime, end: datetime, above_locator: int, rows_max: int
    ) -> pa.Table:
        """Return the last versions of events of a customer and a source in a time."""
        span = naive(start), naive(end)
        return rows_of_source(self._cursor, self._rows, customer_key, source, span, above_locator, rows_max)

    def move_rows(self, move: CustomerMove, versions: pa.Table) -> None:
        """Close the current versions of events and open those of another customer."""
        move_rows(self._cursor, self._generations, move, versions)
        self._unflushed_records += versions.num_rows
        customer_keys = _customer_keys(versions)
        self.changes.corrected_usage(np.unique([move.customer_key_before, *customer_keys.tolist()]))
        self.changes.amended.update(versions.column("locator").to_pylist())
        if (with_units := _rows_with_units(versions)) is not None:
            self.changes.unit_owners.add(with_units.column("scope_key").to_numpy(), _customer_keys(with_units))

    def unknown_cost_rows(
        self, kind_key: int, scope_key: int, above_locator: int, rows_max: int, customer_key: int | None = None
    ) -> pa.Table:
        """Return current rows of one series whose cost is unknown, ascending by locator, after `above_locator`."""
        of_customer = "" if customer_key is None else f"AND customer_key = {int(customer_key)}"
        return self._cursor.sql(
            f"""SELECT locator, customer_key, kind_key, time, input_tokens, cached_input_tokens, cache_write_tokens,
                output_tokens, reasoning_tokens, unit_names, unit_quantities, requests, quantities_unknown,
                price_context
            FROM {self._rows}
            WHERE scope_key = $1 AND kind_key = $2 AND cost_origin = 'unknown' AND closed_at IS NULL AND locator > $3
                {of_customer}
            ORDER BY locator LIMIT $4""",
            params=[scope_key, kind_key, above_locator, rows_max],
        ).to_arrow_table()

    def price_rows(self, priced: pa.Table, position: int) -> None:
        """Set the cost of rows by a price, valid from `position` on."""
        self.changes.corrected_usage(_customer_keys(priced))
        same = "r.customer_key = p.customer_key AND r.locator = p.locator"
        closed_rows = 0
        for table in self._row_tables:
            updated = self._cursor.execute(
                f"""UPDATE {table} AS r SET closed_at = {int(position)} FROM priced p
                WHERE {same} AND r.closed_at IS NULL"""
            )
            closed_rows += updated.fetchall()[0][0]
        if not closed_rows:
            return
        self._unflushed_records += closed_rows
        closed = f"{self._rows} r JOIN priced p ON {same} AND r.closed_at = {int(position)}"
        self._cursor.execute(
            f"""INSERT INTO {self._open_days} SELECT r.scope_key, r.customer_key, r.time::DATE, r.kind_key,
            0, 0, 0, 0, 0, 0, sum(p.cost_usd - coalesce(r.cost_usd, 0)), -count(*) FILTER (r.cost_origin = 'unknown'),
            0, {CHANGED} FROM {closed} GROUP BY ALL"""
        )
        self._cursor.execute(
            f"""INSERT INTO {self._open_rows} SELECT r.* REPLACE (p.cost_usd AS cost_usd, 'price' AS cost_origin,
            p.price_position AS price_position, p.discount_positions AS discount_positions,
            p.repriced_at AS repriced_at, {int(position)} AS counted_at, NULL::BIGINT AS closed_at) FROM
            {closed}"""
        )

    def rows_to_reprice(self, asked: RowRange, after: tuple[int, int] | None, rows_max: int) -> pa.Table:
        """Return current rows in a range that a price can be given to, ascending by customer key and locator."""
        statement, values = range_rows(asked, after, rows_max, self._rows)
        return self._cursor.sql(statement, params=values).to_arrow_table()

    def undo_repricing(self, repriced_at: int, position: int) -> tuple[int, Decimal]:
        """Give rows the cost that they had before a re-pricing, valid from `position` on."""
        undone = undo_repricing(self._cursor, self._generations, repriced_at, position)
        self._unflushed_records += undone.events
        if undone.customers.size:
            self.changes.corrected_usage(undone.customers)
        return undone.events, undone.difference_usd

    # -- lifecycle

    def add_repricing(self, repricing: NewRepricing) -> None:
        """Insert an event of a re-pricing run, its range as JSON text."""
        self._cursor.execute(
            "INSERT INTO repricings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                repricing.scope_key,
                repricing.name,
                repricing.kind,
                repricing.position,
                naive(repricing.recorded_at),
                repricing.actor,
                repricing.reason,
                None if repricing.range is None else msgspec.json.encode(repricing.range).decode(),
                repricing.previewed_at,
                repricing.events,
                repricing.difference_usd,
            ],
        )

    def add_fact(self, fact: NewFact) -> None:
        """Add a fact. Buffered until `advance`."""
        if fact.owner.customer_key is not None:
            self.changes.wrote_fact(fact.owner.customer_key)
        self._buffer.add_fact(fact)

    def update_source(self, progress: SourceProgress) -> None:
        """Add the progress of a partition of a Kafka topic. Buffered until `advance`."""
        self._buffer.update_source(progress)

    def add_correction(self, correction: NewCorrection) -> None:
        """Insert a void or restore of an identity."""
        self._cursor.execute(
            "INSERT INTO corrections VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                correction.scope_key,
                correction.source,
                correction.id,
                correction.kind,
                correction.position,
                naive(correction.recorded_at),
                correction.actor,
                correction.reason,
            ],
        )

    def add_amendment(self, amendment: NewAmendment) -> None:
        """Insert an amendment."""
        self.changes.amended.add(amendment.locator)
        self._cursor.execute(
            "INSERT INTO amendments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                amendment.scope_key,
                amendment.locator,
                amendment.position,
                amendment.customer_key,
                amendment.customer_key_before,
                naive(amendment.time),
                amendment.content,
                amendment.changed,
                naive(amendment.recorded_at),
            ],
        )

    def add_price(self, price: NewPrice) -> None:
        """Insert a price, its price list as JSON text."""
        self._cursor.execute(
            "INSERT INTO prices VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                price.position,
                price.scope_key,
                price.provider,
                price.model,
                msgspec.json.encode(price.prices).decode(),
                price.library,
                naive(price.recorded_at),
                price.actor,
                price.customer_id,
                _naive_or_none(price.life_began_at),
            ],
        )

    def add_discount(self, discount: NewDiscount) -> None:
        """Insert a discount."""
        self._cursor.execute(
            "INSERT INTO discounts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                discount.position,
                discount.scope_key,
                discount.customer_id,
                _naive_or_none(discount.life_began_at),
                discount.provider,
                discount.model,
                discount.percentage,
                _naive_or_none(discount.effective_from),
                naive(discount.recorded_at),
                discount.actor,
            ],
        )

    def add_api_key(self, key: NewApiKey) -> None:
        """Insert an API key."""
        self._cursor.execute(
            "INSERT INTO api_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            [
                key.key_id,
                key.scope_key,
                permissions_text(key.scopes, key.environments),
                key.prefix,
                key.secret_hash,
                key.name,
                naive(key.issued_at),
                key.position,
            ],
        )

    def revoke_api_key(self, key_id: str, revoked_at: datetime) -> None:
        """Mark an API key as revoked; an earlier revocation stands."""
        self._cursor.execute(
            "UPDATE api_keys SET revoked_at = ? WHERE key_id = ? AND revoked_at IS NULL", [naive(revoked_at), key_id]
        )

    # -- reads of the fold

    def running_hash_at(self, position: int) -> bytes | None:
        """Return the running hash after a folded position; None when the store has not folded it."""
        found = self._cursor.execute("SELECT running_hash FROM log_records WHERE position = ?", [position]).fetchall()
        return bytes(found[0][0]) if found else None

    def refused_locators(self, first: int, last: int) -> list[int]:
        """Return the locators in [first, last) of events that were not counted."""
        found = self._cursor.execute(
            f"""SELECT locator FROM outcomes
            WHERE locator >= ? AND locator < ? AND decided_at = locator >> {LOCATOR_ROW_BITS}""",
            [first, last],
        ).fetchall()
        return [row[0] for row in found]
