"""The budgets of a customer and how much of each is used, in USD with its markup; and whether it may go on."""

from __future__ import annotations

from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from api.portal.page_parts import LimitShown, PageAsked
from api.portal.texts import AT_LEAST, UNKNOWN, counted, moment_text, name_text, sum_text
from domain.budgets.access_decision import PERIOD, TOTAL, Limit
from domain.values.money import MONEY
from projections.queries.snapshot import Snapshot
from projections.views.budget_state import access

LIMITS_MAX: Final = 20
_HUNDRED: Final = Decimal(100)
_USD: Final = "USD"
_LABELS: Final = {PERIOD: "Budget", TOTAL: "Budget in all"}
#: A soft limit is for those who run the engine: it refuses nobody.
_NOT_SHOWN: Final = "soft"
_REFUSED: Final = {
    "blocked": "Access is blocked. Please ask whoever gave you this link.",
    "period_limit": "The budget is used up: requests are refused until it is renewed.",
    "total_limit": "The budget is used up: requests are refused.",
}


def limits_shown(snapshot: Snapshot, asked: PageAsked, zone: ZoneInfo) -> tuple[tuple[LimitShown, ...], list[str]]:
    """Return the budgets, at most 20, and notices about them: why access is refused, and how many are left out."""
    decision = access(snapshot, asked.scope, asked.customer_id, asked.now).decision
    limits = [one for one in decision.limits if one.name != _NOT_SHOWN]
    notices = [] if decision.allowed else [_REFUSED.get(decision.reason, "Requests are refused at present.")]
    left_out = len(limits) - LIMITS_MAX
    if left_out > 0:
        notices.append(f"{counted(left_out, 'more budget of a model is', 'more budgets of models are')} not shown.")
    return tuple(_shown(one, zone) for one in limits[:LIMITS_MAX]), notices


def _shown(limit: Limit, zone: ZoneInfo) -> LimitShown:
    unknown = limit.cost_unknown_events
    notes = []
    if unknown:
        notes.append(f"The cost of {counted(unknown, 'event is', 'events is')} unknown.")
    if limit.resets_at is not None:
        notes.append(f"Renewed on {moment_text(limit.resets_at, zone)}.")
    share = _HUNDRED
    if limit.limit_usd:
        share = min(_HUNDRED, MONEY.divide(MONEY.multiply(limit.spent_usd, _HUNDRED), limit.limit_usd))
    spent = sum_text(limit.spent_usd, _USD)
    if unknown:
        spent = f"{AT_LEAST} {spent}" if limit.spent_usd else UNKNOWN
    label = _LABELS.get(limit.name) or f"Budget for {name_text(limit.name.partition(':')[2])}"
    value = f"{spent} of {sum_text(limit.limit_usd, _USD)} {_USD}"
    return LimitShown(label, value, f"{share:.2f}", limit.reached, tuple(notes))
