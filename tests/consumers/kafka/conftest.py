"""One broker for all tests of this folder that share it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.consumers.kafka.broker.running_broker import RunningBroker, given_or_running_broker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A real broker shared by tests: create topics of your own, and leave it running."""
    with given_or_running_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running
