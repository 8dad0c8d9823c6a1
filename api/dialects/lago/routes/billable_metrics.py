"""Routes of billable metrics: meters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

import api.http.middleware.raw_paths  # noqa: F401 -- registers the parameter type `segment`
from api.dialects.lago.definitions.meters import SHOWN_FIELDS, meter_changes, meter_fields, with_changes
from api.dialects.lago.definitions.metrics import Metric, metric_codes, metrics_by_code
from api.dialects.lago.error_shapes import ALREADY_EXISTS, INVALID, not_allowed, not_found, validation_refusal
from api.dialects.lago.formats import decimal_text
from api.dialects.lago.keys import provenance_of
from api.dialects.lago.models.billable_metrics import (
    BillableMetricAnswer,
    BillableMetricInput,
    BillableMetricPage,
    BillableMetricPatch,
    ExpressionAnswer,
    ExpressionInput,
)
from api.dialects.lago.paging import PAGE_PARAMETERS, PageAsked
from api.dialects.lago.paths import BASE
from api.dialects.lago.readings.counts import Counts
from api.dialects.lago.request_reading import wrapped_body, wrapped_openapi
from api.dialects.lago.routes.plans import remove_charges_by
from api.dialects.lago.views.billable_metrics import metric_object
from api.dialects.lago.writing import answer_command, decided_again
from api.http.authentication import Administrator, Reader
from api.http.bodies import body_of, body_openapi, validated
from api.http.folded_answers import json_response
from api.http.reading import AS_OF_HEADERS, AskedAsOf, AskedByHeaders, Reading, reading
from api.http.state import ApiState, StateOf
from api.http.writing import renaming_fields
from consumers.commands.handler import CommandResult
from domain.errors import AlreadyExists, NotFound
from domain.meters.commands import CreateMeter, DeleteMeter, UpdateMeter
from domain.meters.expressions.evaluation import NoValue, expression
from domain.meters.fields import BUILT_IN_METERS
from domain.scope import Scope
from domain.values.instants import EPOCH
from projections.queries.api_keys import ApiKeyRecord

router = APIRouter(tags=["billable_metrics"])
_ALL: Final = f"{BASE}/billable_metrics"
_ONE: Final = f"{_ALL}/{{code:segment}}"
_NAME: Final = "billable_metric"
_BUILT_IN: Final = "built_in_billable_metric"
#: Later instants are none.
_SECONDS_DIGITS_MAX: Final = 12
_TAKEN: Final = {"code": [ALREADY_EXISTS]}


@router.post(
    _ALL,
    response_model=BillableMetricAnswer,
    openapi_extra=wrapped_openapi(_NAME, BillableMetricInput),
    summary="Create a billable metric",
)
async def create_billable_metric(
    state: StateOf,
    key: Administrator,
    given: Annotated[BillableMetricInput, Depends(wrapped_body(_NAME, BillableMetricInput))],
) -> Response:
    """Make a metric: a meter of the events whose code is its own, those already recorded too. 422 when the code is in
    use or has other characters than letters, digits, `_`, `.` and `-`."""

    def create() -> Sequence[CommandResult[Any]]:
        if given.code in BUILT_IN_METERS:
            raise validation_refusal(_TAKEN)
        command = CreateMeter(key.scope, provenance_of(key), given.code, meter_fields(given))
        try:
            with renaming_fields(_shown_field):
                return [state.engine.commands.handle(command)]
        except AlreadyExists:
            raise validation_refusal(_TAKEN) from None

    return await answer_command(state, key, create, lambda asked: _answer(asked, key.scope, given.code))


@router.post(
    f"{_ALL}/evaluate_expression",
    response_model=ExpressionAnswer,
    openapi_extra=body_openapi(ExpressionInput),
    summary="Try an expression",
)
def evaluate_billable_metric_expression(
    state: StateOf, key: Reader, given: Annotated[ExpressionInput, Depends(body_of(ExpressionInput, any_number=True))]
) -> Response:
    """Compute the value of an expression for an event; nothing is stored. 422 when it has none."""
    event = given.event
    with reading(state, AskedAsOf(), key.scope) as asked:
        at = _timestamp_or(event.timestamp, asked.now)
        value = expression(given.expression).value_in(event.properties or {}, at, event.code or "")
        if isinstance(value, NoValue):
            raise validation_refusal({"expression": [f"expression_evaluation_failed: {value.reason}"]})
        shown = value if isinstance(value, str) else decimal_text(value)
        return json_response({"expression_result": {"value": shown}}, asked)


@router.get(
    _ALL,
    response_model=BillableMetricPage,
    openapi_extra={"parameters": [*PAGE_PARAMETERS, *AS_OF_HEADERS]},
    summary="List billable metrics",
)
def find_all_billable_metrics(state: StateOf, key: Reader, page: PageAsked, known: AskedByHeaders) -> Response:
    """List metrics, the last created first, and the built-in ones after them."""
    with reading(state, known, key.scope) as asked:
        codes = metric_codes(asked.snapshot, key.scope, asked.now)
        shown = codes[page.offset : page.offset + page.per_page]
        found = metrics_by_code(asked.snapshot, key.scope, shown, asked.now)
        counts = Counts(asked, key.scope)
        used = counts.of_metrics()
        listed = [metric_object(found[code]) | used.get(code, counts.of_no_plan()) for code in shown]
        return json_response({"billable_metrics": listed, "meta": page.meta(len(codes))}, asked)


@router.get(
    _ONE,
    response_model=BillableMetricAnswer,
    openapi_extra={"parameters": AS_OF_HEADERS},
    summary="Find a billable metric",
)
def find_billable_metric(state: StateOf, key: Reader, code: str, known: AskedByHeaders) -> Response:
    """Show a metric. 404 when there is none with this code."""
    with reading(state, known, key.scope) as asked:
        return json_response(_answer(asked, key.scope, code), asked)


@router.put(
    _ONE,
    response_model=BillableMetricAnswer,
    openapi_extra=wrapped_openapi(_NAME, BillableMetricPatch),
    summary="Update a billable metric",
)
async def update_billable_metric(
    state: StateOf,
    key: Administrator,
    code: str,
    given: Annotated[BillableMetricPatch, Depends(wrapped_body(_NAME, BillableMetricPatch))],
) -> Response:
    """Change the members that are given. What is counted stays: another code, aggregation, field or recurrence is
    refused with 422, also where nothing is charged by the metric. 404 when there is none with this code."""

    def change() -> Sequence[CommandResult[Any]]:
        shown = metric_object(_changeable(state, key, code))
        before = validated(BillableMetricInput, shown)
        changes, fixed = meter_changes(before, with_changes(shown, given))
        if fixed:
            raise validation_refusal({name: [INVALID] for name in fixed})
        with renaming_fields(_shown_field):
            return [state.engine.commands.handle(UpdateMeter(key.scope, provenance_of(key), code, changes))]

    return await answer_command(state, key, change, lambda asked: _answer(asked, key.scope, code))


@router.delete(_ONE, response_model=BillableMetricAnswer, summary="Delete a billable metric")
async def destroy_billable_metric(state: StateOf, key: Administrator, code: str) -> Response:
    """Delete a metric, and the charges by it from all plans; its events stay. 404 when there is none with this code."""
    shown: list[Metric] = []

    def delete() -> Sequence[CommandResult[Any]]:
        shown.append(_changeable(state, key, code))
        without_charges = decided_again(state, lambda: remove_charges_by(state, key, code))
        try:
            return [*without_charges, state.engine.commands.handle(DeleteMeter(key.scope, provenance_of(key), code))]
        except NotFound:
            raise not_found(_NAME) from None

    return await answer_command(state, key, delete, lambda asked: {_NAME: _shown(asked, key.scope, shown[0])})


def _answer(asked: Reading, scope: Scope, code: str) -> dict[str, Any]:
    return {_NAME: _shown(asked, scope, _existing(asked, scope, code))}


def _shown(asked: Reading, scope: Scope, metric: Metric) -> dict[str, Any]:
    counts = Counts(asked, scope)
    return metric_object(metric) | counts.of_metrics().get(metric.code, counts.of_no_plan())


def _existing(asked: Reading, scope: Scope, code: str) -> Metric:
    found = metrics_by_code(asked.snapshot, scope, [code], asked.now).get(code)
    if found is None:
        raise not_found(_NAME)
    return found


def _changeable(state: ApiState, key: ApiKeyRecord, code: str) -> Metric:
    """The metric as it is now; 405 for a built-in one."""
    with reading(state, AskedAsOf(), key.scope) as asked:
        metric = _existing(asked, key.scope, code)
    if metric.own is None:
        raise not_allowed(_BUILT_IN)
    return metric


def _timestamp_or(given: Any, default: datetime) -> datetime:
    """An instant in Unix seconds, as a number or text; 422 for anything else."""
    if given is None:
        return default
    try:
        seconds = Decimal(str(given))
        if seconds.adjusted() > _SECONDS_DIGITS_MAX:
            raise ValueError("too large to be computed with")
        return EPOCH + timedelta(microseconds=int(seconds.scaleb(6)))
    except (ArithmeticError, ValueError):
        raise validation_refusal({"event.timestamp": ["invalid_format"]}) from None


def _shown_field(field: str) -> str:
    first, dot, rest = field.partition(".")
    return SHOWN_FIELDS.get(first, first) + dot + rest
