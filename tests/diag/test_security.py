"""SecurityAccess: seeds, keys, attempts and delays, over resets and power cuts."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import pytest

from simcore.diag.codes import ResetKind
from simcore.diag.security import MEMORY_KEY, Blake2Key
from simcore.errors import UsageError
from simcore.units import ms, s

Benches = Callable[..., Any]

ORDER = [
    ("prog", "27", "7f2713"),
    ("prog", "27 00", "7f2712"),
    ("prog", "27 03", "7f2712"),
    ("prog", "27 41 00", "7f2712"),
    ("ext", "27 11", "7f277e"),  # this level only in programming
    ("ext", "27 12 00", "7f277e"),
    ("prog", "27 02", "7f2724"),  # the sequence before the total length
    ("prog", "27 02 0000000000000000", "7f2724"),
    ("prog", "27 01 00", "7f2713"),
    ("prog", "27 11", "7f2713"),  # its data record is missing
    ("prog", "27 11 00 00 00", "7f2713"),
]


@pytest.mark.parametrize(("place", "request_hex", "response"), ORDER)
def test_refusals_come_in_the_order_of_the_standard(
    uds_bench: Benches, place: str, request_hex: str, response: str
) -> None:
    bench = uds_bench()
    bench.go(place)
    assert bench.ask(request_hex) == response


def seed_of(bench: Any, request: str = "27 01") -> bytes:
    response = bytes.fromhex(bench.ask(request))
    assert response[0] == 0x67, response.hex()
    return response[2:]


WRONG = "27 02 0000000000000000"


def wrong(bench: Any, times: int = 1) -> str:
    """Send a wrong key so many times; the last answer."""
    answer = ""
    for _ in range(times):
        seed_of(bench)
        answer = bench.ask(WRONG)
    return answer


def test_the_right_key_unlocks(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    seed = seed_of(bench)
    assert len(seed) == 8
    key = blake2b(seed, key=b"first secret 123", digest_size=8).hexdigest()
    assert bench.ask(f"27 02 {key}") == "6702"
    assert bench.server.unlocked_level == 0x01


def test_an_unlocked_level_gets_zeros_and_owes_no_key(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext+01")
    assert bench.ask("27 01") == "6701" + "00" * 8
    assert bench.ask(WRONG) == "7f2724"
    assert bench.server.unlocked_level == 0x01


def test_one_level_at_a_time_is_unlocked(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("prog+01")
    seed_of(bench, "27 11 0000")
    assert bench.ask("27 12 00000000") == "7f2735"
    assert bench.server.unlocked_level == 0x01  # a failed try leaves the other level alone
    bench.unlock(0x11)
    assert bench.server.unlocked_level == 0x11


def test_seeds_differ_and_follow_from_the_stream(uds_bench: Benches) -> None:
    seeds = []
    for _ in range(2):
        bench = uds_bench()
        bench.go("ext")
        seeds.append([seed_of(bench) for _ in range(20)])
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 20


def test_only_the_key_to_the_last_seed_counts_and_only_once(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    old = seed_of(bench)
    seed_of(bench)
    key = blake2b(old, key=b"first secret 123", digest_size=8).hexdigest()
    assert bench.ask(f"27 02 {key}") == "7f2735"
    assert bench.ask(f"27 02 {key}") == "7f2724"  # the seed is used up


def test_the_key_of_another_level_is_out_of_sequence(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("prog")
    seed_of(bench)
    assert bench.ask("27 12 00000000") == "7f2724"
    assert bench.ask("27 02 00") == "7f2713"  # and the seed still stands
    seed_of(bench, "27 11 0000")
    assert bench.ask(WRONG) == "7f2724"


def test_a_change_of_session_takes_the_seed_back(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    seed_of(bench)
    bench.all("10 03")
    assert bench.ask(WRONG) == "7f2724"


# ---- attempts and delay ----


def test_the_last_attempt_begins_the_delay(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    assert wrong(bench) == "7f2735"
    assert wrong(bench) == "7f2735"
    assert wrong(bench) == "7f2736"
    assert bench.ask("27 01") == "7f2737"
    assert bench.ask(WRONG) == "7f2724"


def test_the_delay_ends_to_the_ns_and_gives_new_attempts(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    wrong(bench, 3)
    for _ in range(4):
        bench.wait(ms(2500) - 1)
        bench.ask("3e 80")
    bench.now_ns = s(10) - 1
    assert bench.ask("27 01") == "7f2737"
    bench.now_ns = s(10)
    assert wrong(bench, 2) == "7f2735"
    assert wrong(bench) == "7f2736"


def test_a_right_key_gives_all_attempts_back(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    wrong(bench, 2)
    bench.unlock(0x01)
    bench.all("10 03")
    assert wrong(bench, 2) == "7f2735"


def test_levels_count_by_themselves(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("prog")
    wrong(bench, 3)
    for answer in ("7f2735", "7f2736"):
        seed_of(bench, "27 11 0000")
        assert bench.ask("27 12 00000000") == answer
    assert bench.ask("27 11 0000") == "7f2737"


@pytest.mark.parametrize("gets_a_reset", [True, False])
def test_no_reset_and_no_power_cut_gives_new_attempts(
    uds_bench: Benches, gets_a_reset: bool
) -> None:
    bench = uds_bench()
    bench.go("ext")
    wrong(bench, 2)
    if gets_a_reset:
        bench.server.start(s(1), after_reset=ResetKind.HARD)
    else:
        bench = uds_bench(dict(bench.memory))
    bench.go("ext")
    assert wrong(bench) == "7f2736"


@pytest.mark.parametrize("gets_a_reset", [True, False])
def test_a_running_delay_begins_anew_with_the_start(uds_bench: Benches, gets_a_reset: bool) -> None:
    bench = uds_bench()
    bench.go("ext")
    wrong(bench, 3)
    if not gets_a_reset:
        bench = uds_bench(dict(bench.memory))
    bench.now_ns = s(9)
    bench.server.start(s(9))
    assert bench.server.next_deadline_ns() == s(19)
    bench.go("ext")
    assert bench.ask("27 01") == "7f2737"
    bench.now_ns = s(19) - 1
    bench.go("ext")
    assert bench.ask("27 01") == "7f2737"
    bench.wait(1)
    assert len(seed_of(bench)) == 8


def test_a_delay_that_is_over_does_not_come_back_with_a_start(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("ext")
    wrong(bench, 3)
    bench.wait(s(10))
    bench.server.start(s(20))
    bench.go("ext")
    assert wrong(bench) == "7f2735"


def test_damaged_records_of_unknown_levels_are_left_aside(uds_bench: Benches) -> None:
    bench = uds_bench({MEMORY_KEY: bytes.fromhex("630301 0102")})
    bench.go("ext")
    assert wrong(bench) == "7f2735"


def test_the_delay_does_not_end_the_zeros_of_an_unlocked_level(uds_bench: Benches) -> None:
    bench = uds_bench()
    bench.go("prog+01")
    for _ in range(2):
        seed_of(bench, "27 11 0000")
        bench.ask("27 12 00000000")
    assert bench.ask("27 11 0000") == "7f2737"
    assert bench.ask("27 01") == "6701" + "00" * 8


# ---- the reference key ----


def test_the_reference_key_is_keyed_blake2b() -> None:
    key = Blake2Key(b"0123456789abcdef", 8)
    assert key(b"seed").hex() == "283c26626ba1bd0e"  # as openssl's BLAKE2BMAC computes it
    assert key(b"seee") != key(b"seed")


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(UsageError, match=r"secret: expected 16\.\.64 bytes, got 15 bytes"):
        Blake2Key(bytes(15))
