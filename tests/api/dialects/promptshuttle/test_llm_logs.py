"""The invocation log: filters, pages, and what an entry shows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import pytest

from api.dialects.promptshuttle.models.responses import LogPage
from domain.customers.derived_id import derived_id
from domain.scope import DEFAULT_SCOPE
from tests.api.dialects.conftest import Spend
from tests.api.dialects.promptshuttle.conftest import BASE, FRIDAY
from tests.engine_fixtures import Api, JsonObject, SettableClock, customer_path, llm_request

LOGS: Final = f"{BASE}/llm-logs"
MINUTE: Final = timedelta(minutes=1)
#: The requests of the log, newest first: id, minutes before now, customer and data.
REQUESTS: Final[list[tuple[str, int, str, JsonObject]]] = [
    ("p", 1, "ann", {"status": "pending", "environment": "OpenAI", "flow": "support"}),
    ("c2", 2, "ann", {"parent_request": "r", "tags": ["x", "y"], "flowId": "67a1b2c3d4e5f6a7b8c9d0e1"}),
    ("c1", 3, "bob", {"parent_request": "r", "status": "failed", "environment": "Production"}),
    ("r", 4, "ann", {"tags": ["y"], "environment": "Production", "flow": "support"}),
    ("n", 5, "bob", {"tags": ["z"], "environment": 7}),
]


@pytest.fixture(scope="module", autouse=True)
def log(api: Api) -> None:
    events = [llm_request(name, customer, FRIDAY - n * MINUTE, **data) for name, n, customer, data in REQUESTS]
    api.deliver([*events, {**llm_request("other", "ann", FRIDAY), "type": "disk.sampled"}])


def asked(api: Api, query: str = "") -> JsonObject:
    shown: JsonObject = api.send("GET", f"{LOGS}?{query}", 200).json()
    assert LogPage.model_validate(shown)
    return shown


def found(api: Api, query: str = "") -> str:
    """The ids of the page, joined."""
    return " ".join(one["id"] for one in asked(api, query)["items"])


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", "p c2 c1 r n"),
        ("customerId=ann", "p c2 r"),
        ("customerId=nobody", ""),
        ("customerId=", "p c2 c1 r n"),
        ("rootOnly=true", "p r n"),
        ("rootOnly=false", "p c2 c1 r n"),
        ("parentRequestId=r", "c2 c1"),
        ("parentRequestId=r&customerId=bob", "c1"),
        ("statuses=Failed", "c1"),
        ("statuses=Failed&statuses=Pending", "p c1"),
        ("statuses[]=failed&statuses[]=pending", "p c1"),
        ("tags=y", "c2 r"),
        ("tags=x&tags=z", "c2 n"),
        ("tags[]=x&tags[]=z", "c2 n"),
        ("tags%5B0%5D=x&tags%5B1%5D=z", "c2 n"),
        ("environments=Production", "c1 r"),
        ("environments=Production&environments[]=OpenAI", "p c1 r"),
        ("environments=7", "n"),
        ("environments=&flows[]=&statuses=&tags=&parentRequestId=&from=&to=&cursor=", "p c2 c1 r n"),
        ("tags=&tags=y", "c2 r"),
        ("flows=support", "p r"),
        ("flows=67a1b2c3d4e5f6a7b8c9d0e1&flows=support", "p c2 r"),
        ("environments=Production&flows=support&tags=y", "r"),
        ("TAGS=y&customerid=ann&unknown=1", "c2 r"),
        ("from=2026-11-20T10:21:37.5Z&to=2026-11-20T10:22:37.5Z", "c1"),
        ("from=2026-11-20T10:22:37.500", "p c2"),
        ("from=2026-11-20T12:22:37.5%2B02:00", "p c2"),
        ("to=2026-11-20", ""),
        ("from=2026-11-20&to=2026-11-21", "p c2 c1 r n"),
    ],
)
def test_filters_are_combined_and_of_each_list_one_value_is_enough(api: Api, query: str, ids: str) -> None:
    assert found(api, query) == ids


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_pages_follow_one_another_by_cursor(api: Api, size: int) -> None:
    ids: list[str] = []
    page = asked(api, f"pageSize={size}")
    while page["nextCursor"] is not None:
        ids += [one["id"] for one in page["items"]]
        page = asked(api, f"pageSize={size}&cursor={page['nextCursor']}")
    ids += [one["id"] for one in page["items"]]
    assert " ".join(ids) == "p c2 c1 r n"


def test_a_page_has_fifty_entries_unless_another_size_is_asked_for(api: Api) -> None:
    api.deliver([llm_request(f"many-{number}", "many", FRIDAY - 60 * MINUTE) for number in range(60)])
    assert len(asked(api, "customerId=many")["items"]) == 50
    assert len(asked(api, "customerId=many&pageSize=1000")["items"]) == 60


def test_tokens_of_a_request_that_told_none_are_unknown(api: Api) -> None:
    silent = {**llm_request("silent", "quiet", FRIDAY), "data": {"model": "nobody-prices-this"}}
    api.deliver([silent, llm_request("empty", "quiet", FRIDAY - MINUTE, cost_usd="0")])
    told = [one["usage"] for one in asked(api, "customerId=quiet")["items"]]
    assert [set(usage.values()) for usage in told] == [{None}, {100, 10, 110, 0}]


def test_an_entry_shows_the_request_its_usage_and_its_customer(api: Api) -> None:
    data: JsonObject = {
        "input_tokens": 100, "cached_input_tokens": 40, "cache_write_tokens": 5, "output_tokens": 30,
        "reasoning_tokens": 20, "cost_usd": "0.0000015", "latency_ms": 1234.5, "ttft_ms": 50, "tags": ["a"],
        "environment": "OpenAI", "flow": "support", "parent_request": "root",
    }  # fmt: skip
    api.post("/v1/customers", {"id": "entry", "markup_percentage": "100", "effective_at": "2026-01-01T00:00:00Z"})
    api.deliver([llm_request("one", "entry", FRIDAY - 90 * MINUTE, **data)])
    assert asked(api, "customerId=entry") == {
        "items": [
            {
                "id": "one",
                "source": "gateway",
                "timestamp": "2026-11-20T08:54:37.500Z",
                "status": "Succeeded",
                "request": {
                    "provider": "acme",
                    "model": "swift",
                    "environment": "OpenAI",
                    "flow": "support",
                    "tags": ["a"],
                },
                "usage": {
                    "tokensIn": 100,
                    "tokensOut": 30,
                    "tokensTotal": 130,
                    "tokensReasoning": 20,
                    "tokensCachedRead": 40,
                    "tokensCacheWrite": 5,
                    "costCredits": 3,
                    "costUsd": 3e-06,
                },
                "timing": {"milliseconds": 1234, "firstTokenMilliseconds": 50},
                "hierarchy": {"parentRequestId": "root", "rootRequestId": None},
                "customer": {"id": derived_id(DEFAULT_SCOPE, "entry"), "externalId": "entry"},
            }
        ],
        "nextCursor": None,
    }


def test_an_unknown_cost_is_null_and_a_root_is_its_own_root(api: Api) -> None:
    api.deliver([llm_request("dear", "unpriced", FRIDAY - 90 * MINUTE)])
    (entry,) = asked(api, "customerId=unpriced")["items"]
    assert (entry["usage"]["costCredits"], entry["usage"]["costUsd"]) == (None, None)
    assert entry["hierarchy"] == {"parentRequestId": None, "rootRequestId": "dear"}


def test_requests_of_a_deleted_customer_stay_and_voided_ones_do_not(
    api: Api, spend: Spend, clock: SettableClock
) -> None:
    spend("leaver", "1", FRIDAY - 90 * MINUTE)
    clock.advance(seconds=1)
    api.delete(f"{BASE}/customers/leaver")
    (entry,) = asked(api, "customerId=leaver")["items"]
    api.send("POST", "/v1/events/void", 200, json={"source": "gateway", "id": entry["id"]})
    assert asked(api, "customerId=leaver") == {"items": [], "nextCursor": None}
    assert api.send("GET", customer_path("leaver"), 404)


@pytest.mark.parametrize(
    ("query", "name", "rule"),
    [
        ("pageSize=0", "pageSize", "input should be greater than or equal to 1"),
        ("pageSize=1001", "pageSize", "input should be less than or equal to 1000"),
        ("pageSize=many", "pageSize", "input should be a valid integer, unable to parse string as an integer"),
        ("statuses=Done", "statuses", "must be some of Succeeded, Failed, Pending"),
        ("rootOnly=maybe", "rootOnly", "input should be a valid boolean, unable to interpret input"),
        ("cursor=nothing", "cursor", "must be the nextCursor of an earlier page"),
        ("&".join(["tags=a"] * 101), "tags", "list should have at most 100 items after validation, not 101"),
    ],
)
def test_a_filter_that_cannot_be_read_is_refused_by_its_name(api: Api, query: str, name: str, rule: str) -> None:
    refused = api.refused("GET", f"{LOGS}?{query}", 400)
    assert refused["errors"] == {name: [rule]}


@pytest.mark.parametrize("query", ["from=yesterday", "to=2026-13-01", "from=2026-02-30", "from=2026-11-20T25:00:00Z"])
def test_a_date_that_is_none_is_refused(api: Api, query: str) -> None:
    refused: Any = api.refused("GET", f"{LOGS}?{query}", 400)
    assert set(refused["errors"]) == {query.partition("=")[0]}
