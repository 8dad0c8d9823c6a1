"""Every dependency of a route is async, so that no request is handed to a thread before its route is reached."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import iscoroutinefunction
from typing import Final

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from api.app import ROUTERS
from api.dialects.litellm.routes import budgets, customers, logs, spend_logs
from api.dialects.litellm.routes import customer_list as listing
from api.dialects.litellm.routes import daily_activity as activity

LITELLM: Final[tuple[APIRouter, ...]] = (
    customers.customer_routes("/customer"),
    customers.blocking_routes("/customer"),
    listing.listing_routes("/customer"),
    activity.activity_routes("/customer"),
    budgets.router,
    spend_logs.router,
    logs.router,
)


def dependencies_of(dependant: Dependant) -> Iterator[Dependant]:
    for one in dependant.dependencies:
        yield one
        yield from dependencies_of(one)


def is_async(call: object) -> bool:
    """Whether a function, or the `__call__` of an object, is async."""
    return iscoroutinefunction(call) or iscoroutinefunction(type(call).__dict__.get("__call__"))


def test_every_dependency_of_every_route_is_async() -> None:
    routes = [route for router in (*ROUTERS, *LITELLM) for route in router.routes if isinstance(route, APIRoute)]
    found = [(route.path, one) for route in routes for one in dependencies_of(route.dependant)]
    assert {path for path, _ in found} >= {"/v1/events", "/metrics", "/customer/info", "/budget/list"}
    assert [path for path, one in found if not is_async(one.call)] == []
