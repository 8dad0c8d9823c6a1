"""API keys, read from their table."""

from __future__ import annotations

from typing import Final

import duckdb

from domain.scope import Scope
from domain.values.instants import aware, aware_or_none
from projections.duckdb.reading.bound_query import Row
from projections.duckdb.storage.permissions import permissions_of
from projections.queries.api_keys import ApiKeyRecord

_KEY: Final = """k.key_id, s.tenant, s.environment, k.scopes, k.prefix, k.secret_hash, k.name, k.issued_at, k.revoked_at
    FROM api_keys k JOIN scopes s ON s.scope_key = k.scope_key"""


def api_keys(cursor: duckdb.DuckDBPyConnection, scope_key: int | None) -> list[ApiKeyRecord]:
    """Return the API keys of one scope (None: of all), in the order of their issue."""
    where, values = ("WHERE k.scope_key = ?", [scope_key]) if scope_key is not None else ("", [])
    rows = cursor.execute(f"SELECT {_KEY} {where} ORDER BY k.issued_position", values).fetchall()
    return [_api_key(row) for row in rows]


def _api_key(row: Row) -> ApiKeyRecord:
    key_id, tenant, environment, scopes, prefix, secret_hash, name, issued_at, revoked_at = row
    allowed, environments = permissions_of(scopes)
    return ApiKeyRecord(
        key_id,
        Scope(tenant, environment),
        allowed,
        prefix,
        secret_hash,
        name,
        aware(issued_at),
        aware_or_none(revoked_at),
        environments,
    )
