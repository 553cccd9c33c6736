"""`Library`: a shared library that follows simcore_node.h, opened and looked at.

What is wrong with a file is said before the loader's own words: no such file, a source file, a
library for another processor. Opened libraries are closed when nobody holds them any more.
"""

from __future__ import annotations

import os
import platform
import struct
import sys
import tempfile
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from simcore.attach.c_abi import ABI_VERSION, PREFIX, STATE_MAX, Entry, ModuleFlag, interface
from simcore.errors import InputError

OPTIONAL = {
    Entry.RECEIVE_ON: "receive_on",
    Entry.BUS_STATE: "bus_state",
    Entry.TRANSMITTED: "transmitted",
}
_REQUIRED = ("state_size", "start", "receive", "timer", "next_deadline")
_NAME_MAX = 256
_PT_LOAD = 1
_ELF_MACHINES = {
    0x03: "32-bit x86",
    0x28: "32-bit ARM",
    0x3E: "x86_64",
    0xB7: "aarch64",
    0xF3: "RISC-V",
    0x15: "ppc64",
    0x16: "s390x",
}
_OTHER_FILES = {
    b"MZ": "a Windows program or library",
    b"\xcf\xfa\xed\xfe": "a macOS program or library",
    b"\xca\xfe\xba\xbe": "a macOS program or library",
    b"!<arch>\n": "a static library",
    b"#!": "a script",
}


class Facts(NamedTuple):
    """What a library says about itself."""

    state_size: int
    flags: int
    name: str
    version: str
    optional: tuple[int, ...]
    """Which of the optional calls it takes, as `Entry`."""

    @property
    def is_relocatable(self) -> bool:
        return bool(self.flags & ModuleFlag.RELOCATABLE)


def content_of(path: str | Path) -> bytes:
    """The bytes of a library. Raises `InputError` for what evidently is none."""
    file = str(path)
    try:
        content = Path(path).read_bytes()
    except IsADirectoryError:
        raise InputError("module", expected="a file", got="a folder", file=file) from None
    except OSError as error:
        raise InputError(
            "module", expected="a shared library", got=error.strerror, file=file
        ) from None
    _require_loadable(content, file)
    return content


def digest_of(content: bytes) -> str:
    """Names what is in a library."""
    return blake2b(content, digest_size=16).hexdigest()


def _require_loadable(content: bytes, file: str) -> None:
    if sys.platform == "linux":
        here = f"a shared library for {platform.machine()} Linux"
        got = _wrong_for_linux(content)
        if got is not None:
            raise InputError("module", expected=here, got=got, file=file)


def _wrong_for_linux(content: bytes) -> str | None:
    """What a file is, if the loader here cannot take it: System V ABI, ELF header."""
    if content[:4] != b"\x7fELF" or len(content) < 64:
        known = (text for magic, text in _OTHER_FILES.items() if content.startswith(magic))
        return next(known, "an empty file" if not content else "a file of another kind")
    order = "little" if content[5] == 1 else "big"
    kind = int.from_bytes(content[16:18], order)  # type: ignore[arg-type]
    machine = int.from_bytes(content[18:20], order)  # type: ignore[arg-type]
    named = _ELF_MACHINES.get(machine, f"processor {machine:#x}")
    if named != platform.machine() and platform.machine() in _ELF_MACHINES.values():
        return f"one for {named}"
    if content[4] != (2 if sys.maxsize > 1 << 32 else 1) or order != sys.byteorder:
        return f"one for {8 * 4 * content[4]}-bit {order}-endian {named}"
    if kind == 1:
        return "an object file: link it with cc -shared"
    if kind != 3:
        return "a program"
    needed = _loaded_bytes(content)
    # The loader maps the file and dies of what is not there.
    return None if needed <= len(content) else f"one cut short: {len(content)} of {needed} bytes"


def _loaded_bytes(content: bytes) -> int:
    """How long a file has to be for all its segments: ELF program headers of this machine."""
    if sys.maxsize > 1 << 32:
        (table,), (size, count) = _at("=Q", content, 32), _at("=HH", content, 54)
        place, length, word = 8, 32, "=Q"
    else:
        (table,), (size, count) = _at("=I", content, 28), _at("=HH", content, 42)
        place, length, word = 4, 16, "=I"
    needed: int = table + size * count
    for entry in range(count):
        start = table + entry * size
        if start + length + 8 <= len(content) and _at("=I", content, start)[0] == _PT_LOAD:
            end = _at(word, content, start + place)[0] + _at(word, content, start + length)[0]
            needed = max(needed, end)
    return needed


def _at(form: str, content: bytes, place: int) -> tuple[int, ...]:
    return struct.unpack_from(form, content, place)


_contents: dict[str, bytes] = {}
_shared: dict[str, Library] = {}


