"""Rules that values of several resources keep. A broken one has the code that Lago's clients know."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

from api.dialects.lago.error_shapes import INVALID, MANDATORY
from api.dialects.lago.models.field_types import broken, text_of
from domain.charges.currencies import CURRENCY_MINOR_DIGITS

#: What the engine does not do, and what would change an amount.
NOT_SUPPORTED: Final = "not_supported"
#: The largest amount that a request may name, in minor units.
CENTS_MAX: Final = 10**15


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
#: An amount in minor units of its currency.
Cents = Annotated[int, Field(ge=0, le=CENTS_MAX), BeforeValidator(_present)]
