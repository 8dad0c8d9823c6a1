"""The queries of a snapshot about what changed since an earlier log position."""

from __future__ import annotations

from domain.scope import Scope
from domain.values.instants import naive
from projections.duckdb.reading.cached_reads import CachedReads, all_markups
from projections.duckdb.reading.diff.change_sums import change_sums
from projections.duckdb.reading.diff.changed_rows import ChangedRows
from projections.duckdb.reading.diff.event_changes import event_changes
from projections.duckdb.reading.diff.markup_facts import markup_facts
from projections.queries.diff import ChangeCursor, ChangesQuestion, ChangeSum, EventChange, MarkupFact
from projections.views.customers import markup_changes


class DiffReads:
    """Part of a `Snapshot`: changes of events, and facts that may have changed markups."""

    _cached: CachedReads

    def change_sums(self, scope: Scope, question: ChangesQuestion) -> list[ChangeSum]:
        """The sums of the changes of each kind, by kind, then re-pricing run."""
        asked = self._changed_rows(scope, question)
        if asked is None:
            return []
        with_units = self._cached.may_have_units(asked.scope_key, asked.customer_key)
        return change_sums(self._cached.cursor, asked, with_units)

    def event_changes(
        self, scope: Scope, question: ChangesQuestion, after: ChangeCursor | None, limit: int
    ) -> list[EventChange]:
        """A page of the changes of single events, in the order of `ChangeCursor`."""
        asked = self._changed_rows(scope, question)
        return [] if asked is None else event_changes(self._cached.cursor, asked, after, limit)

    def markup_facts(
        self, scope: Scope, question: ChangesQuestion, after: ChangeCursor | None, limit: int
    ) -> list[MarkupFact]:
        """A page of the facts that may have changed markups, by position, then customer id."""
        keys = self._keys(scope, question.customer_id)
        return [] if keys is None else markup_facts(self._cached.cursor, *keys, question.since, after, limit)

    def _keys(self, scope: Scope, customer_id: str | None) -> tuple[int, int | None] | None:
        """The keys of a scope and a customer (None: all customers); None when either does not exist."""
        scope_key = self._cached.scope_key(scope)
        if scope_key is None or customer_id is None:
            return None if scope_key is None else (scope_key, None)
        row = self._cached.customer_row(scope_key, customer_id)
        return None if row is None else (scope_key, row.key)

    def _changed_rows(self, scope: Scope, question: ChangesQuestion) -> ChangedRows | None:
        keys = self._keys(scope, question.customer_id)
        if keys is None:
            return None
        scope_key, customer_key = keys
        if customer_key is None:
            markups = all_markups(self._cached.cursor, scope_key, question.since)
        else:
            changes = markup_changes(self._cached.facts_of(customer_key, question.since))
            markups = {customer_key: changes} if changes else {}
        late = None if question.late_before is None else naive(question.late_before)
        return ChangedRows(
            scope_key,
            customer_key,
            self._cached.request_keys(),
            question.since,
            self._cached.point().position,
            naive(question.span.start),
            naive(question.span.end),
            late,
            markups,
        )
