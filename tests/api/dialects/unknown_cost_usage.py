"""Usage of which some has a known cost and some has not, for the customers `mixed`, `unknown` and `known`."""

from __future__ import annotations

from datetime import timedelta

from tests.engine_fixtures import Api, SettableClock, llm_request

#: A model that nobody prices.
UNPRICED = "nobody-prices-this"


def deliver_mixed_usage(api: Api, clock: SettableClock, earlier: timedelta) -> None:
    """Deliver usage of a minute ago; `mixed` also has an event of unknown cost that was `earlier` than that."""
    now = clock()
    api.deliver(
        [
            llm_request("mixed 1", "mixed", now, cost_usd="1.5"),
            llm_request("mixed 2", "mixed", now, model=UNPRICED),
            llm_request("mixed 3", "mixed", now - earlier, model=UNPRICED),
            llm_request("unknown 1", "unknown", now, model=UNPRICED),
            llm_request("known 1", "known", now, cost_usd="0.5"),
        ]
    )
    clock.advance(minutes=1)
