"""Operations set, clear and merge fields; each map is merged by its own rule."""

from __future__ import annotations

from typing import Any

import pytest

from domain.facts.in_effect import with_operations

CASES: list[tuple[str, dict[str, Any], dict[str, Any], set[str], dict[str, Any]]] = [
    ("set", {"name": "A"}, {"name": "B"}, set(), {"name": "B"}),
    ("clear", {"name": "A", "email": "e"}, {"name": None}, set(), {"email": "e"}),
    ("clear what is not set", {}, {"name": None}, set(), {}),
    ("a map is set whole", {"metadata": {"a": 1}}, {"metadata": {"b": 2}}, set(), {"metadata": {"b": 2}}),
    ("a null within a map that is set", {}, {"dialect_fields": {"x": {"y": None}}}, set(),
     {"dialect_fields": {"x": {"y": None}}}),
    ("a patch clears", {"metadata": {"a": 1}}, {"metadata": None}, {"metadata"}, {}),
    ("metadata by RFC 7396", {"metadata": {"a": {"b": 1, "c": 2}}}, {"metadata": {"a": {"b": None}}}, {"metadata"},
     {"metadata": {"a": {"c": 2}}}),
    ("a limit of a model is whole", {"model_limits": {"m": {"limit_usd": "5", "duration": "1d"}}},
     {"model_limits": {"m": {"limit_usd": "9"}}}, {"model_limits"}, {"model_limits": {"m": {"limit_usd": "9"}}}),
    ("a limit of a model is removed", {"model_limits": {"m": {"limit_usd": "5"}}}, {"model_limits": {"m": None}},
     {"model_limits"}, {"model_limits": {}}),
    ("dialect fields by dialect and member", {"dialect_fields": {"litellm": {"a": {"b": 1}, "c": 2}}},
     {"dialect_fields": {"litellm": {"a": {"d": 3}, "c": None}, "lago": {"e": 4}}}, {"dialect_fields"},
     {"dialect_fields": {"litellm": {"a": {"d": 3}}, "lago": {"e": 4}}}),
    ("personal fields of dialects by dialect and member",
     {"personal_dialect_fields": {"lago": {"city": "Paris", "phone": "1"}, "other": {"a": 1}}},
     {"personal_dialect_fields": {"lago": {"city": "Rome", "phone": None}}}, {"personal_dialect_fields"},
     {"personal_dialect_fields": {"lago": {"city": "Rome"}, "other": {"a": 1}}}),
    ("a null that was set stays", {"dialect_fields": {"x": {"y": None}}}, {"dialect_fields": {"x": {"z": 1}}},
     {"dialect_fields"}, {"dialect_fields": {"x": {"y": None, "z": 1}}}),
    ("a dialect is removed", {"dialect_fields": {"litellm": {"a": 1}}}, {"dialect_fields": {"litellm": None}},
     {"dialect_fields"}, {"dialect_fields": {}}),
]  # fmt: skip


@pytest.mark.parametrize(("state", "fields", "patched", "after"), [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])  # fmt: skip
def test_the_state_after_a_fact(
    state: dict[str, Any], fields: dict[str, Any], patched: set[str], after: dict[str, Any]
) -> None:
    before = repr(state)
    assert with_operations(state, fields, frozenset(patched)) == after
    assert repr(state) == before
