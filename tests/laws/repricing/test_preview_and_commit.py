"""What a re-pricing previews is what its commit does, to the last decimal, and a revert undoes all of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from tests.engine_fixtures import NOON, Api, JsonObject, customer_path, llm_request
from tests.laws.laboratory import Laboratory, Tenant, examples

CUSTOMERS: Final = ("ann", "bob", "cy")
MODELS: Final = ("swift", "slow", "gpt-4o")
PROVIDERS: Final = {"gpt-4o": "openai"}
#: Prices of many digits, so that every event is rounded.
DOLLARS: Final = st.sampled_from(("0", "0.3", "1.7", "2.123456789", "1000"))
DAYS: Final = st.integers(-70, 0)


def at(days: int) -> str:
    return (NOON + timedelta(days=days, hours=days % 5)).isoformat()


@st.composite
def usage(draw: st.DrawFn, number: int) -> JsonObject:
    model = draw(st.sampled_from(MODELS))
    data: JsonObject = {"model": model, "provider": PROVIDERS.get(model, "acme")}
    data |= {"input_tokens": draw(st.integers(0, 10**6)), "output_tokens": draw(st.integers(0, 999))}
    if draw(st.integers(0, 3)) == 0:
        data["web_searches"] = draw(st.integers(0, 5))
    if draw(st.integers(0, 3)) == 0:
        data["cost_usd"] = draw(st.sampled_from(("0", "0.000000000001", "4")))
    return llm_request(str(number), draw(st.sampled_from(CUSTOMERS)), None, **data) | {"time": at(draw(DAYS))}


@st.composite
def prices(draw: st.DrawFn) -> JsonObject:
    model = draw(st.sampled_from(MODELS))
    body: JsonObject = {"model": model, "provider": PROVIDERS.get(model, "acme")}
    body["unit_prices"] = {"input": draw(DOLLARS), "output": draw(DOLLARS)}
    if draw(st.booleans()):
        body["rates"] = {"web_searches": {"price": draw(DOLLARS), "per": 7}}
    if draw(st.integers(0, 2)) == 0:
        body["customer"] = draw(st.sampled_from(CUSTOMERS))
    return body | ({"effective_from": at(draw(DAYS))} if draw(st.booleans()) else {})


@st.composite
def discounts(draw: st.DrawFn) -> JsonObject:
    body: JsonObject = {"percentage": draw(st.sampled_from(("0", "12.5", "33.333333", "100")))}
    if draw(st.booleans()):
        body["customer"] = draw(st.sampled_from(CUSTOMERS))
    if draw(st.booleans()):
        model = draw(st.sampled_from(MODELS))
        body |= {"model": model, "provider": PROVIDERS.get(model, "acme")}
    return body | ({"effective_from": at(draw(DAYS))} if draw(st.booleans()) else {})


@st.composite
def ranges(draw: st.DrawFn) -> JsonObject:
    asked: JsonObject = {"given_costs": draw(st.sampled_from(("keep", "zeros")))}
    if draw(st.integers(0, 3)) == 0:
        asked["models"] = draw(st.lists(st.sampled_from(MODELS), max_size=2))
    if draw(st.integers(0, 3)) == 0:
        asked["customers"] = draw(st.lists(st.sampled_from((*CUSTOMERS, "nobody")), max_size=2))
    if draw(st.integers(0, 3)) == 0:
        asked["from"] = at(draw(DAYS))
    return asked


CUSTOMER: Final = st.fixed_dictionaries(
    {},
    optional={
        "markup_percentage": st.sampled_from(("10", "33.333333")),
        "time_zone": st.sampled_from(("Asia/Kolkata", "America/New_York")),
        "usage_period": st.sampled_from(({"duration": "1w"}, {"duration": "36h", "alignment": "anchored"})),
    },
)


def costs(api: Api, customer: str, start: str, end: str) -> tuple[Decimal, Decimal]:
    """What a customer's usage in a period costs, before and with markup."""
    rows = api.get(customer_path(customer, "/usage"), **{"from": start, "to": end})["data"]
    sums = [sum((Decimal(row[name]) for row in rows), Decimal(0)) for name in ("cost_usd", "reported_cost_usd")]
    return sums[0], sums[1]


