"""Broken actuators: what they send, and when."""

from __future__ import annotations

from simcore.bus import Frame
from simcore.ecu.emb import Emb
from simcore.units import NS_PER_MS, NS_PER_S, NS_PER_US
from tests.mutants.altering import (
    HEADER,
    Retimed,
    Sending,
    ThroughPort,
    resealed,
)


class UnalteredEmb(ThroughPort, Emb):
    """No defect: what all the others have alike."""

    violates = ()


# -- times -----------------------------------------------------------------------------------------


class CycleTooLong(Retimed, Emb):
    """Sends its status every 6 ms instead of 5."""

    violates = ("COM-001", "COM-005")

    def gap_ns(self, count: int, cycle_ns: int) -> int:
        return cycle_ns * 6 // 5


class CycleTooShort(Retimed, Emb):
    """Sends its status twice as often as agreed."""

    violates = ("COM-001", "COM-005")

    def gap_ns(self, count: int, cycle_ns: int) -> int:
        return cycle_ns // 2


class SlowStatusDoubled(Retimed, Emb):
    """Sends the slow status every 100 ms instead of 50."""

    violates = ("COM-001", "COM-005")
    parts = ("St2",)

    def gap_ns(self, count: int, cycle_ns: int) -> int:
        return 2 * cycle_ns


class CycleJitters(Retimed, Emb):
    """Sends its status 1 ms early and 1 ms late by turns; on average the cycle is right."""

    violates = ("COM-001", "COM-005")

    def gap_ns(self, count: int, cycle_ns: int) -> int:
        return cycle_ns + (NS_PER_MS if count % 2 else -NS_PER_MS)


class CycleDrifts(Retimed, Emb):
    """Sends its status ever more slowly: 1 us more from frame to frame."""

    violates = ("COM-011", "COM-001", "COM-005")

    def gap_ns(self, count: int, cycle_ns: int) -> int:
        return cycle_ns + count * NS_PER_US


class CycleHasGaps(Retimed, Emb):
    """Leaves one status out every half second."""

    violates = ("COM-001", "COM-005")

    def gap_ns(self, count: int, cycle_ns: int) -> int:
        return 2 * cycle_ns if count % 100 == 0 else cycle_ns


class SlowStatusMissing(Retimed, Emb):
    """Never sends the slow status."""

    violates = ("COM-001", "COM-006")
    parts = ("St2",)
    first_ns = 1 << 60


class FirstFrameLate(Retimed, Emb):
    """Says nothing at all for the first two seconds after power on."""

    violates = ("COM-006", "COM-001")
    parts = ("St1", "St2")
    first_ns = 2 * NS_PER_S


class StatusTwice(Retimed, Emb):
    """Sends every slow status twice, 1 ms apart."""

    violates = ("COM-001", "COM-005")
    parts = ("St2",)

    def gap_ns(self, count: int, cycle_ns: int) -> int:
        return NS_PER_MS if count % 2 else cycle_ns - NS_PER_MS


# -- frames ----------------------------------------------------------------------------------------


class UnknownFrame(ThroughPort, Emb):
    """Sends a frame that is in no database beside every slow status."""

    violates = ("COM-006",)

    def let_out(self, frame: Frame, channel: str | None) -> None:
        super().let_out(frame, channel)
        if self.carries(frame, "St2"):
            super().let_out(Frame(0x123, bytes(8), is_fd=True, bitrate_switch=True), channel)


class _Reframed(ThroughPort):
    """Every status frame in another shape."""

    ending = "St1"

    def let_out(self, frame: Frame, channel: str | None) -> None:
        if self.carries(frame, self.ending):
            frame = self.reframed(frame)
        super().let_out(frame, channel)

    def reframed(self, frame: Frame) -> Frame:
        return frame


