"""The names that fields of requests have on the command line, for messages.

A problem names a field as HTTP does: `models.0`, `previewed_at`. A user gave `--model` or `--previewed-at`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

#: The header of a reason, which most requests have no member for.
REASON_HEADER: Final = "X-Meterfold-Reason"
_SET: Final = "set"
#: The data of an event, of which `--set` gives a member.
_DATA: Final = "data"
#: Where a rule names another field: `must be after from`.
_OTHER_FIELD: Final = re.compile(r"\b(after|than|with|or) ([a-z_]{2,})\b")


class FieldNames:
    """The options and arguments of a command, by the names of fields that they give, such as `from`: `--from`."""

    def __init__(self, given: Mapping[str, str] | None = None) -> None:
        self._given = {REASON_HEADER: "--reason", **(given or {})}

    def of(self, field: str) -> str:
        """Return what gives a field: the option of a list for `models.0`, `--set NAME` for what no option gives."""
        head, _, rest = field.partition(".")
        if head == _DATA and rest and _SET in self._given:
            return f"--set {rest}"
        listed = rest.partition(".")[0]
        if head == _SET and listed.endswith("s") and listed[:-1] in self._given:
            return self._given[listed[:-1]]  # `set.add_tags.0`
        for name in (head, head.removesuffix("s")):
            if name in self._given:
                inner = "" if rest.isdigit() else rest
                return f"{self._given[name]} {inner}".rstrip()
        if rest in self._given:  # `unit_prices.input`
            return self._given[rest]
        return f"--set {field}" if _SET in self._given else field

    def in_rule(self, rule: str) -> str:
        """Return a rule with the other fields that it names as they are given."""
        return _OTHER_FIELD.sub(lambda found: f"{found[1]} {self._given.get(found[2], found[2])}", rule)
