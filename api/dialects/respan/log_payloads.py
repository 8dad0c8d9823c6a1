"""Conversion of Respan's request logs to usage events.

1. The id is the one that the log names; else a hash of the log, if it names its time, so that a log that is sent again
   counts once; else a new one.
2. The time is `timestamp`, else `start_time`, else the time of arrival.
3. Spans that are no request to a model are events of a type of their own, which no built-in meter counts.
4. Messages, inputs and outputs are not kept. A value that cannot be read as what it should be is passed on, for
   intake to reject the event with a reason: no value is replaced by another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from api.dialects.respan.customer_params import PARAMS, facts_of
from api.dialects.respan.models.field_types import identifier_of
from api.http.logs.log_numbers import at_most, can_be_written_out, decimal_of, number_of, object_in, whole_number
from consumers.intake.item_facts import ItemFacts
from domain.usage.block_schema import REQUEST_TYPE
from domain.usage.rules import SPECVERSION
from domain.values.json_numbers import exact_json

SOURCE: Final = "respan"
IDENTIFIER: Final = "customer_identifier"
#: Controls may be nested under one of these names instead of standing in the log itself.
_NESTED: Final = ("respan_params", "keywordsai_params")
_IDS: Final = ("unique_id", "id", "request_id", "span_unique_id")
#: The types of logs that are no request to a model.
_SPANS: Final = frozenset({"workflow", "agent", "task", "tool", "function", "handoff", "guardrail", "custom", "score"})
_STATUSES: Final = {"success": "succeeded", "error": "failed", "failed": "failed", "failure": "failed"}
_ERROR_CODE_MIN: Final = 400
#: The tokens that a unit price is for.
_PRICED_TOKENS: Final = 1_000_000
#: Members that become properties of the event, under their own names.
_KEPT: Final = (
    "log_type",
    "status_code",
    "metadata",
    "custom_identifier",
    "thread_identifier",
    "group_identifier",
    "trace_unique_id",
    "span_unique_id",
    "span_name",
    "span_parent_id",
    "span_workflow_name",
    "prompt_id",
    "prompt_name",
)
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


class LoggedEvent(msgspec.Struct, frozen=True):
    """An event as intake reads it, the facts that it carries, and its id if it could be read."""

    event: bytes
    facts: ItemFacts | None = None
    event_id: str | None = None


def logged_event(payload: bytes, new_id: Callable[[], str]) -> LoggedEvent:
    """Convert a payload as received.

    One that is no JSON, or that JSON cannot be read from, is passed on as it is, for intake to reject.
    """
    try:
        value = exact_json(payload)
        if not isinstance(value, dict):
            return LoggedEvent(payload)
        event_id = _id_of(value, payload, new_id)
        facts = facts_of(_control(value, PARAMS))
        event = usage_event(value, event_id)
        if facts is not None and facts.problem is not None:  # for the event to be repaired where it is rejected
            event["data"][PARAMS] = _control(value, PARAMS)
        return LoggedEvent(_encode(event), facts, event_id if isinstance(event_id, str) else None)
    except (ValueError, RecursionError, ArithmeticError):
        return LoggedEvent(payload)


def usage_event(log: Mapping[str, Any], event_id: Any) -> dict[str, Any]:
    """Convert a log to an event for the intake, without facts."""
    event = {
        "specversion": SPECVERSION,
        "id": event_id,
        "source": SOURCE,
        "type": _type_of(log),
        "subject": customer_of(log),
        "time": _time(log),
        "data": {name: value for name, value in _data(log) if value is not None and value != ""},
    }
    return {name: value for name, value in event.items() if value is not None}


def customer_of(log: Mapping[str, Any]) -> Any:
    """The customer of a log: that of `customer_params`, else `customer_identifier`. A number is its text."""
    params = _control(log, PARAMS)
    own = params.get(IDENTIFIER) if isinstance(params, Mapping) else None
    return identifier_of(_control(log, IDENTIFIER) if own is None else own)


def _control(log: Mapping[str, Any], name: str) -> Any:
    """A member of the log itself, else of the object that Respan's controls may be nested in."""
    places = (log, *(object_in(log, nested) for nested in _NESTED))
    return next((place[name] for place in places if place.get(name) is not None), None)


def _id_of(log: Mapping[str, Any], payload: bytes, new_id: Callable[[], str]) -> Any:
    named = next((log[name] for name in _IDS if log.get(name) not in (None, "")), None)
    if named is not None:
        return str(named) if isinstance(named, int) and not isinstance(named, bool) else named
    names_its_time = log.get("timestamp") is not None or log.get("start_time") is not None
    return hashlib.sha256(payload).hexdigest() if names_its_time else new_id()


