"""Writing to disk: what goes wrong is one error that names the path and the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from simcore.errors import InputError
from simcore.report.files import write_file


def test_missing_folders_are_made(tmp_path: Path) -> None:
    written = write_file(tmp_path / "out" / "ci" / "report.xml", b"<x/>", what="JUnit report")
    assert written.read_bytes() == b"<x/>"


def test_a_folder_in_place_of_the_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"writing the HTML report: expected a path that can be written, got Is a directory",
    ) as caught:
        write_file(tmp_path, b"", what="HTML report")
    assert caught.value.file == str(tmp_path)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InputError, match=r"out.report\.html: writing the HTML report: expected"):
        write_file(tmp_path / "out" / "report.html", b"", what="HTML report")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full to stand in for a disk")
def test_a_full_disk_is_reported() -> None:
    with pytest.raises(InputError, match=r"/dev/full: writing the BLF log: .* No space left"):
        write_file("/dev/full", b"x" * 10_000, what="BLF log")


def test_a_path_no_system_accepts_is_refused() -> None:
    with pytest.raises(InputError, match=r"writing the BLF log: .* null"):
        write_file("a\0b", b"", what="BLF log")
