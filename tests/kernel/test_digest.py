"""The digest of a run: order and every byte count; asking, copying and time of asking do not."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.kernel import TraceDigest
from simcore.kernel.digest import BLOCK_ITEMS

PINNED_EMPTY = "e8af5d6bebb349cf6f10bd3570a43b4f65423d357cf8aed5575b23e59522d0e2"
PINNED_1500 = "bf33985798aa988f084ef1dfc39e39b15ccc364fe552d12f236eec976c51fda7"


def numbered(count: int, start: int = 0) -> list[bytes]:
    return [f"{number};".encode() for number in range(start, start + count)]


def digest_of(items: list[bytes]) -> TraceDigest:
    digest = TraceDigest()
    for item in items:
        digest.add(item)
    return digest


BORDERS = [0, 1, BLOCK_ITEMS - 1, BLOCK_ITEMS, BLOCK_ITEMS + 1, 2 * BLOCK_ITEMS, 1500]


def test_digests_of_different_lengths_differ_across_block_borders() -> None:
    digests = {digest_of(numbered(count)).hexdigest() for count in range(2 * BLOCK_ITEMS + 2)}
    assert len(digests) == 2 * BLOCK_ITEMS + 2


def test_the_digest_has_this_value_on_every_machine() -> None:
    assert digest_of([]).hexdigest() == PINNED_EMPTY
    assert digest_of(numbered(1500)).hexdigest() == PINNED_1500


@pytest.mark.parametrize("position", [0, BLOCK_ITEMS - 1, BLOCK_ITEMS, 1499])
def test_one_changed_item_changes_the_digest_for_good(position: int) -> None:
    items = numbered(1500)
    changed = [*items]
    changed[position] = changed[position].replace(b";", b"!")
    one, other = digest_of(items), digest_of(changed)
    assert one.hexdigest() != other.hexdigest()
    for item in numbered(1200, start=5000):
        one.add(item)
        other.add(item)
    assert one.hexdigest() != other.hexdigest()


@pytest.mark.parametrize("position", [0, BLOCK_ITEMS - 1, BLOCK_ITEMS, 1000])
def test_the_order_of_items_counts(position: int) -> None:
    items = numbered(1500)
    items[position], items[position + 1] = items[position + 1], items[position]
    assert digest_of(items).hexdigest() != digest_of(numbered(1500)).hexdigest()


@given(st.lists(st.integers(0, 1300), max_size=6))
def test_asking_for_the_digest_at_any_time_changes_nothing(asked_at: list[int]) -> None:
    digest = TraceDigest()
    for number, item in enumerate(numbered(1300)):
        if number in asked_at:
            assert digest.hexdigest() == digest.hexdigest()
        digest.add(item)
    assert digest.hexdigest() == digest_of(numbered(1300)).hexdigest()


@pytest.mark.parametrize("how", ["deep copy", "pickle"])
@pytest.mark.parametrize("cut", BORDERS)
def test_a_copy_that_continues_ends_with_the_digest_of_the_original(how: str, cut: int) -> None:
    original = digest_of(numbered(cut))
    frozen = original.hexdigest()
    fork = copy.deepcopy(original) if how == "deep copy" else pickle.loads(pickle.dumps(original))
    for item in numbered(700, start=cut):
        fork.add(item)
    assert original.hexdigest() == frozen
    assert fork.hexdigest() == digest_of(numbered(cut + 700)).hexdigest()


def test_a_digest_is_64_hexadecimal_digits() -> None:
    text = digest_of(numbered(3)).hexdigest()
    assert len(text) == 64
    assert set(text) <= set("0123456789abcdef")
