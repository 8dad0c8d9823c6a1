"""Builders of questions from a route, its path parameter and its query."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import quote, urlencode

from tests.golden.fixtures import Question

_PATH_PARAMETER = re.compile(r"\{[^}]*\}")
_BY_PATH = "/v1/customers/"
ONE = "/v1/customers/{customer_id:segment}"

Query = dict[str, str]
T = TypeVar("T")


def asked(route: str, query: Query | None = None, *, path: str | None = None, key: str | None = "admin") -> Question:
    """A GET request to a route; `path` is the value of its only path parameter."""
    target = route if path is None else _PATH_PARAMETER.sub(lambda _: quote(path, safe=""), route)
    return Question(route, target + ("?" + urlencode(query, quote_via=quote) if query else ""), key)


def by_query(question: Question) -> Question:
    """The same question with the customer id in the query (`?customer=`) instead of the path."""
    path, _, query = question.target.removeprefix(_BY_PATH).partition("?")
    customer, slash, rest = path.partition("/")
    full_query = f"customer={customer}" + (f"&{query}" if query else "")
    return Question(question.route, f"/v1/customer{slash}{rest}?{full_query}", question.key)


def turns(found: Sequence[T], number: int, count: int) -> list[T]:
    """`count` items in rotation: each `number` takes the next ones, so that after some numbers every item was taken."""
    return [found[(number * count + step) % len(found)] for step in range(min(count, len(found)))]
