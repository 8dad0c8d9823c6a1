"""The OpenAPI documents, each made once for all tests of a process: it takes most of a second."""

from __future__ import annotations

from functools import cache
from typing import Any

from api.dialects.lago.dialect import LAGO
from api.dialects.litellm.dialect import LITELLM
from api.dialects.promptshuttle.dialect import PROMPTSHUTTLE
from api.dialects.respan.dialect import RESPAN
from api.http.dialect import Dialect
from api.native.dialect import NATIVE

DIALECTS = (NATIVE, LAGO, LITELLM, PROMPTSHUTTLE, RESPAN)


def document_of(dialect: Dialect) -> dict[str, Any]:
    """Its document. Leave it unchanged: other tests read the same one."""
    return _document(DIALECTS.index(dialect))


@cache
def _document(place: int) -> dict[str, Any]:
    return DIALECTS[place].openapi()
