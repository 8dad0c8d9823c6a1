"""Names beside ids, and the time zone of a customer: what tables for people ask the engine for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from api.cli.output.text import shown
from api.cli.server.http_client import Connection, path_to

#: Above this many customers their names are left out, as each is a request.
NAMES_MAX: Final = 200


class Profile(msgspec.Struct, frozen=True):
    """How a customer is shown: `label` is its name and id, `zone` its time zone, UTC if it has none."""

    label: str
    zone: str


def label_of(identifier: str, name: str | None) -> str:
    """Return a name with its id, or the id alone."""
    return f"{shown(name)} ({shown(identifier)})" if name else shown(identifier)


def profile_of(engine: Connection, customer: str) -> Profile:
    """Return how to show a customer; its id and UTC if it does not exist."""
    found = engine.found(path_to("v1", "customers", customer)) or {}
    return Profile(label_of(customer, found.get("name")), found.get("time_zone") or "UTC")


def customer_names(engine: Connection, customers: Iterable[str]) -> dict[str, str]:
    """Return the names of those customers that have one; none if there are more than `NAMES_MAX` customers."""
    ids = set(customers)
    if len(ids) > NAMES_MAX:
        return {}
    found = {one: (engine.found(path_to("v1", "customers", one)) or {}).get("name") for one in ids}
    return {one: name for one, name in found.items() if name}


def actor_labels(engine: Connection, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with the key in `actor` shown with its name, if this key may list keys."""
    page = engine.found("/v1/keys", limit=500, revoked=True) or {"data": []}
    names = {key["id"]: key["name"] for key in page["data"]}
    return [{**row, "actor": row["actor"] and label_of(row["actor"], names.get(row["actor"]))} for row in rows]
