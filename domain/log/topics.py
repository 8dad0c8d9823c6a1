"""The topics of lifecycle events: the name under which the log stores each class.

A topic never changes, even if its class is renamed or moved. Usage batches have the topic `USAGE_BATCH_TOPIC`.
"""

from __future__ import annotations

from typing import Final

from domain.api_keys.events import KEY_ISSUED, KEY_REVOKED, ApiKeyIssued, ApiKeyRevoked
from domain.backfills.events import (
    BACKFILL_CANCELLED,
    BACKFILL_COMMITTED,
    BACKFILL_OPENED,
    BACKFILL_REVERTED,
    BackfillCancelled,
    BackfillCommitted,
    BackfillOpened,
    BackfillReverted,
)
from domain.budgets.events import (
    BUDGET_CREATED,
    BUDGET_DELETED,
    BUDGET_UPDATED,
    BudgetCreated,
    BudgetDeleted,
    BudgetUpdated,
)
from domain.commands.events import COMMAND_HONOURED, CommandHonoured
from domain.correction_runs.events import (
    CORRECTION_RUN_COMMITTED,
    CORRECTION_RUN_OPENED,
    CORRECTION_RUN_REVERTED,
    CorrectionRunCommitted,
    CorrectionRunOpened,
    CorrectionRunReverted,
)
from domain.corrections.events import (
    USAGE_AMENDED,
    USAGE_REPLACED,
    USAGE_RESTORED,
    USAGE_VOIDED,
    UsageAmended,
    UsageReplaced,
    UsageRestored,
    UsageVoided,
)
from domain.coupons.application_events import (
    APPLIED_COUPON_TERMINATED,
    COUPON_APPLIED,
    AppliedCouponTerminated,
    CouponApplied,
)
from domain.coupons.events import (
    COUPON_CREATED,
    COUPON_DELETED,
    COUPON_UPDATED,
    CouponCreated,
    CouponDeleted,
    CouponUpdated,
)
from domain.customers.events import (
    CUSTOMER_BLOCKED,
    CUSTOMER_CREATED,
    CUSTOMER_DEACTIVATED,
    CUSTOMER_DELETED,
    CUSTOMER_FACTS_CARRIED,
    CUSTOMER_REACTIVATED,
    CUSTOMER_UNBLOCKED,
    CUSTOMER_UPDATED,
    CustomerBlocked,
    CustomerCreated,
    CustomerDeactivated,
    CustomerDeleted,
    CustomerFactsCarried,
    CustomerReactivated,
    CustomerUnblocked,
    CustomerUpdated,
)
from domain.event import LifecycleEvent
from domain.log.events import LOG_CLOSINGS_ANNOUNCED, LOG_CREATED, LOG_SEALED, ClosingsAnnounced, LogCreated, LogSealed
from domain.meters.events import METER_CREATED, METER_DELETED, METER_UPDATED, MeterCreated, MeterDeleted, MeterUpdated
from domain.plans.events import PLAN_CREATED, PLAN_DELETED, PLAN_UPDATED, PlanCreated, PlanDeleted, PlanUpdated
from domain.portal.events import PORTAL_LINKS_REVOKED, PortalLinksRevoked
from domain.prices.events import DISCOUNT_SET, PRICE_LISTED, PRICE_SET, DiscountSet, PriceListed, PriceSet
from domain.repricings.events import (
    REPRICING_COMMITTED,
    REPRICING_OPENED,
    REPRICING_REVERTED,
    RepricingCommitted,
    RepricingOpened,
    RepricingReverted,
)
from domain.sources.events import (
    SOURCE_CONSUMED,
    SOURCE_OFFSETS_ACCEPTED,
    SOURCE_RECORDS_LOST,
    SOURCE_TRUNCATED,
    OffsetsAccepted,
    PartitionConsumed,
    PartitionTruncated,
    RecordsLost,
)
from domain.subscriptions.events import (
    SUBSCRIPTION_CREATED,
    SUBSCRIPTION_TERMINATED,
    SUBSCRIPTION_UPDATED,
    SubscriptionCreated,
    SubscriptionTerminated,
    SubscriptionUpdated,
)

LIFECYCLE_TOPICS: Final[dict[str, type[LifecycleEvent]]] = {
    CUSTOMER_CREATED: CustomerCreated,
    CUSTOMER_UPDATED: CustomerUpdated,
    CUSTOMER_BLOCKED: CustomerBlocked,
    CUSTOMER_UNBLOCKED: CustomerUnblocked,
    CUSTOMER_DEACTIVATED: CustomerDeactivated,
    CUSTOMER_REACTIVATED: CustomerReactivated,
    CUSTOMER_DELETED: CustomerDeleted,
    CUSTOMER_FACTS_CARRIED: CustomerFactsCarried,
    BUDGET_CREATED: BudgetCreated,
    BUDGET_UPDATED: BudgetUpdated,
    BUDGET_DELETED: BudgetDeleted,
    METER_CREATED: MeterCreated,
    METER_UPDATED: MeterUpdated,
    METER_DELETED: MeterDeleted,
    PLAN_CREATED: PlanCreated,
    PLAN_UPDATED: PlanUpdated,
    PLAN_DELETED: PlanDeleted,
    SUBSCRIPTION_CREATED: SubscriptionCreated,
    SUBSCRIPTION_UPDATED: SubscriptionUpdated,
    SUBSCRIPTION_TERMINATED: SubscriptionTerminated,
    PORTAL_LINKS_REVOKED: PortalLinksRevoked,
    COUPON_CREATED: CouponCreated,
    COUPON_UPDATED: CouponUpdated,
    COUPON_DELETED: CouponDeleted,
    COUPON_APPLIED: CouponApplied,
    APPLIED_COUPON_TERMINATED: AppliedCouponTerminated,
    KEY_ISSUED: ApiKeyIssued,
    KEY_REVOKED: ApiKeyRevoked,
    PRICE_LISTED: PriceListed,
    PRICE_SET: PriceSet,
    DISCOUNT_SET: DiscountSet,
    USAGE_VOIDED: UsageVoided,
    USAGE_RESTORED: UsageRestored,
    USAGE_AMENDED: UsageAmended,
    USAGE_REPLACED: UsageReplaced,
    CORRECTION_RUN_OPENED: CorrectionRunOpened,
    CORRECTION_RUN_COMMITTED: CorrectionRunCommitted,
    CORRECTION_RUN_REVERTED: CorrectionRunReverted,
    REPRICING_OPENED: RepricingOpened,
    REPRICING_COMMITTED: RepricingCommitted,
    REPRICING_REVERTED: RepricingReverted,
    BACKFILL_OPENED: BackfillOpened,
    BACKFILL_COMMITTED: BackfillCommitted,
    BACKFILL_REVERTED: BackfillReverted,
    BACKFILL_CANCELLED: BackfillCancelled,
    COMMAND_HONOURED: CommandHonoured,
    SOURCE_CONSUMED: PartitionConsumed,
    SOURCE_RECORDS_LOST: RecordsLost,
    SOURCE_TRUNCATED: PartitionTruncated,
    SOURCE_OFFSETS_ACCEPTED: OffsetsAccepted,
    LOG_CREATED: LogCreated,
    LOG_SEALED: LogSealed,
    LOG_CLOSINGS_ANNOUNCED: ClosingsAnnounced,
}
