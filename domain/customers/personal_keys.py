"""The key store of personal data, a protocol. It is separate from log and read store and has its own backup rule."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class PersonalKeys(Protocol):
    """A store with one 256-bit key per customer life.

    Destroying a key is erasure: the data encrypted with it can never be read again.
    """

    def key_for(self, key_id: str) -> bytes | None:
        """Return the key; None when it was destroyed or never created."""

    def create(self, key_id: str) -> bytes:
        """Create the key, durably before it is returned; return the existing key if there is one.

        Raises `PersonalKeyMissing` when it was destroyed: a destroyed key is never created again.
        """

    def together(self) -> AbstractContextManager[None]:
        """Make all keys created in this context durable at its end, together; none of them if an exception ends it.

        Data encrypted with such a key must not be stored before the end of the context.
        """

    def destroy(self, key_id: str) -> None:
        """Delete the key durably and leave a tombstone. Idempotent, also for a key that was never created."""

    def close(self) -> None:
        """Release files and connections."""
