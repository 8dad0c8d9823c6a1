"""Split request bodies into items, each the bytes of one event, without decoding them."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

import msgspec
from msgspec import Raw

from domain.errors import InvalidInput


class BodyFormat(Enum):
    """The formats of request bodies, by media type."""

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
    """Return the format for a Content-Type; raise `InvalidInput` with code `unsupported_media_type` if there is none.

    Parameters are allowed; the only charset is UTF-8.
    """
    media_type, *parameters = content_type.split(";")
    found = _FORMATS.get(media_type.strip().lower())
    if found is None:
        raise InvalidInput("Content-Type", f"must be one of {', '.join(_FORMATS)}", "unsupported_media_type")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in _UTF8:
            raise InvalidInput("Content-Type", "must not have a charset other than utf-8", "unsupported_media_type")
    return found


def items_of(form: BodyFormat, body: bytes) -> list[bytes]:
    """Return the bytes of each received event, in order. Items are not checked: they may be no JSON.

    Empty lines are no items. A batch that is no JSON array is one item.
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
    """Split an array that is not JSON by its brackets and commas alone; return None if the array is not closed.

    A bad element then does not spoil its neighbours.
    """
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
