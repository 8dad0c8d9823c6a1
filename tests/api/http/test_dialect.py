"""A path belongs to the dialect with the longest fitting path, and to the native API when none fits."""

from __future__ import annotations

import msgspec
import pytest

from api.http.dialect import Dialect, Dialects, Refusal
from api.native.dialect import NATIVE


def named(name: str, *paths: str) -> Dialect:
    return msgspec.structs.replace(NATIVE, name=name, paths=paths)


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/lago", "lago"),
        ("/lago/api/v1/customers", "lago"),
        ("/lago/api/v2", "newer"),
        ("/lago/api/v2/customers", "newer"),
        ("/lago/api/v22", "lago"),
        ("/lagoon", "native"),
        ("/v1/lago", "native"),
        ("/", "native"),
    ],
)
def test_the_longest_fitting_path_decides(path: str, owner: str) -> None:
    others = [named("lago", "/lago"), named("newer", "/lago/api/v2")]
    assert [Dialects(NATIVE, order).of(path).name for order in (others, others[::-1])] == [owner, owner]


def test_without_other_dialects_every_path_is_native() -> None:
    assert Dialects(NATIVE, []).of("/lago") is NATIVE


def test_a_dialect_is_found_by_its_name() -> None:
    lago = named("lago", "/lago")
    dialects = Dialects(NATIVE, [lago])
    assert [dialects.named(name) for name in ("lago", "native", None, "Lago")] == [lago, NATIVE, NATIVE, None]
    assert [one.name for one in dialects] == ["native", "lago"]


@pytest.mark.parametrize(
    "others",
    [
        [named("native", "/lago")],
        [named("lago", "/lago"), named("lago", "/other")],
        [named("lago", "/same"), named("other", "/same")],
    ],
)
def test_two_dialects_of_one_name_or_path_are_an_error(others: list[Dialect]) -> None:
    with pytest.raises(ValueError, match="each dialect needs its own name and paths"):
        Dialects(NATIVE, others)


def test_a_refusal_is_its_status_body_and_headers() -> None:
    response = Refusal(405, {"code": "no_active_subscription"}, {"Allow": "GET"}).response()
    assert (response.status_code, response.body) == (405, b'{"code":"no_active_subscription"}')
    assert (response.headers["allow"], response.headers["content-type"]) == ("GET", "application/json")
