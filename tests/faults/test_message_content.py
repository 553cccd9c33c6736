"""Corrupted, inserted and masqueraded messages: which of them the protection sees."""

from __future__ import annotations

import copy
import pickle

import pytest

from simcore import Database, Restbus, Rig, UsageError, ms
from simcore.faults.message import MessageFault
from simcore.faults.message_content import (
    MessageInserted,
    MessageMasqueraded,
    PayloadCorrupted,
    SignalCorrupted,
)
from simcore.protection import E2eStatus
from simcore.protection.e2e_factory import e2e_receiver

NAME = "VCU_Torque"
"""10 ms, profile 5, sent by VCU."""
OTHER = "SAS_Angle"
"""10 ms, profile 5, sent by EPS."""
CYCLE_NS = ms(10)
OK, ERROR, LOST = E2eStatus.OK, E2eStatus.ERROR, E2eStatus.OK_SOME_LOST


def bus(seed: int = 0) -> Restbus:
    return Restbus(Database.reference(), play=["VCU", "EPS"], seed=seed)


def payloads(bench: Restbus | Rig, name: str = NAME) -> list[bytes]:
    identifier = bench.database.message(name).arbitration_id
    return [
        record.frame.data
        for record in bench.recorder.frames
        if record.frame.arbitration_id == identifier and record.channel != "CHASSIS_B"
    ]


def statuses(bench: Restbus | Rig, name: str = NAME) -> list[E2eStatus]:
    message = bench.database.message(name)
    assert message.e2e is not None
    receiver = e2e_receiver(message.e2e, message.length)
    return [receiver.check(data) for data in payloads(bench, name)]


def run(fault: MessageFault, *, before: int = 3, after: int = 6, seed: int = 0) -> Restbus:
    """`before` whole cycles, the fault, `after` more cycles."""
    bench = bus(seed)
    bench.run_for(before * CYCLE_NS)
    bench.inject(fault)
    bench.run_for(after * CYCLE_NS)
    return bench


# -- before the protection --


def test_a_corrupted_signal_has_its_value_and_the_protection_is_right() -> None:
    bench = run(SignalCorrupted(message=NAME, signal="VCU_AccPed", value=50, frames=2))
    decode = bench.database.message(NAME).codec.decode
    values = [decode(data) for data in payloads(bench)]
    assert [each["VCU_AccPed"] == 50 for each in values] == [False] * 3 + [True] * 2 + [False] * 4
    for each in values:  # nothing else is touched
        for name in ("E2E_CRC", "E2E_Cnt", "VCU_AccPed"):
            each.pop(name)
    assert all(each == values[0] for each in values)
    assert set(statuses(bench)[1:]) == {OK}


def test_a_signal_may_be_given_as_a_text() -> None:
    bench = run(SignalCorrupted(message=NAME, signal="VCU_Gear", value="R"))
    assert bench.signal(NAME, "VCU_Gear") == next(
        raw
        for raw, text in bench.database.message(NAME).signal("VCU_Gear").choices.items()
        if text == "R"
    )


def test_a_corrupted_signal_of_a_simulated_ecu_is_believed_by_its_receivers() -> None:
    rig = Rig()
    rig.vehicle.set_speed(kmh=50)
    rig.run_for(ms(300))
    for signal in ("BPS_Trvl1", "BPS_Trvl2"):
        rig.inject(SignalCorrupted(message="BPS_Pedal", signal=signal, value=30.0))
    rig.inject(SignalCorrupted(message="BPS_Pedal", signal="BPS_Force", value=250.0))
    rig.run_for(ms(300))
    assert set(statuses(rig, "BPS_Pedal")[1:]) == {OK}
    assert min(rig.vehicle.clamp_force_n) > 2_000.0  # nobody presses the pedal


def test_a_signal_that_the_protection_fills_in_is_refused() -> None:
    with pytest.raises(
        UsageError,
        match=r"^SignalCorrupted, message 0x\w+ VCU_Torque: signal: expected one that the "
        r"application sets \(VCU_\w+, .*\), got E2E_Cnt, which the protection fills in$",
    ):
        bus().inject(SignalCorrupted(message=NAME, signal="E2E_Cnt", value=1))


