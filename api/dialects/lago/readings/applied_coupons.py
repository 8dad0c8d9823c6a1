"""The coupons that customers have applied, as a reading knows them: in Lago's order, and with what stands around."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import cache

from api.dialects.lago.lago_ids import lago_id
from api.dialects.lago.views.coupons import AroundApplied, applied_coupon_lago_id, applied_coupon_object
from api.dialects.lago.views.customers import customer_lago_id
from api.http.reading import Reading
from domain.coupons.events import COUPON_DELETED
from domain.scope import Scope
from domain.values.periods import MICROSECOND
from projections.queries.snapshot import PAGE_ROWS_MAX
from projections.views.charging.coupon_amounts import applied_after_bills
from projections.views.charging.coupons import AppliedCoupon, applied_coupons, coupon_view, numbered
from projections.views.customers import CustomerHistory, customer_history

Object = dict[str, object]


class AppliedCoupons:
    """What a reading knows of the coupons of customers; what is asked for again is read once."""

    def __init__(self, asked: Reading, scope: Scope) -> None:
        self._asked = asked
        self._scope = scope
        self._after_bills: Callable[[str], dict[int, AppliedCoupon]] = cache(self._read_after_bills)
        self._facts_of_coupon = cache(lambda code: asked.snapshot.facts(scope, "coupon", code))

    def of_life(self, history: CustomerHistory) -> list[AppliedCoupon]:
        """Those of the present life of a customer, by number, with what is left of them."""
        return self._of_present_life(self._after_bills(history.record.customer_id).values())

    def page(
        self, customer_id: str | None, codes: Collection[str], status: str | None, offset: int, limit: int
    ) -> tuple[int, list[AppliedCoupon]]:
        """How many there are of all customers or of one, and some of them, the last applied first.

        Those of a customer that was deleted are not among them, whoever has its id now.
        With a status all of them are looked at with what is left of them, else those of the page.
        """
        found = [one for one in self._every(customer_id) if not codes or one.coupon in codes]
        if status is not None:
            known = (self._after_bills(one.customer_id)[one.number] for one in found)
            found = [one for one in known if (one.status(self._asked.now) == "terminated") == (status == "terminated")]
        found.sort(key=lambda one: (one.since, one.customer_id, one.number), reverse=True)
        shown = found[offset : offset + limit]
        return len(found), [self._after_bills(one.customer_id)[one.number] for one in shown]

    def shown(self, one: AppliedCoupon) -> Object:
        """The JSON object of one."""
        return applied_coupon_object(self._scope, one, self._around(one), self._asked.now)

    def named(self, history: CustomerHistory, applied_id: str) -> AppliedCoupon | None:
        """The one of a customer with this `lago_id`."""
        of_life, lowered = self.of_life(history), applied_id.lower()  # a UUID does not depend on case
        return next((one for one in of_life if applied_coupon_lago_id(self._scope, one) == lowered), None)

    def _every(self, customer_id: str | None) -> list[AppliedCoupon]:
        if customer_id is not None:
            applied = applied_coupons(self._asked.snapshot, self._scope, [customer_id])
            return self._of_present_life(applied[customer_id])
        found: list[AppliedCoupon] = []
        after = None
        while ids := self._asked.snapshot.ids(self._scope, "applied_coupon", after, PAGE_ROWS_MAX):
            applied = applied_coupons(self._asked.snapshot, self._scope, ids)
            found += self._of_present_life(one for name in ids for one in applied[name])
            after = ids[-1]
        return found

    def _of_present_life(self, applied: Iterable[AppliedCoupon]) -> list[AppliedCoupon]:
        return [one for one in applied if one.is_of_present_life(self._asked.now)]

    def _read_after_bills(self, customer_id: str) -> dict[int, AppliedCoupon]:
        return numbered(applied_after_bills(self._asked.snapshot, self._scope, customer_id, self._asked.now))

    def _around(self, one: AppliedCoupon) -> AroundApplied:
        now, facts = self._asked.now, self._facts_of_coupon(one.coupon)
        of_life = (fact for fact in facts if fact.effective_at > one.since or fact.position > one.position)
        deletions = (fact.effective_at for fact in of_life if fact.kind == COUPON_DELETED)
        deleted_at = min((at for at in deletions if at <= now), default=None)
        shown_at = now if deleted_at is None else deleted_at - MICROSECOND
        coupon = coupon_view(one.coupon, facts, shown_at, reaching_back=True)
        return AroundApplied(coupon, deleted_at, self._customer_id(one))

    def _customer_id(self, one: AppliedCoupon) -> str:
        record = self._asked.snapshot.customer(self._scope, one.customer_id)
        if record is None:
            return lago_id(self._scope, "customer", one.customer_id)
        return customer_lago_id(self._scope, customer_history(record, self._asked.now))
