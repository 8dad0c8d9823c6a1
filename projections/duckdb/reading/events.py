"""Queries for single events: counted ones, those not counted, corrections, and receipts of requests."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import accumulate
from math import isfinite
from typing import Any, Final

import duckdb
import msgspec

from domain.corrections.events import USAGE_AMENDED
from domain.usage.amending.amended_event import MemberChange
from domain.usage.locators import LOCATOR_ROW_BITS, locator_of
from domain.usage.outcomes import REVERTED, EventOutcome, Outcome, OutcomeCounts
from domain.values.instants import aware, naive
from projections.duckdb.reading.bound_query import BoundQuery
from projections.duckdb.reading.dimensions import members_equal
from projections.duckdb.storage.schema import NOTHING_CHANGED
from projections.duckdb.storage.series import Series
from projections.queries.events import (
    CHANGES_TOLD_MAX,
    CORRECTIONS_MAX,
    CorrectionRecord,
    EventFilter,
    IdentityHistory,
    MemberIn,
    OutcomeRow,
    Receipt,
    RowSpan,
    UsageEventRow,
)

#: In the order of the fields of UsageEventRow.
_EVENT: Final = """r.locator, r.source, r.id, k.type, nullif(c.customer_id, ''), r.time, r.recorded_at, k.provider,
    k.model, r.status, r.input_tokens, r.cached_input_tokens, r.cache_write_tokens, r.output_tokens, r.reasoning_tokens,
    r.cost_usd, r.cost_origin, r.price_position, r.closed_at IS NOT NULL, r.subscription, r.parent_request,
    r.hold_id, r.latency_us, r.ttft_us, r.tags, r.properties, r.extensions, r.content,
    map(r.unit_names, r.unit_quantities), coalesce(r.requests, 1), r.quantities_unknown IS NOT NULL, r.price_context,
    r.discount_positions, r.counted_at, r.closed_at, r.repriced_at"""
_NAMED: Final = "JOIN kinds k ON k.kind_key = r.kind_key JOIN customers c ON c.customer_key = r.customer_key"
#: The view of all tables of usage rows.
USAGE_ROWS: Final = "usage_rows"
#: Orders the versions of one event: the current one first, else the last that was valid.
_LAST_VERSION: Final = "counted_at DESC, closed_at DESC NULLS FIRST"
#: The condition on versions `r` that no later amendment replaced.
_UNAMENDED: Final = "NOT EXISTS (SELECT 1 FROM amendments a WHERE a.locator = r.locator AND a.position > r.counted_at)"
#: The condition on versions `r` that their event is none of a reverted backfill.
_NOT_REVERTED: Final = f"""r.locator NOT IN (SELECT locator FROM outcomes WHERE outcome = 'withdrawn'
    AND reason = '{REVERTED}' AND closed_at IS NULL)"""
#: The condition on versions `r` that no backfill withdrew the event.
_NOT_WITHDRAWN: Final = """r.locator NOT IN (SELECT locator FROM outcomes WHERE outcome = 'withdrawn'
    AND closed_at IS NULL)"""
#: In the order of the fields of OutcomeRow.
_REFUSAL: Final = """locator, source, id, customer_id, type, outcome, reason, detail, first_locator, content,
    recorded_at, stream, raw"""


_NOT_COUNTED: Final = ("duplicate", "conflict", "rejected")
#: An `EventOutcome` as JSON.
_OUTCOME_JSON: Final = "to_json({{{}}})::VARCHAR".format(
    ", ".join(f"'{name}': {name}" for name in EventOutcome.__struct_fields__)
)
#: The log position of a locator, in SQL.
_POSITION: Final = f"({{}} >> {LOCATOR_ROW_BITS})"


class RowLocation(msgspec.Struct, frozen=True):
    """The sort key by which a usage row is found. `time` is naive UTC."""

    customer_key: int
    time: datetime
    locator: int


def event_locations(
    cursor: duckdb.DuckDBPyConnection,
    scope_key: int,
    customer_key: int | None,
    kind_keys: Sequence[int] | None,
    where: EventFilter,
    after: tuple[datetime, int] | None,
    limit: int,
) -> list[RowLocation]:
    """Return the locations of a page of counted events, newest first.

    `customer_key` and `kind_keys` stand for the customer, model and type of `where` (None: any). A page is found by
    time and locator alone, because reading wide rows only to drop them is slow.
    """
    query = BoundQuery()
    conditions = conditions_of(query, scope_key, customer_key, kind_keys, where)
    if after is not None:
        time, locator = query.bind(naive(after[0])), query.bind(after[1])
        conditions.append(f"(time < {time} OR (time = {time} AND locator < {locator}))")
    once = "DISTINCT" if where.include_voided else ""
    page = query.rows(
        cursor,
        f"""SELECT {once} customer_key, time, locator FROM usage_rows r WHERE {" AND ".join(conditions)}
        ORDER BY time DESC, locator DESC LIMIT {query.bind(limit)}""",
    )
    return [RowLocation(*row) for row in page]


def events_by_location(cursor: duckdb.DuckDBPyConnection, locations: Sequence[RowLocation]) -> list[UsageEventRow]:
    """Return the events at these locations, in their order, each in its last version."""
    if not locations:
        return []
    query = BoundQuery()
    keys, times = {one.customer_key for one in locations}, [one.time for one in locations]
    whose = f"IN (SELECT unnest({query.bind(sorted(keys))}::BIGINT[]))" if len(keys) > 1 else f"= {query.bind(*keys)}"
    rows = query.rows(
        cursor,
        f"""SELECT {_EVENT} FROM (SELECT * FROM usage_rows WHERE customer_key {whose}
            AND time >= {query.bind(min(times))} AND time <= {query.bind(max(times))}
            AND locator IN (SELECT unnest({query.bind([one.locator for one in locations])}::BIGINT[]))) r {_NAMED}
        ORDER BY {_LAST_VERSION}""",
    )
    last_versions = {row[0]: row for row in reversed(rows)}
    return [_event(last_versions[one.locator]) for one in locations]


def conditions_of(
    query: BoundQuery, scope_key: int, customer_key: int | None, kind_keys: Sequence[int] | None, where: EventFilter
) -> list[str]:
    """Return the conditions of a filter on usage rows `r`; `customer_key` and `kind_keys` as in `event_locations`."""
    conditions = [f"scope_key = {query.bind(scope_key)}"]
    conditions.append(f"{_UNAMENDED} AND {_NOT_WITHDRAWN}" if where.include_voided else "closed_at IS NULL")
    if customer_key is not None:
        conditions.append(f"customer_key = {query.bind(customer_key)}")
    if kind_keys is not None:
        conditions.append(f"list_contains({query.bind(list(kind_keys))}::INTEGER[], kind_key)")
    for column, text in _texts_of(where).items():
        if text is not None:
            conditions.append(f"{column} = {query.bind(text)}")
    if where.tag is not None:
        conditions.append(f"list_contains(tags, {query.bind(where.tag)})")
    if where.start is not None:
        conditions.append(f"time >= {query.bind(naive(where.start))}")
    if where.end is not None:
        conditions.append(f"time < {query.bind(naive(where.end))}")
    if where.statuses:
        conditions.append(f"list_contains({query.bind(list(where.statuses))}::VARCHAR[], status)")
    if where.tags:
        conditions.append(f"list_has_any(tags, {query.bind(list(where.tags))}::VARCHAR[])")
    if where.roots_only:
        conditions.append("parent_request IS NULL")
    if where.source_prefix is not None:
        conditions.append(f"starts_with(source, {query.bind(where.source_prefix)})")
    return conditions + [_member_in(query, one) for one in where.members]


def _texts_of(where: EventFilter) -> dict[str, str | None]:
    """The text that a column must have; None: any."""
    return {
        "status": where.status,
        "parent_request": where.parent_request,
        "id": where.event_id,
        "source": where.source,
    }


def _member_in(query: BoundQuery, member: MemberIn) -> str:
    pairs = [(path, text) for path in member.paths for text in member.texts]
    return f"({' OR '.join(members_equal(query, pairs)) or 'false'})"


def event_of_identity(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, source: str, event_id: str, from_locator: int
) -> UsageEventRow | None:
    """Return the event counted under an identity from this locator on, in its current version, else in its last one.

    One that a replacement withdrew only where no other has the identity; one of a reverted backfill never.
    """
    condition = "r.scope_key = ? AND r.source = ? AND r.id = ? AND r.locator >= ?"
    values = [scope_key, source, event_id, from_locator]
    held = _one_event(cursor, f"{condition} AND {_NOT_WITHDRAWN}", values)
    return held or _one_event(cursor, f"{condition} AND {_NOT_REVERTED}", values)


def event_at_location(
    cursor: duckdb.DuckDBPyConnection,
    at: RowLocation,
    customer_id: str | None,
    all_series: Sequence[Series],
    tables: Sequence[str],
) -> UsageEventRow | None:
    """Return the event at a location, in its current version, else in its last one.

    It needs no joins, no table after the one with the current version, and no names of columns, of which DuckDB would
    resolve each: they would take most of the time.
    """
    versions: list[dict[str, Any]] = []
    for table in tables:
        found = cursor.execute(
            f"SELECT * FROM {table} WHERE customer_key = ? AND time = ? AND locator = ?",
            [at.customer_key, at.time, at.locator],
        )
        names = [name for name, *_ in found.description]
        versions += [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        if any(version["closed_at"] is None for version in versions):
            break
    if not versions:
        return None
    last = max(versions, key=lambda one: (one["counted_at"], one["closed_at"] is None, one["closed_at"] or 0))
    series = next(one for one in all_series if one.key == last["kind_key"])
    last |= {
        "type": series.type,
        "provider": series.provider,
        "model": series.model,
        "customer_id": customer_id or None,
    }
    last |= {"voided": last["closed_at"] is not None, "requests": last["requests"] or 1}
    last["units"] = dict(zip(last["unit_names"] or (), last["unit_quantities"] or (), strict=True))
    last["quantities_unknown"] = last["quantities_unknown"] is not None
    return _event([last[name] for name in UsageEventRow.__struct_fields__])


def event_at(cursor: duckdb.DuckDBPyConnection, locator: int) -> UsageEventRow | None:
    """Return the event at a locator, in its current version, else in its last one."""
    return _one_event(cursor, "r.locator = ?", [locator])


def event_versions(
    cursor: duckdb.DuckDBPyConnection, event: UsageEventRow, customer_key: int, limit: int
) -> list[UsageEventRow]:
    """Return the versions of an event that were ever in effect, oldest first, at most the last `limit`.

    `customer_key` is that of its last version; amendments tell the others that it had.
    """
    rows = cursor.execute(
        f"""SELECT {_EVENT} FROM (SELECT * FROM usage_rows WHERE locator = $1
            AND (closed_at IS NULL OR closed_at > counted_at) AND customer_key IN (
                SELECT $2::BIGINT UNION SELECT customer_key FROM amendments WHERE locator = $1
                UNION SELECT customer_key_before FROM amendments WHERE locator = $1)) r {_NAMED}
        ORDER BY {_LAST_VERSION} LIMIT $3""",
        [event.locator, customer_key, limit],
    ).fetchall()
    return [_event(row) for row in reversed(rows)]


def amended_location(cursor: duckdb.DuckDBPyConnection, locator: int) -> RowLocation | None:
    """Return the location that the last amendment of an event gave it; None when there is none."""
    found = cursor.execute(
        "SELECT customer_key, time FROM amendments WHERE locator = ? ORDER BY position DESC LIMIT 1", [locator]
    ).fetchall()
    return RowLocation(customer_key=found[0][0], time=found[0][1], locator=locator) if found else None


def amended_event(cursor: duckdb.DuckDBPyConnection, at: RowLocation) -> UsageEventRow | None:
    """Return an amended event at its location, in its current version, else in its last one."""
    condition = "r.customer_key = ? AND r.time = ? AND r.locator = ?"
    return _one_event(cursor, condition, [at.customer_key, at.time, at.locator])


def amendments_met(cursor: duckdb.DuckDBPyConnection, refusals: Sequence[OutcomeRow]) -> dict[int, int]:
    """Return the position of the last amendment before each of these deliveries, by locator.

    A move to another customer, which is stored as an amendment that changes no member, is none.
    """
    repeats = [row for row in refusals if row.first_locator is not None]
    if not repeats:
        return {}
    query = BoundQuery()
    rows = query.rows(
        cursor,
        f"""SELECT d.locator, max(a.position) FROM (
            SELECT unnest({query.bind([row.locator for row in repeats])}::BIGINT[]) AS locator,
                unnest({query.bind([row.first_locator for row in repeats])}::BIGINT[]) AS first_locator) d
        JOIN amendments a ON a.locator = d.first_locator AND a.position < {_POSITION.format("d.locator")}
            AND a.changed <> '{NOTHING_CHANGED}'
        GROUP BY d.locator""",
    )
    return dict(rows)


def _one_event(cursor: duckdb.DuckDBPyConnection, condition: str, values: list[Any]) -> UsageEventRow | None:
    statement = f"SELECT {_EVENT} FROM usage_rows r {_NAMED} WHERE {condition} ORDER BY {_LAST_VERSION} LIMIT 1"
    rows = cursor.execute(statement, values).fetchall()
    return _event(rows[0]) if rows else None


def _event(row: Sequence[Any]) -> UsageEventRow:
    named: dict[str, Any] = dict(zip(UsageEventRow.__struct_fields__, row, strict=True))
    named["time"], named["recorded_at"] = aware(named["time"]), aware(named["recorded_at"])
    named["tags"] = tuple(named["tags"] or ())
    named["units"] = named["units"] or {}
    named["discount_positions"] = tuple(named["discount_positions"] or ())
    named["price_context"] = _json_members(named["price_context"])
    named["properties"], named["extensions"] = _json_members(named["properties"]), _json_members(named["extensions"])
    return UsageEventRow(**named)


def identity_history(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, source: str, event_id: str, limit: int
) -> IdentityHistory:
    """Return the refusals of an identity, at most `limit`, and its corrections.

    Most identities have neither, which one statement tells. A union is planned in less time than two subqueries.
    """
    same = "scope_key = $1 AND source = $2 AND id = $3"
    known = cursor.execute(
        f"SELECT 'refused' FROM outcomes WHERE {same} UNION SELECT 'corrected' FROM corrections WHERE {same}",
        [scope_key, source, event_id],
    ).fetchall()
    refused, corrected = ("refused",) in known, ("corrected",) in known
    return IdentityHistory(
        tuple(_refusals_of(cursor, scope_key, source, event_id, limit)) if refused else (),
        tuple(corrections(cursor, scope_key, source, event_id)) if corrected else (),
    )


def _refusals_of(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, source: str, event_id: str, limit: int
) -> list[OutcomeRow]:
    rows = cursor.execute(
        f"SELECT {_REFUSAL} FROM outcomes WHERE scope_key = ? AND source = ? AND id = ? AND closed_at IS NULL"
        " ORDER BY locator LIMIT ?",
        [scope_key, source, event_id, limit],
    ).fetchall()
    return [_refusal(row) for row in rows]


def outcomes(
    cursor: duckdb.DuckDBPyConnection,
    scope_key: int,
    wanted: Sequence[Outcome],
    after: int | None,
    limit: int,
    reason: str | None,
) -> list[OutcomeRow]:
    """Return a page of events that were not counted, with one of the `wanted` outcomes, newest first by locator."""
    query = BoundQuery()
    conditions = [f"scope_key = {query.bind(scope_key)}", f"list_contains({query.bind(list(wanted))}, outcome)"]
    conditions.append("closed_at IS NULL")
    if after is not None:
        conditions.append(f"locator < {query.bind(after)}")
    if reason is not None:
        conditions.append(f"reason = {query.bind(reason)}")
    rows = query.rows(
        cursor,
        f"""SELECT {_REFUSAL} FROM outcomes WHERE {" AND ".join(conditions)}
        ORDER BY locator DESC LIMIT {query.bind(limit)}""",
    )
    return [_refusal(row) for row in rows]


def _refusal(row: tuple[Any, ...]) -> OutcomeRow:
    named: dict[str, Any] = dict(zip(OutcomeRow.__struct_fields__, row, strict=True))
    named["recorded_at"] = aware(named["recorded_at"])
    return OutcomeRow(**named)


def outcomes_in(query: BoundQuery, spans: Sequence[RowSpan]) -> str:
    """Return the outcomes of the events in these spans, with the number of the `span` that each is in, as SQL."""
    starts = [locator_of(span.position, span.start) for span in spans]
    ends = [locator_of(span.position, 0) + span.end for span in spans]
    first = f"decided_at = {_POSITION.format('locator')}"  # a receipt does not tell what a backfill changed since
    between = f"locator >= {query.bind(starts[0])} AND locator < {query.bind(ends[-1])} AND {first}"
    if len(spans) == 1:
        return f"(SELECT *, 0 AS span FROM outcomes WHERE {between})"
    return f"""(SELECT o.*, s.span FROM outcomes o JOIN
        (SELECT unnest({query.bind(starts)}::BIGINT[]) AS start, unnest({query.bind(ends)}::BIGINT[]) AS "end",
            unnest({query.bind(list(range(len(spans))))}::INTEGER[]) AS span) s
        ON {_POSITION.format("o.locator")} = {_POSITION.format("s.start")} AND locator >= s.start AND locator < s."end"
        WHERE {between})"""


#: Makes the outcomes of the events in spans, as `outcomes_in` does.
OutcomesIn = Callable[[BoundQuery, Sequence[RowSpan]], str]


def receipt(
    cursor: duckdb.DuckDBPyConnection, spans: Sequence[RowSpan], shown_max: int, told: OutcomesIn = outcomes_in
) -> Receipt:
    """Return the receipt of the events in `spans`, which ascend, with the first `shown_max` of those not counted.

    A request that took turns with others has many spans: a statement for each would take most of the time. Events of
    which `told` has no outcome are counted.
    """
    received = sum(span.end - span.start for span in spans)
    if received <= shown_max:
        ended, text = _refused_in(cursor, spans, shown_max, told)
        return Receipt(_outcome_counts(received, ended), ended.total(), text)
    by_span = _outcomes_of_spans(cursor, spans, told)
    shown, text = _refused_in(cursor, by_span.leading(shown_max), shown_max, told)
    return Receipt(_outcome_counts(received, by_span.total()), shown.total(), text)


def _outcome_counts(received: int, ended: Counter[str]) -> OutcomeCounts:
    return OutcomeCounts(counted=received - ended.total(), **{name: ended[name] for name in _NOT_COUNTED})


class _OutcomesOfSpans(msgspec.Struct, frozen=True):
    """The number of events that were not counted in each span, by outcome."""

    spans: Sequence[RowSpan]
    counts: list[Counter[str]]

    def total(self) -> Counter[str]:
        return sum(self.counts, Counter())

    def leading(self, shown_max: int) -> list[RowSpan]:
        """The first spans with so many events that were not counted, or all spans with any."""
        before = accumulate((of_span.total() for of_span in self.counts), initial=0)
        found = zip(self.spans, self.counts, before, strict=False)
        return [span for span, of_span, sofar in found if of_span and sofar < shown_max]


def _outcomes_of_spans(
    cursor: duckdb.DuckDBPyConnection, spans: Sequence[RowSpan], told: OutcomesIn
) -> _OutcomesOfSpans:
    query = BoundQuery()
    statement = f"SELECT span, outcome, count(*) FROM {told(query, spans)} GROUP BY span, outcome"
    counts: list[Counter[str]] = [Counter() for _ in spans]
    for number, name, count in query.rows(cursor, statement):
        counts[number][name] = count
    return _OutcomesOfSpans(spans, counts)


def _refused_in(
    cursor: duckdb.DuckDBPyConnection, spans: Sequence[RowSpan], limit: int, told: OutcomesIn
) -> tuple[Counter[str], bytes]:
    """Return the first events that were not counted, at most `limit`: how many by outcome, and themselves as JSON.

    DuckDB writes the JSON: thousands of Python objects would keep other threads waiting.
    """
    if not spans:
        return Counter(), b"[]"
    query = BoundQuery()
    counts = ", ".join(f"count(*) FILTER (outcome = '{name}')" for name in _NOT_COUNTED)
    rows = query.rows(
        cursor,
        f"""SELECT {counts}, coalesce(string_agg({_OUTCOME_JSON}, ',' ORDER BY locator), '')
        FROM (SELECT * FROM {told(query, spans)} ORDER BY locator LIMIT {query.bind(limit)})""",
    )
    *found, text = rows[0]
    return Counter(dict(zip(_NOT_COUNTED, found, strict=True))), f"[{text}]".encode()


def corrections(
    cursor: duckdb.DuckDBPyConnection, scope_key: int, source: str, event_id: str
) -> list[CorrectionRecord]:
    """Return the last voids, restores and amendments of an identity, oldest first."""
    rows = cursor.execute(
        """SELECT kind, position, recorded_at, actor, reason FROM corrections
        WHERE scope_key = ? AND source = ? AND id = ? ORDER BY position DESC LIMIT ?""",
        [scope_key, source, event_id, CORRECTIONS_MAX],
    ).fetchall()
    amended = [position for kind, position, *_ in rows if kind == USAGE_AMENDED][:CHANGES_TOLD_MAX]
    changed: dict[int, str] = {}
    if amended:
        told = "SELECT position, changed FROM amendments WHERE position IN (SELECT unnest(?::BIGINT[]))"
        changed = dict(cursor.execute(told, [amended]).fetchall())
    return [
        CorrectionRecord(
            kind, position, aware(at), actor, reason, _changes(changed[position]) if position in changed else None
        )
        for kind, position, at, actor, reason in reversed(rows)
    ]


_changes: Final = msgspec.json.Decoder(tuple[MemberChange, ...]).decode


def _json_members(text: str | None) -> dict[str, Any]:
    """Return the members of a JSON object, none for None. A number that no double holds exactly becomes its text."""
    if text is None:
        return {}
    members: dict[str, Any] = json.loads(text, parse_float=_number, parse_constant=str)
    return members


def _number(text: str) -> float | str:
    value = float(text)
    return value if isfinite(value) and Decimal(repr(value)) == Decimal(text) else text