class WrongIdentifier(_Reframed, Emb):
    """Sends the slow status under the next identifier."""

    violates = ("COM-006", "COM-001")
    ending = "St2"

    def reframed(self, frame: Frame) -> Frame:
        return Frame(
            frame.arbitration_id + 0x20,
            frame.data,
            is_fd=frame.is_fd,
            bitrate_switch=frame.bitrate_switch,
        )


class WrongLength(_Reframed, Emb):
    """Sends the slow status four bytes longer than agreed."""

    violates = ("COM-007", "COM-008")
    ending = "St2"

    def reframed(self, frame: Frame) -> Frame:
        return Frame(frame.arbitration_id, frame.data + bytes(4), is_fd=True, bitrate_switch=True)


class RateNotSwitched(_Reframed, Emb):
    """Sends its status without switching to the data bit rate."""

    violates = ("COM-007",)

    def reframed(self, frame: Frame) -> Frame:
        return Frame(frame.arbitration_id, frame.data, is_fd=True, bitrate_switch=False)


class ClassicFrame(_Reframed, Emb):
    """Sends the slow status as a classic frame, of which only 8 bytes fit."""

    violates = ("COM-007", "COM-008")
    ending = "St2"

    def reframed(self, frame: Frame) -> Frame:
        return Frame(frame.arbitration_id, frame.data[:8])


class ExtendedIdentifier(_Reframed, Emb):
    """Sends the slow status with an extended identifier."""

    violates = ("COM-006", "COM-007", "COM-001")
    ending = "St2"

    def reframed(self, frame: Frame) -> Frame:
        return Frame(
            frame.arbitration_id,
            frame.data,
            is_extended_id=True,
            is_fd=True,
            bitrate_switch=True,
        )


class SecondBusUnused(ThroughPort, Emb):
    """Sends its redundant status on the first bus only."""

    violates = ("COM-008", "DEG-003", "COM-001")

    def let_out(self, frame: Frame, channel: str | None) -> None:
        super().let_out(frame, self.channels_of()[0] if channel is None else channel)

    def channels_of(self) -> tuple[str, ...]:
        return self.bare.channels


class BusesDiffer(SecondBusUnused):
    """Protects what it sends on the second bus with a counter of its own."""

    violates = ("COM-008", "DEG-003")

    def let_out(self, frame: Frame, channel: str | None) -> None:
        super().let_out(frame, channel)
        message = self.message_of(frame)
        if channel is None and message is not None and message.is_redundant:
            counter = (frame.data[2] + 100) & 0xFF
            data = frame.data[:2] + bytes((counter,)) + frame.data[HEADER:]
            self.bare.send(frame.with_data(resealed(message, data)), self.channels_of()[1])


# -- layout ----------------------------------------------------------------------------------------


class _Overwritten(Sending):
    """Raw values of signals are overwritten; the checksum is right."""

    def packed(self, data: bytes, now_ns: int) -> bytes:
        codec = self.database.message(f"{self.name}_{self.part}").codec
        raws = {f"{self.name}_{name}": raw for name, raw in self.raws(data).items()}
        return codec.overwrite_raw(data, raws)

    def raws(self, data: bytes) -> dict[str, int]:
        return {}

    def raw(self, data: bytes, signal: str) -> int:
        codec = self.database.message(f"{self.name}_{self.part}").codec
        return codec.raw_reader(f"{self.name}_{signal}").read(data)[0]


class WrongPadding(Sending, Emb):
    """Leaves in the bits that no signal has whatever was in its buffer."""

    violates = ("COM-007",)

    _count = 0

    def packed(self, data: bytes, now_ns: int) -> bytes:
        used = 0
        for signal in self.database.message(f"{self.name}_{self.part}").signals:
            used |= ((1 << signal.length) - 1) << signal.start_bit
        free = ~used & ((1 << 8 * len(data)) - 1)
        left_over = int.from_bytes(bytes((self._count * 37 & 0xFF,)) * len(data), "little")
        self._count += 1
        whole = int.from_bytes(data, "little") | free & left_over
        return whole.to_bytes(len(data), "little")


