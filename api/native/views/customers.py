"""Customers and their history as the native API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from api.http.problems import found_or_404
from api.native.models.customers import (
    CustomerBudgetView,
    CustomerView,
    FactView,
    PaymentProviderView,
    UsagePeriodView,
)
from api.native.views.stored_fields import decimal_of, instant_in
from domain.scope import Scope
from projections.queries.customers import CustomerRecord
from projections.queries.snapshot import PAGE_ROWS_MAX, Snapshot
from projections.views import customers
from projections.views.history_entries import HistoryEntry
from projections.views.periods import USAGE_DURATION_DEFAULT

#: How many pages of the store may be read to fill one page of the answer, past deleted customers.
LISTED_ROUNDS_MAX: Final = 10
ALIGNMENT_DEFAULT: Final = "calendar"


def customer_at(snapshot: Snapshot, scope: Scope, customer_id: str, now: datetime) -> customers.CustomerView | None:
    """Derive the customer from its facts and usage; None when no such customer exists now."""
    record = snapshot.customer(scope, customer_id)
    view = None if record is None else customers.customer_view(record, now)
    return view if view is not None and view.exists else None


def customer_or_404(snapshot: Snapshot, scope: Scope, customer_id: str, now: datetime) -> CustomerView:
    """The customer as it is now; `Problem` 404 when it does not exist."""
    view = found_or_404(customer_at(snapshot, scope, customer_id, now), "customer", customer_id)
    return customer_document(view, snapshot.point().position, now)


def living_customers(
    snapshot: Snapshot, scope: Scope, after: str | None, limit: int, prefix: str | None, now: datetime
) -> tuple[list[CustomerView], str | None]:
    """Return up to `limit` customers that exist, ordered by id, and the id after which the next page begins.

    The page may be short and still have a next one, when many deleted customers lie between.
    """
    position, shown = snapshot.point().position, list[CustomerView]()
    for _ in range(LISTED_ROUNDS_MAX):
        records: list[CustomerRecord] = snapshot.customers(scope, after, PAGE_ROWS_MAX, prefix)
        for record in records:
            if len(shown) == limit:
                return shown, after
            after = record.customer_id
            view = customers.customer_view(record, now)
            if view.exists:
                shown.append(customer_document(view, position, now))
        if len(records) < PAGE_ROWS_MAX:
            return shown, None
    return shown, after


def customer_document(view: customers.CustomerView, position: int, now: datetime) -> CustomerView:
    """Convert a derived customer to its response."""
    fields = view.fields
    return CustomerView(
        position=position,
        now=now,
        id=view.customer_id,
        created_at=view.created_at,
        first_seen_at=view.first_seen_at,
        origin=view.origin,
        active=view.active,
        blocked=view.blocked,
        life=view.life.number,
        name=fields.get("name"),
        email=fields.get("email"),
        metadata=fields.get("metadata") or {},
        currency=view.currency,
        time_zone=view.time_zone,
        group_identifier=fields.get("group_identifier"),
        allowed_region=fields.get("allowed_region"),
        default_model=fields.get("default_model"),
        markup_percentage=view.markup_percentage,
        opening_spend_usd=decimal_of(fields, "opening_spend_usd"),
        payment_provider=PaymentProviderView(
            name=fields.get("payment_provider_name"), customer_id=fields.get("payment_provider_customer_id")
        ),
        usage_period=UsagePeriodView(
            duration=fields.get("usage_duration", USAGE_DURATION_DEFAULT),
            alignment=fields.get("usage_alignment", ALIGNMENT_DEFAULT),
            anchor=instant_in(fields, "usage_anchor"),
        ),
        budget=_budget(view),
    )


def _budget(view: customers.CustomerView) -> CustomerBudgetView:
    """The limits set on the customer itself; /budget shows those in effect, with its tier's."""
    fields = view.fields
    return CustomerBudgetView(
        budget_id=view.budget_id,
        period_limit_usd=decimal_of(fields, "period_limit_usd"),
        total_limit_usd=decimal_of(fields, "total_limit_usd"),
        soft_limit_usd=decimal_of(fields, "soft_limit_usd"),
        model_limits=fields.get("model_limits") or {},
        duration=fields.get("budget_duration"),
        alignment=fields.get("budget_alignment"),
        anchor=instant_in(fields, "budget_anchor"),
        period_start=instant_in(fields, "period_start"),
        period_end=instant_in(fields, "period_end"),
        requests_per_minute=fields.get("requests_per_minute"),
        tokens_per_minute=fields.get("tokens_per_minute"),
        parallel_requests_max=fields.get("parallel_requests_max"),
    )


def fact_document(entry: HistoryEntry) -> FactView:
    """Convert an entry of a customer's history to its response."""
    return FactView(
        kind=entry.kind,
        position=entry.position,
        effective_at=entry.effective_at,
        recorded_at=entry.recorded_at,
        fields=dict(entry.fields),
        patched=list(entry.patched),
        actor=entry.actor,
        dialect=entry.dialect,
        reason=entry.reason,
        derived=entry.derived,
    )
