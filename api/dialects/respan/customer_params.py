"""`customer_params` of a request log as facts about its customer: checked native fields, or the rule they break."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from api.dialects.respan.customer_changes import named_changes
from api.dialects.respan.models.request_logs import CustomerParams
from consumers.intake.item_facts import ItemFacts
from domain.customers.event_facts import checked_event_facts, facts_text
from domain.errors import InvalidInput

PARAMS: Final = "customer_params"
_NATIVE_OF: Final = {"group_identifier": "group_identifier", "rate_limit": "requests_per_minute"}
#: Respan's names of the native fields that are called otherwise.
_SHOWN: Final = {
    "period_limit_usd": "period_budget",
    "total_limit_usd": "total_budget",
    "requests_per_minute": "rate_limit",
}


def facts_of(params: Any) -> ItemFacts | None:
    """Return the facts in `customer_params`, or the first rule that they break; None when they say nothing."""
    if params is None:
        return None
    if not isinstance(params, Mapping):
        return ItemFacts(problem=(PARAMS, "must be an object"))
    try:
        sent = CustomerParams.model_validate(params).sent_members
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        rule = first["msg"].removeprefix("Value error, ")
        return ItemFacts(problem=(f"{PARAMS}.{path}", rule[0].lower() + rule[1:]))
    changes = named_changes(sent) | {native: sent[name] for name, native in _NATIVE_OF.items() if name in sent}
    try:
        return ItemFacts(facts_text(checked_event_facts(changes))) if changes else None
    except InvalidInput as error:
        field, _, rest = error.field.partition(".")
        shown = ".".join(filter(None, (PARAMS, _SHOWN.get(field, field), rest)))
        return ItemFacts(problem=(shown, error.rule))
