"""Law 5: void after usage = usage never sent, in every total; the identity stays taken and the log shows both."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.laws.laboratory import JsonObject, Laboratory, Tenant, examples, usage_events

NEW_PRICE = {"provider": "acme", "model": "unpriced", "unit_prices": {"input": "1", "output": "3"}}


def accepted(event: JsonObject) -> bool:
    return not event["time"].startswith("9999")


def correct(tenant: Tenant, kind: str, events: list[JsonObject]) -> None:
    for event in events:
        tenant.api.post(f"/v1/events/{kind}", {"source": event["source"], "id": event["id"]}, status=200)


def totals(tenant: Tenant) -> JsonObject:
    """All totals but the list of customers: a void does not undo that a customer was seen."""
    return {name: amounts for name, amounts in tenant.amounts().items() if name != "customers"}


@examples(10)
@given(data=st.data(), events=usage_events(), void_first=st.booleans(), price_between=st.booleans())
def test_a_void_equals_never_sent_and_a_restore_equals_sent(
    laboratory: Laboratory, data: st.DataObject, events: list[JsonObject], void_first: bool, price_between: bool
) -> None:
    voided = [event for event in events if accepted(event) and data.draw(st.booleans())]
    kept = [event for event in events if event not in voided]
    corrected, sparse, full = laboratory.tenant(), laboratory.tenant(), laboratory.tenant()
    if void_first:
        correct(corrected, "void", voided)
    corrected.deliver(events)
    if not void_first:
        correct(corrected, "void", voided)
    sparse.deliver(kept)
    full.deliver(events)
    if price_between:
        for tenant in (corrected, sparse, full):
            tenant.api.post("/v1/prices", NEW_PRICE)
    assert totals(corrected) == totals(sparse)
    assert corrected.standing() == sparse.standing()

    resent = corrected.deliver(voided)
    assert resent["counts"] == {"counted": 0, "duplicate": len(voided), "conflict": 0, "rejected": 0}
    shown = {
        (event["source"], event["id"]): event["voided"] for event in corrected.api.pages("/v1/events", voided="true")
    }
    assert shown == {(event["source"], event["id"]): event in voided for event in events if accepted(event)}

    correct(corrected, "unvoid", voided)
    assert totals(corrected) == totals(full)
    assert corrected.standing() == full.standing()
