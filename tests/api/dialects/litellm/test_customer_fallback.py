"""METERFOLD_LITELLM_CUSTOMER_FALLBACK: logs without an end user count for the key, user or team that made them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.dialects.litellm.log_payloads import customer_of
from consumers.embedded.engine import EmbeddedEngine
from consumers.errors import SettingsInvalid
from consumers.setting_variables import read_settings
from tests.api.dialects.litellm.conftest import spend_of
from tests.api.dialects.litellm.test_logs import logged, payload
from tests.engine_fixtures import Api, JsonObject, SettableClock, engine_on

VARIABLE = "METERFOLD_LITELLM_CUSTOMER_FALLBACK"
MADE_BY: JsonObject = {
    "user_api_key_alias": "batch-jobs",
    "user_api_key_user_id": "dana",
    "user_api_key_team_id": "team-7",
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, clock: SettableClock) -> Iterator[EmbeddedEngine]:
    order = ("user_api_key_alias", "user_api_key_team_id")
    with engine_on(tmp_path_factory.mktemp("engine"), clock, litellm_customer_fallback=order) as engine:
        yield engine


def test_traffic_without_an_end_user_counts_for_the_first_that_is_named(api: Api) -> None:
    receipt = logged(
        api,
        payload("keyed", "", metadata=MADE_BY),
        payload("teamed", None, metadata={**MADE_BY, "user_api_key_alias": None}),
        payload("named", "ishaan", metadata=MADE_BY),
        payload("nobody", "", metadata={"user_api_key_user_id": "dana"}),
    )
    assert receipt["counts"] == {"counted": 3, "duplicate": 0, "conflict": 0, "rejected": 1}
    assert [one["reason"] for one in receipt["outcomes"]] == ["subject_missing"]
    spent = {customer: spend_of(api, customer) for customer in ("batch-jobs", "team-7", "ishaan")}
    assert spent == dict.fromkeys(spent, 0.000225)


def test_without_the_setting_nobody_stands_in_for_an_end_user() -> None:
    assert read_settings({}).litellm_customer_fallback == ()
    assert customer_of(payload("nobody", "", metadata=MADE_BY)) is None


@pytest.mark.parametrize(
    ("given", "order"),
    [
        ("user_api_key_team_id", ("user_api_key_team_id",)),
        ("user_api_key_alias, user_api_key_user_id", ("user_api_key_alias", "user_api_key_user_id")),
        ("", ()),
    ],
)
def test_the_variable_names_an_order(given: str, order: tuple[str, ...]) -> None:
    assert read_settings({VARIABLE: given}).litellm_customer_fallback == order


def test_a_name_that_says_nobody_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match=VARIABLE):
        read_settings({VARIABLE: "user_api_key_spend"})
