"""What all steps of the machine share: the engine, the facts that it acknowledged, and what strategies draw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from tests.engine_fixtures import JsonObject
from tests.laws.machine.events import Story
from tests.laws.machine.facts import Delivered, Fact, Identity, Sent
from tests.laws.machine.known import Known
from tests.laws.machine.office import Office

#: Half past, so that no step falls on the closing of a period.
BEGINNING: Final = datetime(2025, 5, 28, 12, 30, tzinfo=UTC)
CUSTOMERS: Final = ("ann", "bob", "cy")
MODELS: Final = ("swift", "slow")
SOURCES: Final = ("gate/0", "gate/1")
IDENTITIES: Final = tuple((SOURCES[number % 2], f"event {number}") for number in range(5))


def one_of(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def hours(*values: int) -> st.SearchStrategy[timedelta]:
    """How long before the step; ahead of it where it is negative."""
    return st.sampled_from(values).map(lambda back: timedelta(hours=back))


BACK: Final = hours(0, 1, 30, 24 * 5, 24 * 12, 24 * 35, -3)


class Steps(RuleBasedStateMachine):
    """An engine, and the facts that it acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.office = Office(BEGINNING)
        self.facts: tuple[Fact, ...] = ()

    def teardown(self) -> None:
        self.office.close()

    @property
    def now(self) -> datetime:
        return self.office.clock()

    @property
    def known(self) -> Known:
        return Known(self.facts, self.now)

    def note(self, fact: type[Fact], **members: Any) -> None:
        self.facts += (fact(position=self.office.position(), at=self.now, **members),)

    def story(self, identity: Identity) -> Story:
        return Story(identity, self.facts)

    def post(self, path: str, body: JsonObject | None, status: int) -> JsonObject:
        answer: JsonObject = self.office.api.post(path, body, status)
        return answer

    def deliver(self, events: list[Sent]) -> None:
        counts = self.office.api.deliver([one.as_cloudevent() for one in events])["counts"]
        outcomes = []
        for one in events:
            self.note(Delivered, sent=one)
            outcomes.append(self.story(one.identity).outcomes[-1])
        assert counts == {name: outcomes.count(name) for name in ("counted", "duplicate", "conflict", "rejected")}