def shown(tenant: Tenant) -> list[Any]:
    """What can be asked about costs, without the positions and times at which it was asked."""
    paths = [customer_path(customer, rest) for customer in CUSTOMERS for rest in ("/current-usage", "/past-usage")]
    answers = [tenant.api.send("GET", path, None).json() for path in paths]
    answers.append({"data": tenant.api.pages("/v1/events", voided="true"), "sums": tenant.sums(group_by="customer")})
    return [{name: value for name, value in one.items() if name not in ("position", "now")} for one in answers]


@examples(10)
@given(data=st.data())
def test_a_preview_is_the_difference_that_its_commit_makes_and_its_revert_undoes(
    laboratory: Laboratory, data: st.DataObject
) -> None:
    tenant = laboratory.tenant()
    told(tenant, data)
    asked = data.draw(ranges())

    tenant.api.post("/v1/repricings", {"name": "law", **asked})
    preview = tenant.api.get("/v1/repricings/law/preview", limit=1000)
    before = shown(tenant)
    for one in preview["data"]:
        assert costs(tenant.api, one["customer"], one["start"], one["end"]) == amounts(one, "before_usd")
    everything = tenant.api.get("/v1/usage", **{"from": at(-100), "to": at(1)})["data"]

    tenant.api.post("/v1/repricings/law/commit", {"previewed_at": preview["previewed_at"]}, 200)
    for one in preview["data"]:
        assert costs(tenant.api, one["customer"], one["start"], one["end"]) == amounts(one, "after_usd")
    now = tenant.api.get("/v1/usage", **{"from": at(-100), "to": at(1)})["data"]
    grown = total(now, "cost_usd") - total(everything, "cost_usd")
    reported = total(now, "reported_cost_usd") - total(everything, "reported_cost_usd")
    assert grown == Decimal(preview["cost_usd"]["difference_usd"]) == difference(preview["data"], "cost_usd")
    assert reported == difference(preview["data"], "reported_cost_usd")

    correct_some(tenant, data)
    tenant.api.post("/v1/repricings/law/revert", None, 200)
    assert shown(tenant) == before


def told(tenant: Tenant, data: st.DataObject) -> None:
    """Customers, prices, usage, other prices, and a void, of one example."""
    for customer in CUSTOMERS[1:]:
        tenant.api.post("/v1/customers", {"id": customer, **data.draw(CUSTOMER), "effective_at": at(-80)})
    for price in data.draw(st.lists(prices(), max_size=2)):
        tenant.api.post("/v1/prices", price)
    tenant.deliver([data.draw(usage(number)) for number in range(data.draw(st.integers(6, 12)))])
    for price in data.draw(st.lists(prices(), min_size=2, max_size=4)):
        tenant.api.post("/v1/prices", price)
    for discount in data.draw(st.lists(discounts(), max_size=2)):
        tenant.api.post("/v1/discounts", discount)
    for model in data.draw(st.sampled_from((MODELS, MODELS[:1], ()))):
        wrong = {"model": model, "provider": PROVIDERS.get(model, "acme")}
        tenant.api.post("/v1/prices", {**wrong, "unit_prices": {"input": "7.77", "output": data.draw(DOLLARS)}})
    tenant.api.post("/v1/events/void", {"source": "gateway", "id": "1"}, 200)


def correct_some(tenant: Tenant, data: st.DataObject) -> None:
    """Void some events and restore them, so that they are as they were when the run was committed."""
    for number in data.draw(st.lists(st.sampled_from(("0", "2", "3")), max_size=2, unique=True)):
        for verb in ("void", "unvoid"):
            tenant.api.post(f"/v1/events/{verb}", {"source": "gateway", "id": number}, 200)


def amounts(period: JsonObject, member: str) -> tuple[Decimal, Decimal]:
    return Decimal(period["cost_usd"][member]), Decimal(period["reported_cost_usd"][member])


def total(rows: Sequence[JsonObject], name: str) -> Decimal:
    return sum((Decimal(row[name]) for row in rows), Decimal(0))


def difference(periods: Sequence[JsonObject], name: str) -> Decimal:
    return sum((Decimal(period[name]["difference_usd"]) for period in periods), Decimal(0))