def _type_of(log: Mapping[str, Any]) -> str:
    log_type = log.get("log_type")
    return f"{SOURCE}.{log_type}" if isinstance(log_type, str) and log_type in _SPANS else REQUEST_TYPE


def _time(log: Mapping[str, Any]) -> Any:
    """The time as RFC 3339; without an offset it is UTC. What is no time is passed on."""
    given = next((log[name] for name in ("timestamp", "start_time") if log.get(name) not in (None, "")), None)
    if not isinstance(given, str):
        return given
    try:
        moment = datetime.fromisoformat(given.strip().upper())
        return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).isoformat()
    except ValueError:
        return given


def _data(log: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    usage = object_in(log, "usage")
    given, made, cached, written, reasoning = _tokens(log, usage)
    yield "provider", next((log[name] for name in ("provider_id", "provider") if log.get(name)), None)
    yield "model", log.get("model")
    if _type_of(log) == REQUEST_TYPE:
        yield "status", _status(log)
    yield "input_tokens", given
    yield "output_tokens", made
    yield "cached_input_tokens", at_most(cached, given)
    yield "cache_write_tokens", written
    yield "reasoning_tokens", at_most(reasoning, made)
    yield "cost_usd", _cost(log, given, made)
    yield "latency_ms", _milliseconds(log, "latency", "generation_time")
    yield "ttft_ms", _milliseconds(log, "time_to_first_token", "ttft")
    for name in _KEPT:
        yield name, log.get(name)


def _tokens(log: Mapping[str, Any], usage: Mapping[str, Any]) -> tuple[Any, Any, Any, Any, Any]:
    """The tokens of input, output, cached input, cache writes and reasoning.

    Those of a provider that counts cached input apart (Anthropic's `input_tokens`) are added to the input.
    """
    of_input, of_output = object_in(usage, "prompt_tokens_details"), object_in(usage, "completion_tokens_details")
    cached = _first(of_input, usage, "cached_tokens", "cache_read_input_tokens")
    written = _first(usage, of_input, "cache_creation_prompt_tokens", "cache_creation_input_tokens")
    given = _first(log, usage, "prompt_tokens")
    made = _first(log, usage, "completion_tokens", "output_tokens")
    if given is None:
        given = _first(log, usage, "input_tokens")
        parts = [part for part in (cached, written) if isinstance(part, int) and not isinstance(part, bool)]
        if isinstance(given, int) and not isinstance(given, bool):
            given += sum(parts)
    return given, made, cached, written, _first(of_output, usage, "reasoning_tokens")


def _first(one: Mapping[str, Any], other: Mapping[str, Any], *names: str) -> Any:
    """The first of these members that either object has, in this order, as a whole number if it is one."""
    found = (place[name] for name in names for place in (one, other) if place.get(name) is not None)
    return whole_number(next(found, None))


def _status(log: Mapping[str, Any]) -> str:
    """By the status that the log names; one that is not known, or missing, by the status code."""
    named = _STATUSES.get(str(log.get("status")).lower())
    code = number_of(log.get("status_code"))
    return named or ("failed" if code is not None and code >= _ERROR_CODE_MIN else "succeeded")


def _cost(log: Mapping[str, Any], given: Any, made: Any) -> Any:
    """The cost of a log, as number or text; without one, by its own prices per million tokens if it has both."""
    cost = log.get("cost")
    exact = decimal_of(cost)
    if cost is None:
        return _cost_by_prices(log, given, made)
    if exact is None:
        return cost
    return format(exact, "f") if can_be_written_out(exact) else str(exact)


def _cost_by_prices(log: Mapping[str, Any], given: Any, made: Any) -> str | None:
    total = Decimal(0)
    for name, count in (("prompt_unit_price", given), ("completion_unit_price", made)):
        price, tokens = number_of(log.get(name)), number_of(0 if count is None else count)
        if price is None or tokens is None:
            return None
        total += price * tokens / _PRICED_TOKENS
    return format(total, "f") if can_be_written_out(total) else str(total)


def _milliseconds(log: Mapping[str, Any], *names: str) -> Any:
    """A time in seconds under one of these names, in milliseconds. What is no number is passed on."""
    seconds = next((log[name] for name in names if log.get(name) is not None), None)
    exact = number_of(seconds)
    if exact is None or not can_be_written_out(exact):
        return seconds if seconds is None or isinstance(seconds, str) else str(seconds)
    return exact * 1_000
