"""Rows of events with the members that a correction run sets: their series, their customer and their tags."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.correction_runs.set_members import SetMembers
from domain.usage.block_schema import REQUEST_TYPE
from domain.usage.rules import SUBSCRIPTION_SOURCE, TAGS_MAX
from projections.arrow_columns import Bools, integers

#: Event type, provider and model.
Series = tuple[str, str | None, str | None]
Tags = Sequence[str] | None


class SetKeys(msgspec.Struct, frozen=True):
    """The keys of series and of the customer that is set; both are assigned where something has them."""

    series: Callable[[int], Series]
    kind_key: Callable[[str, str | None, str | None], int]
    customer_key: Callable[[str], int]


def with_members(rows: pa.Table, members: SetMembers, keys: SetKeys) -> pa.Table:
    """Return the rows, amended. They have at least `kind_key`, `customer_key`, `source`, `subscription` and `tags`."""
    if members.model is not None or members.provider is not None:
        rows = replaced(rows, "kind_key", pa.array(_kind_keys(rows, members, keys)))
    if members.customer is not None:
        own = np.flatnonzero(_names_customer(rows))
        if len(own):
            of_rows = integers(rows, "customer_key").copy()
            of_rows[own] = keys.customer_key(members.customer)
            rows = replaced(rows, "customer_key", pa.array(of_rows))
    if members.add_tags or members.remove_tags:
        tags = [set_tags(one, members.add_tags, members.remove_tags) for one in rows.column("tags").to_pylist()]
        rows = replaced(rows, "tags", pa.array(tags, pa.list_(pa.utf8())))
    return rows


def set_tags(tags: Tags, add: Sequence[str], remove: Sequence[str]) -> Tags:
    """Return tags of an event without those to remove, and with those to add behind them.

    As they were if nothing differs then, or if there were more than an event may have. Without any tag left: None.
    """
    before = tuple(tags or ())
    after = [tag for tag in before if tag not in remove]
    after += [tag for tag in add if tag not in after]
    return tags if tuple(after) == before or len(after) > TAGS_MAX else after or None


def differing(before: pa.Table, after: pa.Table) -> Bools:
    """Return which rows differ in what can be set."""
    tags = zip(*(table.column("tags").to_pylist() for table in (before, after)), strict=True)
    changed: Bools = np.fromiter((one != other for one, other in tags), dtype=np.bool_, count=before.num_rows)
    for name in ("kind_key", "customer_key"):
        changed |= integers(before, name) != integers(after, name)
    return changed


def series_with(series: Series, model: str | None, provider: str | None) -> Series:
    """Return a series with another model and provider, if it is one of requests; None leaves what there is."""
    event_type, old_provider, old_model = series
    if event_type != REQUEST_TYPE:
        return series
    new_provider = old_provider if provider is None else provider or None
    return event_type, new_provider, old_model if model is None else model


def replaced(rows: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return the rows with other values of a column, in its type."""
    at = rows.schema.get_field_index(name)
    field = rows.schema.field(at)
    return rows.set_column(at, field, values.cast(field.type))


def _kind_keys(rows: pa.Table, members: SetMembers, keys: SetKeys) -> npt.NDArray[np.int64]:
    distinct, which = np.unique(integers(rows, "kind_key"), return_inverse=True)
    found = []
    for kind_key in distinct.tolist():
        series = keys.series(kind_key)
        after = series_with(series, members.model, members.provider)
        found.append(kind_key if after == series else keys.kind_key(*after))
    return np.array(found, dtype=np.int64)[which]


def _names_customer(rows: pa.Table) -> Bools:
    """Which events name their customer; the others have that of their subscription."""
    subscriptions, sources = (rows.column(name).cast(pa.utf8()) for name in ("subscription", "source"))
    of_subscription = pc.equal(sources, pc.binary_join_element_wise(SUBSCRIPTION_SOURCE, subscriptions, ""))
    return ~np.asarray(pc.fill_null(of_subscription, False), dtype=bool)
