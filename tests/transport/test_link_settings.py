"""Settings of a link: what they refuse."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from simcore.errors import UsageError
from simcore.transport import LinkSettings


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tx_dl": 10}, r"LinkSettings, tx_dl: expected one of \(8, 12, .*64\), got 10"),
        ({"tx_dl": 7}, "LinkSettings, tx_dl: expected one of"),
        ({"tx_dl": 64, "is_fd": False}, "LinkSettings, tx_dl: expected 8 without is_fd, got 64"),
        ({"padding": 256}, r"LinkSettings, padding: expected a whole number 0\.\.255, got 256"),
        ({"block_size": 256}, r"LinkSettings, block_size: expected a whole number 0\.\.255"),
        ({"block_size": True}, r"LinkSettings, block_size: expected a whole number"),
        ({"separation_time_ns": -1}, "LinkSettings, separation_time_ns: expected a whole number"),
        ({"separation_time_ns": 50_000}, "separation_time_ns: expected 100..900 us in steps"),
        ({"receive_buffer_size": 0}, "LinkSettings, receive_buffer_size: expected a whole number"),
        ({"receive_buffer_size": 1 << 32}, r"receive_buffer_size: .* 1\.\.4294967295"),
        ({"wait_frames_max": -1}, "LinkSettings, wait_frames_max: expected a whole number >= 0"),
        ({"wait_frames_accepted": -1}, "LinkSettings, wait_frames_accepted: expected"),
        ({"n_as_ns": 0}, "LinkSettings, n_as_ns: expected a whole number >= 1, got 0"),
        ({"n_ar_ns": 0}, "LinkSettings, n_ar_ns: expected"),
        ({"n_bs_ns": 1.0}, "LinkSettings, n_bs_ns: expected"),
        ({"n_cr_ns": 0}, "LinkSettings, n_cr_ns: expected"),
        ({"wait_interval_ns": 0}, "LinkSettings, wait_interval_ns: expected"),
        ({"window_size": 0}, "LinkSettings, window_size: expected"),
        ({"n_br_ns": -1}, "LinkSettings, n_br_ns: expected a whole number >= 0, got -1"),
        ({"n_cs_ns": -1}, "LinkSettings, n_cs_ns: expected"),
        ({"window_ns": -1}, "LinkSettings, window_ns: expected"),
    ],
)
def test_bad_settings_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LinkSettings(**arguments)


def test_settings_are_their_own_copy() -> None:
    settings = LinkSettings(tx_dl=8, is_fd=False)
    assert copy.copy(settings) is settings
    assert copy.deepcopy(settings) is settings
