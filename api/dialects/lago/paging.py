"""Pages of a list by number: `page`, `per_page`, and the member `meta` that tells where a page stands."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import Request

from projections.queries.snapshot import PAGE_ROWS_MAX

PER_PAGE_DEFAULT: Final = 100
#: Rows of a page, at most; one that asks for more gets so many.
PER_PAGE_MAX: Final = PAGE_ROWS_MAX
#: The last page that a request can name, so that rows to skip are counted in 64 bits.
PAGE_MAX: Final = 1_000_000_000


class Page:
    """A page that is asked for: numbered from 1, of so many rows."""

    def __init__(self, number: int = 1, per_page: int = PER_PAGE_DEFAULT) -> None:
        self.number = number
        self.per_page = per_page

    @property
    def offset(self) -> int:
        """How many rows come before it."""
        return (self.number - 1) * self.per_page

    def meta(self, total_count: int) -> dict[str, int | None]:
        """The member `meta` of a page of a list of so many rows. An empty list has no page: 0 of 0."""
        pages = -(-total_count // self.per_page)
        number = self.number if pages else 0
        return {
            "current_page": number,
            "next_page": number + 1 if 0 < number < pages else None,
            "prev_page": number - 1 if 1 < number <= pages else None,
            "total_pages": pages,
            "total_count": total_count,
        }


async def _page(request: Request) -> Page:
    """Read the page. A value that is no number from 1 on counts as absent, as in Lago."""
    number = positive_number(request.query_params.get("page"), 1, PAGE_MAX)
    return Page(number, positive_number(request.query_params.get("per_page"), PER_PAGE_DEFAULT, PER_PAGE_MAX))


def positive_number(text: str | None, default: int, largest: int) -> int:
    """Read a number from 1 to `largest`; `default` for what is none."""
    digits = (text or "").strip()
    if not (digits.isascii() and digits.isdigit()) or not digits.strip("0"):
        return default
    return largest if len(digits.lstrip("0")) > len(str(largest)) else min(int(digits), largest)


#: The page that a request asks for, as a parameter of a route.
PageAsked = Annotated[Page, Depends(_page)]

#: The two parameters in an OpenAPI document.
PAGE_PARAMETERS: Final[list[dict[str, Any]]] = [
    {"name": name, "in": "query", "required": False, "description": text, "schema": {"type": "integer"}}
    for name, text in (
        ("page", "Page number, from 1 on."),
        ("per_page", f"Rows of a page, {PER_PAGE_MAX} at most; {PER_PAGE_DEFAULT} by default."),
    )
]
