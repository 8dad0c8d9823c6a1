"""Questions, each with how its answer is read, and with what the plain model says.

None stands for an answer that there is no such customer or event.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.engine_fixtures import Api, JsonObject
from tests.laws.machine.known import Known

#: No such customer or event; in Lago, no subscription.
NOTHING_FOUND: Final = (400, 404, 405)


@dataclass(frozen=True)
class Question:
    """`read` makes a plain value of an answer. A `body` is posted; `headers` name moments where queries do not."""

    name: str
    path: str
    params: dict[str, str]
    read: Callable[[JsonObject], Any]
    expected: Callable[[Known], Any]
    body: JsonObject | None = None


@dataclass(frozen=True)
class Answer:
    """An answer with the position and the time that it is true for; empty where it names none."""

    status: int
    position: str
    now: str
    body: Any


def asked(api: Api, question: Question, again: Answer | None = None) -> Answer:
    """The answer to a question; as of an earlier one, if that is given."""
    params, headers = question.params, {}
    if again is not None and question.path.startswith("/v1/"):
        params = {**params, "as_of": again.position, "at": again.now}
    elif again is not None:
        headers = {"Meterfold-As-Of": again.position, "Meterfold-At": again.now}
    more = {} if question.body is None else {"json": question.body}
    method = "GET" if question.body is None else "POST"
    answer = api.send(method, question.path, None, headers, params=params, **more)
    assert answer.status_code < 300 or answer.status_code in NOTHING_FOUND, f"{question.path}: {answer.text}"
    body = json.loads(answer.text)
    if answer.status_code >= 300:
        return Answer(answer.status_code, "", "", None)
    if question.path.startswith("/v1/"):
        return Answer(answer.status_code, str(body["position"]), body["now"], body)
    return Answer(answer.status_code, answer.headers["meterfold-position"], answer.headers["meterfold-now"], body)
