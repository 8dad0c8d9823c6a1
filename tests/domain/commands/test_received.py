"""Commands that arrive as events keep their reason as commands over HTTP do."""

from __future__ import annotations

import pytest

from domain.commands.received import Sender, parse_command
from domain.scope import DEFAULT_SCOPE

SENDER = Sender(DEFAULT_SCOPE, "kafka", "native")


@pytest.mark.parametrize(("given", "kept"), [(None, None), ("", None), ("  ", None), (" late payer ", "late payer")])
def test_a_reason_is_kept_without_blanks_around_it(given: str | None, kept: str | None) -> None:
    command = parse_command("customer.block", SENDER, "ada", {"reason": given})
    assert command.provenance.reason == kept
