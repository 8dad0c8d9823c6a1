"""Routes of the metadata of a plan: replace, merge, delete. Each change is one of the plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from api.dialects.lago.models.plans import PlanMetadata, PlanMetadataAnswer, PlanPatch
from api.dialects.lago.request_reading import wrapped_body, wrapped_openapi
from api.dialects.lago.routes.plans import ONE_PLAN, change_plan, shown_plan
from api.dialects.lago.writing import answer_command
from api.http.authentication import Administrator
from api.http.reading import Reading
from api.http.state import ApiState, StateOf
from consumers.commands.handler import CommandResult
from projections.queries.api_keys import ApiKeyRecord

router = APIRouter(tags=["plans"])
_ALL: Final = f"{ONE_PLAN}/metadata"
_NAME: Final = "metadata"
_OPENAPI: Final = wrapped_openapi(_NAME, PlanMetadata)
Given = Annotated[PlanMetadata, Depends(wrapped_body(_NAME, PlanMetadata))]
Metadata = Mapping[str, str | None]


@router.post(_ALL, response_model=PlanMetadataAnswer, openapi_extra=_OPENAPI, summary="Replace the metadata of a plan")
async def replace_plan_metadata(state: StateOf, key: Administrator, code: str, given: Given) -> Response:
    """Replace all metadata of a plan. 404 when there is no such plan."""
    return await _changed(state, key, code, lambda before: given.root)


@router.patch(_ALL, response_model=PlanMetadataAnswer, openapi_extra=_OPENAPI, summary="Merge metadata of a plan")
async def merge_plan_metadata(state: StateOf, key: Administrator, code: str, given: Given) -> Response:
    """Set the keys that are given; the others stay. 404 when there is no such plan."""
    return await _changed(state, key, code, lambda before: {**before, **given.root})


@router.delete(_ALL, response_model=PlanMetadataAnswer, summary="Delete the metadata of a plan")
async def delete_all_plan_metadata(state: StateOf, key: Administrator, code: str) -> Response:
    """Delete all metadata of a plan. 404 when there is no such plan."""
    return await _changed(state, key, code, lambda before: {})


@router.delete(f"{_ALL}/{{key:segment}}", response_model=PlanMetadataAnswer, summary="Delete metadata of a plan by key")
async def delete_plan_metadata_key(state: StateOf, api_key: Administrator, code: str, key: str) -> Response:
    """Delete one key, whether it is there or not. 404 when there is no such plan."""
    return await _changed(
        state, api_key, code, lambda before: {name: value for name, value in before.items() if name != key}
    )


async def _changed(state: ApiState, key: ApiKeyRecord, code: str, change: Callable[[Metadata], Metadata]) -> Response:
    def patch(plan: dict[str, Any]) -> PlanPatch:
        return PlanPatch(metadata=dict(change(plan[_NAME] or {})) or None)

    def handle() -> Sequence[CommandResult[Any]]:
        return change_plan(state, key, code, patch)

    def show(asked: Reading) -> dict[str, Any]:
        return {_NAME: shown_plan(asked, key.scope, code)[_NAME]}

    return await answer_command(state, key, handle, show)
