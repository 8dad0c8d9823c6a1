"""What a backfill would change, event by event, as its preview is made of it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec
import pyarrow as pa

from domain.backfills.backfill_range import BackfillMode, BackfillRange

#: Columns of `BackfillEffect.arriving` and `leaving`.
EFFECT_ROWS = pa.schema(
    [
        ("customer_id", pa.utf8()),
        ("type", pa.utf8()),
        ("model", pa.utf8()),
        ("time", pa.timestamp("us")),
        ("source", pa.utf8()),
        ("id", pa.utf8()),
        ("cost_usd", pa.decimal128(38, 12)),
        ("cost_origin", pa.utf8()),
        ("requests", pa.int64()),  # 0 of an event with a parent
    ]
)


class LoadedBackfill(NamedTuple):
    """An open backfill: its name, range and mode, and the position of its opening."""

    name: str
    range: BackfillRange
    mode: BackfillMode
    opened_position: int


class EventName(msgspec.Struct, frozen=True):
    """An event by its source and id, with its customer and time."""

    source: str
    id: str
    customer_id: str | None
    time: datetime


class BackfillEffect(msgspec.Struct, frozen=True, eq=False):
    """What a commit would do at log position `position`.

    `arriving` and `leaving` are `EFFECT_ROWS` of events that would hold, and that hold and would be withdrawn; voided
    ones are in neither. `counted`, `duplicate` and `conflict`: what would become of the loaded events. `withdrawn`:
    events that would be, voided ones too. `missing`: those of them whose identity the loaded events have not, of which
    `missing_events` are the first. `late`: live events of the range that came after the opening.
    """

    position: int
    counted: int
    duplicate: int
    conflict: int
    withdrawn: int
    missing: int
    missing_events: tuple[EventName, ...]
    late: int
    arriving: pa.Table
    leaving: pa.Table
