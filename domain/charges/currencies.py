"""The minor units of currencies (ISO 4217), and the one rounding of an amount, half-up to the minor unit."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Final

from domain.charges.decimal_context import EXACT
from domain.errors import InvalidInput

_MINOR_DIGITS: Final = 2

_ACTIVE: Final = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
    CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL
    HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA
    MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD
    RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD
    USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
#: Withdrawn since 2015. Prices and amounts in them may still be stored, and clients may still send them.
_WITHDRAWN: Final = "ANG BGN BYR CUC HRK MRO SLL STD VEF ZWL"

_OTHER_DIGITS: Final[dict[int, str]] = {
    0: "BIF BYR CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}

#: The digits of the minor unit by currency. Codes that have none, such as those of metals, are not in it.
CURRENCY_MINOR_DIGITS: Final[dict[str, int]] = dict.fromkeys(f"{_ACTIVE} {_WITHDRAWN}".split(), _MINOR_DIGITS) | {
    code: digits for digits, codes in _OTHER_DIGITS.items() for code in codes.split()
}


def minor_digits(currency: str) -> int:
    """Return the number of decimals of a currency: 2 of USD, 0 of JPY. `InvalidInput` for a code that is none."""
    digits = CURRENCY_MINOR_DIGITS.get(currency)
    if digits is None:
        raise InvalidInput("currency", "must be a currency of ISO 4217, in upper case, such as USD")
    return digits


def rounded(amount: Decimal, currency: str) -> Decimal:
    """Return `amount` rounded to the minor unit of its currency: half-up, never a negative zero.

    0.125 USD are 0.13 USD, and 12.5 JPY are 13 JPY.
    """
    of_currency = amount.quantize(_minor_unit(currency), rounding=ROUND_HALF_UP, context=EXACT)
    return of_currency if of_currency else of_currency.copy_abs()


@cache
def _minor_unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-minor_digits(currency))
