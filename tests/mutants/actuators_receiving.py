"""Broken actuators: what they believe, what they obey, and for how long."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from simcore.ecu.emb import Emb
from simcore.ecu.emb.command import CommandSelection, force_target_n
from simcore.ecu.emb.communication import BUS_NONE, ECHO_HOLD_LAST, Command, command_reader
from simcore.ecu.runtime.unchecked import AlwaysValid, LengthOnly
from simcore.protection import E2eState, E2eStatus, Profile05Receiver
from simcore.units import NS_PER_MS, NS_PER_S
from tests.mutants.altering import NEVER_NS, HalfSeen, Hearing, Lenient, Operated, TailUnseen

_LANES = ("CDC_EmbCmd", "CDC2_EmbCmd")

# -- E2E -------------------------------------------------------------------------------------------


class PrimaryUnchecked(Hearing, Emb):
    """Does not check the protection of the primary command."""

    violates = ("COM-002", "COM-003")
    heard = ("CDC_EmbCmd",)

    def doctor(self, reception: Any) -> None:
        reception._checker = LengthOnly(reception.message.length)
        reception._machine = AlwaysValid()


class SecondaryUnchecked(PrimaryUnchecked):
    """Does not check the protection of the secondary command."""

    heard = ("CDC2_EmbCmd",)


class PedalUnchecked(PrimaryUnchecked):
    """Does not check the protection of the pedal."""

    heard = ("BPS_Pedal",)


class HalfOfTheChecksum(Hearing, Emb):
    """Compares one byte of the checksum, of two."""

    violates = ("COM-002", "COM-003")
    heard = (*_LANES, "BPS_Pedal")

    def doctor(self, reception: Any) -> None:
        reception._checker = HalfSeen(reception._checker, reception.message)


class LastByteUnprotected(Hearing, Emb):
    """Leaves the last byte of a command out of the checksum."""

    violates = ("COM-002", "COM-003")
    heard = _LANES

    def doctor(self, reception: Any) -> None:
        reception._checker = TailUnseen(reception._checker, reception.message)


class RepeatedAccepted(Hearing, Emb):
    """Takes a command whose counter has not moved."""

    violates = ("COM-002", "COM-003")
    heard = _LANES

    def doctor(self, reception: Any) -> None:
        reception._checker = Lenient(reception._checker, E2eStatus.REPEATED)


class WrongSequenceAccepted(Hearing, Emb):
    """Takes a command whose counter has jumped."""

    violates = ("COM-002", "COM-003")
    heard = _LANES

    def doctor(self, reception: Any) -> None:
        reception._checker = Lenient(reception._checker, E2eStatus.WRONG_SEQUENCE)


class _AnyId:
    """Tries the data ids of all messages."""

    def __init__(self, message: Any, checker: Any) -> None:
        self._checker = checker
        ids = {each.e2e.data_id for each in message.database.messages if each.e2e is not None}
        self._ids = sorted(ids)
        self._length = message.length
        self._config = message.e2e

    @property
    def counter(self) -> int:
        return self._checker.counter

    def check(self, data: bytes) -> E2eStatus:
        status = self._checker.check(data)
        if status is not E2eStatus.ERROR:
            return status
        for data_id in self._ids:
            receiver = Profile05Receiver(data_id, self._length)
            receiver.counter = self._checker.counter
            status = receiver.check(data)
            if status is not E2eStatus.ERROR:
                self._checker.counter = receiver.counter
                return status
        return E2eStatus.ERROR

    def no_new_data(self) -> E2eStatus:
        return self._checker.no_new_data()


class AnyDataIdAccepted(Hearing, Emb):
    """Takes a command that was protected as some other message."""

    violates = ("COM-002", "COM-003")
    heard = _LANES

    def doctor(self, reception: Any) -> None:
        reception._checker = _AnyId(reception.message, reception._checker)


class NoLossTolerated(Hearing, Emb):
    """Refuses the command that follows a lost one."""

    violates = ("COM-002", "COM-003")
    heard = _LANES

    def doctor(self, reception: Any) -> None:
        reception._checker.max_delta_counter = 1


class _Final:
    """A machine that never leaves INVALID."""

    saturated = False

    def __init__(self, machine: Any) -> None:
        self._machine = machine
        self._was_valid = self._is_over = False

    @property
    def state(self) -> E2eState:
        return E2eState.INVALID if self._is_over else self._machine.state

    def step(self, status: E2eStatus) -> E2eState:
        state = self._machine.step(status)
        self._was_valid = self._was_valid or state is E2eState.VALID
        self._is_over = self._is_over or (self._was_valid and state is E2eState.INVALID)
        return self.state


class NeverRecovers(Hearing, Emb):
    """Never again believes a lane that was invalid once."""

    violates = ("COM-003", "COM-002")
    heard = _LANES

    def doctor(self, reception: Any) -> None:
        reception._machine = _Final(reception._machine)


class _Hasty:
    """A machine that is VALID from the first right frame on."""

    saturated = False

    def __init__(self, machine: Any) -> None:
        self._machine = machine
        self.state = machine.state

    def step(self, status: E2eStatus) -> E2eState:
        self.state = self._machine.step(status)
        if status in (E2eStatus.OK, E2eStatus.OK_SOME_LOST):
            self.state = E2eState.VALID
        return self.state


class ValidTooSoon(Hearing, Emb):
    """Believes a lane again with the first right frame after an invalid stretch."""

    violates = ("COM-003",)
    heard = ("CDC_EmbCmd",)

    def doctor(self, reception: Any) -> None:
        reception._machine = _Hasty(reception._machine)


class PedalBelievedForEver(Hearing, Emb):
    """Never notices that the pedal is silent."""

    violates = ("COM-004", "COM-003")
    heard = ("BPS_Pedal",)

    def doctor(self, reception: Any) -> None:
        reception._cycle_ns = None
        reception._lifetime_ns = NEVER_NS


# -- lanes and times -------------------------------------------------------------------------------


class TimeoutLate(Hearing, Emb):
    """Notices a missing primary command after 100 ms instead of 15."""

    violates = ("COM-004", "COM-003")
    heard = ("CDC_EmbCmd",)
    lifetime_ns = 100 * NS_PER_MS

    def doctor(self, reception: Any) -> None:
        reception._cycle_ns = None
        reception._lifetime_ns = self.lifetime_ns


class TimeoutMissing(TimeoutLate):
    """Never notices that the primary command is missing."""

    lifetime_ns = NEVER_NS


class TimeoutHasty(Hearing, Emb):
    """Gives the primary lane up 7 ms after its last command: one lost frame is enough."""

    violates = ("COM-002", "COM-004", "COM-003")
    heard = ("CDC_EmbCmd",)

    def doctor(self, reception: Any) -> None:
        reception._lifetime_ns = 7 * NS_PER_MS


class NoLaneSwitch(Hearing, Emb):
    """Ignores the secondary controller."""

    violates = ("COM-004",)
    heard = ("CDC2_EmbCmd",)

    def doctor(self, reception: Any) -> None:
        reception._lifetime_ns = -NEVER_NS


class SecondaryPreferred(Operated, Emb):
    """Obeys the secondary controller whenever that commands."""

    violates = ("COM-004",)

    def operate(self) -> None:
        self.selection.__class__ = _SecondaryFirst


class _SecondaryFirst(CommandSelection):
    __slots__ = ()

    def select(self, now_ns: int) -> Command:
        if self._secondary.usable(now_ns):
            command = Command._make(self._read_secondary.read(self._secondary.data))
            if command.valid and self._acceptable(command, now_ns):
                self.decoded = None
                return self._obey(command, self._secondary, now_ns)
        return super().select(now_ns)


class _Sticky(CommandSelection):
    __slots__ = ()

    def select(self, now_ns: int) -> Command:
        command = super().select(now_ns)
        if self.obeyed is self._secondary and not self.primary_late:
            self.primary_late = True
        return command


class NeverSwitchesBack(Operated, Emb):
    """Stays with the secondary controller once it has obeyed it."""

    violates = ("COM-004",)

    def operate(self) -> None:
        self.selection.__class__ = _Sticky

    def _judge_arrival(self, now_ns: int) -> None:
        """Nothing brings the primary back."""


class _Clinging(CommandSelection):
    __slots__ = ()

    def _without_command(self, now_ns: int) -> Command:
        if self._lost_since_ns is None:
            self._lost_since_ns = now_ns
        self.bus, self.obeyed = BUS_NONE, None
        if self._commanded:
            self.echo = ECHO_HOLD_LAST
        return self.command


class LastForceForEver(Operated, Emb):
    """Keeps the last force for as long as no command comes."""

    violates = ("COM-004",)

    def operate(self) -> None:
        self.selection.__class__ = _Clinging


class _Tired(CommandSelection):
    __slots__ = ()

    def _pedal_direct(self, travel_mm: float | None) -> Command:
        return super()._pedal_direct(None)


class PedalDirectMissing(Operated, Emb):
    """Releases where it should brake by the pedal itself."""

    violates = ("COM-004",)

    def operate(self) -> None:
        self.selection.__class__ = _Tired


class _Nervous(CommandSelection):
    __slots__ = ()

    def _without_command(self, now_ns: int) -> Command:
        self.bus, self.obeyed = BUS_NONE, None
        if self._lost_since_ns is None:
            self._lost_since_ns = now_ns
        return self._pedal_direct(self._pedal_travel_mm(now_ns))


class NothingHeld(Operated, Emb):
    """Does not hold the last force when the commands stop."""

    violates = ("COM-004",)

    def operate(self) -> None:
        self.selection.__class__ = _Nervous


class HeldTooLong(Emb):
    """Holds the last force for 2 s when the commands stop."""

    violates = ("COM-004",)

    def __init__(self, name: str, database: Any) -> None:
        super().__init__(name, database)
        self.parameters = replace(self.parameters, hold_last_ns=2 * NS_PER_S)


class ReleasedPedalIgnored(Operated, Emb):
    """Holds on without commands though the driver has let go of the pedal."""

    violates = ("COM-004", "BRK-003")

    def operate(self) -> None:
        self.selection.__class__ = _Deaf


class _Deaf(CommandSelection):
    __slots__ = ()

    def _without_command(self, now_ns: int) -> Command:
        parameters = self._parameters
        lost_ns = now_ns if self._lost_since_ns is None else self._lost_since_ns
        if now_ns - lost_ns < parameters.command_lost_ns + parameters.hold_last_ns:
            if self._commanded and force_target_n(self.command, 0.0) > 0.0:
                if self._lost_since_ns is None:
                    self._lost_since_ns = now_ns
                self.bus, self.obeyed, self.echo = BUS_NONE, None, ECHO_HOLD_LAST
                return self.command
        return super()._without_command(now_ns)


# -- content ---------------------------------------------------------------------------------------


class _Valid:
    """A reader of commands for which every request is valid."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def read(self, data: bytes) -> tuple[Any, ...]:
        force, mode, slope, _, *rest = self._reader.read(data)
        return (force, mode, slope, 1, *rest)


