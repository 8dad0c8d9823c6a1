"""Version of the running Meterfold, from the metadata of the installed package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final

#: The version when the package is not installed.
NOT_INSTALLED: Final = "0+unknown"


def running_release() -> str:
    """Return the version of the installed package."""
    try:
        return version("meterfold")
    except PackageNotFoundError:
        return NOT_INSTALLED
