"""The queries of a snapshot about correction runs."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from domain.scope import Scope
from domain.values.instants import naive
from projections.duckdb.reading.cached_reads import CachedReads
from projections.duckdb.reading.correcting import runs
from projections.duckdb.reading.correcting.amended_events import AmendedEvents
from projections.duckdb.reading.correcting.replacements import (
    differing_deliveries,
    replaced_by,
    replacement_receipt,
)
from projections.duckdb.reading.correcting.sums import CorrectedRowSums
from projections.duckdb.storage.fold_reads.filtered_rows import FilteredRows
from projections.queries.corrections import (
    AMENDED_EVENTS,
    CorrectedCustomer,
    CorrectedSums,
    CorrectedTotals,
    CorrectionQuestion,
    CorrectionRunRecord,
)
from projections.queries.customers import CustomerSpan
from projections.queries.events import RECEIPT_OUTCOMES_MAX, CorrectionRecord, Receipt, RowSpan
from projections.queries.repricing import ScopePricing
from projections.row_filter import RowFilter, row_filter


class CorrectionReads:
    """Part of a `Snapshot`: correction runs, and the events that one would change."""

    _cached: CachedReads

    def correction_runs(self, scope: Scope, after: str | None, limit: int) -> list[CorrectionRunRecord]:
        """A page of the correction runs of a scope, in ascending order of name."""
        return runs.correction_runs(self._cached.cursor, self._cached.scope_key(scope), after, limit)

    def correction_run(self, scope: Scope, name: str) -> CorrectionRunRecord | None:
        """The correction run of this name; None when there is none."""
        return runs.correction_run(self._cached.cursor, self._cached.scope_key(scope), name)

    def run_corrections(self, scope: Scope, locator: int) -> list[CorrectionRecord]:
        """What correction runs did about the counted event at a locator, oldest first."""
        return runs.run_corrections(self._cached.cursor, self._cached.scope_key(scope), locator)

    def differing_deliveries(self, spans: Sequence[RowSpan], known_at: int) -> list[tuple[int, int]]:
        """The events that deliveries in these spans repeat with other content than they have now; see the protocol."""
        return differing_deliveries(self._cached.cursor, spans, known_at)

    def replacement_receipt(
        self, spans: Sequence[RowSpan], received: Sequence[int], shown_max: int = RECEIPT_OUTCOMES_MAX
    ) -> Receipt:
        """The receipt of a request whose deliveries `received` replaced events; see the protocol."""
        return replacement_receipt(self._cached.cursor, spans, received, shown_max)

    def replaced_by(self, locator: int) -> int | None:
        """The locator of the delivery that an event equals now; None where no replacement was its last amendment."""
        return replaced_by(self._cached.cursor, locator)

    def corrected_totals(self, scope: Scope, question: CorrectionQuestion) -> CorrectedTotals:
        """All that a correction run would change."""
        sums = self._sums(scope, question)
        return CorrectedTotals(0, 0, CorrectedSums()) if sums is None else sums.totals()

    def corrected_customers(
        self, scope: Scope, question: CorrectionQuestion, after: str | None, limit: int
    ) -> list[CorrectedCustomer]:
        """A page of the customers with events that a correction run would change, in ascending order of id."""
        sums = self._sums(scope, question)
        return [] if sums is None else sums.customers(after, limit)

    def corrected_sums(
        self, scope: Scope, question: CorrectionQuestion, spans: Sequence[CustomerSpan]
    ) -> list[CorrectedSums]:
        """What a correction run would change in each span, in the given order; those of a customer do not overlap."""
        sums, scope_key = self._sums(scope, question), self._cached.scope_key(scope)
        if sums is None or scope_key is None:
            return [CorrectedSums()] * len(spans)
        keys = [self._customer_key(scope_key, span.customer_id) for span in spans]
        return sums.of_spans(
            [(key or 0, naive(span.start), naive(span.end)) for key, span in zip(keys, spans, strict=True)]
        )

    def unpriced_corrected(
        self, scope: Scope, question: CorrectionQuestion, after: tuple[int, int] | None, limit: int
    ) -> pa.Table | None:
        """A page of the events of unknown cost that a correction run would change; None behind the last one."""
        sums = self._sums(scope, question)
        return None if sums is None else sums.unpriced(after, limit)

    def series_in(self, scope: Scope, question: CorrectionQuestion) -> list[tuple[str, str | None, str | None]]:
        """Type, provider and model of each series that has events, voided ones too, in the filter of a run."""
        asked = self._asked(scope, question)
        if asked is None:
            return []
        rows = FilteredRows(asked)
        found = self._cached.cursor.execute(
            f"""SELECT k.type, k.provider, k.model FROM kinds k WHERE k.kind_key IN (
                SELECT kind_key FROM ({rows.current()}) UNION SELECT kind_key FROM ({rows.voided()}))""",
            rows.values,
        )
        return found.fetchall()

    def amended_events(self, scope: Scope, question: CorrectionQuestion, pricing: ScopePricing) -> pa.Table:
        """All events that a correction run would amend, with the costs that prices give them."""
        asked = self._asked(scope, question)
        if asked is None or question.members is None:
            return AMENDED_EVENTS.empty_table()
        named = question.members.customer
        customer_key = None if named is None else self._customer_key(asked.scope_key, named)
        amended = AmendedEvents(self._cached.all_series(), pricing, question.members, customer_key)
        return amended.read(self._cached.cursor, FilteredRows(asked))

    def _sums(self, scope: Scope, question: CorrectionQuestion) -> CorrectedRowSums | None:
        asked = self._asked(scope, question)
        if asked is None:
            return None
        return CorrectedRowSums(self._cached.cursor, question.action, asked, self._cached.request_keys())

    def _asked(self, scope: Scope, question: CorrectionQuestion) -> RowFilter | None:
        scope_key = self._cached.scope_key(scope)
        if scope_key is None:
            return None
        series = [(one.key, one.type, one.provider, one.model) for one in self._cached.all_series()]
        position = self._cached.point().position

        def customer_key(customer: str, of_scope: int = scope_key) -> int | None:
            return self._customer_key(of_scope, customer)

        return row_filter(question.filter, scope_key, series, customer_key, position)

    def _customer_key(self, scope_key: int, customer_id: str) -> int | None:
        row = self._cached.customer_row(scope_key, customer_id)
        return None if row is None else row.key
