"""The questions of a moment: always lists and reports; customers and rarer questions in rotation."""

from __future__ import annotations

from collections.abc import Sequence

from tests.golden.asked import ONE, Query, asked, by_query, turns
from tests.golden.fixtures import Moment, Question
from tests.golden.history_of_customers import ACME, HOSTILE, TEST
from tests.golden.history_of_usage import CREATED, SEEN
from tests.golden.questions_of_litellm import litellm_about, litellm_always, litellm_in_turns

CUSTOMERS_OF_MOMENT = 3
QUESTIONS_OF_CUSTOMER = 3
QUESTIONS_BACK = 2
LISTS_IN_TURN = 5
QUESTIONS_IN_TURN = 16
#: Each moment of the whole folder asks about one customer in so many.
WHOLE_SHARE = 4
EVERYBODY = tuple(
    dict.fromkeys(
        (
            *CREATED, *HOSTILE, *SEEN, "from-header", "from-data", "from-user", "only-voided", "void-first", "kay",
            "by-key", "kit", "kurt", "blocked at first", "short life", "somebody else", "lite free", "lite own",
            "lite total", "lite both", "lite blocked", "lite gone", "lite unheard", "nobody at all", "exact total",
            "exact period", "edges only",
        )
    )
)  # fmt: skip
_SPAN = {"from": "2025-01-01", "to": "2025-06-01"}
_DAYS = {**_SPAN, "window": "day"}

#: Questions about a customer, below its address.
_ALWAYS: list[tuple[str, Query]] = [
    ("", {}),
    ("/current-usage", {}),
    ("/past-usage", {"periods": "12"}),
    ("/budget", {}),
    ("/access", {}),
]
_IN_TURNS: list[tuple[str, Query]] = [
    ("/usage", {}),
    ("/usage", _SPAN),
    ("/usage", _DAYS),
    ("/usage", {**_SPAN, "window": "month"}),
    ("/usage", {**_SPAN, "window": "month", "timezone": "Asia/Kolkata"}),
    ("/usage", {"from": "2025-03-08T20:00:00Z", "to": "2025-03-10T08:00:00+01:00", "window": "hour"}),
    ("/usage", {"from": "2025-01-25T07:00:00Z", "to": "2025-01-25T08:00:00Z", "window": "minute"}),
    ("/usage", {"from": "2025-03-30", "to": "2025-04-07", "window": "day", "timezone": "Australia/Lord_Howe"}),
    ("/usage", {**_SPAN, "group_by": "model,status"}),
    ("/usage", {**_SPAN, "group_by": "provider,model,source"}),
    ("/usage", {**_SPAN, "group_by": "type,subscription"}),
    ("/usage", {**_SPAN, "group_by": "tag"}),
    ("/usage", {**_SPAN, "group_by": "property:team,property:deep.er"}),
    ("/usage", {**_SPAN, "meter": "requests", "window": "month"}),
    ("/usage", {**_SPAN, "meter": "cost_usd", "group_by": "model"}),
    ("/usage", {**_SPAN, "meter": "gb"}),
    ("/usage", {**_SPAN, "meter": "gb", "group_by": "where", "window": "day"}),
    ("/usage", {**_SPAN, "meter": "gb_most", "group_by": "tier"}),
    ("/usage", {**_SPAN, "meter": "gb_least"}),
    ("/usage", {**_SPAN, "meter": "gb_last", "group_by": "where"}),
    ("/usage", {**_SPAN, "meter": "hosts", "window": "month"}),
    ("/current-usage", {"period": "budget"}),
    ("/past-usage", {"period": "budget", "periods": "5"}),
    ("/past-usage", {}),
    ("/history", {}),
    ("/history", {"limit": "2"}),
    ("/access", {"model": "swift"}),
    ("/access", {"model": "deep"}),
    ("/access", {"as": "litellm"}),
    ("/access", {"as": "litellm", "model": "dated"}),
]


#: Ids of events that fall on bounds.
_EDGES = (
    *(f"edge size {size}" for size in (20_000, 20_001, 60_000, 60_001)),
    *(f"edge half {name}" for name in (1, 3, 5, "out")),
    *(f"edge dated 2025-0{month}-01T00:00:00Z" for month in (1, 2)),
    "edge later 2025-01-05T00:00:00Z",
    "edge price",
    "edge exact period",
    "edge gone 2025-02-14T18:20:00Z",
)
_AS_OF = ("/usage", "/current-usage", "/past-usage", "/budget")
#: At every moment: keys and their rights, the list of customers, and usage of all.
_ALWAYS_ASKED = [
    asked("/customer/list"),
    *(asked("/v1/customers", {"limit": "1"}, key=key) for key in ("reader", ACME, TEST, "gone")),
    asked("/v1/customers", {"limit": "1000"}),
    asked("/v1/usage", {**_SPAN, "group_by": "customer,model", "window": "month"}),
]


