"""Extractors of genai-prices, and what one reads of a usage object.

An extractor expects the whole answer of a provider, with the usage object at its root. Here the object is given alone
and is wrapped as the extractor expects it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from genai_prices.types import ArrayMatch, ClauseEquals, UsageExtractor, UsageExtractorMapping

from consumers.prices.usage_objects.received_numbers import Number, Numbers, Path, item_name, whole_as_int
from domain.units.registry import UNIT_ALIASES, UNITS

#: Members of an answer that hold another answer, in which the usage object is.
_OUTER_MEMBERS: Final = frozenset({"response", "result"})
#: The extractor that reads what is paid, where two of a provider read different quantities of one object: Cohere tells
#: the tokens that it bills and the tokens that its model saw.
_PAID_FLAVORS: Final = frozenset({("cohere", "default")})
#: Perplexity's total leaves out the tokens of reasoning and citations.
_OTHER_TOTALS: Final = frozenset({"perplexity"})
#: Members that only Anthropic's object has beside `input_tokens`, which then leaves them out.
EXCLUSIVE_MEMBERS: Final = (("cache_creation_input_tokens",), ("cache_read_input_tokens",))

Quantities = dict[str, Number]


class Extractor(msgspec.Struct, frozen=True):
    """An extractor. `paths`: the members that it reads; `required`: those without which it reads nothing.

    `envelope`: the members of an answer around the usage object. `input_member`: the one that tells the input.
    `adds_up`: whether `total_tokens` of its object is input plus output.
    """

    extractor: UsageExtractor
    envelope: tuple[str, ...]
    paths: tuple[Path, ...]
    required: tuple[Path, ...]
    input_member: str | None
    reads_what_is_paid: bool = False
    adds_up: bool = True

    def found(self, numbers: Numbers) -> int:
        """Return how many members it finds; 0 if a required one is missing, or if the object is of another kind."""
        if not all(path in numbers for path in self.required) or self._leaves_out_cached_input(numbers):
            return 0
        return sum(path in numbers for path in self.paths)

    def read(self, members: Mapping[str, Any]) -> Quantities | None:
        """Return quantities by unit; None if the object does not fit or has a number that is no quantity."""
        answer: Mapping[str, Any] = members
        for member in reversed(self.envelope):
            answer = {member: answer}
        try:
            _, usage = self.extractor.extract(answer)
        except (ValueError, TypeError, AttributeError):  # an item of a list that is named by a number, for one
            return None
        named = ((UNIT_ALIASES.get(name, name), quantity) for name, quantity in vars(usage).items())
        return {unit: whole_as_int(quantity) for unit, quantity in named if unit in UNITS}

    def _leaves_out_cached_input(self, numbers: Numbers) -> bool:
        return (
            self.input_member == "input_tokens"
            and is_exclusive(numbers)
            and not any(path in self.paths for path in EXCLUSIVE_MEMBERS)
        )


def is_exclusive(numbers: Numbers) -> bool:
    """Whether `input_tokens` of this object leaves out cached tokens, as Anthropic's does."""
    return ("input_tokens_details", "cached_tokens") not in numbers and any(map(numbers.get, EXCLUSIVE_MEMBERS))


def best_fit(extractors: Sequence[Extractor], numbers: Numbers) -> Extractor | None:
    """Return the extractor that finds most of the object, the first of equals; None if no one fits.

    Where both `prompt_tokens` and `input_tokens` are sent, as some gateways do, the former decides.
    """
    by_prompt = ("prompt_tokens",) in numbers
    best, best_rank = None, (False, False, 0)
    for extractor in extractors:
        found = extractor.found(numbers)
        rank = (by_prompt and extractor.input_member == "prompt_tokens", extractor.reads_what_is_paid, found)
        if found and rank > best_rank:
            best, best_rank = extractor, rank
    return best


def own_extractor(root: str | list[str], required: Mapping[str, Sequence[str]]) -> Extractor:
    """Return an extractor in our words: quantities of units by the path of the member, all of them required."""
    mappings = [UsageExtractorMapping(list(path), unit) for unit, path in required.items()]
    return compiled(UsageExtractor(root, mappings))


def compiled(extractor: UsageExtractor, provider_id: str | None = None) -> Extractor:
    """Return an extractor, with what is to be known of it to choose it."""
    root = (extractor.root,) if isinstance(extractor.root, str) else tuple(map(str, extractor.root))
    outer = 2 if root[0] in _OUTER_MEMBERS else 1
    reads = [(root[outer:] + _path(mapping), mapping) for mapping in extractor.mappings]
    inputs = [path for path, mapping in reads if mapping.dest == "input_tokens"]
    required = [path for path, mapping in reads if mapping.required]
    return Extractor(
        extractor,
        root[:outer],
        _distinct([path for path, _ in reads]),
        _distinct(required or inputs[:1]),  # output without input would be a half of what was used
        inputs[0][0] if inputs else None,
        (provider_id, extractor.api_flavor) in _PAID_FLAVORS,
        provider_id not in _OTHER_TOTALS,
    )


def _distinct(paths: Sequence[Path]) -> tuple[Path, ...]:
    return tuple(path for index, path in enumerate(paths) if path not in paths[:index])


def _path(mapping: UsageExtractorMapping) -> Path:
    steps = (mapping.path,) if isinstance(mapping.path, str) else mapping.path
    return tuple(step if isinstance(step, str) else _item_step(step) for step in steps)


def _item_step(step: ArrayMatch) -> str:
    """The name of the item, as numbers are named; one that is matched in another way is not found to count it."""
    return item_name(step.field, step.match.equals) if isinstance(step.match, ClauseEquals) else ""
