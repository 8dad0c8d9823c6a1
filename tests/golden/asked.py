"""Questions as they are built: a route, what stands in its path, and its query."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import quote, urlencode

from tests.golden.fixtures import Question

_PLACE = re.compile(r"\{[^}]*\}")
_BY_PATH = "/v1/customers/"
ONE = "/v1/customers/{customer_id:segment}"

Query = dict[str, str]
T = TypeVar("T")


def asked(route: str, query: Query | None = None, *, path: str | None = None, key: str | None = "admin") -> Question:
    """A question of a route; `path` stands in its one place."""
    target = route if path is None else _PLACE.sub(lambda _: quote(path, safe=""), route)
    return Question(route, target + ("?" + urlencode(query, quote_via=quote) if query else ""), key)


def by_query(question: Question) -> Question:
    """The same question about a customer by its other address, ?customer=."""
    path, _, query = question.target.removeprefix(_BY_PATH).partition("?")
    customer, slash, rest = path.partition("/")
    told = f"customer={customer}" + (f"&{query}" if query else "")
    return Question(question.route, f"/v1/customer{slash}{rest}?{told}", question.key)


def turns(found: Sequence[T], number: int, count: int) -> list[T]:
    """`count` of what was found, other ones for each number, so that after some numbers all had their turn."""
    return [found[(number * count + step) % len(found)] for step in range(min(count, len(found)))]
