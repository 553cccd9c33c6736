"""`SimcoreBus`: python-can's interface to a simulated bus.

`can.Bus(interface="simcore", channel="chassis")` is a node on a bus of the rig. In virtual time
`recv(timeout)` lets the simulation run until a frame arrives or that much virtual time has passed,
and timestamps are virtual seconds; in real time timestamps are calendar time, as of hardware.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import can
from can.typechecking import AutoDetectedConfig, CanFilters

from simcore.attach.bare import DEFAULT_DATA_BPS, DEFAULT_NOMINAL_BPS, BareBus
from simcore.attach.clock import VirtualClock
from simcore.attach.drive import Drive, World
from simcore.attach.endpoint import Endpoint, Filter
from simcore.attach.message import BusOpenError, BusOperationError, frame_of, message_of
from simcore.attach.outside import MessageKey, names_of, take_over
from simcore.attach.periodic import CyclicTask, Modifier
from simcore.attach.session import EMPTY, FIRST_BUS, Session, join, published
from simcore.bus import BitTiming, Bus, Controller, ErrorState
from simcore.errors import UsageError
from simcore.network import Database
from simcore.rig import Bench, Rig
from simcore.units import NS_PER_S

log = logging.getLogger("simcore.attach")

NODE_NAME = "PYTHON_CAN"
MEANINGLESS = frozenset("app_name serial single_handle sample_point sjw tseg1 tseg2".split())
"""Settings of real adapters that a program may carry along; others are warned about."""
Seconds = float
"""python-can's signatures count in seconds; the type says it where the name cannot."""


