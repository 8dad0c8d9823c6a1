"""Conversion of LiteLLM's standard logging payload to a usage event.

The id of the event is LiteLLM's call id with its response id, so that a payload that is sent again is a duplicate. The
time of the event is the start of the request. Messages and responses are not kept. A value that cannot be read as what
it should be is passed on, for intake to reject the event with a reason: no value is replaced by another one.

A call that generates nothing becomes an event of a type of its own, without usage and cost. The read of a finished
batch is the usage of the whole batch: its id is made of the batch's, and its time is the end of the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import chain
from typing import Any, Final

import msgspec

from api.dialects.litellm.call_types import is_request, reads_batch, reads_stored
from api.dialects.litellm.log_costs import told_cost
from api.dialects.litellm.log_usage import ToldUsage, service_tier, told_usage, usage_members
from api.http.logs.log_numbers import can_be_written_out, decimal_of, number_of, object_in
from domain.usage.block_schema import REQUEST_TYPE
from domain.usage.rules import SPECVERSION, TAGS_MAX
from domain.values.instants import EPOCH
from domain.values.json_numbers import exact_json

SOURCE: Final = "litellm"
_STATUSES: Final = {"success": "succeeded", "failure": "failed"}
#: Members of the payload that become properties of the event, under their own names.
_KEPT: Final = ("call_type", "model_group", "model_id", "api_base")
_KEPT_OF_CALL: Final = ("litellm_call_id", "trace_id", "session_id")
#: Properties for what a call that is no request tells of another one.
_TOLD_OF_ANOTHER: Final = ("prompt_tokens", "completion_tokens", "response_cost")
_BATCH_COST_SUFFIX: Final = "_batch_cost"
_BATCH_ENDS: Final = ("completed_at", "failed_at", "expired_at", "cancelled_at")
#: The property with the hash of the LiteLLM key that made the request.
KEY_PROPERTY: Final = "user_api_key_hash"
_KEPT_OF_METADATA: Final = (KEY_PROPERTY, "user_api_key_alias", "user_api_key_team_id", "user_api_key_org_id")
_CUSTOMER_HEADERS: Final = ("x-litellm-customer-id", "x-litellm-end-user-id")
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


def event_of(payload: bytes, fallback: Sequence[str] = ()) -> bytes:
    """Convert a payload as received to an event as intake reads it. `fallback`: as in `customer_of`.

    One that is no JSON, or that JSON cannot be read from, is passed on as it is, for intake to reject.
    """
    try:
        value = exact_json(payload)
        return _encode(usage_event(value, fallback)) if isinstance(value, dict) else payload
    except (ValueError, RecursionError, ArithmeticError):
        return payload


def usage_event(payload: Mapping[str, Any], fallback: Sequence[str] = ()) -> dict[str, Any]:
    """Convert a payload to an event for the intake."""
    told = told_usage(payload)
    cost = told_cost(payload, told.is_zero)
    counts = is_request(payload, told.is_positive or not (cost is None or decimal_of(cost) == 0))
    is_batch = counts and reads_batch(payload)
    event = {
        "specversion": SPECVERSION,
        "id": _batch_identity(payload) if is_batch else _identity(payload),
        "source": SOURCE,
        "type": REQUEST_TYPE if counts else f"{SOURCE}.{payload['call_type']}",
        "subject": customer_of(payload, fallback),
        "time": _time(_batch_end(payload) if is_batch and _batch_end(payload) else payload.get("startTime")),
        "data": {
            name: value for name, value in _data(payload, told, cost, counts) if value is not None and value != ""
        },
    }
    return {name: value for name, value in event.items() if value is not None}


def customer_of(payload: Mapping[str, Any], fallback: Sequence[str] = ()) -> str | None:
    """Return the customer id of a payload; None without one. The first that is present counts:

    1. the end user found by the proxy's authentication
    2. the headers x-litellm-customer-id and x-litellm-end-user-id
    3. the end user of the payload
    4. of the request's body: `user`, `litellm_metadata.user`, `metadata.user_id`, `safety_identifier`
    5. the members of the payload's metadata that `fallback` names, in its order
    """
    metadata = object_in(payload, "metadata")
    for candidate in chain(_candidates(payload), map(metadata.get, fallback)):
        if isinstance(candidate, bool) or not isinstance(candidate, str | int | float | Decimal):
            continue
        name = str(candidate).strip()
        if name:
            return name
    return None


def _candidates(payload: Mapping[str, Any]) -> Iterator[Any]:
    metadata, sent = object_in(payload, "metadata"), object_in(payload, "model_parameters")
    yield metadata.get("user_api_key_end_user_id")
    headers = {str(name).lower(): value for name, value in object_in(metadata, "requester_custom_headers").items()}
    for name in _CUSTOMER_HEADERS:
        yield headers.get(name)
    yield payload.get("end_user")
    yield sent.get("user")
    yield object_in(sent, "litellm_metadata").get("user")
    yield object_in(metadata, "requester_metadata").get("user_id")
    yield object_in(sent, "metadata").get("user_id")
    yield sent.get("safety_identifier")


def _identity(payload: Mapping[str, Any]) -> str | None:
    """The call id and the response id, joined by a slash if both are given.

    If one of them holds a slash itself, the length of the call id comes first, so that no two pairs have the same id:
    "a/b" and "c" give "3/a/b/c".
    """
    call, response = (_text(payload.get(name)) for name in ("litellm_call_id", "id"))
    if "/" in call or "/" in response:
        return f"{len(call)}/{call}/{response}"
    return "/".join(filter(None, (call, response))) or None


def _batch_identity(payload: Mapping[str, Any]) -> str | None:
    """The id of the batch, with what LiteLLM appends to it for its own row, so that a batch read twice counts once."""
    batch = _text(payload.get("id"))
    return f"{batch}{_BATCH_COST_SUFFIX}" if batch else _identity(payload)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _data(payload: Mapping[str, Any], told: ToldUsage, cost: Any, is_request: bool) -> Iterator[tuple[str, Any]]:
    metadata = object_in(payload, "metadata")
    yield "provider", payload.get("custom_llm_provider")
    yield "model", _model_of(payload)
    yield "status", _STATUSES.get(str(payload.get("status")), payload.get("status"))
    if is_request:
        yield from _usage(payload, told, cost)
    else:
        yield from zip(_TOLD_OF_ANOTHER, (told.input_tokens or None, told.output_tokens or None, cost), strict=True)
    tags = payload.get("request_tags")
    yield "tags", [tag for tag in tags if isinstance(tag, str)][:TAGS_MAX] if isinstance(tags, list) else []
    yield "response_id", payload.get("id")
    yield "cache_hit", payload.get("cache_hit")
    if not (is_request and reads_batch(payload)):
        yield from _of_this_call(payload)
    for name in _KEPT:
        yield name, payload.get(name)
    for name in _KEPT_OF_METADATA:
        yield name, metadata.get(name)


def _usage(payload: Mapping[str, Any], told: ToldUsage, cost: Any) -> Iterator[tuple[str, Any]]:
    """Usage and cost. Zeros that LiteLLM writes in place of a usage that it does not know are left out."""
    is_unknown = cost is None and not told.is_positive and not (told.is_zero and payload.get("status") == "success")
    if not is_unknown:
        yield from usage_members(told)
    yield "service_tier", service_tier(payload, told)
    yield "cost_usd", cost


def _of_this_call(payload: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What differs between calls that tell the same usage, as all reads of one finished batch do."""
    yield "latency_ms", _milliseconds(payload.get("startTime"), payload.get("endTime"))
    if payload.get("stream"):
        yield "ttft_ms", _milliseconds(payload.get("startTime"), payload.get("completionStartTime"))
    for name in _KEPT_OF_CALL:
        yield name, payload.get(name)


