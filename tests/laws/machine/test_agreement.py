"""One machine mixes what can be said to the engine, and a plain list of facts agrees with every read.

After each step, some questions in turn are asked, now and then all of them; the answer is compared with what is
computed from the whole list of acknowledged facts. What was answered once is asked again as of its position. The
usual run takes the same histories each time; with `TEST_EXAMPLES_TIMES` they are others, and more.

Not in it, as the model would have to be more than plain:

1. Events of other types than requests, units, tags, trees of requests; custom meters, plans and coupons.
2. Discounts, prices of customers, list prices; re-pricings of costs of 0 that producers gave.
3. Zones and period policies that change within a life; shared budgets, limits by model, opening spend, deactivation.
4. Replacements of many events by deliveries, rejected events, Kafka.
5. Amendments of what a reverted backfill had loaded; loaded events without a time.
6. Events that Lago's clients send, subscriptions of customers that are known by usage alone, past usage in Lago.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from tests.laws.laboratory import EXAMPLES_TIMES
from tests.laws.machine.customer_steps import CustomerSteps
from tests.laws.machine.dialect_questions import of_dialect_customer, of_dialects
from tests.laws.machine.lago import LagoSteps, of_lago, of_lago_customer
from tests.laws.machine.native_questions import of_customer, of_event, of_everybody
from tests.laws.machine.questions import Answer, Question, asked
from tests.laws.machine.run_steps import RunSteps
from tests.laws.machine.steps import CUSTOMERS, IDENTITIES, hours, one_of
from tests.laws.machine.usage_steps import UsageSteps

#: Questions asked after each step, one of each list of these in turn.
EVERYBODY: Final = [*of_everybody(), *of_dialects(), *of_lago()]
ABOUT_CUSTOMERS: Final = [
    question for one in CUSTOMERS for question in (*of_customer(one), *of_dialect_customer(one), of_lago_customer(one))
]
ABOUT_EVENTS: Final = [of_event(one) for one in IDENTITIES]
EVERY_EVENT: Final = next(one for one in EVERYBODY if one.name == "events")
#: In steps.
ALL_ASKED_EVERY: Final = 10
STEPS: Final = 30


class Agreement(UsageSteps, CustomerSteps, RunSteps, LagoSteps):
    def __init__(self) -> None:
        super().__init__()
        self.remembered: list[tuple[Question, Answer]] = []
        self.asked = 0

    # -- the engine

    @rule(step=hours(1, 7, 24, 24 * 4, 24 * 19))
    def go_on(self, step: timedelta) -> None:
        self.office.clock.set(self.now + step)

    @rule(way=one_of("kill", "flush", "flush and kill", "stop", "replay", "verify"))
    def run(self, way: str) -> None:
        for verb in way.split(" and "):
            getattr(self.office, verb)()

    # -- what is read

    @invariant()
    def agree(self) -> None:
        self.asked += 1
        if self.asked % ALL_ASKED_EVERY == 0:
            questions = [*EVERYBODY, *ABOUT_CUSTOMERS, *ABOUT_EVENTS]
        else:
            turns = (EVERYBODY, ABOUT_CUSTOMERS, ABOUT_CUSTOMERS[::-1], ABOUT_EVENTS)
            questions = [EVERY_EVENT, *(one[self.asked * 5 % len(one)] for one in turns)]
        for question in questions:
            self.ask(question)

    def ask(self, question: Question) -> None:
        answer = asked(self.office.api, question)
        shown = None if answer.body is None else question.read(answer.body)
        expected = question.expected(self.known)
        assert shown == expected, f"{question.name} {question.path}: the engine says {shown}, the facts {expected}"
        if answer.body is not None:
            self.remembered.append((question, answer))

    @precondition(lambda self: self.remembered)
    @rule(which=st.integers(0, 999))
    def ask_again(self, which: int) -> None:
        """What was answered once is answered for ever after."""
        question, before = self.remembered[which % len(self.remembered)]
        again = asked(self.office.api, question, before)
        assert again == before, f"{question.name} {question.path}: it was {before}, and now is {again}"


TestAgreement = Agreement.TestCase
TestAgreement.settings = settings(
    deadline=None,
    max_examples=6 * EXAMPLES_TIMES,
    stateful_step_count=STEPS,
    derandomize=EXAMPLES_TIMES == 1,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
