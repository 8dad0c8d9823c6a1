"""The rules for usage events: one function per value, each raising `InvalidInput` with a stable reason code.

These functions decide. The decoder checks whole columns at once and calls these for the values that its quicker
checks do not accept; the published model of events is made of them too.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from domain.errors import InvalidInput
from domain.usage.block_schema import COST_SCALE, FAILED
from domain.values.identifiers import MODEL_LENGTH_MAX, id_problem
from domain.values.instants import EVENT_TIME, epoch_microseconds
from domain.values.json_numbers import WrittenDecimal, number_text, written_decimal

SPECVERSION: Final = "1.0"
#: Members of data that name the customer if nothing else does, in this order.
CUSTOMER_MEMBERS: Final = ("customerId", "user")
#: Headers, of requests and of Kafka records, that name the customer of events without a subject. Of both the first one
#: counts; the second one is PromptShuttle's.
CUSTOMER_HEADERS: Final = ("X-Meterfold-Customer", "X-Shuttle-Customer-Id")
#: Before the id of a subscription: the source of events whose customer is that of this subscription at their time.
SUBSCRIPTION_SOURCE: Final = "lago/"
STATUSES: Final = ("succeeded", FAILED, "pending")
#: The status of a request that was sent without one.
STATUS_DEFAULT: Final = "succeeded"
TOKENS_MAX: Final = 10**15
COST_DIGITS_MAX: Final = 38
#: A cost is below ten to this power.
COST_MAGNITUDE_MAX: Final = 15
#: A duration in milliseconds is below ten to this power.
DURATION_MAGNITUDE_MAX: Final = 12
TAGS_MAX: Final = 100
TAG_LENGTH_MAX: Final = 256
NESTING_MAX: Final = 64
TIME_FIRST: Final = datetime(1980, 1, 1, tzinfo=UTC)
FUTURE_TOLERANCE: Final = timedelta(hours=24)


_PICODOLLAR: Final = Decimal(1).scaleb(-COST_SCALE)
_EXACT: Final = Context(prec=76)


def checked_specversion(value: object) -> str:
    """The version of CloudEvents, which must be 1.0."""
    if value != SPECVERSION:
        raise InvalidInput("specversion", 'must be "1.0"', "specversion_unsupported")
    return SPECVERSION


def required_id(field: str, value: object) -> str:
    """An attribute that is required and must be a valid id; reasons `<field>_missing` and `<field>_invalid`."""
    if value is None:
        raise InvalidInput(field, "is required", f"{field}_missing")
    return _valid_id(field, value, f"{field}_invalid")


def optional_id(field: str, value: object, reason: str) -> str | None:
    """An id that may be absent."""
    return None if value is None else _valid_id(field, value, reason)


def _valid_id(field: str, value: object, reason: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput(field, "must be a string", reason)
    problem = id_problem(value)
    if problem is not None:
        raise InvalidInput(field, problem, reason)
    return value


def customer_of(subject: object, header: str | None, data: dict[str, object]) -> str:
    """The customer: the first that is given of subject, the customer header, data.customerId and data.user."""
    if subject is not None:
        return _valid_id("subject", subject, "subject_invalid")
    if header is not None:
        return _valid_id("subject", header, "subject_invalid")
    for member in CUSTOMER_MEMBERS:
        value = data.get(member)
        if value is not None:
            return _valid_id(f"data.{member}", value, "subject_invalid")
    raise InvalidInput("subject", "is required: it names the customer", "subject_missing")


def source_of_subscription(subscription_id: str) -> str:
    """Return the source of events that have the customer of a subscription."""
    return SUBSCRIPTION_SOURCE + subscription_id


def check_customer_of_subscription(source: object, subscription: object, subject: object) -> bool:
    """Return whether an event has the customer of its subscription, which it then must not name a second time."""
    if not isinstance(subscription, str) or source != source_of_subscription(subscription):
        return False
    if subject is not None:
        rule = "must be absent: an event of this source has the customer of its subscription"
        raise InvalidInput("subject", rule, "subject_invalid")
    return True


def instant_microseconds(value: object) -> int:
    """An RFC 3339 instant as microseconds since 1970; digits below the microsecond are cut off."""
    if not isinstance(value, str):
        raise InvalidInput("time", "must be a string", "time_invalid")
    match = EVENT_TIME.fullmatch(value)
    if match is None:
        raise InvalidInput("time", "must be an RFC 3339 timestamp with an offset", "time_invalid")
    date, hour_minute, second, fraction, _, sign, offset_hours, offset_minutes = match.groups()
    if date.startswith("0000"):
        raise _out_of_range()
    leap = second == "60"
    try:
        local = datetime.fromisoformat(f"{date}T{hour_minute}:{'59' if leap else second}+00:00")
    except ValueError as error:
        raise InvalidInput("time", "must be a day and a time that exist", "time_invalid") from error
    offset = 0
    if sign is not None:
        offset = (int(offset_hours) * 60 + int(offset_minutes)) * (-60_000_000 if sign == "-" else 60_000_000)
    below_second = int((fraction or "").ljust(6, "0")[:6])
    return epoch_microseconds(local) + leap * 1_000_000 + below_second - offset


def time_in_range(microseconds: int, until: int) -> int:
    """Return `microseconds` if it is in 1980 or later and before `until`."""
    if not epoch_microseconds(TIME_FIRST) <= microseconds < until:
        raise _out_of_range()
    return microseconds


def _out_of_range() -> InvalidInput:
    rule = "must be 1980-01-01 or later and not further in the future than the engine tolerates"
    return InvalidInput("time", rule, "time_out_of_range")


def name_of(member: str, value: object) -> str | None:
    """A provider or model of 1 to 256 characters without NUL; None if absent."""
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= MODEL_LENGTH_MAX or "\x00" in value:
        rule = f"must be a string of 1 to {MODEL_LENGTH_MAX} characters without NUL"
        raise InvalidInput(f"data.{member}", rule, f"{member}_invalid")
    return value


def status_of(value: object) -> str:
    """The status of a request; `STATUS_DEFAULT` if absent."""
    if value is None:
        return STATUS_DEFAULT
    if not isinstance(value, str) or value not in STATUSES:
        raise InvalidInput("data.status", f"must be one of {', '.join(STATUSES)}", "status_invalid")
    return value


def token_count(member: str, value: object) -> int:
    """A whole number from 0 to 10^15 in any spelling (1, 1.0, 1e0); 0 if absent."""
    if value is None:
        return 0
    if type(value) is int and 0 <= value <= TOKENS_MAX:
        return value
    number = _number(value)
    whole = number is not None and (not number.digits or (number.exponent >= 0 and number.magnitude <= 16))
    if number is None or not whole or number.negative or int(number.plain()) > TOKENS_MAX:
        raise InvalidInput(f"data.{member}", "must be a whole number from 0 to 10^15", "tokens_invalid")
    return int(number.plain())


def cost_of(value: object) -> Decimal | None:
    """US dollars from decimal text or a JSON number, rounded half-even to twelve decimals; None if absent."""
    if value is None:
        return None
    number = written_decimal(value) if isinstance(value, str) else _number(value)
    if number is None:
        raise InvalidInput("data.cost_usd", "must be a decimal number, as a string or a JSON number", "cost_invalid")
    if number.digits_written > COST_DIGITS_MAX:
        raise InvalidInput("data.cost_usd", f"must have at most {COST_DIGITS_MAX} digits", "cost_too_precise")
    if number.negative:
        raise InvalidInput("data.cost_usd", "must not be negative", "cost_out_of_range")
    if number.digits and number.magnitude > COST_MAGNITUDE_MAX:
        raise InvalidInput("data.cost_usd", f"must be below 10^{COST_MAGNITUDE_MAX}", "cost_out_of_range")
    if not number.digits or number.magnitude < -COST_SCALE:
        return Decimal(0).quantize(_PICODOLLAR, context=_EXACT)
    return Decimal(number.plain()).quantize(_PICODOLLAR, ROUND_HALF_EVEN, _EXACT)


def duration_microseconds(member: str, value: object) -> int | None:
    """Milliseconds, not negative, as whole microseconds with further digits cut off; None if absent."""
    if value is None:
        return None
    number = _number(value)
    if number is None or number.negative or number.magnitude > DURATION_MAGNITUDE_MAX:
        raise InvalidInput(
            f"data.{member}", "must be a number of milliseconds from 0 to below 10^12", "latency_invalid"
        )
    if not number.digits or number.magnitude < -3:
        return 0
    whole, _, fraction = number.plain().partition(".")
    return int(whole) * 1_000 + int(fraction[:3].ljust(3, "0"))


def tags_of(value: object) -> list[str] | None:
    """A list of at most 100 tags of at most 256 characters; None if absent."""
    if value is None:
        return None
    is_valid = isinstance(value, list) and len(value) <= TAGS_MAX and all(map(_is_tag, value))
    if not isinstance(value, list) or not is_valid:
        rule = f"must be a list of at most {TAGS_MAX} strings of at most {TAG_LENGTH_MAX} characters without NUL"
        raise InvalidInput("data.tags", rule, "tags_invalid")
    return value


def _is_tag(value: object) -> bool:
    return isinstance(value, str) and len(value) <= TAG_LENGTH_MAX and "\x00" not in value


def checked_data(value: object, has_base64: bool) -> dict[str, object]:
    """The data object; empty if absent."""
    if has_base64:
        raise InvalidInput("data_base64", "must not be sent: send the JSON object as data", "data_invalid")
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput("data", "must be an object", "data_invalid")
    return value


def check_nesting(event: object) -> None:
    """Refuse objects and arrays nested deeper than `NESTING_MAX` levels, of which the event is the first."""
    level = [event]
    for _ in range(NESTING_MAX):
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        if not below:
            return
        level = below
    if any(isinstance(value, dict | list) for value in level):
        raise too_deep()


def too_deep() -> InvalidInput:
    """The error for an event that is nested too deep."""
    return InvalidInput("data", f"must not be nested deeper than {NESTING_MAX} levels", "data_invalid")


def _number(value: object) -> WrittenDecimal | None:
    text = number_text(value)
    return None if text is None else written_decimal(text)
