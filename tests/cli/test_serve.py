"""`simcore serve` as a shell calls it."""

from __future__ import annotations

import re
import socket

import pytest

pytestmark = pytest.mark.realtime


def test_it_serves_for_as_long_as_it_is_told(simcore) -> None:
    ended = simcore(*("serve", "--socketcand", "--port", 0, "--duration", "0.1", "--tolerate-late"))
    assert ended.code == 0, ended.err
    assert re.match(r"socketcand on 127\.0\.0\.1:\d+: CHASSIS_A", ended.lines[0])
    assert re.match(r"0\.\d{3} s served, worst lateness \d+\.\d\d ms, \d+ of \d+", ended.lines[1])


def test_in_virtual_time_nothing_happens_before_somebody_listens(simcore) -> None:
    ended = simcore("serve", "--socketcand", "--port", 0, "--duration", "0.1", "--virtual")
    assert ended.code == 0
    assert ended.lines[1].startswith("0.000 s served, worst lateness 0.00 ms, 0 of 0 slices")


def test_virtual_time_has_no_speed(simcore) -> None:
    ended = simcore("serve", "--socketcand", "--virtual", "--speed", 2)
    assert ended.code == 2
    assert "--speed is for real time: leave out --virtual" in ended.err


def test_what_to_serve_has_to_be_said(simcore) -> None:
    ended = simcore("serve")
    assert ended.code == 2
    assert "say what to serve: --socketcand" in ended.err


def test_a_port_that_is_taken_is_invalid_input(simcore) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = simcore("serve", "--socketcand", "--port", taken.getsockname()[1])
    assert ended.code == 3
    assert "expected an address that is free" in ended.err


def test_an_unknown_node_is_a_usage_error(simcore) -> None:
    ended = simcore("serve", "--socketcand", "--port", 0, "--outside", "EMB_XX")
    assert ended.code == 2
    assert "outside node EMB_XX: expected one of" in ended.err


def test_it_serves_doip_for_as_long_as_it_is_told(simcore) -> None:
    arguments = ("--port", 0, "--announce-port", 0, "--duration", "0.1", "--tolerate-late")
    ended = simcore("serve", "--doip", *arguments)
    assert ended.code == 0, ended.err
    assert re.match(
        r"DoIP on 127\.0\.0\.1:\d+: GW 0x1000, CDC 0x1010, .*EMB_RR 0x1023$", ended.lines[0]
    )
    assert re.match(r"0\.\d{3} s served, worst lateness \d+\.\d\d ms, \d+ of \d+", ended.lines[1])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--doip", "--socketcand"), "say what to serve: --socketcand or --doip"),
        (("--doip", "--virtual"), "--virtual and --outside are for --socketcand"),
        (("--doip", "--outside", "CDC"), "--virtual and --outside are for --socketcand"),
        (("--doip", "--host", "0.0.0.0"), "DoIP server, host: expected a loopback address"),
    ],
)
def test_what_makes_no_sense_is_refused(simcore, arguments: tuple[str, ...], text: str) -> None:
    ended = simcore("serve", *arguments)
    assert ended.code == 2
    assert text in ended.err
