"""Every setting is shown with its origin."""

from __future__ import annotations

import pytest

from tests.api.cli.shell import run


def test_settings_are_shown_with_their_origin_and_secrets_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERFOLD_ADMIN_KEY", "sk-secret")
    monkeypatch.setenv("METERFOLD_PROT", "1")
    ended = run("settings", "--data", "here", "--json")
    shown = {setting["name"]: setting for setting in ended.json()["data"]}
    assert (shown["data_dir"]["value"], shown["data_dir"]["origin"]) == ("here", "command line")
    assert (shown["admin_key"]["value"], shown["admin_key"]["origin"]) == ("********", "environment")
    assert ended.err == "warning: METERFOLD_PROT is not a setting\n"


def test_an_invalid_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERFOLD_PORT", "no")
    ended = run("settings")
    assert (ended.code, ended.err.startswith("meterfold: METERFOLD_PORT: ")) == (2, True)