@pytest.mark.parametrize(
    ("signal", "value", "text"),
    [
        ("VCU_AccPedal", 1, "unknown signal 'VCU_AccPedal'"),
        ("VCU_AccPed", 1000, r"signal VCU_AccPed: expected 0\.\."),
        ("VCU_Gear", "Q", "signal VCU_Gear"),
    ],
)
def test_an_unknown_signal_and_a_value_out_of_range_are_refused(
    signal: str, value: int | str, text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        bus().inject(SignalCorrupted(message=NAME, signal=signal, value=value))


MULTIPLEXED = """VERSION ""
BU_: A B
BO_ 256 Paged: 8 A
 SG_ Page M : 0|8@1+ (1,0) [0|0] "" B
 SG_ First m0 : 8|8@1+ (1,0) [0|0] "" B
 SG_ Second m1 : 8|8@1+ (1,0) [0|0] "" B
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 65535;
BA_DEF_DEF_ "GenMsgCycleTime" 0;
BA_ "GenMsgCycleTime" BO_ 256 10;
"""


def test_a_message_without_protection_is_corrupted_on_the_signals_page_only() -> None:
    bench = Restbus(Database.from_text(MULTIPLEXED))
    bench.inject(SignalCorrupted(message="Paged", signal="Second", value=9))
    bench.run_for(ms(25))
    bench.set("Paged", Page=1, Second=3)
    bench.run_for(ms(20))
    assert [data[:2] for data in payloads(bench, "Paged")] == [b"\0\0"] * 3 + [b"\1\x09"] * 2


# -- behind the protection --


def test_flipped_bits_are_an_error_and_the_bits_are_those_asked_for() -> None:
    bench = run(PayloadCorrupted(message=NAME, bits=(24, 39), frames=2))
    clean = run(PayloadCorrupted(message=OTHER, bits=(24,)))
    for wrong, right in zip(payloads(bench)[3:5], payloads(clean)[3:5], strict=True):
        changed = int.from_bytes(wrong, "little") ^ int.from_bytes(right, "little")
        assert changed == 1 << 24 | 1 << 39
    assert statuses(bench)[3:6] == [ERROR, ERROR, LOST]


def test_random_flips_are_so_many_different_bits_and_seeded() -> None:
    fault = PayloadCorrupted(message=NAME, flips=3)
    clean = payloads(run(PayloadCorrupted(message=OTHER, flips=1), after=50))
    first, again, other = (payloads(run(fault, after=50, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    places = set()
    for wrong, right in zip(first[3:], clean[3:], strict=True):
        changed = int.from_bytes(wrong, "little") ^ int.from_bytes(right, "little")
        assert changed.bit_count() == 3
        places.add(changed)
    assert len(places) > 45
    assert set(statuses(run(fault, after=50))[3:]) == {ERROR}


def test_a_bit_beyond_the_payload_is_refused() -> None:
    size = 8 * bus().message(NAME).length
    with pytest.raises(
        UsageError,
        match=rf"^PayloadCorrupted, message 0x\w+ VCU_Torque: expected bits 0\.\.{size - 1}, "
        rf"got {size}$",
    ):
        bus().inject(PayloadCorrupted(message=NAME, bits=(0, size)))
    with pytest.raises(UsageError, match=rf"expected {size} bits at most, got {size + 1}$"):
        bus().inject(PayloadCorrupted(message=NAME, flips=size + 1))


# -- another message's --


def test_inserted_content_of_another_message_is_an_error_and_the_genuine_ones_are_right() -> None:
    bench = run(MessageInserted(message="EMB_FL_St1", content_of="EMB_FR_St1"), after=0, before=1)
    rig = Rig()
    rig.run_for(ms(300))
    rig.inject(MessageInserted(message="EMB_FL_St1", content_of="EMB_FR_St1"))
    before = len(payloads(rig, "EMB_FL_St1"))
    rig.run_for(ms(50))
    found = statuses(rig, "EMB_FL_St1")[before:]
    assert found[:6] == [OK, ERROR] * 3
    assert bench.faults[0].did_nothing


def test_what_is_inserted_is_what_the_other_message_would_be() -> None:
    bench = run(MessageInserted(message=NAME, content_of=OTHER), after=5)
    message = bench.message(OTHER)
    assert message.e2e is not None
    receiver = e2e_receiver(message.e2e, message.length)
    inserted = payloads(bench)[4::2]
    assert [receiver.check(data) for data in inserted] == [OK] * len(inserted)
    assert len(inserted) >= 4


def test_content_may_be_inserted_under_another_identifier() -> None:
    bench = run(MessageInserted(message=NAME, under=OTHER), after=5)
    genuine = payloads(bench)
    stray = [data for data in payloads(bench, OTHER) if data in genuine]
    assert stray == genuine[3:8]
    found = statuses(bench, OTHER)
    assert found.count(ERROR) == len(stray)
    assert set(found[1:]) == {OK, ERROR}  # the sender's own are not hurt


def test_a_masqueraded_message_has_a_right_counter_and_anothers_data_id() -> None:
    bench = run(MessageMasqueraded(message=NAME, protected_as=OTHER, frames=2))
    assert statuses(bench)[3:6] == [ERROR, ERROR, LOST]
    assert [data[2] for data in payloads(bench)] == list(range(9))
    other = bench.message(OTHER)
    assert other.e2e is not None
    receiver = e2e_receiver(other.e2e, bench.message(NAME).length)
    assert receiver.check(payloads(bench)[3]) is not ERROR  # by a receiver of the other message


def test_a_masqueraded_command_is_not_obeyed() -> None:
    rig = Rig()
    rig.run_for(ms(300))
    rig.inject(MessageMasqueraded(message="CDC_EmbCmd", protected_as="CDC2_EmbCmd"))
    rig.run_for(ms(100))
    assert set(statuses(rig, "CDC_EmbCmd")[-15:]) == {ERROR}
    rig.press_pedal(50)
    rig.run_for(ms(400))
    assert min(rig.vehicle.clamp_force_n) > 2_000.0  # the other lane commands


# -- for every kind --

FAULTS: list[MessageFault] = [
    SignalCorrupted(message=NAME, signal="VCU_AccPed", value=50),
    PayloadCorrupted(message=NAME, bits=(30,)),
    PayloadCorrupted(message=NAME, flips=2),
    MessageInserted(message=NAME, content_of=OTHER),
    MessageInserted(message=NAME, under=OTHER),
    MessageMasqueraded(message=NAME, protected_as=OTHER),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.sentence)
def test_copies_in_the_middle_of_a_fault_go_on_alike(fault: MessageFault) -> None:
    bench = bus()
    bench.run_for(ms(31))
    bench.inject(fault, duration=ms(70))
    bench.run_for(3 * CYCLE_NS + ms(1) // 5)
    copies = [copy.deepcopy(bench), pickle.loads(pickle.dumps(bench)), bench]
    for each in copies:
        each.run_for(ms(200))
    assert len({each.digest for each in copies}) == 1


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.sentence)
def test_a_fault_is_over_when_it_is_over(fault: MessageFault) -> None:
    bench, healthy = bus(), bus()
    bench.inject(fault, duration=ms(70))
    for each in (bench, healthy):
        each.run_for(ms(400))
    for name in (NAME, OTHER):
        assert payloads(bench, name)[-20:] == payloads(healthy, name)[-20:]
    assert bench.digest != healthy.digest
    assert bench.faults[0].record.effect == "7 frames concerned"


@pytest.mark.parametrize(
    "fault",
    [each for each in FAULTS if isinstance(each, MessageInserted)],
    ids=lambda f: f.sentence,
)
def test_nothing_is_inserted_by_a_node_that_went_off_meanwhile(fault: MessageFault) -> None:
    bench = bus()
    bench.inject(fault)
    bench.run_for(3 * CYCLE_NS + bench.message(NAME).start_delay_ns + ms(1) // 5)
    before = len(payloads(bench)), len(payloads(bench, OTHER))
    bench.host("VCU").halt()
    bench.host("EPS").halt()
    bench.run_for(ms(50))
    assert (len(payloads(bench)), len(payloads(bench, OTHER))) == before


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (FAULTS[0], f"{NAME}: VCU_AccPed is 50, counter and checksum right"),
        (FAULTS[1], f"{NAME}: bit 30 of the payload flipped"),
        (FAULTS[2], f"{NAME}: 2 bits of the payload flipped, at random"),
        (FAULTS[3], f"{NAME}: frames with the content of {OTHER} inserted"),
        (FAULTS[4], f"{NAME}: frames with its content inserted under the identifier of {OTHER}"),
        (FAULTS[5], f"{NAME}: protected as {OTHER}"),
    ],
)
def test_the_sentence_says_what_is_wrong(fault: MessageFault, sentence: str) -> None:
    assert (fault.sentence, fault.layer) == (sentence, "message")


PLAIN = """VERSION ""
BU_: A B
BO_ 256 Plain: 8 A
 SG_ Value : 0|8@1+ (1,0) [0|0] "" B
BO_ 257 Short: 2 B
 SG_ Word : 0|16@1+ (1,0) [0|0] "" A
BO_ 258 Odd: 9 B
 SG_ Text : 0|8@1+ (1,0) [0|0] "" A
"""


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        (
            MessageMasqueraded(message="Plain", protected_as="Short"),
            r"^MessageMasqueraded, message 0x100 Plain: expected a message with E2E protection, "
            r"got one without$",
        ),
        (
            MessageInserted(message="Plain", content_of="Plain"),
            r"^MessageInserted, message 0x100 Plain: expected another message, got Plain itself$",
        ),
        (MessageInserted(message="Plain", content_of="Nobody"), "unknown message 'Nobody'"),
        (
            MessageInserted(message="Plain", content_of="Odd"),
            r"^MessageInserted, message 0x102 Odd: expected ",
        ),
    ],
)
def test_what_a_message_cannot_have_is_refused(fault: MessageFault, text: str) -> None:
    bench = Restbus(Database.from_text(PLAIN), play=["A"])
    with pytest.raises(UsageError, match=text):
        bench.inject(fault)


def test_a_masquerade_needs_another_message_with_a_data_id() -> None:
    for name, text in ((NAME, "got VCU_Torque itself"), ("NM_GW", "which has none$")):
        with pytest.raises(UsageError, match=text):
            bus().inject(MessageMasqueraded(message=NAME, protected_as=name))


def test_values_are_checked() -> None:
    with pytest.raises(
        UsageError, match=r"^PayloadCorrupted: expected bits or flips, got neither$"
    ):
        PayloadCorrupted(message=NAME)
    with pytest.raises(UsageError, match=r"^PayloadCorrupted: expected bits or flips, got both$"):
        PayloadCorrupted(message=NAME, bits=(1,), flips=1)
    for bits in ((), (1, 1), (-1,), [1]):
        with pytest.raises(
            UsageError, match=r"^PayloadCorrupted\.bits: expected a tuple of different bit indices"
        ):
            PayloadCorrupted(message=NAME, bits=bits)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"^PayloadCorrupted\.flips: expected an integer >= 1"):
        PayloadCorrupted(message=NAME, flips=0)
    with pytest.raises(
        UsageError, match=r"^MessageInserted: expected content_of or under, got neither$"
    ):
        MessageInserted(message=NAME)
    with pytest.raises(UsageError, match=r"^MessageInserted: .* got both$"):
        MessageInserted(message=NAME, content_of=OTHER, under=OTHER)
    with pytest.raises(UsageError, match=r"^MessageInserted\.gap_ns: expected an integer >= 1"):
        MessageInserted(message=NAME, content_of=OTHER, gap_ns=0)
