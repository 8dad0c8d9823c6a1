"""Customers as a reading knows them."""

from __future__ import annotations

from api.dialects.lago.error_shapes import not_found
from api.http.reading import Reading
from domain.scope import Scope
from projections.views.customers import CustomerHistory, customer_history


def customer_then(asked: Reading, scope: Scope, external_id: str) -> CustomerHistory | None:
    """The customer, created or known by its usage; None when it does not exist then."""
    record = asked.snapshot.customer(scope, external_id)
    history = None if record is None else customer_history(record, asked.now)
    return history if history is not None and history.exists else None


def existing_customer(asked: Reading, scope: Scope, external_id: str) -> CustomerHistory:
    """The customer; 404 `customer_not_found` when it does not exist then."""
    found = customer_then(asked, scope, external_id)
    if found is None:
        raise not_found("customer")
    return found
