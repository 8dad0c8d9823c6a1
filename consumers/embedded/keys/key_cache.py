"""Cache of API keys: authenticates requests without a query of the read store."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

from consumers.embedded.data_folder import DataFolder
from domain.api_keys.events import ApiKeyIssued, ApiKeyRevoked
from domain.event import LifecycleEvent
from projections.queries.api_keys import ApiKeyRecord
from projections.queries.snapshot import ReadStore


class KeyCache:
    """Active keys by the hash of their secret, and the time of each key's last use, to the minute."""

    def __init__(self, folder: DataFolder, now: Callable[[], datetime], reads: ReadStore) -> None:
        self._folder = folder
        self._now = now
        self._reads = reads
        self._by_hash: dict[str, ApiKeyRecord] = {}
        self._lock = threading.Lock()
        self._reloading = threading.Lock()
        used: dict[str, str] = folder.operations().get("keys_last_used", {})
        self._last_used = {key_id: datetime.fromisoformat(instant) for key_id, instant in used.items()}

    def reload(self) -> None:
        """Load all keys from the read store; revoked ones are left out."""
        # One at a time, so that an older snapshot does not replace the keys of a newer one.
        with self._reloading, self._reads.snapshot() as snapshot:
            keys = snapshot.all_api_keys()
            self._by_hash = {key.secret_hash: key for key in keys if key.revoked_at is None}

    def on_lifecycle(self, events: Sequence[LifecycleEvent]) -> None:
        """Reload when a key is among these events, which have just been folded."""
        if any(isinstance(event, ApiKeyIssued | ApiKeyRevoked) for event in events):
            self.reload()

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
