"""`meterfold settings`: show every setting."""

from __future__ import annotations

import os
from itertools import groupby
from typing import Final

import msgspec

from api.cli.options import AsCsv, AsJson, DataFolderOption, settings_with
from api.cli.output.columns import Column, Kind
from api.cli.output.results import Output
from api.cli.output.tables import print_table
from api.cli.output.text import print_lines
from consumers.setting_variables import ShownSetting, shown_settings

SETTINGS: Final = (
    Column("Variable", "variable"),
    Column("Value", "value"),
    Column("Origin", "origin", drop=1),
    Column("Meaning", "description", Kind.PROSE, drop=2),
)


def settings(data: DataFolderOption = None, as_json: AsJson = False, as_csv: AsCsv = False) -> None:
    """Show every setting, its value and where it comes from.

    Secrets are masked.
    """
    output = Output(as_json, as_csv)
    given = {"data_dir"} if data is not None else set()
    found = shown_settings(settings_with(data_dir=data), os.environ, given)
    if output.is_text:
        for group, members in groupby(found, key=lambda setting: setting.group):
            print_lines("")
            print_table(group, SETTINGS, map(msgspec.to_builtins, members))
        return
    headers = [field.encode_name for field in msgspec.structs.fields(ShownSetting)]
    output.rows("Settings", SETTINGS, map(msgspec.to_builtins, found), headers=lambda: headers)
