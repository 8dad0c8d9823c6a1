"""Steps about customers: facts with any effective time, deletions and new lives."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.engine_fixtures import JsonObject, customer_path
from tests.laws.machine.facts import CustomerDeleted, CustomerSaid
from tests.laws.machine.steps import BACK, CUSTOMERS, Steps, one_of

FIELDS: Final = st.fixed_dictionaries(
    {},
    optional={
        "markup": one_of(None, Decimal("12.5"), Decimal(-50), Decimal("33.3333")),
        "total_limit": one_of(None, Decimal("0"), Decimal("3")),
        "period_limit": one_of(None, Decimal("2")),
        "duration": one_of("1mo", None),
    },
).filter(bool)


class CustomerSteps(Steps):
    @rule(customer=one_of(*CUSTOMERS), fields=FIELDS, zone=one_of(None, "America/New_York"), back=BACK)
    def create(self, customer: str, fields: dict[str, Any], zone: str | None, back: timedelta) -> None:
        """A creation clears nothing: what is null in it is not named."""
        at = min(self.now - back, self.now)
        body = {"id": customer, **as_json(fields), "effective_at": at.isoformat()}
        body |= {} if zone is None else {"time_zone": zone}
        if self.known.is_created(customer):
            self.office.api.refused("POST", "/v1/customers", 409, body)
        elif self.is_too_early(customer, at):
            self.office.api.refused("POST", "/v1/customers", 422, body)
        else:
            self.post("/v1/customers", body, 201)
            fields = {name: value for name, value in {**fields, "zone": zone}.items() if value is not None}
            self.note(CustomerSaid, customer=customer, effective_at=at, fields=fields, is_creation=True)

    @rule(customer=one_of(*CUSTOMERS), fields=FIELDS, back=BACK)
    def update(self, customer: str, fields: dict[str, Any], back: timedelta) -> None:
        at = self.now - back
        body = {**as_json(fields), "effective_at": at.isoformat()}
        self.say("PATCH", customer, customer_path(customer), body, fields, at)

    @rule(customer=one_of(*CUSTOMERS), blocked=one_of(True, False), back=BACK)
    def block(self, customer: str, blocked: bool, back: timedelta) -> None:
        at, path = self.now - back, customer_path(customer, "/block" if blocked else "/unblock")
        self.say("POST", customer, path, {"effective_at": at.isoformat()}, {"blocked": blocked}, at)

    def say(
        self, method: str, customer: str, path: str, body: JsonObject, fields: dict[str, Any], at: datetime
    ) -> None:
        if not self.known.exists(customer):
            self.office.api.refused(method, path, 404, body)
        elif self.is_too_early(customer, at):
            self.office.api.refused(method, path, 422, body)
        else:
            media_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
            self.office.api.send(method, path, 200, {"Content-Type": media_type}, json=body)
            self.note(CustomerSaid, customer=customer, effective_at=at, fields=fields)

    def is_too_early(self, customer: str, at: datetime) -> bool:
        return any(at < one.at for one in self.known.deletions(customer))

    @rule(customer=one_of(*CUSTOMERS))
    def delete(self, customer: str) -> None:
        path = customer_path(customer)
        if not self.known.exists(customer):
            self.office.api.send("DELETE", path, 404)
        else:
            self.office.api.delete(path)
            self.note(CustomerDeleted, customer=customer)


def as_json(fields: dict[str, Any]) -> JsonObject:
    """The members of a customer's body."""
    names = {"total_limit": "total_limit_usd", "period_limit": "period_limit_usd", "duration": "duration"}
    text = {name: str(value) if isinstance(value, Decimal) else value for name, value in fields.items()}
    body: JsonObject = {"markup_percentage": text["markup"]} if "markup" in text else {}
    budget = {names[name]: value for name, value in text.items() if name in names}
    return body | ({"budget": budget} if budget else {})
