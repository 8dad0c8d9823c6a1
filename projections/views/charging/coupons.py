"""Coupons, and what customers have applied of them, as a snapshot knows them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from domain.coupons.application_events import COUPON_APPLIED
from domain.coupons.events import COUPON_DELETED
from domain.coupons.taking_off import InForce, Left, Terms, left_at_first, stored_terms
from domain.customers.events import CUSTOMER_DELETED
from domain.facts.in_effect import existing_at
from domain.scope import Scope
from projections.queries.facts import Fact
from projections.queries.snapshot import PAGE_ROWS_MAX, Snapshot
from projections.views.meters import NO_FIELDS

Status = Literal["pending", "active", "terminated"]
#: Customers whose applied coupons are read at once for a page.
CUSTOMERS_READ_MAX: Final = 50


class CouponView(msgspec.Struct, frozen=True):
    """A coupon at an instant."""

    code: str
    name: str | None
    description: str | None
    terms: Terms
    expires_at: datetime | None
    reusable: bool
    created_at: datetime
    updated_at: datetime
    dialect_fields: Mapping[str, Any] = NO_FIELDS


class AppliedCoupon(msgspec.Struct, frozen=True):
    """A coupon that a customer has applied, by the fact at log position `position`.

    `end`: when it was terminated, or its coupon or customer deleted; None while none of this is known. `left`: what it
    can take off after the bills until now, `used_up_at` the end of the one that took the last of it.
    `customer_deleted_at`: when the life of the customer that has applied it ended.
    """

    customer_id: str
    number: int
    coupon: str
    terms: Terms
    since: datetime
    position: int
    end: datetime | None
    left: Left
    used_up_at: datetime | None = None
    customer_deleted_at: datetime | None = None

    def is_of_present_life(self, now: datetime) -> bool:
        """Whether the customer has not been deleted since it was applied; who owns the id after that has not it."""
        return self.customer_deleted_at is None or now < self.customer_deleted_at

    def status(self, now: datetime) -> Status:
        """What it is at `now`."""
        if now < self.since:
            return "pending"
        return "active" if self.ended_at is None or now < self.ended_at else "terminated"

    @property
    def ended_at(self) -> datetime | None:
        """When it ended or was used up, whichever came first."""
        return min((end for end in (self.end, self.used_up_at) if end is not None), default=None)

    @property
    def in_force(self) -> InForce:
        """It as bills see it."""
        return InForce(self.number, self.terms, self.since, self.end)


def coupon_view(code: str, facts: Sequence[Fact], now: datetime, *, reaching_back: bool = False) -> CouponView | None:
    """The coupon at `now`; None when it does not exist then. `reaching_back`: as it is created, if it is not yet."""
    state = existing_at(facts, now, reaching_back=reaching_back)
    if state is None:
        return None
    fields = state.fields
    expires_at = fields.get("expires_at")
    return CouponView(
        code=code,
        name=fields.get("name"),
        description=fields.get("description"),
        terms=stored_terms(fields),
        expires_at=None if expires_at is None else datetime.fromisoformat(expires_at),
        reusable=fields.get("reusable", True),
        created_at=state.created_at,
        updated_at=state.since,
        dialect_fields=fields.get("dialect_fields", NO_FIELDS),
    )


def applied_coupons(snapshot: Snapshot, scope: Scope, customer_ids: Sequence[str]) -> dict[str, list[AppliedCoupon]]:
    """The coupons that each of at most `PAGE_ROWS_MAX` customers ever applied, by number, before any bill."""
    facts = snapshot.facts_named(scope, "applied_coupon", customer_ids)
    found = {name: list(_applied(name, facts.get(name, ()))) for name in customer_ids}
    deletions = _deletions_of_customers(snapshot, scope, sorted(facts))
    of_coupons = _deletions_of_coupons(snapshot, scope, {one.coupon for applied in found.values() for one in applied})
    return {
        name: [_ended(one, deletions.get(name, ()), of_coupons.get(one.coupon, ())) for one in applied]
        for name, applied in found.items()
    }


def numbered(applied: Iterable[AppliedCoupon]) -> dict[int, AppliedCoupon]:
    """The applied coupons of one customer by number."""
    return {one.number: one for one in applied}


def applied_rows(
    snapshot: Snapshot, scope: Scope, customer_id: str | None, after: tuple[str, int] | None, limit: int
) -> list[AppliedCoupon]:
    """A page of applied coupons by customer, then number, of all customers or of one; `after`: the last one before."""
    rows: list[AppliedCoupon] = []
    last_id, last_number = after or ("", 0)
    ids = [last_id if customer_id is None else customer_id]
    while ids and len(rows) < limit:
        applied = applied_coupons(snapshot, scope, ids)
        every = (one for name in ids for one in applied[name])
        rows += [one for one in every if after is None or (one.customer_id, one.number) > (last_id, last_number)]
        ids = [] if customer_id is not None else snapshot.ids(scope, "applied_coupon", ids[-1], CUSTOMERS_READ_MAX)
    return rows[:limit]


def _applied(customer_id: str, facts: Sequence[Fact]) -> Iterator[AppliedCoupon]:
    """The applied coupons of a customer by number, each until it was terminated; at once, if it was before it began."""
    by_number: dict[int, list[Fact]] = {}
    for fact in facts:
        by_number.setdefault(fact.fields["number"], []).append(fact)
    for number, of_one in sorted(by_number.items()):
        applied = next((fact for fact in of_one if fact.kind == COUPON_APPLIED), None)
        if applied is not None:
            since, terms = applied.effective_at, stored_terms(applied.fields)
            end = min((fact.effective_at for fact in of_one if fact.kind != COUPON_APPLIED), default=None)
            until = None if end is None else max(since, end)
            yield AppliedCoupon(
                customer_id,
                number,
                applied.fields["coupon"],
                terms,
                since,
                applied.position,
                until,
                left_at_first(terms),
            )


def _deletions_of_customers(snapshot: Snapshot, scope: Scope, ids: Sequence[str]) -> dict[str, list[Fact]]:
    """The deletions of customers, by id."""
    records = {name: snapshot.customer(scope, name) for name in snapshot.customer_deletions(scope, ids)}
    return {
        name: [fact for fact in record.facts if fact.kind == CUSTOMER_DELETED]
        for name, record in records.items()
        if record is not None
    }


def _deletions_of_coupons(snapshot: Snapshot, scope: Scope, codes: Collection[str]) -> dict[str, list[Fact]]:
    """The deletions of coupons, by code."""
    named, facts = sorted(codes), dict[str, tuple[Fact, ...]]()
    for first in range(0, len(named), PAGE_ROWS_MAX):
        facts |= snapshot.facts_named(scope, "coupon", named[first : first + PAGE_ROWS_MAX])
    return {code: [fact for fact in of_one if fact.kind == COUPON_DELETED] for code, of_one in facts.items()}


def _ended(one: AppliedCoupon, of_customer: Sequence[Fact], of_coupon: Sequence[Fact]) -> AppliedCoupon:
    """It with its end: a deletion of its coupon or customer, if it did not end before.

    A deletion from before it began ends what was known of by then; what is applied later is of the next life.
    """
    customer_deleted_at, coupon_deleted_at = _first_after(one, of_customer), _first_after(one, of_coupon)
    ends = [max(at, one.since) for at in (customer_deleted_at, coupon_deleted_at) if at is not None]
    if one.end is not None:
        ends.append(one.end)
    return msgspec.structs.replace(one, end=min(ends, default=None), customer_deleted_at=customer_deleted_at)


def _first_after(one: AppliedCoupon, deletions: Sequence[Fact]) -> datetime | None:
    """When the first deletion that ends it takes effect."""
    of_life = (fact for fact in deletions if fact.effective_at > one.since or fact.position > one.position)
    return min((fact.effective_at for fact in of_life), default=None)
