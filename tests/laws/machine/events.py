"""What became of the events of one identity, by reading all facts about it once, in their order.

1. Of several events the first one has the identity. The same content again is a duplicate, other content a conflict;
   as an amendment made it is the same content too, and so is that of an event that was withdrawn.
2. A void holds for what has the identity, also if it came before. The last correction that stands decides.
3. A cost that was told stands. Else the price known when the event was counted gives it; if there was none, the first
   price set later, or the one known at a restoration. A re-pricing gives another one, an amendment that changes what
   makes a cost too; a reverted run gave none.
4. A replacement takes the identity from what it withdraws, for what it loaded. A reverted backfill never loaded
   anything: the next one in order has the identity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import msgspec

from tests.laws.machine.facts import (
    Amended,
    BackfillCommitted,
    Corrected,
    CorrectionCommitted,
    Delivered,
    Fact,
    Identity,
    PriceSet,
    RepricingCommitted,
    RunReverted,
    Sent,
    price_at,
)


@dataclass
class Cost:
    """A cost that an event got; `run`: by which re-pricing."""

    usd: Decimal | None
    is_given: bool = False
    run: str | None = None


@dataclass
class Claim:
    """An event that has its identity, or would like to."""

    contents: list[Sent]
    #: Those at which its contents took effect, one after the other.
    positions: list[int]
    recorded_at: datetime
    position: int
    loaded_by: str | None = None
    costs: list[Cost] = field(default_factory=list)
    #: By runs: position, whether it is a void, the run.
    corrections: list[tuple[int, bool, str]] = field(default_factory=list)
    withdrawn_by: str | None = None
    #: The position from which on the event is as it is.
    changed_at: int = 0

    @property
    def sent(self) -> Sent:
        return self.contents[-1]

    @property
    def time(self) -> datetime:
        return self.time_of(self.sent)

    def time_of(self, content: Sent) -> datetime:
        return content.time or self.recorded_at

    def is_in(self, run: BackfillCommitted) -> bool:
        """Whether it was in the range of a backfill when that was previewed."""
        known = [one for one, at in zip(self.contents, self.positions, strict=True) if at <= run.previewed_at]
        return bool(known) and run.range.holds(known[-1], self.time_of(known[-1]))


@dataclass(frozen=True)
class Event:
    """An event as it counts, or would if it were not void."""

    sent: Sent
    time: datetime
    cost_usd: Decimal | None
    is_void: bool


class Story:
    """What became of one identity. `outcomes`: of each delivery, in their order."""

    def __init__(self, identity: Identity, facts: tuple[Fact, ...]) -> None:
        self.identity = identity
        self.claims: list[Claim] = []
        self.holder: Claim | None = None
        self.outcomes: list[str] = []
        self._singles: list[tuple[int, bool]] = []
        self._committed: dict[str, Fact] = {}
        self._reverted: set[str] = set()
        #: The positions at which it became void or valid.
        self._voids: list[tuple[int, bool]] = []
        for number, fact in enumerate(facts):
            self._known = facts[: number + 1]
            self._tell(fact)

    def event(self) -> Event | None:
        holder = self.holder
        if holder is None or holder.withdrawn_by is not None:
            return None
        return Event(holder.sent, holder.time, self._cost(holder).usd, self._is_void(holder))

    def _tell(self, fact: Fact) -> None:
        match fact:
            case Delivered() if fact.sent.identity == self.identity:
                self._claim(Claim([fact.sent], [fact.position], fact.at, fact.position))
            case Corrected() if fact.identity == self.identity:
                with_void = self._was_void()
                self._singles.append((fact.position, fact.is_void))
                self._after_correction(fact, with_void)
            case Amended() if fact.identity == self.identity:
                self._amend(fact)
            case PriceSet():
                self._price_unknown(fact)
            case CorrectionCommitted():
                self._committed[fact.run] = fact
                self._correct(fact)
            case RepricingCommitted():
                self._committed[fact.run] = fact
                self._reprice(fact)
            case BackfillCommitted():
                self._committed[fact.run] = fact
                self._backfill(fact)
            case RunReverted():
                self._revert(fact)
            case _:
                pass

    # -- who has the identity

    def _claim(self, claim: Claim) -> None:
        self.claims.append(claim)
        if self.holder is None or (claim.loaded_by is not None and self._may_replace(claim)):
            self._hold(claim, claim.position)
        else:
            known = [one.contents for one in self.claims if one is self.holder or one.withdrawn_by is not None]
            is_known = any(claim.sent in contents for contents in known)
            self.outcomes.append("duplicate" if is_known else "conflict")

    def _hold(self, claim: Claim, position: int) -> None:
        self.outcomes.append("counted")
        self.holder, claim.changed_at = claim, position
        claim.costs.append(self._priced(claim))
        self._note_void(position)

    def _may_replace(self, claim: Claim) -> bool:
        run = self._committed[claim.loaded_by or ""]
        holder = self.holder
        assert isinstance(run, BackfillCommitted)
        assert holder is not None
        return run.replaces and holder.withdrawn_by is not None and holder.is_in(run)

    def _backfill(self, fact: BackfillCommitted) -> None:
        holder = self.holder
        if fact.replaces and holder is not None and holder.withdrawn_by is None and holder.is_in(fact):
            holder.withdrawn_by = fact.run
        for sent in fact.loaded:
            if sent.identity == self.identity:
                self._claim(Claim([sent], [fact.position], fact.at, fact.position, loaded_by=fact.run))

    def _revert_backfill(self, fact: RunReverted) -> None:
        left = [one for one in self.claims if one.loaded_by != fact.run]
        again = [one for one in left if one.withdrawn_by == fact.run]
        for one in again:
            one.withdrawn_by, one.changed_at = None, fact.position
        lost = self.holder is not None and self.holder.loaded_by == fact.run
        self.claims = left
        if lost:
            self.holder = None
            withdrawn = [one for one in left if one.withdrawn_by is not None]
            if again:
                self.holder = again[-1]
            elif withdrawn:
                self.holder = withdrawn[-1]
            elif left:
                self._hold(left[0], fact.position)
        if again:
            self._note_void(fact.position)
            self._price_unknown(fact)

    # -- whether it is void

    def _is_void(self, claim: Claim) -> bool:
        by_runs = [(at, is_void) for at, is_void, run in claim.corrections if run not in self._reverted]
        standing = sorted([*self._singles, *by_runs])
        return bool(standing) and standing[-1][1]

    def _was_void(self) -> bool:
        return self.holder is not None and self._is_void(self.holder)

    def _was_void_at(self, position: int) -> bool:
        known = [is_void for at, is_void in self._voids if at <= position]
        return bool(known) and known[-1]

    def _note_void(self, position: int) -> None:
        self._voids.append((position, self._was_void()))

    def _after_correction(self, fact: Fact, was_void: bool) -> None:
        if self.holder is None:
            return
        self._note_void(fact.position)
        if was_void and not self._was_void():
            self.holder.changed_at = fact.position
            self._price_unknown(fact)

    def _correct(self, fact: CorrectionCommitted) -> None:
        holder, was_void = self.holder, self._was_void()
        if (
            holder is None
            or holder.withdrawn_by is not None
            or holder.changed_at > fact.previewed_at
            or not fact.range.holds(holder.sent, holder.time)
            or not (fact.is_void or self._was_void_at(fact.previewed_at))
        ):
            return
        holder.corrections.append((fact.position, fact.is_void, fact.run))
        self._after_correction(fact, was_void)

    # -- what it costs

    def _cost(self, claim: Claim) -> Cost:
        return [one for one in claim.costs if one.run not in self._reverted][-1]

    def _priced(self, claim: Claim, known: tuple[Fact, ...] | None = None) -> Cost:
        if claim.sent.cost_usd is not None:
            return Cost(claim.sent.cost_usd, is_given=True)
        return Cost(price_at(self._known if known is None else known, claim.sent, claim.time))

    def _price_unknown(self, fact: Fact) -> None:
        holder = self.holder
        if holder is None or holder.withdrawn_by is not None or self._was_void() or self._cost(holder).usd is not None:
            return
        found = self._priced(holder)
        if found.usd is not None:
            holder.costs.append(found)
            holder.changed_at = fact.position

    def _reprice(self, fact: RepricingCommitted) -> None:
        holder = self.holder
        if (
            holder is None
            or holder.withdrawn_by is not None
            or self._was_void()
            or holder.changed_at > fact.previewed_at
            or self._cost(holder).is_given
            or not fact.range.holds(holder.sent, holder.time)
        ):
            return
        known = tuple(one for one in self._known if one.position <= fact.previewed_at)
        found = self._priced(holder, known)
        if found.usd is not None and found.usd != self._cost(holder).usd:
            found.run = fact.run
            holder.costs.append(found)
            holder.changed_at = fact.position

    def _amend(self, fact: Amended) -> None:
        holder = self.holder
        assert holder is not None
        before, time = holder.sent, holder.time
        holder.contents.append(msgspec.structs.replace(before, **fact.changes))
        holder.positions.append(fact.position)
        holder.changed_at = fact.position
        after = holder.sent
        told = (before.customer, before.model, before.input_tokens, before.output_tokens, before.cost_usd, time)
        if told != (
            after.customer,
            after.model,
            after.input_tokens,
            after.output_tokens,
            after.cost_usd,
            holder.time,
        ):
            holder.costs.append(self._priced(holder))

    def _revert(self, fact: RunReverted) -> None:
        run, holder, was_void = self._committed[fact.run], self.holder, self._was_void()
        if isinstance(run, BackfillCommitted):
            self._revert_backfill(fact)
            return
        before = None if holder is None else self._cost(holder)
        self._reverted.add(fact.run)
        if holder is None:
            return
        if self._cost(holder) is not before:
            holder.changed_at = fact.position
        self._after_correction(fact, was_void)


def identities(facts: tuple[Fact, ...]) -> Iterator[Identity]:
    """Every identity that an event has, once."""
    seen = set()
    for fact in facts:
        sent = [fact.sent] if isinstance(fact, Delivered) else []
        sent += fact.loaded if isinstance(fact, BackfillCommitted) else ()
        for one in sent:
            if one.identity not in seen:
                seen.add(one.identity)
                yield one.identity
