"""The key store of a data folder must be that of its log, before it is opened or a missing one is made.

A copy of the log without its key store would show every name, email and metadata as null, and a new key store would
hide that the old one is to be restored. A key store notes the log that it belongs to. One without a note (missing, or
of a release that wrote none) must know the key of the first personal data in the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from consumers.errors import PersonalKeysLost
from domain.customers.events import (
    CUSTOMER_CREATED,
    CUSTOMER_FACTS_CARRIED,
    CUSTOMER_UPDATED,
    CustomerCreated,
    CustomerFactsCarried,
    CustomerUpdated,
)
from domain.log.event_codec import decode_lifecycle
from domain.log.sqlite.event_log import SQLiteEventLog
from domain.log.sqlite.key_store import StoredKeys
from domain.streams import CUSTOMER_STREAMS

#: Records of customers that are read at once.
READ_RECORDS_MAX: Final = 1_000
#: The option of `serve` that goes on without the keys.
GO_ON_OPTION: Final = "--without-personal-keys"


def check_personal_keys(log: SQLiteEventLog, log_id: str, path: Path) -> None:
    """Raise `PersonalKeysLost` unless the key store at `path` is that of the log, or the log holds no personal data."""
    stored = StoredKeys(path)
    noted = stored.log_id()
    if noted == log_id:
        return
    key_id = next(_personal_keys_of(log), None)
    if key_id is None or (noted is None and stored.knows(key_id)):
        return
    if noted is not None:
        what = "is the key store of another log"
    elif path.exists():
        what = "does not hold the keys of the personal data in the log"
    else:
        what = "is missing"
    raise PersonalKeysLost(
        f"{path} {what}: without it the names, emails and metadata of customers cannot be read. Restore it from its "
        f"backup, or go on without this data: start once with 'meterfold serve {GO_ON_OPTION}'"
    )


def _personal_keys_of(log: SQLiteEventLog) -> Iterator[str]:
    """The ids of the keys with which personal data in the log was encrypted."""
    after = ("", 0)
    while records := log.records_of_streams(CUSTOMER_STREAMS, after, READ_RECORDS_MAX):
        for record in records:
            if record.topic in (CUSTOMER_CREATED, CUSTOMER_UPDATED, CUSTOMER_FACTS_CARRIED):
                event = decode_lifecycle(record.topic, record.state)
                if isinstance(event, CustomerFactsCarried) and event.personal_key_id is not None:
                    yield event.personal_key_id
                if isinstance(event, CustomerCreated | CustomerUpdated) and event.personal is not None:
                    yield event.personal.key_id
        after = records[-1].stream, records[-1].version
