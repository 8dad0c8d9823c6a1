"""SQL expressions of members of JSON text, exact to the last digit of every number.

Numbers have the canonical text of `domain.values.json_numbers`, so that all spellings of one value are one text, and no
two values share one. DuckDB reads JSON numbers as floats; in text with a number that a float may change, every number
and every string is marked and put in quotes before a member is read, and restored after.
"""

from __future__ import annotations

from typing import Final

from domain.values.json_numbers import EXPONENT_MAX, INTEGER_DIGITS_MAX, PLAIN_FRACTION_LENGTH_MAX
from projections.duckdb.reading.bound_query import BoundQuery

#: DuckDB's JSON reader may change numbers with this many digits or decimals, or with an exponent.
_LONG_NUMBER: Final = r"[0-9](\.?[0-9]){15}|\.[0-9]{13}|[0-9][eE]"
#: Part of every JSON text that has a number in a spelling that is not canonical; of some others too.
_MAYBE_NONCANONICAL: Final = rf"[0-9][eE]|\.[0-9]*0([^0-9]|$)|-0([^.0-9]|$)|[0-9.]{{{PLAIN_FRACTION_LENGTH_MAX}}}"
#: A number in its canonical text, whatever the text around it.
_WHOLE_NUMBER: Final = "0|-?[1-9][0-9]*"
#: The name of a member, a string, a number, or anything between them.
_LEXEME: Final = r'"(?:[^"\\]|\\.)*":?|-?[0-9][0-9.eE+-]*|[^"0-9-]+'
#: The parts of a lexeme that is a number; each is empty in any other.
_NUMBER_PARTS: Final = r"^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]\+?(-?)0*([0-9]+))?$"
_NUMBER_MARK: Final = "n"
_STRING_MARK: Final = "s"
_EXPONENT_DIGITS_MAX: Final = len(str(EXPONENT_MAX)) - 1


def member_json(query: BoundQuery, text: str, path: str) -> str:
    """Return the member at a dotted path of a JSON text as JSON text; null for JSON null, no member, or no JSON.

    `text` is the SQL expression of the JSON text.
    """
    pointer = query.bind(_pointer(path))
    marked = _joined(_lexemes(query, text), _marked("t"))
    exact = _joined(_lexemes(query, f"json_extract({marked}, {pointer})::VARCHAR"), _restored("t"))
    written = f"""CASE WHEN j[1] NOT IN ('"', 't', 'f', 'n') AND NOT regexp_full_match(j, {query.bind(_WHOLE_NUMBER)})
        AND {_is_long(query, text)} THEN {exact} ELSE j END"""
    read = f"""CASE WHEN j[1] IN ('"', 't', 'f') THEN j
        WHEN j = 'null' THEN NULL
        WHEN regexp_matches(j, {query.bind(_MAYBE_NONCANONICAL)}) THEN {canonical_numbers(query, "j")}
        ELSE j END"""
    return f"""(SELECT {read} FROM (SELECT {written} AS j
        FROM (SELECT TRY(json_extract({text}, {pointer}))::VARCHAR AS j)))"""


def member_text(query: BoundQuery, text: str, path: str) -> str:
    """Return the text of the member, as in `member_json`: a string without its quotes, anything else as JSON text."""
    unquoted = r"CASE WHEN contains(j, '\') THEN TRY(json_extract_string(j, '$')) ELSE substr(j, 2, length(j) - 2) END"
    member = member_json(query, text, path)
    return f"""(SELECT CASE WHEN j[1] = '"' THEN {unquoted} ELSE j END FROM (SELECT {member} AS j))"""


def member_digits(query: BoundQuery, text: str, path: str) -> str:
    """Return the text of the member as written in the JSON text, whether a number or a string; null as above."""
    quoted = _joined(_lexemes(query, text), f"""CASE WHEN {_is_number("t")} THEN '"' || t || '"' ELSE t END""")
    exact = f"CASE WHEN {_is_long(query, text)} THEN {quoted} ELSE {text} END"
    return f"TRY(json_extract_string({exact}, {query.bind(_pointer(path))}))"


