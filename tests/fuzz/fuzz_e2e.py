"""Every E2E profile: what is protected is right, what is altered is not, and nothing raises.

The first byte picks a profile; then come orders: protect and check the next frame, check one that
was altered, skip some, repeat, check any bytes, a cycle without data.
"""

from __future__ import annotations

from functools import lru_cache

from simcore.network.e2e_config import E2eConfig
from simcore.protection import (
    E2eState,
    E2eStatus,
    e2e_receiver,
    e2e_sender,
    e2e_state_machine,
)
from tests.fuzz.draw import Draw

NAME = "e2e"
INSTRUMENTED = ("simcore.protection",)
SIZE_MAX = 56
_RIGHT = (E2eStatus.OK, E2eStatus.OK_SOME_LOST)
_LIST = tuple(range(1, 17))


@lru_cache(maxsize=1)
def configs() -> tuple[tuple[E2eConfig, int], ...]:
    """Settings of every profile, with the length of the payload."""
    made = []
    for profile in ("P04", "P05", "P06", "P07", "P08", "P44"):
        for length in (24, 32):
            for strict in (False, True):
                made.append((E2eConfig(profile=profile, data_id=0x123, strict=strict), length))
    for mode in ("BOTH", "ALT", "LOW", "NIBBLE"):
        made.append((E2eConfig(profile="P01", data_id=0x123, data_id_mode=mode), 8))
    for mode in ("BOTH", "NIBBLE"):
        made.append((E2eConfig(profile="P11", data_id=0x123, data_id_mode=mode), 8))
    for profile in ("P02", "P22"):
        made.append((E2eConfig(profile=profile, data_id_list=_LIST), 8))
    made.append((E2eConfig(profile="P05", data_id=0xFFFF, offset_bits=64), 64))
    return tuple(made)


def seeds() -> list[bytes]:
    """Each profile with a sound stream and one of every order."""
    stream = bytes((0, 0, 0, 0, 0, 1, 7, 0, 2, 2, 0, 3, 0, 4, 9, 5, 6, 0, 0))
    return [bytes((number,)) + stream for number in range(len(configs()))]


def check(data: bytes) -> None:
    """One input."""
    draw = Draw(data)
    known = configs()
    config, length = known[draw.below(len(known))]
    sender, receiver = e2e_sender(config, length), e2e_receiver(config, length)
    machine = e2e_state_machine(config)
    last = bytes(length)
    for _ in range(40):
        if not draw:
            break
        order = draw.below(7)
        if order <= 1:
            last = sender.protect(bytes((draw.byte(),)) * length)
            status = receiver.check(last)
            assert status is not E2eStatus.ERROR, (config.profile, last.hex())
        elif order == 2:
            for _ in range(draw.below(20)):
                last = sender.protect(bytes(length))
            status = receiver.check(last) if last.strip(b"\0") else E2eStatus.NO_NEW_DATA
        elif order == 3:
            status = receiver.check(last)
            assert status not in _RIGHT or not any(last) or order == 3
        elif order == 4:
            wrong = sender.protect(bytes(length))
            place, bit = draw.below(length), 1 << draw.below(8)
            altered = wrong[:place] + bytes((wrong[place] ^ bit,)) + wrong[place + 1 :]
            status = receiver.check(altered)
            if config.profile not in ("P02", "P22", "P01", "P11"):
                assert status is E2eStatus.ERROR, (config.profile, place, bit)
        elif order == 5:
            status = receiver.check(draw.piece(draw.below(70)))
        else:
            status = receiver.no_new_data()
        assert isinstance(status, E2eStatus)
        assert isinstance(machine.step(status), E2eState)
        assert 0 <= receiver.counter < 1 << 32
