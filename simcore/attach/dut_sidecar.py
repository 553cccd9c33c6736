"""What stands beside a module under test: `<stem>.toml`, next to the module's file.

    [module]
    isolated = true                    # C module, FMU: in a child process, as --isolated does
    call_limit_s = 2.0                 # ... and how long one call of it may take
    forkable = false                   # a module that cannot be copied while it runs

    [omits]                            # what is not to be tested, and why: "not tested" then
    "control.hysteresis.*" = "the prototype has a screw without ball bearing"

    [fmu]                              # of an FMU alone, see `fmu_mapping`

No file is the same as an empty one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from simcore.attach.dut_toml import converted, known_keys, located, read_toml
from simcore.attach.fmu_mapping import FmuMapping
from simcore.errors import InputError


class ModuleTable(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """`[module]`: how it is run."""

    isolated: bool | None = None
    call_limit_s: float | None = None
    forkable: bool = True


class Sidecar(msgspec.Struct, kw_only=True, frozen=True):
    """The whole file."""

    module: ModuleTable = ModuleTable()
    omits: dict[str, str] = {}
    fmu: FmuMapping | None = None


def sidecar_path(module: Path) -> Path:
    """Where the sidecar of a module is, if it has one."""
    return module.with_suffix(".toml")


def load_sidecar(module: Path) -> Sidecar:
    """The sidecar of a module. Raises `InputError` with file and line for what it cannot say."""
    path = sidecar_path(module)
    if not path.is_file():
        return Sidecar()
    text, raw = read_toml(path)
    try:
        return _sections(raw, path, text)
    except InputError as error:
        raise located(error, str(path), text) from None


def _sections(raw: dict[str, Any], path: Path, text: str) -> Sidecar:
    known_keys(raw, ("module", "omits", "fmu"))
    module = converted(raw.get("module", {}), ModuleTable, "module")
    limit_s = module.call_limit_s
    if limit_s is not None and not limit_s > 0:
        raise InputError("module.call_limit_s", expected="more than 0 s", got=f"{limit_s:g} s")
    omits = raw.get("omits", {})
    if not isinstance(omits, dict):
        raise InputError("omits", expected="a table", got=repr(omits))
    for pattern, reason in omits.items():
        if not isinstance(reason, str) or not reason.strip():
            raise InputError(
                f'omits."{pattern}"', expected="the reason, as a text", got=repr(reason)
            )
    fmu = FmuMapping.of(raw["fmu"], str(path), text) if "fmu" in raw else None
    return Sidecar(module=module, omits=dict(omits), fmu=fmu)
