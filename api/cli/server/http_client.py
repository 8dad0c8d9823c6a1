"""The HTTP client of the command line: requests to an engine, its paged lists, operations and errors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import httpx

from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.text import print_message
from api.cli.server.answer_members import row_members
from api.cli.server.field_names import REASON_HEADER, FieldNames

#: Longer than any wait of the engine itself; after this the engine is gone.
ANSWER_SECONDS_MAX: Final = 330.0
CONNECT_SECONDS_MAX: Final = 5.0
PAGE_SIZE: Final = 500
#: The length of a title and a detail that stand in one line of 80 columns, after the name of the program.
LINE_LENGTH_MAX: Final = 80 - len("meterfold: : ")
_TIMEOUT: Final = httpx.Timeout(ANSWER_SECONDS_MAX, connect=CONNECT_SECONDS_MAX)


def path_to(*segments: str) -> str:
    """Return the path of these segments, each percent-encoded once; a segment may contain any character."""
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


class Connection:
    """A connection to an engine over HTTP. `location` names the engine in messages.

    `is_served`: others can reach the engine too; it was not opened for this command alone. `names`: what the user gave
    the fields of requests by, for messages. `typed`: the options by which the user named the engine, for hints; those
    that the environment sets hold for the next command too, and a key is never repeated.
    """

    names = FieldNames()
    typed: Mapping[str, str] = MappingProxyType({})

    def __init__(self, client: httpx.Client, location: str, *, is_served: bool = True) -> None:
        self._client = client
        self.location = location
        self.is_served = is_served

    def get(self, path: str, **params: Any) -> Any:
        """Return the JSON answer of a GET request; raises `CommandFailed` on an error status."""
        return self.unless_refused(self.raw("GET", path, params=params)).json()

    def found(self, path: str, **params: Any) -> Any:
        """Return the JSON answer of a GET request, None on an error status."""
        answer = self.raw("GET", path, params=params)
        return None if answer.is_error else answer.json()

    def send(self, method: str, path: str, *, body: Any = None, reason: str | None = None, **params: Any) -> Any:
        """Send a JSON body and return the JSON answer, None for an empty one; `CommandFailed` on an error status."""
        answer = self.unless_refused(self.answer(method, path, body=body, reason=reason, **params))
        return answer.json() if answer.content else None

    def unless_refused(self, answer: httpx.Response) -> httpx.Response:
        """Return a response; `CommandFailed` on an error status, with the problem in words."""
        if answer.is_error:
            raise CommandFailed(ExitCode.REFUSED, problem_text(answer, self.names))
        return answer

    def answer(
        self, method: str, path: str, *, body: Any = None, reason: str | None = None, **params: Any
    ) -> httpx.Response:
        """Send a JSON body, or one that is encoded already, and return the response, whatever its status."""
        headers = {} if reason is None else {REASON_HEADER: reason}
        if body is None:
            return self.raw(method, path, params=params, headers=headers)
        media_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers["Content-Type"] = media_type
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.raw(method, path, params=params, content=content, headers=headers)

    def raw(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request and return the response, whatever its status; `CommandFailed` without a response."""
        named = {name: value for name, value in (params or {}).items() if value is not None}
        encoded = {name.encode(): value.encode() for name, value in (headers or {}).items()}
        try:
            return self._client.request(method, path, params=named, content=content, headers=encoded, timeout=_TIMEOUT)
        except httpx.HTTPError as error:
            raise self._no_answer(error) from error

    def pages(self, path: str, limit: int | None = None, **params: Any) -> Iterator[Any]:
        """Yield the entries of a paged list, at most `limit` of them; a message says if there are more."""
        cursor: str | None = None
        left = limit
        while left is None or left > 0:
            size = PAGE_SIZE if left is None else min(PAGE_SIZE, left)
            page = self.get(path, **params, limit=size, cursor=cursor)
            yield from page["data"]
            left = None if left is None else left - len(page["data"])
            cursor = page.get("next_cursor")
            if cursor is None:
                return
        print_message(f"more than {limit}: give a larger --limit to list them")

    def row_members(self, path: str) -> list[str]:
        """Return the members of one row of the list at a path of the OpenAPI document."""
        return row_members(self.get("/openapi.json"), path)

    def steps(self, path: str) -> Iterator[dict[str, Any]]:
        """Start a long-running operation and yield its progress, one JSON line each, as it arrives."""
        timeout = httpx.Timeout(None, connect=CONNECT_SECONDS_MAX)
        try:
            with self._client.stream("POST", path, timeout=timeout) as answer:
                if answer.is_error:
                    answer.read()
                    self.unless_refused(answer)
                for line in answer.iter_lines():
                    if line:
                        yield json.loads(line)
        except httpx.HTTPError as error:
            raise self._no_answer(error) from error

    def _no_answer(self, error: httpx.HTTPError) -> CommandFailed:
        return CommandFailed(ExitCode.UNREACHABLE, f"no answer from the engine at {self.location}: {error}")


def problem_text(answer: httpx.Response, names: FieldNames | None = None) -> str:
    """Return a problem document as text: a line for each field that is wrong, else what is, in one sentence.

    Fields are named as they were given on the command line.
    """
    names = names or FieldNames()
    try:
        problem = answer.json()
        if "field" in problem:
            wrong = problem.get("errors") or [problem]
            return "\n".join(f"{names.of(one['field'])} {names.in_rule(one['rule'])}" for one in wrong)
        title, detail = str(problem["title"]), problem.get("detail")
        if not detail:
            return title
        return f"{title}: {detail}" if len(title) + len(detail) <= LINE_LENGTH_MAX else f"{title}:\n{detail}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the engine answered {answer.status_code} {answer.reason_phrase}"
