"""Attackers on the bus: what they send is what a real one could, and they leave when told to."""

from __future__ import annotations

import pytest

from simcore.bus import Frame
from simcore.errors import UsageError
from simcore.faults.attacks import ATTACKER, ReplayAttack, SpoofedMessage
from simcore.network import Database
from simcore.protection import E2eStatus, Profile05Receiver, Profile05Sender
from simcore.resources import dbc_path
from simcore.rig import Rig
from simcore.units import ms

SECURED = Database.load(dbc_path("chassis_fd_secoc.dbc"))
PLAIN = Database.reference()


def payload(database: Database, counter: int) -> bytes:
    """A genuine command."""
    message = database.message("CDC_EmbCmd")
    assert message.e2e is not None
    data = message.codec.writer("CDC_FL_FReq").write(1234.0)
    sender = Profile05Sender(message.e2e.data_id, 24, counter=counter)
    return sender.protect(data[:24]) + data[24:]


@pytest.mark.parametrize("database", [PLAIN, SECURED], ids=["E2E", "SecOC"])
@pytest.mark.parametrize("counter", [0, 41, 254, 255])
def test_a_forged_frame_has_the_next_counter_and_a_right_checksum(
    database: Database, counter: int
) -> None:
    message = database.message("CDC_EmbCmd")
    assert message.e2e is not None
    genuine = payload(database, counter)
    attack = SpoofedMessage(bus="CHASSIS_A", message=message, values={"CDC_FL_FReq": 30000.0})
    forged = attack.forged(genuine)
    receiver = Profile05Receiver(message.e2e.data_id, 24)
    receiver.check(genuine[:24])
    assert receiver.check(forged[:24]) is E2eStatus.OK
    values = message.codec.decode(forged)
    assert values["CDC_FL_FReq"] == 30000.0
    before = message.codec.decode(genuine)
    changed = {name for name in values if values[name] != before[name]}
    assert changed - {"SecOC_Fv"} == {"CDC_FL_FReq", "E2E_Cnt", "E2E_CRC"}


def test_of_secoc_it_counts_the_freshness_value_on_and_keeps_the_authenticator() -> None:
    message = SECURED.message("CDC_EmbCmd")
    attack = SpoofedMessage(bus="CHASSIS_A", message=message, values={})
    for fresh, expected in ((5, 6), (0xFFFF, 0)):
        genuine = payload(SECURED, 7)[:24] + fresh.to_bytes(2, "big") + b"secret"
        assert attack.forged(genuine)[24:] == expected.to_bytes(2, "big") + b"secret"


def test_the_attacker_sends_behind_each_genuine_frame_and_collides_with_none() -> None:
    rig = Rig()
    message = rig.database.message("CDC_EmbCmd")
    rig.run_for(ms(100))
    fault = rig.inject(SpoofedMessage(bus="CHASSIS_B", message=message, values={}))
    rig.run_for(ms(100))
    rig.clear(fault)
    rig.run_for(ms(100))
    frames = [
        (record.sender, record.sof_ns)
        for record in rig.recorder.frames
        if record.channel == "CHASSIS_B" and record.frame.arbitration_id == message.arbitration_id
    ]
    forged_ns = [time_ns for sender, time_ns in frames if sender == ATTACKER]
    genuine_ns = [time_ns for sender, time_ns in frames if sender == "CDC"]
    assert 19 <= len(forged_ns) <= 20
    assert all(ms(100) < time_ns < ms(200) for time_ns in forged_ns)
    for time_ns in forged_ns:
        assert ms(1) <= time_ns - max(each for each in genuine_ns if each < time_ns) < ms(2)
    assert len(rig.recorder.error_frames) == 0
    assert fault.record.effect == f"{len(forged_ns)} frames sent"
    assert fault.record.where == "CHASSIS_B"
    assert fault.record.sentence == (
        "CHASSIS_B: ATTACKER forges 0x060 CDC_EmbCmd, E2E right, without a key"
    )


def test_a_recording_is_sent_in_order_and_begins_anew() -> None:
    rig = Rig()
    frames = tuple(Frame(0x60, bytes([n] * 24), is_fd=True, bitrate_switch=True) for n in range(5))
    attack = ReplayAttack(bus="CHASSIS_A", frames=frames, burst=3)
    assert "replays 5 recorded frames 0x060, 3 behind each genuine one" in attack.sentence
    rig.inject(attack)
    rig.run_for(ms(40))
    sent = [each.frame.data[0] for each in rig.recorder.frames if each.sender == ATTACKER]
    assert sent == [n % 5 for n in range(len(sent))]
    assert len(sent) >= 21


def test_a_fork_takes_the_attacker_along() -> None:
    rig = Rig(database=SECURED)
    message = SECURED.message("CDC_EmbCmd")
    rig.inject(SpoofedMessage(bus="CHASSIS_A", message=message, values={"CDC_FL_FReq": 1.0}))
    rig.run_for(ms(51))  # a forged frame is waiting for its moment
    fork = rig.fork()
    for each in (rig, fork):
        each.run_for(ms(50))
    assert fork.digest == rig.digest


def test_wrong_attacks_are_refused() -> None:
    frame = Frame(0x60, bytes(24), is_fd=True)
    with pytest.raises(UsageError, match=r"ReplayAttack\.frames: expected frames of one message"):
        ReplayAttack(bus="CHASSIS_A", frames=())
    with pytest.raises(UsageError, match=r"got frames of 2 identifiers"):
        ReplayAttack(bus="CHASSIS_A", frames=(frame, Frame(0x61, bytes(24), is_fd=True)))
    with pytest.raises(UsageError, match=r"ReplayAttack\.burst: expected an integer >= 1, got 0"):
        ReplayAttack(bus="CHASSIS_A", frames=(frame,), burst=0)
    with pytest.raises(UsageError, match=r"unknown signal 'Force'"):
        SpoofedMessage(bus="CHASSIS_A", message=PLAIN.message("CDC_EmbCmd"), values={"Force": 1})
    with pytest.raises(UsageError, match=r"SpoofedMessage, bus: expected one of CHASSIS_A, CHASSI"):
        Rig().inject(SpoofedMessage(bus="C", message=PLAIN.message("CDC_EmbCmd"), values={}))
