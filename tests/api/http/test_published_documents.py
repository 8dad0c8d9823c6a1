"""Every route keeps to its OpenAPI document, whatever is sent to it: generated requests, valid ones and others."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.http.dialect import Dialect
from tests.engine_fixtures import Api
from tests.published_documents import DIALECTS, document_of

EXAMPLES_MAX: Final = 5
#: Each of these folds the whole log again.
LONG: Final = {"/v1/operations/rebuild", "/v1/operations/replay", "/v1/operations/verify"}
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
#: Generated keys are left out: nothing but their refusal would be tested.
KEY_HEADERS: Final = {"authorization", "x-api-key", "x-litellm-api-key"}
#: The client of the tests sends no longer ones.
URL_LENGTH_MAX: Final = 60_000
BASE_URL: Final = "http://testserver"


def operations_of(dialect: Dialect) -> list[APIOperation[Any, Any, Any, Any]]:
    schema = schemathesis.openapi.from_dict(deepcopy(document_of(dialect)), config=SchemathesisConfig(seed=1))
    found = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    assert len(found) == sum(map(len, document_of(dialect)["paths"].values()))
    return found


def modes_of(operation: APIOperation[Any, Any, Any, Any]) -> list[GenerationMode]:
    """Requests that the document allows and, where it says what they hold, others."""
    takes_values = operation.definition.raw.keys() & {"parameters", "requestBody"}
    return [GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if takes_values else [])]


OPERATIONS: Final = [
    pytest.param(operation, mode, id=f"{operation.label} {mode.value}")
    for dialect in DIALECTS
    for operation in operations_of(dialect)
    for mode in modes_of(operation)
]


def sent_to(api: Api, case: Any) -> Any:
    """The answer to a generated request, by the key of the test."""
    sent: Any = requests.Request(**case.as_transport_kwargs(base_url=BASE_URL)).prepare()
    assume(len(sent.url) < URL_LENGTH_MAX)
    headers = {name: value for name, value in sent.headers.items() if name.lower() not in KEY_HEADERS}
    headers["Authorization"] = f"Bearer {api.key}"
    return api.client.request(sent.method, sent.url, headers=headers, content=sent.body)


@pytest.mark.parametrize(("operation", "mode"), OPERATIONS)
def test_a_route_answers_as_its_document_says(api: Api, operation: Any, mode: GenerationMode) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=1 if operation.path in LONG else EXAMPLES_MAX,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def answers(case: Any) -> None:
        if case.query:
            case.query.pop("min_position", None)  # waits, as it is asked to, for what will never be folded
        answer = sent_to(api, case)
        case.validate_response(answer, checks=CHECKS)

    answers()
