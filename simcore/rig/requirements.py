"""The requirement list: ids with text and source, from a TOML file beside the DBC."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simcore.errors import InputError
from simcore.resources import dbc_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One requirement."""

    id: str
    text: str
    source: str


def load_requirements(path: Path | None = None) -> Mapping[str, Requirement]:
    """Requirements by id, in the order of the file; the shipped list by default.

    Raises `InputError` for a missing file, bad TOML, and an entry without text or source.
    """
    file = dbc_path("requirements.toml") if path is None else path
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            "requirement list", expected="a readable file", got=error.strerror, file=str(file)
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            "requirement list", expected="valid TOML", got=str(error), file=str(file)
        ) from error
    requirements = {}
    for identifier, entry in content.items():
        if not isinstance(entry, dict) or set(entry) != {"text", "source"}:
            got = sorted(entry) if isinstance(entry, dict) else repr(entry)
            raise InputError(
                f"requirement {identifier}", expected="text and source", got=got, file=str(file)
            )
        requirements[identifier] = Requirement(
            id=identifier, text=str(entry["text"]), source=str(entry["source"])
        )
    return requirements
