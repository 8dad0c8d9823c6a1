"""A receipt warns about members that say nothing though they look as if they should; the events are counted."""

from __future__ import annotations

from typing import Any

from tests.engine_fixtures import Api, JsonObject, llm_request


def warnings_of(receipt: JsonObject) -> Any:
    assert receipt["counts"]["rejected"] == 0
    return receipt["warnings"]


def test_a_misspelt_unit_is_named_with_the_unit_that_it_looks_like(api: Api) -> None:
    assert warnings_of(api.deliver([llm_request("one", input_tokens=None, input_token=5)])) == [
        {"member": "data.input_token", "advice": "is kept as a property: did you mean input_tokens?", "events": 1}
    ]
    assert api.get("/v1/events/one", source="gateway", id="one")["event"]["properties"] == {"input_token": 5}


def test_equal_warnings_of_many_events_are_counted(api: Api) -> None:
    events = [llm_request(f"e{number}", web_searches="two" if number % 2 else 2) for number in range(100)]
    (warning,) = warnings_of(api.deliver(events))
    assert (warning["member"], warning["events"]) == ("data.web_searches", 50)


def test_a_usage_object_that_nothing_reads_is_named(api: Api) -> None:
    (warning,) = warnings_of(api.deliver([llm_request("one", usage={"credits": 7})]))
    assert warning["member"] == "data.usage"


def test_what_is_told_under_its_own_name_too_needs_no_warning(api: Api) -> None:
    assert warnings_of(api.deliver([llm_request("one", cached_input_tokens=3, cached_tokens=3, region="eu")])) == []


def test_a_receipt_warns_about_so_many_members_at_most(api: Api) -> None:
    wrong: JsonObject = {
        f"{kind}_{unit}": 1 for kind in ("input", "output") for unit in ("token", "tokns", "tokenz", "tokes")
    }
    wrong |= dict.fromkeys(("web_searches", "audio_seconds", "input_pixels", "rerank_searches"), "x")
    wrong |= {f"cache_write_{unit}": 1 for unit in ("token", "tokns", "tokes", "1h_token", "5m_token", "tokenz")}
    wrong |= dict.fromkeys(("cached_input_token", "reasoning_token", "cost", "costs", "tokens_in"), 1)
    receipt = api.deliver([llm_request("one", input_tokens=None, output_tokens=None, **wrong)])
    assert len(warnings_of(receipt)) == 20
