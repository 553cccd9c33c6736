"""Vendors' checks that are E2E profiles in disguise: a message's layout says which settings it has.

`hyundai_canfd`  CHECKSUM of 16 bits at the start, COUNTER of 8 bits behind it, is profile 5 with
                 the data id CAN id XOR 0xF800.
`vw_mqb`         an 8-bit checksum (CHECKSUM, ..._CRC) at the start and a 4-bit counter (COUNTER,
                 ..._BZ) behind it is profile 22, which has the bytes of profile 2. The lists of
                 data ids are the vendor's and not in here: a message whose list is given neither
                 in the TOML file nor in an attribute stays unprotected; the problems of the
                 database name those whose signals are called so. One with a list has this
                 header whatever its signals are called, and also where they are left out.

A preset is chosen in the TOML file (`preset = "hyundai_canfd"`) and applies to the messages that
have the layout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simcore.network.e2e_config import E2eConfig
from simcore.network.e2e_layout import PROFILES, Place, bit_positions
from simcore.network.messages import Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFacts:
    """What a preset looks at. A `Message` has the same attributes."""

    name: str
    arbitration_id: int
    length: int
    signals: tuple[Signal, ...]


def hyundai_canfd(message: MessageFacts, data_id_list: tuple[int, ...] = ()) -> E2eConfig | None:
    """Profile 5 where CHECKSUM and COUNTER lie at its places, else None."""
    layout = PROFILES["P05"]
    is_there = _at(message, layout.crc) == "CHECKSUM" and _at(message, layout.counter) == "COUNTER"
    if not is_there or message.arbitration_id > 0xFFFF:
        return None
    return E2eConfig(
        profile="P05",
        data_id=message.arbitration_id ^ 0xF800,
        counter_signal="COUNTER",
        checksum_signal="CHECKSUM",
    )


def vw_mqb(message: MessageFacts, data_id_list: tuple[int, ...] = ()) -> E2eConfig | None:
    """Profile 22 with `data_id_list`; None without one, or where other signals are in its place."""
    layout = PROFILES["P22"]
    if not data_id_list:
        return None
    names: list[str | None] = []
    for place in (layout.crc, layout.counter):
        name = _at(message, place)
        if name is None and not _is_free(message, place):
            return None
        names.append(name)
    return E2eConfig(
        profile="P22",
        data_id_list=data_id_list,
        checksum_signal=names[0],
        counter_signal=names[1],
    )


def lacks_list(message: MessageFacts) -> bool:
    """Whether a message's signals are those of `vw_mqb`, which then needs a `data_id_list`."""
    layout = PROFILES["P22"]
    checksum, counter = (_at(message, place) or "" for place in (layout.crc, layout.counter))
    is_checksum = checksum == "CHECKSUM" or checksum.endswith("_CRC")
    return is_checksum and (counter == "COUNTER" or counter.endswith("_BZ"))


Preset = Callable[[MessageFacts, tuple[int, ...]], E2eConfig | None]

PRESETS: dict[str, Preset] = {"hyundai_canfd": hyundai_canfd, "vw_mqb": vw_mqb}
"""Name -> settings of a message, None for one without the layout."""


def _at(message: MessageFacts, place: Place) -> str | None:
    """The unscaled signal that fills exactly `place`."""
    for signal in message.signals:
        bits = bit_positions(signal.start_bit, signal.length, signal.byte_order)
        if bits == place.bits() and signal.is_identity:
            return signal.name
    return None


def _is_free(message: MessageFacts, place: Place) -> bool:
    taken = set(place.bits())
    return all(
        taken.isdisjoint(bit_positions(s.start_bit, s.length, s.byte_order))
        for s in message.signals
    )
