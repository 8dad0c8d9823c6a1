"""The native API as a dialect: the one that every path belongs to which no other dialect owns."""

from __future__ import annotations

from typing import Any, Final

from api.http.authentication import bearer_or_header_key
from api.http.bodies import JSON
from api.http.dialect import Dialect, joined_router
from api.http.problems import native_problem_response
from api.native.openapi import openapi_document
from api.native.routes import (
    budgets,
    customers,
    discounts,
    events,
    health,
    intake,
    keys,
    meters,
    metrics,
    operations,
    plans,
    prices,
    repricings,
    sources,
    subscriptions,
    usage,
)
from api.native.routes.backfills import loading as backfill_loading
from api.native.routes.backfills import runs as backfills
from api.native.routes.correcting import replacements
from api.native.routes.correcting import runs as correction_runs
from api.native.routes.coupons import applied as applied_coupons
from api.native.routes.coupons import definitions as coupons
from api.native.routes.diff import differences
from api.native.routes.payments import checkout_links
from api.native.routes.portal import links as portal_links

_PARTS: Final = (
    intake,
    replacements,
    events,
    customers,
    checkout_links,
    usage,
    differences,
    meters,
    plans,
    subscriptions,
    coupons,
    applied_coupons,
    budgets,
    prices,
    repricings,
    correction_runs,
    backfills,
    backfill_loading,
    discounts,
    portal_links,
    keys,
    sources,
    operations,
    health,
    metrics,
)

_ROUTER: Final = joined_router(part.router for part in _PARTS)


def _openapi() -> dict[str, Any]:
    return openapi_document(_ROUTER.routes)


NATIVE: Final = Dialect(
    name="native",
    title="Native API",
    base_path="/v1",
    paths=(),
    router=_ROUTER,
    media_types=JSON,
    key_given=bearer_or_header_key,
    render=native_problem_response,
    answer_access=lambda access, model, settings: None,
    openapi_path="/openapi.json",
    openapi=_openapi,
)
