"""A link to the portal of a customer: whose it is, how long it is valid, and what ends it before."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from domain.errors import InvalidInput
from domain.scope import Scope

VALID_SECONDS_DEFAULT: Final = 12 * 3600
VALID_SECONDS_MIN: Final = 60
VALID_SECONDS_MAX: Final = 7 * 86_400

LinkState = Literal["valid", "expired", "revoked", "gone"]


class Standing(msgspec.Struct, frozen=True):
    """What links to the portal of a customer that exists are held against.

    `life_began_at`: where its present life begins, None for the first one. `revoked_at`: the log position of the last
    revocation, 0 without one.
    """

    life_began_at: datetime | None
    revoked_at: int


class PortalLink(msgspec.Struct, frozen=True):
    """What a link says: the customer in one of its lives, and the revocation that came last before it was made.

    A revocation is known by its log position, not by its time, so that no clock decides which links it ends.
    """

    scope: Scope
    customer_id: str
    standing: Standing
    issued_at: datetime
    expires_at: datetime

    def state(self, now: datetime, standing: Standing | None) -> LinkState:
        """Whether the link opens the portal at `now`. `standing` None: the customer does not exist.

        Expired links are told first: of one it is not told what became of its customer.
        """
        if now >= self.expires_at:
            return "expired"
        if standing is None or standing.life_began_at != self.standing.life_began_at:
            return "gone"
        return "valid" if standing.revoked_at == self.standing.revoked_at else "revoked"


def new_link(
    scope: Scope, customer_id: str, standing: Standing, now: datetime, valid_seconds: int = VALID_SECONDS_DEFAULT
) -> PortalLink:
    """Return a link that is valid from now on; `InvalidInput` for a duration out of bounds."""
    if not VALID_SECONDS_MIN <= valid_seconds <= VALID_SECONDS_MAX:
        raise InvalidInput("valid_seconds", f"must be {VALID_SECONDS_MIN} to {VALID_SECONDS_MAX}")
    return PortalLink(scope, customer_id, standing, now, now + timedelta(seconds=valid_seconds))
