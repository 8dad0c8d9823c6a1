"""Settings of the engine: environment variables `METERFOLD_*`, with defaults for a single machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import BeforeValidator, Field, SecretStr, StringConstraints, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX: Final = "METERFOLD_"
MASK: Final = "********"

#: Variables that only the command line reads; they are not settings of the engine.
COMMAND_LINE_VARIABLES: Final = ("METERFOLD_URL", "METERFOLD_KEY")

Origin = Literal["default", "environment", "command line"]

_MEBIBYTE: Final = 1024 * 1024
_BYTE_SIZE: Final = r"^\d+(\.\d+)? ?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$"
_BROKERS: Final = r"^[^\s,/]+:[0-9]{1,5}(,[^\s,/]+:[0-9]{1,5})*$"


def _split(value: object) -> object:
    """Split a comma-separated list of names."""
    return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value


#: Kafka's rule for topic names.
TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*$", max_length=249)]
TopicNames = Annotated[tuple[TopicName, ...], NoDecode, BeforeValidator(_split), Field(min_length=1, max_length=100)]


class Settings(BaseSettings):
    """Everything an operator may configure. Names end in their unit, then `_max` or `_min` for bounds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, env_ignore_empty=True)

    data_dir: Path = Field(Path("data"), description="Folder of the log, the read store, the indexes and the keys.")
    host: str = Field("127.0.0.1", description="Address that the HTTP server listens on.")
    port: int = Field(
        8080, ge=0, le=65_535, description="TCP port that the HTTP server listens on; 0 takes any free port."
    )
    admin_key: SecretStr | None = Field(
        None,
        description="First admin key (starts with sk-), for tenant default, environment prod. Generated when not set.",
    )
    public_url: str | None = Field(
        None, description="Base URL of links in answers. When not set, the host of the request is used."
    )

    write_wait_seconds_max: float = Field(
        5.0, gt=0, le=300, description="How long a write, or a read with min_position, waits for the fold at most."
    )
    fold_lag_seconds_max: float = Field(
        1.0, gt=0, le=3600, description="Bulk loads pause while the fold is further behind the log than this."
    )
    log_poll_milliseconds: int = Field(
        5, ge=1, le=1000, description="How often the fold checks the log for appends by other processes."
    )

    future_tolerance_hours: int = Field(
        24,
        ge=0,
        le=8784,
        description="How far after its arrival an event's time may be. Events further in the future are rejected.",
    )
    closing_grace_seconds: int = Field(
        3600,
        ge=0,
        le=31 * 86_400,
        description="How long a period waits for late events after its end, until it is closed.",
    )

    body_bytes_max: int = Field(
        64 * _MEBIBYTE, ge=1024, description="Largest request body. A larger one is refused with 413."
    )
    event_bytes_max: int = Field(
        1 * _MEBIBYTE, ge=1024, description="Largest single usage event. A larger one is rejected."
    )
    group_bytes_max: int = Field(
        16 * _MEBIBYTE, ge=1024, description="Most bytes of requests that share one append to the log."
    )
    pending_requests_max: int = Field(
        1000, ge=1, description="Most requests that may wait to be appended. Further ones are answered with 503."
    )
    pending_bytes_max: int = Field(
        256 * _MEBIBYTE,
        ge=1024,
        description="Most bytes of requests that may wait to be appended. Further requests are answered with 503.",
    )
    intake_process: bool = Field(
        True, description="Decode and append usage in a separate process while serving, so that reads stay fast."
    )

    duckdb_memory_limit: str = Field(
        "1GB", pattern=_BYTE_SIZE, description="Most memory that the read store may use, with a unit, such as 512MB."
    )
    duckdb_threads: int = Field(2, ge=1, le=1024, description="Most threads that one query of the read store may use.")
    identity_filter_bytes_max: int = Field(
        256 * _MEBIBYTE, ge=_MEBIBYTE, description="Most memory that the filter in front of the identity index may use."
    )
    identity_pending_entries_max: int = Field(
        1_000_000, ge=10_000, description="Identities kept in memory before they are written to disk as a sorted run."
    )

    seal_interval_seconds: int = Field(
        300, ge=1, description="How often a seal with the running hash is appended to the log."
    )
    compact_interval_seconds: int = Field(
        5, ge=1, description="How often rollup deltas and row generations are checked for compaction."
    )
    compact_deltas_min: int = Field(100_000, ge=1, description="Least number of rollup deltas that are compacted.")
    compact_deltas_max: int = Field(
        1_000_000, ge=1, description="Number of rollup deltas that are compacted even while the fold is behind the log."
    )
    compact_rows_min: int = Field(
        200_000, ge=1, description="Least number of usage rows that are sorted into a generation."
    )
    compact_rows_max: int = Field(
        1_000_000,
        ge=1,
        description="Number of usage rows that are sorted into a generation even while the fold is behind the log.",
    )
    identity_checkpoint_interval_seconds: int = Field(
        300,
        ge=1,
        description="How often the identity index is written to disk in full, "
        "and the read store is checkpointed and, if much of its file is free, shrunk.",
    )
    closings_interval_seconds: int = Field(
        60, ge=1, description="How often the engine looks for closed periods to announce."
    )
    verify_hour_utc: int = Field(3, ge=0, le=23, description="Hour of the nightly verification, UTC.")

    kafka_bootstrap: str | None = Field(
        None,
        pattern=_BROKERS,
        description="Kafka bootstrap servers, host:port,host:port. Without them Kafka is not used.",
    )
    kafka_usage_topics: TopicNames = Field(
        ("meterfold.usage",), description="Topics to read usage events and commands from, separated by commas."
    )
    kafka_customer_topics: TopicNames = Field(
        ("meterfold.customers",),
        description="Further topics to read, in which a record without a value (a tombstone) deletes its customer.",
    )
    kafka_rejected_topic: TopicName = Field(
        "meterfold.rejected", description="Dead letter topic, which takes rejected records."
    )
    kafka_group: str = Field(
        "meterfold", min_length=1, max_length=249, description="Consumer group whose members share the partitions."
    )
    kafka_tenant: str = Field(
        "default",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="Tenant of records without the header meterfold-tenant.",
    )
    kafka_environment: Literal["prod", "test"] = Field(
        "prod", description="Environment of records without the header meterfold-environment."
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Security protocol of the brokers: SSL encrypts, SASL authenticates."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="SASL mechanism for authenticating with the brokers."
    )
    kafka_sasl_username: str | None = Field(None, description="User name for the brokers.")
    kafka_sasl_password: SecretStr | None = Field(None, description="Password for the brokers.")
    kafka_sasl_password_file: Path | None = Field(
        None, description="File with the password for the brokers instead. A final line break is ignored."
    )
    kafka_ssl_cafile: Path | None = Field(
        None, description="Certificate authorities (PEM) for verifying brokers; by default those of the system."
    )
    kafka_ssl_certfile: Path | None = Field(None, description="Client certificate (PEM).")
    kafka_ssl_keyfile: Path | None = Field(None, description="Private key (PEM) of the client certificate.")
    kafka_batch_events_max: int = Field(
        10_000, ge=1, le=100_000, description="Number of records at which the batch of a partition is appended."
    )
    kafka_batch_bytes_max: int = Field(
        8 * _MEBIBYTE,
        ge=1024,
        description="Number of bytes at which the batch of a partition is appended.",
    )
    kafka_batch_seconds_max: float = Field(
        0.1, gt=0, le=60, description="How long the batch of a partition waits for more records."
    )
    kafka_session_timeout_seconds: int = Field(
        45, ge=1, le=1800, description="How long a consumer may be silent before its partitions are reassigned."
    )
    consumers: int | None = Field(
        None, ge=0, le=64, description="Consumer processes started by serve; by default one when Kafka is configured."
    )
    litellm_profile: Literal["current", "seed"] = Field(
        "current", description="Status codes of the LiteLLM API: those of its current releases, or of 1.71."
    )
    litellm_over_budget_status: int = Field(
        422, ge=400, le=499, description="Status code with `?as=litellm` for a customer over its budget."
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest severity of messages written to the error stream."
    )
    log_json: bool = Field(False, description="Write messages as JSON lines instead of text.")

    @field_validator("compact_deltas_max", "compact_rows_max")
    @classmethod
    def _maximum_not_below_minimum(cls, maximum: int, info: ValidationInfo) -> int:
        name = str(info.field_name).removesuffix("_max") + "_min"
        minimum = info.data.get(name)  # missing when the minimum itself was invalid
        if minimum is not None and maximum < minimum:
            raise ValueError(f"must be at least {variable_of(name)}, which is {minimum}")
        return maximum


