"""Locators: integers that identify a received event by the log position of its block and its row in it."""

from __future__ import annotations

from typing import Final

LOCATOR_ROW_BITS: Final = 16


def locator_of(position: int, row: int) -> int:
    """Return the locator of a row in the block at a log position."""
    return position << LOCATOR_ROW_BITS | row


def position_of(locator: int) -> int:
    """The log position of the block that a locator points into."""
    return locator >> LOCATOR_ROW_BITS


def row_of(locator: int) -> int:
    """The row in the block that a locator points to."""
    return locator & ((1 << LOCATOR_ROW_BITS) - 1)
