"""The fields of customers and shared budgets, and the rules that values, patches and states of them keep."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from domain.errors import InvalidInput
from domain.facts.operations import MERGES
from domain.values import field_rules
from domain.values.field_rules import Rule

METADATA_MEMBERS_MAX: Final = 50
METADATA_BYTES_MAX: Final = 16 * 1024
MODEL_LIMITS_MAX: Final = 100
DIALECT_MEMBERS_MAX: Final = 10
DIALECT_BYTES_MAX: Final = 64 * 1024

#: Fields that are encrypted in the log.
PERSONAL_FIELDS: Final = frozenset(
    {"name", "email", "metadata", "personal_dialect_fields", "payment_provider_customer_id"}
)
#: Fields that can only be given when a customer is created.
CREATION_FIELDS: Final = frozenset({"opening_spend_usd"})
#: A flag: the period limit and the total limit, the customer's own and its tier's, are one. See `effective_budget`.
LIMITS_AS_ONE: Final = "limits_as_one"
#: Setting one of these without the flag clears the flag.
_LIMIT_FIELDS: Final = frozenset({"period_limit_usd", "total_limit_usd", "budget_duration"})


def metadata(field: str, value: object) -> dict[str, Any]:
    """Metadata: a JSON object of at most 50 members and 16 KiB."""
    return field_rules.json_object(field, value, METADATA_MEMBERS_MAX, METADATA_BYTES_MAX)


def dialect_fields(field: str, value: object) -> dict[str, Any]:
    """Fields that only one dialect knows, by dialect: a JSON object of at most 10 dialects and 64 KiB.

    The engine does not interpret them. An error about a value names it: `dialect_fields.lago.metadata`.
    """
    _check_members(field, value)
    return field_rules.json_object(field, value, DIALECT_MEMBERS_MAX, DIALECT_BYTES_MAX)


def personal_dialect_fields(field: str, value: object) -> dict[str, Any]:
    """Like `dialect_fields`, but encrypted: what says who a customer is, such as addresses and numbers."""
    return field_rules.json_object(field, value, DIALECT_MEMBERS_MAX, DIALECT_BYTES_MAX)


def _check_members(field: str, value: object) -> None:
    if not isinstance(value, Mapping):
        return
    for dialect, members in value.items():
        if not isinstance(members, Mapping):
            field_rules.check_stored_json(f"{field}.{dialect}", members)
            continue
        for name, member in members.items():
            field_rules.check_stored_json(f"{field}.{dialect}.{name}", member)


def limits_as_one(field: str, value: object) -> bool:
    """The flag `limits_as_one`: true, or not set."""
    if value is not True:
        raise InvalidInput(field, "must be true if it is given")
    return True


def model_limits(field: str, value: object) -> dict[str, Any]:
    """Limits by model: {model: {"limit_usd": amount, "duration": text or null}}; stored with both members."""
    if not isinstance(value, Mapping):
        raise InvalidInput(field, "must be an object of limits by model")
    if len(value) > MODEL_LIMITS_MAX:
        raise InvalidInput(field, f"must have at most {MODEL_LIMITS_MAX} models")
    return {
        field_rules.model_name(field, model): _model_limit(f"{field}.{model}", limit) for model, limit in value.items()
    }


def _metadata_patch(field: str, value: object) -> dict[str, Any]:
    return field_rules.json_object(field, value, 2 * METADATA_MEMBERS_MAX, 2 * METADATA_BYTES_MAX)


def _dialect_fields_patch(field: str, value: object) -> dict[str, Any]:
    _check_members(field, value)
    return _personal_dialect_fields_patch(field, value)


def _personal_dialect_fields_patch(field: str, value: object) -> dict[str, Any]:
    return field_rules.json_object(field, value, DIALECT_MEMBERS_MAX, 2 * DIALECT_BYTES_MAX)


def _model_limits_patch(field: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Check each limit, whole or null."""
    if len(value) > 2 * MODEL_LIMITS_MAX:
        raise InvalidInput(field, f"must have at most {2 * MODEL_LIMITS_MAX} models in one change")
    return {
        field_rules.model_name(field, model): None if limit is None else _model_limit(f"{field}.{model}", limit)
        for model, limit in value.items()
    }


#: The maps whose changes are merge patches unless the caller gives the whole new map, and the rule of a patch. One may
#: replace all there is: it may be twice as large as what it leads to.
_PATCH_RULES: Final[dict[str, Rule]] = {
    "metadata": _metadata_patch,
    "model_limits": _model_limits_patch,
    "dialect_fields": _dialect_fields_patch,
    "personal_dialect_fields": _personal_dialect_fields_patch,
}


