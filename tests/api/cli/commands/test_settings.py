"""Every setting is shown with its origin."""

from __future__ import annotations

import pytest

from tests.api.cli.shell import run


def test_settings_are_shown_with_their_origin_and_secrets_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERFOLD_ADMIN_KEY", "sk-secret-of-a-test")
    ended = run("settings", "--data", "here", "--json")
    shown = {setting["name"]: setting for setting in ended.json()["data"]}
    assert (shown["data_dir"]["value"], shown["data_dir"]["origin"]) == ("here", "command line")
    assert (shown["admin_key"]["value"], shown["admin_key"]["origin"]) == ("********", "environment")
    assert ended.err == ""


def test_variables_of_kubernetes_are_passed_over_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERFOLD_SERVICE_HOST", "10.0.0.7")
    monkeypatch.setenv("METERFOLD_PORT", "tcp://10.0.0.7:8080")
    ended = run("settings", "--json")
    shown = {setting["name"]: setting for setting in ended.json()["data"]}
    assert (shown["port"]["value"], shown["port"]["origin"]) == (8080, "default")
    passed_over = "METERFOLD_PORT, METERFOLD_SERVICE_HOST passed over: Kubernetes sets these for a service"
    assert ended.err == f"warning: {passed_over}\n"


def test_an_invalid_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERFOLD_PORT", "no")
    monkeypatch.setenv("METERFOLD_PROT", "1")
    ended = run("settings")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines() == [
        "meterfold: METERFOLD_PROT is not a setting: did you mean METERFOLD_PORT?",
        "METERFOLD_PORT: input should be a valid integer, unable to parse string as an integer",
    ]