class WrongBit(_Overwritten, Emb):
    """Packs the wheel speed one bit too far to the left."""

    violates = ("BRK-009", "COM-007", "SAF-005")

    def raws(self, data: bytes) -> dict[str, int]:
        return {"WhlSpd": (self.raw(data, "WhlSpd") << 1) & 0xFFFF}


class WrongScale(_Overwritten, Emb):
    """Tells its clamp force in units of 10 N."""

    violates = ("BRK-009", "BRK-005")

    def raws(self, data: bytes) -> dict[str, int]:
        return {"FAct": 1000 + (self.raw(data, "FAct") - 1000) // 10}


class WrongByteOrder(_Overwritten, Emb):
    """Packs its clamp force big-endian."""

    violates = ("BRK-009", "BRK-005")

    def raws(self, data: bytes) -> dict[str, int]:
        raw = self.raw(data, "FAct")
        return {"FAct": (raw & 0xFF) << 8 | raw >> 8}


class WrongForceSign(_Overwritten, Emb):
    """Tells its clamp force with the sign turned round."""

    violates = ("BRK-009", "BRK-005")

    def raws(self, data: bytes) -> dict[str, int]:
        return {"FAct": max(0, 2000 - self.raw(data, "FAct"))}


class WrongOffset(_Overwritten, Emb):
    """Forgets the offset of the disc temperature: tells 40 degrees too little."""

    violates = ("BRK-010", "COM-007")
    part = "St2"

    def raws(self, data: bytes) -> dict[str, int]:
        return {"TempDisc": max(0, self.raw(data, "TempDisc") - 40)}


class BeyondRange(_Overwritten, Emb):
    """Tells an available force beyond the range of the signal."""

    violates = ("COM-007", "BRK-010")

    def raws(self, data: bytes) -> dict[str, int]:
        return {"FMaxAvl": 255}


class ReservedValue(_Overwritten, Emb):
    """Sends a reserved value while it does what is asked."""

    violates = ("COM-007",)

    def raws(self, data: bytes) -> dict[str, int]:
        return {"ReqEcho": 12} if self.raw(data, "ReqEcho") == 1 else {}


class SaturationMissing(_Overwritten, Emb):
    """Lets a disc temperature beyond the range of its signal wrap round."""

    violates = ("COM-007", "BRK-010", "ROB-001", "SAF-005")
    part = "St2"

    def raws(self, data: bytes) -> dict[str, int]:
        return {"TempDisc": int(self.port.inputs["disc_temperature_c"] + 40) & 0x3FF}


class QualityAlwaysValid(_Overwritten, Emb):
    """Calls its clamp force and its wheel speed valid whatever it knows of the sensors."""

    violates = ("SAF-005",)

    def raws(self, data: bytes) -> dict[str, int]:
        return {"FActQf": 3, "WhlSpdQf": 3}


class StatusFrozen(Sending, Emb):
    """Sends the values of its 120th status for ever, with right counters and checksums."""

    violates = ("BRK-009", "BRK-005")

    _count = 0
    _frozen = b""

    def packed(self, data: bytes, now_ns: int) -> bytes:
        self._count += 1
        if self._count <= 120:
            self._frozen = data
        return self._frozen


class DirectionUnknown(_Overwritten, Emb):
    """Calls every motion of its wheel forward."""

    violates = ("BRK-009", "SAF-005", "COM-007")

    def raws(self, data: bytes) -> dict[str, int]:
        return {"WhlDir": 0}


class DoesNothing:
    """Sends nothing, hears nothing, writes nothing."""

    violates = ("BRK-005", "COM-001")

    def __init__(self, name: str, database: object) -> None:
        """There is nothing to begin with."""

    def start(self, port: object, now_ns: int) -> None:
        """Nothing begins."""

    def receive(self, frame: object, now_ns: int) -> None:
        """Nothing is heard."""

    def on_timer(self, now_ns: int) -> None:
        """Never called."""

    def next_deadline_ns(self) -> int | None:
        """Never."""
        return None
