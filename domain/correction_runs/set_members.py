"""What a correction run sets in the events of its filter, and the rules for it.

Only members whose meaning is one plain value of an event: each release sets the same from the same record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from domain.correction_runs.event_filter import tag
from domain.errors import InvalidInput
from domain.values.field_rules import model_name
from domain.values.identifiers import checked_id

#: Events that one run amends, at most: each is read and priced by the fold in one step.
AMENDED_EVENTS_MAX: Final = 1_000_000
#: Of tags to add and of tags to remove each.
SET_TAGS_MAX: Final = 20
#: What the name of a member begins with that is one tag.
TAG: Final = "tag:"


class SetMembers(msgspec.Struct, frozen=True):
    """Members to set; None or empty: it stays as it is.

    `model` and `provider` are set in requests alone; `provider` "" removes it. `customer` is set in events that name
    their customer, not in those that have the customer of their subscription. Of tags, each event keeps its others.
    """

    model: str | None = None
    provider: str | None = None
    customer: str | None = None
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What is set: `model`, `provider` and `customer`, and each tag as `TAG` and its text."""
        single = (("model", self.model), ("provider", self.provider), ("customer", self.customer))
        tags = (f"{TAG}{one}" for one in (*self.add_tags, *self.remove_tags))
        return (*(name for name, value in single if value is not None), *tags)


def checked_members(asked: SetMembers | None) -> SetMembers:
    """Return the members without repetitions; `InvalidInput`, with names as on the wire, for a broken rule."""
    if asked is None or asked == SetMembers():
        raise InvalidInput("set", "must name at least one member to amend")
    both = set(asked.add_tags) & set(asked.remove_tags)
    if both:
        raise InvalidInput("set.remove_tags", f"must not have {min(both)!r}, which is to be added")
    return SetMembers(
        _checked("set.model", asked.model, model_name),
        asked.provider and _checked("set.provider", asked.provider, model_name),
        _checked("set.customer", asked.customer, checked_id),
        _checked_tags("set.add_tags", asked.add_tags),
        _checked_tags("set.remove_tags", asked.remove_tags),
    )


def _checked(field: str, value: str | None, rule: Callable[[str, str], str]) -> str | None:
    return None if value is None else rule(field, value)


def _checked_tags(field: str, tags: tuple[str, ...]) -> tuple[str, ...]:
    if len(tags) > SET_TAGS_MAX:
        raise InvalidInput(field, f"must be at most {SET_TAGS_MAX}")
    return tuple(dict.fromkeys(tag(f"{field}.{index}", one) for index, one in enumerate(tags)))
