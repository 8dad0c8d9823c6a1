"""GET /metrics for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from api.http.authentication import metrics_reader
from api.http.state import StateOf

router = APIRouter(tags=["health"])


@router.get(
    "/metrics", response_class=Response, dependencies=[Depends(metrics_reader)], summary="Read Prometheus metrics"
)
def metrics(state: StateOf) -> Response:
    """All metrics in the Prometheus text format. From this machine without a key, from elsewhere with any valid key."""
    return Response(state.metrics.text(), media_type=CONTENT_TYPE_LATEST)