class SimcoreBus(can.BusABC):
    """A python-can program's connection to a bus of a rig.

    - `channel` names the bus, see `attach.session`; `rig` is the rig or bare bus itself.
    - `realtime` asks for real time or virtual time; `seed` and `dbc` (a file) are of the rig that
      is made where nothing is published.
    - `outside`: nodes this program plays. Their simulated ECUs are switched off, and what the
      program sends of their messages goes out as theirs.
    - `fd=False` sees and sends classic frames only, as a SocketCAN socket without FD does;
      `bitrate` and `data_bitrate`, where given, have to be those of the bus.
    - `rx_queue_size` limits what waits to be read; more replaces the oldest and is counted.

    Raises `BusOpenError`, a `can.CanInitializationError`.
    """

    def __init__(
        self,
        channel: str | int = FIRST_BUS,
        can_filters: CanFilters | None = None,
        *,
        rig: World | None = None,
        realtime: bool | None = None,
        seed: int | None = None,
        dbc: str | Path | None = None,
        outside: str | Sequence[str] = (),
        receive_own_messages: bool = False,
        ignore_rx_error_frames: bool = False,
        fd: bool | None = None,
        bitrate: int | None = None,
        data_bitrate: int | None = None,
        rx_queue_size: int = 0,
        timing: can.BitTiming | can.BitTimingFd | None = None,
        state: can.BusState = can.BusState.ACTIVE,
        **other: Any,
    ) -> None:
        wanted = _Wanted(str(channel), seed, dbc, bitrate, data_bitrate, timing)
        self._session, self._bus = join(wanted.channel, wanted.make, world=rig, realtime=realtime)
        self._drive: Drive = self._session.drive
        try:
            wanted.require_rates(self._bus, fd=fd)
            with self._drive.touch(claims=False):
                self._endpoint = Endpoint(
                    self._bus,
                    NODE_NAME,
                    senders=_senders(self._session.world, self._bus, names_of(outside)),
                    receives_own=receive_own_messages,
                    receives_errors=not ignore_rx_error_frames,
                    receives_fd=fd is not False,
                    queue_limit=rx_queue_size,
                )
        except BaseException:
            self._session.leave()
            raise
        self._sends_fd = self._bus.carries_fd and fd is not False
        self._listen_only = False
        self.channel = channel
        mode = "real time" if self._session.realtime else "virtual time"
        self.channel_info = f"simcore {self._bus.name} in {mode}"
        self._can_protocol = _protocol(self._bus, self._sends_fd)
        super().__init__(channel, can_filters)
        unknown = ", ".join(sorted(set(other) - MEANINGLESS))
        if unknown:
            log.warning("%s: settings without meaning here: %s", self.channel_info, unknown)
        if state is not can.BusState.ACTIVE:
            self.state = state

    # -- receiving -------------------------------------------------------------------------------

    def recv(self, timeout: Seconds | None = None) -> can.Message | None:
        """The next message, or `None` once `timeout` seconds have passed.

        Without timeout and in virtual time, a wait that cannot end is an error. `recv(0)` looks
        and lets no time pass.
        """
        self._require_open()
        with self._drive.touch():
            received = self._endpoint.take()
            if received is None:
                timeout_ns = None if timeout is None else _in_ns("recv", timeout)
                if timeout_ns == 0:
                    self._drive.found_nothing()
                    return None
                self._drive.wait(self._endpoint.has_received, timeout_ns)
                received = self._endpoint.take()
        if received is None:
            return None
        return message_of(received, self.channel, epoch_ns=self._drive.epoch_ns)

    def _recv_internal(self, timeout: Seconds | None) -> tuple[can.Message | None, bool]:
        return self.recv(timeout), True

    def __iter__(self) -> Iterator[can.Message]:
        """Messages as they come; ends when the bus is shut down."""
        while not self._is_shutdown:
            message = self.recv()
            if message is not None:
                yield message

    def _apply_filters(self, filters: CanFilters | None) -> None:
        """Takes effect for what arrives from now on; error frames pass every filter."""
        with self._drive.touch(claims=False):
            self._endpoint.filters = tuple(
                Filter(each["can_id"], each["can_mask"], each.get("extended"))
                for each in filters or ()
            )

    @property
    def overrun_count(self) -> int:
        """Messages lost because `rx_queue_size` of them waited to be read."""
        return self._endpoint.overrun_count

    # -- sending ---------------------------------------------------------------------------------

    def send(self, msg: can.Message, timeout: Seconds | None = None) -> None:
        """Request transmission, now.

        Where a thousand messages wait already, lets up to `timeout` seconds pass until there is
        room. Raises `BusOperationError` for what the bus cannot take, `UsageError` for a message
        that no frame can carry.
        """
        self._require_open()
        frame = frame_of(msg)
        if frame.is_fd and not self._sends_fd:
            raise BusOperationError(f"send {frame!r}", expected="no CAN FD frames on this bus")
        with self._drive.touch():
            endpoint = self._endpoint
            if not endpoint.has_room():
                timeout_ns = None if timeout is None else _in_ns("send", timeout)
                if timeout_ns == 0 or not self._drive.wait(endpoint.has_room, timeout_ns):
                    raise BusOperationError(f"send {frame!r}", got="the transmit queue is full")
            endpoint.send(frame)

    def _send_periodic_internal(
        self,
        msgs: Sequence[can.Message] | can.Message,
        period_s: float,
        duration_s: float | None = None,
        autostart: bool = True,
        modifier_callback: Modifier | None = None,
    ) -> CyclicTask:
        self._require_open()
        task = CyclicTask(
            self._drive, self._endpoint, msgs, period_s, duration_s, modifier_callback
        )
        if autostart:
            task.start()
        return task

    def flush_tx_buffer(self) -> None:
        """Drop every message that waits to be sent."""
        with self._drive.touch():
            self._endpoint.abort()

    # -- state -----------------------------------------------------------------------------------

    @property
    def state(self) -> can.BusState:
        """ERROR while bus-off, PASSIVE while error passive or listen-only, else ACTIVE."""
        error_state = self._endpoint.controller.error_state
        if error_state is ErrorState.BUS_OFF:
            return can.BusState.ERROR
        passive = self._listen_only or error_state is ErrorState.PASSIVE
        return can.BusState.PASSIVE if passive else can.BusState.ACTIVE

    @state.setter
    def state(self, new_state: can.BusState) -> None:
        """PASSIVE: listen only; ACTIVE: take part again, also after bus-off."""
        if new_state is can.BusState.ERROR:
            raise BusOperationError("state", expected="ACTIVE or PASSIVE", got=str(new_state))
        with self._drive.touch():
            controller = self._endpoint.controller
            self._listen_only = new_state is can.BusState.PASSIVE
            controller.set_listen_only(self._listen_only)
            if not self._listen_only and controller.error_state is ErrorState.BUS_OFF:
                controller.recover()

    @property
    def clock(self) -> VirtualClock:
        """Stands in for the module `time`, so that a program that sleeps runs in virtual time."""
        return self._session.clock

    @property
    def session(self) -> Session:
        """What this bus is on: the rig, and how its time is driven."""
        return self._session

    def shutdown(self) -> None:
        """Leave the bus. A rig that was made for the programs on it ends with the last one."""
        if self._is_shutdown:
            return
        super().shutdown()
        with self._drive.touch(claims=False):
            self._endpoint.close()
        self._session.leave()

    @staticmethod
    def _detect_available_configs() -> list[AutoDetectedConfig]:
        channels = [
            session.name if session.name.startswith(EMPTY) else f"{bus.name}@{session.name}"
            for session in published()
            for bus in session.world.buses
        ]
        if not any(channel.endswith("@") for channel in channels):
            channels.append(FIRST_BUS)
        return [{"interface": "simcore", "channel": each.rstrip("@")} for each in channels]

    def _require_open(self) -> None:
        if self._is_shutdown:
            raise BusOperationError(self.channel_info, got="the bus was shut down")


