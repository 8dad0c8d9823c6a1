"""From LiteLLM's standard logging payload to a usage event.

The identity is LiteLLM's call id together with its response id, so that a log that is sent again is a duplicate. The
event's time is when the request started. Messages and responses are not kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from domain.usage.block_schema import REQUEST_TYPE
from domain.usage.rules import SPECVERSION, TAGS_MAX
from domain.values.instants import EPOCH

SOURCE: Final = "litellm"
#: Decimal places that a number of a payload may have, on either side of the point, to be looked at here.
EXPONENT_MAX: Final = 40
_STATUSES: Final = {"success": "succeeded", "failure": "failed"}
#: Members that are kept as properties, under their own names.
_KEPT: Final = ("litellm_call_id", "trace_id", "session_id", "call_type", "model_group", "model_id", "api_base")
#: The property that tells with which key of LiteLLM's a request was made: the key's hash.
KEY_PROPERTY: Final = "user_api_key_hash"
_KEPT_OF_METADATA: Final = (KEY_PROPERTY, "user_api_key_alias", "user_api_key_team_id", "user_api_key_org_id")
_CUSTOMER_HEADERS: Final = ("x-litellm-customer-id", "x-litellm-end-user-id")


def usage_event(payload: Any) -> Any:
    """The event that a payload means, as intake takes it; what is no object stays what it is, and is rejected there."""
    if not isinstance(payload, Mapping):
        return payload
    event = {
        "specversion": SPECVERSION,
        "id": _identity(payload),
        "source": SOURCE,
        "type": REQUEST_TYPE,
        "subject": customer_of(payload),
        "time": _time(payload.get("startTime")),
        "data": {name: value for name, value in _data(payload) if value not in (None, "")},
    }
    return {name: value for name, value in event.items() if value is not None}


def customer_of(payload: Mapping[str, Any]) -> str | None:
    """The customer, first match wins: what the proxy's authentication settled, the two headers, what the proxy
    resolved, `user` of the body, `user` of its litellm_metadata, `user_id` of its metadata, its safety identifier."""
    for candidate in _candidates(payload):
        if isinstance(candidate, bool) or not isinstance(candidate, str | int | float | Decimal):
            continue
        name = str(candidate).strip()
        if name:
            return name
    return None


def _candidates(payload: Mapping[str, Any]) -> Iterator[Any]:
    metadata, sent = _object(payload, "metadata"), _object(payload, "model_parameters")
    yield metadata.get("user_api_key_end_user_id")
    headers = {str(name).lower(): value for name, value in _object(metadata, "requester_custom_headers").items()}
    for name in _CUSTOMER_HEADERS:
        yield headers.get(name)
    yield payload.get("end_user")
    yield sent.get("user")
    yield _object(sent, "litellm_metadata").get("user")
    yield _object(metadata, "requester_metadata").get("user_id")
    yield _object(sent, "metadata").get("user_id")
    yield sent.get("safety_identifier")


def _identity(payload: Mapping[str, Any]) -> str | None:
    parts = (payload.get("litellm_call_id"), payload.get("id"))
    return "/".join(part for part in parts if isinstance(part, str) and part) or None


def _data(payload: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    metadata = _object(payload, "metadata")
    given, read = payload.get("prompt_tokens"), payload.get("completion_tokens")
    cached, written, reasoning = _token_parts(_object(metadata, "usage_object"))
    yield "provider", payload.get("custom_llm_provider")
    yield "model", payload.get("model")
    yield "status", _STATUSES.get(str(payload.get("status")), payload.get("status"))
    yield "input_tokens", given
    yield "output_tokens", read
    yield "cached_input_tokens", _at_most(cached, given)
    yield "cache_write_tokens", written
    yield "reasoning_tokens", _at_most(reasoning, read)
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
    """Cached input, written to the cache, reasoning: as OpenAI's usage tells them, else as Anthropic's."""
    read, written = _object(usage, "prompt_tokens_details"), _object(usage, "completion_tokens_details")
    return (
        read.get("cached_tokens") or usage.get("cache_read_input_tokens"),
        read.get("cache_creation_tokens") or usage.get("cache_creation_input_tokens"),
        written.get("reasoning_tokens"),
    )


def _at_most(part: Any, whole: Any) -> Any:
    """Some providers tell parts that are more than their whole."""
    return min(part, whole) if isinstance(part, int) and isinstance(whole, int) else part


def _cost(payload: Mapping[str, Any]) -> str | None:
    """What LiteLLM says it cost; None, so that the engine's prices say it, where LiteLLM could not tell."""
    cost = payload.get("response_cost")
    if isinstance(cost, bool) or not isinstance(cost, int | float | Decimal):
        return None
    if not cost and payload.get("response_cost_failure_debug_info"):
        return None
    exact = Decimal(str(cost))
    return format(exact, "f") if exact.is_finite() and _can_be_written_out(exact) else str(exact)


def _time(seconds: Any) -> str | None:
    """An instant from seconds since 1970; what is none is left to the rules of events."""
    if isinstance(seconds, str):
        return seconds
    exact = _seconds(seconds)
    if exact is None:
        return None
    if not _can_be_written_out(exact):
        return str(exact)
    try:
        return (EPOCH + timedelta(microseconds=int(exact * 1_000_000))).isoformat()
    except OverflowError:
        return str(exact)


def _milliseconds(start: Any, end: Any) -> Any:
    first, last = _seconds(start), _seconds(end)
    if first is None or last is None or not (_can_be_written_out(first) and _can_be_written_out(last)):
        return None
    return None if last < first else (last - first) * 1_000


def _seconds(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    exact = Decimal(str(value))
    return exact if exact.is_finite() else None


def _can_be_written_out(exact: Decimal) -> bool:
    """Whether it has few enough digits without its exponent; a few bytes may name a number of a million."""
    exponent = exact.as_tuple().exponent
    return isinstance(exponent, int) and abs(exponent) <= EXPONENT_MAX and exact.adjusted() <= EXPONENT_MAX


def _object(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    member = value.get(name)
    return member if isinstance(member, Mapping) else {}
