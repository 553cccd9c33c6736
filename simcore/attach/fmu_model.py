"""An FMU file: what its model description says, and the folder it is unpacked to.

FMI 2.0 and 3.0 for co-simulation, read and loaded through fmpy, which comes with the extra `fmi`.
Every process unpacks a file once, into a temporary folder that goes when the process ends.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

from simcore.errors import InputError, UsageError
from simcore.units import NS_PER_MS, NS_PER_S

DEFAULT_STEP_NS = NS_PER_MS
given_folders: dict[str, Path] = {}
"""In a child process that may crash: folders of its parent, by digest, which tidies up."""
_REALS = ("Real", "Float64", "Float32")


@dataclass(frozen=True, slots=True, kw_only=True)
class FmuVariable:
    """A variable of an FMU, as its model description has it."""

    name: str
    reference: int
    kind: str
    """Its FMI type: `Real`, `Float64`, `Boolean`, ..."""
    causality: str
    unit: str
    is_array: bool

    @property
    def is_real(self) -> bool:
        """Whether it holds any number; others hold whole ones, or no or yes."""
        return self.kind in _REALS


@dataclass(frozen=True, slots=True, kw_only=True)
class FmuModel:
    """An FMU as its model description has it. Pickles as the file's path; must not change then."""

    path: Path
    shown: str
    """The file as it was named."""
    digest: str
    version: int
    """2 or 3."""
    token: str
    """Its GUID or instantiation token."""
    identifier: str
    """Of its library."""
    variables: Mapping[str, FmuVariable]
    has_state: bool
    """Whether its state can be taken out and put in elsewhere."""
    is_single: bool
    """Whether a process can have one instance only."""
    step_ns: int
    """The step it prefers."""
    fixed_step_ns: int | None
    """A communication step must be a multiple of this."""

    def __copy__(self) -> FmuModel:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> FmuModel:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return the_same, (str(self.path), self.shown, self.digest)

    def communication_step_ns(self, step_ms: float | None) -> int:
        """The step to take: the one that is asked for, or its own."""
        step_ns = self.step_ns if step_ms is None else round(step_ms * NS_PER_MS)
        fixed_ns = self.fixed_step_ns
        if step_ns <= 0 or (fixed_ns is not None and step_ns % fixed_ns):
            multiple = "" if fixed_ns is None else f"a multiple of its {fixed_ns / NS_PER_MS:g} ms"
            raise UsageError(
                "fmu.step_ms",
                expected=multiple or "at least 1 ns",
                got=f"{step_ns / NS_PER_MS:g} ms",
            )
        return step_ns

    def folder(self) -> Path:
        """Where it is unpacked for this process."""
        return given_folders.get(self.digest) or _unpacked(self.path, self.digest, os.getpid()).path


def require_fmpy() -> ModuleType:
    """fmpy. Raises `UsageError` where it is not installed."""
    try:
        import fmpy
    except ImportError as error:
        raise UsageError(
            "FMU", expected="fmpy, as `pip install simcore[fmi]` brings it", got=str(error)
        ) from error
    module: ModuleType = fmpy
    return module


def load_fmu(path: Path, shown: str) -> FmuModel:
    """Read a file. Raises `InputError` for one that is no FMU that could run here."""
    return _loaded(path, shown, digest_of(path, shown))


def digest_of(path: Path, shown: str) -> str:
    """Digest of the file's content."""
    try:
        return blake2b(path.read_bytes(), digest_size=16).hexdigest()
    except OSError as error:
        raise InputError(
            "FMU", expected="a readable file", got=error.strerror, file=shown
        ) from error


def the_same(path: str, shown: str, digest: str) -> FmuModel:
    """The file that was loaded before. Raises `InputError` where it has changed since."""
    now = digest_of(Path(path), shown)
    if now != digest:
        raise InputError("FMU", expected="it unchanged since it was loaded", file=shown)
    return _loaded(Path(path), shown, digest)