def _model_of(payload: Mapping[str, Any]) -> Any:
    """The model; of a stored response or a batch that was read, for which LiteLLM names none, that of its content."""
    model = payload.get("model")
    if model not in (None, "") or not reads_stored(payload):
        return model
    of_batch = object_in(payload, "hidden_params").get("batch_models")
    names = {name for name in of_batch if isinstance(name, str)} if isinstance(of_batch, list) else set()
    of_response = object_in(payload, "response").get("model")
    return names.pop() if len(names) == 1 else of_response if isinstance(of_response, str) else None


def _batch_end(payload: Mapping[str, Any]) -> Any:
    """The time when a batch ended, in seconds since 1970; None if it is not told."""
    batch = object_in(payload, "response")
    return next((batch[name] for name in _BATCH_ENDS if number_of(batch.get(name))), None)


def _time(seconds: Any) -> Any:
    """Convert seconds since 1970 to an instant; any other value is passed on, for intake to check."""
    exact = number_of(seconds)
    if exact is None:
        return seconds
    if not can_be_written_out(exact):
        return str(exact)
    try:
        return (EPOCH + timedelta(microseconds=int(exact * 1_000_000))).isoformat()
    except OverflowError:
        return str(exact)


def _milliseconds(start: Any, end: Any) -> Any:
    first, last = number_of(start), number_of(end)
    if first is None or last is None or not (can_be_written_out(first) and can_be_written_out(last)):
        return None
    return None if last < first else (last - first) * 1_000
