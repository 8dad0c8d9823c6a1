"""POST /respan/api/request-logs/batch/create/: the logs of a batch become usage one by one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import count
from typing import Any, Final

import pytest

from api.dialects.respan.log_batches import logs_of
from tests.api.dialects.respan.conftest import user
from tests.engine_fixtures import Api

BATCH: Final = "/respan/api/request-logs/batch/create/"
_numbers = count()


def log(customer: str = "ada", **members: Any) -> bytes:
    return json.dumps(
        {"unique_id": f"b{next(_numbers)}", "customer_identifier": customer, "cost": 1, **members}
    ).encode()


def batch(items: Sequence[bytes], template: bytes = b'{"logs": [%b]}') -> bytes:
    return template % b", ".join(items)


def posted(api: Api, body: bytes, status: int = 200, path: str = BATCH) -> Any:
    return api.send("POST", path, status, content=body).json()


@pytest.mark.parametrize("path", [BATCH, BATCH.removesuffix("/")])
def test_a_batch_is_counted_with_what_it_says_of_customers(api: Api, path: str) -> None:
    customer = f"of {path}"
    named = log("left", customer_params={"customer_identifier": customer, "name": "Ada", "period_budget": 5})
    answer = posted(api, batch([named, log(customer)]), path=path)
    assert (answer["counts"]["counted"], answer["message"], "unique_id" in answer) == (2, "log successful", False)
    shown = user(api, customer)
    assert (shown["name"], shown["period_budget"], shown["total_usage"]) == ("Ada", 5.0, 2.0)


@pytest.mark.parametrize(
    "bad",
    [
        b'{"cost": NaN}',
        rb'{"a": "\ud800"}',
        b'{"a": %b}' % (b"9" * 5_000),
        b'{"a": "x',
        b"17",
        b"[" * 2_000 + b"]" * 2_000,
    ],
    ids=["NaN", "surrogate", "digits", "cut off", "number", "nested"],
)
def test_a_bad_log_does_not_hide_the_others(api: Api, bad: bytes) -> None:
    counts = posted(api, batch([log(), bad, log()]))["counts"]
    assert counts == {"counted": 2, "duplicate": 0, "conflict": 0, "rejected": 1}


@pytest.mark.parametrize(
    "template",
    [
        b'\xef\xbb\xbf{"logs":[%b]}',
        b' {\n"logs" : [ %b ]\r\n}\n',
        b'{"mode": [1], "logs": [%b], "more": [2]}',
        b"[%b]",
    ],
)
def test_the_list_is_found_wherever_it_stands(api: Api, template: bytes) -> None:
    assert posted(api, batch([log(), log()], template))["counts"]["counted"] == 2


def test_a_batch_of_nothing_is_taken(api: Api) -> None:
    assert posted(api, b'{"logs": []}')["counts"]["counted"] == 0


@pytest.mark.parametrize("body", [b"{}", b'{"logs": null}', b'{"logs": {"cost": 1}}', b"17"])
def test_a_body_without_a_list_is_refused(api: Api, body: bytes) -> None:
    assert posted(api, body, 400) == {"logs": ["must be a list of logs"], "detail": "logs must be a list of logs"}


def test_a_body_that_is_no_json_is_rejected_and_found(api: Api) -> None:
    posted(api, b'{"logs": [', 400)
    assert api.get("/v1/rejected", limit=1)["data"][0]["original"] == '{"logs": ['


def test_a_long_end_of_the_body_is_not_searched() -> None:
    body = b'{"logs": [NaN]' + b" " * 100_000 + b"}"
    assert logs_of(body) == body
