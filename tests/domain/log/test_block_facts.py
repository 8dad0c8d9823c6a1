"""Facts that events carry come back from a block as they were written; a block without any is of version 1."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.customers.event_facts import StoredFacts
from domain.customers.events import SealedPersonal
from domain.errors import LogCorrupted, UnknownRecord
from domain.log.block_facts import pack_facts, unpack_facts
from domain.log.blocks import (
    BlockContext,
    FactsBlockHeader,
    block_state,
    check_block,
    decode_facts,
    decode_free,
    decode_typed,
    encode_block,
    encode_buffers,
    read_header,
)
from domain.log.chain import chain_part
from domain.log.records import USAGE_BATCH_TOPIC
from tests.domain.usage.usage_event_texts import decode, text

PLACE = BlockContext("acme", "test", "usage/http/a", 3, 10, 12, datetime(2026, 9, 2, 1, 2, 3, 4, UTC))
DECODED = decode(text(id="a"), b"oops", text(id="b"))
BUFFERS = encode_buffers(DECODED.typed, DECODED.free)
SEALED = SealedPersonal("key:1", b"n" * 12, b"sealed")
FACTS = (
    StoredFacts(0, {"markup_percentage": "12.5", "budget_id": None}, SEALED, "key_1", "respan"),
    StoredFacts(2, {}, None, "engine", "native"),
)
STATE = block_state(PLACE, BUFFERS, facts=FACTS)
HEADER_END = len(chain_part(USAGE_BATCH_TOPIC, STATE))
VERSION_PLACE = 3
#: The header of a block without facts, in the order in which its members were always written.
VERSION_1_MEMBERS = [
    "tenant",
    "environment",
    "stream",
    "version",
    "first_offset",
    "last_offset",
    "recorded_at",
    "count",
    "rejected",
    "typed_bytes",
    "typed_sha256",
    "free_bytes",
    "free_sha256",
    "extra",
]

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def facts_of_rows(draw: st.DrawFn) -> list[StoredFacts]:
    rows = sorted(draw(st.sets(st.integers(0, 2), min_size=1)))
    sealed = st.none() | st.builds(SealedPersonal, _texts, st.binary(max_size=12), st.binary(max_size=40))
    fields = st.dictionaries(_texts, _values, max_size=4)
    return [StoredFacts(row, draw(fields), draw(sealed), draw(_texts), draw(_texts)) for row in rows]


@given(facts_of_rows())
def test_facts_come_back_as_they_were_written_and_so_do_the_events(facts: list[StoredFacts]) -> None:
    state = block_state(PLACE, BUFFERS, {"next_offset": 13}, facts)
    assert decode_facts(state) == tuple(facts)
    assert decode_typed(state).equals(DECODED.typed)
    assert decode_free(state).equals(DECODED.free)
    assert check_block(state) == read_header(state)


def test_the_header_of_a_block_with_facts_tells_their_size_and_hash() -> None:
    packed = pack_facts(FACTS)
    header = read_header(STATE)
    assert STATE.startswith(b"MFB2")
    assert isinstance(header, FactsBlockHeader)
    assert (header.facts_bytes, header.facts_sha256) == (len(packed), hashlib.sha256(packed).digest())
    assert (header.count, header.rejected, header.extra) == (3, 1, {})


def test_a_block_without_facts_is_written_as_version_1_was_byte_for_byte() -> None:
    members: dict[str, Any] = {
        **msgspec.structs.asdict(PLACE),
        "count": 3,
        "rejected": 1,
        "typed_bytes": len(BUFFERS.typed),
        "typed_sha256": BUFFERS.typed_sha256,
        "free_bytes": len(BUFFERS.free),
        "free_sha256": BUFFERS.free_sha256,
        "extra": {},
    }
    assert list(members) == VERSION_1_MEMBERS
    head = msgspec.msgpack.encode(members)
    written = b"MFB1" + len(head).to_bytes(4, "big") + head + BUFFERS.typed + BUFFERS.free
    assert encode_block(PLACE, DECODED.typed, DECODED.free) == written
    assert decode_facts(written) == ()


def test_an_erased_free_buffer_leaves_the_facts_and_the_chain_as_they_were() -> None:
    other = decode(text(id="a"), b"oops", text(id="b", data={"note": "x"}))
    erased = encode_buffers(other.typed, other.free)
    redacted = STATE[: len(STATE) - len(BUFFERS.free)] + erased.free
    assert chain_part(USAGE_BATCH_TOPIC, redacted) == chain_part(USAGE_BATCH_TOPIC, STATE)
    assert decode_facts(redacted) == FACTS
    assert decode_free(redacted, erased.free_sha256).equals(other.free)


@given(st.integers(0, len(STATE) - 1), st.integers(1, 255))
def test_a_changed_byte_of_facts_is_found_or_is_in_the_header_that_the_chain_covers(place: int, change: int) -> None:
    broken = bytearray(STATE)
    broken[place] ^= change
    try:
        check_block(bytes(broken))
    except LogCorrupted:
        return
    except UnknownRecord:  # the digit of a newer version
        assert place == VERSION_PLACE
        return
    # Not every such byte changes what is read: the instant is stored in nanoseconds.
    assert place < HEADER_END
    assert chain_part(USAGE_BATCH_TOPIC, bytes(broken)) != chain_part(USAGE_BATCH_TOPIC, STATE)


@given(st.binary(max_size=80))
def test_any_bytes_are_facts_or_corrupt(noise: bytes) -> None:
    with pytest.raises(LogCorrupted, match="facts"):
        unpack_facts(memoryview(noise), 3)


def _packed(value: Any) -> memoryview:
    plain = msgspec.msgpack.encode(value)
    return memoryview(len(plain).to_bytes(8, "big") + pa.Codec("zstd").compress(plain, asbytes=True))


@pytest.mark.parametrize(
    "facts",
    [
        (),
        (FACTS[1], FACTS[0]),
        (FACTS[0], FACTS[0]),
        (msgspec.structs.replace(FACTS[0], row=3),),
        (msgspec.structs.replace(FACTS[0], row=-1),),
    ],
    ids=["none", "out of order", "twice", "after the last row", "before the first row"],
)
def test_facts_of_rows_that_a_block_cannot_have_are_corrupt(facts: tuple[StoredFacts, ...]) -> None:
    with pytest.raises(LogCorrupted, match="other rows"):
        unpack_facts(_packed(list(facts)), 3)


def test_facts_are_written_in_order_of_their_rows_only() -> None:
    with pytest.raises(ValueError, match="ascending"):
        pack_facts([FACTS[1], FACTS[0]])
    with pytest.raises(ValueError, match="ascending"):
        pack_facts([])
