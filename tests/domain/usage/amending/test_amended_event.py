"""A stored event with a patch merged in is the event that its producer would have sent so."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from domain.errors import InvalidInput
from domain.usage.amending.amended_event import MemberChange, amended_event, stored_row
from domain.usage.amending.patches import EventPatch, exact_members
from domain.usage.amending.sent_form import StoredRow
from tests.domain.usage.amending.test_sent_form import CONTEXT, FULL, stored


def amended(row: StoredRow, data: Mapping[str, Any], **attributes: str) -> StoredRow | None:
    found = amended_event(row, EventPatch(exact_members(data), **attributes), CONTEXT)
    return None if found is None else stored_row(found.typed, found.free)


def with_data(**members: Any) -> dict[str, Any]:
    data = FULL["data"] | members
    return FULL | {"data": {name: value for name, value in data.items() if value is not None}}


@pytest.mark.parametrize(
    ("sent", "patch", "wanted"),
    [
        ({}, {"input_tokens": 20}, {"input_tokens": 20}),
        ({}, {"cost_usd": None, "model": "deep"}, {"cost_usd": None, "model": "deep"}),
        ({}, {"units": {"own": None, "searches": 2}}, {"units": {"searches": 2}}),
        ({}, {"units": {"own": None}}, {"units": None}),
        ({}, {"nested": {"other": 1}}, {"nested": {"other": 1}}),
        ({"input_tokens": None, "prompt_tokens": 9}, {"input_tokens": 8}, {"input_tokens": 8, "prompt_tokens": None}),
        ({"prompt_tokens": 9}, {"prompt_tokens": 8}, {"input_tokens": None, "prompt_tokens": 8}),
        (
            {"web_searches": 2},
            {"units": {"web_searches": 3}},
            {"web_searches": None, "units": {"own": 1.5, "web_searches": 3}},
        ),
        ({"usage": {"any": 1}}, {"tags": ["x"]}, {"usage": {"any": 1}, "tags": ["x"]}),
    ],
)  # fmt: skip
def test_it_is_decoded_as_if_it_had_been_sent(
    sent: dict[str, Any], patch: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert amended(stored(with_data(**sent)), patch) == stored(with_data(**(sent | wanted)))


def test_a_customer_and_a_time_replace_what_intake_filled_in() -> None:
    bare = {name: value for name, value in FULL.items() if name not in ("subject", "time")}
    wanted = bare | {"subject": "bea", "time": "2026-01-01T00:00:00+01:00"}
    assert amended(stored(bare, "ada"), {}, customer="bea", time="2026-01-01T00:00:00+01:00") == stored(wanted)
    assert amended(stored(bare, "ada"), {"tags": ["x"]}) == stored(
        bare | {"data": FULL["data"] | {"tags": ["x"]}}, "ada"
    )


def told_by_usage(provider: str | None, model: str | None, usage: Mapping[str, Any]) -> Mapping[str, int | Decimal]:
    return {"input_tokens": int(usage["in"]), "output_tokens": int(usage["out"]), "web_searches": 1}


def test_quantities_that_only_a_usage_object_told_stay_when_one_of_them_is_amended() -> None:
    reading = msgspec.structs.replace(CONTEXT, read_usage=told_by_usage)
    sent = with_data(input_tokens=None, output_tokens=None, cached_input_tokens=None, usage={"in": 90, "out": 7})
    row = {**stored(sent), "input_tokens": 90, "output_tokens": 7, "quantities_unknown": None}
    row["units"] = [{"unit": "own", "quantity": Decimal("1.5")}, {"unit": "web_searches", "quantity": Decimal(1)}]
    found = amended_event(row, EventPatch({"output_tokens": 8}), reading)
    assert found is not None
    after = stored_row(found.typed, found.free)
    assert (after["input_tokens"], after["output_tokens"]) == (90, 8)
    assert [one["unit"] for one in after["units"]] == ["own", "web_searches"]
    assert '"usage"' not in after["properties"]


def test_members_that_an_older_release_kept_as_properties_stay_properties() -> None:
    sent = with_data(input_tokens=None, output_tokens=None, cached_input_tokens=None, prompt_tokens=9, web_searches=2)
    of_old = {**stored(sent), "input_tokens": 0, "units": None}
    after = amended(of_old, {"output_tokens": 3})
    assert after is not None
    changed = {"output_tokens": 3, "content": after["content"]}
    assert {name: after[name] for name in after if name != "properties"} == {
        name: (of_old | changed)[name] for name in of_old if name != "properties"
    }
    assert msgspec.json.decode(after["properties"]) == msgspec.json.decode(of_old["properties"])
    now_named = amended(of_old, {"web_searches": 2})
    assert now_named is not None
    assert now_named["units"] == [{"unit": "web_searches", "quantity": Decimal("2.000000000000")}]


def test_what_changed_is_told_by_member() -> None:
    found = amended_event(stored(FULL), EventPatch({"input_tokens": 20, "cost_usd": None, "x": [1]}, "bea"), CONTEXT)
    assert found is not None
    assert found.changed == (
        MemberChange("data.cost_usd", '"0.5"', None),
        MemberChange("data.input_tokens", "10", "20"),
        MemberChange("data.x", None, "[1]"),
        MemberChange("subject", '"ada"', '"bea"'),
    )


@pytest.mark.parametrize("patch", [{}, {"cost_usd": 0.5}, {"cost_usd": "0.500"}, {"reasoning_tokens": 0}, {"z": None}])
def test_what_changes_no_value_changes_nothing(patch: dict[str, Any]) -> None:
    assert amended(stored(FULL), patch, customer="ada", time="2026-02-01T11:00:00.500000+01:00") is None


@pytest.mark.parametrize(
    ("patch", "field"),
    [
        ({"cached_input_tokens": 11}, "data.cached_input_tokens"),
        ({"status": "lost"}, "data.status"),
        ({"units": {"": 1}}, "data.units"),
        ({"large": "x" * 2_000_000}, "event"),
    ],
)
def test_a_rule_that_is_broken_is_named(patch: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        amended(stored(FULL), patch)
    assert refused.value.field == field


def test_a_time_that_does_not_change_is_accepted_whatever_the_clock_says_now() -> None:
    row = stored(FULL)
    earlier = CONTEXT.recorded(row["time"].replace(year=2020, tzinfo=CONTEXT.recorded_at.tzinfo))
    found = amended_event(row, EventPatch({"input_tokens": 20}), earlier)
    assert found is not None
