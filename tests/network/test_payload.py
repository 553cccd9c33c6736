"""Named values of one message, encoded when they change."""

from __future__ import annotations

import copy
import pickle

import cantools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.errors import UsageError
from simcore.network import Database, Payload
from simcore.resources import dbc_path

DATABASE = Database.reference()


def payload(name: str = "VCU_Torque") -> Payload:
    return Payload(DATABASE.message(name))


def test_a_new_payload_carries_the_start_values() -> None:
    for message in DATABASE.messages:
        decoded = message.codec.decode(Payload(message).pack(0))
        for name, value in decoded.items():
            assert value == pytest.approx(message.signal(name).start_value), (message, name)


def test_set_values_are_encoded_as_cantools_does() -> None:
    made = payload()
    made.set(VCU_AxTqF=-200, VCU_AccPed=12.4, VCU_Gear="D")
    foreign = cantools.database.load_file(str(dbc_path("chassis_fd.dbc")))
    decoded = foreign.get_message_by_name("VCU_Torque").decode(made.pack(0))
    assert decoded["VCU_AxTqF"] == -200
    assert decoded["VCU_AccPed"] == pytest.approx(12.4)
    assert str(decoded["VCU_Gear"]) == "D"


def test_set_keeps_what_was_set_before_and_the_last_value_counts() -> None:
    made = payload()
    made.set(VCU_AccPed=20)
    made.set(VCU_AxTqF=100)
    made.set(VCU_AxTqF=300)
    decoded = made.message.codec.decode(made.pack(0))
    assert (decoded["VCU_AccPed"], decoded["VCU_AxTqF"]) == (pytest.approx(20), 300)


def test_packing_depends_on_no_time_and_changes_nothing() -> None:
    made = payload()
    assert made.pack(0) is made.pack(10**12)


def test_an_unknown_signal_is_refused_with_the_nearest_one_and_nothing_changes() -> None:
    made = payload()
    made.set(VCU_AccPed=20)
    before = made.pack(0)
    with pytest.raises(UsageError, match=r"0x0e0 VCU_Torque.*'VCU_AccPedal'.*'VCU_AccPed'"):
        made.set(VCU_AxTqF=100, VCU_AccPedal=3)
    assert made.pack(0) == before
    made.set(VCU_AxTqR=2)
    assert made.message.codec.decode(made.pack(0))["VCU_AxTqF"] != 100


def test_a_value_out_of_range_is_refused_and_nothing_changes() -> None:
    made = payload()
    before = made.pack(0)
    with pytest.raises(UsageError, match=r"0x0e0 VCU_Torque, signal VCU_AccPed: .*got 103"):
        made.set(VCU_AxTqF=100, VCU_AccPed=103)
    assert made.pack(0) == before
    made.set(VCU_AxTqR=2)
    assert made.message.codec.decode(made.pack(0))["VCU_AxTqF"] != 100


def test_an_unknown_text_is_refused() -> None:
    with pytest.raises(UsageError, match=r"signal VCU_Gear: .*Reverse"):
        payload().set(VCU_Gear="Reverse")


def test_setting_nothing_changes_nothing() -> None:
    made = payload()
    before = made.pack(0)
    made.set()
    assert made.pack(0) == before


@given(values=st.lists(st.integers(0, 100), min_size=1, max_size=10), data=st.data())
def test_copies_and_pickles_are_independent(values: list[int], data: st.DataObject) -> None:
    made = payload()
    for value in values:
        made.set(VCU_AccPed=value)
    twin = data.draw(st.sampled_from([copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]))(
        made
    )
    assert twin.pack(0) == made.pack(0)
    twin.set(VCU_AxTqF=1000)
    assert twin.pack(0) != made.pack(0)
    decoded = made.message.codec.decode(made.pack(0))
    assert decoded["VCU_AccPed"] == pytest.approx(values[-1], abs=0.2001)  # 0.4 % per bit
    assert decoded["VCU_AxTqF"] != 1000
