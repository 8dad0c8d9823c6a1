"""What few requests say of their usage comes back from a block of version 3; all other blocks stay as they were."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import msgspec
import pytest

from domain.customers.event_facts import StoredFacts
from domain.errors import LogCorrupted
from domain.log.blocks import (
    BlockContext,
    QuantitiesBlockHeader,
    block_state,
    check_block,
    decode_facts,
    decode_free,
    decode_typed,
    encode_buffers,
    read_header,
)
from domain.log.chain import chain_part
from domain.log.records import USAGE_BATCH_TOPIC
from domain.usage.block_schema import COMMON, QUANTITIES
from tests.domain.usage.usage_event_texts import decode, text

PLACE = BlockContext("acme", "test", "usage/http/a", 3, 10, 12, datetime(2026, 9, 2, tzinfo=UTC))
DECODED = decode(
    text(id="a", data={"model": "m", "input_tokens": 9, "cache_write_tokens": 4, "cache_write_1h_tokens": 4}),
    b"oops",
    text(id="b", data={"model": "m"}),
    text(id="c", data={"model": "m", "input_tokens": 1, "requests": 20, "service_tier": "batch"}),
)
PLAIN = decode(text(id="a"), b"oops", text(id="b", data={"model": "m", "input_tokens": 0}))
FACTS = (StoredFacts(2, {"markup_percentage": "12.5"}, None, "key_1", "respan"),)
STATE = block_state(PLACE, encode_buffers(DECODED.typed, DECODED.free))


def test_the_rows_of_a_block_come_back_whole() -> None:
    assert STATE.startswith(b"MFB3")
    assert decode_typed(STATE).to_pylist() == DECODED.typed.to_pylist()
    assert decode_free(STATE).equals(DECODED.free)
    assert decode_facts(STATE) == ()
    header = read_header(STATE)
    assert isinstance(header, QuantitiesBlockHeader)
    assert (header.facts_bytes, check_block(STATE)) == (0, header)


def test_a_block_may_have_facts_and_quantities() -> None:
    state = block_state(PLACE, encode_buffers(DECODED.typed, DECODED.free), facts=FACTS)
    assert state.startswith(b"MFB3")
    assert decode_typed(state).to_pylist() == DECODED.typed.to_pylist()
    assert decode_free(state).equals(DECODED.free)
    assert decode_facts(state) == FACTS


@pytest.mark.parametrize(("facts", "magic"), [((), b"MFB1"), (FACTS, b"MFB2")])
def test_a_block_without_quantities_is_of_the_version_that_it_always_had(
    facts: tuple[StoredFacts, ...], magic: bytes
) -> None:
    state = block_state(PLACE, encode_buffers(PLAIN.typed, PLAIN.free), facts=facts)
    assert state.startswith(magic)
    typed = decode_typed(state)
    assert typed.select(COMMON.names).to_pylist() == PLAIN.typed.select(COMMON.names).to_pylist()
    assert typed.select(QUANTITIES.names).to_pylist() == [dict.fromkeys(QUANTITIES.names)] * 3


def test_a_property_of_an_older_block_is_no_unit() -> None:
    """A release that knew no other units kept them as properties, in a block of version 1."""
    decoded = decode(text(data={"model": "m", "input_tokens": 9, "web_searches": 2}))
    older = decoded.typed.select(COMMON.names)
    nulls = PLAIN.typed.slice(0, 1).select(QUANTITIES.names)
    typed = older
    for name in QUANTITIES.names:
        typed = typed.append_column(QUANTITIES.field(name), nulls.column(name))
    state = block_state(PLACE, encode_buffers(typed, decoded.free))
    assert state.startswith(b"MFB1")
    assert decode_typed(state).column("units").to_pylist() == [None]
    assert decode_free(state).column("properties").to_pylist() == ['{"web_searches":2}']


def test_the_chain_covers_quantities_by_their_hash_in_the_header() -> None:
    header = read_header(STATE)
    assert isinstance(header, QuantitiesBlockHeader)
    buffer = STATE[_header_end(STATE) + header.typed_bytes :][: header.quantities_bytes]
    assert chain_part(USAGE_BATCH_TOPIC, STATE) == STATE[: _header_end(STATE)]
    assert hashlib.sha256(buffer).digest() == header.quantities_sha256


@pytest.mark.parametrize("damage", [0, 5, -1])
def test_damage_of_quantities_is_found(damage: int) -> None:
    header = read_header(STATE)
    assert isinstance(header, QuantitiesBlockHeader)
    start = _header_end(STATE) + header.typed_bytes
    place = start + damage % header.quantities_bytes
    spoilt = STATE[:place] + bytes([STATE[place] ^ 1]) + STATE[place + 1 :]
    with pytest.raises(LogCorrupted, match="quantities buffer does not match"):
        decode_typed(spoilt)


def test_a_header_with_an_unknown_member_is_corrupt() -> None:
    end = _header_end(STATE)
    members = msgspec.msgpack.decode(STATE[8:end]) | {"more": 1}
    head = msgspec.msgpack.encode(members)
    with pytest.raises(LogCorrupted, match="block header cannot be read"):
        read_header(STATE[:4] + len(head).to_bytes(4, "big") + head + STATE[end:])


def _header_end(state: bytes) -> int:
    return 8 + int.from_bytes(state[4:8], "big")
