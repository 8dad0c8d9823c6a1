"""The header that tells how many events of unknown cost are not in the sums of an answer.

The APIs of other products have numbers where the engine knows a lower bound alone: events of unknown cost add nothing
to them. Such an answer shows what is known, and this header tells that it is not all. An answer with all costs known
does not have it.
"""

from __future__ import annotations

from typing import Any, Final

UNKNOWN_COST_HEADER: Final = "Meterfold-Cost-Unknown-Events"
_DESCRIBED: Final = {
    UNKNOWN_COST_HEADER: {
        "description": "Events of unknown cost that are not in the sums of money of this answer, each of them counted "
        "once; of a list, those of all rows that it shows. Left out when the cost of all events is known.",
        "schema": {"type": "integer", "minimum": 1},
    }
}


def unknown_cost_responses(status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route whose answers with this status can have the header."""
    return {status: {"headers": _DESCRIBED}}


#: Those of a route that answers 200.
UNKNOWN_COST_ANSWER: Final = unknown_cost_responses()


def unknown_cost_header(events: int) -> dict[str, str]:
    """The header of an answer whose sums lack this many events; none where they lack none."""
    return {UNKNOWN_COST_HEADER: str(events)} if events > 0 else {}
