"""Shared means of the laws: fresh tenants, strategies for small usage, and all totals of a tenant."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count, pairwise
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from consumers.embedded.engine import EmbeddedEngine
from domain.scope import Scope
from tests.engine_fixtures import NOON, Api, SettableClock, key_for

JsonObject = dict[str, Any]

#: How many times as many examples as usual are tried.
EXAMPLES_TIMES = int(os.environ.get("TEST_EXAMPLES_TIMES", "1"))

CUSTOMERS = ("ann", "bob", "c/ç")
MODELS = ("swift", "unpriced")
FROM, TO = "2025-05-25T00:00:00.000000Z", "2025-06-02T00:00:00.000000Z"
METER_CODES = ("disk_latest", "disk_max", "disk_sum", "disk_kinds")


def examples(usual: int) -> settings:
    """Settings of a law: so many examples, each as long as it takes, on one engine."""
    return settings(
        deadline=None,
        max_examples=usual * EXAMPLES_TIMES,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@dataclass
class Laboratory:
    """A real engine that makes fresh tenants."""

    engine: EmbeddedEngine
    api: Api
    clock: SettableClock
    _tenants: Any = field(default_factory=count)

    def tenant(self) -> Tenant:
        """A tenant with a price, a markup and meters, and no usage."""
        scope = Scope(f"tenant-{next(self._tenants)}", "prod")
        tenant = Tenant(scope, replace(self.api, key=key_for(self.engine, scope)))
        tenant.api.post(
            "/v1/prices", {"provider": "acme", "model": "swift", "unit_prices": {"input": "0.3", "output": "2"}}
        )
        tenant.api.post(
            "/v1/customers",
            {"id": "ann", "markup_percentage": "12.5", "effective_at": (NOON - timedelta(days=3)).isoformat()},
        )
        for code, aggregation, value in (
            ("disk_latest", "latest", "bytes"),
            ("disk_max", "max", "bytes"),
            ("disk_sum", "sum", "bytes"),
            ("disk_kinds", "unique_count", "kind"),
        ):
            meter = {"code": code, "event_type": "disk.sampled", "aggregation": aggregation, "value_property": value}
            tenant.api.post("/v1/meters", meter)
        return tenant


@dataclass(frozen=True)
class Tenant:
    scope: Scope
    api: Api

    def deliver(self, events: Sequence[JsonObject]) -> JsonObject:
        """The receipt of one batch; an empty one is not sent."""
        if not events:
            return {"counts": {"counted": 0, "duplicate": 0, "conflict": 0, "rejected": 0}, "outcomes": []}
        answer: JsonObject = self.api.deliver(list(events))
        return answer

    def sums(self, start: str = FROM, end: str = TO, **more: str) -> list[JsonObject]:
        """Sums of all customers in [start, end)."""
        asked = {"from": start, "to": end, "timezone": "UTC", **more}
        rows: list[JsonObject] = self.api.get("/v1/usage", **asked)["data"]
        return rows

    def amounts(self) -> JsonObject:
        """All totals of this tenant's usage, independent of the order of arrival."""
        customers = [customer["id"] for customer in self.api.pages("/v1/customers")]
        return {
            "sums": self.sums(group_by="customer,model,status", window="hour"),
            "meters": {code: self.sums(meter=code, group_by="customer") for code in METER_CODES},
            "customers": customers,
        }

    def standing(self) -> list[JsonObject]:
        """Every counted event with its content, by identity, without position and recorded time."""
        events = self.api.pages("/v1/events", limit=1000)
        arrival = ("position", "recorded_at")
        plain = [{name: value for name, value in event.items() if name not in arrival} for event in events]
        return sorted(plain, key=lambda event: (event["source"], event["id"]))


def times() -> st.SearchStrategy[str]:
    """Some days before noon, often the same instants."""
    minutes = st.one_of(st.sampled_from((0, 60, 720, 1440)), st.integers(0, 5 * 1440))
    return minutes.map(lambda back: (NOON - timedelta(minutes=back)).isoformat())


@st.composite
def request_data(draw: st.DrawFn) -> JsonObject:
    whole_input, whole_output = draw(st.integers(0, 10**9)), draw(st.integers(0, 10**6))
    data = {
        "provider": "acme",
        "model": draw(st.sampled_from(MODELS)),
        "input_tokens": whole_input,
        "cached_input_tokens": draw(st.integers(0, whole_input)),
        "output_tokens": whole_output,
        "status": draw(st.sampled_from(("succeeded", "failed"))),
    }
    if draw(st.integers(0, 2)) == 0:
        data |= {"web_searches": draw(st.integers(0, 3)), "units": {"own": draw(st.integers(0, 10**9)) / 4}}
    if draw(st.booleans()):
        data["cost_usd"] = str(draw(st.decimals(0, 1000, allow_nan=False, places=9)))
    return data


@st.composite
def usage_event(draw: st.DrawFn, identity: int) -> JsonObject:
    """One event with this identity: a request, a sample for a custom meter, or now and then a broken one."""
    of_request = draw(st.integers(0, 9)) < 7
    sample = {"bytes": draw(st.integers(-5, 5)), "kind": draw(st.sampled_from("xyz"))}
    event = {
        "specversion": "1.0",
        "id": f"event-{identity}",
        "source": f"gate/{identity % 2}",
        "type": "llm.request" if of_request else "disk.sampled",
        "subject": draw(st.sampled_from(CUSTOMERS)),
        "time": draw(times()),
        "data": draw(request_data()) if of_request else sample,
    }
    if draw(st.integers(0, 19)) == 0:
        event["time"] = "9999-01-01T00:00:00+00:00"
    return event


@st.composite
def usage_events(draw: st.DrawFn, at_most: int = 12) -> list[JsonObject]:
    """Events of different identities."""
    return [draw(usage_event(identity)) for identity in range(draw(st.integers(1, at_most)))]


@st.composite
def batches_of(draw: st.DrawFn, events: Sequence[JsonObject]) -> list[list[JsonObject]]:
    """The events in any order, cut anywhere into batches."""
    order = draw(st.permutations(list(events)))
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), max_size=4)))
    edges = [0, *cuts, len(order)]
    return [order[start:end] for start, end in pairwise(edges)]
