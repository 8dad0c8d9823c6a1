"""What a source adds to items makes events other ones, or rejects them, and leaves their neighbours as they are."""

from __future__ import annotations

from typing import Any

import pytest

from domain.errors import InvalidInput
from domain.usage.decoding.decoder import DecodedEvents
from domain.usage.decoding.item_additions import with_content, with_rejected
from tests.domain.usage.usage_event_texts import CONTEXT, decode, text

PROBLEM = InvalidInput("email", "must be an email address", "facts_invalid")


def lines(count: int) -> list[bytes]:
    return [text(id=f"e-{number}", data={"model": f"m-{number}", "note": "x"}) for number in range(count)]


def rejected(decoded: DecodedEvents, items: list[bytes], *rows: int) -> DecodedEvents:
    problems = dict.fromkeys(rows, PROBLEM)
    return with_rejected(decoded, problems, items, CONTEXT.row_context(), CONTEXT.scope)


def rows_of(decoded: DecodedEvents) -> list[dict[str, Any]]:
    typed, free = decoded.typed.to_pylist(), decoded.free.to_pylist()
    return [one | other for one, other in zip(typed, free, strict=True)]


@pytest.mark.parametrize("count", [3, 40], ids=["row by row", "by columns"])
def test_added_content_makes_an_event_another_one_and_only_that_one(count: int) -> None:
    decoded = decode(*lines(count))
    more = with_content(decoded, {1: b"facts"}, CONTEXT.hash_seed)
    before, after = rows_of(decoded), rows_of(more)
    assert after[1]["content"] != before[1]["content"]
    assert [row for number, row in enumerate(after) if number != 1] == [
        row for number, row in enumerate(before) if number != 1
    ]
    assert {**after[1], "content": 0} == {**before[1], "content": 0}
    assert with_content(decoded, {1: b"facts"}, CONTEXT.hash_seed).typed.equals(more.typed)
    assert not with_content(decoded, {1: b"other"}, CONTEXT.hash_seed).typed.equals(more.typed)


@pytest.mark.parametrize("count", [3, 40], ids=["row by row", "by columns"])
@pytest.mark.parametrize("row", [0, 1, 2], ids=["first", "between", "later"])
def test_an_event_is_rejected_with_its_reason_and_its_neighbours_are_not(count: int, row: int) -> None:
    items = lines(count)
    decoded = decode(*items, group="g", atomic=True)
    refused = rejected(decoded, items, row)
    assert refused.rejected_rows == [row]
    found = rows_of(refused)
    told = ("reason", "detail", "raw", "id", "subject", "group", "atomic", "identity", "time", "model", "properties")
    assert {name: found[row][name] for name in told} == {
        "reason": "facts_invalid",
        "detail": "email: must be an email address",
        "raw": items[row],
        "id": f"e-{row}",
        "subject": "acme",
        "group": "g",
        "atomic": True,
        "identity": None,
        "time": None,
        "model": None,
        "properties": None,
    }
    del found[row]
    others = rows_of(decoded)
    del others[row]
    assert found == others


def test_several_events_are_rejected_and_one_that_was_before_keeps_its_reason() -> None:
    items = [text(id="a"), b"oops", text(id="b"), text(id="c")]
    refused = rejected(decode(*items), items, 0, 1, 3)
    assert refused.rejected_rows == [0, 1, 3]
    assert refused.typed.column("reason").to_pylist() == ["facts_invalid", "not_json", None, "facts_invalid"]
    assert refused.typed.column("id").to_pylist() == ["a", None, "b", "c"]


def test_without_additions_nothing_is_copied() -> None:
    items = lines(2)
    decoded = decode(*items)
    assert with_content(decoded, {}, 7) is decoded
    assert rejected(decoded, items) is decoded
