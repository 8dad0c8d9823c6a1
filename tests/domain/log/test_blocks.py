"""Blocks are read back as they were written, and any damage of their bytes is `LogCorrupted`."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import LogCorrupted, UnknownRecord
from domain.log.blocks import (
    MAGIC,
    BlockContext,
    BlockHeader,
    block_state,
    check_block,
    decode_free,
    decode_typed,
    encode_block,
    encode_buffers,
    read_header,
)
from domain.log.chain import chain_part
from domain.log.records import USAGE_BATCH_TOPIC
from domain.scope import Scope
from domain.usage.block_schema import BLOCK_EVENTS_MAX
from tests.domain.usage.usage_event_texts import decode, text

PLACE = BlockContext("acme", "test", "usage/http/a", 3, 10, 12, datetime(2026, 9, 2, 1, 2, 3, 4, UTC))
DECODED = decode(text(id="a"), b"oops", text(id="b", data={"note": "x", "tags": ["t"]}))
STATE = encode_block(PLACE, DECODED.typed, DECODED.free)
HEADER_END = len(chain_part(USAGE_BATCH_TOPIC, STATE))
VERSION_PLACE = len(MAGIC) - 1


def test_a_block_comes_back_as_it_was_written() -> None:
    assert decode_typed(STATE).equals(DECODED.typed)
    assert decode_free(STATE).equals(DECODED.free)


def test_the_header_says_what_is_in_the_block() -> None:
    buffers = encode_buffers(DECODED.typed, DECODED.free)
    assert read_header(STATE) == BlockHeader(
        tenant="acme",
        environment="test",
        stream="usage/http/a",
        version=3,
        first_offset=10,
        last_offset=12,
        recorded_at=datetime(2026, 9, 2, 1, 2, 3, 4, UTC),
        count=3,
        rejected=1,
        typed_bytes=len(buffers.typed),
        typed_sha256=buffers.typed_sha256,
        free_bytes=len(buffers.free),
        free_sha256=buffers.free_sha256,
        extra={},
    )
    assert read_header(STATE).scope == Scope("acme", "test")
    assert check_block(STATE) == read_header(STATE)


def test_the_chain_covers_the_header_of_a_block_and_all_of_any_other_record() -> None:
    assert STATE.startswith(b"MFB1" + (HEADER_END - 8).to_bytes(4, "big"))
    assert chain_part("customer.created", STATE) == STATE


def test_an_erased_free_buffer_breaks_no_chain_and_is_checked_against_its_own_hash() -> None:
    other = decode(text(id="a"), b"oops", text(id="b"))
    erased = encode_buffers(other.typed, other.free)
    header = read_header(STATE)
    redacted = STATE[: len(STATE) - header.free_bytes] + erased.free
    assert chain_part(USAGE_BATCH_TOPIC, redacted) == chain_part(USAGE_BATCH_TOPIC, STATE)
    assert decode_free(redacted, erased.free_sha256).equals(other.free)
    assert check_block(redacted, erased.free_sha256) == header
    with pytest.raises(LogCorrupted, match="free buffer"):
        check_block(redacted)


@given(st.integers(0, len(STATE) - 1), st.integers(1, 255))
def test_a_changed_byte_is_found_or_is_in_the_header_that_the_chain_covers(place: int, change: int) -> None:
    broken = bytearray(STATE)
    broken[place] ^= change
    try:
        check_block(bytes(broken))
    except LogCorrupted:
        return
    except UnknownRecord:  # the digit of a newer version: refused too, and covered by the chain
        assert place == VERSION_PLACE
        return
    assert place < HEADER_END
    assert chain_part(USAGE_BATCH_TOPIC, bytes(broken)) != chain_part(USAGE_BATCH_TOPIC, STATE)


@given(st.integers(0, len(STATE) - 1))
def test_a_block_cut_short_is_corrupt(length: int) -> None:
    with pytest.raises(LogCorrupted):
        check_block(STATE[:length])


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_block_or_corrupt(noise: bytes, framed: bool) -> None:
    state = MAGIC + len(noise).to_bytes(4, "big") + noise if framed else noise
    with pytest.raises(LogCorrupted):
        check_block(state)


@given(st.sampled_from(["typed", "free"]), st.binary(max_size=64))
def test_a_buffer_that_matches_its_hash_but_is_no_rows_is_corrupt(name: str, noise: bytes) -> None:
    buffers = encode_buffers(DECODED.typed, DECODED.free)
    changed = {name: noise, f"{name}_sha256": hashlib.sha256(noise).digest()}
    with pytest.raises(LogCorrupted, match=name):
        check_block(block_state(PLACE, msgspec.structs.replace(buffers, **changed)))


def test_trailing_bytes_are_corrupt() -> None:
    with pytest.raises(LogCorrupted, match="free buffer has"):
        check_block(STATE + b"\x00")


def test_a_wrong_count_of_rejected_rows_is_corrupt() -> None:
    buffers = encode_buffers(DECODED.typed, DECODED.free)
    with pytest.raises(LogCorrupted, match="2 rejected rows"):
        check_block(block_state(PLACE, msgspec.structs.replace(buffers, rejected=2)))


def test_a_block_has_a_bounded_number_of_rows_and_as_many_typed_as_free_ones() -> None:
    with pytest.raises(ValueError, match="rows"):
        encode_block(PLACE, DECODED.typed.slice(0, 0), DECODED.free.slice(0, 0))
    with pytest.raises(ValueError, match="one row"):
        encode_block(PLACE, DECODED.typed, DECODED.free.slice(0, 2))
    many = decode(*[b"1"] * (BLOCK_EVENTS_MAX + 1))
    with pytest.raises(ValueError, match="1 to 10000 rows"):
        encode_block(PLACE, many.typed, many.free)