def questions_at(number: int, moment: Moment, moments: Sequence[Moment]) -> list[Question]:
    """All questions of the moment with this number. `moments`: those whose positions `as_of` may name."""
    if moment.position is None:
        back = [one for one in moments if one.position is not None]
        customers = EVERYBODY[number % WHOLE_SHARE :: WHOLE_SHARE]
    else:
        back = [one for one in moments if (one.position or 0) < moment.position]
        customers = _customers_of(number)
    everybody = _of_everybody(number) if moment.position is None else []
    places = enumerate(customers)
    about = [question for place, customer in places for question in _about(customer, number + 3 * place, back)]
    lists = turns([*_lists(), *litellm_always()], number, LISTS_IN_TURN)
    rare = turns(_rare(number) + litellm_in_turns(), number, QUESTIONS_IN_TURN)
    return [*_ALWAYS_ASKED, *lists, *everybody, *about, *rare]


def _of_everybody(number: int) -> list[Question]:
    """Two of the usual questions about each customer, and events that fall on bounds."""
    paths = [ONE + rest for rest, _ in turns(_ALWAYS, number, 2)]
    about = [asked(path, path=customer) for customer in EVERYBODY for path in paths]
    return [*about, *(asked("/v1/events/one", {"source": "edges", "id": one}) for one in turns(_EDGES, number, 7))]


def _customers_of(number: int) -> tuple[str, ...]:
    first = number * CUSTOMERS_OF_MOMENT
    return tuple(EVERYBODY[(first + place) % len(EVERYBODY)] for place in range(CUSTOMERS_OF_MOMENT))


def _about(customer: str, number: int, back: Sequence[Moment]) -> list[Question]:
    """Questions about one customer: now, and as known at some earlier positions and instants."""
    found = [asked(ONE + rest, query, path=customer) for rest, query in _ALWAYS]
    chosen = [asked(ONE + rest, query, path=customer) for rest, query in _IN_TURNS]
    found += turns(chosen, number, QUESTIONS_OF_CUSTOMER)
    found[number % len(found)] = by_query(found[number % len(found)])
    for rest, then in zip(turns(_AS_OF, number, QUESTIONS_BACK), turns(back, number, QUESTIONS_BACK), strict=False):
        as_of = str(then.position) if number % 2 else then.now.isoformat()
        found.append(asked(ONE + rest, {"as_of": as_of}, path=customer))
    return [*found, *litellm_about(customer)]


def _lists() -> list[Question]:
    """Lists and reports about everybody, some of them at each moment."""
    return [
        asked("/v1/customers", {"limit": "7"}, key="reader"),
        asked("/v1/customers", key=ACME),
        asked("/v1/usage", {**_SPAN, "group_by": "customer"}, key="reader"),
        asked("/v1/usage", {**_DAYS, "group_by": "model"}),
        asked("/v1/usage", _SPAN, key=TEST),
        asked("/v1/events", {"limit": "1000", "voided": "true"}),
        asked("/v1/events", {"limit": "11"}),
        asked("/v1/rejected", {"limit": "5"}),
        asked("/v1/budgets", {"limit": "1000"}),
        asked("/v1/prices", {"limit": "1000"}),
        asked("/v1/sources"),
    ]


def _rare(number: int) -> list[Question]:
    """Questions that need not be asked at every moment."""
    events = ("first 0", "first 1", "month end 5", "january child", "twice", "kafka 1", "http first", "kafka to come",
        "comes and stays", "still to come", "never comes", "may dear", "january root", "too early", "months late ada",
        "second 4", "february 7", "spring 9", "january disk 11", "january pending", "no such event")  # fmt: skip
    known = [asked("/v1/events/one", {"source": "gateway", "id": one}) for one in events]
    known += [asked("/v1/events/one", {"source": "late", "id": f"{one} ada"}) for one in ("in grace", "after grace")]
    return [
        *known,
        *_rare_reports(),
        *_rare_events(),
        *_rare_catalogue(),
        *_elsewhere(),
        *_refused(EVERYBODY[number % len(EVERYBODY)]),
    ]


