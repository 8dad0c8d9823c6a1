"""PromptShuttle's page on customers, sentence by sentence, and what it leaves open, in rows that begin with "reading".

Every row has a customer of its own, whose id is the number of the row.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any, Final

import msgspec
import pytest

from tests.api.dialects.conftest import Spend
from tests.api.dialects.promptshuttle.conftest import BASE, FRIDAY, changed, created, listed
from tests.engine_fixtures import CLOUDEVENT, Api, JsonObject, llm_request

HOUR: Final = timedelta(hours=1)
_IDS: Final = count()
#: The page's body for a new customer, without its id.
ACME: Final[JsonObject] = {
    "name": "Acme Corp",
    "email": "contact@acme.com",
    "metadata": {"plan": "enterprise", "region": "eu"},
}


class Page:
    """What a row may ask: an API, and a customer."""

    def __init__(self, api: Api, spend: Spend, customer: str) -> None:
        self.api = api
        self.spend = spend
        self.customer = customer
        self.path = f"{BASE}/customers/{customer}"

    def create(self) -> JsonObject:
        return created(self.api, self.customer, **ACME)

    def show(self) -> JsonObject:
        shown: JsonObject = self.api.get(self.path)
        return shown

    def status(self, method: str, path: str, **rest: Any) -> int:
        answer: int = self.api.send(method, path, None, **rest).status_code
        return answer

    def use(self, header: str | None = None, **data: Any) -> None:
        """Send a request without a subject."""
        event = llm_request(f"{self.customer}-{next(_IDS)}", "nobody", FRIDAY - HOUR, cost_usd="0.25", **data)
        del event["subject"]
        headers = {"Content-Type": CLOUDEVENT} | ({} if header is None else {"X-Shuttle-Customer-Id": header})
        self.api.send("POST", "/v1/events", 200, headers, content=msgspec.json.encode(event))

    def usage(self, **params: str) -> JsonObject:
        shown: JsonObject = self.api.get(f"{self.path}/usage", **params)
        return shown

    def reported(self, **params: str) -> list[JsonObject]:
        found = self.api.get(f"{BASE}/usage/by-customer", **params)
        return [one for one in found if one["externalId"] == self.customer]

    def log(self) -> list[JsonObject]:
        items: list[JsonObject] = self.api.get(f"{BASE}/llm-logs", customerId=self.customer)["items"]
        return items


Row = Callable[[Page], object]
ROWS: dict[str, Row] = {}


def row(sentence: str) -> Callable[[Row], Row]:
    def add(check: Row) -> Row:
        ROWS[sentence] = check
        return check

    return add


# -- the page


@row("Track per-customer usage and costs by associating requests with your end-customers.")
def _(page: Page) -> None:
    page.use(page.customer)
    assert [one["customer"]["externalId"] for one in page.log()] == [page.customer]
    assert page.usage()["costUsd"] == 0.25


@row("Pass a customer identifier with each request")
def _(page: Page) -> None:
    page.use(page.customer)
    page.use(page.customer)
    assert len(page.log()) == 2


@row("PromptShuttle auto-creates a customer record on first use")
def _(page: Page) -> None:
    assert page.status("GET", page.path) == 404
    page.use(page.customer)
    assert page.show()["externalId"] == page.customer


@row("View per-customer usage and cost breakdowns")
def _(page: Page) -> None:
    page.use(page.customer)
    assert page.reported() == [page.usage()]


@row("Pass the customer ID on any request via header or body field")
def _(page: Page) -> None:
    page.use(page.customer)
    page.use(customerId=page.customer)
    assert len(page.log()) == 2


@row('-H "Authorization: Bearer YOUR_API_KEY"')
def _(page: Page) -> None:
    assert page.status("GET", f"{BASE}/customers", headers={"Authorization": f"Bearer {page.api.key}"}) == 200
    assert page.status("GET", f"{BASE}/customers", headers={"Authorization": page.api.key}) == 401


@row("POST /api/v1/chat/completions")
def _(page: Page) -> None:
    shown = page.api.refused("POST", f"{BASE}/chat/completions", 404, {"model": "m"})
    assert (shown["type"], "no gateway" in shown["detail"]) == ("/problems/no_gateway", True)


@row('{"parameters": {"..."}, "customerId": "customer_123"}')
def _(page: Page) -> None:
    page.use(parameters={"question": "why"}, customerId=page.customer)
    assert len(page.log()) == 1


@row("The header takes precedence over the body field.")
def _(page: Page) -> None:
    page.use(page.customer, customerId="another customer")
    assert len(page.log()) == 1


@row("The `user` field on the OpenAI endpoint also works as a fallback.")
def _(page: Page) -> None:
    page.use(user=page.customer)
    page.use(customerId="another customer", user=page.customer)
    assert len(page.log()) == 1


@row("POST /api/v1/customers {externalId, name, email, metadata}")
def _(page: Page) -> None:
    assert page.create().items() >= {"externalId": page.customer, **ACME}.items()


@row("`externalId` must be unique within your tenant.")
def _(page: Page) -> None:
    page.create()
    assert page.status("POST", f"{BASE}/customers", json={"externalId": page.customer}) == 409


@row("This is the ID you pass in `X-Shuttle-Customer-Id`.")
def _(page: Page) -> None:
    internal = page.create()["id"]
    page.use(page.customer)
    assert page.log()[0]["customer"] == {"id": internal, "externalId": page.customer}


@row("Customers are auto-created when you pass an unknown `X-Shuttle-Customer-Id` or `customerId`.")
def _(page: Page) -> None:
    page.use(f"{page.customer} header")
    page.use(customerId=f"{page.customer} body")
    assert {f"{page.customer} header", f"{page.customer} body"} <= {one["externalId"] for one in listed(page.api)}


@row("You only need to explicitly create customers if you want to set name, email, or metadata upfront.")
def _(page: Page) -> None:
    page.use(page.customer)
    shown = page.show()
    assert (shown["name"], shown["email"], shown["metadata"]) == (None, None, {})


@row("GET /api/v1/customers")
def _(page: Page) -> None:
    shown = page.create()
    assert [one for one in listed(page.api) if one["externalId"] == page.customer] == [shown]


@row("GET /api/v1/customers/{id}")
def _(page: Page) -> None:
    shown = page.create()
    assert page.show() == shown


@row("PUT /api/v1/customers/{id} {name, metadata}")
def _(page: Page) -> None:
    page.create()
    given: JsonObject = {"name": "Acme Corporation", "metadata": {"plan": "enterprise", "region": "us"}}
    assert changed(page.api, page.customer, **given).items() >= given.items()


@row("Only provided (non-null) fields are updated.")
def _(page: Page) -> None:
    page.create()
    assert (
        changed(page.api, page.customer, name=None, email="new@acme.com").items()
        >= {
            **ACME,
            "email": "new@acme.com",
        }.items()
    )


@row("DELETE /api/v1/customers/{id}")
def _(page: Page) -> None:
    page.create()
    assert page.status("DELETE", page.path) == 204
    assert page.status("GET", page.path) == 404


@row("Set `isActive: false` to exclude a customer from usage reports without deleting them")
def _(page: Page) -> None:
    page.create()
    assert len(page.reported()) == 1
    changed(page.api, page.customer, isActive=False)
    assert page.reported() == []
    assert page.show()["isActive"] is False


@row("GET /api/v1/customers/{id}/usage?period=30.00:00:00")
def _(page: Page) -> None:
    page.spend(page.customer, "1", FRIDAY - timedelta(days=29))
    page.spend(page.customer, "1", FRIDAY - timedelta(days=31))
    assert page.usage(period="30.00:00:00")["requestCount"] == 1


@row("Returns credits used, request count, and cost for the specified period")
def _(page: Page) -> None:
    page.use(page.customer)
    shown = page.usage(period="1")
    assert (shown["creditsUsed"], shown["requestCount"], shown["costUsd"]) == (250_000, 1, 0.25)


@row("(default 30 days)")
def _(page: Page) -> None:
    page.create()
    assert page.usage() == page.usage(period="30.00:00:00")


@row("GET /api/v1/usage/by-customer?period=7.00:00:00")
def _(page: Page) -> None:
    page.spend(page.customer, "1", FRIDAY - timedelta(days=6))
    page.spend(page.customer, "1", FRIDAY - timedelta(days=8))
    assert [one["requestCount"] for one in page.reported(period="7.00:00:00")] == [1]


@row("Returns usage summary grouped by all customers")
def _(page: Page) -> None:
    page.create()
    page.use(f"{page.customer} other")
    found = {one["externalId"] for one in page.api.get(f"{BASE}/usage/by-customer")}
    assert {page.customer, f"{page.customer} other"} <= found


@row("The invocation log supports filtering by customer: GET /api/v1/llm-logs?customerId=customer_123")
def _(page: Page) -> None:
    page.use(page.customer)
    page.use("somebody else")
    assert len(page.log()) == 1


@row("This shows all requests attributed to that customer.")
def _(page: Page) -> None:
    page.use(page.customer, parent_request="root")
    page.use(page.customer, status="failed")
    page.spend(page.customer, "1", FRIDAY - timedelta(days=400))
    assert len(page.log()) == 3


# -- readings


@row("reading: {id} is the internal id, of 24 hex digits, or the external one")
def _(page: Page) -> None:
    shown = page.create()
    assert re.fullmatch("[0-9a-f]{24}", shown["id"])
    assert page.api.get(f"{BASE}/customers/{shown['id']}") == page.show()


@row("reading: a customer has these members")
def _(page: Page) -> None:
    members = ["id", "externalId", "name", "email", "metadata", "isActive", "createdAt", "updatedAt"]
    assert list(page.create()) == members


@row("reading: a customer known by its usage alone may still be created")
def _(page: Page) -> None:
    page.use(page.customer)
    assert page.create()["name"] == "Acme Corp"


@row("reading: metadata are replaced as a whole")
def _(page: Page) -> None:
    page.create()
    assert changed(page.api, page.customer, metadata={"plan": "free"})["metadata"] == {"plan": "free"}


@row("reading: isActive true brings a customer back")
def _(page: Page) -> None:
    page.create()
    changed(page.api, page.customer, isActive=False)
    changed(page.api, page.customer, isActive=True)
    assert len(page.reported()) == 1


@row("reading: an inactive customer has usage of its own")
def _(page: Page) -> None:
    page.use(page.customer)
    changed(page.api, page.customer, isActive=False)
    assert page.usage()["requestCount"] == 1


@row("reading: an active customer without usage is reported with zeros")
def _(page: Page) -> None:
    page.create()
    (shown,) = page.reported()
    assert (shown["creditsUsed"], shown["requestCount"], shown["costUsd"]) == (0, 0, 0.0)


@row("reading: the list and the report are bare arrays, the report with the most credits first")
def _(page: Page) -> None:
    report = page.api.get(f"{BASE}/usage/by-customer")
    assert [type(listed(page.api)), type(report)] == [list, list]
    credits = [one["creditsUsed"] for one in report]
    assert credits == sorted(credits, reverse=True)


@row("reading: usage has these members")
def _(page: Page) -> None:
    page.create()
    members = ["customerId", "externalId", "name", "period", "from", "to", "creditsUsed", "requestCount", "costUsd"]
    assert list(page.usage()) == members


@row("reading: the window rolls, from now less the period, inclusive, to now, exclusive")
def _(page: Page) -> None:
    for at in (FRIDAY, FRIDAY - timedelta(days=7), FRIDAY - timedelta(days=7, microseconds=1)):
        page.spend(page.customer, "1", at)
    assert page.usage(period="7")["requestCount"] == 1


@row("reading: requests are those without a parent, and money is that of all")
def _(page: Page) -> None:
    page.use(page.customer)
    page.use(page.customer, parent_request="root")
    shown = page.usage()
    assert (shown["requestCount"], shown["costUsd"]) == (1, 0.5)


@row("reading: a period is a time span of .NET, in which 24:00:00 is 24 days")
def _(page: Page) -> None:
    page.create()
    periods = [page.usage(period=text)["period"] for text in ("7", "24:00:00", "23:00:00")]
    assert periods == ["7.00:00:00", "24.00:00:00", "23:00:00"]


@row("reading: a period of zero, a negative one and any other text are refused with 400")
def _(page: Page) -> None:
    page.create()
    assert {page.status("GET", f"{page.path}/usage", params={"period": text}) for text in ("0", "-1", "month")} == {400}


@row("reading: requests of a deleted customer stay in the log, and its id begins a new customer without usage")
def _(page: Page) -> None:
    page.use(page.customer)
    page.api.delete(page.path)
    assert page.reported() == []
    page.create()
    assert (page.usage()["requestCount"], len(page.log())) == (0, 1)


@row("reading: the log is {items, nextCursor}, newest first, fifty to a page")
def _(page: Page) -> None:
    for minutes in (2, 1, 3):
        page.spend(page.customer, "1", FRIDAY - timedelta(minutes=minutes))
    found = page.api.get(f"{BASE}/llm-logs", customerId=page.customer)
    times = [one["timestamp"] for one in found["items"]]
    assert (list(found), times, found["nextCursor"]) == (["items", "nextCursor"], sorted(times, reverse=True), None)


@row("reading: errors are ProblemDetails; 400 for what cannot be read, 404, 409")
def _(page: Page) -> None:
    shown = page.api.refused("POST", f"{BASE}/customers", 400, {"externalId": ""})
    assert set(shown) == {"type", "title", "status", "detail", "errors"}


@pytest.mark.parametrize("sentence", ROWS)
def test_the_page_holds(api: Api, spend: Spend, sentence: str) -> None:
    ROWS[sentence](Page(api, spend, f"row-{list(ROWS).index(sentence)}"))
