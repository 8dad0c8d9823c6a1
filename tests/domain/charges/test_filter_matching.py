"""An event belongs to the matching filter with the most keys, of several to the first, and else to none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.charges.filter_matching import FilterMatcher, FilterValues

CLOUD = {"cloud": ["aws", "gcp"]}
AWS_EU = {"cloud": ["aws"], "region": ["eu"]}
ANY_REGION: FilterValues = {"region": []}
FILTERS = (CLOUD, AWS_EU, ANY_REGION, {"region": ["eu"]}, AWS_EU, {"cloud": ["azure"], "region": []})


@pytest.mark.parametrize(
    ("texts", "belongs_to"),
    [
        ({"cloud": "gcp"}, 0),
        ({"cloud": "gcp", "region": None}, 0),
        ({"cloud": "aws", "region": "eu"}, 1),
        ({"cloud": "aws", "region": "us"}, 0),
        ({"cloud": "other", "region": "eu"}, 2),
        ({"region": "us"}, 2),
        ({"cloud": "azure", "region": "us"}, 5),
        ({"cloud": "azure"}, None),
        ({"cloud": "AWS"}, None),
        ({"cloud": ""}, None),
        ({"region": ""}, 2),
        ({"other": "aws"}, None),
        ({}, None),
    ],
)
def test_the_most_keys_win_and_then_the_first(texts: Mapping[str, str | None], belongs_to: int | None) -> None:
    assert FilterMatcher(FILTERS).matching(texts) == belongs_to


def test_without_filters_an_event_belongs_to_none() -> None:
    matcher = FilterMatcher(())

    assert (matcher.keys, matcher.matching({"a": "b"})) == ((), None)


def by_hand(filters: Sequence[FilterValues], texts: Mapping[str, str | None]) -> int | None:
    def matches(one: FilterValues) -> bool:
        return all(texts.get(key) is not None and (not of or texts[key] in of) for key, of in one.items())

    found = [number for number, one in enumerate(filters) if matches(one)]
    return min(found, key=lambda number: (-len(filters[number]), number), default=None)


KEYS, TEXTS = st.sampled_from("abc"), st.sampled_from("xyz")
FILTER = st.dictionaries(KEYS, st.lists(TEXTS, max_size=2), min_size=1)


@given(st.lists(FILTER, max_size=8), st.dictionaries(KEYS, st.none() | TEXTS))
def test_matching_is_what_reading_each_filter_finds(filters: list[FilterValues], texts: dict[str, str | None]) -> None:
    assert FilterMatcher(filters).matching(texts) == by_hand(filters, texts)
