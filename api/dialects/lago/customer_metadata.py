"""The metadata of a customer, one map for all APIs, as the list of entries that Lago's clients read and write.

An entry has an id made of its key and of when it was written; one that a client gives another key keeps its id. What
the map has no place for, such an id and whether an entry is displayed in invoices, is kept beside it by key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from api.dialects.lago.customer_changes import METADATA_ENTRIES, kept_fields
from api.dialects.lago.error_shapes import ALREADY_EXISTS, validation_refusal
from api.dialects.lago.lago_ids import lago_id
from api.dialects.lago.models.customers import MetadataInput
from domain.scope import Scope
from domain.values.merge_patch import merge_patched
from projections.views.customers import CustomerHistory


class Entry(msgspec.Struct, frozen=True):
    """An entry of the metadata."""

    entry_id: str
    key: str
    value: Any
    display_in_invoice: bool
    created_at: datetime
    #: Whether it had another key before, so that its id must be kept.
    is_renamed: bool = False

    @property
    def text(self) -> str:
        """Its value as text: that of JSON for what is no text."""
        return self.value if isinstance(self.value, str) else json.dumps(self.value, ensure_ascii=False)


def entries_of(scope: Scope, history: CustomerHistory) -> list[Entry]:
    """The entries of a customer's metadata, in the order in which they were written."""
    fields = history.profile.fields
    beside = kept_fields(fields).get(METADATA_ENTRIES) or {}
    written = _written_at(history)
    found = [_entry(scope, history, key, value, beside.get(key) or {}, written) for key, value in _map(fields).items()]
    return sorted(found, key=lambda entry: entry.created_at)


def _map(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = fields.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _entry(
    scope: Scope,
    history: CustomerHistory,
    key: str,
    value: Any,
    beside: Mapping[str, Any],
    written: Mapping[str, datetime],
) -> Entry:
    created_at = written.get(key) or history.begin or history.until
    kept, displayed = beside.get("lago_id"), beside.get("display_in_invoice") is True
    own = lago_id(scope, "customer_metadata", history.record.customer_id, created_at, part=key)
    return Entry(kept or own, key, value, displayed, created_at, kept is not None)


def _written_at(history: CustomerHistory) -> dict[str, datetime]:
    """When each present key of the metadata was first written since it was last absent."""
    written: dict[str, datetime] = {}
    known: Mapping[str, Any] = {}
    for fact in history.facts:
        if "metadata" not in fact.fields or fact.effective_at > history.until:
            continue
        if not history.life.contains(fact.effective_at):
            continue
        given = fact.fields["metadata"] or {}
        known = merge_patched(known, given) if "metadata" in fact.patched else given
        written = {key: written.get(key, fact.effective_at) for key in known}
    return written


def metadata_changes(
    scope: Scope, history: CustomerHistory | None, given: Sequence[MetadataInput]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the patch that makes the metadata these entries alone, and what is kept beside it by key.

    An entry is found by its id, else by its key. One whose text stays the same keeps its value, whatever its type is.
    422 when two entries have one key.
    """
    before = [] if history is None else entries_of(scope, history)
    by_id = {entry.entry_id: entry for entry in before}
    by_key = {entry.key: entry for entry in before}
    wanted: dict[str, Any] = {}
    beside: dict[str, Any] = {}
    for one in given:
        if one.key in wanted:
            raise validation_refusal({"metadata": [ALREADY_EXISTS]})
        found = by_id.get(one.id or "") or by_key.get(one.key)
        same = found is not None and found.text == one.value
        wanted[one.key] = found.value if found is not None and same else one.value
        kept = dict(_beside(one, found))
        if kept:
            beside[one.key] = kept
    patch = {key: None for key in by_key if key not in wanted}
    patch |= {key: value for key, value in wanted.items() if key not in by_key or by_key[key].value != value}
    return patch, beside


def _beside(one: MetadataInput, found: Entry | None) -> Iterator[tuple[str, Any]]:
    display = one.display_in_invoice
    if display is None and found is not None:
        display = found.display_in_invoice
    if display:
        yield "display_in_invoice", True
    if found is not None and (found.is_renamed or found.key != one.key):
        yield "lago_id", found.entry_id
