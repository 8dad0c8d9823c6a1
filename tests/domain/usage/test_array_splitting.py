"""Elements of JSON arrays are found wherever steps end, and beside elements that are cut off or no JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.usage.array_splitting import STEP_TOKENS, ArrayBroken, split_array, split_cut_off

EVENT = {
    "specversion": "1.0",
    "id": "x",
    "data": {"tags": ["a", "b"], "steps": [{"a": 1}, {"b": [1, {"c": 2}]}], "text": 'q"\\{,[', "cost": 1.5},
}
FIRST, CUT, LAST = (json.dumps({**EVENT, "id": name}).encode() for name in ("first", "cut", "last"))
SEPARATORS = (b",", b", ", b",\n  ")

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(max_size=8) | st.sampled_from(["},{", '"', "\\", "],", ","]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def elements(steps: Iterator[list[bytes]]) -> list[bytes]:
    return list(chain.from_iterable(steps))


@given(st.lists(values, max_size=12), st.integers(1, 60), st.sampled_from([None, 1]))
def test_every_element_is_found_wherever_a_step_ends(sent: list[Any], step_bytes: int, indent: int | None) -> None:
    found = elements(split_array(json.dumps(sent, indent=indent).encode(), step_bytes))
    assert list(map(json.loads, found)) == sent


@given(st.lists(values, min_size=1, max_size=6), st.integers(1, 60))
def test_an_element_that_is_no_json_leaves_the_others_as_they_are(sent: list[Any], step_bytes: int) -> None:
    texts = [json.dumps(value).encode() for value in sent]
    found = elements(split_array(b"[%b, NaN, %b]" % (b", ".join(texts), b", ".join(texts)), step_bytes))
    assert found == [*texts, b"NaN", *texts]


@pytest.mark.parametrize("separator", SEPARATORS)
def test_neighbours_of_an_element_are_found_wherever_it_is_cut_off(separator: bytes) -> None:
    for end in range(1, len(CUT)):
        for order in ([FIRST, CUT[:end], LAST], [CUT[:end], FIRST, LAST], [FIRST, LAST, CUT[:end]]):
            text = b"[%b]" % separator.join(order)
            try:
                found = elements(split_array(text, 1_000))
            except ArrayBroken:
                found = elements(split_cut_off(text))
            assert found == [element.strip() for element in order]


@pytest.mark.parametrize("text", [b"[", b"[1", b"[1]]", b"[1,]", b"[1] 2]", b'["a', b'[{"a":1'])
def test_what_is_no_array_with_an_end_is_not_split(text: bytes) -> None:
    for split in (split_array(text, 1_000), split_cut_off(text)):
        with pytest.raises(ArrayBroken):
            elements(split)


@pytest.mark.parametrize(
    "hostile",
    [b"[" * 400_000, b"{" * 400_000, b'"\\",{' * 100_000, b"{[" * 100_000 + b"}" * 100_000, b'{"a":1,' * 60_000],
    ids=["brackets", "braces", "quotes", "crossed", "names"],
)
def test_hostile_text_takes_many_short_steps(hostile: bytes) -> None:
    text = b"[1,%b]" % hostile
    steps = 0
    for split in (split_array(text, 1_000), split_cut_off(text)):
        try:
            for _ in split:
                steps += 1
        except ArrayBroken:
            pass
    assert steps >= 100_000 // STEP_TOKENS
