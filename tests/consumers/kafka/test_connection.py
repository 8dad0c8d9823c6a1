"""Settings become options of Kafka clients; errors name missing settings, and a password is never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kafka import errors
from pydantic import SecretStr, ValidationError

from consumers.errors import BrokerRefused, BrokerUnreachable, ConsumerError, KafkaMisconfigured
from consumers.kafka.connection import broker_failures, client_options
from consumers.setting_variables import read_settings, shown_settings
from consumers.settings import Settings

BROKERS = "one:9092,two:9093"
LOG_IN = {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_username": "ada"}


def settings(**given: Any) -> Settings:
    return Settings(kafka_bootstrap=BROKERS, **given)


def test_brokers_are_split_at_commas() -> None:
    options = client_options(settings())
    assert (options["bootstrap_servers"], options["security_protocol"]) == (["one:9092", "two:9093"], "PLAINTEXT")
    assert not [name for name in options if name.startswith(("sasl", "ssl"))]


def test_a_log_in_passes_through() -> None:
    options = client_options(settings(**LOG_IN, kafka_sasl_password=SecretStr("of-ada")))
    assert {name: value for name, value in options.items() if name.startswith("sasl")} == {
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "ada",
        "sasl_plain_password": "of-ada",
    }


@pytest.mark.parametrize("written", ["of ada ", "of ada \n", "of ada \r\n"])
def test_a_password_comes_from_a_file_without_its_line_end(tmp_path: Path, written: str) -> None:
    file = tmp_path / "password"
    file.write_text(written, newline="")
    assert client_options(settings(**LOG_IN, kafka_sasl_password_file=file))["sasl_plain_password"] == "of ada "


def test_certificates_pass_through(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile")}
    for file in files.values():
        file.write_text("PEM")
    given = {f"kafka_{name}": file for name, file in files.items()}
    options = client_options(settings(kafka_security_protocol="SSL", **given))
    assert {name: options[name] for name in files} == {name: str(file) for name, file in files.items()}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"kafka_security_protocol": "SASL_SSL"}, ["KAFKA_SASL_USERNAME"]),
        (LOG_IN, ["KAFKA_SASL_PASSWORD", "KAFKA_SASL_PASSWORD_FILE"]),
        (
            {**LOG_IN, "kafka_sasl_password": SecretStr("of-ada"), "kafka_sasl_password_file": Path("nowhere")},
            ["KAFKA_SASL_PASSWORD", "KAFKA_SASL_PASSWORD_FILE", "only one"],
        ),
        ({**LOG_IN, "kafka_sasl_password_file": Path("nowhere")}, ["KAFKA_SASL_PASSWORD_FILE", "nowhere"]),
        ({"kafka_sasl_username": "ada"}, ["KAFKA_SASL_USERNAME", "KAFKA_SECURITY_PROTOCOL"]),
        ({"kafka_ssl_cafile": Path("nowhere")}, ["KAFKA_SSL_CAFILE", "KAFKA_SECURITY_PROTOCOL"]),
        ({"kafka_security_protocol": "SSL", "kafka_ssl_cafile": Path("nowhere")}, ["KAFKA_SSL_CAFILE", "nowhere"]),
        (
            {"kafka_security_protocol": "SSL", "kafka_ssl_keyfile": Path("nowhere")},
            ["KAFKA_SSL_KEYFILE", "KAFKA_SSL_CERTFILE"],
        ),
    ],
)
def test_what_is_missing_or_contradicts_is_named(given: dict[str, Any], named: list[str]) -> None:
    with pytest.raises(KafkaMisconfigured) as refused:
        client_options(settings(**given))
    assert [name for name in named if name not in str(refused.value)] == []
    assert "of-ada" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_an_unusable_password_file_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(KafkaMisconfigured, match=f"KAFKA_SASL_PASSWORD_FILE: {file}"):
        client_options(settings(**LOG_IN, kafka_sasl_password_file=file))


def test_without_a_broker_the_variable_is_named() -> None:
    with pytest.raises(KafkaMisconfigured, match="METERFOLD_KAFKA_BOOTSTRAP"):
        client_options(Settings(kafka_bootstrap=None))


def test_a_password_is_masked_where_settings_are_shown() -> None:
    shown = shown_settings(settings(**LOG_IN, kafka_sasl_password=SecretStr("of-ada")), {})
    assert "of-ada" not in repr(shown)


def test_lists_of_topics_are_written_with_commas() -> None:
    chosen = read_settings({"METERFOLD_KAFKA_USAGE_TOPICS": "usage.eu, usage.us"})
    assert chosen.kafka_usage_topics == ("usage.eu", "usage.us")
    shown = {setting.name: setting.value for setting in shown_settings(chosen, {})}
    assert shown["kafka_usage_topics"] == "usage.eu,usage.us"


@pytest.mark.parametrize("value", ["", "a,,b", "a b", "..", "ä", "a" * 250])
def test_a_name_that_kafka_would_refuse_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="kafka_usage_topics"):
        Settings(kafka_usage_topics=value)


@pytest.mark.parametrize("value", ["localhost", "kafka://one:9092", "one:9092,", "one:9092 two:9092", "one:port"])
def test_an_address_without_host_and_port_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="kafka_bootstrap"):
        Settings(kafka_bootstrap=value)


@pytest.mark.parametrize(
    ("befallen", "expected"),
    [
        (errors.KafkaTimeoutError("too late"), BrokerUnreachable),
        (errors.KafkaConnectionError("gone"), BrokerUnreachable),
        (errors.NotLeaderForPartitionError(), BrokerUnreachable),
        (ConnectionResetError("gone"), BrokerUnreachable),
        (errors.SaslAuthenticationFailedError(), BrokerRefused),
        (errors.TopicAuthorizationFailedError(), BrokerRefused),
        (errors.MessageSizeTooLargeError(), BrokerRefused),
    ],
)
def test_failures_say_whether_trying_again_may_help(befallen: Exception, expected: type[ConsumerError]) -> None:
    with pytest.raises(expected, match=BROKERS), broker_failures(settings()):
        raise befallen
