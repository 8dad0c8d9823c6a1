"""Requests of the command line to an engine, and what is made of the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx

from api.cli.output.exit_codes import CommandFailed, ExitCode

#: The engine bounds its own waiting; beyond this nobody is there any more.
ANSWER_SECONDS_MAX: Final = 330.0
CONNECT_SECONDS_MAX: Final = 5.0
PAGE_SIZE: Final = 500
_TIMEOUT: Final = httpx.Timeout(ANSWER_SECONDS_MAX, connect=CONNECT_SECONDS_MAX)


def path_to(*segments: str) -> str:
    """A path of segments that may hold anything: each is percent-encoded once."""
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


class Connection:
    """An engine, by HTTP. `place` names it in messages."""

    def __init__(self, client: httpx.Client, place: str) -> None:
        self._client = client
        self.place = place

    def get(self, path: str, **params: Any) -> Any:
        """The JSON answer; raises `CommandFailed` on a problem."""
        return self.send("GET", path, params=params)

    def send(self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None) -> Any:
        """The JSON answer to a JSON body, null when it has none; raises `CommandFailed` on a problem."""
        answer = self.answer(method, path, params=params, body=body)
        if answer.is_error:
            raise CommandFailed(ExitCode.REFUSED, problem_text(answer))
        return answer.json() if answer.content else None

    def answer(
        self, method: str, path: str, *, params: Mapping[str, Any] | None = None, body: Any = None
    ) -> httpx.Response:
        """The answer to a JSON body, whatever its status."""
        if body is None:
            return self.raw(method, path, params=params)
        media_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
        content = json.dumps(body).encode()
        return self.raw(method, path, params=params, content=content, headers={"Content-Type": media_type})

    def raw(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The answer, whatever its status; raises `CommandFailed` when there is none."""
        named = {name: value for name, value in (params or {}).items() if value is not None}
        try:
            return self._client.request(method, path, params=named, content=content, headers=headers, timeout=_TIMEOUT)
        except httpx.HTTPError as error:
            raise self._lost(error) from error

    def pages(self, path: str, limit: int | None = None, **params: Any) -> Iterator[Any]:
        """The entries of a list, page by page; at most `limit` of them."""
        cursor: str | None = None
        left = limit
        while left is None or left > 0:
            size = PAGE_SIZE if left is None else min(PAGE_SIZE, left)
            page = self.get(path, limit=size, cursor=cursor, **params)
            yield from page["data"]
            left = None if left is None else left - len(page["data"])
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def steps(self, path: str) -> Iterator[dict[str, Any]]:
        """What an operation that lasts tells of itself, a JSON line each, as it comes."""
        timeout = httpx.Timeout(None, connect=CONNECT_SECONDS_MAX)
        try:
            with self._client.stream("POST", path, timeout=timeout) as answer:
                if answer.is_error:
                    answer.read()
                    raise CommandFailed(ExitCode.REFUSED, problem_text(answer))
                for line in answer.iter_lines():
                    if line:
                        yield json.loads(line)
        except httpx.HTTPError as error:
            raise self._lost(error) from error

    def _lost(self, error: httpx.HTTPError) -> CommandFailed:
        return CommandFailed(ExitCode.UNREACHABLE, f"no answer from the engine at {self.place}: {error}")


def problem_text(answer: httpx.Response) -> str:
    """A problem as a sentence, and what is wrong with each field."""
    try:
        problem = answer.json()
        text = f"{problem['title']}: {problem['detail']}" if problem.get("detail") else str(problem["title"])
        others = [entry for entry in problem.get("errors", ()) if entry.get("field") != problem.get("field")]
        return "\n".join([text, *(f"{entry['field']} {entry['rule']}" for entry in others)])
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"the engine answered {answer.status_code} {answer.reason_phrase}"
