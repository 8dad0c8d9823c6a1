"""API keys in memory, as the read store has them, so that a request is authenticated without a query."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from consumers.embedded.data_folder import DataFolder
from projections.queries.api_keys import ApiKeyRecord


class KeyCache:
    """Living keys by the hash of their secret, and when each was used last (to the minute; no part of any number)."""

    def __init__(self, folder: DataFolder, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._now = now
        self._by_hash: dict[str, ApiKeyRecord] = {}
        self._lock = threading.Lock()
        used: dict[str, str] = folder.operations().get("keys_last_used", {})
        self._last_used = {key_id: datetime.fromisoformat(instant) for key_id, instant in used.items()}

    def replace(self, keys: Sequence[ApiKeyRecord]) -> None:
        """From now on these are the keys; revoked ones open nothing."""
        self._by_hash = {key.secret_hash: key for key in keys if key.revoked_at is None}

    def authenticate(self, secret: str) -> ApiKeyRecord | None:
        """The living key with this secret; None when there is none."""
        # The secret is hashed before it is looked up, so the time this takes says nothing about stored hashes.
        key = self._by_hash.get(hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest())
        if key is not None:
            self._last_used[key.key_id] = self._now().replace(second=0, microsecond=0)
        return key

    def last_used_at(self, key_id: str) -> datetime | None:
        """When a key was used last; None: never."""
        return self._last_used.get(key_id)

    def keep(self) -> None:
        """Write the times of last use to the data folder."""
        with self._lock:
            used = {key_id: instant.isoformat() for key_id, instant in sorted(self._last_used.items())}
            self._folder.keep_operations(self._folder.operations() | {"keys_last_used": used})
