"""What LiteLLM's deployments ask to see whether it lives. No key."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(tags=["health"])


@router.get("/health/liveliness")
async def liveliness() -> str:
    """The process answers."""
    return "I'm alive!"
