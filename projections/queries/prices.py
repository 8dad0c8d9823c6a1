"""The price record that a snapshot returns."""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.prices.schedule import PriceVersion
from domain.scope import Scope


class PriceRecord(msgspec.Struct, frozen=True):
    """The price versions that one log record set for a model. `scope` None: a list price, valid for every scope."""

    position: int
    scope: Scope | None
    provider: str
    model: str
    versions: tuple[PriceVersion, ...]
    library: str | None
    recorded_at: datetime
    actor: str
