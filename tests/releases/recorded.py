"""Logs of releases: an archive with the log and the key store, and what the release answered from them."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from starlette.testclient import TestClient

from api.app import create_app
from consumers.bootstrap import open_engine
from consumers.embedded.engine import EmbeddedEngine
from tests.engine_fixtures import Api, SettableClock
from tests.releases.history import ADMIN_KEY, ASKED_AT, settings_of

LOGS: Final = Path(__file__).parent / "logs"
KEPT: Final = ("log.sqlite", "keys.sqlite", "admin.key")
_EVER: Final = "from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z"
_CUSTOMERS: Final = ("ada", "bob", "dora", "eve", "kafka-customer")
#: What is asked of every log. A later release may ask more of its own log.
QUESTIONS: Final = (
    *(
        f"/v1/{listed}"
        for listed in (
            "customers",
            "budgets",
            "meters",
            "plans",
            "subscriptions",
            "coupons",
            "prices",
            "discounts",
            "applied-coupons",
        )
    ),
    *(
        f"/v1/{listed}?limit=100"
        for listed in ("repricings", "corrections", "backfills", "sources", "rejected", "keys", "events")
    ),
    f"/v1/usage?{_EVER}&group_by=customer,model",
    f"/v1/usage?{_EVER}&window=day&group_by=type",
    *(
        f"/v1/customers/{customer}{question}"
        for customer in _CUSTOMERS
        for question in ("", "/history", "/current-usage", "/past-usage", "/budget", "/access")
    ),
    *(f"/v1/customers/{customer}/charges?at=2026-01-20T00:00:00Z" for customer in ("ada", "bob")),
    "/v1/customers/carl/history",
    *(f"/v1/events/one?source=shop&id=e-{number}" for number in (1, 2, 5, 7, 11, 31, 99, 200, 210)),
    "/v1/customers/ada/current-usage?as_of=2026-01-08",
    "/lago/api/v1/plans",
    "/customer/list",
)
#: Members that tell of the moment or the machine.
_PASSING: Final = ("store_bytes", "log_bytes", "request_id", "last_used_at")


def answers_of(engine: EmbeddedEngine, questions: tuple[str, ...] | list[str]) -> dict[str, Any]:
    """The status and the JSON body of each answer, asked at `ASKED_AT` with the key of the history."""
    client = TestClient(create_app(engine))
    api = Api(client, ADMIN_KEY)
    found = {}
    for question in questions:
        answer = api.send("GET", question, None)
        found[question] = {"status": answer.status_code, "body": without_passing(answer.json())}
    return found


def without_passing(value: Any) -> Any:
    """A JSON value without the members that tell of the moment."""
    if isinstance(value, dict):
        return {name: without_passing(member) for name, member in value.items() if name not in _PASSING}
    return [without_passing(one) for one in value] if isinstance(value, list) else value


def lost(recorded: Any, answered: Any, path: str = "") -> Iterator[str]:
    """Where an answer differs from what was recorded. A member that the record does not have is no difference."""
    if isinstance(recorded, dict) and isinstance(answered, dict):
        for name, member in recorded.items():
            if name in answered:
                yield from lost(member, answered[name], f"{path}/{name}")
            else:
                yield f"{path}/{name} is gone"
    elif isinstance(recorded, list) and isinstance(answered, list) and len(recorded) == len(answered):
        for number, (one, other) in enumerate(zip(recorded, answered, strict=True)):
            yield from lost(one, other, f"{path}/{number}")
    elif recorded != answered:
        yield f"{path} was {recorded!r} and is {answered!r}"


def names() -> list[str]:
    """The names of the logs, oldest first."""
    found = (path.name.removesuffix(".tar.xz") for path in LOGS.glob("*.tar.xz"))
    return sorted(found, key=lambda name: [int(number) for number in re.findall("[0-9]+", name)])


def unpack(name: str, folder: Path) -> None:
    """Make a data folder of the log of this name."""
    with tarfile.open(LOGS / f"{name}.tar.xz") as packed:
        packed.extractall(folder, filter="data")


def recorded_of(name: str) -> dict[str, Any]:
    """What was recorded beside a log: the topics that it has, and its answers."""
    found: dict[str, Any] = json.loads((LOGS / f"{name}.json").read_text())
    return found


def pack(name: str, folder: Path) -> None:
    """Keep the log of a data folder, and its keys, under this name."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(LOGS / f"{name}.tar.xz", "w:xz", preset=9) as packed:
        for kept in KEPT:
            packed.add(folder / kept, kept, filter=plain)


def opened(folder: Path) -> Any:
    """The engine on a data folder, at the instant at which it is asked."""
    return open_engine(settings_of(folder), clock=SettableClock(ASKED_AT))
