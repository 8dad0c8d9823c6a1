"""Commands are values: frozen, equal when they say the same, and silent about secrets."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.api_keys.commands import IssueApiKey, RevokeApiKey
from domain.backfills.backfill_range import BackfillRange
from domain.backfills.commands import (
    BackfillCommand,
    CancelBackfill,
    CommitBackfill,
    OpenBackfill,
    RevertBackfill,
)
from domain.budgets.budgeted_customers import (
    BudgetedChange,
    BudgetedCustomerCommand,
    BudgetOf,
    CreateBudgetedCustomer,
    UpdateBudgetedCustomer,
)
from domain.budgets.commands import BudgetCommand, CreateBudget, DeleteBudget, UpdateBudget, UpdateBudgetBy
from domain.command import AggregateCommand, Command, EffectiveDatedCommand, ScopedCommand
from domain.correction_runs.commands import (
    CommitCorrectionRun,
    CorrectionRunCommand,
    OpenCorrectionRun,
    RevertCorrectionRun,
)
from domain.correction_runs.event_filter import CorrectedEvents
from domain.corrections.commands import CorrectionCommand, ReplaceUsage, RestoreUsage, VoidUsage
from domain.coupons.applying import ApplyCoupon, CustomerCouponsCommand, TerminateAppliedCoupon
from domain.coupons.commands import CouponCommand, CreateCoupon, DeleteCoupon, UpdateCoupon
from domain.customers.commands import (
    BlockCustomer,
    CreateCustomer,
    CustomerCommand,
    DeactivateCustomer,
    DeleteCustomer,
    DeleteCustomers,
    ExistingCustomerCommand,
    ReactivateCustomer,
    UnblockCustomer,
    UpdateCustomer,
)
from domain.event import Provenance
from domain.log.amendments import AmendUsage
from domain.log.commands import AnnounceClosings, SealLog
from domain.meters.commands import CreateMeter, DeleteMeter, MeterCommand, UpdateMeter
from domain.plans.commands import CreatePlan, DeletePlan, PlanCommand, UpdatePlan
from domain.portal.commands import RevokePortalLinks
from domain.prices.commands import PriceRuleCommand, SetDiscount, SetPrice
from domain.prices.own_price import OwnPrice
from domain.prices.schedule import UnitPrices
from domain.repricings.commands import CommitRepricing, OpenRepricing, RepricingCommand, RevertRepricing
from domain.repricings.repricing_range import RepricingRange
from domain.scope import DEFAULT_SCOPE
from domain.subscriptions.commands import (
    CreateSubscription,
    SubscriptionCommand,
    TerminateSubscription,
    UpdateSubscription,
)
from domain.usage.amending.patches import EventPatch
from domain.usage.decoding.decoder import DecodingContext
from tests.fakes.randomness import CountedRandomness

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WHO = (DEFAULT_SCOPE, Provenance("key_1", "native", "asked"))
#: Classes that other commands have in common.
BASES = {
    AggregateCommand,
    BackfillCommand,
    BudgetCommand,
    BudgetedCustomerCommand,
    CorrectionCommand,
    CorrectionRunCommand,
    CouponCommand,
    CustomerCouponsCommand,
    CustomerCommand,
    RepricingCommand,
    EffectiveDatedCommand,
    ExistingCustomerCommand,
    MeterCommand,
    PlanCommand,
    PriceRuleCommand,
    ScopedCommand,
    SubscriptionCommand,
}


def decide(customer: Any, budget_of: BudgetOf) -> BudgetedChange:
    return BudgetedChange()


def no_change(fields: Any) -> dict[str, Any]:
    return {}


COMMANDS: list[Command[Any]] = [
    CreateCustomer(*WHO, "acme", {"name": "Ada"}, effective_at=NOW),
    UpdateCustomer(*WHO, "acme", {"name": None}, active=True, seen_at=NOW),
    BlockCustomer(*WHO, "acme"),
    UnblockCustomer(*WHO, "acme"),
    DeactivateCustomer(*WHO, "acme"),
    ReactivateCustomer(*WHO, "acme"),
    DeleteCustomer(*WHO, "acme"),
    DeleteCustomers(*WHO, {"acme": NOW}),
    CreateBudgetedCustomer(*WHO, "acme", decide),
    UpdateBudgetedCustomer(*WHO, "acme", decide),
    CreateBudget(*WHO, "gold", {"name": "Gold"}),
    UpdateBudget(*WHO, "gold", {"name": None}),
    UpdateBudgetBy(*WHO, "gold", no_change),
    DeleteBudget(*WHO, "gold"),
    CreateMeter(*WHO, "images", {"event_type": "image.made"}),
    UpdateMeter(*WHO, "images", {"name": "Images"}),
    DeleteMeter(*WHO, "images"),
    CreatePlan(*WHO, "startup", {"interval": "monthly", "currency": "USD"}),
    UpdatePlan(*WHO, "startup", {"name": "Startup"}),
    DeletePlan(*WHO, "startup"),
    CreateSubscription(*WHO, "sub-acme", {"customer": "acme", "plan": "startup"}, effective_at=NOW),
    UpdateSubscription(*WHO, "sub-acme", {"plan": "growth"}),
    TerminateSubscription(*WHO, "sub-acme"),
    CreateCoupon(*WHO, "welcome", {"percentage": "5", "frequency": "once"}),
    UpdateCoupon(*WHO, "welcome", {"name": "Welcome"}),
    DeleteCoupon(*WHO, "welcome"),
    ApplyCoupon(*WHO, "acme", code="welcome", effective_at=NOW),
    TerminateAppliedCoupon(*WHO, "acme", 1),
    RevokePortalLinks(*WHO, "acme"),
    SetPrice(*WHO, "openai", "gpt-5", OwnPrice(None, UnitPrices(Decimal(1), Decimal(4)))),
    SetDiscount(*WHO, Decimal("12.5"), NOW, "openai", "gpt-5", customer_id="acme"),
    VoidUsage(*WHO, "gateway", "e-1"),
    RestoreUsage(*WHO, "gateway", "e-1"),
    AmendUsage(*WHO, "gateway", "e-1", {"id": "e-1"}, EventPatch({"input_tokens": 1}), DecodingContext(WHO[0], 7, NOW)),
    ReplaceUsage(*WHO, (65536,), (131072,)),
    OpenCorrectionRun(*WHO, "a test key", "void", CorrectedEvents(sources=("load-test",))),
    CommitCorrectionRun(*WHO, "a test key", 7),
    RevertCorrectionRun(*WHO, "a test key"),
    OpenRepricing(*WHO, "wrong price", RepricingRange(("gpt-5",))),
    CommitRepricing(*WHO, "wrong price", 7),
    RevertRepricing(*WHO, "wrong price"),
    OpenBackfill(*WHO, "lost", BackfillRange(NOW, NOW + timedelta(hours=6), ("acme",)), "replace"),
    CommitBackfill(*WHO, "lost", 7, 2),
    RevertBackfill(*WHO, "lost"),
    CancelBackfill(*WHO, "lost"),
    IssueApiKey(*WHO, ("admin",), secret="sk-secret-of-the-operator"),
    RevokeApiKey(*WHO, "key_2"),
    SealLog(7, b"hash"),
    AnnounceClosings(NOW),
]


def classes(of: type[Any] = Command) -> Iterator[type[Any]]:
    for one in of.__subclasses__():
        yield one
        yield from classes(one)


def test_every_command_is_looked_at_here() -> None:
    assert {type(command) for command in COMMANDS} == set(classes()) - BASES


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_a_command_is_a_frozen_value(command: Command[Any]) -> None:
    for field in command.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(command, field, None)
    assert deepcopy(command) == command
    assert [other for other in COMMANDS if other == command] == [command]


def test_a_secret_is_not_shown() -> None:
    given = IssueApiKey(*WHO, ("admin",), secret="sk-secret-of-the-operator")
    drawn = IssueApiKey(*WHO, ("admin",)).with_randomness(CountedRandomness())
    assert drawn.secret is not None
    for command in (given, drawn):
        assert "sk-" not in repr(command) + str(command)
