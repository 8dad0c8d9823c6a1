"""TLS and log-ins work with a real broker that demands them; a wrong password is reported without showing it."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kafka import KafkaAdminClient
from pydantic import SecretStr

from api.cli.output.exit_codes import ExitCode
from consumers.errors import BrokerRefused, BrokerUnreachable
from consumers.kafka.connection import broker_failures, client_options
from consumers.kafka.topics import describe_topics
from consumers.settings import Settings
from deploy.kafka.broker import HOST, free_ports
from tests.consumers.kafka.broker.running_broker import running_broker
from tests.meterfold_process import meterfold

pytestmark = pytest.mark.kafka

PASSWORD = "of-ada-only"


@dataclass(frozen=True)
class Secured:
    """Addresses of a broker with TLS, with a log-in, and with both; and its certificate."""

    encrypted: str
    logged_in: str
    both: str
    certificate: Path


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    certificate = folder / "certificate.pem"
    key_and_certificate = folder / "key-and-certificate.pem"
    _write_certificate(certificate, key_and_certificate)
    ports = free_ports(3)
    names = ("SSL", "SASL_PLAINTEXT", "SASL_SSL")
    listeners = tuple(f"{name}://{HOST}:{port}" for name, port in zip(names, ports, strict=True))
    scram = tuple(
        argument
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        for argument in ("--add-scram", f"{mechanism}=[name=ada,password={PASSWORD}]")
    )
    with running_broker(folder / "broker", _properties(key_and_certificate, certificate), listeners, scram):
        encrypted, logged_in, both = (f"{HOST}:{port}" for port in ports)
        yield Secured(encrypted, logged_in, both, certificate)


def _properties(key_and_certificate: Path, certificate: Path) -> dict[str, str]:
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    properties = {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,"
        "SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
        # The client misses a refusal when the connection is closed right after it.
        "connection.failed.authentication.delay.ms": "2000",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(key_and_certificate),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificate),
    }
    for listener in ("sasl_plaintext", "sasl_ssl"):
        prefix = f"listener.name.{listener}"
        properties[f"{prefix}.plain.sasl.jaas.config"] = f'{plain} user_ada="{PASSWORD}";'
        properties[f"{prefix}.scram-sha-256.sasl.jaas.config"] = scram
        properties[f"{prefix}.scram-sha-512.sasl.jaas.config"] = scram
    properties["listener.name.ssl.ssl.client.auth"] = "required"
    return properties


def _write_certificate(certificate: Path, key_and_certificate: Path) -> None:
    """Write a self-signed certificate for the address of the broker; the tests use it as client certificate, too."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker of a test")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    written = signed.public_bytes(serialization.Encoding.PEM)
    certificate.write_bytes(written)
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key_and_certificate.write_bytes(key.private_bytes(*plain) + written)


def log_in(bootstrap: str, **more: Any) -> Settings:
    given = {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_sasl_password": SecretStr(PASSWORD), **more}
    return Settings(kafka_bootstrap=bootstrap, kafka_sasl_username="ada", **given)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_each_mechanism_logs_in(secured: Secured, mechanism: str) -> None:
    assert len(describe_topics(log_in(secured.logged_in, kafka_sasl_mechanism=mechanism))) == 3


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_a_wrong_password_is_refused_and_not_shown(secured: Secured, mechanism: str) -> None:
    # A busy broker may close the connection before the client has read the refusal: then that is what it reports.
    wrong = log_in(secured.logged_in, kafka_sasl_mechanism=mechanism, kafka_sasl_password=SecretStr("guessed-badly"))
    either = (BrokerRefused, BrokerUnreachable)
    with pytest.raises(either, match=r"METERFOLD_KAFKA_SASL_USERNAME.*password") as refused, broker_failures(wrong):
        KafkaAdminClient(**client_options(wrong, bootstrap_seconds_max=5.0))
    assert "guessed-badly" not in str(refused.value)


def encrypted(bootstrap: str, protocol: str, **files: Path) -> dict[str, str]:
    """Environment for the command in a process of its own: the client leaves TLS sockets to the garbage collector."""
    named = {f"METERFOLD_KAFKA_{name.upper()}": str(path) for name, path in files.items()}
    return {"METERFOLD_KAFKA_BOOTSTRAP": bootstrap, "METERFOLD_KAFKA_SECURITY_PROTOCOL": protocol, **named}


def test_an_encrypted_log_in_takes_its_password_from_a_file(secured: Secured, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    more = encrypted(secured.both, "SASL_SSL", sasl_password_file=file, ssl_cafile=secured.certificate)
    shown = meterfold("kafka", "topics", "--json", more={**more, "METERFOLD_KAFKA_SASL_USERNAME": "ada"})
    assert len(json.loads(shown)["data"]) == 3


def test_a_client_shows_its_certificate(secured: Secured) -> None:
    both = secured.certificate.with_name("key-and-certificate.pem")
    files = {"ssl_cafile": secured.certificate, "ssl_certfile": both, "ssl_keyfile": both}
    shown = meterfold("kafka", "topics", "--json", more=encrypted(secured.encrypted, "SSL", **files))
    assert len(json.loads(shown)["data"]) == 3


def test_a_broker_with_an_untrusted_certificate_is_refused(secured: Secured) -> None:
    more = encrypted(secured.encrypted, "SSL")
    assert meterfold("kafka", "topics", status=ExitCode.UNREACHABLE, more=more) == ""
