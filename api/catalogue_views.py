"""Shared budgets, meters and prices as they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from api.models.catalogue import BudgetView, MeterView, PriceTierView, PriceVersionView, PriceView, UnitPricesView
from api.problems import Problem
from domain.log.lifecycle_events import PriceVersion, UnitPrices
from domain.scope import Scope
from projections.meters import BUILT_IN_METERS, meter_view
from projections.read_store import PriceRecord, Snapshot
from projections.shared_budgets import shared_budget


def decimal_of(fields: Mapping[str, Any], name: str) -> Decimal | None:
    text = fields.get(name)
    return None if text is None else Decimal(text)


def instant_in(fields: Mapping[str, Any], name: str) -> datetime | None:
    text = fields.get(name)
    return None if text is None else datetime.fromisoformat(text)


def budget_view(snapshot: Snapshot, scope: Scope, budget_id: str, now: datetime) -> BudgetView | None:
    budget = shared_budget(budget_id, snapshot.budget_facts(scope, budget_id), now)
    if budget is None:
        return None
    fields = budget.fields
    return BudgetView(
        position=snapshot.point().position,
        id=budget_id,
        created_at=budget.created_at,
        updated_at=budget.updated_at,
        name=fields.get("name"),
        period_limit_usd=decimal_of(fields, "period_limit_usd"),
        total_limit_usd=decimal_of(fields, "total_limit_usd"),
        soft_limit_usd=decimal_of(fields, "soft_limit_usd"),
        model_limits=fields.get("model_limits") or {},
        duration=fields.get("budget_duration"),
        alignment=fields.get("budget_alignment"),
        anchor=instant_in(fields, "budget_anchor"),
        requests_per_minute=fields.get("requests_per_minute"),
        tokens_per_minute=fields.get("tokens_per_minute"),
        parallel_requests_max=fields.get("parallel_requests_max"),
    )


def meter_of(snapshot: Snapshot, scope: Scope, code: str, now: datetime) -> MeterView | None:
    """A built-in or a custom meter."""
    position = snapshot.point().position
    if code in BUILT_IN_METERS:
        return built_in_meter(code, position)
    meter = meter_view(code, snapshot.meter_facts(scope, code), now)
    if meter is None:
        return None
    return MeterView(
        position=position,
        code=code,
        event_type=meter.event_type,
        aggregation=meter.aggregation,
        value_property=meter.value_property,
        group_by=dict(meter.group_by),
        name=meter.name,
        description=meter.description,
        built_in=False,
        created_at=meter.created_at,
        updated_at=meter.updated_at,
    )


def built_in_meter(code: str, position: int) -> MeterView:
    return MeterView(
        position=position,
        code=code,
        event_type="llm.request",
        aggregation="count" if code == "requests" else "sum",
        value_property=None if code == "requests" else code,
        group_by={},
        name=None,
        description=None,
        built_in=True,
        created_at=None,
        updated_at=None,
    )


def present(view: Any, what: str, name: str) -> Any:
    """`view`, or 404."""
    if view is None:
        raise Problem("not_found", f"{what} {name!r} does not exist")
    return view


def unit_prices_view(prices: UnitPrices) -> UnitPricesView:
    return UnitPricesView(
        input=prices.input,
        output=prices.output,
        cached_input=prices.cached_input,
        cache_write=prices.cache_write,
        reasoning=prices.reasoning,
        request=prices.request,
    )


def price_view(price: PriceRecord) -> PriceView:
    return PriceView(
        position=price.position,
        origin="list" if price.scope is None else "own",
        provider=price.provider,
        model=price.model,
        versions=[_version_view(version) for version in price.versions],
        library=price.library,
        recorded_at=price.recorded_at,
        actor=price.actor,
    )


def _version_view(version: PriceVersion) -> PriceVersionView:
    tiers = [
        PriceTierView(input_tokens_above=tier.input_tokens_above, unit_prices=unit_prices_view(tier.prices))
        for tier in version.tiers
    ]
    return PriceVersionView(
        effective_from=version.effective_from, unit_prices=unit_prices_view(version.prices), tiers=tiers
    )