def _model_limit(field: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping) or "limit_usd" not in value or set(value) - {"limit_usd", "duration"}:
        raise InvalidInput(field, "must be an object of limit_usd and, for a period of its own, duration")
    length = value.get("duration")
    return {
        "limit_usd": field_rules.amount_usd(f"{field}.limit_usd", value["limit_usd"]),
        "duration": None if length is None else field_rules.duration(f"{field}.duration", length),
    }


_alignment: Final = field_rules.one_of("calendar", "anchored")

_TIER_RULES: Final[dict[str, Rule]] = {
    "period_limit_usd": field_rules.amount_usd,
    "total_limit_usd": field_rules.amount_usd,
    "soft_limit_usd": field_rules.amount_usd,
    "model_limits": model_limits,
    "budget_duration": field_rules.duration,
    "budget_alignment": _alignment,
    "budget_anchor": field_rules.instant,
    "requests_per_minute": field_rules.count,
    "tokens_per_minute": field_rules.count,
    "parallel_requests_max": field_rules.count,
    "dialect_fields": dialect_fields,
}

BUDGET_RULES: Final[dict[str, Rule]] = {"name": field_rules.text, **_TIER_RULES}

CUSTOMER_RULES: Final[dict[str, Rule]] = {
    "name": field_rules.text,
    "email": field_rules.email,
    "metadata": metadata,
    "personal_dialect_fields": personal_dialect_fields,
    "currency": field_rules.currency,
    "time_zone": field_rules.time_zone,
    "group_identifier": field_rules.group_identifier,
    "allowed_region": field_rules.text,
    "default_model": field_rules.model_name,
    "markup_percentage": field_rules.markup,
    "payment_provider_name": field_rules.text,
    "payment_provider_customer_id": field_rules.text,
    "usage_duration": field_rules.duration,
    "usage_alignment": _alignment,
    "usage_anchor": field_rules.instant,
    "budget_id": field_rules.identifier,
    **_TIER_RULES,
    LIMITS_AS_ONE: limits_as_one,
    "period_start": field_rules.instant,
    "period_end": field_rules.instant,
    "opening_spend_usd": field_rules.amount_usd,
}


def checked_fields(
    rules: Mapping[str, Rule], changes: Mapping[str, Any], patched: Collection[str] = ()
) -> dict[str, Any]:
    """Return the fields of a command, checked and in stored form; None means cleared.

    Maps in `patched` are checked as patches; `check_state` checks what they are merged into. Raises `InvalidInput` for
    a field without a rule, and for the first value that breaks its rule.
    """
    patch_rules = {field: _PATCH_RULES[field] for field in patched if field in rules}
    return field_rules.checked({**rules, **patch_rules}, changes)


def patched_fields(changes: Mapping[str, Any], replaced: Collection[str] = ()) -> tuple[str, ...]:
    """Return the names of the maps in `changes` that are merge patches: all but those in `replaced`."""
    return tuple(
        sorted(name for name in _PATCH_RULES if name not in replaced and isinstance(changes.get(name), Mapping))
    )


def with_whole_maps(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes of a creation, with metadata and limits by model as patches of empty maps: without nulls."""
    whole = dict(changes)
    for name in ("metadata", "model_limits"):
        if isinstance(changes.get(name), Mapping):
            if name == "metadata":
                field_rules.check_json(name, changes[name])  # bounds the depth, as merging is recursive
            whole[name] = MERGES[name](None, changes[name])
    return whole


def check_state(rules: Mapping[str, Rule], state: Mapping[str, Any], fields: Collection[str]) -> None:
    """Check a state that a command with these fields leads to: maps, and what concerns several fields together.

    What the command does not name is not checked. `state` is in stored form.
    """
    for name in _PATCH_RULES:
        if name in fields and name in state:
            rules[name](name, state[name])
    start, end = state.get("period_start"), state.get("period_end")
    named = "period_start" in fields or "period_end" in fields
    if named and start is not None and end is not None and not start < end:
        raise InvalidInput("period_end", "must be after period_start")


def with_separate_limits(changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `changes`, which also clear `limits_as_one` if they set a limit and do not give the flag."""
    if LIMITS_AS_ONE in changes or not _LIMIT_FIELDS & changes.keys():
        return changes
    return {**changes, LIMITS_AS_ONE: None}
