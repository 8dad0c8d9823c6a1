"""The list in the body of POST /request-logs/batch/create/, as bytes: its logs are read one by one, as in any list."""

from __future__ import annotations

import re
from typing import Final

import msgspec

_HEAD: Final = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"logs"[ \t\r\n]*:[ \t\r\n]*(?=\[)')
_TAIL: Final = re.compile(rb"\][ \t\r\n]*\}[ \t\r\n]*\Z")
#: The longest end of a body in which that of the list is looked for.
_TAIL_BYTES_MAX: Final = 1_024


class _Batch(msgspec.Struct):
    logs: msgspec.Raw


def logs_of(body: bytes) -> bytes | None:
    """Return the text of the list; None for an object without one.

    A body that is a list itself is returned as it is, and so is one that is no JSON. A log that is no JSON does not
    hide the others, if the list is all that the object holds.
    """
    try:
        text = bytes(msgspec.json.decode(body, type=_Batch).logs).strip()
        return text if text.startswith(b"[") else None
    except msgspec.ValidationError:
        return body if body.lstrip().startswith(b"[") else None
    except (ValueError, RecursionError):
        head = _HEAD.match(body)
        tail = _TAIL.search(body, max(len(body) - _TAIL_BYTES_MAX, 0))
        return body if head is None or tail is None else body[head.end() : tail.start() + 1]
