"""Law 1: any order, batching and duplication of the same events gives equal amounts, outcomes and counted events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tests.laws.laboratory import JsonObject, Laboratory, Tenant, batches_of, examples, usage_event, usage_events


def counts_after(tenant: Tenant, batches: Sequence[Sequence[JsonObject]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for batch in batches:
        counts.update(tenant.deliver(batch)["counts"])
    return counts


@examples(10)
@given(data=st.data(), events=usage_events())
def test_order_batching_and_duplication_change_nothing(
    laboratory: Laboratory, data: st.DataObject, events: list[JsonObject]
) -> None:
    deliveries = [event for event in events for _ in range(data.draw(st.integers(1, 3)))]
    one, other = laboratory.tenant(), laboratory.tenant()
    counts = counts_after(one, data.draw(batches_of(deliveries)))
    assert counts_after(other, data.draw(batches_of(deliveries))) == counts
    assert other.amounts() == one.amounts()
    assert other.standing() == one.standing()
    assert counts.total() == len(deliveries)


@examples(10)
@given(data=st.data(), events=usage_events(8))
def test_duplication_adds_nothing(laboratory: Laboratory, data: st.DataObject, events: list[JsonObject]) -> None:
    once, often = laboratory.tenant(), laboratory.tenant()
    once.deliver(events)
    counts_after(often, data.draw(batches_of([*events, *events, *events])))
    assert often.amounts() == once.amounts()
    assert often.standing() == once.standing()


@examples(10)
@given(data=st.data())
def test_of_contradicting_events_the_first_in_the_log_stands(laboratory: Laboratory, data: st.DataObject) -> None:
    deliveries = [data.draw(usage_event(data.draw(st.integers(0, 2)))) for _ in range(data.draw(st.integers(1, 8)))]
    tenant, simple = laboratory.tenant(), laboratory.tenant()
    receipts = [tenant.deliver([event]) for event in deliveries]
    standing: dict[tuple[str, str], JsonObject] = {}
    for event, receipt in zip(deliveries, receipts, strict=True):
        identity = (event["source"], event["id"])
        outcome = "counted" if identity not in standing else "duplicate" if standing[identity] == event else "conflict"
        if event["time"].startswith("9999"):
            outcome = "rejected"
        assert receipt["counts"] == {**dict.fromkeys(receipt["counts"], 0), outcome: 1}
        if outcome == "counted":
            standing[identity] = event
    simple.deliver(list(standing.values()))
    assert tenant.amounts() == simple.amounts()
    assert tenant.standing() == simple.standing()
