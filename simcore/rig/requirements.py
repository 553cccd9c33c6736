"""The requirement list: what is demanded, from a TOML file beside the DBC.

One table per requirement: `text` and `source`, and where it is judged by cases also `asil`,
`nodes` (patterns of node names that it concerns; none: all), `parameters` (numbers that the cases
take, with their unit last in their names) and `cases` (patterns of the ids of the cases that verify
it). The table `interface` is no requirement: it binds the roles of the conformance kit to the
network, `[interface.roles]` with node names by role and one free table per role.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from simcore.errors import InputError
from simcore.resources import dbc_path
from simcore.units import UNIT_SUFFIXES

ASILS = ("QM", "A", "B", "C", "D")
ROLES = ("actuator", "controller", "node")
"""What a node can be to the conformance kit; `node` is any that is nothing else."""
INTERFACE = "interface"
"""The table that is no requirement."""
_NEEDED = ("text", "source")
_FIELDS = (*_NEEDED, "asil", "nodes", "parameters", "cases")


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One requirement."""

    id: str
    text: str
    source: str
    asil: str = ""
    """`QM` or `A` to `D`; empty where the list does not say."""
    nodes: tuple[str, ...] = ()
    """Patterns of the nodes that it concerns; empty: all."""
    parameters: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Numbers that its cases take."""
    cases: tuple[str, ...] = ()
    """Patterns of the cases that verify it."""

    def concerns(self, node: str) -> bool:
        """Whether it is a demand on this node."""
        return not self.nodes or any(fnmatchcase(node, pattern) for pattern in self.nodes)

    def verified_by(self, case_id: str) -> bool:
        """Whether a case verifies it."""
        return any(fnmatchcase(case_id, pattern) for pattern in self.cases)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementFile:
    """A requirement list with what binds it to a network."""

    requirements: Mapping[str, Requirement]
    """By id, in the order of the file."""
    interface: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """The table `interface`, with `roles` and one table per role; empty where there is none."""
    file: str = ""

    @property
    def roles(self) -> Mapping[str, tuple[str, ...]]:
        """Patterns of node names by role."""
        return {role: tuple(names) for role, names in self.interface.get("roles", {}).items()}


def load_requirements(path: Path | None = None) -> Mapping[str, Requirement]:
    """Requirements by id, in the order of the file; the shipped list by default.

    Raises `InputError` as `load_requirement_file` does.
    """
    return load_requirement_file(path).requirements


def load_requirement_file(path: Path | None = None) -> RequirementFile:
    """The whole file; the shipped one by default.

    Raises `InputError` for a missing file, bad TOML, an entry without text or source, a field of
    another name or type, and a table `interface` that binds no known role.
    """
    file = dbc_path("requirements.toml") if path is None else Path(path)
    try:
        text = file.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        raise InputError(
            "requirement list", expected="a readable file", got=error.strerror, file=str(file)
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            "requirement list", expected="valid TOML", got=str(error), file=str(file)
        ) from error
    reading = _Reading(str(file), text)
    interface = content.pop(INTERFACE, {})
    reading.check_interface(interface)
    return RequirementFile(
        requirements={name: reading.requirement(name, entry) for name, entry in content.items()},
        interface=interface,
        file=str(file),
    )


class _Reading:
    """One file while it is read: knows how to say where something is wrong."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.lines = text.splitlines()

    def requirement(self, name: str, entry: object) -> Requirement:
        if not isinstance(entry, dict) or not set(_NEEDED) <= set(entry):
            got = sorted(entry) if isinstance(entry, dict) else repr(entry)
            raise self._wrong(f"requirement {name}", "text and source", got, name)
        for key in entry:
            if key not in _FIELDS:
                raise self._wrong(
                    f"requirement {name}", f"no fields but {', '.join(_FIELDS)}", key, name, key
                )
        asil = self._text(name, entry, "asil") if "asil" in entry else ""
        if asil and asil not in ASILS:
            expected = f"one of {', '.join(ASILS)}"
            raise self._wrong(f"requirement {name}, asil", expected, repr(asil), name, "asil")
        return Requirement(
            id=name,
            text=self._text(name, entry, "text"),
            source=self._text(name, entry, "source"),
            asil=asil,
            nodes=self._patterns(name, entry, "nodes"),
            parameters=self._parameters(name, entry.get("parameters", {})),
            cases=self._patterns(name, entry, "cases"),
        )

    def check_interface(self, table: object) -> None:
        """Refuse what binds nothing that the kit knows."""
        if not isinstance(table, dict):
            raise self._wrong(INTERFACE, "a table", repr(table), INTERFACE)
        known = ("roles", *ROLES)
        for key, value in table.items():
            where = f"{INTERFACE}.{key}"
            if key not in known:
                raise self._wrong(
                    INTERFACE, f"no tables but {', '.join(known)}", key, INTERFACE, key
                )
            if not isinstance(value, dict):
                raise self._wrong(where, "a table", repr(value), INTERFACE, key)
        for role, names in table.get("roles", {}).items():
            where = f"{INTERFACE}.roles.{role}"
            if role not in ROLES:
                expected = f"one of {', '.join(ROLES)}"
                raise self._wrong(where, expected, role, f"{INTERFACE}.roles", role)
            if not _is_texts(names):
                raise self._wrong(
                    where, "a list of node names", repr(names), f"{INTERFACE}.roles", role
                )

    def _text(self, name: str, entry: Mapping[str, object], key: str) -> str:
        value = entry[key]
        if not isinstance(value, str) or not value:
            raise self._wrong(f"requirement {name}, {key}", "a text", repr(value), name, key)
        return value

    def _patterns(self, name: str, entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
        value = entry.get(key, [])
        if not _is_texts(value):
            raise self._wrong(
                f"requirement {name}, {key}", "a list of patterns", repr(value), name, key
            )
        return tuple(value)

    def _parameters(self, name: str, table: object) -> dict[str, float]:
        if not isinstance(table, dict):
            raise self._wrong(
                f"requirement {name}, parameters", "a table", repr(table), name, "parameters"
            )
        for key, value in table.items():
            where = f"requirement {name}, parameters.{key}"
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
                raise self._wrong(where, "a number", repr(value), name, "parameters")
            if not has_unit(key):
                expected = "a name that ends in a unit, as force_n, or in count"
                raise self._wrong(where, expected, key, name, "parameters")
        return dict(table)

    def _wrong(
        self, where: str, expected: str, got: object, table: str, key: str = ""
    ) -> InputError:
        return InputError(
            where, expected=expected, got=got, file=self.file, line=self._line(table, key)
        )

    def _line(self, table: str, key: str) -> int | None:
        """Line of a key of a table, else of the table; `None` where it is not found."""
        own = self._first(rf"\[\s*{_quoted(table)}\.{_quoted(key)}\s*\]") if key else None
        if own is not None:
            return own + 1
        header = self._first(rf"\[\s*{_quoted(table)}\s*\]|{_quoted(table)}\s*=")
        if header is None:
            header = self._first(rf"\[\s*{_quoted(table)}\.")
            return None if header is None else header + 1
        for at in range(header + 1, len(self.lines)):
            line = self.lines[at].lstrip()
            if line.startswith("["):
                break
            if key and re.match(rf"{_quoted(key)}\s*=", line):
                return at + 1
        return header + 1

    def _first(self, pattern: str) -> int | None:
        compiled = re.compile(rf"\s*(?:{pattern})")
        return next((at for at, line in enumerate(self.lines) if compiled.match(line)), None)


def _quoted(name: str) -> str:
    return rf"[\"']?{re.escape(name)}[\"']?"


def has_unit(name: str) -> bool:
    """Whether the name of a number ends in a unit, or in `count` for a pure one."""
    return name.endswith("_count") or any(name.endswith(f"_{unit}") for unit in UNIT_SUFFIXES)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) and each for each in value)
