"""Ids that Lago's clients know resources by: UUIDs that nothing stores, as each is derived from what it names.

An id is made of the scope, the kind of resource, its code or external id, and the instant at which its present life was
created, so that what is deleted and created again has another id.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from domain.scope import Scope
from domain.values.instants import instant_text

_NAMESPACE: Final = UUID("5a0b6f6e-4c1d-5d8e-9a55-0c7f3e1b2d64")


def lago_id(scope: Scope, kind: str, name: str, born: datetime | None = None, *, part: str | None = None) -> str:
    """Return the id of a resource: `lago_id(scope, "plan", code, created_at)`.

    `born`: when its life was created; None where a kind has but one life, or for a life without a beginning. `part`
    names something within the resource that has an id of its own, such as a charge of a plan.
    """
    words = [scope.tenant, scope.environment, kind, name, None if born is None else instant_text(born), part]
    return str(uuid5(_NAMESPACE, json.dumps(words)))
