"""Secured messages in an ECU: order of protections, two buses, resets, keys, what is counted."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from simcore.bus import Frame
from simcore.ecu.runtime import (
    FreshnessSource,
    LaneWatch,
    Reception,
    SecuredReception,
    SecuredRedundantReception,
    SecuredTransmission,
    Transmission,
    reception_of,
    transmission_of,
)
from simcore.ecu.runtime.secured import BLOCK, LANE_SKEW
from simcore.errors import InputError, UsageError
from simcore.network import Database, Message
from simcore.protection import Profile05Receiver
from simcore.protection.cmac import KeyStore, memory_of
from simcore.protection.e2e_status import E2eStatus
from simcore.protection.secoc import secoc_receiver
from simcore.protection.secoc_status import SecOcReason
from simcore.resources import dbc_path
from simcore.rig.reference import test_key as key_of_slot
from simcore.units import ms

A, B = 0, 1
SECURED = Database.load(dbc_path("chassis_fd_secoc.dbc"))
COMMAND = SECURED.message("CDC_EmbCmd")
KEYS = {1: key_of_slot(1), 2: key_of_slot(2)}


class Port:
    """As much of a port as communication needs."""

    def __init__(self, *channels: str, keys: dict[int, bytes] | None = None) -> None:
        self.channels = channels or ("CHASSIS_A",)
        self.memory = memory_of(KEYS if keys is None else keys)
        self.sent: list[bytes] = []
        self.texts: list[str] = []

    def send(self, frame: Frame, channel: str | None = None) -> None:
        self.sent.append(frame.data)

    def log(self, kind: str, text: str) -> None:
        assert kind == "detection"
        self.texts.append(text)


class Cdc:
    """Sends the command of one force; `next()` is the payload of the next frame."""

    def __init__(self, port: Port | None = None, message: Message = COMMAND) -> None:
        self.port: Any = port or Port()
        self.force_n = 0.0
        self.message = message
        self.start()

    def start(self) -> None:
        """Power on."""
        self.transmission = transmission_of(self.message, self.port, self._pack)

    def _pack(self, now_ns: int) -> bytes:
        return self.message.codec.writer("CDC_FL_FReq").write(self.force_n)

    def next(self) -> bytes:
        self.transmission.transmit(0)
        data: bytes = self.port.sent[-1]
        return data


def received(port: Any = None, message: Message = COMMAND) -> Any:
    port = Port() if port is None else port
    lanes = LaneWatch(port) if len(port.channels) > 1 else None
    return reception_of(message, port, lanes)


def force_n(reception: Reception) -> float:
    """What a control function reads."""
    reader = reception.message.codec.reader("CDC_FL_FReq")
    return float(reader.read(reception.data)[0])


# -- which way a message goes --------------------------------------------------------------------


def test_messages_without_secoc_never_come_through_the_secured_classes() -> None:
    port: Any = Port("CHASSIS_A", "CHASSIS_B")
    for message in SECURED.messages:
        is_secured = message.name in ("CDC_EmbCmd", "CDC2_EmbCmd")
        assert isinstance(transmission_of(message, port, bytes), SecuredTransmission) is is_secured
        reception = reception_of(message, port, LaneWatch(port))
        kinds = (SecuredReception, SecuredRedundantReception)
        assert isinstance(reception, kinds) is is_secured
    plain = Database.reference().message("CDC_EmbCmd")
    assert type(transmission_of(plain, port, bytes)) is Transmission
    assert type(reception_of(plain, port, None)) is Reception


def test_e2e_is_inside_and_secoc_outside() -> None:
    cdc = Cdc()
    frames = [cdc.next() for _ in range(3)]
    plain = Cdc(message=Database.reference().message("CDC_EmbCmd"))
    for frame in frames:
        assert len(frame) == 32
        assert frame[:24] == plain.next()  # the authentic part is the frame without SecOC
    receiver = secoc_receiver(COMMAND.secoc, KeyStore(KEYS))  # type: ignore[arg-type]
    checker = Profile05Receiver(COMMAND.e2e.data_id, 24)  # type: ignore[union-attr]
    for count, frame in enumerate(frames):
        assert frame[24:26] == (count + 1).to_bytes(2, "big")
        assert checker.check(receiver.verify(frame).data or b"") is E2eStatus.OK


def test_the_signals_of_the_trailer_are_in_the_database() -> None:
    cdc = Cdc()
    values = COMMAND.codec.decode([cdc.next() for _ in range(5)][-1])
    assert values["SecOC_Fv"] == 5
    assert values["SecOC_Mac"] == int.from_bytes(cdc.port.sent[-1][26:], "big")


# -- reception on one bus ------------------------------------------------------------------------


def test_what_verifies_is_used_and_what_does_not_leaves_no_trace() -> None:
    cdc, emb = Cdc(), received()
    for now_ms in range(5):
        emb.receive(cdc.next(), ms(5 * now_ms))
    assert emb.usable(ms(20))
    before = {name: getattr(emb, name) for name in ("data", "status", "updated_ns", "expected_ns")}
    before["received_ns"] = emb.received_ns
    cdc.force_n = 9000.0
    good = cdc.next()
    for bit in range(8 * len(good)):
        forged = bytearray(good)
        forged[bit // 8] ^= 1 << bit % 8
        emb.receive(bytes(forged), ms(21))
        assert {name: getattr(emb, name) for name in before} == before
    assert emb.rejected_count == 256
    emb.receive(good, ms(25))
    assert (emb.status, force_n(emb)) == (E2eStatus.OK, 9000.0)


def test_ten_thousand_forged_frames_do_not_make_the_stream_invalid() -> None:
    """E2E alone would go to INVALID on the third: the attacker could switch the lane off."""
    cdc, emb = Cdc(), received()
    for now_ms in range(5):
        emb.receive(cdc.next(), ms(5 * now_ms))
    for _ in range(10_000):
        emb.receive(bytes(32), ms(21))
    assert emb.usable(ms(21))
    assert emb.guard.reasons == {SecOcReason.MAC_MISMATCH: 10_000}


def test_each_reason_is_logged_once_and_counted_always() -> None:
    port: Any = Port()
    cdc, emb = Cdc(), received(port)
    frames = [cdc.next() for _ in range(3)]
    for frame in (*frames, *frames, frames[0][:31], bytes(32), bytes(32)):
        emb.receive(frame, 0)
    assert port.texts == [
        "CDC_EmbCmd on CHASSIS_A rejected by SecOC: replay",
        "CDC_EmbCmd on CHASSIS_A rejected by SecOC: too short",
        "CDC_EmbCmd on CHASSIS_A rejected by SecOC: MAC mismatch",
    ]
    assert emb.guard.reasons == {
        SecOcReason.REPLAY: 3,
        SecOcReason.TOO_SHORT: 1,
        SecOcReason.MAC_MISMATCH: 2,
    }
    assert emb.guard.rejected == emb.rejected_count == 6


@pytest.mark.parametrize("channels", [("CHASSIS_A",), ("CHASSIS_A", "CHASSIS_B")])
def test_a_cycle_without_a_frame_that_verifies_is_no_new_data(channels: tuple[str, ...]) -> None:
    cdc, emb = Cdc(), received(Port(*channels))
    emb.monitor(0)
    for now_ms in range(5):
        emb.receive(cdc.next(), ms(5 * now_ms))
        emb.monitor(ms(5 * now_ms))
    assert emb.usable(ms(20))
    for now_ms in range(25, 60, 5):
        emb.receive(bytes(32), ms(now_ms))
        emb.monitor(ms(now_ms) + ms(3))
        if now_ms >= 30:
            assert emb.status is E2eStatus.NO_NEW_DATA
    assert emb.rejected_count == 7
    assert not emb.usable(ms(60))
    for now_ms in range(60, 100, 5):
        emb.receive(cdc.next(), ms(now_ms))
        emb.monitor(ms(now_ms))
    assert emb.usable(ms(95))


def test_messages_with_the_same_freshness_value_id_have_a_place_each_in_memory() -> None:
    """Two senders may use the same one; whoever receives both must not mix them up."""
    text = dbc_path("chassis_fd_secoc.dbc").read_text(encoding="ascii")
    old = 'BA_ "SecOCFreshnessValueId" BO_ 100 2;'
    assert text.count(old) == 1
    database = Database.from_text(text.replace(old, old.replace("100 2", "100 1")), name="x.dbc")
    assert database.problems == ()
    port: Any = Port()
    for name, count in (("CDC_EmbCmd", 300), ("CDC2_EmbCmd", 3)):
        message = database.message(name)
        sender = Cdc()
        sender.message = message
        sender._pack = message.codec.writer(f"{name[:-7]}_FL_FReq").write  # type: ignore[assignment]
        sender.start()
        emb = received(port, message)
        for _ in range(count):
            emb.receive(sender.next(), 0)
        assert emb.guard.rejected == 0
    assert port.memory["secoc.freshness.CDC_EmbCmd"] == (300).to_bytes(8, "big")
    assert port.memory["secoc.freshness.CDC2_EmbCmd"] == (3).to_bytes(8, "big")


# -- two buses -----------------------------------------------------------------------------------


def test_the_copy_on_the_other_bus_is_no_replay() -> None:
    cdc, emb = Cdc(), received(Port("CHASSIS_A", "CHASSIS_B"))
    for now_ms in range(100):
        frame = cdc.next()
        emb.receive(frame, ms(5 * now_ms), A)
        emb.receive(frame, ms(5 * now_ms), B)
    assert (emb.rejected_count, emb.late_count, emb.guard.rejected) == (0, 0, 0)
    assert emb.usable(ms(500))
    assert emb.silent_lane == -1


@pytest.mark.parametrize("lane", [A, B])
def test_the_second_copy_on_the_same_bus_is_a_replay(lane: int) -> None:
    cdc, emb = Cdc(), received(Port("CHASSIS_A", "CHASSIS_B"))
    for now_ms in range(10):
        frame = cdc.next()
        emb.receive(frame, ms(5 * now_ms), A)
        emb.receive(frame, ms(5 * now_ms), B)
        emb.receive(frame, ms(5 * now_ms), lane)
    assert emb.guard.reasons == {SecOcReason.REPLAY: 10}


def test_a_recording_of_one_bus_is_rejected_on_the_other_that_was_silent() -> None:
    cdc, emb = Cdc(), received(Port("CHASSIS_A", "CHASSIS_B"))
    frames = [cdc.next() for _ in range(100)]
    for count, frame in enumerate(frames):
        emb.receive(frame, ms(5 * count), A)
    cdc.force_n = 9000.0
    for frame in frames[: -LANE_SKEW - 1]:
        emb.receive(frame, ms(500), B)
    assert emb.guard.receivers[B].accepted == 0
    # The very last ones verify, for a slow bus may bring them; E2E knows their counters.
    for frame in frames[-LANE_SKEW:]:
        emb.receive(frame, ms(500), B)
    assert emb.updated_ns == ms(495)


def test_each_bus_alone_carries_on_when_the_other_is_lost_and_when_it_comes_back() -> None:
    cdc, emb = Cdc(), received(Port("CHASSIS_A", "CHASSIS_B"))
    now_ns = 0
    for lanes in ((A, B), (B,), (A, B), (A,), (A, B)):
        for _ in range(300):
            now_ns += ms(5)
            frame = cdc.next()
            for lane in lanes:
                emb.receive(frame, now_ns, lane)
            assert emb.updated_ns == now_ns or now_ns < ms(20)  # E2E wants three to begin
    assert emb.guard.rejected == 0


# -- resets --------------------------------------------------------------------------------------


def test_after_a_reset_of_the_sender_no_count_is_used_twice_and_receivers_follow() -> None:
    cdc, emb = Cdc(), received()
    seen: set[bytes] = set()
    for count in (1, 5, BLOCK - 1, BLOCK, BLOCK + 1, 700):
        for _ in range(count):
            frame = cdc.next()
            assert frame[24:26] not in seen
            seen.add(frame[24:26])
            emb.receive(frame, 0)
        cdc.start()
    assert emb.guard.rejected == 0


def test_after_a_reset_of_the_receiver_recorded_frames_stay_rejected() -> None:
    port: Any = Port()
    cdc, emb = Cdc(), received(port)
    frames = [cdc.next() for _ in range(400)]
    for frame in frames:
        emb.receive(frame, 0)
    emb = received(port)  # power on with the same memory
    for frame in frames:
        emb.receive(frame, 0)
    assert emb.guard.receivers[A].accepted == 0
    emb.receive(cdc.next(), 0)
    assert emb.guard.receivers[A].accepted == 1


def test_a_receiver_that_was_off_for_five_minutes_is_in_step_at_once() -> None:
    port: Any = Port()
    cdc, emb = Cdc(), received(port)
    emb.receive(cdc.next(), 0)
    cdc.transmission._freshness.value += 60_000  # type: ignore[attr-defined]
    emb = received(port)
    emb.receive(cdc.next(), 0)
    assert emb.guard.rejected == 0


# -- keys ----------------------------------------------------------------------------------------


def test_without_a_key_nothing_is_sent_and_nothing_accepted() -> None:
    keyless: Any = Port(keys={})
    cdc = Cdc(keyless)
    for _ in range(3):
        cdc.transmission.transmit(0)
    assert keyless.sent == []
    assert keyless.texts == ["CDC_EmbCmd not sent: SecOC, key slot empty"]
    emb = received(Port(keys={2: KEYS[2]}))
    emb.receive(Cdc().next(), 0)
    assert emb.guard.reasons == {SecOcReason.KEY_SLOT_EMPTY: 1}


def test_each_controller_has_a_key_and_a_data_id_of_its_own() -> None:
    primary, secondary = (SECURED.message(f"{lane}_EmbCmd").secoc for lane in ("CDC", "CDC2"))
    assert primary is not None
    assert secondary is not None
    for name in ("data_id", "freshness_value_id", "key_id"):
        assert getattr(primary, name) != getattr(secondary, name)
    frame = Cdc().next()
    other = received(message=SECURED.message("CDC2_EmbCmd"))
    other.receive(frame, 0)
    assert other.guard.reasons == {SecOcReason.MAC_MISMATCH: 1}


# -- settings an ECU cannot run ------------------------------------------------------------------


def test_several_counters_without_a_sync_message_are_a_problem_and_no_crash() -> None:
    text = dbc_path("chassis_fd_secoc.dbc").read_text(encoding="ascii")
    several = text.replace(
        'BA_ "SecOCFreshnessType" BO_ 96 0;', 'BA_ "SecOCFreshnessType" BO_ 96 1;'
    )
    database = Database.from_text(several, name="several.dbc")
    with pytest.raises(
        InputError, match=r"several\.dbc:\d+: message CDC_EmbCmd: SecOC .* got none$"
    ):
        database.refuse_errors()
    message = database.message("CDC_EmbCmd")
    with pytest.raises(UsageError, match=r"0x060 CDC_EmbCmd: SecOC .* expected a FreshnessSource"):
        received(message=message)
    port: Any = Port()
    with pytest.raises(UsageError, match=r"expected a freshness sync message in the network"):
        reception_of(message, port, None, FreshnessSource("EMB_FL", database, port))


def test_without_freshness_frames_verify_and_replays_are_left_to_e2e() -> None:
    text = dbc_path("chassis_fd_secoc.dbc").read_text(encoding="ascii")
    for old, new in (
        ('"SecOCProfile" BO_ 96 4', '"SecOCProfile" BO_ 96 2'),
        ('"SecOCFreshnessValueLength" BO_ 96 64', '"SecOCFreshnessValueLength" BO_ 96 0'),
        ('"SecOCFreshnessValueTruncLength" BO_ 96 16', '"SecOCFreshnessValueTruncLength" BO_ 96 0'),
        ('"SecOCAuthInfoTruncLength" BO_ 96 48', '"SecOCAuthInfoTruncLength" BO_ 96 24'),
        ('BA_ "GenSigFuncType" SG_ 96 SecOC_Fv 3;', ""),
        ('BA_ "GenSigFuncType" SG_ 96 SecOC_Mac 4;', ""),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    settings = '[secoc.messages.CDC_EmbCmd]\ntrailer_signals = ["SecOC_Fv", "SecOC_Mac"]\n'
    database = Database.from_text(text, name="profile2.dbc", protection=settings)
    assert database.problems == ()
    message = database.message("CDC_EmbCmd")
    cdc, emb = Cdc(message=message), received(message=message)
    frames = [cdc.next() for _ in range(5)]
    for frame in (*frames, *frames):
        emb.receive(frame, 0)
    assert emb.guard.rejected == 0
    assert emb.status is not E2eStatus.ERROR
    assert emb.rejected_count > 0
    assert not [name for name in cdc.port.memory if name.startswith("secoc.freshness")]


def test_copies_and_pickles_in_mid_stream_go_on_alike() -> None:
    cdc, emb = Cdc(), received(Port("CHASSIS_A", "CHASSIS_B"))
    for count in range(20):
        emb.receive(cdc.next(), ms(5 * count), A)
    for world in (copy.deepcopy((cdc, emb)), pickle.loads(pickle.dumps((cdc, emb)))):
        other_cdc, other_emb = world
        for count in range(20, 40):
            other_emb.receive(other_cdc.next(), ms(5 * count), A)
        assert other_emb.guard.rejected == 0
        assert other_emb.updated_ns == ms(195)
    assert emb.updated_ns == ms(95)
    assert emb.message is COMMAND


# -- without E2E ---------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [("CHASSIS_A",), ("CHASSIS_A", "CHASSIS_B")])
def test_without_e2e_a_frame_still_has_to_be_authentic(channels: tuple[str, ...]) -> None:
    """The same counter twice is taken, a forged authenticator is not."""
    port: Any = Port(*channels)
    lanes = LaneWatch(port) if len(channels) > 1 else None
    reception = reception_of(COMMAND, port, lanes, without=frozenset({"e2e"}))
    cdc = Cdc()
    cdc.force_n = 1000.0
    good = cdc.next()
    reception.receive(good, 0)
    assert reception.usable(0)
    assert force_n(reception) == 1000.0
    cdc.force_n = 2000.0
    forged = bytearray(cdc.next())
    forged[-1] ^= 0x01
    reception.receive(bytes(forged), 1)
    assert force_n(reception) == 1000.0
    cdc.transmission._sender.counter -= 1  # type: ignore[union-attr]
    reception.receive(cdc.next(), 2)
    assert force_n(reception) == 2000.0
