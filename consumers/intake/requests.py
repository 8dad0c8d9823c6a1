"""What intake is asked and what it answers: values that travel between processes."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from domain.scope import Scope
from domain.usage.request_bodies import format_of
from domain.values.identifiers import checked_id

StreamKind = Literal["http", "file"]


class IntakeRequest(msgspec.Struct, frozen=True):
    """One body of usage events. `group` names the request where it matters, and must be given when `atomic`."""

    scope: Scope
    content_type: str
    body: bytes
    customer_header: str | None = None
    group: str | None = None
    atomic: bool = False
    kind: StreamKind = "http"


class Piece(NamedTuple):
    """Rows of one block in the log, `row_to` exclusive."""

    position: int
    row_from: int
    row_to: int


class IntakeReceipt(msgspec.Struct, frozen=True):
    """Where the events of a request are, in order. `position` is the last of them; without any, the log's head."""

    position: int
    pieces: tuple[Piece, ...]
    received: int
    rejected: int


def check_request(request: IntakeRequest) -> None:
    """Raise what refuses a request as a whole before anybody looks into its body."""
    format_of(request.content_type)
    if request.customer_header is not None:
        checked_id("customer header", request.customer_header)
    if request.atomic and request.group is None:
        raise ValueError("an atomic request names its group")
