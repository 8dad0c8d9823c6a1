"""Settings of the engine, with defaults for a single machine.

A name begins with its subject, then says what is set, its unit and `_max` or `_min` for bounds. Times are seconds,
sizes are bytes; a size may be given with a unit, such as 64MiB. `GROUPS` holds the subjects in the order in which they
are shown. `consumers.setting_variables` reads them from environment variables.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    field_validator,
)

from domain.api_keys.api_key import checked_secret
from domain.errors import InvalidInput
from domain.scope import DEFAULT_SCOPE

PREFIX: Final = "METERFOLD_"

_MEBIBYTE: Final = 1024 * 1024
_BROKERS: Final = r"^[^\s,/]+:[0-9]{1,5}(,[^\s,/]+:[0-9]{1,5})*$"
_SECRET: Final = re.compile(r"[A-Za-z0-9_]{8,255}")
#: An address that a browser may be sent to.
HTTP_URL: Final = r"^https?://[^\s/?#@]+([/?#]\S*)?$"
_BYTE_SIZE: Final = TypeAdapter(ByteSize)


def _split(value: object) -> object:
    """Split a comma-separated list of names."""
    return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value


def _bytes(value: object) -> int:
    """Read a number of bytes, with or without a unit."""
    try:
        return int(_BYTE_SIZE.validate_python(value))
    except ValidationError:
        raise ValueError("must be a number of bytes, such as 67108864, 64MiB or 1GB") from None


Bytes = Annotated[int, BeforeValidator(_bytes)]
#: Kafka's rule for topic names.
TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*$", max_length=249)]
TopicNames = Annotated[tuple[TopicName, ...], BeforeValidator(_split), Field(min_length=1, max_length=100)]
#: Members of the metadata of LiteLLM's logs that say who made a request.
ProxyName = Literal[
    "user_api_key_alias",
    "user_api_key_hash",
    "user_api_key_user_id",
    "user_api_key_team_id",
    "user_api_key_org_id",
    "user_api_key_project_id",
]
ProxyNames = Annotated[tuple[ProxyName, ...], BeforeValidator(_split)]

#: A site in a content security policy, or all of them, or none. It holds nothing that could end the directive.
FrameAncestor = Annotated[
    str, StringConstraints(pattern=r"^(\*|none|https?://(\*\.)?[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?)$")
]
FrameAncestors = Annotated[tuple[FrameAncestor, ...], BeforeValidator(_split), Field(min_length=1, max_length=50)]
SIGNING_SECRET_LENGTH_MIN: Final = 32


class Settings(BaseModel):
    """Everything an operator may configure."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    data_dir: Path = Field(Path("data"), description="Folder of the log, the read store, the indexes and the keys.")
    host: str = Field("127.0.0.1", description="Address that the HTTP server listens on.")
    port: int = Field(
        8080, ge=0, le=65_535, description="TCP port that the HTTP server listens on; 0 takes any free port."
    )
    public_url: str | None = Field(
        None, description="Base URL of links in answers. When not set, the host of the request is used."
    )
    admin_key: SecretStr | None = Field(
        None,
        description="First admin key: sk- and at least 16 characters, for tenant default, environment prod. A changed "
        "one ends the one before. Generated when not set.",
    )

    http_body_bytes_max: Bytes = Field(
        64 * _MEBIBYTE, ge=1024, description="Largest request body. A larger one is refused with 413."
    )
    http_body_events_max: int = Field(
        100_000, ge=1, description="Most events in one request body. A body with more is refused with 413."
    )
    http_write_wait_seconds_max: float = Field(
        5.0, gt=0, le=300, description="How long a write, or a read with min_position, waits for the fold at most."
    )

    intake_process: bool = Field(
        True, description="Decode and append usage in a separate process while serving, so that reads stay fast."
    )
    intake_event_bytes_max: Bytes = Field(
        1 * _MEBIBYTE, ge=1024, description="Largest single usage event. A larger one is rejected."
    )
    intake_append_bytes_max: Bytes = Field(
        16 * _MEBIBYTE, ge=1024, description="Most bytes of requests that share one append to the log."
    )
    intake_pending_requests_max: int = Field(
        1000, ge=1, description="Most requests that may wait to be appended. Further ones are answered with 503."
    )
    intake_pending_bytes_max: Bytes = Field(
        256 * _MEBIBYTE,
        ge=1024,
        description="Most bytes of requests that may wait to be appended. Further requests are answered with 503.",
    )
    intake_future_seconds_max: int = Field(
        86_400,
        ge=0,
        le=366 * 86_400,
        description="How far after its arrival an event's time may be. Events further in the future are rejected.",
    )

    event_log_poll_seconds: float = Field(
        0.1, ge=0.001, le=60, description="How often the fold checks the log for appends of which it got no signal."
    )
    event_log_seal_interval_seconds: int = Field(
        300, ge=1, description="How often a seal with the running hash is appended to the log."
    )
    fold_lag_seconds_max: float = Field(
        1.0, gt=0, le=3600, description="Bulk loads pause while the fold is further behind the log than this."
    )

    period_grace_seconds: int = Field(
        3600,
        ge=0,
        le=31 * 86_400,
        description="How long a period waits for late events after its end, until it is closed.",
    )
    period_closing_interval_seconds: int = Field(
        60, ge=1, description="How often the engine looks for closed periods to announce."
    )

    duckdb_memory_bytes_max: Bytes = Field(
        1_000_000_000, ge=64 * _MEBIBYTE, description="Most memory that the read store may use, such as 512MiB."
    )
    duckdb_threads: int = Field(2, ge=1, le=1024, description="Most threads that one query of the read store may use.")
    flush_records_max: int = Field(
        250_000,
        ge=1,
        description="Number of events and other records folded in memory at which they are flushed into the files of "
        "the read side. At twice as many the fold waits.",
    )
    flush_bytes_max: Bytes = Field(
        256 * _MEBIBYTE,
        ge=_MEBIBYTE,
        description="About how many bytes of events folded in memory are flushed likewise.",
    )
    replay_flush_records_max: int = Field(
        2_000_000,
        ge=1,
        description="Number of events and other records after which a replay makes what it has folded durable. "
        "One that was killed goes on from there.",
    )
    flush_interval_seconds: int = Field(
        60, ge=1, description="How long events are folded in memory alone at most, however few they are."
    )
    compact_interval_seconds: int = Field(
        5, ge=1, description="How often the read side is checked for generations and runs to merge."
    )
    compact_deltas_min: int = Field(50_000, ge=1, description="Least number of rollup deltas that a flush sums.")
    compact_rows_min: int = Field(
        100_000, ge=1, description="Least number of usage rows that a flush sorts into a generation."
    )
    identity_filter_bytes_max: Bytes = Field(
        256 * _MEBIBYTE, ge=_MEBIBYTE, description="Most memory that the filter in front of the identity index may use."
    )
    identity_pending_entries_max: int = Field(
        1_000_000, ge=10_000, description="Identities kept in memory at which there is a flush."
    )
    verify_hour_utc: int = Field(3, ge=0, le=23, description="Hour of the nightly verification, UTC.")

    kafka_bootstrap: str | None = Field(
        None,
        pattern=_BROKERS,
        description="Kafka bootstrap servers, host:port,host:port. Without them Kafka is not used.",
    )
    kafka_consumers: int | None = Field(
        None, ge=0, le=64, description="Consumer processes started by serve; by default one when Kafka is configured."
    )
    kafka_group: str = Field(
        "meterfold", min_length=1, max_length=249, description="Consumer group whose members share the partitions."
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
    kafka_batch_bytes_max: Bytes = Field(
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

    portal_signing_secret: SecretStr | None = Field(
        None,
        description="Secret that signs links to the portal, at least 32 characters. Another one ends all links. "
        "Generated when not set, and kept in the data folder.",
    )
    portal_frame_ancestors: FrameAncestors = Field(
        ("*",),
        description="Sites that may show the portal in a frame, separated by commas, such as https://app.example.com; "
        "* for all, none for no site.",
    )

    litellm_profile: Literal["current", "seed"] = Field(
        "current", description="Status codes of the LiteLLM API: those of its current releases, or of 1.71."
    )
    litellm_over_budget_status: int = Field(
        422, ge=400, le=499, description="Status code with `?as=litellm` for a customer over its budget."
    )
    litellm_customer_fallback: ProxyNames = Field(
        (),
        description="Members of a LiteLLM log's metadata, separated by commas; the first that is present is the "
        "customer of a log without an end user: `user_api_key_alias`, `user_api_key_hash`, `user_api_key_user_id`, "
        "`user_api_key_team_id`, `user_api_key_org_id`, `user_api_key_project_id`. When not set, it is rejected.",
    )

    respan_minute_requests_max: int = Field(
        60, ge=0, le=100_000, description="Most requests a minute to Respan's /users for each tenant; 0 for no limit."
    )

    payment_provider_timeout_seconds: float = Field(
        10.0, gt=0, le=120, description="How long one request for a checkout link waits for the provider at most."
    )
    payment_provider_retries_max: int = Field(
        2,
        ge=0,
        le=5,
        description="How often, within that time, a request that failed is sent again at most.",
    )
    payment_provider_requests_max: int = Field(
        8, ge=1, le=1_000, description="Most requests that may wait for a provider. Further ones are answered with 503."
    )
    checkout_success_url: str = Field(
        "https://stripe.com/",
        pattern=HTTP_URL,
        max_length=2_000,
        description="Where the page of a checkout link leads when the customer is done.",
    )
    stripe_secret_key: SecretStr | None = Field(
        None,
        description="Secret key of a Stripe account, or a restricted one that may write customers and Checkout "
        "sessions. Without it there are no checkout links. A live key is not used for the environment test.",
    )
    stripe_tenant: str = Field(
        DEFAULT_SCOPE.tenant, description="The tenant whose Stripe account it is. Customers of others have no links."
    )
    stripe_api_base: str = Field(
        "https://api.stripe.com",
        pattern=r"^https?://[^\s/?#@]+$",
        description="Base URL of Stripe's API, for a proxy in front of it.",
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest severity of messages written to the error stream."
    )
    log_json: bool = Field(False, description="Write messages as JSON lines instead of text.")

    @field_validator("portal_signing_secret")
    @classmethod
    def _secret_is_long(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value()) < SIGNING_SECRET_LENGTH_MIN:
            raise ValueError(f"must have at least {SIGNING_SECRET_LENGTH_MIN} characters")
        return secret

    @field_validator("admin_key")
    @classmethod
    def _key_is_wellformed(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            try:
                checked_secret(key.get_secret_value())
            except InvalidInput as error:
                raise ValueError(error.rule) from None
        return key

    @field_validator("stripe_secret_key")
    @classmethod
    def _fits_into_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not _SECRET.fullmatch(key.get_secret_value()):
            raise ValueError("must be 8 to 255 letters, digits and _, without spaces and line breaks")
        return key


def variable_of(name: str) -> str:
    """Return the name of a setting's environment variable."""
    return PREFIX + name.upper()


#: The subjects of the settings, by title: names of settings, or what they begin with when it ends in `_`.
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "Set these first": ("data_dir", "host", "port", "public_url", "admin_key"),
    "HTTP": ("http_",),
    "Intake of usage": ("intake_",),
    "Event log and fold": ("event_log_", "fold_"),
    "Periods": ("period_",),
    "Read store": ("duckdb_", "flush_", "replay_", "compact_", "identity_", "verify_"),
    "Kafka": ("kafka_",),
    "Customer portal": ("portal_",),
    "LiteLLM API": ("litellm_",),
    "Respan API": ("respan_",),
    "Payment providers": ("payment_provider_", "checkout_", "stripe_"),
    "Messages": ("log_",),
}


def group_of(name: str) -> str:
    """Return the title of the group that a setting belongs to."""
    return next(
        title
        for title, subjects in GROUPS.items()
        if any(name == subject or (subject.endswith("_") and name.startswith(subject)) for subject in subjects)
    )
