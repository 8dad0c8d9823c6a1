"""A key store in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import PersonalKeyMissing


class InMemoryPersonalKeys:
    """A `PersonalKeys` in memory. Tests may inspect `keys`, and empty it to lose all keys."""

    def __init__(self) -> None:
        self.keys: dict[str, bytes | None] = {}

    def key_for(self, key_id: str) -> bytes | None:
        return self.keys.get(key_id)

    def create(self, key_id: str) -> bytes:
        key = self.keys.setdefault(key_id, key_id.encode().ljust(32, b"*")[-32:])
        if key is None:
            raise PersonalKeyMissing(f"the key {key_id} was destroyed")
        return key

    @contextmanager
    def together(self) -> Iterator[None]:
        before = dict(self.keys)
        try:
            yield
        except BaseException:
            self.keys = before
            raise

    def destroy(self, key_id: str) -> None:
        self.keys[key_id] = None

    def close(self) -> None:
        pass
