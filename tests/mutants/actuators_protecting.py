"""Broken actuators: how they protect what they send."""

from __future__ import annotations

from fastcrc import crc16

from simcore.ecu.emb import Emb
from simcore.network import Message
from simcore.protection import Profile05Sender
from tests.mutants.altering import (
    HEADER,
    Sending,
)


class Sealer:
    """Protects as `Profile05Sender` does, but for what a mutant does to it."""

    def __init__(self, message: Message) -> None:
        assert message.e2e is not None
        self.message = message
        self.data_id = message.e2e.data_id
        self.counter = 0

    def protect(self, data: bytes) -> bytes:
        data = data[:2] + bytes((self.counter,)) + data[HEADER:]
        sealed = self.checksum(data).to_bytes(2, "little") + data[2:]
        self.counter = self.following(self.counter)
        return sealed

    def checksum(self, data: bytes) -> int:
        return crc16.ibm_3740(data[2:] + self.data_id.to_bytes(2, "little"))

    def following(self, counter: int) -> int:
        return (counter + 1) & 0xFF


class _Sealed(Sending):
    sealer_of: type[Sealer] = Sealer

    def sealer(self, sender: Profile05Sender, message: Message) -> Sealer:
        return self.sealer_of(message)


class SoundSealEmb(_Sealed, Emb):
    """No defect: a checksum computed another way."""

    violates = ()


class _WithoutCounter(Sealer):
    def checksum(self, data: bytes) -> int:
        return super().checksum(data[:2] + bytes(1) + data[HEADER:])


class ChecksumLacksCounter(_Sealed, Emb):
    """Computes the checksum before the counter is put in."""

    violates = ("COM-008",)
    sealer_of = _WithoutCounter


class _OtherId(Sealer):
    def checksum(self, data: bytes) -> int:
        return crc16.ibm_3740(data[2:] + (self.data_id ^ 1).to_bytes(2, "little"))


class WrongDataId(_Sealed, Emb):
    """Protects its status with the data id of the next node."""

    violates = ("COM-008",)
    sealer_of = _OtherId


class _SwappedId(Sealer):
    def checksum(self, data: bytes) -> int:
        return crc16.ibm_3740(data[2:] + self.data_id.to_bytes(2, "big"))


class DataIdSwapped(_Sealed, Emb):
    """Takes the data id into the checksum of its slow status high byte first."""

    violates = ("COM-008",)
    sealer_of = _SwappedId
    part = "St2"


class _InitZero(Sealer):
    def checksum(self, data: bytes) -> int:
        return crc16.xmodem(data[2:] + self.data_id.to_bytes(2, "little"))


class WrongChecksumInit(_Sealed, Emb):
    """Begins the checksum with 0 instead of 0xFFFF."""

    violates = ("COM-008",)
    sealer_of = _InitZero


class _BigEndian(Sealer):
    def checksum(self, data: bytes) -> int:
        crc = super().checksum(data)
        return (crc & 0xFF) << 8 | crc >> 8


class ChecksumBytesSwapped(_Sealed, Emb):
    """Writes the checksum high byte first."""

    violates = ("COM-008",)
    sealer_of = _BigEndian


class _Stuck(Sealer):
    def following(self, counter: int) -> int:
        return min(counter + 1, 100)


class CounterStuck(_Sealed, Emb):
    """Stops counting at 100."""

    violates = ("COM-008",)
    sealer_of = _Stuck


class _ByTwo(Sealer):
    def following(self, counter: int) -> int:
        return (counter + 2) & 0xFF


class CounterByTwo(_Sealed, Emb):
    """Counts by two."""

    violates = ("COM-008",)
    sealer_of = _ByTwo


class _To14(Sealer):
    def following(self, counter: int) -> int:
        return (counter + 1) % 15


class CounterWrapsEarly(_Sealed, Emb):
    """Counts 0 to 14, as profile 2 does."""

    violates = ("COM-008",)
    sealer_of = _To14


class _To254(Sealer):
    def following(self, counter: int) -> int:
        return (counter + 1) % 255


class CounterSkips255(_Sealed, Emb):
    """Counts 0 to 254 and leaves 255 out."""

    violates = ("COM-008", "COM-011")
    sealer_of = _To254


class _Restarting(Sealer):
    _count = 0

    def following(self, counter: int) -> int:
        self._count += 1
        return 0 if self._count % 70 == 0 else (counter + 1) & 0xFF


class CounterRestarts(_Sealed, Emb):
    """Begins to count anew every 70 frames."""

    violates = ("COM-008", "COM-011")
    sealer_of = _Restarting


class _SomeWrong(Sealer):
    _count = 0

    def checksum(self, data: bytes) -> int:
        self._count += 1
        return super().checksum(data) ^ (self._count % 50 == 0)


class ChecksumSometimesWrong(_Sealed, Emb):
    """One status frame in fifty has a wrong checksum."""

    violates = ("COM-008", "COM-011")
    sealer_of = _SomeWrong
