"""Routes of customers."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.responses import Response

from api.dialects.lago.customers_then import existing_customer
from api.dialects.lago.error_shapes import not_found
from api.dialects.lago.models.customers import CustomerAnswer
from api.dialects.lago.paths import BASE
from api.dialects.lago.views.customers import customer_object
from api.http.authentication import Reader
from api.http.folded_answers import json_response
from api.http.middleware.raw_paths import SEGMENTS
from api.http.reading import AS_OF_HEADERS, AskedByHeaders, reading
from api.http.state import StateOf
from domain.values.identifiers import id_problem

router = APIRouter(tags=["customers"])
_ALL: Final = f"{BASE}/customers"
#: One customer: its id may have slashes and dots that are not escaped.
ONE_CUSTOMER: Final = f"{_ALL}/{{external_customer_id:{SEGMENTS}}}"


async def _checked(external_customer_id: str) -> str:
    if id_problem(external_customer_id) is not None:
        raise not_found("customer")
    return external_customer_id


#: The customer of a path, as a parameter of a route.
ExternalCustomerId = Annotated[str, Depends(_checked)]


@router.get(
    ONE_CUSTOMER, response_model=CustomerAnswer, openapi_extra={"parameters": AS_OF_HEADERS}, summary="Find a customer"
)
def find_customer(
    state: StateOf, key: Reader, external_customer_id: ExternalCustomerId, known: AskedByHeaders
) -> Response:
    """Show a customer, created or known by its usage. 404 when it does not exist."""
    with reading(state, known, key.scope) as asked:
        found = existing_customer(asked, key.scope, external_customer_id)
        return json_response({"customer": customer_object(key.scope, found)}, asked)
