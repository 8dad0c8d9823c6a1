"""The usage object of a provider's answer, as quantities by the engine's units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from consumers.prices.usage_objects.details import fits_together, with_details, with_implied_parts
from consumers.prices.usage_objects.extractors import Extractor, Quantities, best_fit
from consumers.prices.usage_objects.providers import extractors_of, extractors_of_model
from consumers.prices.usage_objects.received_numbers import Number, Numbers, exact_members, numbers_of
from consumers.prices.usage_objects.shapes import forms_of, usage_object


def read_usage(provider: str | None, model: str | None, usage: object) -> Mapping[str, Number] | None:
    """Return the quantities that `usage` tells, by unit; None if nothing reads it. Never raises, whatever it is given.

    `input_tokens` are all input tokens, cached ones included, and `output_tokens` all output tokens. The extractors of
    the provider decide. Where it is unknown, or its own extractors do not fit, the model and the form of the object do.
    A reading gives way to a later one where its parts exceed a whole, or where input and output are not the total that
    the object names. So parts exceed their whole only where every reading says so.
    """
    if not isinstance(usage, Mapping):
        return None
    members = usage_object(exact_members(usage))
    numbers = numbers_of(members)
    first: Quantities | None = None
    possible: Quantities | None = None
    for extractor in _candidates(provider, model, members, numbers):
        quantities = extractor.read(members)
        if quantities is None:
            return None
        first = first or quantities
        if not fits_together(quantities) and not fits_together(quantities := with_implied_parts(quantities)):
            continue
        quantities = with_details(quantities, extractor.input_member, numbers)
        if not _tells_all(quantities, first):
            continue
        if not extractor.adds_up or _adds_up(quantities, numbers):
            return quantities
        possible = possible or quantities
    return possible or first


def _candidates(
    provider: str | None, model: str | None, members: Mapping[str, Any], numbers: Numbers
) -> Iterator[Extractor]:
    """The extractors that fit the object, the most likely first."""
    told = extractors_of(provider) if isinstance(provider, str) else None
    if told is None and isinstance(model, str):
        told = extractors_of_model(model)
    own = best_fit(told or (), numbers)
    if own is not None:
        yield own
    for extractor in forms_of(members, numbers):
        if extractor.found(numbers):
            yield extractor


def _tells_all(later: Quantities, first: Quantities) -> bool:
    """Whether a later reading has every unit of the first one, so that it fits better without leaving out a part."""
    return all(unit in later for unit, quantity in first.items() if quantity)


def _adds_up(quantities: Quantities, numbers: Numbers) -> bool:
    """Whether input and output are the total that the object names, if it names one."""
    total = numbers.get(("total_tokens",))
    return total is None or total == quantities.get("input_tokens", 0) + quantities.get("output_tokens", 0)
