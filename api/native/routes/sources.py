"""GET /v1/sources: how far each partition of a Kafka topic was read."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter
from fastapi import Query as FromQuery

from api.http.authentication import Operator
from api.http.paging import cursor_values, page, rows_to_read
from api.http.reading import WAIT_FOR_MIN_POSITION
from api.http.state import StateOf
from api.native.models.field_types import PageQuery
from api.native.models.sources import SourcePage, SourceView
from projections.queries.log import SourceRecord

router = APIRouter(tags=["operations"])
_LIST: Final = "sources"


@router.get(
    "/v1/sources", response_model=SourcePage, dependencies=[WAIT_FOR_MIN_POSITION], summary="List Kafka sources"
)
def list_sources(state: StateOf, key: Operator, query: Annotated[PageQuery, FromQuery()]) -> SourcePage:
    """Partitions of Kafka topics, ordered by stream: the next offset to read, records lost, commands refused. Needs an
    admin key of default/prod."""
    after = cursor_values(_LIST, query.cursor, str)
    with state.engine.reads.snapshot() as snapshot:
        found = snapshot.sources(after, rows_to_read(query.limit))
        shown, next_cursor = page(found, query.limit, _LIST, lambda source: source.stream)
        return SourcePage(
            position=snapshot.point().position,
            data=[source_view(source) for source in shown],
            next_cursor=next_cursor,
        )


def source_view(source: SourceRecord) -> SourceView:
    """Convert a source to its response."""
    return SourceView(
        stream=source.stream,
        topic=source.topic,
        partition=source.partition,
        next_offset=source.next_offset,
        records_lost=source.records_lost,
        commands_refused=source.commands_refused,
        recorded_at=source.recorded_at,
    )
