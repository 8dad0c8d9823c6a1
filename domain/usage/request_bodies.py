"""From a request body to the items in it, each the bytes of one event, without looking into them."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

import msgspec
from msgspec import Raw

from domain.errors import InvalidInput


class BodyFormat(Enum):
    """How the events of a body stand in it."""

    ONE = "application/cloudevents+json"
    BATCH = "application/cloudevents-batch+json"
    LINES = "application/x-ndjson"
    ONE_OR_BATCH = "application/json"


_FORMATS: Final = {form.value: form for form in BodyFormat}
_UTF8: Final = frozenset({"utf-8", "utf8", "us-ascii"})
_WHITESPACE: Final = b" \t\r\n"
_ARRAY_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)
_items: Final = msgspec.json.Decoder(list[Raw]).decode


def format_of(content_type: str) -> BodyFormat:
    """The format that a Content-Type names; `InvalidInput` with code `unsupported_media_type` for others.

    Parameters are allowed; the only charset is UTF-8.
    """
    media_type, *parameters = content_type.split(";")
    found = _FORMATS.get(media_type.strip().lower())
    if found is None:
        raise InvalidInput("Content-Type", f"must be one of {', '.join(_FORMATS)}", "unsupported_media_type")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in _UTF8:
            raise InvalidInput("Content-Type", "must have no charset other than utf-8", "unsupported_media_type")
    return found


def items_of(form: BodyFormat, body: bytes) -> list[bytes]:
    """The bytes of each received event, in order. An item may be anything: whether it is JSON shows later.

    Empty lines are no items. A batch that is no JSON array at all, like any other text, is one item.
    """
    if form is BodyFormat.LINES:
        return [line for line in body.split(b"\n") if line and not line.isspace()]
    if form is BodyFormat.ONE or (form is BodyFormat.ONE_OR_BATCH and not body.lstrip(_WHITESPACE).startswith(b"[")):
        return [body]
    try:
        return list(map(bytes, _items(body)))
    except (ValueError, RecursionError):
        found = _split_array(body)
        return [body] if found is None else found


def _split_array(body: bytes) -> list[bytes] | None:
    """The elements of an array in which something is not JSON, split by brackets and commas alone, so that
    a bad element does not take its neighbours with it. None when even the frame of the array is broken."""
    text = body.strip(_WHITESPACE)
    if not (text.startswith(b"[") and text.endswith(b"]")):
        return None
    found: list[bytes] = []
    depth, start = 0, 1
    for token in _ARRAY_TOKEN.finditer(text):
        mark = token.group()
        if mark == b'"':
            return None
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}"):
            depth -= 1
        if (mark == b"," and depth == 1) or depth == 0:
            found.append(text[start : token.start()].strip(_WHITESPACE))
            start = token.end()
        if depth == 0:
            break
    complete = depth == 0 and start == len(text)
    return found if complete and all(found) else None