class LibraryFile:
    """A library as it was when it was first looked at, by digest; never changes.

    Who builds it anew meanwhile gets that from the next `LibraryFile.at`.
    """

    __slots__ = ("digest", "path")

    def __init__(self, path: str, digest: str) -> None:
        self.path = path
        self.digest = digest

    @classmethod
    def at(cls, path: str | Path) -> LibraryFile:
        """The library at a path. Raises `InputError` for what evidently is none."""
        content = content_of(path)
        digest = digest_of(content)
        _contents[digest] = content
        return cls(str(Path(path).absolute()), digest)

    @property
    def content(self) -> bytes:
        """What was in it. Raises `InputError` where a pickle comes to another one's place."""
        if self.digest not in _contents:
            content = content_of(self.path)
            self.require_same(content)
            _contents[self.digest] = content
        return _contents[self.digest]

    def require_same(self, content: bytes) -> None:
        """Raises `InputError` if this is not what the file held."""
        digest = digest_of(content)
        if digest != self.digest:
            raise InputError(
                "module",
                expected=f"the library with digest {self.digest}",
                got=f"{digest}: it was built anew meanwhile",
                file=self.path,
            )

    def library(self) -> Library:
        """The library opened in this process, one for all; its static variables are shared."""
        if self.digest not in _shared:
            _shared[self.digest] = self.private_library()
        return _shared[self.digest]

    def private_library(self) -> Library:
        """The library opened in this process once more, with static variables of its own."""
        return Library.private(self.content, self.path)

    def __deepcopy__(self, memo: dict[int, object]) -> LibraryFile:
        return self


class Library:
    """An opened library with its functions."""

    __slots__ = ("_lib", "calls", "facts", "next_deadline")

    def __init__(self, lib: Any, file: str) -> None:
        self._lib = lib
        self.facts = _facts(lib, file)
        self.calls: dict[int, Any] = {
            Entry.START: lib.simcore_node_start,
            Entry.RECEIVE: lib.simcore_node_receive,
            Entry.TIMER: lib.simcore_node_timer,
        }
        for entry in self.facts.optional:
            self.calls[entry] = getattr(lib, PREFIX + OPTIONAL[Entry(entry)])
        self.next_deadline = lib.simcore_node_next_deadline

    @classmethod
    def opened(cls, path: str | Path) -> Library:
        """The library at a path, as the loader finds it. For a process that opens no other."""
        return cls(_open(str(path), str(path)), str(path))

    @classmethod
    def private(cls, content: bytes, file: str) -> Library:
        """A library of its own, with its own static variables, whatever else is loaded.

        The loader opens one file once, so a copy is made, opened and at once deleted.
        """
        descriptor, copy = tempfile.mkstemp(prefix="simcore-", suffix=Path(file).suffix)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
            return cls(_open(copy, file), file)
        finally:
            os.unlink(copy)


def _open(path: str, file: str) -> Any:
    """`path` is opened, `file` is named where that fails."""
    ffi = interface()
    try:
        return ffi.dlopen(path, ffi.RTLD_NOW | ffi.RTLD_LOCAL)
    except OSError as error:
        said = str(error).replace(path, file)
        raise InputError(
            "module", expected="a library that can be loaded", got=said, file=file
        ) from None


def _facts(lib: Any, file: str) -> Facts:
    if not _has(lib, "abi_version"):
        raise InputError(
            "module", expected=f"a function {PREFIX}abi_version (simcore_node.h)", file=file
        )
    version = lib.simcore_node_abi_version()
    if version != ABI_VERSION:
        raise InputError(
            f"module, {PREFIX}abi_version",
            expected=f"{ABI_VERSION}, the version of this simcore's simcore_node.h",
            got=version,
            file=file,
        )
    missing = [PREFIX + name for name in _REQUIRED if not _has(lib, name)]
    if missing:
        raise InputError(
            "module", expected=f"functions {', '.join(missing)}", got="none of them", file=file
        )
    state_size = lib.simcore_node_state_size()
    if state_size > STATE_MAX:
        raise InputError(
            f"module, {PREFIX}state_size",
            expected=f"0..{STATE_MAX} bytes",
            got=state_size,
            file=file,
        )
    flags, name, release = _description(lib, file)
    optional = tuple(int(entry) for entry, each in OPTIONAL.items() if _has(lib, each))
    return Facts(int(state_size), flags, name, release, optional)


def _description(lib: Any, file: str) -> tuple[int, str, str]:
    ffi = interface()
    described = lib.simcore_node_describe() if _has(lib, "describe") else ffi.NULL
    if described == ffi.NULL:
        return 0, "", ""
    known = sum(ModuleFlag)
    if described.flags & ~known:
        raise InputError(
            f"module, {PREFIX}describe",
            expected=f"flags within {known:#x}",
            got=f"{described.flags:#x}",
            file=file,
        )
    return described.flags, _text(described.name), _text(described.version)


def _text(text: Any) -> str:
    ffi = interface()
    if text == ffi.NULL:
        return ""
    said: bytes = ffi.string(text, _NAME_MAX)
    return said.decode("utf-8", "backslashreplace")


def _has(lib: Any, name: str) -> bool:
    try:
        getattr(lib, PREFIX + name)
    except AttributeError:
        return False
    return True
