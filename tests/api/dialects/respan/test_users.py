"""One customer through Respan's routes: changed, and shown."""

from __future__ import annotations

from datetime import timedelta

from tests.api.dialects.respan.conftest import MARCH_25, Spend, updated, user
from tests.engine_fixtures import Api


def test_every_field_that_is_set_is_shown(api: Api, spend: Spend) -> None:
    spend("full", "1.5", MARCH_25 - timedelta(hours=1))
    shown = updated(
        api,
        "full",
        name="Full Ltd",
        email="full@example.com",
        metadata={"plan": "pro"},
        period_budget=100,
        budget_duration="monthly",
        total_budget=1000.5,
        markup_percentage=20,
    )
    assert shown == {
        "id": "full",
        "name": "Full Ltd",
        "email": "full@example.com",
        "customer_identifier": "full",
        "environment": "prod",
        "total_budget": 1000.5,
        "period_budget": 100.0,
        "organization_name": "default",
        "total_period_usage": 1.5,
        "period_start": "2026-03-25T00:00:00Z",
        "period_end": "2026-04-25T00:00:00Z",
        "budget_duration": "monthly",
        "updated_at": "2026-03-25T10:24:37Z",
    }
    assert user(api, "full") == shown
