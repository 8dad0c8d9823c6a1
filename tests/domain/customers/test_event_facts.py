"""Facts that events carry keep the rules of a customer's fields, and have one text."""

from __future__ import annotations

from typing import Any

import pytest

from domain.customers.event_facts import checked_event_facts, divided, facts_of_text, facts_text
from domain.errors import InvalidInput

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"email": "ada"}, "email", "email address"),
    ({"period_limit_usd": "-1"}, "period_limit_usd", "negative"),
    ({"opening_spend_usd": "1"}, "opening_spend_usd", "only when the customer is created"),
    ({"unheard_of": 1}, "unheard_of", "not a field"),
    (
        {"period_start": "2026-02-01T00:00:00Z", "period_end": "2026-02-01T00:00:00Z"},
        "period_end",
        "must be after period_start",
    ),
]


def test_facts_are_checked_and_stored_in_one_form_and_none_clears() -> None:
    given = {"name": "Ada", "period_limit_usd": "1e2", "email": None, "metadata": {"a": None}}
    assert checked_event_facts(given) == {
        "name": "Ada",
        "period_limit_usd": "100",
        "email": None,
        "metadata": {"a": None},  # the new map, not a patch
        "limits_as_one": None,
    }


@pytest.mark.parametrize(("given", "field", "rule"), REFUSED)
def test_facts_that_break_a_rule_are_refused_by_field(given: dict[str, Any], field: str, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule) as refused:
        checked_event_facts(given)
    assert refused.value.field == field


def test_the_same_fields_have_the_same_text_in_whatever_order_they_are_given() -> None:
    fields = {"name": "Ada", "metadata": {"b": 1, "a": {"d": 2, "c": 3}}}
    other = {"metadata": {"a": {"c": 3, "d": 2}, "b": 1}, "name": "Ada"}
    assert facts_text(fields) == facts_text(other) != facts_text({"name": "Ada"})
    assert facts_of_text(facts_text(fields)) == fields


def test_personal_fields_are_told_from_the_others() -> None:
    fields: dict[str, Any] = {"name": "Ada", "email": None, "metadata": {}, "markup_percentage": "5"}
    assert divided(fields) == ({"markup_percentage": "5"}, {"name": "Ada", "email": None, "metadata": {}})
