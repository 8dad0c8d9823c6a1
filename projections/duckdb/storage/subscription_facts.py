"""Everything that tells the customers of subscriptions, read from the tables of facts and customers."""

from __future__ import annotations

from typing import Final

import duckdb
import msgspec

from domain.customers.events import CUSTOMER_DELETED
from domain.values.instants import aware
from projections.attribution.subscribers import Subscribers

_SUBSCRIPTIONS: Final = """SELECT scope_key, id, position, effective_at, kind, fields FROM facts
    WHERE subject = 'subscription' ORDER BY position"""
#: Of all customers: one without subscriptions may be given one later that began before the deletion.
_DELETIONS: Final = f"""SELECT c.scope_key, c.customer_id, f.effective_at
    FROM facts f JOIN customers c ON c.customer_key = f.customer_key
    WHERE f.kind = '{CUSTOMER_DELETED}' ORDER BY f.position"""


def load_subscribers(cursor: duckdb.DuckDBPyConnection, subscribers: Subscribers) -> None:
    """Add all that is stored about subscriptions."""
    for scope_key, name, position, effective_at, kind, fields in cursor.execute(_SUBSCRIPTIONS).fetchall():
        subscribers.add_fact(scope_key, name, position, aware(effective_at), kind, msgspec.json.decode(fields))
    for scope_key, customer_id, effective_at in cursor.execute(_DELETIONS).fetchall():
        subscribers.add_deletion(scope_key, customer_id, aware(effective_at))
