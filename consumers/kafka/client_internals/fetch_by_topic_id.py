"""Fetch by topic id, so that records are known to be of the topic that was asked for.

The library fetches by name, which a re-created topic shares with the old one: until the client has refreshed its
metadata, records of the new topic would be taken for those of the old one. The protocol has topic ids since Kafka 3.1.

1. Before requests are made, begin new fetch sessions if a topic has another id than before.
2. Add the id of each topic to its name in each request, and allow the protocol version that sends ids.
3. In a response of that version, put the names back, and note on each partition the id it was fetched by.
4. Hand this id to the reader of the partition (`topic_id`). It stays None with older brokers, which know names only.

A broker that has no topic of this id answers with an error, upon which the client refreshes its metadata at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from kafka.consumer.fetcher import Fetcher

#: The first version of Fetch with topic ids; nothing of later versions is needed here.
BY_ID_VERSION: Final = 13


def fetch_by_id(fetcher: Fetcher, cluster: Any) -> None:
    """Make this fetcher fetch by the topic ids in the current metadata of `cluster`."""
    _FetchingById(fetcher, cluster).replace()


class _FetchedById:
    """A partition of a response, with the topic id that it was fetched by."""

    def __init__(self, data: Any, topic_id: UUID) -> None:
        self._data = data
        self.topic_id = topic_id

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)


class _FetchingById:
    """Wraps three steps of the library, which it calls in its own thread."""

    def __init__(self, fetcher: Any, cluster: Any) -> None:
        self._fetcher = fetcher
        self._cluster = cluster
        self._create = fetcher._create_fetch_requests  # noqa: SLF001 -- what this whole file is about
        self._handle = fetcher._handle_fetch_response  # noqa: SLF001
        self._parse = fetcher._parse_fetched_data  # noqa: SLF001
        self._known: dict[str, UUID] = {}
        self._names: dict[Any, dict[UUID, str]] = {}  # by node: topic names of its last request

    def replace(self) -> None:
        self._fetcher._create_fetch_requests = self._created  # noqa: SLF001
        self._fetcher._handle_fetch_response = self._handled  # noqa: SLF001
        self._fetcher._parse_fetched_data = self._parsed  # noqa: SLF001

    def _created(self) -> dict[Any, tuple[Any, Any]]:
        ids = self._ids()
        if any(self._known.get(topic, found) != found for topic, found in ids.items()):
            self._fetcher._session_handlers.clear()  # noqa: SLF001
        self._known |= ids
        requests: dict[Any, tuple[Any, Any]] = self._create()
        for node, (request, _) in requests.items():
            self._names[node] = {found: topic for topic, found in self._known.items()}
            _add_ids(request, self._known)
        return requests

    def _ids(self) -> dict[str, UUID]:
        """The known ids of the topics that are read."""
        assigned = self._fetcher._subscriptions.assigned_partitions()  # noqa: SLF001
        found = {topic: self._cluster.topic_id(topic) for topic in {partition.topic for partition in assigned}}
        return {topic: topic_id for topic, topic_id in found.items() if topic_id is not None and topic_id.int}

    def _handled(self, node: Any, fetch_offsets: Any, sent_at: float, response: Any) -> None:
        if response.API_VERSION >= BY_ID_VERSION:
            names = self._names.get(node, {})
            response.responses = [topic for topic in response.responses if topic.topic_id in names]
            for topic in response.responses:
                topic.topic = names[topic.topic_id]
                topic.partitions = [_FetchedById(one, topic.topic_id) for one in topic.partitions]
        self._handle(node, fetch_offsets, sent_at, response)

    def _parsed(self, completed: Any) -> Any:
        records = self._parse(completed)
        if records is not None and isinstance(completed.partition_data, _FetchedById):
            records.topic_id = str(completed.partition_data.topic_id)
        return records


def _add_ids(request: Any, ids: Mapping[str, UUID]) -> None:
    """Let a request go out with ids if those of all its topics are known, else with names."""
    named = [*request.topics, *request.forgotten_topics_data]
    if not all(topic.topic in ids for topic in named):
        return
    for topic in named:
        topic.topic_id = ids[topic.topic]
    request._max_version = BY_ID_VERSION  # noqa: SLF001
