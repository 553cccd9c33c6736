"""Messages, values and frames: honest to the database, accepted by codec and cantools, calm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cantools
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from simcore import Database, Frame, UsageError
from simcore.network.codegen import acceptable
from simcore.protection import E2eStatus, e2e_receiver
from simcore.resources import dbc_path
from simcore.testing.strategies import frames, messages, raw_frames, signal_values
from simcore.testing.strategies.signals import (
    calm_raw,
    defined_limits,
    is_enumeration,
    raws_of,
    reserved_raws,
)

DATABASE = Database.reference()
CODEC = Database.load(Path(__file__).parents[1] / "data" / "codec.dbc")
CANTOOLS = cantools.database.load_file(dbc_path("chassis_fd.dbc"))
FIND = settings(
    database=None, derandomize=True, max_examples=100, phases=[Phase.generate, Phase.shrink]
)


@settings(max_examples=8)
@given(data=st.data(), database=st.sampled_from((DATABASE, CODEC)))
def test_every_value_is_encoded_and_comes_back(data: st.DataObject, database: Database) -> None:
    message = data.draw(messages(database))
    values = data.draw(signal_values(message))
    back = message.codec.decode(message.codec.encode(values))
    assert back.keys() == values.keys()
    for name, value in values.items():
        assert back[name] == pytest.approx(value, rel=1e-9, abs=1e-9)


@settings(max_examples=8)
@given(data=st.data())
def test_cantools_encodes_and_decodes_the_same(data: st.DataObject) -> None:
    message = data.draw(messages(DATABASE, diagnostics=False))
    values = data.draw(signal_values(message))
    theirs = CANTOOLS.get_message_by_name(message.name)
    encoded = bytes(theirs.encode(values, strict=True))
    assert encoded == message.codec.encode(values)
    assert theirs.decode(encoded, decode_choices=False) == message.codec.decode(encoded)


@settings(max_examples=8)
@given(data=st.data())
def test_reserved_values_are_such_that_the_codec_refuses_or_has_no_text(
    data: st.DataObject,
) -> None:
    message = data.draw(messages(DATABASE))
    signal = data.draw(st.sampled_from(message.signals))
    parts = reserved_raws(signal)
    if not parts:
        low, high = defined_limits(signal)
        texts = sum(1 for raw in signal.choices if not low <= raw <= high)
        assert high - low + 1 + texts == 1 << signal.length  # nothing is left
        return
    raw = data.draw(st.one_of(parts))
    first, last = signal.raw_limits
    assert first <= raw <= last
    allowed = acceptable(signal, signal.to_physical(raw), raw)
    assert not allowed or (is_enumeration(signal) and raw not in signal.choices)


@settings(max_examples=8)
@given(data=st.data())
def test_without_undefined_values_an_enumeration_has_a_text_always(data: st.DataObject) -> None:
    signals = [s for m in DATABASE.messages for s in m.signals if is_enumeration(s)]
    assert len(signals) > 50
    signal = data.draw(st.sampled_from(signals))
    raw = data.draw(raws_of(signal, undefined=False))
    assert raw in signal.choices or raw == calm_raw(signal)


@settings(max_examples=8)
@given(data=st.data())
def test_a_protected_frame_is_usable_and_an_unprotected_one_is_not(data: st.DataObject) -> None:
    message = data.draw(messages(DATABASE, protected=True))
    assert message.e2e is not None
    counter = data.draw(st.integers(0, 255))
    good = data.draw(frames(DATABASE, message=message, counter=counter))
    check = e2e_receiver(message.e2e, message.length)
    assert check.check(good.data) is not E2eStatus.ERROR
    bare = data.draw(frames(DATABASE, message=message, protect=False, reserved=True))
    check = e2e_receiver(message.e2e, message.length)
    assert check.check(bare.data) is E2eStatus.ERROR
    for frame in (good, bare):
        assert (frame.arbitration_id, frame.is_fd) == (message.arbitration_id, message.is_fd)
        assert len(frame.data) == message.length


@settings(max_examples=8)
@given(frame=raw_frames(min_id=0x100, max_id=0x1FF, extended=False, max_length=8, remote=True))
def test_raw_frames_keep_to_their_limits(frame: Frame) -> None:
    assert 0x100 <= frame.arbitration_id <= 0x1FF
    assert not frame.is_extended_id
    assert len(frame.data) <= 8


@pytest.mark.parametrize(
    ("holds", "what"),
    [
        (lambda f: f.is_fd and len(f.data) == 64 and f.error_state_indicator, "a long FD frame"),
        (lambda f: f.is_extended_id and f.is_remote_frame, "an extended remote frame"),
        (lambda f: not f.is_fd and len(f.data) == 8, "a full classic frame"),
    ],
)
def test_every_format_is_reached(holds: Any, what: str) -> None:
    long = settings(FIND, max_examples=1000, phases=[Phase.generate])
    assert holds(find(raw_frames(remote=True), holds, settings=long)), what


def test_values_shrink_to_the_start_values_of_the_database() -> None:
    message = DATABASE.message("CDC_SteerReq")
    calm = find(signal_values(message), lambda values: True, settings=FIND)
    assert calm == {signal.name: signal.start_value for signal in message.signals}
    steered = find(signal_values(message), lambda v: v["CDC_SteTqOffs"] >= 1.0, settings=FIND)
    assert steered == {**calm, "CDC_SteTqOffs": pytest.approx(1.0)}


def test_frames_shrink_to_the_first_message_and_counter_0() -> None:
    found = find(frames(DATABASE, sender="BPS"), lambda frame: True, settings=FIND)
    first = DATABASE.message("BPS_Pedal")
    assert DATABASE.sent_by("BPS")[0] is first
    assert found.arbitration_id == first.arbitration_id
    assert first.codec.raw_reader("E2E_Cnt").read(found.data) == (0,)
    assert find(raw_frames(), lambda frame: True, settings=FIND) == Frame(0)


def test_only_the_named_signals_vary_and_fixed_ones_keep_their_value() -> None:
    message = DATABASE.message("ADAS_LongReq")
    strategy = signal_values(message, signals=["ADAS_AebDecel"], fixed={"ADAS_AebActv": "Full"})
    found = find(strategy, lambda values: values["ADAS_AebDecel"] <= -5.0, settings=FIND)
    assert found["ADAS_AebActv"] == message.signal("ADAS_AebActv").to_physical(
        next(raw for raw, text in message.signal("ADAS_AebActv").choices.items() if text == "Full")
    )
    others = set(found) - {"ADAS_AebDecel", "ADAS_AebActv"}
    for name in others:
        assert found[name] == message.signal(name).to_physical(calm_raw(message.signal(name)))


@settings(max_examples=8)
@given(data=st.data())
def test_messages_are_what_was_asked_for(data: st.DataObject) -> None:
    found = data.draw(messages(DATABASE, sender="CDC", receiver="EMB_FL", cyclic=True))
    assert found.senders == ("CDC",) and found.cycle_time_ns
    assert "EMB_FL" in found.receivers


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: messages("x.dbc"), r"^messages, database: expected a Database, as "),
        (lambda: messages(DATABASE, sender="CDD"), r"^unknown node 'CDD': did you mean 'CDC'"),
        (
            lambda: messages(DATABASE, sender="IMU", receiver="TST"),
            r"^messages: expected at least one message of chassis_fd.dbc, got none with "
            r"sender='IMU', receiver='TST'$",
        ),
        (lambda: messages(DATABASE, cyclic=1), r"^messages, cyclic: expected True or False, got 1"),
        (
            lambda: signal_values("CDC_EmbCmd"),
            r"^signal_values, message: expected a Message, as database.message\(name\), got 'CDC",
        ),
        (
            lambda: signal_values(DATABASE.message("CDC_EmbCmd"), signals=["CDC_FL_FRek"]),
            r"unknown signal 'CDC_FL_FRek': did you mean 'CDC_FL_FReq'\?$",
        ),
        (
            lambda: signal_values(DATABASE.message("CDC_EmbCmd"), signals="CDC_FL_FReq"),
            r"signals: expected a list of names, got 'CDC_FL_FReq'$",
        ),
        (
            lambda: signal_values(DATABASE.message("CDC_EmbCmd"), fixed={"CDC_FL_FReq": -1}),
            r"^message 0x060 CDC_EmbCmd, signal CDC_FL_FReq: expected 0\.\.65000 N, got -1 N$",
        ),
        (
            lambda: frames(DATABASE, signals=["CDC_FL_FReq"]),
            r"^frames: expected a message with signals or fixed, got none$",
        ),
        (lambda: frames(DATABASE, counter=-1), r"^frames, counter: expected a whole number >= 0"),
        (
            lambda: raw_frames(min_id=5, max_id=4),
            r"^raw_frames, max_id: expected >= min_id, 5",
        ),
        (
            lambda: raw_frames(extended=False, max_id=0x800),
            r"^raw_frames, max_id: expected 0..0x7FF, got 0x800$",
        ),
        (
            lambda: raw_frames(min_id=0x800, extended=False),
            r"^raw_frames, max_id: expected >= min_id, 2048, got 2047$",
        ),
        (lambda: raw_frames(fd="yes"), r"^raw_frames, fd: expected True or False, got 'yes'$"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(make: Any, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        make()
