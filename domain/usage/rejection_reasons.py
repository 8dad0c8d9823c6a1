"""Reason codes of rejected usage events."""

from __future__ import annotations

from typing import Final

#: The codes of every reason for which intake rejects an event. Clients and reports depend on them.
REASONS: Final = (
    "not_json",
    "not_an_object",
    "event_too_large",
    "specversion_unsupported",
    "id_missing",
    "id_invalid",
    "source_missing",
    "source_invalid",
    "type_missing",
    "type_invalid",
    "subject_missing",
    "subject_invalid",
    "time_invalid",
    "time_out_of_range",
    "data_invalid",
    "provider_invalid",
    "model_invalid",
    "status_invalid",
    "tokens_invalid",
    "units_invalid",
    "requests_invalid",
    "parts_exceed_whole",
    "cached_tokens_exceed_input",  # only in logs of releases that knew no other parts, like the next one
    "reasoning_tokens_exceed_output",
    "cost_invalid",
    "cost_out_of_range",
    "cost_too_precise",
    "tags_invalid",
    "latency_invalid",
    "facts_invalid",
    "outside_backfill",
)
