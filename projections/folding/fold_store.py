"""Values that a projector hands to the store that it folds into."""

from __future__ import annotations

from datetime import datetime

import msgspec


class SourceMoved(msgspec.Struct, frozen=True):
    """What one record says of a partition: from where to go on, and how much more was lost and refused."""

    stream: str
    topic: str
    partition: int
    next_offset: int
    position: int
    recorded_at: datetime
    records_lost: int = 0
    commands_refused: int = 0
