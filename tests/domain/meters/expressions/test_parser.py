"""What is no expression is refused, with what is wrong and where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.meters.expressions.parser import DEPTH_MAX, LENGTH_MAX, parsed

EXPECTED = "must have a number, a text, a function or something of an event where {} stands"
KNOWN = "ROUND, CEIL, FLOOR, LEAST, GREATEST, CONCAT, event.properties.<path>, event.timestamp and event.code"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (" ", EXPECTED.format("the end") + ", near character 1"),
        ("1 +", EXPECTED.format("the end") + ", near character 3"),
        ("1 + * 2", EXPECTED.format("'*'") + ", near character 5"),
        ("(1 + 2", "must have ')' where the end stands, near character 6"),
        ("1 2", "must have an operator where '2' stands, near character 3"),
        ("1)", "must have an operator where ')' stands, near character 2"),
        ("ROUND()", EXPECTED.format("')'") + ", near character 7"),
        ("ROUND 1", "must have '(' where '1' stands, near character 7"),
        ("ROUND(1, 2, 3)", "must give ROUND at most 2 arguments, near character 14"),
        ("CONCAT(1 ',')", "must have ')' where \"','\" stands, near character 12"),
        ("SQRT(4)", f"must not name 'SQRT'; there are {KNOWN}, near character 5"),
        ("event.properties", f"must not name 'event.properties'; there are {KNOWN}, near character 16"),
        ("event.id", f"must not name 'event.id'; there are {KNOWN}, near character 8"),
        ("'open", 'must not have "\'" here, near character 0'),
        ("1 % 2", "must not have '%' here, near character 2"),
        ("1.", "must not have '.' here, near character 1"),
        ("", "must be text of 1 to 1000 characters"),
        ("1" * (LENGTH_MAX + 1), "must be text of 1 to 1000 characters"),
        ("event.properties." + ".".join("a" * 17), "must be 1 to 16 member names of data, joined by dots"),
    ],
)
def test_what_is_wrong_is_said(text: str, rule: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parsed("expression", text)

    assert (refused.value.field, refused.value.rule) == ("expression", rule)


@pytest.mark.parametrize(("begin", "end"), [("(", ")"), ("-", ""), ("ROUND(", ")"), ("1+(", ")")])
def test_nesting_is_bounded(begin: str, end: str) -> None:
    deepest = DEPTH_MAX - 1
    parsed("expression", begin * deepest + "1" + end * deepest)

    with pytest.raises(InvalidInput, match="must not be nested more than 32 levels deep"):
        parsed("expression", begin * DEPTH_MAX + "1" + end * DEPTH_MAX)


def test_a_long_chain_is_not_deep() -> None:
    parsed("expression", "1+" * (LENGTH_MAX // 2 - 1) + "1")


@given(st.text(st.sampled_from("1.+-*/()',\"aevnt roundRO"), min_size=1, max_size=60))
def test_any_text_is_an_expression_or_is_refused(text: str) -> None:
    try:
        node = parsed("expression", text)
    except InvalidInput:
        return
    assert node == parsed("expression", f"({text})")
