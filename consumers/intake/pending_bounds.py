"""Bounds of pending requests, and the share of them that one key may take."""

from __future__ import annotations

from typing import Final

from consumers.errors import IntakeFull
from consumers.intake.options import WHOLE_BYTES_MAX, IntakeOptions
from consumers.intake.requests import IntakeRequest
from domain.errors import InvalidInput

#: One in so many parts of what may be pending is kept for small requests of keys that have less than such a part.
KEPT_PART: Final = 4


class PendingBounds:
    """Counts the requests that are pending, by key. Not thread-safe."""

    def __init__(self, options: IntakeOptions) -> None:
        self._options = options
        self._held: dict[str | None, tuple[int, int]] = {}
        self.requests = 0
        self.size_bytes = 0

    def add(self, request: IntakeRequest) -> None:
        """Count a request; raise `IntakeFull` when the bounds are reached, `InvalidInput` for one beyond them alone."""
        options, size = self._options, request.size_bytes
        if size > options.pending_bytes_max:
            raise InvalidInput("body", f"must be at most {options.pending_bytes_max} bytes", "body_too_large")
        if self.requests >= options.pending_requests_max:
            raise IntakeFull(f"{self.requests} requests are waiting")
        if self.size_bytes + size > options.pending_bytes_max:
            raise IntakeFull(f"{self.size_bytes} bytes are waiting")
        requests, held_bytes = self._held.get(request.key, (0, 0))
        if request.key is not None and (
            self._is_over_share(self.requests, requests, 1, options.pending_requests_max)
            or self._is_over_share(self.size_bytes, held_bytes, size, options.pending_bytes_max)
            or (size > WHOLE_BYTES_MAX and self.size_bytes + size > _shared(options.pending_bytes_max))
        ):
            raise IntakeFull(f"{requests} requests of this key are waiting; other room is kept for others")
        self._held[request.key] = requests + 1, held_bytes + size
        self.requests += 1
        self.size_bytes += size

    def remove(self, key: str | None, size_bytes: int) -> None:
        """Count a request of this key and size no more."""
        requests, held_bytes = self._held.pop(key)
        if requests > 1:
            self._held[key] = requests - 1, held_bytes - size_bytes
        self.requests -= 1
        self.size_bytes -= size_bytes

    @staticmethod
    def _is_over_share(total: int, held: int, more: int, bound: int) -> bool:
        """Whether `more` would take a key beyond a part, and all keys into the part that is kept."""
        return held + more > bound // KEPT_PART and total + more > _shared(bound)


def _shared(bound: int) -> int:
    """What is left of a bound without the part that is kept."""
    return bound - bound // KEPT_PART
