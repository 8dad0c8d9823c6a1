"""Charges of a plan and filters of a charge as parts that are changed one by one, each as a change of the plan."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from api.dialects.lago.error_shapes import invalid_fields, not_found, validation_refusal
from api.dialects.lago.models.plans import PlanPatch
from api.http.bodies import InvalidValues
from api.http.dialect import Refusal

#: What stands before the name of a member in errors about a plan.
_BEFORE: Final = re.compile(r"charges\.\d+\.(?:filters\.\d+\.)?")
_DETAILS: Final = "error_details"

Shown = dict[str, Any]


def charge_of(plan: Mapping[str, Any], code: str) -> Shown:
    """The charge with this code; 404 when the plan has none."""
    return _one(plan["charges"], "code", code, "charge")


def filter_of(charge: Mapping[str, Any], filter_id: str) -> Shown:
    """The filter with this id, with the code of its charge; 404 when the charge has none."""
    return with_charge_code(charge, _one(charge["filters"], "lago_id", filter_id, "charge_filter"))


def with_charge_code(charge: Mapping[str, Any], one: Mapping[str, Any]) -> Shown:
    """A filter with the code of its charge."""
    return {**one, "charge_code": charge["code"]}


def with_charge(plan: Mapping[str, Any], given: Mapping[str, Any]) -> PlanPatch:
    """The plan with one more charge."""
    return PlanPatch(charges=[*_kept(plan["charges"]), dict(given)])


def with_changed_charge(plan: Mapping[str, Any], code: str, given: Mapping[str, Any]) -> PlanPatch:
    """The plan with other members of a charge."""
    own = charge_of(plan, code)["lago_id"]
    return PlanPatch(
        charges=[{**one, **(given if one["id"] == own else {}), "id": one["id"]} for one in _kept(plan["charges"])]
    )


def without_charge(plan: Mapping[str, Any], code: str) -> PlanPatch:
    """The plan without a charge."""
    own = charge_of(plan, code)["lago_id"]
    return PlanPatch(charges=[one for one in _kept(plan["charges"]) if one["id"] != own])


def with_filters(plan: Mapping[str, Any], code: str, change: Callable[[Sequence[Shown]], Sequence[Shown]]) -> PlanPatch:
    """The plan with other filters of a charge."""
    filters = list(change(charge_of(plan, code)["filters"]))
    return with_changed_charge(plan, code, {"filters": filters})


@contextmanager
def named_within() -> Iterator[None]:
    """Name the fields of errors about a plan as in the request about a part of it."""
    try:
        yield
    except InvalidValues as problem:
        raise validation_refusal(_shortened(invalid_fields(problem))) from None
    except Refusal as refused:
        if _DETAILS not in refused.body:
            raise
        raise validation_refusal(_shortened(refused.body[_DETAILS])) from None


def _shortened(details: Mapping[str, Any]) -> dict[str, Any]:
    return {_BEFORE.sub("", name, count=1): codes for name, codes in details.items()}


def _kept(charges: Sequence[Mapping[str, Any]]) -> list[Shown]:
    """Charges that stay as they are, as a change of the plan names them."""
    return [{"id": one["lago_id"]} for one in charges]


def _one(parts: Sequence[Shown], name: str, value: str, resource: str) -> Shown:
    found = next((one for one in parts if one[name] == value), None)
    if found is None:
        raise not_found(resource)
    return found
