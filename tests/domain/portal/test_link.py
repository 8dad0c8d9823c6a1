"""What a link to the portal is worth, at any time and whatever became of its customer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import InvalidInput
from domain.portal.link import LinkState, PortalLink, Standing, new_link
from domain.scope import DEFAULT_SCOPE

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
FIRST_LIFE = Standing(None, 0)
SECOND_LIFE = Standing(NOON - timedelta(days=1), 0)


def link(standing: Standing = FIRST_LIFE) -> PortalLink:
    return new_link(DEFAULT_SCOPE, "ada", standing, NOON)


def test_a_link_is_valid_for_twelve_hours() -> None:
    assert link().expires_at == NOON + timedelta(hours=12)


@pytest.mark.parametrize(
    ("hours", "standing", "state"),
    [
        (0, FIRST_LIFE, "valid"),
        (11.99, FIRST_LIFE, "valid"),
        (12, FIRST_LIFE, "expired"),
        (12, None, "expired"),
        (1, None, "gone"),
        (1, SECOND_LIFE, "gone"),
        (1, Standing(None, 17), "revoked"),
        (1, Standing(SECOND_LIFE.life_began_at, 17), "gone"),
    ],
)
def test_a_link_opens_the_portal_of_one_life_until_it_expires_or_is_revoked(
    hours: float, standing: Standing | None, state: LinkState
) -> None:
    assert link().state(NOON + timedelta(hours=hours), standing) == state


def test_a_link_made_after_a_revocation_is_valid_and_the_next_one_ends_it() -> None:
    made = link(Standing(None, 17))
    assert (made.state(NOON, Standing(None, 17)), made.state(NOON, Standing(None, 18))) == ("valid", "revoked")


@pytest.mark.parametrize("seconds", [59, 7 * 86_400 + 1])
def test_how_long_a_link_is_valid_has_bounds(seconds: int) -> None:
    with pytest.raises(InvalidInput, match="valid_seconds"):
        new_link(DEFAULT_SCOPE, "ada", FIRST_LIFE, NOON, seconds)
