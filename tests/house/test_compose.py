"""deploy/compose.yml gives users the Kafka that `make kafka` gives developers, by commands and settings that exist."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from consumers.setting_variables import read_settings
from consumers.settings import Settings
from tests.meterfold_process import ROOT, meterfold

SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yml").read_text())["services"]
OURS = sorted(name for name, service in SERVICES.items() if service["image"] == "meterfold")


def test_it_is_the_kafka_that_is_tested() -> None:
    pom = (ROOT / "deploy" / "kafka" / "pom.xml").read_text()
    tested = re.search(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([0-9.]+)</version>", pom)
    assert tested is not None
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{tested[1]}"


@pytest.mark.parametrize("name", OURS)
def test_commands_and_settings_exist(name: str) -> None:
    service = SERVICES[name]
    read_settings(service["environment"])
    options = [word for word in service["command"] if word.startswith("--")]
    told = meterfold(*(word for word in service["command"] if word not in options), "--help")
    assert [option for option in options if option not in told] == []
    assert (ROOT / "deploy" / service["build"]["context"] / service["build"]["dockerfile"]).exists()


def test_clients_reach_the_broker_from_inside_and_outside() -> None:
    kafka = SERVICES["kafka"]
    advertised = kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")
    inside, outside = (listener.partition("://")[2] for listener in advertised)
    assert {SERVICES[name]["environment"]["METERFOLD_KAFKA_BOOTSTRAP"] for name in OURS} == {inside}
    assert kafka["ports"] == [f"{outside}:{outside.rpartition(':')[2]}"]
    assert Settings(kafka_bootstrap=inside).kafka_bootstrap == inside


def test_the_engine_waits_for_the_topics_and_they_for_the_broker() -> None:
    waits = {name: {to: how["condition"] for to, how in SERVICES[name]["depends_on"].items()} for name in OURS}
    assert waits == {
        "meterfold": {"topics": "service_completed_successfully"},
        "topics": {"kafka": "service_healthy"},
    }
