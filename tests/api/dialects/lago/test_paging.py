"""Pages by number, and where each stands in its list."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request

from api.dialects.lago.paging import PAGE_MAX, Page, _page


def page_of(query: str) -> tuple[int, int]:
    asked = asyncio.run(_page(Request({"type": "http", "query_string": query.encode(), "headers": []})))
    return asked.number, asked.per_page


@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("", (1, 100)),
        ("page=3&per_page=20", (3, 20)),
        ("page=0&per_page=0", (1, 100)),
        ("page=-1&per_page=x", (1, 100)),
        ("page=&per_page=", (1, 100)),
        ("page=٣", (1, 100)),
        ("page=002", (2, 100)),
        ("per_page=5000", (1, 1000)),
        ("page=" + "9" * 5000, (PAGE_MAX, 100)),
    ],
)
def test_what_is_no_page_is_the_first_one(query: str, page: tuple[int, int]) -> None:
    assert page_of(query) == page


@pytest.mark.parametrize(
    ("page", "total", "meta"),
    [
        (Page(1, 20), 0, (0, None, None, 0, 0)),
        (Page(7, 20), 0, (0, None, None, 0, 0)),
        (Page(1, 20), 20, (1, None, None, 1, 20)),
        (Page(1, 20), 70, (1, 2, None, 4, 70)),
        (Page(2, 20), 70, (2, 3, 1, 4, 70)),
        (Page(4, 20), 70, (4, None, 3, 4, 70)),
        (Page(9, 20), 70, (9, None, None, 4, 70)),
    ],
)
def test_meta_tells_where_a_page_stands(page: Page, total: int, meta: tuple[int | None, ...]) -> None:
    assert tuple(page.meta(total).values()) == meta
    assert list(page.meta(total)) == ["current_page", "next_page", "prev_page", "total_pages", "total_count"]


def test_rows_before_a_page_are_skipped() -> None:
    assert [Page(number, 20).offset for number in (1, 2, 4)] == [0, 20, 60]