def canonical_numbers(query: BoundQuery, text: str) -> str:
    """Return JSON text with its numbers in canonical text: `text` is the SQL expression of JSON text.

    Each step is a list of its own, not one within another, which would take many times as long to plan.
    """
    names = "['sign', 'whole', 'fraction', 'down', 'power']"
    parts = f"{{'other': t, 'n': regexp_extract(t, {query.bind(_NUMBER_PARTS)}, {names})}}"
    written = f"""{{'other': p.other, 'sign': p.n.sign, 'written': p.n.whole || p.n.fraction,
        'exponent': CASE WHEN length(p.n.power) > {_EXPONENT_DIGITS_MAX} THEN (p.n.down || '{EXPONENT_MAX}')::BIGINT
            ELSE coalesce(TRY_CAST(p.n.down || p.n.power AS BIGINT), 0) END - length(p.n.fraction)}}"""
    measured = """{'other': w.other, 'sign': w.sign, 'written': w.written, 'digits': trim(w.written, '0'),
        'exponent': w.exponent + length(w.written) - length(rtrim(w.written, '0'))}"""
    magnitude = "(length(d.digits) + d.exponent)"
    plain = f"""CASE WHEN d.written = '' THEN d.other WHEN d.digits = '' THEN '0'
        WHEN d.exponent >= 0 AND {magnitude} <= {INTEGER_DIGITS_MAX} THEN d.sign || d.digits || repeat('0', d.exponent)
        WHEN d.exponent >= 0 OR length(d.digits) + length(d.sign) + greatest(1, 2 - {magnitude})
            > {PLAIN_FRACTION_LENGTH_MAX} THEN d.sign || d.digits || 'e' || d.exponent
        WHEN {magnitude} > 0 THEN d.sign || d.digits[:{magnitude}] || '.' || d.digits[{magnitude} + 1:]
        ELSE d.sign || '0.' || repeat('0', -{magnitude}) || d.digits END"""
    steps = _lexemes(query, text)
    for name, step in (("t", parts), ("p", written), ("w", measured), ("d", plain)):
        steps = f"list_transform({steps}, lambda {name}: {step})"
    return f"array_to_string({steps}, '')"


def _marked(lexeme: str) -> str:
    """A lexeme, with a mark in front of each value that is a number or a string, both as strings."""
    return f"""CASE WHEN {_is_number(lexeme)} THEN '"{_NUMBER_MARK}' || {lexeme} || '"'
        WHEN {lexeme}[1] = '"' AND {lexeme}[-1] = '"' THEN '"{_STRING_MARK}' || substr({lexeme}, 2) ELSE {lexeme} END"""


def _restored(lexeme: str) -> str:
    """A marked lexeme without its mark."""
    return f"""CASE WHEN {lexeme}[1] <> '"' OR {lexeme}[-1] = ':' THEN {lexeme}
        WHEN {lexeme}[2] = '{_NUMBER_MARK}' THEN substr({lexeme}, 3, length({lexeme}) - 3)
        ELSE '"' || substr({lexeme}, 3) END"""


def _lexemes(query: BoundQuery, text: str) -> str:
    return f"regexp_extract_all({text}, {query.bind(_LEXEME)})"


def _joined(lexemes: str, of_lexeme: str) -> str:
    """JSON text with each lexeme `t` replaced."""
    return f"array_to_string(list_transform({lexemes}, lambda t: {of_lexeme}), '')"


def _is_number(lexeme: str) -> str:
    return f"({lexeme}[1] BETWEEN '0' AND '9' OR {lexeme}[1] = '-')"


def _is_long(query: BoundQuery, text: str) -> str:
    return f"regexp_matches({text}, {query.bind(_LONG_NUMBER)})"


def _pointer(path: str) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path.split("."))
