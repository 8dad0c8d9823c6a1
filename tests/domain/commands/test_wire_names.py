"""Commands received as events have the names of the HTTP bodies."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.native.models.budgets import BudgetGiven, BudgetPatch
from api.native.models.customers import CustomerBudgetGiven, CustomerGiven, CustomerPatch, UsagePeriodGiven
from domain.commands.received import COMMAND_KINDS, Sender, parse_command
from domain.commands.wire_names import (
    CUSTOMER_NAMES,
    KEPT_BY_DIALECTS,
    NESTED,
    TIER_NAMES,
    flat_customer_changes,
    flat_tier_changes,
    shown_customer_field,
    shown_tier_field,
)
from domain.customers.commands import NOT_LOOKED_UP, DeleteCustomer
from domain.customers.fields import BUDGET_RULES, CREATION_FIELDS, CUSTOMER_RULES
from domain.errors import InvalidInput
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE

SENDER = Sender(DEFAULT_SCOPE, "kafka:usage", "kafka")


def test_customers_have_the_names_of_the_http_bodies() -> None:
    assert CUSTOMER_NAMES | {"effective_at", "active"} == CustomerPatch.model_fields.keys()
    assert CUSTOMER_NAMES | {"effective_at", "id"} | CREATION_FIELDS == CustomerGiven.model_fields.keys()
    assert NESTED["usage_period"].keys() == UsagePeriodGiven.model_fields.keys()
    assert NESTED["budget"].keys() == CustomerBudgetGiven.model_fields.keys()


def test_shared_budgets_have_the_names_of_the_http_bodies() -> None:
    assert TIER_NAMES | {"effective_at"} == BudgetPatch.model_fields.keys()
    assert TIER_NAMES | {"effective_at", "id"} == BudgetGiven.model_fields.keys()


def test_every_flat_name_has_a_rule_and_maps_back_to_its_wire_name() -> None:
    for outer, members in NESTED.items():
        changes = flat_customer_changes({outer: dict.fromkeys(members, 1)})
        assert changes.keys() <= CUSTOMER_RULES.keys()
        assert {shown_customer_field(flat) for flat in changes} == {f"{outer}.{name}" for name in members}
    assert flat_tier_changes(dict.fromkeys(TIER_NAMES, 1)).keys() == BUDGET_RULES.keys() - {KEPT_BY_DIALECTS}
    assert {shown_tier_field(flat) for flat in BUDGET_RULES if flat != KEPT_BY_DIALECTS} == TIER_NAMES


def test_fields_of_dialects_are_kept_by_native_changes() -> None:
    assert KEPT_BY_DIALECTS not in flat_customer_changes({"budget": None})
    with pytest.raises(InvalidInput):
        parse_command("customer.update", SENDER, "acme", {KEPT_BY_DIALECTS: {}})


def test_a_nested_null_clears_all_its_members() -> None:
    assert flat_customer_changes({"usage_period": None}) == {
        "usage_duration": None,
        "usage_alignment": None,
        "usage_anchor": None,
    }


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_names = st.sampled_from([*CUSTOMER_NAMES, *TIER_NAMES, "active", "effective_at", "reason", "id", "other"])


@given(st.sampled_from([*COMMAND_KINDS, "customer.nap"]), _json | st.dictionaries(_names, _json, max_size=4))
def test_hostile_data_is_parsed_or_refused_naming_the_field(kind: str, data: object) -> None:
    with suppress(InvalidInput):
        command = parse_command(kind, SENDER, "acme", data)
        assert type(command).__name__.lower() == "".join(reversed(kind.split(".")))


def test_a_command_needs_no_data() -> None:
    expected = DeleteCustomer(DEFAULT_SCOPE, Provenance("kafka:usage", "kafka"), "acme", seen_at=NOT_LOOKED_UP)
    assert parse_command("customer.delete", SENDER, "acme", None) == expected
    assert parse_command("customer.delete", SENDER, "acme", {}) == expected
    with pytest.raises(InvalidInput, match="must be one of"):
        parse_command("llm.request", SENDER, "acme", {})
