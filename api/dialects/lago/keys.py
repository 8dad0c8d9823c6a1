"""API keys as Lago reads them, which access a route asks for, and who made a change.

A route names a key type of `api.http.authentication`: `Reader` to read, `Ingester` to send events, `Administrator` for
every other change.
"""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from domain.event import Provenance
from projections.queries.api_keys import ApiKeyRecord

#: The name of this dialect: in provenances, in `dialect_fields`, in sources of events and in its paths.
DIALECT: Final = "lago"


def key_given(request: Request) -> str | None:
    """Return the second word of the header Authorization, whatever the first one is; None without one."""
    words = request.headers.get("authorization", "").split(maxsplit=2)
    return words[1] if len(words) > 1 else None


def provenance_of(key: ApiKeyRecord) -> Provenance:
    """The provenance of a change by this key through this dialect."""
    return Provenance(key.key_id, DIALECT)
