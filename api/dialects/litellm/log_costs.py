"""The cost that a payload of LiteLLM tells, and where it tells none.

LiteLLM writes 0 both for a request that cost nothing and for one whose cost it does not know, and some of its releases
write 0 for requests that they charged. So a 0 counts as a cost only where the payload says why; otherwise no cost is
told, and the engine's own prices apply. A payload cannot tell a free model from one without a price: LiteLLM computes
0 for both, with the same breakdown.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from api.http.logs.log_numbers import can_be_written_out, decimal_of, object_in

#: What is passed on in place of an empty text, which would be left out.
_NO_NUMBER: Final = " "
#: What LiteLLM appends to the id of a response that it answered from its cache.
_CACHED_ID_MARK: Final = "_cache_hit"


def told_cost(payload: Mapping[str, Any], used_nothing: bool) -> Any:
    """The cost as number or text; None where none is told. `used_nothing`: the payload tells a usage of zero.

    A value that is no number is passed on, for intake to reject.
    """
    cost = payload.get("response_cost")
    exact = decimal_of(cost)
    if exact is None and cost is not None:
        return cost if cost != "" else _NO_NUMBER
    if exact:
        return _written(exact)
    total = decimal_of(object_in(payload, "cost_breakdown").get("total_cost"))
    if exact is not None and _is_from_cache(payload):
        return _written(exact)
    if total is not None and total > 0:
        return _written(total)
    is_computed = total is not None and not payload.get("response_cost_failure_debug_info")
    if exact is not None and used_nothing and is_computed and payload.get("status") == "success":
        return _written(exact)
    return None


def _is_from_cache(payload: Mapping[str, Any]) -> bool:
    response_id = payload.get("id")
    return payload.get("cache_hit") is True or (isinstance(response_id, str) and _CACHED_ID_MARK in response_id)


def _written(exact: Decimal) -> str:
    return format(exact, "f") if can_be_written_out(exact) else str(exact)
