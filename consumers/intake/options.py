"""Options of an intake."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from domain.usage.block_schema import BLOCK_EVENTS_MAX
from domain.usage.decoding.single_event import EVENT_BYTES_MAX
from domain.usage.rules import FUTURE_TOLERANCE


class IntakeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of an intake: its name, the rules for events, and its bounds.

    `name` is the last part of the streams that the intake writes. A group is the requests that share one append; a
    request that is larger than the bounds of a group forms its own group. Pending requests wait to be appended.
    """

    name: str = "local"
    future_tolerance: timedelta = FUTURE_TOLERANCE
    event_bytes_max: int = EVENT_BYTES_MAX
    group_events_max: int = BLOCK_EVENTS_MAX
    group_bytes_max: int = 16 * 1024 * 1024
    pending_requests_max: int = 1_000
    pending_bytes_max: int = 256 * 1024 * 1024
    append_attempts_max: int = 5
