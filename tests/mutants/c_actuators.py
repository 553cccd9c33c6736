"""Broken actuators in C: the shipped one with a line changed, built with the compiler of the host.

Judged as any C library is, its sidecar beside it. One that may crash runs in a child process.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from simcore.errors import UsageError
from tests.mutants.catalogue import Mutant

SOURCES = Path(__file__).parents[2] / "scenarios" / "modules"
_FLAGS = ("-std=c99", "-O1", "-shared", "-fPIC", "-w")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One change of the source."""

    name: str
    defect: str
    violates: tuple[str, ...]
    old: str
    """Stands in the sources once."""
    new: str
    is_dangerous: bool = False
    """It may take the process down that it runs in."""


PATCHES = (
    Patch(
        name="CCounterByTwo",
        defect="Counts by two.",
        violates=("COM-008",),
        old="data[2] = (*counter)++;",
        new="data[2] = *counter; *counter = (uint8_t)(*counter + 2);",
    ),
    Patch(
        name="CTimeoutLate",
        defect="Takes a command for good for 100 ms.",
        violates=("COM-004", "COM-003"),
        old="s->valid_until_ns = now_ns + 3 * m->cycle_ns;",
        new="s->valid_until_ns = now_ns + 20 * m->cycle_ns;",
    ),
    Patch(
        name="CRepeatedAccepted",
        defect="Takes frames whose counter has not moved.",
        violates=("COM-002", "COM-003"),
        old="check = delta >= 1 && delta <= 3 ? CHECK_OK",
        new="check = delta <= 3 ? CHECK_OK",
    ),
    Patch(
        name="CNotSaturated",
        defect="Lets values beyond the range of their signal wrap round.",
        violates=("COM-007", "BRK-010", "ROB-001", "SAF-005"),
        old="value = value <= high ? value : high;",
        new="",
    ),
    Patch(
        name="CMachineMissing",
        defect="Believes a stream from its first right frame on.",
        violates=("COM-003",),
        old="if (check == CHECK_OK && s->state == SM_VALID) {",
        new="if (check == CHECK_OK) {",
    ),
    Patch(
        name="CGradientUnlimited",
        defect="Follows every request with a right checksum.",
        violates=("SAF-004",),
        old="100e3 * 1e-9 * (double)cycle_ns, most(base_n, 0.5 * a->force_max_n)",
        new="1e9 * (double)cycle_ns, 1e9",
    ),
    Patch(
        name="CHeldTooLong",
        defect="Holds the last force for three seconds.",
        violates=("COM-004",),
        old="lost_ns < 300 * MS",
        new="lost_ns < 3000 * MS",
    ),
    Patch(
        name="CPedalDirectWeak",
        defect="Brakes with half the force by the pedal itself.",
        violates=("COM-004",),
        old="share == NO_PEDAL ? 0.0 : share * axle(e)->pedal_direct_n",
        new="share == NO_PEDAL ? 0.0 : 0.5 * share * axle(e)->pedal_direct_n",
    ),
    Patch(
        name="CCrashesOnEmptyFrame",
        defect="Writes where an empty frame has no data.",
        violates=("ROB-001",),
        old="    check_t check = CHECK_ERROR;\n    unsigned delta;\n",
        new=(
            "    check_t check = CHECK_ERROR;\n    unsigned delta;\n"
            "    if (length == 0) { *(volatile int *)0 = 1; }\n"
        ),
        is_dangerous=True,
    ),
)


def compiler() -> str | None:
    """A C compiler, if there is one."""
    return shutil.which("cc") or shutil.which("gcc")


def built(folder: Path, wanted: Callable[[str], bool]) -> Iterator[Mutant]:
    """Build those with a wanted name into a folder; the sound one is called `C actuator`."""
    if wanted("C actuator"):
        yield _mutant("C actuator", "", (), _build(folder / "sound", None))
    for patch in PATCHES:
        if wanted(patch.name):
            library = _build(folder / patch.name, patch)
            yield _mutant(patch.name, patch.defect, patch.violates, library, patch.is_dangerous)


def patched(patch: Patch | None) -> dict[str, str]:
    """The sources by name, changed."""
    files = sorted(SOURCES.glob("brake_actuator*.[ch]"))
    texts = {file.name: file.read_text(encoding="utf-8") for file in files}
    if patch is None:
        return texts
    places = sum(text.count(patch.old) for text in texts.values())
    if places != 1:
        raise UsageError(
            f"mutant {patch.name}", expected=f"once {patch.old!r}", got=f"{places} times"
        )
    return {name: text.replace(patch.old, patch.new) for name, text in texts.items()}


def _build(folder: Path, patch: Patch | None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in patched(patch).items():
        (folder / name).write_text(text, encoding="utf-8")
    shutil.copy(SOURCES / "brake_actuator.toml", folder)
    header = Path(__file__).parents[2] / "simcore" / "attach"
    library = folder / "brake_actuator.so"
    command = [compiler() or "cc", *_FLAGS, f"-I{header}", "-o", str(library), "brake_actuator.c"]
    ended = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if ended.returncode:
        raise UsageError(
            f"C actuator, {patch.name if patch else 'as it is'}",
            expected="to build",
            got=ended.stderr.strip().partition("\n")[0],
        )
    return library


def _mutant(
    name: str, defect: str, violates: tuple[str, ...], path: Path, is_dangerous: bool = False
) -> Mutant:
    return Mutant(
        name=name,
        defect=defect,
        violates=violates,
        node="EMB_FL",
        module=object,
        path=str(path),
        is_isolated=is_dangerous,
    )
