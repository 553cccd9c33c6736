"""The trailer of a slot: fields, their order, and imgtool's view of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from simcore.update.flash import CutKind, Flash, FlashGeometry, FlashRegion, PowerCut, PowerLost
from simcore.update.image import SigningKey, build_image
from simcore.update.trailer import Flag, Magic, SwapType, Trailer, TrailerState

SECTOR = 512
BLANK = TrailerState(Magic.UNSET, Flag.UNSET, Flag.UNSET)


def a_sector(program_size: int = 8) -> FlashRegion:
    geometry = FlashGeometry(size=SECTOR, sector_size=SECTOR, program_size=program_size)
    return FlashRegion(Flash(geometry), 0, SECTOR, "trailer")


@pytest.mark.parametrize("program_size", [1, 4, 8, 16, 32])
def test_a_request_and_a_finished_swap_are_read_back(program_size: int) -> None:
    region = a_sector(program_size)
    trailer = Trailer(region)
    assert trailer.read() == BLANK
    assert trailer.read().is_blank
    trailer.write_request(permanent=False)
    assert trailer.read() == TrailerState(Magic.GOOD, Flag.UNSET, Flag.UNSET, SwapType.TEST)
    trailer.erase()
    trailer.write_request(permanent=True)
    assert trailer.read() == TrailerState(Magic.GOOD, Flag.SET, Flag.UNSET, SwapType.PERM)
    trailer.erase()
    assert trailer.is_erased
    trailer.write_swapped(SwapType.TEST, 4096)
    assert trailer.read() == TrailerState(Magic.GOOD, Flag.UNSET, Flag.SET, SwapType.TEST)
    trailer.write_image_ok()
    assert trailer.read() == TrailerState(Magic.GOOD, Flag.SET, Flag.SET, SwapType.TEST)


def test_the_fields_lie_where_mcuboot_has_them() -> None:
    region = a_sector()
    Trailer(region).write_swapped(SwapType.REVERT, 0x1234)
    tail = region.read(SECTOR - 48, 48)
    blank = b"\xff" * 7
    assert tail == (
        b"\x34\x12\x00\x00\xff\xff\xff\xff"
        + b"\x04" + blank
        + b"\x01" + blank
        + b"\x01" + blank
        + bytes.fromhex("77c295f360d2ef7f3552500f2cb67980")
    )  # fmt: skip


@pytest.mark.parametrize("permanent", [False, True])
def test_a_request_becomes_valid_with_its_very_last_operation(permanent: bool) -> None:
    for operation in range(2 + permanent):
        region = a_sector()
        region.flash.cut = PowerCut(operation, CutKind.BEFORE)
        with pytest.raises(PowerLost, match="power lost"):
            Trailer(region).write_request(permanent=permanent)
        assert Trailer(region).read().magic is Magic.UNSET


@pytest.mark.parametrize("value", [b"\x00", b"\x02", b"\x01\x00", b"\xfe"])
def test_a_flag_that_is_neither_set_nor_erased_is_bad(value: bytes) -> None:
    region = a_sector()
    for offset in (24, 32):
        region.program(SECTOR - offset, value.ljust(8, b"\xff"))
    state = Trailer(region).read()
    assert (state.image_ok, state.copy_done) == (Flag.BAD, Flag.BAD)
    assert not state.is_blank


@pytest.mark.parametrize("value", [b"\x05", b"\x01", b"\x12", b"\x02\x00"])
def test_a_swap_info_that_means_nothing_is_read_as_none(value: bytes) -> None:
    region = a_sector()
    region.program(SECTOR - 40, value.ljust(8, b"\xff"))
    assert Trailer(region).read().swap_type is SwapType.NONE


def test_a_torn_magic_is_bad() -> None:
    region = a_sector()
    region.program(SECTOR - 16, bytes.fromhex("77c295f360d2ef7f3552500f2cb67981"))
    assert Trailer(region).read().magic is Magic.BAD


@pytest.mark.parametrize("align", [8, 16, 32])
@pytest.mark.parametrize("confirmed", [False, True])
def test_trailers_of_imgtool_are_understood(align: int, confirmed: bool, tmp_path: Path) -> None:
    imgtool = pytest.importorskip("imgtool.main", reason="imgtool is not installed")
    runner = pytest.importorskip("click.testing").CliRunner()
    (tmp_path / "software.bin").write_bytes(bytes(100))
    arguments = ["sign", "-v", "1", "-H", "32", "--pad-header", "-S", "0x2000", "--align", align]
    arguments += ["--max-align", align, "--confirm" if confirmed else "--pad", "-M", "8"]
    files = [tmp_path / "software.bin", tmp_path / "image.bin"]
    result = runner.invoke(imgtool.imgtool, [str(each) for each in (*arguments, *files)])
    assert result.exit_code == 0, result.output
    region = a_sector(align)
    region.program(0, (tmp_path / "image.bin").read_bytes()[-SECTOR:])
    state = Trailer(region).read()
    assert state.magic is Magic.GOOD
    assert state.image_ok is (Flag.SET if confirmed else Flag.UNSET)
    assert state.copy_done is Flag.UNSET


def test_imgtool_finds_our_trailer(tmp_path: Path) -> None:
    imgtool = pytest.importorskip("imgtool.main", reason="imgtool is not installed")
    runner = pytest.importorskip("click.testing").CliRunner()
    region = a_sector()
    Trailer(region).write_swapped(SwapType.PERM, 512)
    image = build_image(bytes(700), "1", SigningKey.of(0, "maker"))
    (tmp_path / "slot.bin").write_bytes(image.ljust(3584, b"\xff") + region.read(0, SECTOR))
    result = runner.invoke(imgtool.imgtool, ["dumpinfo", str(tmp_path / "slot.bin")])
    assert result.exit_code == 0, result.output
    told = " ".join(result.output.split())
    assert "swap size: 0x200" in told
    assert "(0x3) copy_done" in told  # swap_info, which imgtool gives another name
    assert "copy_done: SET (0x1)" in told
    assert "image_ok: SET (0x1)" in told
