"""The persisted record: cut at any operation, what is read is the record before or the new one."""

from __future__ import annotations

import copy

import pytest

from simcore.errors import UsageError
from simcore.update.block_list import BlockList
from simcore.update.consent import Consent
from simcore.update.events import UpdateEvent
from simcore.update.flash import Flash, FlashRegion
from simcore.update.flash_geometry import CutKind, FlashGeometry, PowerCut, PowerLost
from simcore.update.record import (
    RECORD_SIZE,
    RecordStore,
    UpdateRecord,
    decode_record,
    encode_record,
)
from simcore.update.record_blobs import BlobStore
from simcore.update.states import UpdateState

SIZE = 40


def region(*, sectors: int = 2, sector_size: int = 256, unstable: bool = False) -> FlashRegion:
    geometry = FlashGeometry(size=sectors * sector_size, sector_size=sector_size)
    return FlashRegion(Flash(geometry, unstable=unstable), 0, geometry.size, "records")


def body(number: int) -> bytes:
    return bytes([number & 0xFF]) * SIZE


def opened(of: FlashRegion) -> tuple[RecordStore, bytes | None]:
    """As an application does after a start: read, then settle."""
    store = RecordStore(of, SIZE)
    found = store.body
    if found is not None:
        store.write(found)
    return store, found


def test_the_newest_record_is_read_back_over_many_turns_of_both_sectors() -> None:
    place = region()
    store = RecordStore(place, SIZE)
    assert store.body is None
    for number in range(1, 60):
        store.write(body(number))
        assert RecordStore(place, SIZE).body == body(number)
    assert store.sequence == 59


