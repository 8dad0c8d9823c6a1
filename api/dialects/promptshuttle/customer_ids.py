"""A customer by the id in a path: its internal id, else the id that producers use."""

from __future__ import annotations

from api.http.problems import Problem
from api.http.reading import Reading
from domain.customers.derived_id import is_derived_id
from domain.scope import Scope
from projections.queries.snapshot import Snapshot
from projections.views.customers import CustomerHistory, customer_history


def external_id_of(snapshot: Snapshot, scope: Scope, given: str) -> str:
    """Return the id that producers use of the customer that a client names."""
    found = snapshot.customer_of_derived_id(scope, given) if is_derived_id(given) else None
    return given if found is None else found


def existing_customer(asked: Reading, scope: Scope, given: str) -> CustomerHistory:
    """Return the customer that a client names, as it is then; `Problem` 404 when it does not exist."""
    record = asked.snapshot.customer(scope, external_id_of(asked.snapshot, scope, given))
    history = None if record is None else customer_history(record, asked.now)
    if history is None or not history.exists:
        raise Problem("not_found", f"customer {given!r} does not exist")
    return history
