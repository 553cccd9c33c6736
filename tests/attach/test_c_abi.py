"""The header: what a compiler makes of it is what cffi and the Python side take it for."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simcore.attach import c_abi
from simcore.attach.c_abi import (
    FRAME,
    Call,
    Entry,
    FrameFlag,
    ModuleFlag,
    declarations,
    header_path,
    interface,
)
from simcore.attach.c_callbacks import callbacks
from simcore.attach.c_library import _REQUIRED, OPTIONAL
from simcore.bus import ErrorState
from simcore.diag.codes import ResetKind
from simcore.update.reset_cause import ResetCause

Compile = Callable[..., Path]

FIELDS = ("simcore_node_frame", "simcore_node_description", "simcore_node_host")
CONSTANTS = {
    "ABI_VERSION": c_abi.ABI_VERSION,
    "DATA_MAX": c_abi.DATA_MAX,
    "KEY_MAX": c_abi.KEY_MAX,
    "MEMORY_MAX": c_abi.MEMORY_MAX,
    "TEXT_MAX": c_abi.TEXT_MAX,
    "STATE_MAX": c_abi.STATE_MAX,
    "NEVER": c_abi.NEVER_NS,
    "OK": c_abi.OK,
    "NONE": c_abi.NONE,
    "REFUSED": c_abi.REFUSED,
    "DEFAULT_CHANNEL": c_abi.DEFAULT_CHANNEL,
    "EXTENDED_ID": FrameFlag.EXTENDED_ID,
    "FD": FrameFlag.FD,
    "BITRATE_SWITCH": FrameFlag.BITRATE_SWITCH,
    "ERROR_STATE_INDICATOR": FrameFlag.ERROR_STATE_INDICATOR,
    "REMOTE": FrameFlag.REMOTE,
    "POWER_ON": ResetCause.POWER_ON,
    "WATCHDOG_RESET": ResetCause.WATCHDOG,
    "SOFTWARE_RESET": ResetCause.SOFTWARE,
    "BROWN_OUT": ResetCause.BROWN_OUT,
    "ERROR_ACTIVE": ErrorState.ACTIVE,
    "ERROR_WARNING": ErrorState.WARNING,
    "ERROR_PASSIVE": ErrorState.PASSIVE,
    "BUS_OFF": ErrorState.BUS_OFF,
    "HARD_RESET": ResetKind.HARD,
    "KEY_OFF_ON_RESET": ResetKind.KEY_OFF_ON,
    "SOFT_RESET": ResetKind.SOFT,
    "RELOCATABLE": ModuleFlag.RELOCATABLE,
    "FIXED_SCHEDULE": ModuleFlag.FIXED_SCHEDULE,
}


@pytest.fixture(scope="module")
def compiled_numbers(compile_c: Compile) -> Any:
    """A library that tells what the compiler made of the header."""
    rows = [f'{{"{name}", (int64_t)SIMCORE_NODE_{name}}}' for name in CONSTANTS]
    for struct in FIELDS:
        rows.append(f'{{"{struct}", sizeof({struct})}}')
        for field, _ in interface().typeof(struct).fields:
            rows.append(f'{{"{struct}.{field}", offsetof({struct}, {field})}}')
    text = f"""
        #include "simcore_node.h"
        struct row {{ const char *name; int64_t value; }};
        const struct row rows[] = {{ {", ".join(rows)} }};
        const int row_count = sizeof rows / sizeof rows[0];
    """
    ffi = __import__("cffi").FFI()
    ffi.cdef(
        "struct row { const char *name; int64_t value; };"
        "extern struct row rows[]; extern int row_count;"
    )
    library = ffi.dlopen(str(compile_c(text)))
    found = (library.rows[place] for place in range(library.row_count))
    return {ffi.string(row.name).decode(): row.value for row in found}


def test_every_constant_of_the_header_is_the_same_on_both_sides(
    compiled_numbers: dict[str, int],
) -> None:
    assert {name: compiled_numbers[name] for name in CONSTANTS} == CONSTANTS
    named = set(re.findall(r"\bSIMCORE_NODE_([A-Z_]+)\b", declarations(header_path().read_text())))
    assert named | {"NEVER"} == set(CONSTANTS)


def test_every_structure_has_the_same_layout_on_both_sides(
    compiled_numbers: dict[str, int],
) -> None:
    ffi = interface()
    for struct in FIELDS:
        assert compiled_numbers[struct] == ffi.sizeof(struct), struct
        for field, _ in ffi.typeof(struct).fields:
            assert compiled_numbers[f"{struct}.{field}"] == ffi.offsetof(struct, field), field
    assert compiled_numbers["simcore_node_frame"] == FRAME.size


def test_every_callback_of_the_host_is_answered() -> None:
    data = {"size", "channel_count", "node_name", "context"}
    fields = {name for name, _ in interface().typeof("simcore_node_host").fields}
    assert set(callbacks()) == fields - data


def test_every_function_of_the_header_is_looked_for_and_no_other() -> None:
    declared = set(re.findall(r"\bsimcore_node_(\w+)\(", declarations(header_path().read_text())))
    called = {entry.name.lower() for entry in Entry}
    assert declared == {"abi_version", "describe", *_REQUIRED, *OPTIONAL.values()}
    assert called <= declared


@pytest.mark.parametrize(
    ("compiler", "name", "standard"),
    [
        ("cc", "x.c", "c99"),
        ("cc", "x.c", "c17"),
        ("c++", "x.cpp", "c++11"),
        ("c++", "x.cpp", "c++17"),
    ],
)
def test_the_header_compiles_without_a_warning(
    tmp_path: Path, compiler: str, name: str, standard: str
) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"no compiler `{compiler}` on this machine")
    source = tmp_path / name
    source.write_text('#include "simcore_node.h"\n#include "simcore_node.h"\n')
    options = ["-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    command = [compiler, f"-std={standard}", *options, f"-I{header_path().parent}", str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_call_says_what_and_when() -> None:
    frame = FRAME.pack(0x60, FrameFlag.FD, 8, 8, 0, b"")
    extended = FRAME.pack(0x60, FrameFlag.EXTENDED_ID, 8, 8, 0, b"")
    assert str(Call(Entry.RECEIVE, 12_000_000, frame=frame)) == "receive of 0x060 at 12 ms"
    assert str(Call(Entry.RECEIVE, 5, frame=extended)) == "receive of 0x00000060 at 0.000005 ms"
    assert str(Call(Entry.TIMER, 1_500_000)) == "timer at 1.5 ms"
