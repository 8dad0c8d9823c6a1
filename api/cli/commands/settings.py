"""`meterfold settings`: show every setting."""

from __future__ import annotations

import os

import msgspec

from api.cli.options import AsJson, DataFolderOption, settings_with
from api.cli.output.tables import print_json, print_table
from consumers.setting_variables import shown_settings


def settings(data: DataFolderOption = None, as_json: AsJson = False) -> None:
    """Show every setting, its value and where it comes from. Secrets are masked."""
    given = {"data_dir"} if data is not None else set()
    found = [
        msgspec.to_builtins(setting) for setting in shown_settings(settings_with(data_dir=data), os.environ, given)
    ]
    if as_json:
        print_json({"data": found})
    else:
        print_table("Settings", found, ("variable", "value", "origin", "description"))
