"""A message names what the user typed, not the field of the request that it became."""

from __future__ import annotations

import pytest

from api.cli.server.field_names import FieldNames

NAMES = FieldNames(
    {
        "model": "--model",
        "from": "--from",
        "to": "--to",
        "previewed_at": "--previewed-at",
        "name": "NAME",
        "rate": "--rate",
    }
    | {"input": "--input"}
)
WITH_SET = FieldNames({"set": "--set", "id": "ID"})


@pytest.mark.parametrize(
    ("names", "field", "shown"),
    [
        (NAMES, "name", "NAME"),
        (NAMES, "models", "--model"),
        (NAMES, "models.0", "--model"),
        (NAMES, "previewed_at", "--previewed-at"),
        (NAMES, "rates.stamps", "--rate stamps"),
        (NAMES, "unit_prices.input", "--input"),
        (NAMES, "X-Meterfold-Reason", "--reason"),
        (NAMES, "body", "body"),
        (NAMES, "data.status", "data.status"),
        (WITH_SET, "id", "ID"),
        (WITH_SET, "data.status", "--set status"),
        (WITH_SET, "budget.duration", "--set budget.duration"),
    ],
)
def test_a_field_is_named_by_what_gives_it(names: FieldNames, field: str, shown: str) -> None:
    assert names.of(field) == shown


@pytest.mark.parametrize(
    ("rule", "shown"),
    [
        ("must be after from", "must be after --from"),
        ("must not be given together with from or to", "must not be given together with --from or --to"),
        ("must be an instant with an offset", "must be an instant with an offset"),
        ("must be text or a model", "must be text or a model"),
    ],
)
def test_other_fields_in_a_rule_are_named_alike(rule: str, shown: str) -> None:
    assert NAMES.in_rule(rule) == shown
