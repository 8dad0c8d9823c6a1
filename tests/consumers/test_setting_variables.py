"""Settings are read from environment variables; what is wrong is named in one line, and secrets are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from consumers.errors import SettingsInvalid
from consumers.setting_variables import MASK, RENAMED, read_settings, service_variables, shown_settings
from consumers.settings import Settings, variable_of

#: What Kubernetes sets for a service `meterfold` with the named port `http`, and for one called `meterfold-kafka`.
KUBERNETES = {
    "METERFOLD_SERVICE_HOST": "10.0.171.239",
    "METERFOLD_SERVICE_PORT": "8080",
    "METERFOLD_SERVICE_PORT_HTTP": "8080",
    "METERFOLD_PORT": "tcp://10.0.171.239:8080",
    "METERFOLD_PORT_8080_TCP": "tcp://10.0.171.239:8080",
    "METERFOLD_PORT_8080_TCP_PROTO": "tcp",
    "METERFOLD_PORT_8080_TCP_PORT": "8080",
    "METERFOLD_PORT_8080_TCP_ADDR": "10.0.171.239",
    "METERFOLD_KAFKA_SERVICE_HOST": "10.0.171.240",
    "METERFOLD_KAFKA_PORT": "tcp://10.0.171.240:9092",
}


def refused(environment: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsInvalid) as error:
        read_settings(environment)
    return error.value.problems


def test_a_setting_is_shown_with_where_it_comes_from() -> None:
    environment = {"METERFOLD_PORT": "9000", "METERFOLD_HOST": "0.0.0.0"}
    settings = read_settings(environment, {"data_dir": Path("here"), "host": "::1"})
    shown = {
        setting.name: (setting.value, setting.origin)
        for setting in shown_settings(settings, environment, {"data_dir", "host"})
    }
    assert shown["port"] == (9000, "environment")
    assert shown["data_dir"] == ("here", "command line")
    assert shown["host"] == ("::1", "command line")
    assert shown["log_json"] == (False, "default")


def test_a_secret_is_masked() -> None:
    shown = shown_settings(Settings(admin_key=SecretStr("sk-very-secret-indeed")), {})
    assert [setting.value for setting in shown if setting.name == "admin_key"] == [MASK]
    assert "sk-very-secret-indeed" not in repr(shown)


def test_the_key_of_a_payment_provider_is_masked_and_never_told_when_it_is_wrong() -> None:
    settings = read_settings({"METERFOLD_STRIPE_SECRET_KEY": "sk_live_0123456789"})
    shown = shown_settings(settings, {})
    assert [setting.value for setting in shown if setting.name == "stripe_secret_key"] == [MASK]
    assert "0123456789" not in repr(shown) + repr(settings)
    for wrong in ("sk_live_0123\n456789", "sk live 0123456789", "short"):
        problem = "METERFOLD_STRIPE_SECRET_KEY: must be 8 to 255 letters, digits and _, without spaces and line breaks"
        assert refused({"METERFOLD_STRIPE_SECRET_KEY": wrong}) == (problem,)


@pytest.mark.parametrize(
    "base", ["api.stripe.com", "https://sk_live_x@api.stripe.com", "https://api.stripe.com/", "ftp://x"]
)
def test_the_address_of_a_payment_provider_is_a_host_and_has_no_key(base: str) -> None:
    (problem,) = refused({"METERFOLD_STRIPE_API_BASE": base})
    assert (problem.split(":")[0], "sk_live_x" in problem) == ("METERFOLD_STRIPE_API_BASE", False)


def test_an_empty_variable_is_no_setting() -> None:
    assert read_settings({"METERFOLD_PORT": "", "METERFOLD_PROT": ""}) == Settings()


def test_a_misspelt_variable_is_refused_with_the_nearest_name() -> None:
    assert refused({"METERFOLD_PROT": "1", "METERFOLD_URL": "x", "HOME": "/"}) == (
        "METERFOLD_PROT is not a setting: did you mean METERFOLD_PORT?",
    )
    assert refused({"METERFOLD_KAFKA_BOOTSTRAP_SERVERS": "one:9092"}) == (
        "METERFOLD_KAFKA_BOOTSTRAP_SERVERS is not a setting: did you mean METERFOLD_KAFKA_BOOTSTRAP?",
    )
    assert refused({"METERFOLD_XYZ": "1"}) == (
        "METERFOLD_XYZ is not a setting: 'meterfold settings' lists all settings",
    )


def test_every_wrong_variable_is_named_in_one_line_each() -> None:
    assert refused({"METERFOLD_PROT": "1", "METERFOLD_PORT": "x", "METERFOLD_LOG_LEVEL": "loud"}) == (
        "METERFOLD_PROT is not a setting: did you mean METERFOLD_PORT?",
        "METERFOLD_PORT: input should be a valid integer, unable to parse string as an integer",
        "METERFOLD_LOG_LEVEL: input should be 'debug', 'info', 'warning' or 'error'",
    )


def test_a_wrong_secret_is_not_shown() -> None:
    assert refused({"METERFOLD_ADMIN_KEY": "hunter2"}) == (
        "METERFOLD_ADMIN_KEY: must start with 'sk-', followed by 16 to 252 visible ASCII characters",
    )


@pytest.mark.parametrize("variable", sorted(RENAMED))
def test_a_renamed_variable_names_its_successor(variable: str) -> None:
    successor = variable_of(RENAMED[variable])
    assert RENAMED[variable] in Settings.model_fields
    assert variable not in {variable_of(name) for name in Settings.model_fields}
    (problem,) = refused({variable: "1"})
    assert problem.startswith(f"{variable} has a new name: set {successor}")


def test_variables_of_kubernetes_are_passed_over() -> None:
    assert read_settings(KUBERNETES) == Settings()
    assert service_variables(KUBERNETES) == sorted(KUBERNETES)
    assert service_variables({"METERFOLD_PORT": "8080", "METERFOLD_KAFKA_GROUP": "tcp://x"}) == []
    shown = {setting.name: setting.origin for setting in shown_settings(Settings(), KUBERNETES)}
    assert shown["port"] == "default"


def test_names_are_read_in_any_case() -> None:
    assert read_settings({"meterfold_port": "9000"}).port == 9000
