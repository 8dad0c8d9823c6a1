"""Conversion of Arrow columns to NumPy arrays and back: integers, dictionary codes, 128-bit decimals."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from domain.usage.block_schema import COST

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def column(table: pa.Table, name: str) -> pa.Array:
    """One column as a single array."""
    chunked = table.column(name)
    if chunked.num_chunks == 1:
        return chunked.chunk(0)
    combined = chunked.combine_chunks()
    return combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined


def integers(table: pa.Table, name: str) -> Ints:
    """A column without nulls as 64-bit integers; instants as microseconds since 1970."""
    values = column(table, name)
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.int64())
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.int64)


def unsigned(table: pa.Table, name: str) -> npt.NDArray[np.uint64]:
    """An unsigned column; 0 where it is null."""
    return np.asarray(pc.fill_null(column(table, name), pa.scalar(0, pa.uint64())), dtype=np.uint64)


def codes(table: pa.Table, name: str) -> tuple[Ints, list[str]]:
    """A column of texts, with a dictionary or without one, as codes (-1: null) and the texts that they index."""
    texts = column(table, name)
    encoded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
    indices = pc.fill_null(encoded.indices, -1)
    return np.asarray(indices, dtype=np.int64), encoded.dictionary.to_pylist()


def decimal_words(values: pa.Array) -> npt.NDArray[np.uint64]:
    """The 128-bit integers of a decimal column as (low, high) words, shape (n, 2); undefined where it is null."""
    buffer = values.buffers()[1]
    words = np.frombuffer(buffer, dtype=np.uint64).reshape(-1, 2)
    return words[values.offset : values.offset + len(values)].copy()


def words_of_integers(numbers: Ints | list[int]) -> npt.NDArray[np.uint64]:
    """Integers as the (low, high) words of 128-bit integers, shape (n, 2)."""
    words = np.empty((len(numbers), 2), dtype=np.uint64)
    if isinstance(numbers, np.ndarray) and numbers.dtype == np.int64:
        words[:, 0] = numbers.view(np.uint64)
        words[:, 1] = (numbers >> 63).view(np.uint64)
        return words
    for row, number in enumerate(numbers):
        unsigned_number = int(number) & ((1 << 128) - 1)
        words[row] = unsigned_number & ((1 << 64) - 1), unsigned_number >> 64
    return words


def decimals_of_words(words: npt.NDArray[np.uint64], valid: Bools) -> pa.Array:
    """A cost column from (low, high) words of picodollars; null where not `valid`."""
    bitmap = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
    data = pa.py_buffer(np.ascontiguousarray(words).tobytes())
    return pa.Array.from_buffers(COST, len(words), [bitmap, data])
