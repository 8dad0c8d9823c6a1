"""Conversion of LiteLLM's standard logging payload to a usage event.

The id of the event is LiteLLM's call id with its response id, so that a payload that is sent again is a duplicate. The
time of the event is the start of the request. Messages and responses are not kept. A value that cannot be read as what
it should be is passed on, for intake to reject the event with a reason: no value is replaced by another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from api.http.logs.log_numbers import at_most, can_be_written_out, decimal_of, number_of, object_in, whole_number
from domain.usage.block_schema import REQUEST_TYPE
from domain.usage.rules import SPECVERSION, TAGS_MAX
from domain.values.instants import EPOCH
from domain.values.json_numbers import exact_json

SOURCE: Final = "litellm"
_STATUSES: Final = {"success": "succeeded", "failure": "failed"}
#: Members of the payload that become properties of the event, under their own names.
_KEPT: Final = ("litellm_call_id", "trace_id", "session_id", "call_type", "model_group", "model_id", "api_base")
#: What is passed on in place of an empty text, which would be left out.
_NO_NUMBER: Final = " "
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
    event = {
        "specversion": SPECVERSION,
        "id": _identity(payload),
        "source": SOURCE,
        "type": REQUEST_TYPE,
        "subject": customer_of(payload, fallback),
        "time": _time(payload.get("startTime")),
        "data": {name: value for name, value in _data(payload) if value is not None and value != ""},
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
    for candidate in (*_candidates(payload), *map(metadata.get, fallback)):
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


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _data(payload: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    metadata = object_in(payload, "metadata")
    given, read = whole_number(payload.get("prompt_tokens")), whole_number(payload.get("completion_tokens"))
    cached, written, reasoning = map(whole_number, _token_parts(object_in(metadata, "usage_object")))
    yield "provider", payload.get("custom_llm_provider")
    yield "model", payload.get("model")
    yield "status", _STATUSES.get(str(payload.get("status")), payload.get("status"))
    yield "input_tokens", given
    yield "output_tokens", read
    yield "cached_input_tokens", at_most(cached, given)
    yield "cache_write_tokens", written
    yield "reasoning_tokens", at_most(reasoning, read)
    yield "cost_usd", _cost(payload)
    tags = payload.get("request_tags")
    yield "tags", [tag for tag in tags if isinstance(tag, str)][:TAGS_MAX] if isinstance(tags, list) else []
    yield "latency_ms", _milliseconds(payload.get("startTime"), payload.get("endTime"))
    if payload.get("stream"):
        yield "ttft_ms", _milliseconds(payload.get("startTime"), payload.get("completionStartTime"))
    yield "response_id", payload.get("id")
    yield "cache_hit", payload.get("cache_hit")
    for name in _KEPT:
        yield name, payload.get(name)
    for name in _KEPT_OF_METADATA:
        yield name, metadata.get(name)


def _token_parts(usage: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """The tokens of cached input, cache writes and reasoning: OpenAI's usage members, else Anthropic's."""
    read, written = object_in(usage, "prompt_tokens_details"), object_in(usage, "completion_tokens_details")
    return (
        read.get("cached_tokens") or usage.get("cache_read_input_tokens"),
        read.get("cache_creation_tokens") or usage.get("cache_creation_input_tokens"),
        written.get("reasoning_tokens"),
    )


def _cost(payload: Mapping[str, Any]) -> Any:
    """The cost that LiteLLM computed, as number or text; None when it could not, so that the engine's prices apply.

    A value that is no number is passed on, for intake to reject.
    """
    cost = payload.get("response_cost")
    exact = decimal_of(cost)
    if exact is None:
        return cost if cost != "" else _NO_NUMBER
    if not exact and payload.get("response_cost_failure_debug_info"):
        return None
    return format(exact, "f") if can_be_written_out(exact) else str(exact)


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
