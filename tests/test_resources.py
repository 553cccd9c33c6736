"""Packaged files are found, and a missing one is reported with the places looked at."""

from __future__ import annotations

import pytest

from simcore.errors import InputError
from simcore.resources import dbc_path, scenario_path


def test_the_packaged_dbc_is_found() -> None:
    assert dbc_path("chassis_fd.dbc").read_text(encoding="utf-8").startswith("VERSION")


def test_a_missing_packaged_file_is_reported_with_the_places_looked_at() -> None:
    text = r"packaged file dbc/none\.dbc: expected it in .*_data.dbc or .*dbc, got neither"
    with pytest.raises(InputError, match=text):
        dbc_path("none.dbc")
    with pytest.raises(InputError, match=r"packaged file scenarios/none\.py: expected it in "):
        scenario_path("none.py")
