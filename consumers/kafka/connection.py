"""Client options from the settings (brokers, log-in, certificates), and client errors as errors for the operator."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from kafka import errors

from consumers.errors import BrokerRefused, BrokerUnreachable, ConsumerError, KafkaMisconfigured
from consumers.settings import Settings, variable_of

CLIENT_ID: Final = "meterfold"
PASSWORD_BYTES_MAX: Final = 64 * 1024
#: How long a client tries to reach a first broker.
BOOTSTRAP_SECONDS_MAX: Final = 10.0

#: Errors that need a person to change something; the other broker errors may pass by themselves.
_REFUSALS: Final = (
    errors.BrokerResponseError,
    errors.KafkaConfigurationError,
    errors.UnsupportedCodecError,
    errors.UnrecognizedBrokerVersion,
)
#: Time-outs, which say nothing about why.
_TIMEOUTS: Final = (errors.KafkaTimeoutError, errors.RequestTimedOutError)


def client_options(settings: Settings, bootstrap_seconds_max: float = BOOTSTRAP_SECONDS_MAX) -> dict[str, Any]:
    """Return the options common to every client of kafka-python: brokers, protocol, log-in, certificates.

    They hold the password in clear text: pass them to a client, never log them. Raises `KafkaMisconfigured`.
    """
    if settings.kafka_bootstrap is None:
        raise KafkaMisconfigured(f"no broker is configured: set {variable_of('kafka_bootstrap')} to host:port")
    return {
        "bootstrap_servers": settings.kafka_bootstrap.split(","),
        "client_id": CLIENT_ID,
        "bootstrap_timeout_ms": int(bootstrap_seconds_max * 1000),
        "security_protocol": settings.kafka_security_protocol,
        **_encryption(settings),
        **_log_in(settings),
    }


def _encryption(settings: Settings) -> dict[str, Any]:
    files = {
        "ssl_cafile": settings.kafka_ssl_cafile,
        "ssl_certfile": settings.kafka_ssl_certfile,
        "ssl_keyfile": settings.kafka_ssl_keyfile,
    }
    given = {name: path for name, path in files.items() if path is not None}
    if not given:
        return {}
    if not settings.kafka_security_protocol.endswith("SSL"):
        named = ", ".join(variable_of(f"kafka_{name}") for name in given)
        raise KafkaMisconfigured(f"{named} need {variable_of('kafka_security_protocol')} SSL or SASL_SSL")
    if "ssl_keyfile" in given and "ssl_certfile" not in given:
        raise KafkaMisconfigured(f"{variable_of('kafka_ssl_keyfile')} needs {variable_of('kafka_ssl_certfile')}")
    for name, path in given.items():
        _first_bytes(path, f"kafka_{name}")
    return {name: str(path) for name, path in given.items()}


def _log_in(settings: Settings) -> dict[str, Any]:
    wanted = settings.kafka_security_protocol.startswith("SASL")
    if not wanted:
        if settings.kafka_sasl_username is not None:
            raise KafkaMisconfigured(
                f"{variable_of('kafka_sasl_username')} needs {variable_of('kafka_security_protocol')} "
                "SASL_SSL or SASL_PLAINTEXT"
            )
        return {}
    if settings.kafka_sasl_username is None:
        raise KafkaMisconfigured(
            f"{variable_of('kafka_security_protocol')} {settings.kafka_security_protocol} "
            f"needs {variable_of('kafka_sasl_username')}"
        )
    return {
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": _password(settings),
    }


def _password(settings: Settings) -> str:
    variable, file_variable = variable_of("kafka_sasl_password"), variable_of("kafka_sasl_password_file")
    given, path = settings.kafka_sasl_password, settings.kafka_sasl_password_file
    if given is not None and path is None:
        return given.get_secret_value()
    if path is None or given is not None:
        which = "one of" if given is None else "only one of"
        raise KafkaMisconfigured(f"a log-in to Kafka needs {which} {variable} and {file_variable}")
    try:
        password = _first_bytes(path, "kafka_sasl_password_file").decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise KafkaMisconfigured(f"{file_variable}: {path} is not text") from None
    if not password:
        raise KafkaMisconfigured(f"{file_variable}: {path} is empty")
    return password


def _first_bytes(path: Path, setting: str) -> bytes:
    """Return the first bytes of a file; `KafkaMisconfigured` names the setting and the file when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(PASSWORD_BYTES_MAX)
    except OSError as error:
        raise KafkaMisconfigured(f"{variable_of(setting)}: cannot read {path} ({error.strerror})") from None


class _ConnectionErrors(logging.Handler):
    """Remembers why connections failed.

    The client only logs the cause, tries again, and at last raises a time-out. A refusal is kept, whatever follows:
    brokers close the next connections without an error. Time-outs are ignored, since they name no cause.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last: errors.KafkaError | None = None

    def emit(self, record: logging.LogRecord) -> None:
        given = record.args if isinstance(record.args, tuple) else ()
        for value in given:
            known = self.last is not None and not self.last.retriable
            if isinstance(value, errors.KafkaError) and not isinstance(value, _TIMEOUTS) and not known:
                self.last = value


@contextmanager
def _connection_errors() -> Iterator[_ConnectionErrors]:
    logger = logging.getLogger("kafka.net.manager")
    seen = _ConnectionErrors()
    logger.addHandler(seen)
    try:
        yield seen
    finally:
        logger.removeHandler(seen)


@contextmanager
def broker_failures(settings: Settings) -> Iterator[None]:
    """Turn errors of clients raised inside into `BrokerUnreachable` or `BrokerRefused`, worded for the operator."""
    with _connection_errors() as seen:
        try:
            yield
        except errors.KafkaTimeoutError as error:
            raise _failure(settings, seen.last or error) from error
        except (errors.KafkaError, OSError) as error:
            raise _failure(settings, error) from error


def _failure(settings: Settings, error: Exception) -> ConsumerError:
    """The error to show the operator for an error of the client."""
    where = f"Kafka at {settings.kafka_bootstrap}"
    if isinstance(error, errors.SaslAuthenticationFailedError):
        named = f"{variable_of('kafka_sasl_username')}, {variable_of('kafka_sasl_mechanism')} or the password is wrong"
        return BrokerRefused(f"{where} refused the log-in: {named}")
    if isinstance(error, errors.KafkaError) and isinstance(error, _REFUSALS) and not error.retriable:
        return BrokerRefused(f"{where} refused: {error}")
    hint = ""
    if isinstance(error, errors.KafkaConnectionError) and "socket disconnected" in str(error):
        hint = f" (it closes the connection: {_likely_cause(settings)})"
    return BrokerUnreachable(f"{where} does not answer: {error}{hint}")


def _likely_cause(settings: Settings) -> str:
    """Why a broker may close the connection without an error, as some do when they refuse a log-in."""
    suspected = f"it may expect another {variable_of('kafka_security_protocol')} or another log-in"
    if "SASL" in settings.kafka_security_protocol:
        suspected += f"; {variable_of('kafka_sasl_username')} or the password may be wrong"
    return suspected
