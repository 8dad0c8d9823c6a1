"""Routing on the raw path, so that ids in a path may hold any character and are decoded exactly once.

The path that routing sees is the raw path in canonical form: every byte that is not unreserved is percent-encoded, so
`%2F` inside an id stays data. `{id:segment}` in a route decodes one segment, `{id:segments}` several, for clients that
do not escape the slashes in an id. The same middleware maps the customer routes with a query to those with a path:
/v1/customer/usage?customer=ID is /v1/customers/ID/usage.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote, unquote_to_bytes

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.dialect import Dialects
from api.http.problems import Problem

#: The name of the type of a route parameter that may hold unescaped slashes.
SEGMENTS: Final = "segments"
BY_PATH: Final = "/v1/customers"
BY_QUERY: Final = "/v1/customer"


class SegmentConvertor(Convertor[str]):
    """The route parameter type `segment`: one path segment, decoded once.

    Decoding cannot fail, as `canonical_path` encoded the segment.
    """

    regex = "[^/]+"

    def convert(self, value: str) -> str:
        """Decode the segment."""
        return unquote(value)

    def to_string(self, value: str) -> str:
        """Encode a value as one segment."""
        return quote(value, safe="")


class SegmentsConvertor(SegmentConvertor):
    """The route parameter type `segments`: an id whose slashes may be unescaped.

    It ends before a slash at the end of the path, where the route has one.
    """

    regex = ".+?"


register_url_convertor("segment", SegmentConvertor())
register_url_convertor(SEGMENTS, SegmentsConvertor())


def canonical_path(raw_path: bytes) -> str:
    """Return the path in canonical form; `Problem` 400 when a segment is not percent-encoded UTF-8."""
    try:
        segments = [unquote_to_bytes(segment).decode() for segment in raw_path.split(b"/")]
    except UnicodeDecodeError:
        raise Problem("path_invalid", "every segment of the path must be percent-encoded UTF-8") from None
    return "/".join(quote(segment, safe="") for segment in segments)


def by_path(path: str, query: bytes) -> tuple[str, bytes]:
    """Map /v1/customer...?customer=ID to /v1/customers/ID... and drop that parameter from the query.

    Any other path and query are returned as they are. `Problem` 422 unless exactly one customer is named.
    """
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
        raise Problem.invalid("customer", "must be given once and not be empty: ?customer=<id>")
    return f"{BY_PATH}/{quote(named[0], safe='')}{path[len(BY_QUERY) :]}", b"&".join(rest)


def _query_text(value: bytes) -> str:
    try:
        return unquote_to_bytes(value.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise Problem.invalid("customer", "must be percent-encoded UTF-8") from None


class RawPathMiddleware:
    """Replaces `path` in the ASGI scope by its canonical form; `raw_path` stays as it was received."""

    def __init__(self, app: ASGIApp, dialects: Dialects) -> None:
        self._app = app
        self._dialects = dialects

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "http":
            raw_path = scope.get("raw_path") or quote(scope["path"]).encode()
            try:
                path = canonical_path(raw_path)
                scope["path"], scope["query_string"] = by_path(path, scope["query_string"])
            except Problem as problem:
                response = self._dialects.render(problem, raw_path.decode("ascii", "replace"))
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)
