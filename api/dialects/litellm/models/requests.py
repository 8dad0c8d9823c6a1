"""What LiteLLM's clients send. Members that are not known are ignored, as they are there."""

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


class Given(BaseModel):
    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    @property
    def given(self) -> dict[str, Any]:
        """The members that were sent, null or not."""
        return self.model_dump(exclude_unset=True)


class ModelBudget(Given):
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


class BudgetFields(Given):
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
    """A budget that customers can name."""


class BudgetRequest(Given):
    budgets: Ids


class BudgetDeleteRequest(Given):
    id: str


class CustomerFields(BudgetFields):
    """An empty `budget_id` is one that was not sent."""

    user_id: str
    alias: str | None = None
    allowed_model_region: Region | None = None
    allowed_region: Region | None = Field(None, description="Another name of allowed_model_region.")
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
    """A customer, and a budget of its own or the id of one that exists."""

    blocked: bool = False
    spend: Usd | None = Field(None, description="Spent before, counted at creation.")

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        if self.max_budget is not None and self.budget_id is not None:
            raise ValueError("Set either 'max_budget' or 'budget_id', not both.")
        return self


class UpdateCustomerRequest(CustomerFields):
    """What is left out, or null, stays as it is; `budget_id: null` takes the customer off its budget."""

    blocked: bool | None = None


class BlockUsers(Given):
    user_ids: Ids


class DeleteCustomerRequest(Given):
    user_ids: Ids


class InfoQuery(Given):
    end_user_id: str


class ListQuery(Given):
    page: int = Field(1, ge=1, le=PAGE_MAX)
    page_size: int = Field(PAGE_SIZE_DEFAULT, ge=1, le=PAGE_SIZE_MAX)
    search: str | None = Field(None, max_length=1_000, description="Contained in the id or the alias, in any case.")


class BudgetQuery(Given):
    budget_id: str
