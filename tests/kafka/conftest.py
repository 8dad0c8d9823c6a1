"""One broker for all tests of this folder that share it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka.running_broker import RunningBroker, given_or_running_broker

FOLDER = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder claims something about Kafka, and needs one."""
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.kafka)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A real broker that other tests use too: make topics of your own, and leave it running."""
    with given_or_running_broker(tmp_path_factory.mktemp("broker")) as running:
        yield running
