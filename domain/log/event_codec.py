"""Encoding of lifecycle events as msgpack, with a version number for each class.

The stored bytes are a msgpack array of two: the class version, and a map of the event's fields. When a class changes,
raise its number in `CLASS_VERSIONS` and add an upcast from the old one to `UPCASTS`; the log is never rewritten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from domain.api_keys.events import KEY_ISSUED
from domain.budgets.events import BUDGET_UPDATED
from domain.customers.events import (
    CUSTOMER_DEACTIVATED,
    CUSTOMER_REACTIVATED,
    CUSTOMER_UNBLOCKED,
    CUSTOMER_UPDATED,
)
from domain.errors import LogCorrupted, UnknownRecord
from domain.event import LifecycleEvent
from domain.log.records import NewRecord
from domain.log.topics import LIFECYCLE_TOPICS
from domain.prices.conversion import listed_versions_upcast, set_version_upcast
from domain.prices.events import PRICE_LISTED, PRICE_SET

#: Converts the field map of one class version into that of the next.
Upcast = Callable[[dict[str, Any]], dict[str, Any]]

#: The version in which each topic is written; 1 if not named here.
CLASS_VERSIONS: Final[dict[str, int]] = {
    CUSTOMER_UPDATED: 2,  # gained `patched` and `if_known`
    CUSTOMER_UNBLOCKED: 2,  # gained `if_known`, like the two after it
    CUSTOMER_DEACTIVATED: 2,
    CUSTOMER_REACTIVATED: 2,
    BUDGET_UPDATED: 2,  # gained `patched`
    KEY_ISSUED: 2,  # gained `environments`
    PRICE_LISTED: 2,  # has `prices`, a price list in all units, in place of `versions`
    PRICE_SET: 3,  # 2 has `prices` likewise, in place of `price`; 3 gained `customer_id` and `life_began_at`
}


def _with_defaults(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave the new members at their defaults, which mean what their absence meant."""
    return fields


#: (topic, from version) -> the upcast to the next version.
UPCASTS: Final[dict[tuple[str, int], Upcast]] = {
    **{(topic, 1): _with_defaults for topic in CLASS_VERSIONS},
    (PRICE_LISTED, 1): listed_versions_upcast,
    (PRICE_SET, 1): set_version_upcast,
    (PRICE_SET, 2): _with_defaults,
}


class LifecycleCodec:
    """Encodes and decodes events of a set of topics, with their classes, versions and upcasts."""

    def __init__(
        self,
        topics: Mapping[str, type[LifecycleEvent]],
        class_versions: Mapping[str, int],
        upcasts: Mapping[tuple[str, int], Upcast],
    ) -> None:
        self._topics = dict(topics)
        self._topic_of = {event_class: topic for topic, event_class in topics.items()}
        self._versions = {topic: class_versions.get(topic, 1) for topic in topics}
        self._upcasts = dict(upcasts)
        self._encoder = msgspec.msgpack.Encoder()
        self._envelope = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw])
        self._decoders = {topic: msgspec.msgpack.Decoder(cls) for topic, cls in topics.items()}

    def new_record(self, event: LifecycleEvent) -> NewRecord:
        """The record that stores `event`. `UnknownRecord` for a class without a topic."""
        topic = self._topic_of.get(type(event))
        if topic is None:
            raise UnknownRecord(f"{type(event).__name__} has no topic in the log")
        return NewRecord(event.stream, event.version, topic, self._encoder.encode((self._versions[topic], event)))

    def decode(self, topic: str, state: bytes) -> LifecycleEvent:
        """The event in a record's stored bytes.

        `UnknownRecord` for a topic or class version that is not known, `LogCorrupted` for bytes that are no event.
        """
        decoder = self._decoders.get(topic)
        if decoder is None:
            raise UnknownRecord(f"topic {topic!r} is not known to this release: a newer one wrote it")
        try:
            version, fields = self._envelope.decode(state)
            if version == self._versions[topic]:
                return decoder.decode(fields)
            return msgspec.convert(self._upcast(topic, version, fields), self._topics[topic])
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise LogCorrupted(f"a record of topic {topic!r} holds no such event: {error}") from error

    def check_known(self, topic: str, state: bytes) -> None:
        """Raise `UnknownRecord` when `decode` would, without decoding the event."""
        if topic not in self._topics:
            raise UnknownRecord(f"topic {topic!r} is not known to this release: a newer one wrote it")
        try:
            version, _ = self._envelope.decode(state)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return  # corrupt bytes are reported when the event is decoded
        if version > self._versions[topic]:
            raise UnknownRecord(self._newer(topic, version))

    def _newer(self, topic: str, version: int) -> str:
        return (
            f"topic {topic!r} has class version {version}, written by a newer release; "
            f"this one reads version {self._versions[topic]}"
        )

    def _upcast(self, topic: str, version: int, stored: msgspec.Raw) -> dict[str, Any]:
        fields = msgspec.msgpack.decode(stored, type=dict[str, Any])
        for from_version in range(version, self._versions[topic]):
            upcast = self._upcasts.get((topic, from_version))
            if upcast is None:
                raise UnknownRecord(f"topic {topic!r} has no upcast from class version {from_version}")
            fields = upcast(fields)
        if version > self._versions[topic]:
            raise UnknownRecord(self._newer(topic, version))
        return fields


_CODEC: Final = LifecycleCodec(LIFECYCLE_TOPICS, CLASS_VERSIONS, UPCASTS)


def new_record(event: LifecycleEvent) -> NewRecord:
    """The record that stores `event`; `UnknownRecord` for a class without a topic."""
    return _CODEC.new_record(event)


def decode_lifecycle(topic: str, state: bytes) -> LifecycleEvent:
    """The lifecycle event in a record's stored bytes.

    `UnknownRecord` for a topic or class version that is not known, `LogCorrupted` for bytes that are no event.
    """
    return _CODEC.decode(topic, state)


def check_known(topic: str, state: bytes) -> None:
    """Raise `UnknownRecord` for a lifecycle record of a topic or class version that is not known."""
    _CODEC.check_known(topic, state)


def class_version(topic: str) -> int:
    """The class version in which events of this topic are written."""
    return CLASS_VERSIONS.get(topic, 1)
