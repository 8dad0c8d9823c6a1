"""The filters of the list of customers, read from a query as Lago reads it, as conditions of one question.

Lists are repeated as `countries[]=US`, metadata is asked for as `metadata[plan]=pro`, where empty text finds customers
without that key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from starlette.datastructures import QueryParams

from api.dialects.lago.customer_changes import PERSONAL, PLAIN
from api.dialects.lago.error_shapes import INVALID, validation_refusal
from api.dialects.lago.keys import DIALECT
from api.dialects.lago.models.codes import COUNTRIES, CURRENCIES
from api.dialects.lago.models.field_types import truth
from api.dialects.lago.views.customers import ACCOUNT_TYPE_DEFAULT, BILLING_ENTITY_DEFAULT
from projections.queries.customer_list import (
    METADATA_PREFIX,
    AnyCondition,
    CustomerCondition,
    CustomerListQuestion,
)

#: Values of one filter, and keys of metadata that are asked for, at most.
VALUES_MAX: Final = 300
_SEARCHED: Final = (
    "customer_id",
    "name",
    "email",
    *(f"{PERSONAL}:{DIALECT}/{name}" for name in ("firstname", "lastname", "legal_name")),
)
_ACCOUNT_TYPES: Final = frozenset({"customer", "partner"})
_CUSTOMER_TYPES: Final = frozenset({"company", "individual"})

_Condition = CustomerCondition | AnyCondition


def _kept(name: str, where: str = PERSONAL) -> str:
    return f"{where}:{DIALECT}/{name}"


def customer_question(query: QueryParams, now: datetime) -> CustomerListQuestion:
    """Return the question of a list of customers, those created last first; 422 for what none can have."""
    details: dict[str, Any] = {}
    conditions = tuple(_conditions(query, details))
    if details:
        raise validation_refusal(details)
    return CustomerListQuestion(now, conditions, "created_position", descending=True)


def _conditions(query: QueryParams, details: dict[str, Any]) -> Iterator[_Condition]:
    search = query.get("search_term", "").strip()
    if search:
        yield AnyCondition(tuple(CustomerCondition(one, "contains_ignoring_case", (search,)) for one in _SEARCHED))
    external_id = query.get("external_id", "")
    if external_id:
        yield CustomerCondition("customer_id", "equal", (external_id,))
    yield from _of_lists(query, details)
    yield from _of_types(query, details)
    yield from _of_metadata(query, details)


def _of_lists(query: QueryParams, details: dict[str, Any]) -> Iterator[_Condition]:
    upper: Callable[[str], str] = str.upper
    for name, field, read, known, default in (
        ("currencies", "currency", str, CURRENCIES, None),
        ("countries", _kept("country"), upper, COUNTRIES, None),
        ("states", _kept("state"), str, None, None),
        ("zipcodes", _kept("zipcode"), str, None, None),
        ("account_type", _kept("account_type", PLAIN), str, _ACCOUNT_TYPES, ACCOUNT_TYPE_DEFAULT),
        ("billing_entity_codes", _kept("billing_entity_code", PLAIN), str, None, BILLING_ENTITY_DEFAULT),
    ):
        values = [read(value) for value in _list(query, name) if value]
        refused = _unknown(values, known)
        if refused:
            details[name] = refused
        if not values:
            continue
        holds = CustomerCondition(field, "equal", tuple(values))
        yield AnyCondition((holds, CustomerCondition(field, "is_null"))) if default in values else holds


def _list(query: QueryParams, name: str) -> Sequence[str]:
    values = [*query.getlist(f"{name}[]"), *query.getlist(name)]
    if len(values) > VALUES_MAX:
        raise validation_refusal({name: [f"must have at most {VALUES_MAX} values"]})
    return values


def _unknown(values: Iterable[str], known: frozenset[str] | None) -> dict[str, list[str]]:
    """By the place of each value that is not known, the rule that it breaks."""
    if known is None:
        return {}
    rule = f"must be one of: {', '.join(sorted(known))}"
    return {str(place): [rule] for place, value in enumerate(values) if value not in known}


def _of_types(query: QueryParams, details: dict[str, Any]) -> Iterator[_Condition]:
    customer_type, is_set = query.get("customer_type", ""), _truth(query, "has_customer_type", details)
    field = _kept("customer_type", PLAIN)
    if customer_type and customer_type not in _CUSTOMER_TYPES:
        details["customer_type"] = [f"must be one of: {', '.join(sorted(_CUSTOMER_TYPES))}"]
    elif customer_type and is_set is False:
        details["has_customer_type"] = ["must be true to use customer_type"]
    elif customer_type:
        yield CustomerCondition(field, "equal", (customer_type,))
    elif is_set is not None:
        yield CustomerCondition(field, "is_null", negated=is_set)
    taxed = _truth(query, "has_tax_identification_number", details)
    if taxed is not None:
        yield CustomerCondition(_kept("tax_identification_number"), "is_empty", negated=taxed)


def _truth(query: QueryParams, name: str, details: dict[str, Any]) -> bool | None:
    given = query.get(name, "")
    try:
        return truth(given) if given else None
    except ValueError:
        details[name] = [INVALID]
        return None


def _of_metadata(query: QueryParams, details: dict[str, Any]) -> Iterator[_Condition]:
    asked = {name[9:-1]: value for name, value in query.items() if name.startswith("metadata[") and name.endswith("]")}
    if len(asked) > VALUES_MAX:
        details["metadata"] = [f"must have at most {VALUES_MAX} keys"]
        return
    for key, value in asked.items():
        field = METADATA_PREFIX + key
        yield CustomerCondition(field, "equal", (value,)) if value else CustomerCondition(field, "is_null")


def _list_parameter(name: str, text: str) -> dict[str, Any]:
    schema = {"type": "array", "items": {"type": "string"}}
    return {"name": f"{name}[]", "in": "query", "required": False, "description": text, "schema": schema}


def _parameter(name: str, text: str, kind: str = "string") -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": kind}}


#: The filters in an OpenAPI document.
FILTER_PARAMETERS: Final[list[dict[str, Any]]] = [
    _parameter("search_term", "Part of name, first or last name, legal name, external id or email, in any case."),
    _parameter("external_id", "The external id."),
    _list_parameter("currencies", "One of these currencies."),
    _list_parameter("countries", "One of these countries (ISO 3166-1 alpha-2)."),
    _list_parameter("states", "One of these states."),
    _list_parameter("zipcodes", "One of these zip codes."),
    _list_parameter("account_type", "One of these account types: customer, partner."),
    _list_parameter("billing_entity_codes", "One of these billing entities."),
    _parameter("customer_type", "company or individual."),
    _parameter("has_customer_type", "Whether the customer type is set.", "boolean"),
    _parameter("has_tax_identification_number", "Whether there is one.", "boolean"),
    _parameter("metadata[key]", "The value of a key of the metadata, which takes the place of `key`; empty: not set."),
]
