"""One usage event as people should see it: the model that the published JSON Schema comes from.

It takes and refuses exactly what the decoder does, being made of the same rules; it is a quarter as
fast, so it documents and checks, and the decoder does the work. Read events with `parse_usage_event`:
numbers must reach the model as they were written, not as floats.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from domain.errors import InvalidInput
from domain.usage.block_schema import REQUEST_TYPE
from domain.usage.decoding.single_event import EVENT_BYTES_MAX, read_event
from domain.usage.rules import (
    COST_MAGNITUDE_MAX,
    DURATION_MAGNITUDE_MAX,
    FUTURE_TOLERANCE,
    SPECVERSION,
    STATUS_DEFAULT,
    STATUSES,
    TAG_LENGTH_MAX,
    TAGS_MAX,
    TOKENS_MAX,
    check_token_parts,
    checked_specversion,
    cost_of,
    customer_of,
    duration_microseconds,
    instant_microseconds,
    name_of,
    optional_id,
    required_id,
    status_of,
    tags_of,
    time_in_range,
    token_count,
)
from domain.values.identifiers import ID_LENGTH_MAX, MODEL_LENGTH_MAX
from domain.values.instants import EPOCH, epoch_microseconds

JsonSchema = dict[str, Any]

_NULL: Final[JsonSchema] = {"type": "null"}
_ID: Final[JsonSchema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": ID_LENGTH_MAX,
    "pattern": r"^[^\u0000]*$",
    "not": {"enum": [".", ".."]},
}
_NAME: Final[JsonSchema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": MODEL_LENGTH_MAX,
    "pattern": r"^[^\u0000]*$",
}
_TOKENS: Final[JsonSchema] = {"type": "integer", "minimum": 0, "maximum": TOKENS_MAX}
_COST: Final[JsonSchema] = {
    "anyOf": [
        {"type": "string", "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"},
        {"type": "number", "minimum": 0, "exclusiveMaximum": 10**COST_MAGNITUDE_MAX},
    ]
}
_MILLISECONDS: Final[JsonSchema] = {
    "type": "number",
    "minimum": 0,
    "exclusiveMaximum": 10**DURATION_MAGNITUDE_MAX,
}
_TAGS: Final[JsonSchema] = {
    "type": "array",
    "maxItems": TAGS_MAX,
    "items": {"type": "string", "maxLength": TAG_LENGTH_MAX, "pattern": r"^[^\u0000]*$"},
}


class Arrival(BaseModel):
    """What intake knows when an event arrives; the context of validation."""

    model_config = ConfigDict(frozen=True)

    recorded_at: datetime
    customer_header: str | None = None
    future_tolerance: timedelta = FUTURE_TOLERANCE


def _rule(rule: Callable[[Any], object]) -> PlainValidator:
    """A rule of `usage_rules` as a validator whose error type is the reason code."""

    def validate(value: Any) -> object:
        try:
            return rule(value)
        except InvalidInput as problem:
            raise _custom(problem) from problem

    return PlainValidator(validate)


def _custom(problem: InvalidInput) -> PydanticCustomError:
    return PydanticCustomError("reason", "{rule}", {"reason": problem.code, "rule": problem.rule})


def _or_null(schema: JsonSchema) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [schema, _NULL]})


def _arrival(info: ValidationInfo) -> Arrival:
    if not isinstance(info.context, Arrival):
        raise TypeError("usage events are validated with an Arrival as context")
    return info.context


def _instant(value: object, info: ValidationInfo) -> datetime | None:
    if value is None:
        return None
    arrival = _arrival(info)
    try:
        until = epoch_microseconds(arrival.recorded_at + arrival.future_tolerance)
        return EPOCH + timedelta(microseconds=time_in_range(instant_microseconds(value), until))
    except InvalidInput as problem:
        raise _custom(problem) from problem


def _no_base64(value: object) -> None:
    if value is not None:
        raise InvalidInput("data_base64", "is not taken: send the JSON object as data", "data_invalid")


def _id_of(member: str) -> Callable[[object], str | None]:
    return lambda value: optional_id(f"data.{member}", value, "data_invalid")


def _where_it_can_be(rule: Callable[[Any], Any]) -> PlainValidator:
    """The value as `rule` reads it; None where it refuses it."""

    def read(value: Any) -> Any:
        try:
            return rule(value)
        except InvalidInput:
            return None

    return PlainValidator(read)


_ANYTHING: Final = WithJsonSchema({})
_Reference = _or_null(_ID)
_Count = _or_null(_TOKENS)
_Duration = _or_null(_MILLISECONDS)


class UsageData(BaseModel):
    """A JSON object. Of a type that is not the engine's own every member is the producer's, and is kept as it is."""

    model_config = ConfigDict(extra="allow", frozen=True)


class OtherData(UsageData):
    """`data` of another type. Members that an `llm.request` has too are read where they can be, and never refused."""

    provider: Annotated[str | None, _where_it_can_be(partial(name_of, "provider")), _ANYTHING] = None
    model: Annotated[str | None, _where_it_can_be(partial(name_of, "model")), _ANYTHING] = None
    cost_usd: Annotated[Decimal | None, _where_it_can_be(cost_of), _ANYTHING] = None
    subscription: Annotated[str | None, _where_it_can_be(_id_of("subscription")), _ANYTHING] = None
    parent_request: Annotated[str | None, _where_it_can_be(_id_of("parent_request")), _ANYTHING] = None
    hold_id: Annotated[str | None, _where_it_can_be(_id_of("hold_id")), _ANYTHING] = None
    tags: Annotated[list[str] | None, _where_it_can_be(tags_of), _ANYTHING] = None


class RequestData(UsageData):
    """`data` of an `llm.request`: one call of a language model. Members that are not named here are kept."""

    provider: Annotated[str | None, _rule(partial(name_of, "provider")), _or_null(_NAME)] = Field(
        None, description="Who ran the model, such as openai."
    )
    model: Annotated[str | None, _rule(partial(name_of, "model")), _or_null(_NAME)] = Field(
        None, description="The model as its provider calls it."
    )
    cost_usd: Annotated[Decimal | None, _rule(cost_of), _or_null(_COST)] = Field(
        None,
        description="US dollars, as decimal text or a number; kept to 12 decimals. Goes before every price.",
    )
    subscription: Annotated[str | None, _rule(_id_of("subscription")), _Reference] = None
    parent_request: Annotated[str | None, _rule(_id_of("parent_request")), _Reference] = None
    hold_id: Annotated[str | None, _rule(_id_of("hold_id")), _Reference] = None
    tags: Annotated[list[str] | None, _rule(tags_of), _or_null(_TAGS)] = None

    input_tokens: Annotated[int, _rule(partial(token_count, "input_tokens")), _Count] = Field(
        0, description="Tokens of the prompt, cached ones included."
    )
    cached_input_tokens: Annotated[int, _rule(partial(token_count, "cached_input_tokens")), _Count] = Field(
        0, description="How many of the input tokens were read from a cache."
    )
    cache_write_tokens: Annotated[int, _rule(partial(token_count, "cache_write_tokens")), _Count] = 0
    output_tokens: Annotated[int, _rule(partial(token_count, "output_tokens")), _Count] = Field(
        0, description="Tokens of the answer, reasoning included."
    )
    reasoning_tokens: Annotated[int, _rule(partial(token_count, "reasoning_tokens")), _Count] = Field(
        0, description="How many of the output tokens were reasoning."
    )
    status: Annotated[str, _rule(status_of), _or_null({"enum": list(STATUSES)})] = Field(
        STATUS_DEFAULT, description="How the request ended. Failed requests count too."
    )
    latency_ms: Annotated[int | None, _rule(partial(duration_microseconds, "latency_ms")), _Duration] = Field(
        None, description="Milliseconds until the answer was complete; held as whole microseconds."
    )
    ttft_ms: Annotated[int | None, _rule(partial(duration_microseconds, "ttft_ms")), _Duration] = Field(
        None, description="Milliseconds until the first token; held as whole microseconds."
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        try:
            check_token_parts(self.input_tokens, self.cached_input_tokens, self.output_tokens, self.reasoning_tokens)
        except InvalidInput as problem:
            raise _custom(problem) from problem
        return self


class _CloudEvent(BaseModel):
    """The attributes of CloudEvents 1.0; extension attributes are kept."""

    model_config = ConfigDict(extra="allow", frozen=True)

    specversion: Annotated[str, _rule(checked_specversion), WithJsonSchema({"const": SPECVERSION})]
    id: Annotated[str, _rule(partial(required_id, "id")), WithJsonSchema(_ID)] = Field(
        description="Unique within its source, for ever."
    )
    source: Annotated[str, _rule(partial(required_id, "source")), WithJsonSchema(_ID)] = Field(
        description="Who reports: the gateway or service that made the id."
    )
    subject: Annotated[
        str | None, _rule(lambda value: optional_id("subject", value, "subject_invalid")), _Reference
    ] = Field(None, description="The customer. Else the customer header, data.customerId or data.user is taken.")
    time: Annotated[datetime | None, PlainValidator(_instant), _or_null({"type": "string", "format": "date-time"})] = (
        Field(None, description="When it happened (RFC 3339); the time of arrival when absent. From 1980-01-01 on.")
    )
    datacontenttype: Any = Field(None, description="application/json, if given.")
    dataschema: Any = None
    data_base64: Annotated[None, _rule(_no_base64), WithJsonSchema(_NULL)] = Field(
        None, description="Not taken: send the JSON object as data."
    )

    def _check_customer(self, data: UsageData | None, info: ValidationInfo) -> None:
        members: dict[str, object] = {} if data is None else data.model_extra or {}
        try:
            customer_of(self.subject, _arrival(info).customer_header, members)
        except InvalidInput as problem:
            raise _custom(problem) from problem

    def customer(self, arrival: Arrival) -> str:
        """Whose usage it is."""
        data: UsageData | None = getattr(self, "data", None)
        return customer_of(self.subject, arrival.customer_header, {} if data is None else data.model_extra or {})


class RequestEvent(_CloudEvent):
    """A call of a language model, metered by the built-in meters."""

    type: Literal["llm.request"]
    data: RequestData | None = None

    @model_validator(mode="after")
    def _has_customer(self, info: ValidationInfo) -> Self:
        self._check_customer(self.data, info)
        return self


class OtherEvent(_CloudEvent):
    """Any other usage, metered by the meters that name its type."""

    type: Annotated[
        str,
        _rule(partial(required_id, "type")),
        WithJsonSchema({**_ID, "not": {"enum": [".", "..", REQUEST_TYPE]}}),
    ]
    data: OtherData | None = None

    @model_validator(mode="after")
    def _has_customer(self, info: ValidationInfo) -> Self:
        self._check_customer(self.data, info)
        return self


def _kind(value: Any) -> str:
    event_type = value.get("type") if isinstance(value, dict) else getattr(value, "type", None)
    return "request" if event_type == REQUEST_TYPE else "other"


UsageEvent = Annotated[
    Annotated[RequestEvent, Tag("request")] | Annotated[OtherEvent, Tag("other")], Discriminator(_kind)
]
USAGE_EVENT: Final[TypeAdapter[RequestEvent | OtherEvent]] = TypeAdapter(UsageEvent)


def parse_usage_event(
    raw: bytes, arrival: Arrival, event_bytes_max: int = EVENT_BYTES_MAX
) -> RequestEvent | OtherEvent:
    """The event in `raw`. Raises `InvalidInput` for what is no JSON object, `ValidationError` for broken rules."""
    if len(raw) > event_bytes_max:
        raise InvalidInput("event", f"must be at most {event_bytes_max} bytes", "event_too_large")
    return USAGE_EVENT.validate_python(read_event(raw), context=arrival)


def reasons_of(error: ValidationError) -> set[str]:
    """The reason codes of everything that a `ValidationError` of this model complains about."""
    return {_reason(problem["type"], problem["loc"], problem.get("ctx", {})) for problem in error.errors()}


def _reason(kind: str, place: tuple[int | str, ...], context: dict[str, Any]) -> str:
    if kind == "reason":
        return str(context["reason"])
    if kind == "missing":
        return "specversion_unsupported" if place[-1] == "specversion" else f"{place[-1]}_missing"
    return "data_invalid"


def usage_event_json_schema() -> JsonSchema:
    """JSON Schema (2020-12) of one usage event in structured JSON."""
    schema = USAGE_EVENT.json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Usage event", **schema}
