"""How to ask each GET route as one of two tenants: about its own ids, about ids of both, and about the other's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from api.portal.tokens import token_of
from domain.customers.derived_id import derived_id
from domain.portal.link import Standing, new_link
from tests.acceptance.tenants.worlds import (
    ASKED_AT,
    BUDGET,
    CORRECTION,
    COUPON,
    CUSTOMER,
    DAYS,
    EVENT,
    MARK,
    METER,
    MINE,
    OTHERS_CUSTOMER,
    PLAN,
    PORTAL_SECRET,
    RUN,
    SOURCE,
    SUBSCRIPTION,
    TUNED,
)
from tests.engine_fixtures import JsonObject

Query = dict[str, str]
#: The value of the path parameter, if the route has one, and the query.
Asked = tuple[str | None, Query]

_SPAN: Final[Query] = {"from": "2026-03-01", "to": "2026-03-20"}
_LITE: Final[Query] = {"start_date": "2026-03-01", "end_date": "2026-03-20"}
#: Stands for a log position that the asking tenant was told, which differs between the two histories.
TOLD_POSITION: Final = "{told position}"
#: Times at which the other tenants act, or shortly after.
_THEN: Final = ("2026-03-10T07:31:42Z", "2026-03-13T00:00:00Z", "2026-03-13T23:59:48Z")
_CUSTOMERS: Final = (CUSTOMER, "lou", OTHERS_CUSTOMER, MARK, "nobody")
_AS_OF: Final[list[Query]] = [{"as_of": one} for one in (*_THEN, TOLD_POSITION)]
_NO_PARAMETERS: Final[list[Asked]] = [(None, {})]


def _each(values: Sequence[str], *queries: Query) -> list[Asked]:
    return [(value, query) for value in values for query in queries or ({},)]


def _queries(*queries: Query) -> list[Asked]:
    return [(None, query) for query in queries]


def _token(customer: str) -> str:
    """The token of a link to the portal of a customer of the asking tenant."""
    return token_of(new_link(MINE, customer, Standing(None, 0), ASKED_AT), PORTAL_SECRET.encode())


_LISTS_OF_CUSTOMERS: Final = _queries({}, {"page": "1", "page_size": "2"}, {"search": MARK}, {"search": "a"})
_ACTIVITY: Final = _queries(
    _LITE,
    {**_LITE, "page_size": "1", "page": "2"},
    {**_LITE, "end_user_ids": f"{CUSTOMER},{OTHERS_CUSTOMER}"},
    {**_LITE, "exclude_end_user_ids": "lou"},
    *({**_LITE, "model": model} for model in ("gpt-4o", TUNED)),
    {**_LITE, "api_key": "hash"},
)
_RESPAN_LISTS: Final = _queries(
    {}, {"page_size": "1", "page": "2"}, *({"sort_by": one} for one in ("-total_cost", "name", "average_latency"))
)
_PERIODS: Final[list[Query]] = [
    {"period": "budget"},
    *({"period": f"subscription:{one}"} for one in (SUBSCRIPTION, f"subscription of {MARK}", "nothing")),
]
_OF_SUBSCRIPTIONS: Final[list[Query]] = [
    {},
    *({"external_subscription_id": one} for one in (SUBSCRIPTION, f"subscription of {MARK}", "nothing")),
]
_INFO: Final = _queries(*({"end_user_id": one} for one in _CUSTOMERS))

#: Routes that cannot be asked as of an earlier position.
_NOT_AS_OF: Final = ("/v1/keys", "/v1/sources", "/v1/operations/status")


def _as_of_too(route: str, asked: Sequence[Asked]) -> Sequence[Asked]:
    """The questions of a route that shows numbers, with the first of them as of earlier positions and times too."""
    of_dialect = route.startswith(
        ("/customer", "/end_user", "/budget", "/spend", "/promptshuttle/api", "/respan/api", "/lago/api")
    )
    is_native = route.startswith("/v1/") and not route.endswith(("completions", "responses"))
    if not (of_dialect or (is_native and route not in _NOT_AS_OF)):
        return asked
    parameter, query = asked[0]
    return [*asked, *((parameter, {**query, **one}) for one in _AS_OF)]


#: By the route's path as it is registered.
_ASKED: Final[Mapping[str, Sequence[Asked]]] = {
    "/v1/events": _queries(
        {},
        {"limit": "2", "voided": "true"},
        *({"customer": one} for one in _CUSTOMERS),
        *({"model": one} for one in ("gpt-4o", TUNED)),
        {"tag": MARK},
        {"tag": "t"},
        {"type": "download"},
        {"unmatched": "true"},
        {"unmatched": "false", "limit": "2"},
    ),
    "/v1/events/one": _queries(
        *(
            {"source": SOURCE, "id": one}
            for one in (EVENT, "11-gpt-4o", "11-o1", "12-o1", f"bad {DAYS[0]}", f"1 {MARK} 10", f"bad {MARK}", "1  10")
        ),
        {"source": "litellm", "id": "call-11/chatcmpl-call-11"},
    ),
    "/v1/rejected": _queries(
        {},
        {"limit": "1"},
        {"outcome": "conflict", "limit": "1"},
        {"outcome": "duplicate"},
        {"reason": "type_missing"},
    ),
    "/v1/customers": _queries({}, {"limit": "1"}, {"prefix": "customer of"}, {"prefix": "a"}),
    "/v1/customers/{customer_id:segment}": _each(_CUSTOMERS),
    "/v1/customers/{customer_id:segment}/history": _each(_CUSTOMERS, {}, {"limit": "1"}),
    "/v1/usage": _queries(
        _SPAN,
        *({**_SPAN, **one} for one in _AS_OF),
        {**_SPAN, "window": "day", "group_by": "customer,provider,model"},
        {**_SPAN, "group_by": "tag,property:session_id,source"},
        {**_SPAN, "meter": METER, "window": "day"},
        {**_SPAN, "meter": "alpha_corp"},
        *({**_SPAN, "customer": one} for one in _CUSTOMERS),
    ),
    "/v1/diff": _queries(
        {"since": "2026-03-12", **_SPAN, "limit": "20"},
        *({"since": one, "as_of": _THEN[1], **_SPAN} for one in ("0", _THEN[0])),
        {"since": "2026-03-12", "period_of": "2026-03"},
        {"since": TOLD_POSITION, **_SPAN},
        *({"since": "2026-03-12", "customer": one, "period_of": "2026-03"} for one in _CUSTOMERS),
    ),
    "/v1/customers/{customer_id:segment}/usage": _each(
        _CUSTOMERS, _SPAN, {**_SPAN, "group_by": "model", "window": "day"}, *({**_SPAN, **one} for one in _AS_OF)
    ),
    "/v1/customers/{customer_id:segment}/current-usage": _each(_CUSTOMERS, {}, *_PERIODS, *_AS_OF),
    "/v1/customers/{customer_id:segment}/past-usage": _each(_CUSTOMERS, {}, *_PERIODS, *_AS_OF),
    "/v1/customers/{customer_id:segment}/budget": _each(_CUSTOMERS, {}, *_AS_OF),
    "/v1/customers/{customer_id:segment}/access": _each(
        _CUSTOMERS,
        {},
        {"model": "gpt-4o"},
        {"model": TUNED, "as": "litellm"},
        {"as": "lago"},
        {"as": "promptshuttle"},
        {"as": "respan"},
    ),
    "/v1/customers/{customer_id:segment}/charges": _each(
        _CUSTOMERS,
        {},
        {"period": "2026-03-11"},
        {"period": "2026-04-02"},
        *({"subscription": one} for one in (SUBSCRIPTION, f"subscription of {MARK}", "nothing")),
        *_AS_OF,
    ),
    "/v1/plans": _queries({}, {"limit": "1"}),
    "/v1/plans/{code:segment}": _each((PLAN, f"plan of {MARK}", "nothing")),
    "/v1/coupons": _queries({}, {"limit": "1"}),
    "/v1/coupons/{code:segment}": _each((COUPON, f"coupon of {MARK}", "nothing")),
    "/v1/applied-coupons": _queries(
        {},
        {"limit": "1"},
        *({"customer": one} for one in _CUSTOMERS),
        *({"coupon": one} for one in (COUPON, f"coupon of {MARK}")),
        {"status": "active"},
    ),
    "/v1/subscriptions": _queries({}, {"limit": "1"}, *({"customer": one} for one in _CUSTOMERS)),
    "/v1/subscriptions/{subscription_id:segment}": _each((SUBSCRIPTION, f"subscription of {MARK}", "nothing")),
    "/v1/meters": _queries({}, {"limit": "1"}),
    "/v1/meters/{code:segment}": _each((METER, "alpha_corp", "cost_usd", "nothing")),
    "/v1/budgets": _queries({}, {"limit": "1"}),
    "/v1/budgets/{budget_id:segment}": _each((BUDGET, "lite", f"budget of {MARK}")),
    "/v1/prices": _queries(
        {},
        {"limit": "1"},
        {"limit": "2"},
        *({"model": one} for one in ("gpt-4o", "o1", "swift", TUNED)),
        {"provider": "openai"},
        {"provider": MARK},
        {"min_position": TOLD_POSITION},
        *({"customer": one} for one in _CUSTOMERS),
    ),
    "/v1/corrections": _queries({}, {"limit": "1"}),
    "/v1/corrections/{name:segment}": _each((CORRECTION, f"correction of {MARK}", "nothing")),
    "/v1/corrections/{name:segment}/preview": _each((CORRECTION, f"correction of {MARK}"), {}, {"limit": "1"}),
    "/v1/repricings": _queries({}, {"limit": "1"}),
    "/v1/repricings/{name:segment}": _each((RUN, f"run of {MARK}", "nothing")),
    "/v1/repricings/{name:segment}/preview": _each((RUN, f"run of {MARK}"), {}, {"limit": "1"}),
    "/v1/backfills": _queries({}, {"limit": "1"}),
    "/v1/backfills/{name:segment}": _each((RUN, f"run of {MARK}", "nothing")),
    "/v1/backfills/{name:segment}/preview": _each((RUN, f"run of {MARK}"), {}, {"limit": "1"}),
    "/v1/discounts": _queries({}, {"limit": "1"}, *({"customer": one} for one in _CUSTOMERS)),
    "/v1/keys": _queries({}, {"limit": "1"}, {"revoked": "true"}),
    "/v1/sources": _NO_PARAMETERS,
    "/v1/operations/status": _NO_PARAMETERS,
    "/healthz": _NO_PARAMETERS,
    "/readyz": _NO_PARAMETERS,
    "/metrics": _NO_PARAMETERS,
    "/openapi.json": _NO_PARAMETERS,
    "/customer/info": _INFO,
    "/end_user/info": _INFO,
    "/customer/list": _LISTS_OF_CUSTOMERS,
    "/end_user/list": _LISTS_OF_CUSTOMERS,
    "/customer/daily/activity": _ACTIVITY,
    "/end_user/daily/activity": _ACTIVITY,
    "/budget/list": _NO_PARAMETERS,
    "/budget/settings": _queries(*({"budget_id": one} for one in ("lite", BUDGET, f"budget of {MARK}"))),
    "/spend/logs/v2": _queries(
        {},
        {"page_size": "2", "page": "2"},
        *({"end_user": one} for one in _CUSTOMERS),
        *({"model": one} for one in ("gpt-4o", TUNED)),
        {"api_key": "hash", "sort_by": "spend"},
        {"request_id": "chatcmpl-call-11"},
        {"min_spend": "0"},
    ),
    "/health/liveliness": _NO_PARAMETERS,
    "/lago/api/v1/customers": _queries(
        {},
        {"page": "2", "per_page": "1"},
        *({"search_term": one} for one in (MARK, "a")),
        {"countries[]": "FR"},
        {"has_customer_type": "false"},
        {"metadata[plan]": ""},
    ),
    "/lago/api/v1/customers/{external_customer_id:segments}": _each(_CUSTOMERS),
    "/lago/api/v1/customers/{external_customer_id:segments}/subscriptions": _each(_CUSTOMERS),
    "/lago/api/v1/customers/{external_customer_id:segments}/current_usage": _each(_CUSTOMERS, *_OF_SUBSCRIPTIONS),
    "/lago/api/v1/customers/{external_customer_id:segments}/past_usage": _each(
        _CUSTOMERS, *_OF_SUBSCRIPTIONS, {"external_subscription_id": SUBSCRIPTION, "billable_metric_code": METER}
    ),
    "/lago/api/v1/customers/{external_customer_id:segments}/portal_url": _each(_CUSTOMERS),
    "/lago/api/v1/billable_metrics": _queries({}, {"page": "2", "per_page": "1"}),
    "/lago/api/v1/billable_metrics/{code:segment}": _each((METER, "alpha_corp", "cost_usd", "nothing")),
    "/lago/api/v1/events": _queries(
        {},
        {"page": "2", "per_page": "1"},
        {"external_subscription_id": SUBSCRIPTION},
        *({"code": one} for one in ("download", MARK)),
    ),
    "/lago/api/v1/events/{transaction_id:segments}": _each((EVENT, MARK, "nothing")),
    "/lago/api/v1/coupons": _queries({}, {"page": "2", "per_page": "1"}),
    "/lago/api/v1/coupons/{code:segment}": _each((COUPON, f"coupon of {MARK}", "nothing")),
    "/lago/api/v1/applied_coupons": _queries(
        {},
        {"page": "2", "per_page": "1"},
        {"status": "active"},
        {"coupon_code[]": COUPON},
        *({"external_customer_id": one} for one in _CUSTOMERS),
    ),
    "/lago/api/v1/customers/{external_customer_id:segments}/applied_coupons": _each(_CUSTOMERS),
    "/lago/api/v1/plans": _queries({}, {"page": "2", "per_page": "1"}),
    "/lago/api/v1/plans/{code:segment}": _each((PLAN, f"plan of {MARK}", "nothing")),
    "/lago/api/v1/plans/{code:segment}/charges": _each((PLAN, f"plan of {MARK}", "nothing")),
    **{
        f"/lago/api/v1/plans/{{code:segment}}/charges/{{charge_code:segment}}{rest}": _each((PLAN, f"plan of {MARK}"))
        for rest in ("", "/filters", "/filters/{filter_id:segment}")
    },
    "/lago/api/v1/subscriptions": _queries(
        {}, {"status[]": "terminated"}, *({"external_customer_id": one} for one in _CUSTOMERS)
    ),
    "/lago/api/v1/subscriptions/{external_id:segments}": _each((SUBSCRIPTION, f"subscription of {MARK}", "nothing")),
    "/lago/openapi.json": _NO_PARAMETERS,
    "/litellm/openapi.json": _NO_PARAMETERS,
    "/promptshuttle/api/v1/customers": _NO_PARAMETERS,
    "/promptshuttle/api/v1/customers/{customer_id:segment}": _each(
        (*_CUSTOMERS, *(derived_id(MINE, one) for one in (CUSTOMER, OTHERS_CUSTOMER)))
    ),
    "/promptshuttle/api/v1/customers/{customer_id:segment}/usage": _each(_CUSTOMERS, {}, {"period": "3.12:00"}),
    "/promptshuttle/api/v1/usage/by-customer": _queries({}, {"period": "3.12:00"}),
    "/promptshuttle/api/v1/llm-logs": _queries(
        {},
        {"pageSize": "2"},
        {"tags": MARK},
        {"flows": MARK},
        *({"customerId": one} for one in _CUSTOMERS),
        {"rootOnly": "true", "statuses": "Succeeded"},
        {"parentRequestId": MARK},
    ),
    "/promptshuttle/openapi.json": _NO_PARAMETERS,
    "/respan/api/users/{customer_identifier:segments}": _each(_CUSTOMERS[:1]),
    "/respan/api/users/{customer_identifier:segments}/": _each(_CUSTOMERS),
    "/respan/api/users/list": _NO_PARAMETERS,
    "/respan/api/users/list/": _RESPAN_LISTS,
    "/respan/api/user/detail/{customer_identifier:segments}": _each(_CUSTOMERS[:1]),
    "/respan/api/user/detail/{customer_identifier:segments}/": _each(_CUSTOMERS[:1]),
    "/respan/openapi.json": _NO_PARAMETERS,
    "/": _NO_PARAMETERS,
    "/docs": _NO_PARAMETERS,
    "/docs/{name}": _each(("native", "lago", "litellm", "promptshuttle", "respan", MARK)),
    "/portal/{token:segment}": _each((*(_token(one) for one in _CUSTOMERS), "nothing"), {}, {"period": "2026-02-03"}),
    "/schemas/usage-event.json": _NO_PARAMETERS,
    "/problems": _NO_PARAMETERS,
    "/problems/{code}": _each(("forbidden", MARK)),
    "/chat/completions": _NO_PARAMETERS,
    "/v1/chat/completions": _NO_PARAMETERS,
    "/v1/completions": _NO_PARAMETERS,
    "/completions": _NO_PARAMETERS,
    "/v1/responses": _NO_PARAMETERS,
    "/api/v1/{rest:path}": _each(("customers",)),
    "/api/v1": _NO_PARAMETERS,
}

#: By the route's path. Lists are followed to their last page. `as_of` is asked in the way of the route's API.
QUESTIONS: Final = {route: _as_of_too(route, asked) for route, asked in _ASKED.items()}

#: Routes that read although they are asked by POST, and the bodies to ask with.
POSTED: Final[Mapping[str, Sequence[JsonObject]]] = {
    "/budget/info": [{"budgets": [one]} for one in ("lite", BUDGET, f"budget of {MARK}")],
    "/respan/api/users/list/": [
        {},
        {"filters": {"customer_identifier": {"operator": "in", "value": [CUSTOMER, OTHERS_CUSTOMER]}}},
        {"filters": {"total_cost": {"operator": "gte", "value": [0]}, "name": {"operator": "not", "value": ["none"]}}},
    ],
}
