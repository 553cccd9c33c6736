"""The UDS server of an actuator: any requests in any order, at any time, by whatever address.

Each order is a byte (address, pause, whether the response leaves at once), a length and the
request. The ECU behind the table is built once and started anew after whatever may have changed it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from simcore.bus import Frame
from simcore.diag.server import UdsServer
from simcore.ecu.emb import Emb
from simcore.kernel import RandomStream
from simcore.network import Database
from tests.fuzz.draw import Draw

NAME = "uds"
INSTRUMENTED = ("simcore.diag",)
SIZE_MAX = 160
_PAUSES_NS = (0, 1, 5_000_000, 45_000_000, 300_000_000, 4_000_000_000, 5_000_000_000)
_CHANGING = frozenset({0x14, 0x28, 0x2E, 0x2F, 0x31, 0x34, 0x36, 0x85})
_NOT_ANSWERED = (0x11, 0x12, 0x31, 0x7E, 0x7F)
_STEPS_MAX = 2_000


class Port:
    """Nothing around it; the vehicle stands."""

    name = "EMB_FL"
    channels = ("CHASSIS_A",)
    watchdog = flash = None

    def __init__(self) -> None:
        self.inputs: dict[str, float] = dict.fromkeys(
            (
                *("clamp_force_n", "screw_travel_m", "motor_speed_radps", "phase_current_a"),
                *("battery_current_a", "wheel_speed_radps", "park_lock_state"),
            ),
            0.0,
        )
        self.inputs.update(supply_v=48.0, disc_temperature_c=20.0, motor_temperature_c=20.0)
        self.memory: dict[str, bytes] = {}

    def send(self, frame: Frame, channel: str | None = None) -> None: ...
    def accept(self, arbitration_ids: Iterable[int] | None) -> None: ...
    def confirm(self, arbitration_ids: Iterable[int]) -> None: ...
    def timer_changed(self) -> None: ...
    def reset(self, kind: Any) -> None: ...
    def log(self, kind: str, text: str) -> None: ...
    def read(self, pin: str) -> float:
        return self.inputs[pin]

    def write(self, pin: str, value: float) -> None: ...


class Bench:
    """An ECU and its server."""

    def __init__(self) -> None:
        self.port = Port()
        self.ecu = Emb("EMB_FL", Database.reference())
        self.is_changed = True
        self.server: UdsServer

    def begin(self) -> UdsServer:
        """As after power on, with an empty memory."""
        if self.is_changed:
            self.is_changed = False
            self.port.memory.clear()
            self.ecu.start(self.port, 0)
            diagnostics = self.ecu.require_diagnostics(0)
            assert diagnostics is not None
            table = diagnostics.server.table
            self.server = UdsServer(
                table,
                memory=self.port.memory,
                dtcs=self.ecu.trouble_codes.memory,
                stream=RandomStream(0, "uds"),
            )
        self.server.start(0)
        return self.server


@lru_cache(maxsize=1)
def bench() -> Bench:
    """Built once."""
    return Bench()


def seeds() -> list[bytes]:
    """Requests of every service."""
    texts = (
        "1001 1003 3e00 3e80 22f190 220101f190 2701 2702000000000000000 1101 190201ff 14ffffff "
        "280000 8502 2ef19800 2f04010300000fa0 31010301 31030301 3400440000000000000100 3601aa 37 "
        "2901000000 350044000000000000 1902ff 190a 1083 22f186 3e01 10 22 7f1011"
    ).split()
    requests = [bytes.fromhex(text if len(text) % 2 == 0 else text + "0") for text in texts]
    alone = [_order(0, each) for each in requests]
    extended = _order(0, b"\x10\x03")
    return [*alone, *(extended + each for each in alone), extended + b"".join(alone)[:120]]


def _order(choice: int, request: bytes) -> bytes:
    return bytes((choice, len(request))) + request


def check(data: bytes) -> None:
    """One input."""
    draw = Draw(data)
    made = bench()
    server = made.begin()
    now_ns = 0
    while draw:
        choice = draw.byte()
        functional = bool(choice & 1)
        now_ns = _wait(made, now_ns, now_ns + _PAUSES_NS[(choice >> 1) % len(_PAUSES_NS)])
        payload = draw.piece(draw.byte() % 40)
        if not payload:
            continue
        said = server.request(payload, now_ns, functional=functional)
        if payload[0] in _CHANGING and not (said and said[0][0] == 0x7F):
            made.is_changed = True
        assert len(said) <= 1
        for response in said:
            _well_formed(payload, response, functional=functional)
        if choice & 0x10:
            server.sent(now_ns)
        if server.take_reset() is not None:
            server.start(now_ns)
            assert server.session == 1
    _wait(made, now_ns, now_ns + 60_000_000_000)
    server.sent(now_ns)
    _wait(made, now_ns, now_ns + 120_000_000_000)
    assert server.session == 1


def _well_formed(payload: bytes, response: bytes, *, functional: bool) -> None:
    if response[0] != 0x7F:
        assert response[0] == payload[0] + 0x40
        return
    assert len(response) == 3
    assert response[1] == payload[0]
    assert not (functional and response[2] in _NOT_ANSWERED), response.hex()


def _wait(made: Bench, now_ns: int, until_ns: int) -> int:
    server = made.server
    for _ in range(_STEPS_MAX):
        deadline_ns = server.next_deadline_ns()
        if deadline_ns is None or deadline_ns > until_ns:
            return until_ns
        now_ns = max(now_ns, deadline_ns)
        server.on_timer(now_ns)
    raise AssertionError("the server does not come to rest")
