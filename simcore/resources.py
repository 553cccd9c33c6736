"""Where the packaged interface files and scenario scripts are found.

An installed wheel carries them in `simcore/_data/`; a checkout has them in its top folders `dbc/`
and `scenarios/`. Reading and parsing them is the business of their rooms.
"""

from __future__ import annotations

from pathlib import Path

from simcore.errors import InputError

_PACKAGE = Path(__file__).resolve().parent


def dbc_path(name: str) -> Path:
    """The packaged DBC file `name`, for instance `chassis_fd.dbc`."""
    return _packaged("dbc", name)


def scenario_path(name: str) -> Path:
    """The packaged scenario script `name`, for instance `panic_stop.py`."""
    return _packaged("scenarios", name)


def _packaged(folder: str, name: str) -> Path:
    places = (_PACKAGE / "_data" / folder, _PACKAGE.parent / folder)
    for place in places:
        if (place / name).is_file():
            return place / name
    raise InputError(
        f"packaged file {folder}/{name}",
        expected=f"it in {places[0]} or {places[1]}",
        got="neither",
    )
