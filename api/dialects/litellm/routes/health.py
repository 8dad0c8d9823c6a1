"""GET /health/liveliness, the liveness check of LiteLLM deployments, without a key."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(tags=["health"])


@router.get("/health/liveliness", summary="Check liveness")
async def liveliness() -> str:
    """Answer while the process runs."""
    return "I'm alive!"
