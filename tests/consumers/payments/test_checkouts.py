"""A link is made for customers with a provider, in limited time and number, and a new id at the provider is stored."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from consumers.embedded.engine import EmbeddedEngine
from consumers.payments.checkouts import Busy, CheckoutLink, Checkouts, NotLinked, Outcome, WantedLink
from consumers.payments.provider import CheckoutPage, Failure, Payer, ProviderRefused, ProviderUnavailable
from consumers.payments.wanted_links import wanted_link
from domain.customers.commands import CreateCustomer, DeleteCustomer, UpdateCustomer
from domain.errors import NotFound
from domain.event import Provenance
from domain.scope import DEFAULT_SCOPE, Scope
from projections.views.customers import CustomerHistory, customer_history
from tests.captured_logs import captured_logs
from tests.engine_fixtures import SettableClock, engine_on

WHO = (DEFAULT_SCOPE, Provenance("key_1", "native", "asked"))
DONE = "https://app.example.com/done"
UNTIL = datetime(2026, 3, 11, 12, tzinfo=UTC)
PAGE = CheckoutPage("https://pay.example/1", UNTIL)


REFUSED = "it takes no customers for tests"


class FakeProvider:
    """A provider that answers what a test wants, after it was released."""

    title = "Fake"

    def __init__(self, created: str | Failure = "cus_1", page: CheckoutPage | Failure = PAGE) -> None:
        self.created, self.page = created, page
        self.payers: list[Payer] = []
        self.pages: list[tuple[Any, ...]] = []
        self.released = anyio.Event()
        self.released.set()

    def not_for(self, scope: Scope) -> str | None:
        return None if scope.environment == "prod" else REFUSED

    async def create_customer(self, payer: Payer) -> str | Failure:
        self.payers.append(payer)
        await self.released.wait()
        return self.created

    async def create_page(self, *asked: Any) -> CheckoutPage | Failure:
        self.pages.append(asked)
        await self.released.wait()
        return self.page


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngine]:
    with engine_on(tmp_path_factory.mktemp("engine"), SettableClock()) as engine:
        yield engine


def history(engine: EmbeddedEngine, customer_id: str) -> CustomerHistory:
    engine.wait_folded(engine.log.head_position(), 60)
    with engine.reads.snapshot() as snapshot:
        record = snapshot.customer(DEFAULT_SCOPE, customer_id)
    assert record is not None
    return customer_history(record, engine.now())


def wanted(engine: EmbeddedEngine, customer_id: str, *methods: str, **fields: Any) -> WantedLink:
    """The request for a link of a new customer with these fields."""
    engine.commands.handle(CreateCustomer(*WHO, customer_id, fields))
    return wanted_link(DEFAULT_SCOPE, history(engine, customer_id), WHO[1], DONE, methods)


def checkouts(engine: EmbeddedEngine, provider: FakeProvider, timeout_seconds: float = 60) -> Checkouts:
    return Checkouts({"fake": provider}, engine.commands, timeout_seconds, requests_max=2)


def linked(engine: EmbeddedEngine, provider: FakeProvider, asked: WantedLink) -> Outcome:
    return anyio.run(checkouts(engine, provider).link, asked)


def test_a_customer_with_an_id_at_the_provider_has_a_link(engine: EmbeddedEngine) -> None:
    provider = FakeProvider()
    asked = wanted(
        engine, "known", "card", payment_provider_name="fake", payment_provider_customer_id="cus_7", currency="eur"
    )
    assert linked(engine, provider, asked) == CheckoutLink("fake", "https://pay.example/1", UNTIL, None)
    assert (provider.payers, provider.pages) == ([], [("cus_7", "EUR", DONE, ("card",))])


def test_a_customer_without_an_id_is_created_at_the_provider_and_keeps_its_id(engine: EmbeddedEngine) -> None:
    provider = FakeProvider()
    asked = wanted(engine, "new", payment_provider_name="fake", name="Ada", email="ada@example.com")
    outcome = linked(engine, provider, asked)
    assert outcome == CheckoutLink("fake", "https://pay.example/1", UNTIL, engine.log.head_position())
    assert provider.payers == [Payer(DEFAULT_SCOPE, "new", 1, "USD", "Ada", "ada@example.com")]
    stored = history(engine, "new")
    assert stored.profile.fields["payment_provider_customer_id"] == "cus_1"
    assert stored.facts[-1].reason == "asked"
    again = wanted_link(DEFAULT_SCOPE, stored, WHO[1], DONE)
    assert linked(engine, provider, again) == CheckoutLink("fake", "https://pay.example/1", UNTIL, None)
    assert len(provider.payers) == 1


def test_the_id_is_kept_when_the_page_fails(engine: EmbeddedEngine) -> None:
    refused = ProviderRefused("no_methods", "none")
    asked = wanted(engine, "half", payment_provider_name="fake")
    assert linked(engine, FakeProvider(page=refused), asked) == refused
    assert history(engine, "half").profile.fields["payment_provider_customer_id"] == "cus_1"


def test_a_customer_that_the_provider_refuses_has_no_page(engine: EmbeddedEngine) -> None:
    provider = FakeProvider(created=ProviderUnavailable("it is down"))
    asked = wanted(engine, "down", payment_provider_name="fake")
    assert (linked(engine, provider, asked), provider.pages) == (ProviderUnavailable("it is down"), [])


def test_the_id_of_a_customer_that_was_deleted_meanwhile_is_kept_nowhere(engine: EmbeddedEngine) -> None:
    asked = wanted(engine, "gone", payment_provider_name="fake")
    engine.commands.handle(DeleteCustomer(*WHO, "gone"))
    with pytest.raises(NotFound):
        linked(engine, FakeProvider(), asked)


@pytest.mark.parametrize(
    ("customer_id", "fields", "reason"),
    [
        ("nothing", {}, "it names none"),
        ("id alone", {"payment_provider_customer_id": "cus_7"}, "it names none"),
        ("elsewhere", {"payment_provider_name": "adyen"}, "this engine is not configured for 'adyen'"),
    ],
)
def test_a_customer_without_a_provider_has_no_link(
    engine: EmbeddedEngine, customer_id: str, fields: dict[str, str], reason: str
) -> None:
    assert linked(engine, FakeProvider(), wanted(engine, customer_id, **fields)) == NotLinked(reason)


def test_a_provider_may_serve_no_test_customers(engine: EmbeddedEngine) -> None:
    payer = Payer(Scope("default", "test"), "ada", 1, "USD")
    asked = WantedLink(payer, "fake", "cus_7", DONE, WHO[1])
    assert linked(engine, FakeProvider(), asked) == NotLinked(REFUSED)


@pytest.mark.parametrize("known", ["cus_7", None])
def test_a_provider_that_does_not_answer_is_given_up_in_time(engine: EmbeddedEngine, known: str | None) -> None:
    payer = Payer(DEFAULT_SCOPE, "slow", 1, "USD")
    asked = WantedLink(payer, "fake", known, DONE, WHO[1])

    async def given_up() -> Outcome:
        provider = FakeProvider()
        provider.released = anyio.Event()
        return await checkouts(engine, provider, timeout_seconds=0.05).link(asked)

    begun = time.monotonic()
    assert anyio.run(given_up) == ProviderUnavailable("it did not answer within 0.05 s")
    assert time.monotonic() - begun < 5


def test_more_requests_than_allowed_wait_for_nothing_and_the_next_may_ask_again(engine: EmbeddedEngine) -> None:
    asked = WantedLink(Payer(DEFAULT_SCOPE, "many", 1, "USD"), "fake", "cus_7", DONE, WHO[1])
    link = CheckoutLink("fake", "https://pay.example/1", UNTIL, None)

    async def crowded() -> list[Outcome]:
        provider = FakeProvider()
        provider.released = anyio.Event()
        making = checkouts(engine, provider)
        outcomes: list[Outcome] = []

        async def ask() -> None:
            outcomes.append(await making.link(asked))

        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(ask)
            while len(provider.pages) < 2:
                await anyio.sleep(0)
            await ask()
            provider.released.set()
        await ask()
        return outcomes

    assert anyio.run(crowded) == [Busy(), link, link, link]


def test_a_failure_is_logged_without_the_texts_of_the_provider(engine: EmbeddedEngine) -> None:
    asked = WantedLink(Payer(DEFAULT_SCOPE, "told", 1, "USD"), "fake", "cus_7", DONE, WHO[1])
    with captured_logs() as lines:
        linked(engine, FakeProvider(page=ProviderRefused("resource_missing", "No such customer: 'cus_7'")), asked)
        linked(engine, FakeProvider(page=ProviderUnavailable("it cannot be reached")), asked)
    assert [(line["event"], line["provider"], line["reason"]) for line in lines] == [
        ("payment_provider_failed", "fake", "refused: resource_missing"),
        ("payment_provider_failed", "fake", "it cannot be reached"),
    ]


def test_what_a_provider_is_called_in_messages(engine: EmbeddedEngine) -> None:
    making = checkouts(engine, FakeProvider())
    assert (making.title_of("fake"), making.title_of("adyen")) == ("Fake", "adyen")


def test_a_change_of_the_customer_goes_into_the_next_request(engine: EmbeddedEngine) -> None:
    wanted(engine, "changed", payment_provider_name="fake", payment_provider_customer_id="cus_7")
    engine.commands.handle(UpdateCustomer(*WHO, "changed", {"payment_provider_customer_id": None}))
    asked = wanted_link(DEFAULT_SCOPE, history(engine, "changed"), WHO[1], DONE)
    assert (asked.provider, asked.provider_customer_id) == ("fake", None)