class _Wanted(NamedTuple):
    """What a program asks of the rig or bus it finds, or that is made for it."""

    channel: str
    seed: int | None
    dbc: str | Path | None
    bitrate: int | None
    data_bitrate: int | None
    timing: can.BitTiming | can.BitTimingFd | None

    def make(self) -> World:
        """A rig of its own, or the bare bus it names."""
        if self.channel.startswith(EMPTY):
            nominal_bps, data_bps = self._rates()
            return BareBus(
                self.channel.removeprefix(EMPTY) or "EMPTY",
                timing=BitTiming(
                    nominal_bps=nominal_bps or DEFAULT_NOMINAL_BPS,
                    data_bps=data_bps or DEFAULT_DATA_BPS,
                ),
            )
        database = None if self.dbc is None else Database.load(self.dbc)
        return Rig(seed=self.seed or 0, database=database)

    def require_rates(self, bus: Bus, *, fd: bool | None) -> None:
        """Refuse a bus that runs at other rates: a real one would be torn down."""
        if fd and not bus.carries_fd:
            raise BusOpenError(f"{bus.name}: fd", expected="False: the bus has no data rate")
        timing = bus.timing
        for name, wanted_bps, real_bps in zip(
            ("bitrate", "data_bitrate"),
            self._rates(),
            (timing.nominal_bps, timing.data_bps),
            strict=True,
        ):
            if wanted_bps is not None and wanted_bps != real_bps:
                raise BusOpenError(f"{bus.name}: {name}", expected=f"{real_bps}", got=wanted_bps)

    def _rates(self) -> tuple[int | None, int | None]:
        timing = self.timing
        if isinstance(timing, can.BitTimingFd):
            return timing.nom_bitrate, timing.data_bitrate
        if timing is not None:
            return timing.bitrate, None
        return self.bitrate, self.data_bitrate


def _senders(world: World, bus: Bus, names: tuple[str, ...]) -> dict[MessageKey, Controller]:
    if not names:
        return {}
    if not isinstance(world, Bench):
        raise BusOpenError("outside", expected="a rig, which has nodes", got="a bare bus")
    return take_over(world, bus, names)


def _protocol(bus: Bus, fd: bool) -> can.CanProtocol:
    if not fd:
        return can.CanProtocol.CAN_20
    return can.CanProtocol.CAN_FD if bus.timing.iso else can.CanProtocol.CAN_FD_NON_ISO


def _in_ns(where: str, duration_s: float) -> int:
    """Whole ns, 0 for what is negative: at least 1 where it is more than nothing."""
    if not duration_s < float("inf"):
        raise UsageError(f"{where}: timeout", expected="seconds or None", got=repr(duration_s))
    return max(1, round(duration_s * NS_PER_S)) if duration_s > 0 else 0
