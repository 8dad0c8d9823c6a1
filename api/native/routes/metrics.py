"""GET /metrics for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from api.http.authentication import metrics_reader
from api.http.state import StateOf

router = APIRouter(tags=["health"])


@router.get(
    "/metrics", response_class=Response, dependencies=[Depends(metrics_reader)], summary="Read Prometheus metrics"
)
def metrics(state: StateOf, request: Request) -> Response:
    """All metrics in the Prometheus text format, or in OpenMetrics where `Accept` asks for it. From this machine
    without a key, from elsewhere with a read or admin key of default/prod."""
    text, content_type = state.metrics.exposition(request.headers.get("accept", ""))
    return Response(text, headers={"Content-Type": content_type})