def _rare_reports() -> list[Question]:
    queries: list[Query] = [
        {},
        {**_SPAN, "group_by": "status,source"},
        {**_SPAN, "group_by": "tag"},
        {**_SPAN, "meter": "gb", "group_by": "where,customer"},
        {**_SPAN, "meter": "gb_most", "window": "month"},
        {**_SPAN, "meter": "hosts", "group_by": "tier"},
        {**_SPAN, "meter": "pings"},
        {**_SPAN, "meter": "total_tokens", "group_by": "customer"},
        {**_SPAN, "customer": "ada", "window": "month"},
        {**_SPAN, "customer": "nobody at all"},
        {"from": "2025-03-09", "to": "2025-03-10", "timezone": "America/New_York", "window": "hour"},
        {"from": "2025-01-31T22:30:00+00:00", "to": "2025-02-01T00:30:00Z", "window": "minute"},
    ]
    return [asked("/v1/usage", query) for query in queries]


def _rare_events() -> list[Question]:
    queries: list[Query] = [
        {"customer": "ada", "limit": "3"},
        {"model": "swift", "status": "failed"},
        {"tag": "ü", "limit": "4"},
        {"type": "disk.measured"},
        {"unmatched": "true"},
        {"unmatched": "false", "limit": "6"},
        {"from": "2025-02-01T00:00:00Z", "to": "2025-03-01T00:00:00Z"},
        {"customer": "only-voided", "voided": "true"},
        {"status": "pending"},
    ]
    outcomes: list[Query] = [
        {"outcome": "conflict"},
        {"outcome": "duplicate"},
        {"reason": "time_out_of_range"},
        {"limit": "1000"},
    ]
    return [asked("/v1/events", one) for one in queries] + [asked("/v1/rejected", one) for one in outcomes]


def _rare_catalogue() -> list[Question]:
    meter, budget = "/v1/meters/{code:segment}", "/v1/budgets/{budget_id:segment}"
    return [
        asked("/v1/meters"),
        asked("/v1/meters", {"limit": "4"}),
        *(asked(meter, path=code) for code in ("gb", "gb_least", "hosts", "pings", "cost_usd", "nothing")),
        *(asked(budget, path=one) for one in ("basic", "rolling", "a/b %", "doomed", "free", "paid", "kafka tier")),
        asked("/v1/budgets", {"limit": "2"}),
        asked("/v1/budgets", key=ACME),
        asked("/v1/prices", {"provider": "acme", "model": "deep"}),
        asked("/v1/prices", {"limit": "2"}),
        asked("/v1/prices", key=ACME),
        asked("/v1/keys", {"revoked": "true"}),
        asked("/v1/keys", {"limit": "2"}),
        asked("/v1/keys", key=ACME),
        asked("/v1/sources", {"limit": "1"}),
    ]


def _elsewhere() -> list[Question]:
    """Questions about the other tenant and the other environment."""
    return [
        *(asked(ONE + rest, _SPAN if rest == "/usage" else None, path="ada", key=key)
          for key in (ACME, TEST) for rest in ("", "/usage", "/current-usage", "/budget", "/access", "/history")),
        asked(ONE, path="kay", key=TEST),
        asked("/v1/events", {"limit": "3"}, key=ACME),
        asked("/v1/events/one", {"source": "gateway", "id": "first 0"}, key=TEST),
        asked("/v1/sources", key=ACME),
        asked("/v1/rejected", key=TEST),
        asked("/"),
        asked("/", key=None),
    ]  # fmt: skip


def _refused(customer: str) -> list[Question]:
    """Invalid requests, and addresses where nothing exists."""
    wrong: list[tuple[str, Query]] = [
        ("/usage", {"from": "yesterday"}),
        ("/usage", {"from": "2025-02-30"}),
        ("/usage", {"from": "2025-03-01", "to": "2025-02-01"}),
        ("/usage", {"window": "week"}),
        ("/usage", {"timezone": "Mars/Olympus"}),
        ("/usage", {"group_by": "colour"}),
        ("/usage", {"meter": "nothing"}),
        ("/usage", {"as_of": "999999999"}),
        ("/usage", {"as_of": "soon"}),
        ("/current-usage", {"period": "week"}),
        ("/past-usage", {"periods": "0"}),
        ("/access", {"as": "esperanto"}),
        ("/history", {"cursor": "nonsense"}),
        ("", {"limit": "1"}),
    ]
    nowhere = ("/chat/completions", "/v1/chat/completions", "/completions", "/v1/completions", "/v1/responses",
        "/api/v1", "/v1/nothing", "/v1/customer/usage", "/v1/customers/%FF")  # fmt: skip
    return [
        *(asked(ONE + rest, query, path=customer) for rest, query in wrong),
        *(asked(path) for path in nowhere),
        asked("/api/v1/{rest:path}", path="customers"),
        asked("/v1/events", {"limit": "0"}),
        asked("/v1/events/one", {"source": "gateway"}),
        asked("/v1/usage", key=None),
        asked("/v1/usage", key="ingester"),
        asked("/v1/keys", key="reader"),
        asked("/v1/customers", {"colour": "red"}),
    ]
