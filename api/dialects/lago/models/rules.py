"""Rules that values of several resources keep. A broken one has the code that Lago's clients know."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

from api.dialects.lago.error_shapes import INVALID, MANDATORY
from api.dialects.lago.models.field_types import broken, text_of
from domain.charges.currencies import CURRENCY_MINOR_DIGITS

#: What the engine does not do, and what would change an amount.
NOT_SUPPORTED: Final = "not_supported"
#: The largest amount that a request may name, in minor units.
CENTS_MAX: Final = 10**15
_DIGITS: Final = re.compile(r"-?[0-9]{1,18}")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,300}(?:\.[0-9]{1,300})?")


#: In the data of an event stands the id of its subscription, not a property of this name.
RESERVED_PROPERTY: Final = "subscription"


def is_usable_property(name: str) -> bool:
    """Whether a property can be aggregated, or priced by: dots would lead below it."""
    return bool(name) and "." not in name and name != RESERVED_PROPERTY


def _present(value: Any) -> Any:
    if value is None or value == "":
        raise broken(MANDATORY)
    return value


def _mandatory_text(value: Any) -> str:
    text = text_of(value)
    if text is None or not text.strip():
        raise broken(MANDATORY)
    return text


def _optional_text(value: Any) -> str | None:
    text = text_of(value)
    return None if text is None or not text.strip() else text


def whole(value: Any) -> int | None:
    """Read a whole number, also one written as 5.0 or as digits in text; None for null."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    raise broken(INVALID)


def _not_truth(value: Any) -> Any:
    if isinstance(value, bool) or (isinstance(value, str) and not _DECIMAL.fullmatch(value)):
        raise broken(INVALID)
    return value


def _of_texts(value: Any) -> Any:
    if value is not None and not is_metadata(value):
        raise broken(INVALID)
    return value


def is_metadata(value: object) -> bool:
    """Whether a value is metadata of something that is no customer: text or null by key."""
    return isinstance(value, dict) and all(one is None or isinstance(one, str) for one in value.values())


def _currency(value: str) -> str:
    code = value.upper()
    if code not in CURRENCY_MINOR_DIGITS:
        raise broken(INVALID)
    return code


#: Text that must be there. Null and blank text count as missing.
Mandatory = Annotated[str, BeforeValidator(_mandatory_text)]
#: Text that may be left out. Blank text counts as null.
OptionalText = Annotated[str | None, BeforeValidator(_optional_text)]
#: A currency of ISO 4217 that must be there.
CurrencyCode = Annotated[str, AfterValidator(_currency), BeforeValidator(_present)]
#: A whole number. Truth values are none, nor is text with anything but digits.
Whole = Annotated[int, BeforeValidator(whole)]
#: A number that is not negative, in text too.
Nonnegative = Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(_not_truth)]
#: An amount in minor units of its currency that must be there.
Cents = Annotated[int, Field(ge=0, le=CENTS_MAX), BeforeValidator(whole), BeforeValidator(_present)]
#: One that may be left out.
OptionalCents = Annotated[int | None, Field(ge=0, le=CENTS_MAX), BeforeValidator(whole)]
#: Text or null by key.
Metadata = Annotated[dict[str, str | None], BeforeValidator(_of_texts)]
