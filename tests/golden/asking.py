"""GET requests to the application, without a network, and the parts of the answers that are compared."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence

import httpx
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from tests.golden.fixtures import Answer, Question

#: The significant headers of an answer: those with this prefix, and the content type.
HEADER_PREFIX = "meterfold-"
CONTENT_TYPE = "content-type"


def answers_of(app: FastAPI, questions: Sequence[Question], keys: Mapping[str, str]) -> list[Answer]:
    """The answers to all questions, asked one after the other."""
    return asyncio.run(_asked(app, questions, keys))


async def _asked(app: FastAPI, questions: Sequence[Question], keys: Mapping[str, str]) -> list[Answer]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://golden") as client:
        return [_answer(await client.get(one.target, headers=_headers(one, keys))) for one in questions]


def _headers(question: Question, keys: Mapping[str, str]) -> dict[str, str]:
    return {} if question.key is None else {"Authorization": f"Bearer {keys[question.key]}"}


def _answer(response: httpx.Response) -> Answer:
    headers = {
        name: value
        for name, value in sorted(response.headers.items())
        if name == CONTENT_TYPE or name.startswith(HEADER_PREFIX)
    }
    return Answer(response.status_code, headers, response.content.decode())


def get_routes(app: FastAPI) -> list[str]:
    """The paths of all routes that answer GET, as they are registered."""
    return sorted(set(_get_paths(app)))


def _get_paths(app: FastAPI) -> Iterator[str]:
    for context in iter_route_contexts(app.routes):
        if context.path is not None and "GET" in (context.methods or ()):
            yield context.path
