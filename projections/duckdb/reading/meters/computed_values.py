"""The values that an expression computes for events, as a relation that measured rows are joined with.

Events with equal inputs share one evaluation. The different inputs are read by one query and evaluated here; an event
for which the expression has no value has none, like one without the property of another meter.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import duckdb
import msgspec

from domain.errors import InvalidInput
from domain.meters.expressions.evaluation import EventRead, Expression, NoValue, expression
from domain.meters.expressions.syntax import Value
from domain.values.instants import EPOCH
from domain.values.json_numbers import exact_json, written_decimal
from domain.values.money import MONEY, money_text
from projections.duckdb.reading.bound_query import BoundQuery
from projections.duckdb.reading.dimensions import VALUE_DECIMALS, VALUE_DIGITS_MAX, VALUE_LIMIT, member_json
from projections.duckdb.reading.meters.measured_rows import Owner, measured_rows, with_relations
from projections.queries.meters import MeterQuestion

#: Different inputs of an expression, in the events of one question.
INPUTS_MAX: Final = 100_000

_texts_of: Final = msgspec.json.Decoder(list[str | None]).decode
_QUANTUM: Final = Decimal(1).scaleb(-VALUE_DECIMALS)


class ComputedValues(msgspec.Struct, frozen=True):
    """The value of events by their inputs, as text; those without a value are left out."""

    expression: Expression
    by_inputs: dict[str, str]

    def column(self, query: BoundQuery) -> str:
        """Return the column of measured rows by which they are joined."""
        return f"{_inputs(query, self.expression)} AS inputs"

    def relation(self, query: BoundQuery) -> str:
        """Return the relation: `inputs` and `value`."""
        return f"""SELECT unnest({query.bind([*self.by_inputs])}::VARCHAR[]) AS inputs,
            unnest({query.bind([*self.by_inputs.values()])}::VARCHAR[]) AS value"""


def computed_values(
    cursor: duckdb.DuckDBPyConnection, owner: Owner, question: MeterQuestion, text: str
) -> ComputedValues:
    """Evaluate an expression for the events of a question. `InvalidInput` when they have too many different inputs."""
    of = expression(text)
    query = BoundQuery()
    rows = measured_rows(query, owner, question, [f"{_inputs(query, of)} AS inputs"])
    sql = f"{with_relations(rows.relations)} SELECT DISTINCT m.inputs FROM {rows.sql} m LIMIT {INPUTS_MAX + 1}"
    found = query.rows(cursor, sql)
    if len(found) > INPUTS_MAX:
        raise InvalidInput("expression", f"must not be computed of more than {INPUTS_MAX} different inputs")
    shown = _json_text if question.aggregation == "unique_count" else _number_text
    values = {}
    for (inputs,) in found:
        value = of.value_of(_event_read(of, inputs, question.event_type))
        shown_value = None if isinstance(value, NoValue) else shown(value)
        if shown_value is not None:
            values[inputs] = shown_value
    return ComputedValues(of, values)


def _inputs(query: BoundQuery, of: Expression) -> str:
    """What an expression reads of a row, as one JSON array of JSON texts, the time in microseconds first."""
    time = "epoch_us(r.time)::VARCHAR" if of.reads_time else "'0'"
    members = ", ".join([time, *(member_json(query, path) for path in of.paths)])
    return f"to_json([{members}]::VARCHAR[])::VARCHAR"


def _event_read(of: Expression, inputs: str, event_type: str) -> EventRead:
    time, *members = _texts_of(inputs)
    values = {path: text and exact_json(text.encode()) for path, text in zip(of.paths, members, strict=True)}
    return EventRead(values, EPOCH + timedelta(microseconds=int(time or 0)), event_type)


def _json_text(value: Value) -> str:
    """The text by which values are told apart: that of a number and that of a text differ."""
    return money_text(value) if isinstance(value, Decimal) else msgspec.json.encode(value).decode()


def _number_text(value: Value) -> str | None:
    """A number as it is aggregated, by the rules of values in data; None for what is none or does not fit."""
    if isinstance(value, str):
        number = written_decimal(value)
        if number is None or number.digits_written > VALUE_DIGITS_MAX or number.magnitude > VALUE_DIGITS_MAX:
            return None
        value = Decimal(value)
    if abs(value) >= VALUE_LIMIT:
        return None
    fitting = value.quantize(_QUANTUM, ROUND_HALF_EVEN, MONEY)
    return money_text(fitting) if abs(fitting) < VALUE_LIMIT else None