class ValidityIgnored(Operated, Emb):
    """Obeys requests that are marked as not valid."""

    violates = ("COM-004", "BRK-003")

    def operate(self) -> None:
        selection = self.selection
        selection._read_primary = _Valid(selection._read_primary)
        selection._read_secondary = _Valid(selection._read_secondary)


class SidesSwapped(Operated, Emb):
    """Obeys what is meant for the other side of its axle."""

    violates = ("BRK-005", "BRK-009", "BRK-003")

    def operate(self) -> None:
        corner = self.name.rpartition("_")[2]
        other = corner[0] + {"L": "R", "R": "L"}[corner[1]]
        selection, monitor = self.selection, self.monitor
        selection._read_primary = command_reader(self.database, "CDC", other)
        selection._read_secondary = command_reader(self.database, "CDC2", other)
        if monitor is not None:
            monitor._read_primary = selection._read_primary
            monitor._read_secondary = selection._read_secondary


class _Beyond(CommandSelection):
    __slots__ = ()

    def _acceptable(self, command: Command, now_ns: int) -> bool:
        return True


class ReservedAccepted(Operated, Emb):
    """Takes requests beyond the range of the database for what they say."""

    violates = ("COM-009", "SAF-004", "COM-002", "BRK-003")

    def operate(self) -> None:
        self.selection.__class__ = _Beyond


class GradientUnlimited(Operated, Emb):
    """Follows every request with a right checksum, plausible or not."""

    violates = ("SAF-004",)

    def operate(self) -> None:
        self.selection.limit._enabled = False


class SecondBusUnheard(Emb):
    """Hears nothing on the second bus."""

    violates = ("DEG-003",)

    def receive_on(self, channel: str, frame: Any, now_ns: int) -> None:
        if channel == self.port.channels[0]:
            super().receive_on(channel, frame, now_ns)
