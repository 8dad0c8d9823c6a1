"""Settings of the engine: environment variables `METERFOLD_*`, each with a default that serves one machine."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import BeforeValidator, Field, SecretStr, StringConstraints, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX: Final = "METERFOLD_"
MASK: Final = "********"

#: Variables that the command line reads itself; they are no settings of the engine.
COMMAND_LINE_VARIABLES: Final = ("METERFOLD_URL", "METERFOLD_KEY")

Origin = Literal["default", "environment", "command line"]

_MEBIBYTE: Final = 1024 * 1024
_BYTE_SIZE: Final = r"^\d+(\.\d+)? ?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)$"
_BROKERS: Final = r"^[^\s,/]+:[0-9]{1,5}(,[^\s,/]+:[0-9]{1,5})*$"


def _split(value: object) -> object:
    """The names in a list that is written with commas."""
    return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value


#: What Kafka takes as the name of a topic.
TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*$", max_length=249)]
TopicNames = Annotated[tuple[TopicName, ...], NoDecode, BeforeValidator(_split), Field(min_length=1, max_length=100)]


class Settings(BaseSettings):
    """Every number and place that an operator may choose. Units are last in the names; bounds end in `_max`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, env_ignore_empty=True)

    data_dir: Path = Field(Path("data"), description="Folder that holds the log, the read store, indexes and keys.")
    host: str = Field("127.0.0.1", description="Address that the HTTP server listens on.")
    port: int = Field(8080, ge=0, le=65_535, description="TCP port that the HTTP server listens on; 0: any free one.")
    admin_key: SecretStr | None = Field(
        None, description="First admin key (starts with sk-) of tenant default, environment prod; else one is made."
    )
    public_url: str | None = Field(
        None, description="Address that links leaving the engine begin with; else the request's own host is used."
    )

    write_wait_seconds_max: float = Field(
        5.0, gt=0, le=300, description="How long a write, or a read with min_position, waits for the fold."
    )
    fold_lag_seconds_max: float = Field(
        1.0, gt=0, le=3600, description="Bulk loads pause while the fold is further behind the log than this."
    )
    log_poll_milliseconds: int = Field(
        5, ge=1, le=1000, description="How often the fold looks for appends of other processes."
    )

    future_tolerance_hours: int = Field(
        24, ge=0, le=8784, description="How far ahead of its arrival an event's time may lie; later ones are rejected."
    )
    closing_grace_seconds: int = Field(
        3600, ge=0, le=31 * 86_400, description="How long after its end a period still takes events before it closes."
    )

    body_bytes_max: int = Field(
        64 * _MEBIBYTE, ge=1024, description="Largest request body; a larger one is refused with 413."
    )
    event_bytes_max: int = Field(
        1 * _MEBIBYTE, ge=1024, description="Largest single usage event; a larger one is rejected with the reason."
    )
    group_bytes_max: int = Field(
        16 * _MEBIBYTE, ge=1024, description="Bytes of requests that share one append to the log at most."
    )
    pending_requests_max: int = Field(
        1000, ge=1, description="Requests that may wait for the append; further ones are answered 503."
    )
    pending_bytes_max: int = Field(
        256 * _MEBIBYTE, ge=1024, description="Bytes of requests that may wait for the append; beyond it, 503."
    )
    intake_process: bool = Field(
        True, description="Decode and append in a process of its own while serving, so that reads stay quick."
    )

    duckdb_memory_limit: str = Field(
        "1GB", pattern=_BYTE_SIZE, description="Memory that the read store may use, with its unit, such as 512MB."
    )
    duckdb_threads: int = Field(2, ge=1, le=1024, description="Threads that one query of the read store may use.")
    identity_filter_bytes_max: int = Field(
        256 * _MEBIBYTE, ge=_MEBIBYTE, description="Memory that the filter before the identity index may use."
    )
    identity_pending_entries_max: int = Field(
        1_000_000, ge=10_000, description="Identities kept in memory before they are written out as a sorted run."
    )

    seal_interval_seconds: int = Field(300, ge=1, description="How often the log is sealed with its running hash.")
    compact_interval_seconds: int = Field(
        5, ge=1, description="How often rollup deltas and row generations are looked through for compaction."
    )
    compact_deltas_min: int = Field(
        100_000, ge=1, description="Rollup deltas that must have gathered before they are compacted."
    )
    compact_deltas_max: int = Field(
        1_000_000, ge=1, description="Rollup deltas that are compacted even while the fold is behind the log."
    )
    compact_rows_min: int = Field(
        200_000, ge=1, description="Usage rows that must have gathered before they are sorted into a generation."
    )
    compact_rows_max: int = Field(
        1_000_000, ge=1, description="Usage rows that are sorted into a generation even while the fold is behind."
    )
    identity_checkpoint_interval_seconds: int = Field(
        300, ge=1, description="How often the identity index is written out in full."
    )
    closings_interval_seconds: int = Field(60, ge=1, description="How often closed periods are announced.")
    verify_hour_utc: int = Field(3, ge=0, le=23, description="Hour of the day, UTC, of the nightly verification.")

    kafka_bootstrap: str | None = Field(
        None, pattern=_BROKERS, description="Brokers of Kafka to begin with, host:port,host:port; none: no Kafka."
    )
    kafka_usage_topics: TopicNames = Field(
        ("meterfold.usage",), description="Topics to read usage events and commands from, with commas between."
    )
    kafka_customer_topics: TopicNames = Field(
        ("meterfold.customers",),
        description="Topics to read commands and usage events from, where a record without value deletes its customer.",
    )
    kafka_rejected_topic: TopicName = Field("meterfold.rejected", description="Topic that takes rejected records.")
    kafka_group: str = Field(
        "meterfold", min_length=1, max_length=249, description="Group of consumers that share the partitions."
    )
    kafka_tenant: str = Field(
        "default",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="Tenant of records that carry no header meterfold-tenant.",
    )
    kafka_environment: Literal["prod", "test"] = Field(
        "prod", description="Environment of records that carry no header meterfold-environment."
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to talk to the brokers: SSL encrypts, SASL logs in."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How to log in to the brokers."
    )
    kafka_sasl_username: str | None = Field(None, description="Name to log in to the brokers with.")
    kafka_sasl_password: SecretStr | None = Field(None, description="Password to log in to the brokers with.")
    kafka_sasl_password_file: Path | None = Field(
        None, description="File that holds the password instead; a line end after it is not part of it."
    )
    kafka_ssl_cafile: Path | None = Field(
        None, description="Certificates (PEM) to trust brokers by; else those that the system trusts."
    )
    kafka_ssl_certfile: Path | None = Field(None, description="Certificate (PEM) to show to the brokers.")
    kafka_ssl_keyfile: Path | None = Field(None, description="Private key (PEM) of that certificate.")
    kafka_batch_events_max: int = Field(
        10_000, ge=1, le=100_000, description="Records that one poll of Kafka takes at most."
    )
    kafka_batch_bytes_max: int = Field(
        8 * _MEBIBYTE, ge=1024, description="Bytes that one poll of a partition takes at most, or one record."
    )
    kafka_batch_seconds_max: float = Field(
        0.1, gt=0, le=60, description="How long a poll of Kafka waits for more before what came is appended."
    )
    kafka_session_timeout_seconds: int = Field(
        45, ge=1, le=1800, description="How long a consumer may be silent before others take its partitions."
    )
    consumers: int | None = Field(
        None, ge=0, le=64, description="Consumer processes that serve keeps; by default one when Kafka is configured."
    )
    litellm_profile: Literal["current", "seed"] = Field(
        "current", description="Status codes that LiteLLM's clients get: of its present releases, or of 1.71."
    )
    litellm_over_budget_status: int = Field(
        422, ge=400, le=499, description="Status of `?as=litellm` for a customer that is over its budget."
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe message that is written to the error stream."
    )
    log_json: bool = Field(False, description="Write messages as JSON lines instead of text.")

    @field_validator("compact_deltas_max", "compact_rows_max")
    @classmethod
    def _not_below_its_least(cls, most: int, info: ValidationInfo) -> int:
        name = str(info.field_name).removesuffix("_max") + "_min"
        least = info.data.get(name)  # missing when it was refused itself
        if least is not None and most < least:
            raise ValueError(f"must be at least {variable_of(name)}, which is {least}")
        return most


class ShownSetting(msgspec.Struct, frozen=True):
    """A setting as people may see it: secrets masked, `None` as null."""

    name: str
    variable: str
    value: Any
    origin: Origin
    default: Any
    description: str


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def shown_settings(
    settings: Settings, environment: Mapping[str, str], given: Collection[str] = ()
) -> list[ShownSetting]:
    """All settings in their order. `given` names those set on the command line; secrets are masked."""
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
    """Variables with our prefix that set nothing: most likely misspelt."""
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