def test_both_sectors_wear_alike_and_a_write_costs_one_erase_at_most() -> None:
    place = region()
    store = RecordStore(place, SIZE)
    for number in range(100):
        before = place.flash.operations
        store.write(body(number))
        assert place.flash.operations - before <= 2
    per_sector = 256 // 56
    wear = [place.flash.wear(0), place.flash.wear(1)]
    assert max(wear) - min(wear) <= 1
    assert sum(wear) == -(-100 // per_sector)


@pytest.mark.parametrize("unstable", [False, True])
@pytest.mark.parametrize("kind", CutKind)
def test_a_cut_at_any_operation_leaves_the_record_before_or_the_new_one(
    kind: CutKind, unstable: bool
) -> None:
    seeds = range(6) if kind is CutKind.TORN else range(1)
    for seed in seeds:
        for operation in range(28):
            _cut_at(operation, kind, seed, unstable)


def _cut_at(operation: int, kind: CutKind, seed: int, unstable: bool) -> None:
    place = region(unstable=unstable)
    place.flash.cut = PowerCut(operation, kind, seed)
    store = RecordStore(place, SIZE)
    written = 0
    with pytest.raises(PowerLost):
        for number in range(1, 60):
            store.write(body(number))
            written = number
    allowed = {body(written) if written else None, body(written + 1)}
    store, found = opened(place)
    assert found in allowed
    assert RecordStore(place, SIZE).body == found, "what was believed once is believed again"
    for number in range(100, 112):  # and it goes on, past the end of the sector
        store.write(body(number))
        assert RecordStore(place, SIZE).body == body(number)


@pytest.mark.parametrize("unstable", [False, True])
def test_a_second_cut_while_recovering_is_survived_too(unstable: bool) -> None:
    for first in range(0, 14):
        for second in range(3):
            place = region(unstable=unstable)
            place.flash.cut = PowerCut(first, CutKind.TORN, first)
            store, written = RecordStore(place, SIZE), 0
            with pytest.raises(PowerLost):
                for number in range(1, 60):
                    store.write(body(number))
                    written = number
            place.flash.cut = PowerCut(place.flash.operations + second, CutKind.TORN, second)
            try:
                store = opened(place)[0]
                store.write(body(200))
            except PowerLost:
                pass
            place.flash.cut = None
            allowed = {body(written) if written else None, body(written + 1), body(200)}
            assert opened(place)[1] in allowed


def test_a_record_survives_encoding() -> None:
    record = UpdateRecord(
        state=UpdateState.SUSPENDED,
        previous=UpdateState.DOWNLOADING,
        event=UpdateEvent.PAUSED,
        resume_state=UpdateState.DOWNLOADING,
        campaign=b"c" * 16,
        image_name=b"n" * 16,
        version="255.255.65535+4294967295",
        size=1,
        image_hash=b"h" * 32,
        slot=1,
        offset=2,
        hash_context=b"x" * 8,
        security_counter=3,
        release_counter=4,
        tries=5,
        attack=8,
        reports=9,
        cause="endless data: too long",
        steps=6,
        trusted_blob=7,
        candidate_blob=8,
        metadata_versions=(1, 2, 3, 4, 5, 6, 7, 8),
        blocked=BlockList().blocking(b"b" * 16),
        bundle=True,
        promised=False,
        authorised=True,
        permanent=False,
        installed=True,
        commanded=True,
    )
    encoded = encode_record(record)
    assert len(encoded) == RECORD_SIZE <= 512
    assert decode_record(encoded) == record
    assert decode_record(encode_record(UpdateRecord())) == UpdateRecord()


def test_a_text_that_does_not_fit_is_refused_not_cut() -> None:
    with pytest.raises(
        UsageError, match=r"update record, cause: expected at most 56 bytes, got x+"
    ):
        encode_record(UpdateRecord(cause="x" * 57))


def test_a_store_says_what_it_needs() -> None:
    with pytest.raises(
        UsageError, match="record store: expected two sectors of at least 528 bytes"
    ):
        RecordStore(region(), 512)
    with pytest.raises(UsageError, match="record store: expected 40 bytes, got 3"):
        RecordStore(region(), SIZE).write(b"abc")


# ---- blobs ----


def test_a_new_blob_leaves_the_one_before_alone() -> None:
    place = region(sectors=4)
    store = BlobStore(place, 0, 4)
    store.write(1, b"one" * 100)
    for operation in range(4):
        for kind in CutKind:
            twin = copy.deepcopy(place)
            twin.flash.cut = PowerCut(twin.flash.operations + operation, kind, operation)
            blobs = BlobStore(twin, 0, 4)
            with pytest.raises(PowerLost):
                blobs.write(2, b"two" * 120)
                blobs.write(2, b"two" * 120)
            assert blobs.read(1) == b"one" * 100
            assert blobs.read(2) in (None, b"two" * 120)


def test_a_blob_that_does_not_fit_is_refused() -> None:
    store = BlobStore(region(sectors=4), 0, 4)
    with pytest.raises(UsageError, match="blob store: expected at most 496 bytes, got 497 bytes"):
        store.write(1, bytes(497))
    with pytest.raises(UsageError, match="blob store: expected at least 2 sectors within"):
        BlobStore(region(), 1, 2)


# ---- parts of the record ----


def test_the_oldest_of_the_blocked_campaigns_gives_way() -> None:
    blocked = BlockList()
    for number in range(1, 6):
        blocked = blocked.blocking(bytes([number]) * 16)
    assert bytes([1]) * 16 not in blocked
    assert all(bytes([number]) * 16 in blocked for number in range(2, 6))
    assert BlockList.decode(blocked.encode()) == blocked
    assert bytes([3]) * 16 not in blocked.without(bytes([3]) * 16)
    assert blocked.blocking(bytes([2]) * 16).entries[-1] == bytes([2]) * 8
    with pytest.raises(UsageError, match="block list: expected the digest of a campaign"):
        blocked.blocking(bytes(16))


def test_a_question_expires_unless_it_is_answered() -> None:
    consent = Consent(valid_ns=10)
    assert consent.deadline_ns() is None and not consent.is_expired(99)
    consent.ask(5)
    assert consent.deadline_ns() == 15
    assert not consent.is_expired(14) and consent.is_expired(15)
    consent.close()
    assert not consent.is_expired(99)
