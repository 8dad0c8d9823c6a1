"""An amended event equals the same event sent amended in the first place, and is known when it is sent so later."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.laws.laboratory import CUSTOMERS, MODELS, JsonObject, Laboratory, Tenant, examples, times, usage_events

NEW_PRICE = {"provider": "acme", "model": "unpriced", "unit_prices": {"input": "1", "output": "3"}}
#: Members that both types of events may have, or one of them; null removes a member.
MEMBERS: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from((*MODELS, None)),
    "input_tokens": st.integers(0, 10**9),
    "cached_input_tokens": st.sampled_from((None, 0, 1)),
    "output_tokens": st.sampled_from((None, 0, 10**6)),
    "web_searches": st.sampled_from((None, 0, 5)),
    "units": st.sampled_from(({"own": None}, {"own": 2.5}, {"other": 1, "own": 0})),
    "cost_usd": st.sampled_from((None, 1, "0.10", "0.000000000001")),
    "status": st.sampled_from(("failed", "pending", "succeeded", None, "lost")),
    "tags": st.sampled_from((None, [], ["a", "b"])),
    "bytes": st.sampled_from((None, -3, 7)),
    "kind": st.sampled_from("xyz"),
    "parent_request": st.sampled_from((None, "root")),
}


@st.composite
def patches(draw: st.DrawFn) -> JsonObject:
    patch: JsonObject = {"data": draw(st.fixed_dictionaries({}, optional=MEMBERS))}
    if draw(st.integers(0, 2)) == 0:
        patch["customer"] = draw(st.sampled_from((*CUSTOMERS, "new")))
    if draw(st.integers(0, 2)) == 0:
        patch["time"] = draw(times())
    return patch


def amended(event: JsonObject, patch: JsonObject) -> JsonObject:
    """The event as its producer would have sent it amended."""
    named = {name: patch[given] for given, name in (("customer", "subject"), ("time", "time")) if given in patch}
    data = event["data"] | patch["data"]
    if "units" in patch["data"]:
        data["units"] = event["data"].get("units", {}) | patch["data"]["units"]
        data["units"] = {unit: quantity for unit, quantity in data["units"].items() if quantity is not None} or None
    return event | named | {"data": {name: value for name, value in data.items() if value is not None}}


def correct(tenant: Tenant, verb: str, event: JsonObject, status: int | None = 200, **given: Any) -> int:
    body = {"source": event["source"], "id": event["id"], **given}
    answered: int = tenant.api.send("POST", f"/v1/events/{verb}", status, json=body).status_code
    return answered


@examples(10)
@given(
    events=usage_events(at_most=6),
    given_patches=st.lists(st.tuples(st.integers(0, 5), patches()), min_size=1, max_size=6),
    voided=st.sets(st.integers(0, 5)),
    price_between=st.booleans(),
)
def test_an_amended_event_equals_the_same_event_sent_in_the_first_place(
    laboratory: Laboratory,
    events: list[JsonObject],
    given_patches: list[tuple[int, JsonObject]],
    voided: set[int],
    price_between: bool,
) -> None:
    events = [event for event in events if not event["time"].startswith("9999")]
    corrected, refusing, sent = laboratory.tenant(), laboratory.tenant(), laboratory.tenant()
    corrected.deliver(events)
    was_voided = [event for number, event in enumerate(events) if number in voided]
    for event in was_voided:
        correct(corrected, "void", event)
    known = [[event] for event in events]
    for which, patch in given_patches:
        if which >= len(events):
            continue
        wanted = amended(known[which][-1], patch)
        if correct(corrected, "amend", wanted, None, **patch) == 200:
            known[which].append(wanted)
        else:
            assert refusing.deliver([wanted])["counts"]["rejected"] == 1
    for event in was_voided:
        correct(corrected, "unvoid", event)
    last = [versions[-1] for versions in known]
    assert sent.deliver(last)["counts"]["counted"] == len(events)
    if price_between:
        for tenant in (corrected, sent):
            tenant.api.post("/v1/prices", NEW_PRICE)
    assert corrected.amounts() == sent.amounts()
    assert corrected.standing() == sent.standing()

    again = [event for versions in known for event in versions]
    assert corrected.deliver(again)["counts"] == {
        "counted": 0,
        "duplicate": len(again),
        "conflict": 0,
        "rejected": 0,
    }
    others = [event | {"extension": "other"} for event in last]
    assert corrected.deliver(others)["counts"]["conflict"] == len(others)
    assert corrected.amounts() == sent.amounts()
