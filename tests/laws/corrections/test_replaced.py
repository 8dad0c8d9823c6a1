"""A wrong import that is replaced by the right one leaves what the right one alone would have left."""

from __future__ import annotations

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from tests.laws.corrections.test_by_filter import CUSTOMERS, MODELS, at, shown, told, usage
from tests.laws.laboratory import JsonObject, Laboratory, Tenant, examples

BATCH: Final = {"Content-Type": "application/cloudevents-batch+json"}


@st.composite
def wrong(draw: st.DrawFn, right: JsonObject) -> JsonObject:
    """The event with something else that a wrong map would have made of it."""
    data = dict(right["data"])
    kind = draw(st.sampled_from(("same", "customer", "time", "model", "tokens", "cost", "tags", "parent")))
    changes: JsonObject = {
        "customer": {"subject": draw(st.sampled_from(CUSTOMERS))},
        "time": {"time": at(draw(st.integers(-70, 0)))},
    }.get(kind, {})
    if right["type"] == "llm.request":
        changed: dict[str, JsonObject] = {
            "model": {"model": draw(st.sampled_from(MODELS))},
            "tokens": {"input_tokens": draw(st.integers(0, 999)), "web_searches": draw(st.integers(0, 1))},
            "cost": {"cost_usd": draw(st.sampled_from(("0", "0.000000000001", "4")))},
            "tags": {"tags": draw(st.sampled_from((["test"], ["prod"])))},
            "parent": {"parent_request": "1"},
        }
        data |= changed.get(kind, {})
    elif kind != "same":
        data["bytes"] = draw(st.integers(1, 9))
    return right | changes | {"data": data}


def without_history(tenant: Tenant) -> list[object]:
    """All numbers, without what tells of deliveries: when and where an event came first."""
    return [one for one in shown(tenant) if "events" not in one]


@examples(8)
@given(data=st.data())
def test_a_replaced_import_equals_the_right_one(laboratory: Laboratory, data: st.DataObject) -> None:
    right = [data.draw(usage(number)) for number in range(data.draw(st.integers(6, 12)))]
    first = [data.draw(wrong(event)) for event in right[: data.draw(st.integers(2, len(right)))]]
    once, twice = laboratory.tenant(), laboratory.tenant()
    for tenant in (once, twice):
        tenant.api.post(
            "/v1/prices", {"model": "own", "provider": "acme", "unit_prices": {"input": "7", "output": "1"}}
        )
    told(once, [], right)
    told(twice, [], first)
    known_at = twice.api.get("/v1/corrections")["position"]
    path = f"/v1/events/replace?known_at={known_at}"
    answer = twice.api.send("POST", path, 200, BATCH, json=right).json()
    assert answer["counts"]["amended"] == sum(a != b for a, b in zip(first, right, strict=False))
    assert without_history(twice) == without_history(once)
    assert twice.standing() == once.standing()
    for events in (first, right):
        assert twice.deliver(events)["counts"]["duplicate"] == len(events)
    assert twice.api.send("POST", path, 200, BATCH, json=right).json()["counts"]["amended"] == 0