class ShownSetting(msgspec.Struct, frozen=True):
    """A setting as it is displayed: secrets are masked, paths and lists are text."""

    name: str
    variable: str
    value: Any
    origin: Origin
    default: Any
    description: str


def variable_of(name: str) -> str:
    """Return the name of a setting's environment variable."""
    return PREFIX + name.upper()


def shown_settings(
    settings: Settings, environment: Mapping[str, str], given: Collection[str] = ()
) -> list[ShownSetting]:
    """Return all settings in the order of their definition. `given` names those set on the command line."""
    set_in_environment = {name.upper() for name, value in environment.items() if value}
    shown = []
    for name, field in type(settings).model_fields.items():
        origin: Origin = "default"
        if name in given:
            origin = "command line"
        elif variable_of(name) in set_in_environment:
            origin = "environment"
        value, default = _plain(getattr(settings, name)), _plain(field.default)
        shown.append(ShownSetting(name, variable_of(name), value, origin, default, field.description or ""))
    return shown


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Return variables with the prefix METERFOLD_ that are not settings: most likely misspelt."""
    known = {variable_of(name) for name in Settings.model_fields} | set(COMMAND_LINE_VARIABLES)
    return sorted(name for name in environment if name.upper().startswith(PREFIX) and name.upper() not in known)


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return ",".join(value)
    return value
