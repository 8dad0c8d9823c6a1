"""A name cannot be changed once the key of its customer's life is lost: every API says so, and what helps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers.bootstrap import open_engine
from consumers.settings import Settings
from tests.engine_fixtures import Api, SettableClock, engine_on, http

REMEDY = "restore the key store from its backup, or delete the customer and create it again"
CHANGES: list[tuple[str, str, Any]] = [
    ("PATCH", "/v1/customers/zoe", {"name": "Zed"}),
    ("PUT", "/promptshuttle/api/v1/customers/zoe", {"name": "Zed"}),
    ("PATCH", "/respan/api/users/zoe/", {"name": "Zed"}),
    ("POST", "/lago/api/v1/customers", {"customer": {"external_id": "zoe", "phone": "1"}}),
    ("POST", "/customer/update", {"user_id": "zoe", "alias": "Zed"}),
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An engine that goes on without the key store with which `zoe` was named."""
    folder: Path = tmp_path_factory.mktemp("data")
    clock = SettableClock()
    with engine_on(folder, clock) as engine, http(engine) as first:
        first.post("/v1/customers", {"id": "zoe", "name": "Zoe"})
        key = first.key
    (folder / "keys.sqlite").unlink()
    settings = Settings(data_dir=folder, intake_process=False, respan_minute_requests_max=0)
    with open_engine(settings, clock=clock, without_personal_keys=True) as engine, http(engine) as second:
        yield Api(second.client, key)


@pytest.mark.parametrize(("method", "path", "body"), CHANGES, ids=[path for _, path, _ in CHANGES])
def test_a_new_name_is_refused_with_what_helps(api: Api, method: str, path: str, body: Any) -> None:
    answer = api.send(method, path, None, json=body)
    assert (answer.status_code, REMEDY in answer.text) == (409, True), answer.text


def test_other_fields_can_be_changed(api: Api) -> None:
    changed = api.patch("/v1/customers/zoe", {"budget": {"total_limit_usd": "5"}})
    assert changed["budget"]["total_limit_usd"] == "5"


def test_a_customer_that_is_deleted_and_created_again_has_a_name(api: Api) -> None:
    api.send("DELETE", "/v1/customers/zoe", 204)
    assert api.post("/v1/customers", {"id": "zoe", "name": "Zed"})["name"] == "Zed"
