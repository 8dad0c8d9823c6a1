"""Numbers beyond what anything can be: refused at once, each member by its name."""

from __future__ import annotations

import time
from typing import Any, Final

import pytest

from tests.engine_fixtures import Api

SECONDS_MAX: Final = 2.0
NO_INTEGER: Final = ("int_type", "Input should be a valid integer")
NO_NUMBER: Final = ("float_type", "Input should be a valid number")
NO_JSON: Final = ("value_error", "Value error, must contain only JSON values")
TOO_LARGE: Final = ("value_error", "Value error, must not contain a whole number below -2^63 or of 2^64 or more")


@pytest.mark.parametrize(
    ("members", "location", "breach"),
    [
        ('"tpm_limit":1e3000000', ["tpm_limit"], NO_INTEGER),
        ('"max_budget":1e999999999', ["max_budget"], NO_NUMBER),
        ('"model_max_budget":{"m":{"tpm_limit":1e3000000}}', ["model_max_budget", "m", "tpm_limit"], NO_INTEGER),
        ('"model_max_budget":{"m":{"rpm_limit":1e-999999999}}', ["model_max_budget", "m", "rpm_limit"], NO_INTEGER),
        ('"model_max_budget":{"m":{"max_budget":1,"tpm_limit":18446744073709551616}}', ["model_max_budget"], TOO_LARGE),
        ('"tpd_limit":18446744073709551616', ["tpd_limit"], TOO_LARGE),
    ],
)
@pytest.mark.parametrize(("path", "name"), [("/budget/new", "budget_id"), ("/customer/new", "user_id")])
def test_a_limit_is_named(
    api: Api, path: str, name: str, members: str, location: list[str], breach: tuple[str, str]
) -> None:
    assert refused(api, path, f'{{"{name}":"extreme",{members}}}') == named(location, breach)


@pytest.mark.parametrize(
    ("members", "location", "breach"),
    [
        ('"object_permission":{"k":[18446744073709551616]}', ["object_permission"], TOO_LARGE),
        ('"object_permission":{"k":1e999999999}', ["object_permission"], NO_JSON),
        ('"metadata":{"k":1e999999999}', ["metadata"], NO_JSON),
    ],
)
def test_what_is_kept_of_a_customer_is_named(
    api: Api, members: str, location: list[str], breach: tuple[str, str]
) -> None:
    assert refused(api, "/customer/new", f'{{"user_id":"extreme",{members}}}') == named(location, breach)


def refused(api: Api, path: str, body: str) -> tuple[int, Any]:
    began = time.perf_counter()
    answer = api.send("POST", path, None, {"Content-Type": "application/json"}, content=body)
    assert time.perf_counter() - began < SECONDS_MAX
    return answer.status_code, answer.json()


def named(location: list[str], breach: tuple[str, str]) -> tuple[int, Any]:
    kind, message = breach
    return 422, {"detail": [{"type": kind, "loc": ["body", *location], "msg": message}]}