@cache
def _loaded(path: Path, shown: str, digest: str) -> FmuModel:
    description = _description(path, shown)
    version = int(description.fmiVersion.partition(".")[0])
    interface = description.coSimulation
    if version not in (2, 3) or interface is None:
        got = "model exchange only" if version in (2, 3) else "FMI"
        raise InputError(
            "FMU",
            expected="co-simulation with FMI 2.0 or 3.0",
            got=f"{got}, FMI {description.fmiVersion}",
            file=shown,
        )
    _require_library(path, shown, version, interface.modelIdentifier)
    fixed_s = interface.fixedInternalStepSize
    return FmuModel(
        path=path,
        shown=shown,
        digest=digest,
        version=version,
        token=description.guid,
        identifier=interface.modelIdentifier,
        variables={each.name: _variable(each) for each in description.modelVariables},
        has_state=interface.canGetAndSetFMUstate and interface.canSerializeFMUstate,
        is_single=interface.canBeInstantiatedOnlyOncePerProcess,
        step_ns=_own_step_ns(description),
        fixed_step_ns=round(float(fixed_s) * NS_PER_S) or None if fixed_s else None,
    )


def _description(path: Path, shown: str) -> Any:
    fmpy = require_fmpy()
    try:
        with zipfile.ZipFile(path) as archive:
            archive.getinfo("modelDescription.xml")
        # Some tools write descriptions that differ from the schema in what does not matter here.
        return fmpy.read_model_description(str(path), validate=False)
    except (zipfile.BadZipFile, KeyError) as error:
        raise InputError(
            "FMU", expected="a zip archive with modelDescription.xml", got=str(error), file=shown
        ) from error
    except Exception as error:  # whatever its XML makes of the reader
        raise InputError(
            "FMU", expected="a model description as of FMI", got=_said(error), file=shown
        ) from error


def _require_library(path: Path, shown: str, version: int, identifier: str) -> None:
    fmpy = require_fmpy()
    folder = fmpy.platform if version == 2 else fmpy.platform_tuple
    wanted = f"binaries/{folder}/{identifier}{fmpy.sharedLibraryExtension}"
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if wanted not in names:
        binaries = sorted(
            name for name in names if name.startswith("binaries/") and name[-1] != "/"
        )
        raise InputError(
            "FMU", expected=wanted, got=", ".join(binaries) or "no library", file=shown
        )


def _variable(each: Any) -> FmuVariable:
    declared = each.declaredType
    unit = each.unit or (declared.unit if declared is not None else None) or ""
    return FmuVariable(
        name=each.name,
        reference=int(each.valueReference),
        kind=each.type,
        causality=each.causality or "local",
        unit=unit,
        is_array=bool(each.dimensions),
    )


def _own_step_ns(description: Any) -> int:
    experiment = description.defaultExperiment
    step = None if experiment is None else experiment.stepSize
    step_ns = 0 if step is None else round(float(step) * NS_PER_S)
    return step_ns if step_ns > 0 else DEFAULT_STEP_NS


class _Folder:
    """A folder that is removed with the process that made it."""

    def __init__(self, path: Path, *, process: int) -> None:
        self.path = path
        weakref.finalize(self, _remove, str(path), process)


def _remove(path: str, process: int) -> None:
    if os.getpid() == process:  # not in a child that was forked off and ends before
        shutil.rmtree(path, ignore_errors=True)


@cache
def _unpacked(path: Path, digest: str, process: int) -> _Folder:
    """`process` because a forked child must not rely on the folder of its parent."""
    folder = _Folder(Path(tempfile.mkdtemp(prefix="simcore_fmu_")), process=process)
    try:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder.path)  # leaves no member outside of the folder
    except (OSError, zipfile.BadZipFile, RuntimeError) as error:
        raise InputError(
            "FMU", expected="an archive that can be unpacked", got=_said(error), file=str(path)
        ) from error
    return folder


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
