"""Models of responses for the dialect's OpenAPI document.

Routes make responses as plain objects; tests check those against these models.
"""

from __future__ import annotations

from datetime import date as day
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """Base of responses."""

    model_config = ConfigDict(protected_namespaces=())


class BudgetTable(Answer):
    """The budget in effect for a customer."""

    budget_id: str | None = None
    soft_budget: float | None = None
    max_budget: float | None = None
    max_parallel_requests: int | None = None
    tpm_limit: int | None = None
    rpm_limit: int | None = None
    tpd_limit: int | None = None
    model_max_budget: dict[str, Any] | None = None
    budget_duration: str | None = None
    allowed_models: list[str] | None = None
    temp_budget_increase: float | None = None
    temp_budget_expiry: datetime | None = None
    budget_reset_at: datetime | None = None
    created_at: datetime


class BudgetRow(BudgetTable):
    """A shared budget."""

    created_by: str
    updated_at: datetime
    updated_by: str


class CustomerResponse(Answer):
    """A customer with its budget."""

    user_id: str
    blocked: bool
    alias: str | None = None
    spend: float = 0.0
    allowed_model_region: Literal["eu", "us"] | None = None
    default_model: str | None = None
    models: list[str] = []
    budget_id: str | None = None
    litellm_budget_table: BudgetTable | None = None
    object_permission_id: str | None = None
    object_permission: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class BlockUsersResponse(Answer):
    """The customers that were blocked."""

    blocked_users: list[CustomerResponse]


class UnblockUsersResponse(Answer):
    """The ids that are still blocked."""

    blocked_users: list[str]


class DeleteCustomersResponse(Answer):
    """How many customers were deleted."""

    deleted_customers: int
    message: str


class SpendMetrics(Answer):
    """Sums of spend, tokens and requests."""

    spend: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    total_tokens: int = 0
    successful_requests: int = 0
    failed_requests: int = 0
    api_requests: int = 0


class MetricWithMetadata(Answer):
    """The sums of one name in a breakdown."""

    metrics: SpendMetrics
    metadata: dict[str, Any] = {}
    api_key_breakdown: dict[str, Any] = {}


class BreakdownMetrics(Answer):
    """Sums by model, provider, customer and so on."""

    mcp_servers: dict[str, MetricWithMetadata] = {}
    models: dict[str, MetricWithMetadata] = {}
    model_groups: dict[str, MetricWithMetadata] = {}
    providers: dict[str, MetricWithMetadata] = {}
    endpoints: dict[str, MetricWithMetadata] = {}
    api_keys: dict[str, MetricWithMetadata] = {}
    entities: dict[str, MetricWithMetadata] = {}
    guardrails: dict[str, Any] = {}


class DailySpendData(Answer):
    """Usage of one UTC day."""

    date: day
    metrics: SpendMetrics
    breakdown: BreakdownMetrics = BreakdownMetrics()


class DailySpendMetadata(Answer):
    """Totals over all pages, and the paging."""

    total_spend: float = 0.0
    total_prompt_tokens: int = 0
    total_completion_tokens: int = 0
    total_tokens: int = 0
    total_api_requests: int = 0
    total_successful_requests: int = 0
    total_failed_requests: int = 0
    total_cache_read_input_tokens: int = 0
    total_cache_creation_input_tokens: int = 0
    page: int = 1
    total_pages: int = 1
    has_more: bool = False


class SpendAnalyticsPaginatedResponse(Answer):
    """One page of daily usage."""

    results: list[DailySpendData]
    metadata: DailySpendMetadata = DailySpendMetadata()


class SpendLogs(Answer):
    """One page of requests."""

    data: list[dict[str, Any]]
    total: int
    page: int
    page_size: int
    total_pages: int
