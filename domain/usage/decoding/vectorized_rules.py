"""The rules for usage events, applied to whole columns; the second half of vectorized decoding.

Every function turns a list into an Arrow array and returns it with the rows that break a rule, or may break one; such
rows hold placeholders. None of them raises for a bad value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from types import NoneType
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.errors import InvalidInput
from domain.usage.block_schema import COST
from domain.usage.rules import (
    DURATION_MAGNITUDE_MAX,
    STATUSES,
    TAG_LENGTH_MAX,
    TAGS_MAX,
    TIME_FIRST,
    TOKENS_MAX,
    cost_of,
    duration_microseconds,
    instant_microseconds,
    name_of,
    token_count,
)
from domain.usage.rules import tags_of as tags_rule
from domain.values.identifiers import ID_LENGTH_MAX, id_problem
from domain.values.instants import epoch_microseconds
from domain.values.json_numbers import number_text

Checked = tuple[pa.Array, list[int]]

_TIME_FIRST_US: Final = epoch_microseconds(TIME_FIRST)
_UTC_INSTANT: Final = pa.timestamp("us", tz="UTC")
_PLAIN_INSTANT: Final = re.compile(
    rb"(?P<local>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)"
    rb"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
#: The length of an instant with microseconds and Z; a longer text may have more digits.
_MICROSECONDS_LENGTH: Final = 27
#: From this many values on, checking a whole column is cheaper than checking each value.
VECTORIZED_VALUES_MIN: Final = 40
#: From this many values on, it pays to look for a column that repeats one value, and to check only that.
CONSTANT_VALUES_MIN: Final = 200
_BELOW_MICROSECOND: Final = r"(\.[0-9]{6})[0-9]+"
_PLAIN_COST: Final = r"^(0|[1-9][0-9]{0,14})(\.[0-9]{1,12})?$"
_PLAIN_MILLISECONDS: Final = r"^(0|[1-9][0-9]{0,11})(\.[0-9]{1,3})?$"
_BELOW_MICROSECONDS_OF_MILLISECONDS: Final = r"(\.[0-9]{3})[0-9]+$"
_MILLISECONDS: Final = pa.decimal128(18, 3)
_WHOLE_MILLISECONDS_MAX: Final = 10**DURATION_MAGNITUDE_MAX - 1
_TAGS: Final = pa.list_(pa.utf8())


def instants_of(texts: Sequence[Any], absent_us: int, until_us: int) -> tuple[list[int], list[int]]:
    """RFC 3339 texts as microseconds since 1970, with `absent_us` for None."""
    if len(texts) < VECTORIZED_VALUES_MIN:
        return _instants_one_by_one(texts, absent_us, until_us)
    try:
        array = pa.array(texts, pa.utf8())
        if (pc.max(pc.binary_length(array)).as_py() or 0) > _MICROSECONDS_LENGTH:
            array = pc.replace_substring_regex(array, _BELOW_MICROSECOND, r"\1", max_replacements=1)
        if not _plain_instants(array.drop_null()):
            return _instants_one_by_one(texts, absent_us, until_us)
        found = array.cast(_UTC_INSTANT).cast(pa.int64()).fill_null(absent_us).to_numpy(zero_copy_only=False)
    except (pa.ArrowException, TypeError, ValueError):
        return _instants_one_by_one(texts, absent_us, until_us)
    bad = (found < _TIME_FIRST_US) | (found >= until_us)
    if array.null_count:
        bad &= array.is_valid().to_numpy(zero_copy_only=False)
    return found.tolist(), np.flatnonzero(bad).tolist() if bad.any() else []


def _plain_instants(texts: pa.Array) -> bool:
    """Whether Arrow reads all these texts as RFC 3339 does. It accepts more than that, so their pattern is compared.

    Texts of one length must have digits where the first of them has digits, and equal it everywhere else
    and in the offset. Texts of one length with different offsets are read one by one, which is slower.
    """
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    letters = np.frombuffer(texts.buffers()[2] or b"", dtype=np.uint8)
    lengths = np.diff(offsets)
    for length in np.unique(lengths).tolist():
        starts = offsets[:-1][lengths == length]
        first = letters[starts[0] : starts[0] + length].tobytes()
        pattern = _PLAIN_INSTANT.fullmatch(first)
        if pattern is None:
            return False
        if len(starts) == len(texts):
            grid = letters[offsets[0] : offsets[-1]].reshape(len(texts), length)
        else:
            grid = letters[starts[:, None] + np.arange(length)]
        is_digit = grid - ord("0") <= 9  # wraps around below "0"
        like_first = np.frombuffer(first, dtype=np.uint8)
        varies = np.zeros(length, dtype=bool)
        varies[: pattern.end("local")] = is_digit[0, : pattern.end("local")]
        if not (is_digit[:, varies].all() and (grid[:, ~varies] == like_first[~varies]).all()):
            return False
    return True


def _instants_one_by_one(texts: Sequence[Any], absent_us: int, until_us: int) -> tuple[list[int], list[int]]:
    found, bad = _one_by_one(texts, lambda text: absent_us if text is None else instant_microseconds(text), absent_us)
    outside = {
        row for row, time in enumerate(found) if texts[row] is not None and not _TIME_FIRST_US <= time < until_us
    }
    return found, sorted(outside.union(bad))


def _one_by_one(values: Sequence[Any], rule: Callable[[Any], Any], placeholder: Any) -> tuple[list[Any], list[int]]:
    """The result of `rule` for each value, and the rows for which it raised `InvalidInput`."""
    found: list[Any] = []
    bad: list[int] = []
    for row, value in enumerate(values):
        try:
            found.append(rule(value))
        except InvalidInput:
            found.append(placeholder)
            bad.append(row)
    return found, bad


def _all_match(texts: pa.Array, pattern: str) -> bool:
    """Whether every value that is not null matches."""
    return pc.all(pc.match_substring_regex(texts, pattern), min_count=0).as_py() is True


def _texts(values: list[Any]) -> Checked:
    try:
        return pa.array(values, pa.utf8()), []
    except (pa.ArrowException, TypeError, ValueError):
        bad = [row for row, value in enumerate(values) if value is not None and type(value) is not str]
        return pa.array([value if type(value) is str else None for value in values], pa.utf8()), bad


def ids_of(values: list[Any], required: bool) -> Checked:
    """Ids, for a column of mostly different ones."""
    if values.count(None) == len(values):
        return pa.nulls(len(values), pa.utf8()), list(range(len(values))) if required else []
    array, bad = _texts(values)
    if not _plain_ids(array):
        bad = bad + [row for row, value in enumerate(values) if type(value) is str and id_problem(value) is not None]
    if required and array.null_count:
        bad = bad + _missing(array)
    return array, bad


def coded_ids_of(values: list[Any], required: bool) -> Checked:
    """Ids, as a dictionary, for a column of few different ones."""

    def broken(texts: pa.Array) -> list[int]:
        if len(texts) >= VECTORIZED_VALUES_MIN and _plain_ids(texts):
            return []
        return [code for code, value in enumerate(texts.to_pylist()) if id_problem(value) is not None]

    return _coded(values, broken, required)


def coded_names_of(values: list[Any], member: str) -> Checked:
    """Providers or models, as a dictionary."""

    def broken(texts: pa.Array) -> list[int]:
        return _one_by_one(texts.to_pylist(), lambda value: name_of(member, value), None)[1]

    return _coded(values, broken, required=False)


def coded_statuses_of(values: list[Any]) -> Checked:
    """Statuses, as a dictionary."""

    def broken(texts: pa.Array) -> list[int]:
        return [code for code, value in enumerate(texts.to_pylist()) if value not in STATUSES]

    return _coded(values, broken, required=False)


def _coded(values: list[Any], broken_codes: Callable[[pa.Array], list[int]], required: bool) -> Checked:
    """Texts as a dictionary, of which each distinct one is checked once."""
    repeats = 1
    if len(values) >= CONSTANT_VALUES_MIN and values.count(values[0]) == len(values):
        values, repeats = values[:1], len(values)
    array, bad = _texts(values)
    coded = array.dictionary_encode()
    broken = broken_codes(coded.dictionary)
    if broken:
        bad = bad + np.flatnonzero(np.isin(coded.indices.to_numpy(zero_copy_only=False), broken)).tolist()
    if required and coded.null_count:
        bad = bad + _missing(array)
    if repeats > 1:
        return coded.take(pa.array(np.zeros(repeats, dtype=np.int32))), list(range(repeats)) if bad else []
    return coded, bad


def _plain_ids(texts: pa.Array) -> bool:
    """Whether checks of all texts (at least one) together show that each is a valid id."""
    if texts.null_count == len(texts):
        return True
    lengths = pc.min_max(pc.binary_length(texts))
    return lengths["min"].as_py() >= 3 and lengths["max"].as_py() <= ID_LENGTH_MAX and not _has_nul(texts)


def _missing(array: pa.Array) -> list[int]:
    found: list[int] = np.flatnonzero(array.is_null().to_numpy(zero_copy_only=False)).tolist()
    return found


def tokens_of(values: list[Any], member: str) -> tuple[np.ndarray[Any, np.dtype[np.int64]], list[int]]:
    """Token counts, as a NumPy array."""
    bad: list[int] = []
    if set(map(type, values)) != {int}:
        values, bad = _one_by_one(values, lambda value: token_count(member, value), 0)
    try:
        found = np.array(values, dtype=np.int64)
    except OverflowError:
        values, bad = _one_by_one(values, lambda value: token_count(member, value), 0)
        found = np.array(values, dtype=np.int64)
    outside = (found < 0) | (found > TOKENS_MAX)
    if outside.any():
        bad = bad + np.flatnonzero(outside).tolist()
    return found, bad


def costs_of(values: list[Any]) -> Checked:
    """Costs in US dollars from decimal texts or JSON numbers."""
    if values.count(None) == len(values):
        return pa.nulls(len(values), COST), []
    texts = values
    if not set(map(type, values)) <= {str, NoneType}:
        texts = [value if value is None or type(value) is str else number_text(value) or "" for value in values]
    array, bad = _texts(texts)
    if not _all_match(array, _PLAIN_COST):
        plain = pc.match_substring_regex(array, _PLAIN_COST).to_pylist()
        others = [row for row, is_plain in enumerate(plain) if is_plain is False]
        costs, broken = _one_by_one([values[row] for row in others], cost_of, None)
        texts = list(texts)
        for row, cost in zip(others, costs, strict=True):
            texts[row] = None if cost is None else f"{cost:f}"
        bad = [others[index] for index in broken]
        array = pa.array(texts, pa.utf8())
    return array.cast(COST), bad


def durations_of(values: list[Any], member: str) -> Checked:
    """Durations in milliseconds as whole microseconds."""
    if values.count(None) == len(values):
        return pa.nulls(len(values), pa.int64()), []
    if set(map(type, values)) <= {int, NoneType}:
        try:
            whole = pa.array(values, pa.int64())
        except (pa.ArrowException, OverflowError):  # more than 64 bits
            whole = pa.array([-1], pa.int64())
        ends = pc.min_max(whole)
        if ends["min"].as_py() >= 0 and ends["max"].as_py() <= _WHOLE_MILLISECONDS_MAX:
            return pc.multiply(whole, 1000), []
    texts = pa.array([None if value is None else number_text(value) or "" for value in values], pa.utf8())
    if not _all_match(texts, _PLAIN_MILLISECONDS):
        texts = pc.replace_substring_regex(texts, _BELOW_MICROSECONDS_OF_MILLISECONDS, r"\1")
    if not _all_match(texts, _PLAIN_MILLISECONDS):
        found, bad = _one_by_one(values, lambda value: duration_microseconds(member, value), None)
        return pa.array(found, pa.int64()), bad
    return pc.multiply(texts.cast(_MILLISECONDS), pa.scalar(1000, pa.decimal128(4, 0))).cast(pa.int64()), []


def tags_of(values: list[Any]) -> Checked:
    """Lists of tags."""
    if values.count(None) == len(values):
        return pa.nulls(len(values), _TAGS), []
    if set(map(type, values)) <= {list, NoneType}:
        try:
            array = pa.array(values, _TAGS)
        except (pa.ArrowException, TypeError, ValueError):
            pass
        else:
            if _plain_tags(array):
                return array, []
    tags, bad = _one_by_one(values, tags_rule, None)
    return pa.array(tags, _TAGS), bad


def _plain_tags(array: pa.Array) -> bool:
    counts = pc.max(pc.list_value_length(array)).as_py() or 0
    flat = array.flatten()
    longest = pc.max(pc.binary_length(flat)).as_py() or 0
    return counts <= TAGS_MAX and longest <= TAG_LENGTH_MAX and not flat.null_count and not _has_nul(flat)


def _has_nul(texts: pa.Array) -> bool:
    """Whether the memory under `texts` holds a NUL byte."""
    body = texts.buffers()[2]
    return body is not None and b"\x00" in memoryview(body).tobytes()
