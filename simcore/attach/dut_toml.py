"""Reading the TOML file beside a module: every error names its file, line and key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from simcore.errors import InputError
from simcore.network.protection_tables import line_of_key, nearest

_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "array": "a list",
    "object": "a table",
}
_Table = TypeVar("_Table")


def read_toml(path: Path) -> tuple[str, dict[str, Any]]:
    """Text and content of a file. Raises `InputError` for what is no TOML."""
    try:
        text = path.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except OSError as error:
        raise InputError(
            "module settings", expected="a readable file", got=error.strerror, file=str(path)
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        found = re.search(r"\(at line (\d+), column \d+\)", str(error))
        raise InputError(
            "module settings",
            expected="valid TOML",
            got=str(error),
            file=str(path),
            line=int(found[1]) if found else None,
        ) from error


def located(error: InputError, path: str, text: str) -> InputError:
    """The same error with the file, and the line of the key it names."""
    return InputError(
        error.where,
        expected=error.expected,
        got=error.got,
        file=path,
        line=line_of_key(text, error.where),
    )


def known_keys(raw: Mapping[str, Any], known: tuple[str, ...], where: str = "") -> None:
    """Refuse a table with a key that is none of these."""
    for key in raw:
        if key not in known:
            raise InputError(
                f"{where}.{key}" if where else key,
                expected=f"one of {', '.join(known)}{nearest(key, known)}",
                got="a key that means nothing",
            )


def converted(raw: Any, kind: type[_Table], where: str) -> _Table:
    """One table, or one value; `InputError` in the words of TOML for what does not fit."""
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        sentence, _, path = str(error).partition(" - at ")
        inner = path.strip("`").removeprefix("$").removeprefix(".")
        place = ".".join(part for part in (where, inner) if part)
        unknown = re.fullmatch(r"Object contains unknown field `(.*)`", sentence)
        if unknown is not None and not inner:
            fields: Any = getattr(kind, "__struct_encode_fields__", ())
            known_keys({unknown[1]: None}, fields, where)
        types = re.fullmatch(r"Expected `([\w| ]+)`, got `(\w+)`", sentence)
        if types is None:
            raise InputError(f"{place}: {sentence[0].lower()}{sentence[1:]}") from None
        kinds = [each for each in types[1].split(" | ") if each != "null"]
        expected = " or ".join(_WORDS.get(each, each) for each in kinds)
        raise InputError(place, expected=expected, got=_WORDS.get(types[2], types[2])) from None
