"""The answers to questions about usage sums: from monthly sums, rollups and rows, or an answer that is kept.

Questions about subscriptions, which need rows, are kept: see `projections.duckdb.memory.kept_answers`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import duckdb
import msgspec

from projections.duckdb.memory.kept_answers import Reads, kept_or_read
from projections.duckdb.reading.cached_reads import CachedReads
from projections.duckdb.reading.event_pages import Markups
from projections.duckdb.reading.facts import facts_of_customers_with_markup
from projections.duckdb.reading.usage_sums import UsageSumQuery
from projections.queries.usage import GROUPS_MAX, UsageQuestion, UsageSum, sum_sort_key
from projections.views.customers import markup_at, markup_changes

#: The keys of a scope, and of a customer; None: all of them.
OwnerKeys = tuple[int, int | None]


def answered_usage(cached: CachedReads, owner: OwnerKeys, question: UsageQuestion) -> list[UsageSum]:
    """Answer a question, whose `as_of` is None unless it lies before the snapshot. `InvalidInput`: too many groups."""
    customer_key = owner[1]
    if cached.changes is None or customer_key is None or not _is_kept(question):
        return _usage(cached, owner, question)

    def read(counted_after: int | None) -> list[UsageSum]:
        return _usage(cached, owner, msgspec.structs.replace(question, counted_after=counted_after))

    reads = Reads(partial(cached.changes.last_written, customer_key), read, _combined, GROUPS_MAX)
    return kept_or_read(cached.cache.answers, ["usage", *owner, question], cached.point().position, reads)


def all_markups(cursor: duckdb.DuckDBPyConnection, scope_key: int, as_of: int | None) -> Markups:
    """Return the changes of markup of every customer that ever had one, by key."""
    facts = facts_of_customers_with_markup(cursor, scope_key, as_of)
    return {key: changes for key, found in facts.items() if (changes := markup_changes(found))}


def _is_kept(question: UsageQuestion) -> bool:
    """Whether many readers ask for it again. Sums at markups are not kept, since a fact changes these."""
    return "subscription" in question.group_by and question.as_of is None and not question.split_markup


def _combined(sums: Iterable[UsageSum]) -> list[UsageSum]:
    found: dict[tuple[int, tuple[str | None, ...]], UsageSum] = {}
    for one in sums:
        group = one.segment, one.group
        known = found.get(group)
        found[group] = one if known is None else msgspec.structs.replace(known, sums=known.sums.plus(one.sums))
    return sorted(found.values(), key=sum_sort_key)


def _usage(cached: CachedReads, owner: OwnerKeys, question: UsageQuestion) -> list[UsageSum]:
    sums = _sums(cached, owner, question)
    if not question.with_units or not sums or not cached.may_have_units(*owner):
        return sums
    return UsageSumQuery(*owner, question, cached.all_series(), {}).with_units(cached.cursor, sums)


def _sums(cached: CachedReads, owner: OwnerKeys, question: UsageQuestion) -> list[UsageSum]:
    """The answer but for units."""
    (scope_key, customer_key), series = owner, cached.all_series()
    if not question.split_markup:
        return UsageSumQuery(*owner, question, series, {}).answer(cached.cursor)
    if customer_key is None:
        markups = all_markups(cached.cursor, scope_key, question.as_of)
        return UsageSumQuery(*owner, question, series, markups).answer(cached.cursor)
    changes = markup_changes(cached.facts_of(customer_key, question.as_of))
    start, end = question.segments[0].start, question.segments[-1].end
    inside = [change for change in changes if start < change.start < end]
    percentage = markup_at(changes, start)
    months = cached.months.get(customer_key)
    if months is not None and not inside and months.can_answer(question):
        return sorted(months.answer(question, series, percentage), key=sum_sort_key)
    of_customer = {customer_key: inside} if inside else {}
    return UsageSumQuery(*owner, question, series, of_customer, percentage).answer(cached.cursor)
