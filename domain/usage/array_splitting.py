"""Split the text of a JSON array into the bytes of its elements, step by step, whatever the elements are.

`split_array` is exact and fast: pieces of the text are decoded together, and a piece with an element that is not JSON
is split by its brackets and commas alone. `split_cut_off` is for an array whose brackets do not match, since an element
was cut off: it finds where the next element begins. Both raise `ArrayBroken` if the text is no array with an end.

The text begins with `[` and has no whitespace around it. Every step costs a bounded time, even for hostile text.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Final

import msgspec
from msgspec import Raw

#: A piece of this many steps is tried before tokens are read one by one, for the sake of large elements.
LARGE_PIECE_STEPS: Final = 8
#: The last places in a piece at which an element may end, of each kind; a comma inside an element is none.
_ELEMENT_ENDS: Final = (b"},{", b"}, {", b"},\n", b"},", b",")
ATTEMPTS_MAX: Final = 2
#: Tokens that are read one by one in one step.
STEP_TOKENS: Final = 20_000

#: Tokens that are read of an array with elements that are cut off; a longer one cannot be split.
CUT_OFF_TOKENS_MAX: Final = 10_000_000

_WHITESPACE: Final = b" \t\r\n"
_EMPTY: Final = re.compile(rb"\[[ \t\r\n]*\]")
#: A string is followed by what may follow a string, or it began inside another one.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"(?=[ \t\r\n]*[,:\]}])|[\[{]+|[\]}]+|[",]', re.DOTALL)
_items: Final = msgspec.json.Decoder(list[Raw]).decode


class ArrayBroken(Exception):
    """The text cannot be split."""


def split_array(text: bytes, step_bytes: int) -> Iterator[list[bytes]]:
    """Yield the elements in order, those of about `step_bytes` at a time. A step may have none."""
    if not text.endswith(b"]"):
        raise ArrayBroken
    if _EMPTY.fullmatch(text):
        return
    start, end = 1, len(text) - 1
    while start <= end:
        piece = _piece(text, start, end, step_bytes)
        if piece is None and end - start > step_bytes:
            piece = _piece(text, start, end, LARGE_PIECE_STEPS * step_bytes)
        if piece is None:
            start = yield from _read_tokens(text, start, start + step_bytes)
        else:
            elements, stop = piece
            yield elements
            start = stop + 1


def _piece(text: bytes, start: int, end: int, size: int) -> tuple[list[bytes], int] | None:
    """The elements from `start` to an end of an element at most `size` bytes away, and that end; None if none is found.

    Text up to a comma decodes as an array only if the comma is one between elements: inside an element, a bracket or
    a string would still be open.
    """
    for stop in _ends(text, start, end, size):
        try:
            found = _items(b"[%b]" % text[start:stop])
        except (ValueError, RecursionError):
            continue
        if found:
            return list(map(bytes, found)), stop
    return None


def _ends(text: bytes, start: int, end: int, size: int) -> Iterator[int]:
    """Places at which the piece may end, of which most are no comma of an element in common events."""
    if end - start <= size:
        yield end
        return
    tried = {-1}
    for mark in _ELEMENT_ENDS:
        limit = start + size
        for _ in range(ATTEMPTS_MAX):
            limit = text.rfind(mark, start, limit)
            stop = text.find(b",", limit) if limit >= 0 else -1
            if stop not in tried:
                tried.add(stop)
                yield stop
            if limit < 0:
                break


def _read_tokens(text: bytes, start: int, until: int) -> Generator[list[bytes], None, int]:
    """Split by brackets and commas up to the first end of an element after `until`; return where the next begins."""
    found: list[bytes] = []
    depth = 1
    for number, token in enumerate(_TOKEN.finditer(text, start), 1):
        if number % STEP_TOKENS == 0:
            yield found
            found = []
        mark = token.group()
        if mark == b'"':
            raise ArrayBroken
        if mark[0] in b"[{":
            depth += len(mark)
        elif mark[0] in b"]}":
            depth -= len(mark)
        if (mark == b"," and depth == 1) or depth <= 0:
            end = token.start() if depth else token.end() - 1
            element = text[start:end].strip(_WHITESPACE)
            if not element or depth < 0 or (depth == 0 and token.end() < len(text)):
                raise ArrayBroken
            found.append(element)
            start = token.end()
            if depth == 0 or start > until:
                yield found
                return start
    raise ArrayBroken


#: A string without its opening quote, up to the closing one. Control characters must be escaped in it.
_STRING_REST: Final = re.compile(rb'(?:[^"\\\x00-\x1f]++|\\[^\x00-\x1f])*+')
_MARK: Final = re.compile(rb'["\[\]{},]')
_AFTER_STRING: Final = re.compile(rb"[ \t\r\n]*[,:\]}]")
#: The end of one element and the start of the next, if it is an object.
_NEXT_OBJECT: Final = re.compile(rb",[ \t\r\n]*(?=\{)")
_FIRST_NAME: Final = re.compile(rb'\{[ \t\r\n]*"[^"\\]++"')


def split_cut_off(text: bytes) -> Iterator[list[bytes]]:
    """Yield the elements of an array in which elements are cut off, so that brackets or quotes do not match.

    An element is cut off where `,{` follows inside an object, since a comma in an object is followed by a name, and
    where a string has no end or nothing that may follow a string follows. The next element begins there. An element
    that is cut off inside an array ends where an object with the same first name as the first element follows.
    """
    if not text.endswith(b"]"):
        raise ArrayBroken
    first = _FIRST_NAME.match(text, 1)
    scan = _CutOffScan(text, None if first is None else first.group())
    for _ in range(CUT_OFF_TOKENS_MAX // STEP_TOKENS):
        yield scan.step()
        if scan.is_complete:
            return
    raise ArrayBroken


class _CutOffScan:
    """A scan for elements by tokens. `_open` are the brackets open in the current element, which begins at `_start`."""

    def __init__(self, text: bytes, head: bytes | None) -> None:
        """`head` is how the first element begins, up to its first name."""
        self.is_complete = False
        self._head = head
        self._text = text
        self._at = self._start = 1
        self._open: list[int] = []
        self._open_counts = dict.fromkeys(b"{[", 0)
        self._comma: int | None = None  # of the token before, if it is a comma
        self._unclosed_until = 0  # no string that begins before has an end
        self._found: list[bytes] = []

    def step(self) -> list[bytes]:
        """Read some tokens; return the elements that end there."""
        self._found = []
        for _ in range(STEP_TOKENS):
            mark = _MARK.search(self._text, self._at)
            if mark is None:  # the last bracket was taken for one inside the element
                self._end_array(len(self._text) - 1)
                break
            self._at = mark.end()
            self._read(self._text[mark.start()], mark.start())
            if self.is_complete:
                break
        return self._found

    def _read(self, mark: int, at: int) -> None:
        comma, self._comma = self._comma, None
        if mark == ord('"'):
            self._read_string(at)
        elif mark == ord(","):
            self._comma = at
            if not self._open:
                self._end_element(at, at + 1)
        elif mark in b"{[":
            if mark == ord("{") and comma is not None and self._open and self._is_element(at):
                self._end_element(comma, at)
            self._open.append(mark)
            self._open_counts[mark] += 1
        else:
            self._close(mark, at)

    def _read_string(self, at: int) -> None:
        if at >= self._unclosed_until:
            rest = _STRING_REST.match(self._text, at + 1)
            stop = rest.end() if rest is not None else at + 1
            if self._text[stop : stop + 1] != b'"':
                self._unclosed_until = stop
            elif _AFTER_STRING.match(self._text, stop + 1):
                self._at = stop + 1
                return
        following = _NEXT_OBJECT.search(self._text, at + 1)
        if following is not None:
            self._end_element(following.start(), following.end())
            self._at = following.end()
        else:
            self._end_array(len(self._text) - 1)

    def _is_element(self, at: int) -> bool:
        """Whether an object after a comma inside an element is the next element."""
        return self._open[-1] == ord("{") or (self._head is not None and self._text.startswith(self._head, at))

    def _close(self, mark: int, at: int) -> None:
        opening = ord("{") if mark == ord("}") else ord("[")
        if self._open_counts[opening]:
            closed = None
            while closed != opening:  # what is still open inside was cut off
                closed = self._open.pop()
                self._open_counts[closed] -= 1
        elif mark == ord("]"):
            self._end_array(at)

    def _end_element(self, stop: int, following: int) -> None:
        self._found.append(self._text[self._start : stop].strip(_WHITESPACE))
        self._start = following
        self._open.clear()
        self._open_counts = dict.fromkeys(b"{[", 0)

    def _end_array(self, at: int) -> None:
        if at != len(self._text) - 1 or self._text[at] != ord("]"):
            raise ArrayBroken
        self._end_element(at, at + 1)
        if not self._found[-1]:
            raise ArrayBroken
        self.is_complete = True
