"""The member `meta` of lists, as `paging.py` writes it, for the OpenAPI document."""

from __future__ import annotations

from pydantic import BaseModel


class PaginationMeta(BaseModel):
    """Where a page stands in its list."""

    current_page: int
    next_page: int | None
    prev_page: int | None
    total_pages: int
    total_count: int
