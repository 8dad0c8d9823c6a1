"""Cache of API keys: authenticates requests without a query of the read store."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from consumers.embedded.data_folder import DataFolder
from projections.queries.api_keys import ApiKeyRecord


class KeyCache:
    """Active keys by the hash of their secret, and the time of each key's last use, to the minute."""

    def __init__(self, folder: DataFolder, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._now = now
        self._by_hash: dict[str, ApiKeyRecord] = {}
        self._lock = threading.Lock()
        used: dict[str, str] = folder.operations().get("keys_last_used", {})
        self._last_used = {key_id: datetime.fromisoformat(instant) for key_id, instant in used.items()}

    def replace(self, keys: Sequence[ApiKeyRecord]) -> None:
        """Replace all keys; revoked ones are left out."""
        self._by_hash = {key.secret_hash: key for key in keys if key.revoked_at is None}

    def authenticate(self, secret: str) -> ApiKeyRecord | None:
        """Return the active key with this secret, or None; records the time of its use."""
        # The secret is hashed before the look-up, so that the time this takes reveals nothing about stored hashes.
        key = self._by_hash.get(hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest())
        if key is not None:
            self._last_used[key.key_id] = self._now().replace(second=0, microsecond=0)
        return key

    def last_used_at(self, key_id: str) -> datetime | None:
        """Return when a key was last used; None if never."""
        return self._last_used.get(key_id)

    def save(self) -> None:
        """Write the times of last use to the data folder."""
        with self._lock:
            used = {key_id: instant.isoformat() for key_id, instant in sorted(self._last_used.items())}
            self._folder.save_operations(self._folder.operations() | {"keys_last_used": used})
