"""Environment variables of the settings: reading them, showing them, and naming those that are wrong.

1. Leave out the variables that Kubernetes sets for a service whose name begins with `meterfold`.
2. Refuse every other variable with the prefix that is no setting: name the successor of a renamed one, and the nearest
   name of a misspelt one.
3. Validate the rest together with what the command line gives.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from consumers.errors import SettingsInvalid
from consumers.settings import PREFIX, Settings, group_of, variable_of

MASK: Final = "********"

#: Variables that only the command line reads; they are not settings of the engine.
COMMAND_LINE_VARIABLES: Final = ("METERFOLD_URL", "METERFOLD_KEY")
#: Variables of earlier releases, and the setting that stands for each now.
RENAMED: Final[Mapping[str, str]] = {
    "METERFOLD_BODY_BYTES_MAX": "http_body_bytes_max",
    "METERFOLD_CLOSINGS_INTERVAL_SECONDS": "period_closing_interval_seconds",
    "METERFOLD_CLOSING_GRACE_SECONDS": "period_grace_seconds",
    "METERFOLD_COMPACT_DELTAS_MAX": "flush_records_max",
    "METERFOLD_COMPACT_ROWS_MAX": "flush_records_max",
    "METERFOLD_CONSUMERS": "kafka_consumers",
    "METERFOLD_DUCKDB_MEMORY_LIMIT": "duckdb_memory_bytes_max",
    "METERFOLD_EVENT_BYTES_MAX": "intake_event_bytes_max",
    "METERFOLD_FUTURE_TOLERANCE_HOURS": "intake_future_seconds_max",
    "METERFOLD_GROUP_BYTES_MAX": "intake_append_bytes_max",
    "METERFOLD_IDENTITY_CHECKPOINT_INTERVAL_SECONDS": "flush_interval_seconds",
    "METERFOLD_LOG_POLL_MILLISECONDS": "event_log_poll_seconds",
    "METERFOLD_PENDING_BYTES_MAX": "intake_pending_bytes_max",
    "METERFOLD_PENDING_REQUESTS_MAX": "intake_pending_requests_max",
    "METERFOLD_SEAL_INTERVAL_SECONDS": "event_log_seal_interval_seconds",
    "METERFOLD_WRITE_WAIT_SECONDS_MAX": "http_write_wait_seconds_max",
}
#: What Kubernetes sets for the services of a namespace: its own variables, and the links of Docker.
_SERVICE_NAME: Final = re.compile(
    r"METERFOLD(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_SERVICE_LINK: Final = re.compile(r"METERFOLD(_[A-Z0-9_]+)?_PORT")
_SERVICE_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://.*")

Origin = Literal["default", "environment", "command line"]


class ShownSetting(msgspec.Struct, frozen=True):
    """A setting as it is displayed: secrets are masked, paths and lists are text."""

    group: str
    name: str
    variable: str
    value: Any
    origin: Origin
    default: Any
    description: str


def read_settings(environment: Mapping[str, str], given: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings from environment variables, overridden by `given` (by name of the setting).

    Raises `SettingsInvalid` with one line for each variable that is unknown and each value that breaks a rule. An empty
    variable is not set.
    """
    named = {
        name.upper(): value
        for name, value in environment.items()
        if name.upper().startswith(PREFIX) and value and not _is_of_service(name.upper(), value)
    }
    known = {variable_of(name): name for name in Settings.model_fields}
    unknown = sorted(named.keys() - known.keys() - set(COMMAND_LINE_VARIABLES))
    values = {known[variable]: value for variable, value in named.items() if variable in known} | dict(given or {})
    problems = [_told_unknown(variable, known) for variable in unknown]
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += [_told_invalid(entry) for entry in error.errors(include_url=False)]
    if problems:
        raise SettingsInvalid(tuple(problems))
    return settings


def service_variables(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that `read_settings` leaves out, since Kubernetes sets them for a service."""
    return sorted(name for name, value in environment.items() if _is_of_service(name.upper(), value))


def shown_settings(
    settings: Settings, environment: Mapping[str, str], given: Collection[str] = ()
) -> list[ShownSetting]:
    """Return all settings in the order of their definition. `given` names those set on the command line."""
    set_in_environment = {
        name.upper() for name, value in environment.items() if value and not _is_of_service(name.upper(), value)
    }
    shown = []
    for name, field in type(settings).model_fields.items():
        origin: Origin = "default"
        if name in given:
            origin = "command line"
        elif variable_of(name) in set_in_environment:
            origin = "environment"
        value, default = _plain(getattr(settings, name)), _plain(field.default)
        variable, description = variable_of(name), field.description or ""
        shown.append(ShownSetting(group_of(name), name, variable, value, origin, default, description))
    return shown


def _is_of_service(variable: str, value: str) -> bool:
    if _SERVICE_NAME.fullmatch(variable):
        return True
    return bool(_SERVICE_LINK.fullmatch(variable) and _SERVICE_ADDRESS.fullmatch(value))


def _told_unknown(variable: str, known: Collection[str]) -> str:
    if variable in RENAMED:
        return f"{variable} has a new name: set {variable_of(RENAMED[variable])} ({_unit_of(RENAMED[variable])})"
    names = [name.removeprefix(PREFIX) for name in (*known, *COMMAND_LINE_VARIABLES)]
    nearest = get_close_matches(variable.removeprefix(PREFIX), names, n=1)
    hint = f"did you mean {PREFIX}{nearest[0]}?" if nearest else "'meterfold settings' lists all settings"
    return f"{variable} is not a setting: {hint}"


def _unit_of(name: str) -> str:
    for unit in ("seconds", "bytes"):
        if f"_{unit}" in name:
            return f"in {unit}"
    return "same values"


def _told_invalid(entry: ErrorDetails) -> str:
    name, rule = str(entry["loc"][0]), entry["msg"].removeprefix("Value error, ")
    return f"{variable_of(name)}: {rule[:1].lower()}{rule[1:]}"


def _plain(value: object) -> object:
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return ",".join(value)
    return value
