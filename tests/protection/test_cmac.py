"""AES-CMAC against the published vectors; key slots; copies and pickles."""

from __future__ import annotations

import copy
import pickle

import pytest

from simcore.errors import UsageError
from simcore.protection.cmac import Cmac, KeyStore, memory_of

KEY = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
MESSAGE = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)


@pytest.mark.parametrize(
    ("length", "mac"),
    [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ],
)
def test_the_four_examples_of_rfc_4493(length: int, mac: str) -> None:
    cmac = Cmac(KEY)
    assert cmac.mac(MESSAGE[:length]).hex() == mac
    assert cmac.mac(MESSAGE[:length]).hex() == mac  # the prepared object is not used up


def test_the_truncated_mac_is_its_most_significant_bits() -> None:
    cmac = Cmac(KEY)
    assert cmac.truncated(b"", 24) == 0xBB1D69
    assert cmac.truncated(b"", 28) == 0xBB1D692
    assert cmac.truncated(b"", 128) == 0xBB1D6929E95937287FA37D129B756746


def test_it_survives_copies_and_pickles() -> None:
    cmac = Cmac(KEY)
    assert copy.deepcopy(cmac) is cmac
    assert copy.copy(cmac) is cmac
    again = pickle.loads(pickle.dumps(cmac))
    assert again == cmac
    assert hash(again) == hash(cmac)
    assert again.mac(MESSAGE) == cmac.mac(MESSAGE)
    assert cmac != Cmac(bytes(16))
    assert cmac != KEY


@pytest.mark.parametrize("key", [b"", bytes(15), bytes(17), "0" * 16])
def test_what_is_no_key_is_refused(key: bytes) -> None:
    with pytest.raises(UsageError, match=r"AES-CMAC key: expected 16, 24 or 32 bytes, got"):
        Cmac(key)


def test_no_key_shows_in_a_text() -> None:
    store = KeyStore({3: KEY})
    for text in (repr(Cmac(KEY)), repr(store)):
        assert KEY.hex() not in text
        assert "2b7e" not in text
    assert repr(store) == "<KeyStore with slots 3>"
    assert repr(KeyStore()) == "<KeyStore with slots none>"


def test_slots_are_filled_and_erased() -> None:
    store = KeyStore({1: KEY})
    assert store.cmac(1) == Cmac(KEY)
    assert store.cmac(2) is None
    store.put(2, bytes(16))
    assert store.slots == [1, 2]
    other = copy.deepcopy(store)
    store.erase(1)
    store.erase(1)
    assert store.cmac(1) is None
    assert other.cmac(1) is not None  # a copy is independent


def test_slots_come_from_the_non_volatile_memory_and_a_spoilt_one_is_empty() -> None:
    memory = {**memory_of({1: KEY, 7: bytes(16)}), "secoc.key.9": b"short", "secoc.key.x": KEY}
    memory["odometer"] = bytes(16)
    assert KeyStore.of_memory(memory).slots == [1, 7]
    assert KeyStore.of_memory(memory).cmac(1) == Cmac(KEY)
