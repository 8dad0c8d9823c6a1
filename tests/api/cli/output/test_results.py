"""A result is printed in one form, and asking for two is an error."""

from __future__ import annotations

import pytest

from api.cli.output.exit_codes import CommandFailed, ExitCode
from api.cli.output.results import Output


def test_two_forms_at_once_are_wrong_use() -> None:
    with pytest.raises(CommandFailed, match="--json and --csv") as failed:
        Output(True, True)
    assert failed.value.code is ExitCode.WRONG_USE


@pytest.mark.parametrize(("as_json", "as_csv", "is_text"), [(False, False, True), (True, False, False)])
def test_text_is_the_form_without_options(as_json: bool, as_csv: bool, is_text: bool) -> None:
    assert Output(as_json, as_csv).is_text is is_text
