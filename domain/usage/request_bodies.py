"""Split request bodies into items, each the bytes of one event, without decoding them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import suppress
from enum import Enum
from typing import Final

from domain.errors import InvalidInput
from domain.usage.array_splitting import ArrayBroken, split_array, split_cut_off

#: How much of a body is split in one step.
STEP_BYTES: Final = 256 * 1024
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class BodyFormat(Enum):
    """The formats of request bodies, by media type."""

    ONE = "application/cloudevents+json"
    BATCH = "application/cloudevents-batch+json"
    LINES = "application/x-ndjson"
    ONE_OR_BATCH = "application/json"


_FORMATS: Final = {form.value: form for form in BodyFormat}
_UTF8: Final = frozenset({"utf-8", "utf8", "us-ascii"})
_WHITESPACE: Final = b" \t\r\n"
#: A body split so far: it yields after every step, for others to have their turn, and returns the items.
Splitting = Generator[None, None, list[bytes]]


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


def without_byte_order_mark(text: bytes) -> bytes:
    """The bytes of a text without the UTF-8 byte order mark that it may begin with."""
    return text.removeprefix(_BYTE_ORDER_MARK)


def items_of(form: BodyFormat, body: bytes) -> list[bytes]:
    """Return the bytes of each received event, in order. Items are not checked: they may be no JSON.

    Empty lines are no items. A batch that is no JSON array is one item, and so is one that is not closed. An element
    that is not JSON, or cut off, does not spoil its neighbours. A byte order mark before the first event is left out.
    """
    splitting = items_in_steps(form, body)
    while True:
        try:
            next(splitting)
        except StopIteration as end:
            found: list[bytes] = end.value
            return found


def items_in_steps(form: BodyFormat, body: bytes, items_max: int | None = None) -> Splitting:
    """Split as `items_of` does, in steps of about `STEP_BYTES`.

    Raises `InvalidInput` with code `too_many_items` as soon as a body is found to have more than `items_max`.
    """
    body = without_byte_order_mark(body)
    if form is BodyFormat.LINES:
        return (yield from _collected(_lines(body), items_max))
    array = body.strip(_WHITESPACE)
    if form is BodyFormat.ONE or not array.startswith(b"["):
        return [body]
    for steps in (split_array(array, STEP_BYTES), split_cut_off(array)):
        with suppress(ArrayBroken):
            return (yield from _collected(steps, items_max))
    return [body]


def _collected(steps: Iterator[list[bytes]], items_max: int | None) -> Splitting:
    items: list[bytes] = []
    for found in steps:
        items += found
        if items_max is not None and len(items) > items_max:
            raise InvalidInput("body", f"must have at most {items_max} items", "too_many_items")
        yield
    return items


def _lines(body: bytes) -> Iterator[list[bytes]]:
    """The lines that are not empty, in steps."""
    start = 0
    while start < len(body):
        end = len(body) if len(body) - start <= STEP_BYTES else body.rfind(b"\n", start, start + STEP_BYTES)
        if end < 0:
            end = body.find(b"\n", start + STEP_BYTES)
        if end < 0:
            end = len(body)
        yield [line for line in body[start:end].split(b"\n") if line and not line.isspace()]
        start = end + 1
