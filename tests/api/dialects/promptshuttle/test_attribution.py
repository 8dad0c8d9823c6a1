"""The customer of usage without a subject: X-Shuttle-Customer-Id, else the event's `customerId`, else its `user`."""

from __future__ import annotations

from itertools import count
from typing import Any, Final

import msgspec
import pytest

from tests.api.dialects.promptshuttle.conftest import BASE
from tests.engine_fixtures import CLOUDEVENT, CLOUDEVENTS, NDJSON, Api, JsonObject, llm_request

HEADER: Final = "X-Shuttle-Customer-Id"
IDS: Final = count()


def bodies(events: list[JsonObject]) -> dict[str, bytes]:
    """The same events in each format."""
    encoded = [msgspec.json.encode(event) for event in events]
    return {
        CLOUDEVENT: encoded[0],
        CLOUDEVENTS: b"[" + b",".join(encoded) + b"]",
        NDJSON: b"\n".join(encoded),
    }


def without_subject(**data: Any) -> JsonObject:
    event = llm_request(f"attributed-{next(IDS)}", **data)
    return {name: value for name, value in event.items() if name != "subject"}


def sent(api: Api, body: bytes, form: str, customer: str | None) -> Any:
    named = {} if customer is None else {HEADER: customer.encode().decode("latin-1")}
    raw = {name.encode(): value.encode("latin-1") for name, value in {"Content-Type": form, **named}.items()}
    return api.send("POST", "/v1/events", 200, raw, content=body).json()["counts"]  # type: ignore[arg-type]


def customers_of(api: Api, events: list[JsonObject]) -> list[str]:
    return [api.get("/v1/events/one", source="gateway", id=one["id"])["event"]["customer"] for one in events]


@pytest.mark.parametrize("form", [CLOUDEVENT, CLOUDEVENTS, NDJSON])
@pytest.mark.parametrize(
    ("header", "data", "customer"),
    [
        ("of header", {"customerId": "of body", "user": "of user"}, "of header"),
        (None, {"customerId": "of body", "user": "of user"}, "of body"),
        (None, {"user": "of user"}, "of user"),
        ("zoë/ä", {}, "zoë/ä"),
    ],
)
def test_the_header_comes_before_the_body_and_that_before_the_user(
    api: Api, form: str, header: str | None, data: JsonObject, customer: str
) -> None:
    events = [without_subject(**data) for _ in range(1 if form == CLOUDEVENT else 20)]
    assert sent(api, bodies(events)[form], form, header)["counted"] == len(events)
    assert customers_of(api, events[:2]) == [customer] * len(events[:2])


def test_each_event_of_a_batch_has_a_customer_of_its_own(api: Api) -> None:
    named = [{**without_subject(), "subject": "of subject"}, without_subject(customerId="of body"), without_subject()]
    filler = [without_subject(user="filler") for _ in range(20)]
    sent(api, bodies(named + filler)[CLOUDEVENTS], CLOUDEVENTS, "of header")
    assert customers_of(api, named) == ["of subject", "of header", "of header"]
    own = [{**without_subject(), "subject": "s"}, without_subject(customerId="c", user="u"), without_subject(user="u")]
    sent(api, bodies(own)[CLOUDEVENTS], CLOUDEVENTS, None)
    assert customers_of(api, own) == ["s", "c", "u"]


def test_an_unknown_id_creates_the_customer(api: Api) -> None:
    sent(api, bodies([without_subject(cost_usd="0.5")])[CLOUDEVENT], CLOUDEVENT, "never seen")
    assert api.get(f"{BASE}/customers/never%20seen")["externalId"] == "never seen"
    assert "never seen" in [one["externalId"] for one in api.get(f"{BASE}/usage/by-customer")]


def test_what_the_header_filled_in_is_no_part_of_the_event(api: Api) -> None:
    event = without_subject()
    assert sent(api, bodies([event])[CLOUDEVENT], CLOUDEVENT, "first")["counted"] == 1
    for again in ("first", "second"):
        counts = sent(api, bodies([event])[CLOUDEVENTS], CLOUDEVENTS, again)
        assert (counts["duplicate"], counts["conflict"]) == (1, 0)
    assert customers_of(api, [event]) == ["first"]


def test_the_native_header_counts_when_both_are_given(api: Api) -> None:
    event = without_subject()
    headers = {"Content-Type": CLOUDEVENT, HEADER: "shuttle", "X-Meterfold-Customer": "native"}
    api.send("POST", "/v1/events", 200, headers, content=msgspec.json.encode(event))
    assert customers_of(api, [event]) == ["native"]


def test_a_header_that_is_no_id_refuses_the_request(api: Api) -> None:
    headers = {"Content-Type": CLOUDEVENTS, HEADER: ".."}
    problem = api.send("POST", "/v1/events", 422, headers, content=b"[]").json()
    assert (problem["type"], problem["field"]) == ("/problems/id_invalid", HEADER)
