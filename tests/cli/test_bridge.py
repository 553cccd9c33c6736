"""`simcore bridge` as a shell calls it."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.realtime


def test_a_run_prints_its_figures(simcore) -> None:
    ended = simcore(
        *("bridge", "--interface", "virtual", "--channel", "cli-bridge", "--duration", "0.3"),
        "--tolerate-late",
    )
    assert ended.code == 0, ended.err
    assert "CHASSIS_A is on virtual cli-bridge, seed 0; Ctrl-C ends it" in ended.err
    assert "frames out, 0 in, 0 error frames, 0 own ones heard back, 0 refused" in ended.out
    assert "lateness of" in ended.out
    assert "CDC_EmbCmd" in ended.out


def test_a_finding_fails_the_run(simcore) -> None:
    ended = simcore(
        *("bridge", "--interface", "virtual", "--channel", "cli-bridge", "--duration", "0.3"),
        *("--outside", "BPS", "--tolerate-late"),
    )
    assert ended.code == 1
    assert "finding  BPS is outside and never sent BPS_Pedal" in ended.out


def test_overload_fails_unless_it_is_tolerated(simcore) -> None:
    limits = ("--late-ms", "0.000001", "--duration", "0.05")
    place = ("bridge", "--interface", "virtual", "--channel", "cli-bridge")
    late = simcore(*place, *limits)
    assert late.code == 1
    assert "LATE: virtual time is" in late.err
    assert "finding  overload:" in late.out
    tolerated = simcore(*place, *limits, "--tolerate-late")
    assert tolerated.code == 0
    assert "finding  overload:" in tolerated.out


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (("--interface", "nothing", "--channel", "x"), 3, "interface nothing, channel x: expected"),
        (("--interface", "virtual"), 2, "Missing option '--channel'"),
        (
            ("--interface", "virtual", "--channel", "x", "--outside", "EMB_XX"),
            2,
            "outside node EMB_XX: expected one of CDC",
        ),
        (
            ("--interface", "virtual", "--channel", "x", "--bus", "Z"),
            2,
            "channel 'Z': expected CHASSIS_A",
        ),
        (
            ("--interface", "virtual", "--channel", "x", "--option", "port"),
            2,
            "'port' is not KEY=VALUE",
        ),
        (("--interface", "virtual", "--channel", "x", "--dbc", "no.dbc"), 3, "no.dbc"),
    ],
)
def test_what_cannot_be_bridged_is_said(simcore, arguments, code: int, complaint: str) -> None:
    ended = simcore("bridge", *arguments)
    assert ended.code == code
    assert complaint in ended.err
