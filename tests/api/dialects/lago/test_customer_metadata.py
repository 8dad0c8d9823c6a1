"""The metadata of a customer: one map for all APIs, which Lago's clients read and write as a list of entries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.api.dialects.lago.conftest import APRIL_29, refusal_of
from tests.api.dialects.lago.test_customers import customer, upserted
from tests.engine_fixtures import Api, SettableClock, customer_path


def entry(key: str, value: str, display: bool = False, **more: Any) -> dict[str, Any]:
    return {"key": key, "value": value, "display_in_invoice": display, **more}


def without_ids(shown: Any) -> list[dict[str, Any]]:
    return [{name: value for name, value in one.items() if name not in ("lago_id", "created_at")} for one in shown]


def test_entries_that_are_written_are_shown_and_are_members_of_the_native_map(api: Api) -> None:
    shown = upserted(api, "meta", metadata=[entry("Purchase Order", "123"), entry("plan", "pro", True)])["metadata"]
    assert without_ids(shown) == [entry("Purchase Order", "123"), entry("plan", "pro", True)]
    assert {one["created_at"] for one in shown} == {"2026-04-29T08:59:51Z"}
    assert len({one["lago_id"] for one in shown}) == 2
    assert api.get(customer_path("meta"))["metadata"] == {"Purchase Order": "123", "plan": "pro"}
    assert customer(api, "meta")["metadata"] == shown


def test_native_members_of_any_type_are_shown_as_text_and_keep_their_value_when_it_is_sent_back(api: Api) -> None:
    native = {"n": 1.5, "yes": True, "none": {"a": [1]}, "t": "text", "drop": 1, "more": 2, "still": "more"}
    api.post("/v1/customers", {"id": "typed", "metadata": native})
    shown = customer(api, "typed")["metadata"]
    assert {one["key"]: one["value"] for one in shown} == {
        "n": "1.5",
        "yes": "true",
        "none": '{"a": [1]}',
        "t": "text",
        "drop": "1",
        "more": "2",
        "still": "more",
    }
    sent = [entry("n", "1.5"), entry("yes", "false"), entry("none", '{"a": [1]}'), entry("t", "text")]
    upserted(api, "typed", metadata=sent)
    assert api.get(customer_path("typed"))["metadata"] == {"n": 1.5, "yes": "false", "none": {"a": [1]}, "t": "text"}


def test_an_entry_that_is_not_sent_is_removed_and_without_metadata_all_stay(api: Api) -> None:
    upserted(api, "listed", metadata=[entry("a", "1"), entry("b", "2", True)])
    assert without_ids(upserted(api, "listed", name="Listed")["metadata"]) == [entry("a", "1"), entry("b", "2", True)]
    assert without_ids(upserted(api, "listed", metadata=[entry("b", "2", True)])["metadata"]) == [entry("b", "2", True)]
    assert upserted(api, "listed", metadata=[])["metadata"] == []
    upserted(api, "listed", metadata=[entry("a", "1")])
    assert upserted(api, "listed", metadata=None)["metadata"] == []


def test_an_entry_is_changed_by_its_id_also_to_another_key(api: Api, clock: SettableClock) -> None:
    (first, second) = upserted(api, "ids", metadata=[entry("a", "1", True), entry("b", "2")])["metadata"]
    clock.advance(seconds=10)
    renamed = entry("z", "9", id=first["lago_id"])
    shown = upserted(api, "ids", metadata=[renamed, {**entry("b", "3"), "id": second["lago_id"]}, entry("c", "4")])
    by_key = {one["key"]: one for one in shown["metadata"]}
    assert by_key["z"]["lago_id"] == first["lago_id"]
    assert by_key["b"] == {**second, "value": "3"}
    assert by_key["c"]["created_at"] == (APRIL_29 + timedelta(seconds=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    again = upserted(api, "ids", metadata=[entry("a", "1"), {**entry("z", "9"), "id": first["lago_id"]}])["metadata"]
    assert len({one["lago_id"] for one in again}) == 2


def test_an_entry_keeps_its_display_when_none_is_sent(api: Api) -> None:
    upserted(api, "shown", metadata=[entry("a", "1", True)])
    assert upserted(api, "shown", metadata=[{"key": "a", "value": "2"}])["metadata"][0]["display_in_invoice"] is True


@pytest.mark.parametrize(
    ("metadata", "details"),
    [
        ([entry(f"k{place}", "v") for place in range(6)], {"metadata": ["invalid_count"]}),
        ([entry("a", "1"), entry("a", "2")], {"metadata": ["value_already_exist"]}),
        ([{"value": "1"}], {"metadata.0.key": ["value_is_mandatory"]}),
        ([entry("a", "")], {"metadata.0.value": ["value_is_mandatory"]}),
        ({"a": 1}, {"metadata": ["value_is_invalid"]}),
        (["a"], {"metadata.0": ["value_is_invalid"]}),
    ],
)
def test_invalid_metadata_is_refused(api: Api, metadata: Any, details: Any) -> None:
    status, body = refusal_of(
        api, "POST", "/customers", json={"customer": {"external_id": "bad", "metadata": metadata}}
    )
    assert (status, body["error_details"]) == (422, details)


def test_only_writes_of_lago_are_limited(api: Api) -> None:
    api.post("/v1/customers", {"id": "many", "metadata": {f"k{place}": "v" for place in range(20)}})
    assert len(upserted(api, "many", name="Many")["metadata"]) == 20
