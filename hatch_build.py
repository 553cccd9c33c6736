"""Build hook: puts the interface files and the shipped scenarios into the wheel.

An editable install reads both from the checkout; a second copy in the package would go stale and
shadow them, so the hook does nothing there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGED_FOLDERS = ("dbc", "scenarios")


class DataFolders(BuildHookInterface):  # type: ignore[type-arg]
    """Maps `dbc/` and `scenarios/` to `simcore/_data/` in a wheel that is not editable."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        for folder in PACKAGED_FOLDERS:
            source = Path(self.root, folder)
            if not source.is_dir() or not any(source.iterdir()):
                raise FileNotFoundError(f"wheel: expected files in {source}, got none")
            build_data["force_include"][str(source)] = f"simcore/_data/{folder}"
