"""Intake requests and receipts: values that are sent between processes."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from consumers.intake.item_facts import ItemFacts
from domain.scope import Scope
from domain.usage.decoding.range_check import TakenEvents
from domain.usage.request_bodies import format_of
from domain.values.identifiers import checked_id

StreamKind = Literal["http", "file"]


class LoadedInto(msgspec.Struct, frozen=True):
    """The backfill that events are loaded into, and which of them it takes."""

    name: str
    taken: TakenEvents


class IntakeRequest(msgspec.Struct, frozen=True):
    """A body of usage events, or its items if they are known already, which makes the content type meaningless.

    `key` is the id of the API key that it came by, as keys share the intake fairly.
    `atomic`: all of its events are taken or none; `group` must then name the request. No API exposes the stream
    kind "file" yet. `facts`: what each of its items says of its customer, beside its bytes (None: nothing);
    empty when none does. They came by the dialect `dialect`. `into`: the events wait until a backfill is committed.
    """

    scope: Scope
    content_type: str
    body: bytes | tuple[bytes, ...]
    customer_header: str | None = None
    group: str | None = None
    atomic: bool = False
    kind: StreamKind = "http"
    key: str | None = None
    facts: tuple[ItemFacts | None, ...] = ()
    dialect: str = "native"
    into: LoadedInto | None = None

    @property
    def size_bytes(self) -> int:
        """The bytes of the body and of the facts."""
        of_facts = sum(one.size_bytes for one in self.facts if one is not None)
        return of_facts + (len(self.body) if isinstance(self.body, bytes) else sum(map(len, self.body)))


class Piece(NamedTuple):
    """A range of rows of one block in the log, `row_to` exclusive."""

    position: int
    row_from: int
    row_to: int


class EventsWarning(msgspec.Struct, frozen=True):
    """What a member of data did not do in some events of a request, and what to send in its place."""

    member: str
    advice: str
    events: int


class IntakeReceipt(msgspec.Struct, frozen=True):
    """Where the events of a request are stored, in order.

    `position` is that of the last block; for a request without events it is the head of the log. `warnings` are about
    members that say nothing though they look as if they should, at most `REQUEST_WARNINGS_MAX` members.
    """

    position: int
    pieces: tuple[Piece, ...]
    received: int
    rejected: int
    warnings: tuple[EventsWarning, ...] = ()


def check_request(request: IntakeRequest) -> None:
    """Check everything about a request but its body. Raises `InvalidInput`."""
    format_of(request.content_type)
    if request.customer_header is not None:
        checked_id("customer header", request.customer_header)
    if request.atomic and request.group is None:
        raise ValueError("an atomic request must have a group")
    if request.facts and (isinstance(request.body, bytes) or len(request.facts) != len(request.body)):
        raise ValueError("a request with facts must have items, and facts or None for each")
