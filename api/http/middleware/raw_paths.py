"""Addresses that may hold anything: routes match on the raw path, and a segment is decoded exactly once.

The path that routing sees is the raw path in one spelling (every byte percent-encoded that is not unreserved), so
`%2F` inside an id stays data. `{id:segment}` in a route decodes one segment. The same middleware lets every
customer route be asked by `?customer=`: /v1/customer/usage?customer=ID is /v1/customers/ID/usage.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote, unquote_to_bytes

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.problems import Problem, ProblemShapes

BY_PATH: Final = "/v1/customers"
BY_QUERY: Final = "/v1/customer"


class SegmentConvertor(Convertor[str]):
    """One path segment, decoded once. What it decodes was encoded by `canonical_path`, so it cannot fail."""

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        return unquote(value)

    def to_string(self, value: str) -> str:
        return quote(value, safe="")


register_url_convertor("segment", SegmentConvertor())


def canonical_path(raw_path: bytes) -> str:
    """The path in one spelling, segments still apart. `Problem` when a segment is not percent-encoded UTF-8."""
    try:
        segments = [unquote_to_bytes(segment).decode() for segment in raw_path.split(b"/")]
    except UnicodeDecodeError:
        raise Problem("path_invalid", "a segment of the path is not percent-encoded UTF-8") from None
    return "/".join(quote(segment, safe="") for segment in segments)


def by_path(path: str, query: bytes) -> tuple[str, bytes]:
    """A customer address by query as the address by path, and the rest of the query; any other address as it is."""
    if path != BY_QUERY and not path.startswith(BY_QUERY + "/"):
        return path, query
    named: list[str] = []
    rest: list[bytes] = []
    for pair in query.split(b"&") if query else []:
        name, _, value = pair.partition(b"=")
        if unquote_to_bytes(name.replace(b"+", b" ")) == b"customer":
            named.append(_query_text(value))
        else:
            rest.append(pair)
    if len(named) != 1 or not named[0]:
        raise Problem.invalid("customer", "names one customer: ?customer=<id>")
    return f"{BY_PATH}/{quote(named[0], safe='')}{path[len(BY_QUERY) :]}", b"&".join(rest)


def _query_text(value: bytes) -> str:
    try:
        return unquote_to_bytes(value.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise Problem.invalid("customer", "is percent-encoded UTF-8") from None


class RawPathMiddleware:
    """Sets the path that routing sees; `raw_path` stays what came over the wire."""

    def __init__(self, app: ASGIApp, shapes: ProblemShapes) -> None:
        self._app = app
        self._shapes = shapes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raw_path = scope.get("raw_path") or quote(scope["path"]).encode()
            try:
                path = canonical_path(raw_path)
                scope["path"], scope["query_string"] = by_path(path, scope["query_string"])
            except Problem as problem:
                response = self._shapes.render(problem, raw_path.decode("ascii", "replace"))
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
