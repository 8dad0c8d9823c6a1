"""Options of an intake."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import msgspec

from domain.usage.block_schema import BLOCK_EVENTS_MAX
from domain.usage.decoding.single_event import EVENT_BYTES_MAX
from domain.usage.rules import FUTURE_TOLERANCE

#: A large request is decoded in slices of at most so many events and bytes; other requests have their turn in between.
SLICE_EVENTS_MAX: Final = 1_000
SLICE_BYTES_MAX: Final = 256 * 1024
#: A request is large if it has more events than a slice, or more bytes than this.
WHOLE_BYTES_MAX: Final = 512 * 1024
#: A group with a part of a request, and with a small request, is appended as soon as it has so many slices.
SHARED_GROUP_SLICES: Final = 1
#: Events and bytes that share one append at most if a part of a large request is among them, for a lead of 1.
LARGE_GROUP_EVENTS_MAX: Final = 5_000
LARGE_GROUP_BYTES_MAX: Final = 2 * 1024 * 1024
#: While the fold is so many events or bytes behind, for a lead of 1, it gets no more of requests larger than a slice,
#: nor of a key that has so many events there.
UNFOLDED_EVENTS_MAX: Final = 10_000
UNFOLDED_BYTES_MAX: Final = 4 * 1024 * 1024
#: The lead is what the fold gets through in so many seconds, as it was lately, in multiples of these bounds; it is 1
#: at least and `LEAD_MAX` at most.
UNFOLDED_SECONDS_MAX: Final = 0.12
LEAD_MAX: Final = 1.5


class IntakeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of an intake: its name, the rules for events, and its bounds.

    `name` is the last part of the streams that the intake writes. A group is what shares one append: requests, or parts
    of larger ones. Pending requests wait to be appended.
    """

    name: str = "local"
    future_tolerance: timedelta = FUTURE_TOLERANCE
    event_bytes_max: int = EVENT_BYTES_MAX
    request_items_max: int = 100_000
    group_events_max: int = BLOCK_EVENTS_MAX
    group_bytes_max: int = 16 * 1024 * 1024
    pending_requests_max: int = 1_000
    pending_bytes_max: int = 256 * 1024 * 1024
    append_attempts_max: int = 5
