"""Everything that tells the customers of subscriptions, read from the tables of facts and customers; their usage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import duckdb
import msgspec
import numpy as np
import numpy.typing as npt

from domain.customers.events import CUSTOMER_DELETED
from domain.scope import Scope
from domain.values.instants import aware
from projections.attribution.subscribers import Subscribers

_SUBSCRIPTIONS: Final = """SELECT scope_key, id, position, effective_at, kind, fields FROM facts
    WHERE subject = 'subscription' ORDER BY position"""
#: Of all customers: one without subscriptions may be given one later that began before the deletion.
_DELETIONS: Final = f"""SELECT c.scope_key, c.customer_id, f.effective_at
    FROM facts f JOIN customers c ON c.customer_key = f.customer_key
    WHERE f.kind = '{CUSTOMER_DELETED}' ORDER BY f.position"""
_IS_SUBSCRIBER: Final = (
    "(c.scope_key, c.customer_id) IN (SELECT (scope_key, id) FROM facts WHERE subject = 'subscriber')"
)
_STORED_USAGE: Final = f"""SELECT d.customer_key AS customer_key, sum(d.events)::BIGINT AS events
    FROM usage_days d JOIN customers c ON c.customer_key = d.customer_key WHERE {_IS_SUBSCRIBER} GROUP BY ALL"""
_SUBSCRIBERS: Final = f"""SELECT s.tenant, s.environment, c.customer_id
    FROM customers c JOIN scopes s ON s.scope_key = c.scope_key
    WHERE c.customer_key IN (SELECT unnest(?::BIGINT[])) AND {_IS_SUBSCRIBER} ORDER BY c.customer_key"""

Keys = npt.NDArray[np.int64]


def stored_usage_of_subscribers(cursor: duckdb.DuckDBPyConnection) -> tuple[Keys, Keys]:
    """Return the keys of customers that ever had a subscription, and how many events each of them has."""
    found = cursor.execute(_STORED_USAGE).fetchnumpy()
    return np.asarray(found["customer_key"], np.int64), np.asarray(found["events"], np.int64)


def subscribers_of(cursor: duckdb.DuckDBPyConnection, customer_keys: Sequence[int]) -> list[tuple[Scope, str]]:
    """Return which of these customers ever had a subscription."""
    if not customer_keys:
        return []
    found = cursor.execute(_SUBSCRIBERS, [list(customer_keys)]).fetchall()
    return [(Scope(tenant, environment), customer_id) for tenant, environment, customer_id in found]


def load_subscribers(cursor: duckdb.DuckDBPyConnection, subscribers: Subscribers) -> None:
    """Add all that is stored about subscriptions."""
    for scope_key, name, position, effective_at, kind, fields in cursor.execute(_SUBSCRIPTIONS).fetchall():
        subscribers.add_fact(scope_key, name, position, aware(effective_at), kind, msgspec.json.decode(fields))
    for scope_key, customer_id, effective_at in cursor.execute(_DELETIONS).fetchall():
        subscribers.add_deletion(scope_key, customer_id, aware(effective_at))
