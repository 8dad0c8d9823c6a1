"""Members of usage events whose names look like a unit's or like the cost, but are none: what was meant, probably.

Such a member is kept as a property and counts for nothing, which its producer would rather know. Names of ordinary
properties must not be taken for one: a warning that is wrong teaches to ignore the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from domain.units.registry import REQUESTS, UNIT_ALIASES, UNITS

COST: Final = "cost_usd"
#: Names that are kept with what they look like; another one costs some tenths of a millisecond.
_KEPT_NAMES: Final = 4_096
_NAME_LENGTH_MAX: Final = 64
#: Typing errors that are forgiven in a name, and in one that is long.
_EDITS_MAX: Final = 1
_EDITS_MAX_IN_LONG_NAMES: Final = 2
_LONG_NAME: Final = 14

_WORD: Final = re.compile(r"[0-9]+[a-z]*|[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
#: Words that name the same quantity with and without them.
_EMPTY_WORDS: Final = frozenset("n num number count total usage gen ai llm".split())
#: Features, which ordinary properties are named for.
_FEATURES: Final = frozenset("websearch socialsearch storagesearch reranksearch codeexecution".split())
#: Other systems' names for units, beside the aliases that are read.
_OTHER_NAMES: Final[Mapping[str, str]] = {
    "input_tokens": "tokens_in in_tokens request_tokens native_tokens_prompt",
    "output_tokens": "tokens_out out_tokens response_tokens generated_tokens candidates_tokens"
    " native_tokens_completion",
    "cached_input_tokens": "cached_tokens cache_read_input_tokens cached_prompt_tokens cache_hit_tokens"
    " prompt_cache_hit_tokens cached_content_tokens cached_prompt_text_tokens",
    "cache_write_tokens": "cache_creation_tokens cache_creation_input_tokens cache_write_input_tokens",
    "cache_write_5m_tokens": "cache_creation_5m_tokens cache_creation_5m_input_tokens ephemeral_5m_input_tokens",
    "cache_write_1h_tokens": "cache_creation_1h_tokens cache_creation_1h_input_tokens ephemeral_1h_input_tokens",
    "reasoning_tokens": "thinking_tokens thought_tokens thoughts_tokens",
    "input_tool_tokens": "tool_use_prompt_tokens",
    "audio_seconds": "audio_duration_seconds",
    "input_audio_seconds": "prompt_audio_seconds",
    "input_document_pages": "pages_processed",
    "rerank_searches": "search_units",
    "web_searches": "web_search_requests search_queries web_search_queries",
    COST: "cost costs cost_in_usd cost_dollars response_cost request_cost",
}


def misspelt_unit(member: str) -> str | None:
    """Return the unit, or `cost_usd`, that a member looks like which is neither; None for an ordinary property."""
    return _looks_like(member) if len(member) <= _NAME_LENGTH_MAX else None


@lru_cache(_KEPT_NAMES)
def _looks_like(member: str) -> str | None:
    if member in UNITS or member in UNIT_ALIASES or member == COST:
        return None
    words = _words_of(member)
    name = _joined(words)
    if name in _FEATURES:
        return None
    return _BY_WORDS.get(_in_any_order(words)) or _BY_NAME.get(name) or _nearest("".join(words))


def _words_of(member: str) -> list[str]:
    words = (word.lower() for word in _WORD.findall(member))
    return [word for word in words if word not in _EMPTY_WORDS]


def _in_any_order(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(map(_singular, words)))


def _joined(words: Iterable[str]) -> str:
    return "".join(map(_singular, words))


def _singular(word: str) -> str:
    """The word for one token; of others the plural is kept, since a feature may be named by the singular."""
    return word[:-1] if word.endswith("tokens") else word


_TARGETS: Final[Mapping[str, str]] = {
    **{unit: unit for unit in (*UNITS, COST) if unit != REQUESTS},
    **UNIT_ALIASES,
}
_NAMES: Final[Mapping[str, str]] = {
    **{name: unit for unit, names in _OTHER_NAMES.items() for name in names.split()},
    **_TARGETS,
}
_BY_WORDS: Final = {_in_any_order(_words_of(name)): unit for name, unit in _NAMES.items()}
_BY_NAME: Final = {_joined(_words_of(name)): unit for name, unit in _NAMES.items()}


class _Typed(msgspec.Struct, frozen=True):
    """A name in which typing errors are recognized. `letters`: those that it has, as bits."""

    name: str
    unit: str
    letters: int
    digits: str
    edits_max: int

    def may_be(self, name: str, letters: int, digits: str) -> bool:
        """Whether few typing errors could lead to `name`, which is found out fast and right for most names."""
        return (
            abs(len(self.name) - len(name)) <= self.edits_max
            and (self.letters ^ letters).bit_count() <= 2 * self.edits_max
            and self.digits == digits
        )


def _letters(name: str) -> int:
    letters = 0
    for letter in name:
        letters |= 1 << (ord(letter) - ord("0"))
    return letters


def _digits(name: str) -> str:
    return "".join(filter(str.isdigit, name))


def _typed(name: str, unit: str) -> _Typed:
    edits_max = _EDITS_MAX_IN_LONG_NAMES if len(name) >= _LONG_NAME else _EDITS_MAX
    return _Typed(name, unit, _letters(name), _digits(name), edits_max)


#: The cost's name is left out, being too short: `cost_used` means something else.
_TYPED: Final = tuple(
    _typed(name, unit)
    for target, unit in _TARGETS.items()
    if unit != COST
    for name in ("".join(_words_of(target)), _joined(_words_of(target)))
)


def _nearest(name: str) -> str | None:
    """The unit with the fewest typing errors, if there is one alone. Nobody mistypes a number such as that of `1h`."""
    letters, digits = _letters(name), _digits(name)
    found: dict[int, set[str]] = {}
    for typed in _TYPED:
        if typed.may_be(name, letters, digits) and (edits := _edits(name, typed.name)) <= typed.edits_max:
            found.setdefault(edits, set()).add(typed.unit)
    nearest = found[min(found)] if found else set()
    return next(iter(nearest)) if len(nearest) == 1 else None


def _edits(left: str, right: str) -> int:
    """How many letters are missing, added, other or swapped; any number above the most that is forgiven, if more."""
    left, right = _without_equal_start(left, right)
    left, right = (text[::-1] for text in _without_equal_start(left[::-1], right[::-1]))
    before: list[int] = []
    last = list(range(len(right) + 1))
    for i, letter in enumerate(left, 1):
        row = [i]
        for j, other in enumerate(right, 1):
            edits = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == right[j - 2] and left[i - 2] == other:
                edits = min(edits, before[j - 2] + 1)
            row.append(edits)
        if min(row) > _EDITS_MAX_IN_LONG_NAMES:
            return min(row)
        before, last = last, row
    return last[-1]


def _without_equal_start(left: str, right: str) -> tuple[str, str]:
    length = next(
        (at for at, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
    )
    return left[length:], right[length:]
