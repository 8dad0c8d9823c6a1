"""Values that the fold gives to its store for lifecycle events and for the progress of Kafka partitions.

Instants are aware and in UTC. The keys of scopes and customers are those of `FoldState`.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from domain.correction_runs.event_filter import CorrectedEvents
from domain.correction_runs.events import CorrectionAction
from domain.correction_runs.set_members import SetMembers
from domain.prices.price_list import PriceList
from domain.repricings.repricing_range import RepricingRange
from projections.folding.backfill_store import RawCost
from projections.pricing.rules import DiscountRule, PriceRule
from projections.queries.facts import Subject


class FactOwner(msgspec.Struct, frozen=True):
    """What a fact is about: a customer by its key, anything else by its id in the scope."""

    subject: Subject
    scope_key: int
    id: str | None
    customer_key: int | None = None


class NewFact(msgspec.Struct, frozen=True):
    """A lifecycle event of a customer, shared budget, meter, plan, subscription or coupon.

    `kind` is its topic ("customer.updated"). `fields` is a JSON object: a present key was set, or cleared if its value
    is null, or merged if it is in `patched`. Personal fields are decrypted, and absent once their key is destroyed.
    `if_known`: see `Fact`.
    """

    owner: FactOwner
    position: int
    effective_at: datetime
    recorded_at: datetime
    kind: str
    fields: dict[str, Any]
    actor: str
    dialect: str
    reason: str | None
    patched: tuple[str, ...] = ()
    if_known: bool = False


class NewCorrection(msgspec.Struct, frozen=True):
    """A void, a restoration or an amendment of the usage event with this source and id, which may not have arrived yet.

    `kind` is the topic: "usage.voided", "usage.restored" or "usage.amended".
    """

    scope_key: int
    source: str
    id: str
    kind: str
    position: int
    recorded_at: datetime
    actor: str
    reason: str | None


class NewAmendment(msgspec.Struct, frozen=True):
    """The amendment of the counted event at a locator, from `position` on: where its row is now, and was before.

    `content` is the digest of the amended event. `changed` is the JSON text of its `MemberChange`s.
    """

    scope_key: int
    locator: int
    position: int
    customer_key: int
    customer_key_before: int
    time: datetime
    content: int
    changed: str
    recorded_at: datetime


class NewReplacement(msgspec.Struct, frozen=True):
    """The replacement of `events` events at a position; see `replace_rows`."""

    scope_key: int
    position: int
    recorded_at: datetime
    actor: str
    reason: str | None
    events: int


class CustomerMove(msgspec.Struct, frozen=True):
    """The move of events to another customer at a position: that of the fact that tells it. See `move_rows`."""

    customer_key_before: int
    position: int
    recorded_at: datetime


class RowAmendment(msgspec.Struct, frozen=True):
    """The amendment of many events by a correction run, or its revert, at a position. See `amend_rows`."""

    position: int
    recorded_at: datetime


class MemberSetter(msgspec.Struct, frozen=True):
    """A correction run, by the position of its commit, and a member that it set (`SetMembers.names`)."""

    position: int
    member: str
    stands: bool


class NewRepricing(msgspec.Struct, frozen=True):
    """An event of a re-pricing run. `kind` is the topic; `range` that of an opening, `previewed_at` that of a commit.

    Of a commit or revert: `events` got another cost, and `difference_usd` is what their costs grew by.
    """

    scope_key: int
    name: str
    kind: str
    position: int
    recorded_at: datetime
    actor: str
    reason: str | None
    range: RepricingRange | None = None
    previewed_at: int | None = None
    events: int = 0
    difference_usd: Decimal = Decimal(0)


class NewCorrectionRun(msgspec.Struct, frozen=True):
    """An event of a correction run. `kind` is the topic; `action`, `filter` and `members` those of an opening.

    Of a commit: `action`, `members` and `previewed_at`. Of a commit or revert: `events` were voided, became valid again
    or were amended, `difference_usd` is what the costs of valid events grew by, and so many more of these have an
    unknown cost.
    """

    scope_key: int
    name: str
    kind: str
    position: int
    recorded_at: datetime
    actor: str
    reason: str | None
    action: CorrectionAction | None = None
    filter: CorrectedEvents | None = None
    members: SetMembers | None = None
    previewed_at: int | None = None
    events: int = 0
    difference_usd: Decimal = Decimal(0)
    cost_unknown_events: int = 0


class CorrectedRows(msgspec.Struct, frozen=True):
    """What a correction run changed: events, what their costs grew by, and series restored at unknown cost."""

    events: int
    difference: RawCost
    unknown_kinds: tuple[int, ...] = ()


class NewPrice(msgspec.Struct, frozen=True):
    """The price of one model. `scope_key` None: a list price, found in `library`, valid for every scope.

    `customer_id` and `life_began_at`: see `PriceRule`. A customer with a price need not have a key.
    """

    position: int
    scope_key: int | None
    provider: str
    model: str
    prices: PriceList
    library: str | None
    recorded_at: datetime
    actor: str
    customer_id: str | None = None
    life_began_at: datetime | None = None

    @property
    def rule(self) -> PriceRule:
        """The price as a price book takes it."""
        return PriceRule(self.position, self.provider, self.model, self.prices, self.customer_id, self.life_began_at)


class NewDiscount(msgspec.Struct, frozen=True):
    """A discount; see `DiscountRule`."""

    position: int
    scope_key: int
    customer_id: str | None
    life_began_at: datetime | None
    provider: str | None
    model: str | None
    percentage: Decimal
    effective_from: datetime | None
    recorded_at: datetime
    actor: str

    @property
    def rule(self) -> DiscountRule:
        """The discount as a price book takes it."""
        return DiscountRule(
            self.position,
            self.percentage,
            self.effective_from,
            self.provider,
            self.model,
            self.customer_id,
            self.life_began_at,
        )


class NewApiKey(msgspec.Struct, frozen=True):
    """An API key without its secret: `secret_hash` is the SHA-256 of the whole key, in hex.

    `environments`: where else in its tenant it is valid than in the environment of its scope.
    """

    key_id: str
    scope_key: int
    scopes: tuple[str, ...]
    prefix: str
    secret_hash: str
    name: str | None
    issued_at: datetime
    position: int
    environments: tuple[str, ...] = ()


class SourceProgress(msgspec.Struct, frozen=True):
    """Progress of one Kafka partition by one log record.

    `next_offset` is the offset to read next. `records_lost` and `commands_refused` are those of this record alone.
    """

    stream: str
    topic: str
    partition: int
    next_offset: int
    position: int
    recorded_at: datetime
    records_lost: int = 0
    commands_refused: int = 0
