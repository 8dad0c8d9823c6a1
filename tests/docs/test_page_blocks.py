"""The reader of documentation finds the commands, and notices output that is not there."""

from __future__ import annotations

import pytest

from tests.docs.page_blocks import Step, missing_line, steps_of

PAGE = """\
```sh
first
second
```
<!-- not run: it would last for ever -->
```sh
never
```
<!-- serving -->
```console
$ third
out
$ fourth
```
<!-- stays running -->
```sh
fifth
```
<!-- in a moment -->
```console
$ sixth
out
```
```text
no command
```
"""


def test_commands_are_found_in_their_order() -> None:
    assert steps_of(PAGE) == [
        Step("first\nsecond", (), False, 2),
        Step("third", ("out",), True, 11),
        Step("fourth", (), True, 13),
        Step("fifth", (), True, 17, "stays running"),
        Step("sixth", ("out",), True, 21, "in a moment"),
    ]


def test_a_block_of_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="neither run nor known"):
        steps_of("```shell\nls\n```")


@pytest.mark.parametrize(
    ("expected", "missing"),
    [
        (("one", "three"), None),
        (("three", "one"), "one"),
        (("o", "..."), None),
        (("ne",), "ne"),
        (("...ne", "...w..."), None),
        (("four",), "four"),
    ],
)
def test_expected_lines_appear_in_order(expected: tuple[str, ...], missing: str | None) -> None:
    assert missing_line(expected, "one\ntwo\nthree\n") == missing
