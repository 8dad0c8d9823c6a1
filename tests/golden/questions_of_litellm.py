"""Questions of LiteLLM's clients."""

from __future__ import annotations

from tests.golden.asked import Query, asked
from tests.golden.fixtures import Question
from tests.golden.history_of_customers import ACME

_SPAN = {"start_date": "2025-01-01", "end_date": "2025-05-31"}


def litellm_about(customer: str) -> list[Question]:
    """Questions about one customer."""
    return [asked("/customer/info", {"end_user_id": customer})]


def litellm_always() -> list[Question]:
    """Lists, asked at every moment."""
    return [
        asked("/budget/list"),
        asked("/customer/daily/activity", {**_SPAN, "page_size": "3"}),
        asked("/spend/logs/v2", {"page_size": "8"}),
    ]


def litellm_in_turns() -> list[Question]:
    """Filters, pages, other addresses of the same resources, and refused requests; asked in rotation."""
    activity: list[Query] = [
        {**_SPAN, "page_size": "1000"},
        {**_SPAN, "end_user_ids": "ada, lite own,a/b c%2F..", "page": "2", "page_size": "2"},
        {**_SPAN, "exclude_end_user_ids": "ada", "model": "gpt-4o"},
        {**_SPAN, "api_key": "hash"},
        {"start_date": "2025-01-01"},
        {"start_date": "2025-01-01", "end_date": "tomorrow"},
    ]
    logs: list[Query] = [
        {"end_user": "lite own"},
        {"model": "gpt-4o", "status_filter": "failure"},
        {**_SPAN, "sort_by": "spend", "sort_order": "desc", "page_size": "20"},
        {"sort_by": "total_tokens", "sort_order": "asc", "page": "2", "page_size": "10"},
        {"sort_by": "endTime", "api_key": "hash"},
        {"min_spend": "0.01", "max_spend": "0.5", "page_size": "100"},
        {"request_id": "chatcmpl-call-1"},
        {"page": "0"},
        {"start_date": "never"},
    ]
    listed: list[Query] = [{"page": "2", "page_size": "5"}, {"search": "LITE"}, {"page": "1", "search": "free"}]
    return [
        *(asked("/customer/daily/activity", query) for query in activity),
        *(asked("/spend/logs/v2", query) for query in logs),
        *(asked("/customer/list", query) for query in [*listed, {"page_size": "1000"}]),
        *(asked("/budget/settings", {"budget_id": one}) for one in ("free", "paid", "nothing")),
        *_elsewhere(),
    ]


def _elsewhere() -> list[Question]:
    return [
        asked("/end_user/info", {"end_user_id": "lite own"}),
        asked("/end_user/info", {"end_user_id": "nobody at all"}),
        asked("/end_user/list", {"search": "lite"}),
        asked("/end_user/daily/activity", {**_SPAN, "end_user_ids": "lite own"}),
        asked("/customer/info", {"end_user_id": "lite own"}, key=ACME),
        asked("/customer/info"),
        asked("/customer/info", {"end_user_id": "ada"}, key="reader"),
        asked("/customer/list", key=None),
        asked("/budget/list", key=ACME),
        asked("/budget/settings"),
        asked("/spend/logs/v2", key="reader"),
        asked("/spend/logs/v2", key="ingester"),
        asked("/customer/nothing"),
        asked("/health/liveliness", key=None),
    ]
