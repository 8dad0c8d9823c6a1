"""Events between Lago's words and the native ones.

transaction_id            id
code                      type
external_subscription_id  source: lago/ and the id; data.subscription
timestamp                 time
properties                data
external_customer_id      subject, of an event without a subscription; source: lago/customer/ and the id

`precise_total_amount_cents`, a property named subscription, and one named cost_usd that is text, are extension
attributes of their names here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec

from api.dialects.lago.error_shapes import INVALID, MANDATORY, invalid_fields
from api.dialects.lago.models.events import EventInput
from api.http.bodies import InvalidValues, validated
from domain.usage.rules import SPECVERSION, SUBSCRIPTION_SOURCE, source_of_subscription
from domain.values.identifiers import id_problem
from domain.values.instants import EPOCH, instant_text

#: The attribute for a property named cost_usd that is text, since the store keeps costs as numbers.
COST_TEXT: Final = "lago_property_cost_usd"
#: The attribute for a property named subscription, since `data.subscription` has the id.
OWN_SUBSCRIPTION: Final = "lago_property_subscription"
PRECISE_AMOUNT: Final = "precise_total_amount_cents"
_SUBSCRIPTION: Final = "subscription"
_COST: Final = "cost_usd"
#: This dialect's names of what an event may be rejected for.
_FIELDS: Final = {
    "id": "transaction_id",
    "source": "external_subscription_id",
    "type": "code",
    "subject": "external_customer_id",
    "time": "timestamp",
    "data": "properties",
}
#: No event is of a later time, in Unix seconds, nor of one before 1970.
_SECONDS_MAX: Final = Decimal(250_000_000_000)
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


class SentEvent(msgspec.Struct, frozen=True):
    """An event as it was sent, with the time that it has."""

    given: EventInput
    time: datetime

    @property
    def source(self) -> str:
        """The source of the native event."""
        subscription = self.given.external_subscription_id
        if subscription is not None:
            return source_of_subscription(subscription)
        return f"{SUBSCRIPTION_SOURCE}customer/{self.given.external_customer_id}"

    def text(self) -> bytes:
        """The native event, as JSON."""
        given = self.given
        data = dict(given.properties or {})
        event: dict[str, Any] = {
            "specversion": SPECVERSION,
            "id": given.transaction_id,
            "source": self.source,
            "type": given.code,
            "time": instant_text(self.time),
        }
        if given.precise_total_amount_cents is not None:
            event[PRECISE_AMOUNT] = given.precise_total_amount_cents
        if isinstance(data.get(_COST), str):
            event[COST_TEXT] = data[_COST]
        if given.external_subscription_id is None:
            event["subject"] = given.external_customer_id
        else:
            if _SUBSCRIPTION in data:
                event[OWN_SUBSCRIPTION] = data[_SUBSCRIPTION]
            data[_SUBSCRIPTION] = given.external_subscription_id
        return _encode(event | {"data": data})


def read_event(given: Any, now: datetime) -> SentEvent | dict[str, list[str]]:
    """Read one event of a request; the codes of its invalid fields instead, if it has any."""
    try:
        read = validated(EventInput, given)
    except InvalidValues as problem:
        return invalid_fields(problem)
    broken = _broken_ids(read)
    seconds = read.timestamp
    if seconds is not None and not 0 <= seconds <= _SECONDS_MAX:
        broken["timestamp"] = [INVALID]
    if broken:
        return broken
    return SentEvent(read, now if seconds is None else EPOCH + timedelta(microseconds=int(seconds.scaleb(6))))


def _broken_ids(given: EventInput) -> dict[str, list[str]]:
    """The codes of ids that break the engine's rules. An event without a subscription and a customer is nobody's."""
    broken: dict[str, list[str]] = {}
    ids = {name: getattr(given, name) for name in ("transaction_id", "code", "external_customer_id")}
    if given.external_subscription_id is not None:
        ids["external_subscription_id"] = source_of_subscription(given.external_subscription_id)
    elif given.external_customer_id is None:
        broken["external_subscription_id"] = [MANDATORY]
    for field, value in ids.items():
        if value is not None and id_problem(value) is not None:
            broken[field] = [INVALID]
    return broken


def rejected_field(detail: str | None) -> str:
    """The name, in this dialect, of the field that the detail of a rejected event names."""
    native = (detail or "").partition(":")[0]
    first, dot, rest = native.partition(".")
    return _FIELDS.get(first, "base") + (dot + rest if first == "data" else "")


def properties_of(data: Mapping[str, Any], extensions: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of a native event."""
    kept = {name: value for name, value in data.items() if name != _SUBSCRIPTION}
    return kept | ({_SUBSCRIPTION: extensions[OWN_SUBSCRIPTION]} if OWN_SUBSCRIPTION in extensions else {})
