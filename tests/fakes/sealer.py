"""A sealer of facts with keys in memory."""

from __future__ import annotations

from consumers.intake.fact_sealing import FactSealer
from domain.log.records import EventLog
from tests.fakes.personal_keys import InMemoryPersonalKeys
from tests.fakes.randomness import CountedRandomness


def sealer(log: EventLog) -> FactSealer:
    """A sealer of the facts in this log."""
    return FactSealer(log, InMemoryPersonalKeys(), CountedRandomness())
