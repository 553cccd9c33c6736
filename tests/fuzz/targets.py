"""The fuzz targets by name, and their inputs that are known to be telling.

A target is a module with `NAME`, `INSTRUMENTED` (whose coverage guides the fuzzer), `SIZE_MAX` of
an input in bytes, `seeds()`, and `check(data)`, which raises for a defect. `corpus/<name>.txt` has
one more input in a line, written as a Python bytes literal without its quotes.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

TARGETS = ("codec", "e2e", "image", "isotp", "logs", "doip", "uds", "files", "dbc")
CORPUS = Path(__file__).parent / "corpus"


def load(name: str) -> ModuleType:
    """The module of a target."""
    return importlib.import_module(f"tests.fuzz.fuzz_{name}")


def inputs_of(target: ModuleType) -> list[bytes]:
    """Its seeds, then its corpus."""
    found = list(target.seeds())
    file = CORPUS / f"{target.NAME}.txt"
    if file.exists():
        for line in file.read_text(encoding="ascii").splitlines():
            if line and not line.startswith("# "):
                found.append(line.encode().decode("unicode_escape").encode("latin-1"))
    return found


def as_line(data: bytes) -> str:
    """How an input is written in a corpus."""
    text = repr(b'"' + data)[3:-1].replace("\\'", "'")
    return f"\\x23{text[1:]}" if text.startswith("#") else text
