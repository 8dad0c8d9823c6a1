"""Prices as a snapshot answers them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from domain.prices.schedule import PriceVersion
from domain.scope import Scope


class PriceRecord(msgspec.Struct, frozen=True):
    """`scope` None: a list price."""

    position: int
    scope: Scope | None
    provider: str
    model: str
    versions: tuple[PriceVersion, ...]
    library: str | None
    recorded_at: datetime
    actor: str
