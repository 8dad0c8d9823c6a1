"""Which charges and groups a request for usage asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from starlette.datastructures import QueryParams

from projections.views.charging.charge_amounts import ChargeAmount, GroupAmount

_GROUP: Final = re.compile(r"(?:filter_by_)?group\[(.+)\]")
_GROUP_AS_JSON: Final = "filter_by_group"


class AskedUsage(msgspec.Struct, frozen=True):
    """One charge by its id or code, the charges of one metric, or all; and the values of the groups that count."""

    charge_id: str | None = None
    charge_code: str | None = None
    metric_code: str | None = None
    group: Mapping[str, str] = {}

    @property
    def is_all(self) -> bool:
        """Whether no charge is named."""
        return self.charge_id is None and self.charge_code is None and self.metric_code is None

    def has(self, one: ChargeAmount, lago_id: str) -> bool:
        """Whether a charge, whose id this is, is asked for."""
        return (
            self.charge_id in (None, lago_id)
            and self.charge_code in (None, one.charge.code)
            and self.metric_code in (None, one.charge.meter)
            and self.group.keys() <= set(one.charge.group_by)
        )

    def groups(self, one: ChargeAmount) -> Sequence[GroupAmount]:
        """The groups of a charge that have the values that are asked for."""
        return [group for group in one.groups if self._fits(dict(zip(one.charge.group_by, group.group, strict=True)))]

    def _fits(self, values: Mapping[str, str | None]) -> bool:
        return all(values.get(key) == value for key, value in self.group.items())


def asked_usage(query: QueryParams) -> AskedUsage:
    """Read the question from a query, in the present words and in those of before."""
    group = {named[1]: value for name, value in query.multi_items() if (named := _GROUP.fullmatch(name))}
    return AskedUsage(
        query.get("charge_id") or query.get("filter_by_charge_id"),
        query.get("charge_code") or query.get("filter_by_charge_code"),
        query.get("billable_metric_code") or None,
        group or _as_json(query.get(_GROUP_AS_JSON)),
    )


def _as_json(text: str | None) -> Mapping[str, str]:
    """A group as JSON, as the official client writes it; anything else asks for nothing."""
    try:
        given = json.loads(text or "null")
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in given.items()} if isinstance(given, dict) else {}
