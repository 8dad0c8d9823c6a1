"""Every dependency of a route is async, so that no request is handed to a thread before its route is reached."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import iscoroutinefunction

from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from api.dialects.lago.dialect import LAGO
from api.dialects.litellm.dialect import LITELLM
from api.dialects.promptshuttle.dialect import PROMPTSHUTTLE
from api.dialects.respan.dialect import RESPAN
from api.native.dialect import NATIVE


def dependencies_of(dependant: Dependant) -> Iterator[Dependant]:
    for one in dependant.dependencies:
        yield one
        yield from dependencies_of(one)


def is_async(call: object) -> bool:
    """Whether a function, or the `__call__` of an object, is async."""
    return iscoroutinefunction(call) or iscoroutinefunction(type(call).__dict__.get("__call__"))


def test_every_dependency_of_every_route_is_async() -> None:
    dialects = (NATIVE, LAGO, LITELLM, PROMPTSHUTTLE, RESPAN)
    routes = [route for one in dialects for route in iter_route_contexts(one.router.routes)]
    found = [(route.path, one) for route in routes for one in dependencies_of(route.dependant)]
    assert {path for path, _ in found} >= {"/v1/events", "/metrics", "/customer/info", "/budget/list"}
    assert [path for path, one in found if not is_async(one.call)] == []
