"""Derived ids of customers: 24 hex digits made of the scope and the id that producers use. Stable; nothing stores them.

For products whose clients know a customer by an id that the product itself gave it.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from domain.scope import Scope

DERIVED_ID_DIGITS: Final = 24
_DERIVED_ID: Final = re.compile(rf"[0-9a-f]{{{DERIVED_ID_DIGITS}}}")


def derived_id(scope: Scope, customer_id: str) -> str:
    """Return the derived id of a customer: the first digits of a SHA-256 hash of `hashed_before` and its id."""
    return hashlib.sha256(f"{hashed_before(scope)}{customer_id}".encode()).hexdigest()[:DERIVED_ID_DIGITS]


def hashed_before(scope: Scope) -> str:
    """Return the text that is hashed before the id of a customer, so that scopes give one id different hashes."""
    return f"{scope.tenant}/{scope.environment}/"


def is_derived_id(text: str) -> bool:
    """Whether a text has the form of a derived id. It may be an id of a producer's all the same."""
    return _DERIVED_ID.fullmatch(text) is not None
