"""Files that are no module: the message says what is wrong before the loader's own words do."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from simcore.attach.c_library import LibraryFile
from simcore.attach.c_module import CModule
from simcore.errors import InputError

Compile = Callable[..., Path]

ON_X86_LINUX = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64", reason="reads ELF for x86_64"
)

MODULE = """
    #include "simcore_node.h"
    #ifndef VERSION
    #define VERSION SIMCORE_NODE_ABI_VERSION
    #endif
    #ifndef SIZE
    #define SIZE 8
    #endif
    #ifndef FLAGS
    #define FLAGS 0
    #endif
    static const simcore_node_description about = {FLAGS, NULL, "2.0"};
    const simcore_node_description *simcore_node_describe(void) { return &about; }
    uint32_t simcore_node_abi_version(void) { return VERSION; }
    size_t simcore_node_state_size(void) { return SIZE; }
    void simcore_node_start(void *s, const simcore_node_host *h, uint32_t c, int64_t t)
    { (void)s; (void)h; (void)c; (void)t; }
    void simcore_node_receive(void *s, const simcore_node_host *h, const simcore_node_frame *f,
                              int64_t t) { (void)s; (void)h; (void)f; (void)t; }
    #ifndef LEAN
    void simcore_node_timer(void *s, const simcore_node_host *h, int64_t t)
    { (void)s; (void)h; (void)t; }
    int64_t simcore_node_next_deadline(const void *s) { (void)s; return SIMCORE_NODE_NEVER; }
    #endif
