"""Which scenarios a command line names: files, folders, `file.py::name`, shipped names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simcore.errors import InputError

if TYPE_CHECKING:
    from simcore.rig import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Scenarios to run, and files that could not be read."""

    scenarios: tuple[Scenario, ...]
    unreadable: tuple[tuple[Path, InputError], ...]


def shipped_folder() -> Path:
    """Where the shipped scenarios are."""
    from simcore.resources import scenario_path

    return scenario_path("panic_stop.py").parent


def select(arguments: tuple[str, ...]) -> Selection:
    """Resolve arguments in order; without any, the shipped scenarios.

    A file that cannot be read as scenarios does not stop the others. Raises `InputError` for an
    argument that names nothing.
    """
    from simcore.rig import load_scenarios

    scenarios: list[Scenario] = []
    unreadable: list[tuple[Path, InputError]] = []
    for path, name in _files(arguments):
        try:
            found = load_scenarios(path)
        except InputError as error:
            unreadable.append((path, error))
            continue
        if name is not None:
            found = _named(found, name, path)
        scenarios += found
    return Selection(scenarios=tuple(scenarios), unreadable=tuple(unreadable))


def _files(arguments: tuple[str, ...]) -> list[tuple[Path, str | None]]:
    if not arguments:
        return [(path, None) for path in _scripts_in(shipped_folder())]
    files: list[tuple[Path, str | None]] = []
    for argument in arguments:
        place, separator, name = argument.partition("::")
        path = Path(place)
        if separator and (path.is_dir() or not place):
            raise InputError(
                f"scenario {argument!r}", expected="FILE.py::NAME, a file before the colons"
            )
        if path.is_dir() and place:
            scripts = _scripts_in(path)
            if not scripts:
                raise InputError("scenarios", expected="*.py files in the folder", file=place)
            files += [(script, None) for script in scripts]
            continue
        if not place or (not path.exists() and "/" not in place and path.suffix != ".py"):
            path, shipped_name = _shipped(place)
            name, separator = (name, separator) if separator else (shipped_name, shipped_name)
        files.append((path, name if separator else None))
    return files


def _scripts_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))


def _shipped(name: str) -> tuple[Path, str]:
    """The file of a shipped scenario, and the scenario in it; all of a file by the file's name."""
    from simcore.rig import load_scenarios

    scripts = _scripts_in(shipped_folder())
    for script in scripts:
        if script.stem == name:
            return script, ""
    for script in scripts:
        for item in load_scenarios(script):
            if name in (item.name, item.name.partition("[")[0]):
                return script, name
    known = ", ".join(script.stem for script in scripts)
    raise InputError(
        f"scenario {name!r}", expected=f"a file, a folder, or a shipped scenario ({known})"
    )


def _named(found: list[Scenario], name: str, path: Path) -> list[Scenario]:
    """One case by its full name, or all cases of a function."""
    chosen = [item for item in found if name in (item.name, item.name.partition("[")[0])]
    if not chosen:
        raise InputError(
            f"scenario {name!r}",
            expected=f"one of {', '.join(item.name for item in found)}",
            file=str(path),
        )
    return chosen
