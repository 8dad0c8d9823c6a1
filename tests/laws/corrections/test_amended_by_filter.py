"""An amendment by filter is what single amendments are; its preview is what it does, its revert undoes just that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from tests.engine_fixtures import JsonObject
from tests.laws.corrections.test_by_filter import (
    CUSTOMERS,
    MODELS,
    assert_preview_commit_and_revert_agree,
    committed,
    filters,
    histories,
    is_in,
    shown,
    told,
)
from tests.laws.laboratory import Laboratory, Tenant, examples

#: What may be set, so that a run changes some of the events of its filter and leaves others as they are.
MEMBERS: Final = {
    "model": st.sampled_from((*MODELS, "never seen")),
    "provider": st.sampled_from(("acme", "zen", "")),
    "customer": st.sampled_from(CUSTOMERS),
    "add_tags": st.sampled_from((["late"], ["test", "late"])),
    "remove_tags": st.just(["prod"]),
}


@st.composite
def members(draw: st.DrawFn, *names: str) -> JsonObject:
    """Some of these members, of which there is one at least."""
    chosen = draw(st.lists(st.sampled_from(names or tuple(MEMBERS)), min_size=1, max_size=3, unique=True))
    return {name: draw(MEMBERS[name]) for name in chosen}


def patch_of(event: JsonObject, given: JsonObject) -> JsonObject:
    """The single amendment that sets the same members of an event."""
    data: JsonObject = {}
    if event["type"] == "llm.request":
        data = {name: given[name] or None for name in ("model", "provider") if name in given}
    tags = [tag for tag in event["data"].get("tags", ()) if tag not in given.get("remove_tags", ())]
    tags += [tag for tag in given.get("add_tags", ()) if tag not in tags]
    if tags != event["data"].get("tags", []):
        data["tags"] = tags
    patch = {"source": event["source"], "id": event["id"], "data": data}
    return patch | ({"customer": given["customer"]} if "customer" in given else {})


def amend(tenant: Tenant, patch: JsonObject) -> None:
    if patch["data"] or "customer" in patch:
        tenant.api.post("/v1/events/amend", patch, 200)


def amended(event: JsonObject, patch: JsonObject) -> JsonObject:
    return event | {"data": event["data"] | patch["data"], "customer": patch.get("customer", event["customer"])}


@examples(8)
@given(data=st.data())
def test_an_amendment_by_filter_equals_single_amendments(laboratory: Laboratory, data: st.DataObject) -> None:
    by_filter, singly = laboratory.tenant(), laboratory.tenant()
    customers, sent = histories(data)
    for tenant in (by_filter, singly):
        told(tenant, customers, sent)
    events = [event | {"customer": event["subject"]} for event in sent]
    for name in ("first", "second"):
        asked, given_members = data.draw(filters()), data.draw(members())
        committed(by_filter, name, {"action": "amend", "set": given_members, **asked})
        for place, event in enumerate(events):
            if is_in(asked, event):
                patch = patch_of(event, given_members)
                amend(singly, patch)
                events[place] = amended(event, patch)
        assert shown(by_filter) == shown(singly)
    assert by_filter.deliver(sent)["counts"]["duplicate"] == len(sent)


@examples(8)
@given(data=st.data())
def test_a_preview_is_the_difference_that_its_commit_makes_and_its_revert_undoes(
    laboratory: Laboratory, data: st.DataObject
) -> None:
    tenant = laboratory.tenant()
    told(tenant, *histories(data))
    if data.draw(st.booleans()):
        committed(tenant, "before", {"action": "amend", "set": data.draw(members()), **data.draw(filters())})
    asked = {"action": "amend", "set": data.draw(members()), **data.draw(filters())}
    assert_preview_commit_and_revert_agree(tenant, asked)


@examples(10)
@given(data=st.data())
def test_a_revert_leaves_what_was_done_otherwise(laboratory: Laboratory, data: st.DataObject) -> None:
    """The same steps in two tenants, of which one has a run before them that is reverted after some of them."""
    with_run, without = laboratory.tenant(), laboratory.tenant()
    customers, sent = histories(data)
    for tenant in (with_run, without):
        told(tenant, customers, sent)
    asked = data.draw(filters())
    committed(with_run, "law", {"action": "amend", "set": data.draw(members()), **asked})
    steps = data.draw(st.lists(step(sent), max_size=5))
    reverted_after = data.draw(st.integers(0, len(steps)))
    for number, (kind, one) in enumerate(steps):
        if number == reverted_after:
            with_run.api.post("/v1/corrections/law/revert", None, 200)
        for tenant in (with_run, without):
            take(tenant, kind, one, f"step {number}")
    if reverted_after == len(steps):
        with_run.api.post("/v1/corrections/law/revert", None, 200)
    assert unordered(shown(with_run)) == unordered(shown(without))
    for number, (kind, _) in enumerate(steps):
        if kind == "amend by filter":
            for tenant in (with_run, without):
                tenant.api.post(f"/v1/corrections/step {number}/revert", None, 200)
    assert unordered(shown(with_run)) == unordered(shown(without))


def unordered(answers: list[Any]) -> list[Any]:
    """The answers with the tags of each event sorted: one that is put back stands behind those added since."""
    return [
        one | {"events": [event | {"tags": sorted(event["tags"])} for event in one["events"]]}
        if "events" in one
        else one
        for one in answers
    ]


def step(sent: Sequence[JsonObject]) -> st.SearchStrategy[tuple[str, Any]]:
    """A correction that is about the same events with the run and without: no filter asks what the run may set.

    A single amendment sets a model that no run sets, since one that changes nothing is not stored.
    """
    events = st.sampled_from([one for one in sent if one["type"] == "llm.request"] or sent)
    patches = st.sampled_from(({"input_tokens": 7}, {"model": "own 2"}, {"cost_usd": "3"}, {"status": "failed"}))
    of_source = st.tuples(
        members("model", "provider", "add_tags", "remove_tags"), st.sampled_from(("gateway", "load test"))
    )
    return st.one_of(
        st.tuples(st.just("price"), st.none()),
        st.tuples(st.just("amend"), st.tuples(events, patches)),
        st.tuples(st.sampled_from(("void", "unvoid")), events),
        st.tuples(st.just("amend by filter"), of_source),
    )


def take(tenant: Tenant, kind: str, one: Any, name: str) -> None:
    if kind == "amend by filter":
        given_members, source = one
        committed(tenant, name, {"action": "amend", "set": given_members, "sources": [source]})
    elif kind == "price":
        prices = {"input": "0.5", "output": "1"}
        tenant.api.post("/v1/prices", {"model": "unpriced", "provider": "acme", "unit_prices": prices})
    elif kind == "amend":
        event, patch = one
        tenant.api.post("/v1/events/amend", {"source": event["source"], "id": event["id"], "data": patch}, 200)
    else:
        tenant.api.post(f"/v1/events/{kind}", {"source": one["source"], "id": one["id"]}, 200)
