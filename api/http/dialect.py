"""The port of a dialect: an API for the clients of one product, as one object. The native API is one, too.

`create_app` takes a list of them. What every request needs is looked up by the dialect that its path belongs to:

1. `authentication.py` reads the key by `key_given`, then checks it and its scope.
2. `bodies.py` checks the media type against `media_types`, then decodes and validates the body.
3. `error_mapping.py` answers every exception, whoever raised it, by `render`.

By its name, `GET /v1/customers/{id}/access?as=NAME` finds `answer_access`, and `/docs/NAME` the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.http.problems import Problem
from consumers.settings import Settings
from projections.views.budget_state import Access


class Refusal(Exception):
    """Ends a request of a dialect with this status and JSON body, in place of a problem that it would render."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The HTTP response."""
        return Response(msgspec.json.encode(self.body), self.status, self.headers, "application/json")


def joined_router(routers: Iterable[APIRouter]) -> APIRouter:
    """One router with the routes of all these, in their order.

    They are the same objects, made once: to include a router makes every route of it anew, in each application.
    """
    return APIRouter(routes=[route for router in routers for route in router.routes])


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One API: its paths, its routes, and everything that its clients can tell from another one's."""

    #: Its name in `access?as=` and below /docs, and in errors that list names.
    name: str
    #: The product, as people write it.
    title: str
    #: What its clients add to the engine's address to get their base URL; empty for the root.
    base_path: str
    #: The paths that belong to it, each with everything below it. The longest path that fits decides.
    paths: tuple[str, ...]
    #: Its routes, with their whole paths.
    router: APIRouter
    #: The media types of bodies that it reads as JSON; empty for any.
    media_types: tuple[str, ...] = ()
    #: The secret of the API key that a request has, None for none. May raise `Refusal` for what can be no key of it.
    key_given: Callable[[Request], str | None]
    #: The response to a problem of a request with this path. It must tell no more than the problem does.
    render: Callable[[Problem, str], Response]
    #: The answer to an access decision, for the model asked about (None: any); None: answered as the native API does.
    answer_access: Callable[[Access, str | None, Settings], Response | None]
    #: The path of its OpenAPI document.
    openapi_path: str
    #: Builds that document, of plain JSON values.
    openapi: Callable[[], dict[str, Any]]

    def owns(self, path: str) -> int:
        """How many characters of a request's path make it this dialect's; -1 when it is not."""
        fitting = (len(own) for own in self.paths if path == own or path.startswith(own + "/"))
        return max(fitting, default=-1)


class Pages(msgspec.Struct, frozen=True, kw_only=True):
    """Pages for people below one path, which is no API: what fails there is answered with a page, too."""

    #: Everything below it belongs to the pages.
    path: str
    #: The response to a problem of a request for one of them.
    render: Callable[[Problem], Response]

    def owns(self, path: str) -> bool:
        """Whether a request's path is one of the pages."""
        return path.startswith(self.path + "/")


class Dialects:
    """The dialects of an application, the native API first. A path that none of the others owns is the native API's."""

    def __init__(self, native: Dialect, others: Sequence[Dialect], pages: Sequence[Pages] = ()) -> None:
        """`ValueError` when two have the same name or path."""
        self._native = native
        self._others = tuple(others)
        self._pages = tuple(pages)
        for taken in ([one.name for one in self], [path for one in self for path in one.paths]):
            if len(set(taken)) < len(taken):
                raise ValueError(f"each dialect needs its own name and paths: {', '.join(taken)}")

    def __iter__(self) -> Iterator[Dialect]:
        return iter((self._native, *self._others))

    def named(self, name: str | None) -> Dialect | None:
        """The dialect of this name, the native API for None; None when there is no such dialect."""
        return self._native if name is None else next((one for one in self if one.name == name), None)

    def of(self, path: str) -> Dialect:
        """The dialect that a request's path belongs to."""
        found = max(self._others, key=lambda one: one.owns(path), default=self._native)
        return found if found.owns(path) >= 0 else self._native

    def render(self, problem: Problem, path: str) -> Response:
        """The response to a problem of a request with this path."""
        for pages in self._pages:
            if pages.owns(path):
                return pages.render(problem)
        return self.of(path).render(problem, path)
