"""Request bodies and queries of LiteLLM's clients. Unknown members are ignored, as LiteLLM ignores them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

IDS_MAX: Final = 10_000
PAGE_SIZE_DEFAULT: Final = 50
PAGE_SIZE_MAX: Final = 100
PAGE_MAX: Final = 1_000_000_000

_NUMBER: Final = WithJsonSchema({"type": "number"})
#: US dollars.
Usd = Annotated[Decimal, _NUMBER]
Count = Annotated[int, Field(ge=0)]
Region = Literal["eu", "us"]
Ids = Annotated[list[str], Field(max_length=IDS_MAX)]


class RequestFields(BaseModel):
    """Base of request bodies and queries."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    @property
    def sent_members(self) -> dict[str, Any]:
        """The members that were sent, null ones too."""
        return self.model_dump(exclude_unset=True)


class ModelBudget(RequestFields):
    """A budget for one model."""

    max_budget: Usd | None = None
    budget_duration: str | None = None
    tpm_limit: int | None = None
    rpm_limit: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_other_names(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        names = {"budget_limit": "max_budget", "time_period": "budget_duration"}
        return {names.get(name, name): member for name, member in value.items()}


class BudgetFields(RequestFields):
    """The members of a budget."""

    budget_id: str | None = Field(None, description="The unique budget id.")
    max_budget: Usd | None = Field(None, description="Requests will fail if this budget (in USD) is exceeded.")
    soft_budget: Usd | None = Field(
        None, description="Requests will NOT fail if this is exceeded. Will fire alerting though."
    )
    max_parallel_requests: Count | None = Field(None, description="Max concurrent requests allowed for this budget id.")
    tpm_limit: Count | None = Field(None, description="Max tokens per minute, allowed for this budget id.")
    rpm_limit: Count | None = Field(None, description="Max requests per minute, allowed for this budget id.")
    tpd_limit: Count | None = Field(
        None, description="Max tokens per day, charged by batch submissions, allowed for this budget id."
    )
    budget_duration: str | None = Field(
        None, description="Max duration budget should be set for (e.g. '1hr', '1d', '28d')"
    )
    model_max_budget: dict[str, ModelBudget] | None = Field(None, description="Max budget for each model")
    budget_reset_at: datetime | None = Field(None, description="Datetime when the budget is reset")


class BudgetNewRequest(BudgetFields):
    """The body of /budget/new and /budget/update: a budget that customers can refer to."""


class BudgetRequest(RequestFields):
    """The body of /budget/info."""

    budgets: Ids


class BudgetDeleteRequest(RequestFields):
    """The body of /budget/delete."""

    id: str


class CustomerFields(BudgetFields):
    """The members of a customer. An empty `budget_id` is treated as not sent."""

    user_id: str
    alias: str | None = None
    allowed_model_region: Region | None = None
    allowed_region: Region | None = Field(None, description="Another name of `allowed_model_region`.")
    default_model: str | None = None
    models: list[str] | None = None
    metadata: dict[str, Any] | None = None
    object_permission: dict[str, Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_empty_budget_id(cls, value: Any) -> Any:
        if not isinstance(value, dict) or value.get("budget_id") != "":
            return value
        return {name: member for name, member in value.items() if name != "budget_id"}


class NewCustomerRequest(CustomerFields):
    """The body of /customer/new: a customer, with a budget of its own or the id of an existing one."""

    blocked: bool = False
    spend: Usd | None = Field(None, description="USD spent elsewhere before; counted as spent at creation.")

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if self.max_budget is not None and self.budget_id is not None:
            raise ValueError("Set either 'max_budget' or 'budget_id', not both.")
        return self


class UpdateCustomerRequest(CustomerFields):
    """The body of /customer/update. A member that is absent or null stays; `budget_id: null` removes the budget."""

    blocked: bool | None = None


class BlockUsers(RequestFields):
    """The body of blocking and unblocking."""

    user_ids: Ids


class DeleteCustomerRequest(RequestFields):
    """The body of /customer/delete."""

    user_ids: Ids


class InfoQuery(RequestFields):
    """Query parameters of /customer/info."""

    end_user_id: str


class ListQuery(RequestFields):
    """Query parameters of /customer/list."""

    page: int = Field(1, ge=1, le=PAGE_MAX)
    page_size: int = Field(PAGE_SIZE_DEFAULT, ge=1, le=PAGE_SIZE_MAX)
    search: str | None = Field(
        None, max_length=1_000, description="Text that the id or the alias contains, ignoring case."
    )


class BudgetQuery(RequestFields):
    """Query parameters of /budget/settings."""

    budget_id: str