"""


@pytest.fixture
def fake(tmp_path: Path) -> Callable[[bytes], Path]:
    def made(content: bytes) -> Path:
        path = tmp_path / "module.so"
        path.write_bytes(content)
        return path

    return made


def elf(*, machine: int = 0x3E, kind: int = 3, bits: int = 2, order: int = 1) -> bytes:
    header = bytearray(64)
    header[:6] = b"\x7fELF" + bytes((bits, order))
    header[16:18] = kind.to_bytes(2, "little" if order == 1 else "big")
    header[18:20] = machine.to_bytes(2, "little" if order == 1 else "big")
    return bytes(header)


@ON_X86_LINUX
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "got an empty file"),
        (b"int main(void)" + bytes(99), "got a file of another kind"),
        (b"MZ" + bytes(99), "got a Windows program or library"),
        (b"\xcf\xfa\xed\xfe" + bytes(99), "got a macOS program or library"),
        (b"!<arch>\n" + bytes(99), "got a static library"),
        (b"#!/bin/sh" + bytes(99), "got a script"),
        (elf(machine=0xB7), "got one for aarch64"),
        (elf(machine=0x1234), "got one for processor 0x1234"),
        (elf(bits=1), "got one for 32-bit little-endian x86_64"),
        (elf(order=2), "got one for 64-bit big-endian x86_64"),
        (elf(kind=1), "got an object file: link it with cc -shared"),
        (elf(kind=2), "got a program"),
        (elf()[:63], "got a file of another kind"),
    ],
)
@pytest.mark.parametrize("isolated", [False, True])
def test_a_file_that_is_no_library_for_this_machine_is_named(
    fake: Callable[[bytes], Path], content: bytes, complaint: str, isolated: bool
) -> None:
    path = fake(content)
    with pytest.raises(
        InputError,
        match=f"^{path}: module: expected a shared library for x86_64 Linux, {complaint}$",
    ):
        CModule(path, isolated=isolated)


def test_a_library_of_the_system_is_not_taken_for_another_machines() -> None:
    assert LibraryFile.at(sys.modules["_struct"].__file__ or "").digest


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no\.so: module: expected a shared library, got No such"):
        CModule(tmp_path / "no.so")
    with pytest.raises(InputError, match="module: expected a file, got a folder"):
        CModule(tmp_path)


@ON_X86_LINUX
@pytest.mark.parametrize("kept_bytes", [100, 3000, -5000])
def test_a_library_that_is_cut_short_is_refused(
    fake: Callable[[bytes], Path], probe: Path, kept_bytes: int
) -> None:
    path = fake(probe.read_bytes()[:kept_bytes])
    size = path.stat().st_size
    with pytest.raises(InputError, match=rf"got one cut short: {size} of \d+ bytes$"):
        CModule(path)


@ON_X86_LINUX
@pytest.mark.parametrize("isolated", [False, True])
def test_what_only_the_loader_finds_is_said_in_its_words(
    fake: Callable[[bytes], Path], isolated: bool
) -> None:
    path = fake(elf())
    with pytest.raises(
        InputError, match=f"^{path}: module: expected a library that can be loaded, got .*{path}"
    ):
        CModule(path, isolated=isolated)


@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["-DVERSION=7"], r"simcore_node_abi_version: expected 1, the version of .*, got 7$"),
        (["-DLEAN"], "functions simcore_node_timer, simcore_node_next_deadline, got none of them$"),
        (
            ["-DSIZE=16777217"],
            r"simcore_node_state_size: expected 0\.\.16777216 bytes, got 16777217",
        ),
        (["-DFLAGS=6"], "simcore_node_describe: expected flags within 0x3, got 0x6$"),
    ],
)
def test_a_library_that_does_not_follow_the_header_is_refused(
    compile_c: Compile, options: list[str], complaint: str, isolated: bool
) -> None:
    path = compile_c(MODULE, *options)
    with pytest.raises(InputError, match=f"^{path}: module.*{complaint}"):
        CModule(path, isolated=isolated)


def test_a_library_of_something_else_is_refused(compile_c: Compile) -> None:
    path = compile_c("int x;")
    with pytest.raises(InputError, match="expected a function simcore_node_abi_version"):
        CModule(path)


def test_an_undefined_symbol_is_found_at_once_and_named(compile_c: Compile) -> None:
    path = compile_c(MODULE + "void nowhere(void); void call(void) { nowhere(); }")
    with pytest.raises(InputError, match=f"^{path}: .*{path}: undefined symbol: nowhere"):
        CModule(path)


@pytest.mark.parametrize("isolated", [False, True])
def test_what_a_library_says_about_itself_is_read(
    compile_c: Compile, probe: Path, static_probe: Path, isolated: bool
) -> None:
    node = CModule(compile_c(MODULE, "-DFLAGS=2"), isolated=isolated)
    facts = node.facts
    assert node.fixed_schedule
    assert (facts.state_size, facts.flags, facts.name, facts.version) == (8, 2, "", "2.0")
    assert facts.optional == () and not facts.is_relocatable
    facts = CModule(probe, isolated=isolated).facts
    assert (facts.flags, facts.name, facts.version) == (1, "probe", "1.2")
    assert len(facts.optional) == 3 and facts.is_relocatable
    facts = CModule(static_probe, isolated=isolated).facts
    assert (facts.state_size, facts.flags, facts.name, facts.version) == (0, 0, "", "")


def test_a_library_that_is_built_anew_is_loaded_anew(compile_c: Compile, tmp_path: Path) -> None:
    path = tmp_path / "module.so"
    shutil.copy(compile_c(MODULE, "-DSIZE=8"), path)
    before = CModule(path)
    shutil.copy(compile_c(MODULE, "-DSIZE=16"), path)
    after = CModule(path)
    assert (before.facts.state_size, after.facts.state_size) == (8, 16)
    assert before.file_digest != after.file_digest
    assert before.file.private_library().facts.state_size == 8


def test_a_pickle_that_meets_another_library_in_its_place_says_so(
    compile_c: Compile, tmp_path: Path
) -> None:
    path = tmp_path / "module.so"
    shutil.copy(compile_c(MODULE, "-DSIZE=24"), path)
    file = LibraryFile(str(path), "0" * 32)
    with pytest.raises(InputError, match=r"expected the library with digest 000.*built anew"):
        _ = file.content
    assert LibraryFile(str(path), LibraryFile.at(path).digest).content == path.read_bytes()


def test_loading_leaves_no_file_behind(
    probe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    LibraryFile.at(probe).private_library()
    assert list(tmp_path.iterdir()) == []


def test_the_probe_follows_the_header_in_pedantic_mode(tmp_path: Path, probe: Path) -> None:
    source = Path(__file__).with_name("c_probe.c")
    from simcore.attach.c_abi import header_path

    command = ["cc", "-std=c99", "-pedantic", "-fsyntax-only", f"-I{header_path().parent}"]
    done = subprocess.run([*command, "-D_POSIX_C_SOURCE=200809L", "-Werror", str(source)])
    assert done.returncode == 0
