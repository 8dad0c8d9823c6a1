"""Laws of the two hashes: equal content has equal hashes however it is written, and different content does not."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.scope import DEFAULT_SCOPE, Scope
from domain.usage.canonical_form import canonical_form, content_digest, identity_hash, identity_hashes
from domain.values.json_numbers import canonical_number, is_canonical, written_decimal
from tests.domain.usage.usage_event_texts import decode, event, ids, object_text, text

numbers = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | ids,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ids, inner, max_size=4),
    max_leaves=8,
)
custom = st.dictionaries(ids.map(lambda name: f"c-{name}"), values, max_size=4)


def shuffled(value: Any, draw: st.DrawFn) -> Any:
    if isinstance(value, dict):
        return {name: shuffled(value[name], draw) for name in draw(st.permutations(list(value)))}
    if isinstance(value, list):
        return [shuffled(item, draw) for item in value]
    return value


@given(custom, st.data())
def test_the_order_of_members_does_not_matter(data: dict[str, Any], draws: st.DataObject) -> None:
    given_event = event(data=data)
    other = draws.draw(st.composite(lambda draw: shuffled(given_event, draw))())
    assert content_digest(7, json.dumps(other).encode()) == content_digest(7, json.dumps(given_event).encode())


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, str]:
    """Two JSON spellings of one number."""
    number = draw(numbers)
    shift = draw(st.integers(-8, 8))
    plain = f"{number:f}"
    sign = draw(st.sampled_from(["", "+"])) if shift >= 0 else ""
    return plain, f"{number.scaleb(-shift):f}{draw(st.sampled_from('eE'))}{sign}{shift}"


@given(spellings())
def test_a_number_is_the_same_however_it_is_written(pair: tuple[str, str]) -> None:
    one, other = (text(data={"x": "N"}).replace(b'"N"', number.encode()) for number in pair)
    assert content_digest(7, one) == content_digest(7, other)


@given(numbers, numbers)
def test_different_numbers_differ(one: Decimal, other: Decimal) -> None:
    assert (canonical_number(f"{one:f}") == canonical_number(f"{other:f}")) == (one == other)


@given(custom, custom)
def test_different_data_differs(one: dict[str, Any], other: dict[str, Any]) -> None:
    forms = [canonical_form(json.dumps(event(data=data)).encode()) for data in (one, other)]
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (forms[0] == forms[1]) == same


@given(numbers)
def test_a_spelling_that_claims_to_be_canonical_is(number: Decimal) -> None:
    written = f"{number:f}"
    assert "." not in written or is_canonical(written) <= (canonical_number(written) == written)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("1.0", "1"),
        ("1e0", "1"),
        ("-0.0", "0"),
        ("0e999999999999999999999", "0"),
        ("100e-2", "1"),
        ("1e3", "1000"),
        ("0.10", "0.1"),
        ("-12.50E+1", "-125"),
        ("1e-5", "0.00001"),
        ("1e-50", "1e-50"),
        ("10e-51", "1e-50"),
        ("0." + "0" * 49 + "1", "1e-50"),
        ("1e4299", "1" + "0" * 4299),
        ("1e4300", "1e4300"),
        ("10e4299", "1e4300"),
        ("1e999999999", "1e999999999"),
        ("1e" + "9" * 5000, "1e1000000000000000000"),
    ],
)
def test_canonical_numbers_are_short_whatever_their_exponent(written: str, canonical: str) -> None:
    assert canonical_number(written) == canonical


@pytest.mark.parametrize("no_number", ["", "01", ".5", "5.", "+1", "1e", "NaN", "Infinity", "0x1", "1_0", "٣", " 1"])
def test_what_is_no_json_number_is_none(no_number: str) -> None:
    assert written_decimal(no_number) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"time": "2026-09-01T12:00:00+00:00"},
        {"time": "2026-09-01T14:00:00.000+02:00"},
        {"dataschema": "null"},
        {"datacontenttype": "application/json"},
    ],
)
def test_what_says_the_same_has_the_same_content(changes: dict[str, Any]) -> None:
    other = json.dumps(event(**changes)).replace('"null"', "null").encode()
    assert content_digest(7, other) == content_digest(7, text())


def test_structured_mode_equals_binary_mode() -> None:
    structured, binary = text(sampled=True, rank=5), text(sampled="true", rank="5")
    assert content_digest(7, structured) == content_digest(7, binary)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "e-2"},
        {"source": "other"},
        {"type": "other"},
        {"subject": "globex"},
        {"subject": None, "data": {"user": "acme"}},
        {"time": "2026-09-01T12:00:00.000001Z"},
        {"time": None},
        {"data": None},
        {"data": {}},
        {"traceparent": "00"},
        {"data": {"provider": "openai", "model": "gpt-4o", "input_tokens": 10, "output_tokens": 6}},
        {"data": {"provider": "openai", "model": "gpt-4o", "input_tokens": "10", "output_tokens": 5}},
        {"data": {"provider": "openai", "model": "gpt-4o", "input_tokens": 10, "output_tokens": 5, "x": None}},
    ],
)  # fmt: skip
def test_any_other_difference_is_another_content(changes: dict[str, Any]) -> None:
    assert content_digest(7, text(**changes)) != content_digest(7, text())


def test_what_intake_fills_in_is_no_content() -> None:
    raw = text(subject=None, time=None)
    contents = {decode(raw, customer=customer).typed.column("content")[0].as_py() for customer in ("acme", "globex")}
    assert contents == {content_digest(7, raw)}


@given(st.lists(st.dictionaries(ids, numbers.map(lambda number: f"{number:f}"), max_size=3), min_size=1, max_size=5))
def test_the_decoder_takes_the_same_digest_in_batches(datas: list[dict[str, str]]) -> None:
    raws = [
        object_text({name: json.dumps(value) for name, value in event().items() if name != "data"} | {
            "data": object_text({f"c-{name}": number for name, number in data.items()})
        }).encode()
        for data in datas
    ]  # fmt: skip
    assert decode(*raws).typed.column("content").to_pylist() == [content_digest(7, raw) for raw in raws]


@given(st.tuples(ids, ids), st.tuples(ids, ids))
def test_identities_are_equal_only_if_every_part_is(one: tuple[str, str], other: tuple[str, str]) -> None:
    hashes = [identity_hash(7, DEFAULT_SCOPE, *identity) for identity in (one, other)]
    assert (hashes[0] == hashes[1]) == (one == other)


def test_no_part_of_an_identity_runs_into_the_next() -> None:
    scopes = [Scope("a", "prod"), Scope("ap", "prod")]
    found = {identity_hash(7, scope, source, name) for scope in scopes for source, name in (("x", "yz"), ("xy", "z"))}
    assert len(found) == 4


def test_another_seed_gives_other_hashes() -> None:
    assert identity_hash(7, DEFAULT_SCOPE, "s", "e") != identity_hash(8, DEFAULT_SCOPE, "s", "e")
    assert content_digest(7, text()) != content_digest(8, text())


def test_hashes_of_many_equal_hashes_of_each() -> None:
    sources, names = ["a", "b", "a"], ["1", "é", "3"]
    expected = [identity_hash(7, DEFAULT_SCOPE, *identity) for identity in zip(sources, names, strict=True)]
    assert identity_hashes(7, DEFAULT_SCOPE, sources, names) == expected
