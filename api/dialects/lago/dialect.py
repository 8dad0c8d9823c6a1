"""The Lago dialect, below /lago/api/v1.

How a resource is added, say billable metrics, whose path is /billable_metrics and whose word in errors billable_metric:

1. `models/billable_metrics.py`: the request as a class derived from `Input`. Its fields have defaults, so that
   `given.sent` holds what was sent: absent stays, null clears. A rule with a code of Lago's raises
   `PydanticCustomError(code, text)`; any other broken rule is `value_is_invalid`, a missing member
   `value_is_mandatory`. Answers: a class for the object, and one that wraps it.
2. `views/billable_metrics.py`: `billable_metric_object(scope, ...)`, a dict made with `formats.py` and `lago_id`.
3. `routes/billable_metrics.py`: a module with `router`. What handlers declare and use:

   key: Reader, Ingester or Administrator                              before the body
   given: Annotated[M, Depends(wrapped_body("billable_metric", M))]    the body {"billable_metric": {...}}
   openapi_extra=wrapped_openapi("billable_metric", M)                 its description
   page: PageAsked, with {"parameters": PAGE_PARAMETERS}               of a list, which answers page.meta(total_count)
   known: AskedByHeaders, with {"parameters": AS_OF_HEADERS}           of all that is read: as it was known earlier
   raise not_found("billable_metric")                                  404
   raise validation_refusal({"code": [ALREADY_EXISTS]})                422, all invalid fields at once
   raise not_allowed("no_active_subscription")                         405
   return await answer_command(state, key, command, show)              200 with what `show` reads after the fold

   Ids in paths are `{code:segment}`. That of a customer is declared as in `routes/customers.py`, and may have slashes.
4. `_PARTS` below: the module, before `customers`, whose path of one customer fits everything below /customers/.
5. `paths.py`: an irregular plural, or a resource below a customer, so that errors name it.
6. Tests in tests/api/dialects/lago; each GET route in tests/acceptance/tenants/questions.py and in Law 10.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel

from api.dialects.lago.error_shapes import rendered_problem
from api.dialects.lago.keys import DIALECT, key_given
from api.dialects.lago.models.errors import ApiError, ApiErrorPlain, ApiErrorUnprocessableEntity
from api.dialects.lago.request_reading import BODY_MODELS
from api.dialects.lago.routes import (
    applied_coupons,
    billable_metrics,
    checkout_urls,
    coupons,
    customers,
    events,
    plan_charges,
    plan_metadata,
    plans,
    portal,
    subscriptions,
    usage,
)
from api.http.dialect import Dialect, joined_router
from api.http.openapi import COMPONENTS, dialect_document, with_errors
from api.http.problems import PROBLEM_KINDS

_DESCRIPTION: Final = """\
The metering of Lago. The base URL of its official clients is the engine's address and `/lago/`, with the slash."""
_ERROR_STATUSES: Final = sorted({kind.status for kind in PROBLEM_KINDS.values()})
_SHAPES: Final[dict[int, type[BaseModel]]] = {
    400: ApiErrorPlain,
    401: ApiErrorPlain,
    422: ApiErrorUnprocessableEntity,
}
#: One customer last: its id may have slashes, so that its path fits all others below /customers too.
_PARTS: Final = (
    billable_metrics,
    checkout_urls,
    events,
    plan_charges,
    plan_metadata,
    plans,
    portal,
    subscriptions,
    coupons,
    applied_coupons,
    usage,
    customers,
)

_ROUTER: Final = joined_router(part.router for part in _PARTS)


def _openapi() -> dict[str, Any]:
    document = dialect_document("Meterfold for clients of Lago", _DESCRIPTION, _ROUTER.routes)
    models: tuple[type[BaseModel], ...] = (ApiErrorPlain, ApiError, ApiErrorUnprocessableEntity, *BODY_MODELS)
    return with_errors(document, _ERROR_STATUSES, models, _error)


def _error(status: int) -> dict[str, Any]:
    schema = {"$ref": COMPONENTS + _SHAPES.get(status, ApiError).__name__}
    return {"description": HTTPStatus(status).phrase, "content": {"application/json": {"schema": schema}}}


LAGO: Final = Dialect(
    name=DIALECT,
    title="Lago",
    base_path=f"/{DIALECT}/",
    paths=(f"/{DIALECT}",),
    router=_ROUTER,
    key_given=key_given,
    render=rendered_problem,
    answer_access=lambda access, model, settings: None,
    openapi_path=f"/{DIALECT}/openapi.json",
    openapi=_openapi,
)
