"""Addresses: what each mode puts on the bus, which frames it takes, what it refuses."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from simcore.bus import Frame
from simcore.errors import UsageError
from simcore.transport import Address, AddressingMode

EXTENDED = {"mode": AddressingMode.EXTENDED, "target_extension": 0x12, "source_extension": 0xF1}


def test_normal_addressing_is_identifiers_alone() -> None:
    address = Address(0x6A0, 0x6A8, functional_rx_id=0x7DF)
    assert (address.prefix, address.has_extension) == (b"", False)
    assert address.accepts(Frame(0x6A8, b"\x01")) is False
    assert address.accepts(Frame(0x7DF, b"\x01")) is True
    for frame in (
        Frame(0x6A0, b"\x01"),
        Frame(0x6A8, b"\x01", is_extended_id=True),
        Frame(0x7DF, b"\x01", is_extended_id=True),
        Frame(0x6A8),
        Frame(0x7DF),
        Frame(0x6A8, is_remote_frame=True, dlc=8),
    ):
        assert address.accepts(frame) is None


def test_normal_fixed_addressing_puts_both_addresses_into_the_identifier() -> None:
    address = Address.normal_fixed(0x10, 0xF1)
    assert (address.tx_id, address.rx_id) == (0x18DA10F1, 0x18DAF110)
    assert (address.functional_tx_id, address.functional_rx_id) == (0x18DB33F1, 0x18DB3310)
    assert address.accepts(Frame(0x18DAF110, b"\x01", is_extended_id=True)) is False
    assert address.accepts(Frame(0x18DB3310, b"\x01", is_extended_id=True)) is True
    assert address.accepts(Frame(0x18DAF111, b"\x01", is_extended_id=True)) is None
    assert Address.normal_fixed(0x10, 0xF1).mirrored() == Address.normal_fixed(0xF1, 0x10)


def test_extended_addressing_puts_the_target_in_front() -> None:
    address = Address(0x600, 0x6F1, **EXTENDED, functional_tx_id=0x600, functional_extension=0xFE)
    assert (address.prefix, address.functional_prefix) == (b"\x12", b"\xfe")
    assert address.accepts(Frame(0x6F1, b"\xf1\x01")) is False
    assert address.accepts(Frame(0x6F1, b"\xf2\x01")) is None
    assert address.accepts(Frame(0x6F1, b"\xf1")) is None
    other = address.mirrored()
    assert (other.prefix, other.functional_rx_id) == (b"\xf1", 0x600)
    assert other.accepts(Frame(0x600, b"\x12\x01")) is False
    assert other.accepts(Frame(0x600, b"\xfe\x01")) is True
    assert other.accepts(Frame(0x600, b"\xf1\x01")) is None


def test_mixed_addressing_puts_the_same_extension_in_front_both_ways() -> None:
    address = Address(0x610, 0x618, AddressingMode.MIXED, target_extension=0x99)
    assert address.source_extension == 0x99
    assert address.accepts(Frame(0x618, b"\x99\x01")) is False
    assert address.accepts(Frame(0x618, b"\x98\x01")) is None
    fixed = Address.mixed(0x10, 0xF1, 0x07, functional_target=0x44)
    assert (fixed.tx_id, fixed.rx_id, fixed.prefix) == (0x18CE10F1, 0x18CEF110, b"\x07")
    assert (fixed.functional_tx_id, fixed.functional_prefix) == (0x18CD44F1, b"\x07")
    assert fixed.accepts(Frame(0x18CD4410, b"\x07\x01", is_extended_id=True)) is True
    assert fixed.mirrored() == Address.mixed(0xF1, 0x10, 0x07, functional_target=0x44)


def test_an_address_is_its_own_copy() -> None:
    address = Address.normal_fixed(0x10, 0xF1)
    assert copy.copy(address) is address
    assert copy.deepcopy(address) is address


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tx_id": 0x800}, r"Address, tx_id: expected 0\.\.0x7FF, got 0x800"),
        ({"rx_id": -1}, r"Address, rx_id: expected 0\.\.0x7FF"),
        ({"rx_id": "0x6A8"}, r"Address, rx_id: expected 0\.\.0x7FF, got '0x6A8'"),
        ({"rx_id": 0x6A0}, "Address, rx_id: expected other than tx_id, got 0x6A0"),
        (
            {"tx_id": 0x2000_0000, "is_extended_id": True},
            r"Address, tx_id: expected 0\.\.0x1FFFFFFF, got 0x20000000",
        ),
        ({"functional_rx_id": 0x800}, "Address, functional_rx_id: expected"),
        ({"functional_tx_id": 0x800}, "Address, functional_tx_id: expected"),
        ({"functional_rx_id": 0x6A8}, "Address, functional_rx_id: expected other than rx_id"),
        ({"target_extension": 1}, "Address, target_extension: expected None in mode NORMAL, got 1"),
        ({"source_extension": 1}, "Address, source_extension: expected None in mode NORMAL"),
        ({"functional_extension": 1}, "Address, functional_extension: expected None in mode"),
        (
            {"mode": AddressingMode.MIXED},
            r"Address, target_extension: expected 0\.\.255, got None",
        ),
        (
            {**EXTENDED, "source_extension": None},
            r"Address, source_extension: expected 0\.\.255, got None",
        ),
        (
            {**EXTENDED, "functional_extension": 256},
            r"Address, functional_extension: expected 0\.\.255, got 256",
        ),
        (
            {**EXTENDED, "functional_rx_id": 0x6A8},
            "Address, functional_rx_id: expected other than rx_id",
        ),
        (
            {"mode": AddressingMode.NORMAL_FIXED},
            "Address, is_extended_id: expected True in mode NORMAL_FIXED",
        ),
    ],
)
def test_a_bad_address_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Address(**{"tx_id": 0x6A0, "rx_id": 0x6A8, **arguments})


@pytest.mark.parametrize(
    ("identifiers", "message"),
    [
        (
            {"tx_id": 0x18DB10F1},
            r"Address, tx_id: expected 0x18DA\.\.\.\. in mode NORMAL_FIXED, got 0x18DB10F1",
        ),
        (
            {"rx_id": 0x18DA11F1},
            "rx_id: expected target and source of tx_id 0x18DA10F1 exchanged, got 0x18DA11F1",
        ),
        ({"rx_id": 0x18DAF111}, "Address, rx_id: expected target and source"),
        ({"functional_rx_id": 0x18DA33F1}, r"Address, functional_rx_id: expected 0x18DB\.\.\.\."),
    ],
)
def test_an_address_of_the_wrong_page_is_refused(identifiers: dict[str, int], message: str) -> None:
    fixed = {"tx_id": 0x18DA10F1, "rx_id": 0x18DAF110, **identifiers}
    with pytest.raises(UsageError, match=message):
        Address(**fixed, mode=AddressingMode.NORMAL_FIXED, is_extended_id=True)


def test_another_priority_is_a_free_choice() -> None:
    low = Address(0x1CDA10F1, 0x1CDAF110, AddressingMode.NORMAL_FIXED, is_extended_id=True)
    assert low.accepts(Frame(0x1CDAF110, b"\x01", is_extended_id=True)) is False


@pytest.mark.parametrize("name", ["target", "source", "functional_target"])
def test_a_node_address_is_a_byte(name: str) -> None:
    with pytest.raises(UsageError, match=rf"Address, {name}: expected 0\.\.255, got 256"):
        Address.normal_fixed(**{"target": 1, "source": 2, name: 256})
