"""List prices that stay fresh: what the installed library knows now, for the models that are listed or were used.

A new listing replaces the one before it for events that are counted from then on. Costs that are known stay; one that
was unknown is filled by the fold, where that is possible now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec

from consumers.prices.listing import PriceResolver, listing_record
from domain.errors import Fenced
from domain.log.event_codec import decode_lifecycle
from domain.log.records import EventLog, NewRecord
from domain.prices.events import PriceListed
from domain.prices.price_list import PriceList
from domain.streams import listed_price_stream
from projections.queries.prices import ListedModel
from projections.queries.snapshot import PAGE_ROWS_MAX, ReadStore

#: Changes that an answer shows; it tells how many there are in all.
CHANGES_SHOWN_MAX: Final = 100
#: Records that are appended at once.
_APPENDED_MAX: Final = 100


class PriceChange(msgspec.Struct, frozen=True):
    """A model with another list price than the one in the log, if that has one."""

    provider: str
    model: str
    matched: str
    library: str
    prices: PriceList
    library_before: str | None
    prices_before: PriceList | None


class PricesRefreshed(msgspec.Struct, frozen=True):
    """How many models were looked up and how many have another list price now, with the first of those.

    `position`: of the last listing that was appended; None if there is none.
    """

    checked: int
    changed: int
    changes: tuple[PriceChange, ...]
    position: int | None


class PriceRefresh:
    """Compares the list prices of all models with those that the library knows, and lists those that differ."""

    def __init__(
        self,
        log: EventLog,
        reads: ReadStore,
        resolve: PriceResolver,
        now: Callable[[], datetime],
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_cancelled` is asked before each page of models; what was listed by then stays."""
        self._is_cancelled = is_cancelled
        self._log = log
        self._reads = reads
        self._resolve = resolve
        self._now = now

    def run(self, *, dry_run: bool = False, models_max: int | None = None) -> PricesRefreshed:
        """List what differs; with `dry_run` only tell it. `models_max`: look up so many models at most."""
        checked = changed = 0
        shown: list[PriceChange] = []
        position: int | None = None
        for page in self._pages():
            looked_up = page if models_max is None else page[: models_max - checked]
            checked += len(looked_up)
            found = [change for one in looked_up if (change := self._change(one)) is not None]
            if not dry_run:
                for first in range(0, len(found), _APPENDED_MAX):
                    position = self._append(found[first : first + _APPENDED_MAX]) or position
            changed += len(found)
            shown += found[: CHANGES_SHOWN_MAX - len(shown)]
            if checked == models_max:
                break
        return PricesRefreshed(checked, changed, tuple(shown), position)

    def _pages(self) -> Iterator[list[ListedModel]]:
        """All models in pages, each read at a point of its own, so that no snapshot is held while prices are found."""
        after: tuple[str, str] | None = None
        while not self._is_cancelled():
            with self._reads.snapshot() as snapshot:
                page = snapshot.listed_models(after, PAGE_ROWS_MAX)
            if not page:
                return
            yield page
            after = (page[-1].provider, page[-1].model)

    def _change(self, listed: ListedModel) -> PriceChange | None:
        found = self._resolve(listed.provider or None, listed.model)
        if found is None or found.prices == listed.prices:  # what the library no longer knows stays as it was listed
            return None
        last = self._last(listed.provider, listed.model)
        if last is not None and last.prices == found.prices:  # listed since, and not folded yet
            return None
        return PriceChange(
            listed.provider,
            listed.model,
            found.matched,
            found.library,
            found.prices,
            None if last is None else last.library,
            None if last is None else last.prices,
        )

    def _append(self, changes: Sequence[PriceChange]) -> int | None:
        """Append all of it; where another writer listed one of the models meanwhile, each by itself."""
        try:
            return self._log.append(self._records(changes))[-1]
        except Fenced:
            pass
        position: int | None = None
        for change in changes:
            last = self._last(change.provider, change.model)
            if last is not None and last.prices == change.prices:
                continue
            try:
                (position,) = self._log.append(self._records([change]))
            except Fenced:  # by another writer again, with what its library knows
                continue
        return position

    def _records(self, changes: Sequence[PriceChange]) -> list[NewRecord]:
        heads = self._log.head_versions([listed_price_stream(one.provider, one.model) for one in changes])
        now = self._now()
        return [
            listing_record(
                (change.provider, change.model),
                change,
                heads.get(listed_price_stream(change.provider, change.model), 0) + 1,
                now,
            )
            for change in changes
        ]

    def _last(self, provider: str, model: str) -> PriceListed | None:
        record = self._log.last_record(listed_price_stream(provider, model))
        if record is None:
            return None
        event = decode_lifecycle(record.topic, record.state)
        return event if isinstance(event, PriceListed) else None
