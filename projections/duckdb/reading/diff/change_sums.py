"""Sums of all changes between two log positions, by kind and re-pricing run."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import duckdb
import msgspec

from projections.duckdb.reading.bound_query import BoundQuery
from projections.duckdb.reading.diff.changed_rows import SIGNED_SUMS, ChangedRows, kind_of_topic
from projections.queries.diff import RUNS_SPLIT_MAX, ChangePart, ChangeSum, EventChangeKind
from projections.queries.usage import UsageSums

#: A kind of changes, and the re-pricing run that made them.
_Group = tuple[EventChangeKind, str | None]
#: Sums that are added up once more, when positions are grouped by the kind of their records.
_SUMMED: Final = ", ".join(
    f"sum({name})::{'DECIMAL(38, 12)' if name == 'cost_usd' else 'HUGEINT'} AS {name}"
    for name in UsageSums.__struct_fields__
    if name != "units"
)


def change_sums(cursor: duckdb.DuckDBPyConnection, asked: ChangedRows, with_units: bool) -> list[ChangeSum]:
    """Return the sums of the changes of each kind, by kind, then run."""
    events = _counts(cursor, asked)
    if not events:
        return []
    parts, units = _parts(cursor, asked), _units(cursor, asked) if with_units else {}
    found = []
    for kind, run in sorted(events, key=lambda group: (group[0], group[1] is None, group[1] or "")):
        first, *others = parts[kind, run]
        if (kind, run) in units:
            sums = msgspec.structs.replace(first.sums, units=units[kind, run])
            first = msgspec.structs.replace(first, sums=sums)
        found.append(ChangeSum(kind, run, events[kind, run], (first, *others)))
    return found


def _counts(cursor: duckdb.DuckDBPyConnection, asked: ChangedRows) -> dict[_Group, int]:
    """How many events each kind of changes changed."""
    query = BoundQuery()
    once = f"SELECT DISTINCT c.locator, c.position, c.is_late FROM {asked.relation(query)} c"
    statement = f"""SELECT {_group(query)}, count(DISTINCT locator) FROM ({once}) p {_joined(query, asked)}
        GROUP BY kind, run"""
    return {(kind, run): events for kind, run, events in query.rows(cursor, statement)}


def _parts(cursor: duckdb.DuckDBPyConnection, asked: ChangedRows) -> dict[_Group, list[ChangePart]]:
    query, percentages = BoundQuery(), asked.percentages()
    sums = f"SELECT c.position, c.is_late, c.markup, {SIGNED_SUMS} FROM {asked.relation(query)} c GROUP BY ALL"
    statement = f"""SELECT {_group(query)}, p.markup, {_SUMMED} FROM ({sums}) p {_joined(query, asked)}
        GROUP BY kind, run, p.markup ORDER BY p.markup"""
    found: dict[_Group, list[ChangePart]] = {}
    for kind, run, markup, *values in query.rows(cursor, statement):
        found.setdefault((kind, run), []).append(ChangePart(UsageSums(*values), percentages[markup]))
    return found


def _units(cursor: duckdb.DuckDBPyConnection, asked: ChangedRows) -> dict[_Group, dict[str, Decimal]]:
    """The units of each kind of changes, those of which the sum is 0 left out."""
    query = BoundQuery()
    each = f"""SELECT c.position, c.is_late, c.sign, unnest(c.unit_names) AS unit, unnest(c.unit_quantities) AS quantity
        FROM {asked.relation(query)} c WHERE c.unit_names IS NOT NULL"""
    statement = f"""SELECT {_group(query)}, p.unit,
            sum(CASE WHEN p.sign > 0 THEN p.quantity ELSE -p.quantity END) AS quantity
        FROM ({each}) p {_joined(query, asked)} GROUP BY kind, run, p.unit HAVING quantity <> 0 ORDER BY p.unit"""
    found: dict[_Group, dict[str, Decimal]] = {}
    for kind, run, unit, quantity in query.rows(cursor, statement):
        found.setdefault((kind, run), {})[unit] = quantity
    return found


#: Tables of what changes many events under a name.
_RUNS: Final = ("repricings", "correction_runs", "backfills")


def _group(query: BoundQuery) -> str:
    return f"{kind_of_topic(query, 'l.topic', 'p.is_late')} AS kind, n.name AS run"


def _joined(query: BoundQuery, asked: ChangedRows) -> str:
    """The records of positions `p`, and the last runs among them."""
    since, until = query.bind(asked.since), query.bind(asked.until)
    named = " UNION ALL ".join(f"SELECT position, name, scope_key, kind FROM {table}" for table in _RUNS)
    runs = f"""SELECT position, name FROM ({named}) WHERE scope_key = {query.bind(asked.scope_key)}
        AND position > {since} AND position <= {until}
        AND (ends_with(kind, '.committed') OR ends_with(kind, '.reverted'))
        ORDER BY position DESC LIMIT {RUNS_SPLIT_MAX}"""
    records = f"SELECT position, topic FROM log_records WHERE position > {since} AND position <= {until}"
    return f"JOIN ({records}) l ON l.position = p.position LEFT JOIN ({runs}) n ON n.position = p.position"
