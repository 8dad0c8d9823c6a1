"""Where the keys of personal data are kept: outside of log and read store, with a backup rule of their own."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class PersonalKeys(Protocol):
    """One 256-bit key per customer life. Destroying a key is erasure: what it sealed is gone for ever."""

    def key_for(self, key_id: str) -> bytes | None:
        """The key, or None when it was destroyed or never made here."""

    def create(self, key_id: str) -> bytes:
        """Make the key, durably, before it is answered; the one that exists when it does.

        Raises `PersonalKeyMissing` when it was destroyed: a destroyed key never comes back.
        """

    def together(self) -> AbstractContextManager[None]:
        """Keys made in this context become durable at its end, all at once; none of them when it ends by an exception.

        Nothing that a key sealed may be stored before that.
        """

    def destroy(self, key_id: str) -> None:
        """Forget the key, durably, and leave a tombstone. Twice, or before it was made, does no harm."""

    def close(self) -> None:
        """Release files and connections."""
