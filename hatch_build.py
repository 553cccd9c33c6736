"""Build hook: puts the interface files and the shipped scenarios into the wheel.

An editable install reads both from the checkout; a second copy in the package would go stale and
shadow them, so the hook does nothing there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGED_FOLDERS = ("dbc", "scenarios")
BUILT = (".so", ".dll", ".dylib", ".o", ".pyc")
"""What a user has built in them stays where it is."""


class DataFolders(BuildHookInterface):  # type: ignore[type-arg]
    """Maps `dbc/` and `scenarios/` to `simcore/_data/` in a wheel that is not editable."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        for folder in PACKAGED_FOLDERS:
            source = Path(self.root, folder)
            if not source.is_dir() or not any(source.iterdir()):
                raise FileNotFoundError(f"wheel: expected files in {source}, got none")
            for file in sorted(source.rglob("*")):
                if file.is_file() and file.suffix not in BUILT and "__pycache__" not in file.parts:
                    place = file.relative_to(self.root).as_posix()
                    build_data["force_include"][str(file)] = f"simcore/_data/{place}"
