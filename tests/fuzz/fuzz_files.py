"""TOML files that people write: requirement lists and protection files.

The first byte picks the reader; any bytes give what it reads, or an `InputError` with the file.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from functools import lru_cache
from pathlib import Path

from simcore.errors import SimcoreError
from simcore.network import Database
from simcore.network import database as _module
from simcore.rig.requirements import load_requirement_file

NAME = "files"
INSTRUMENTED = ("simcore.rig.requirements", "simcore.network.protection_file")
SIZE_MAX = 500
_REQUIREMENTS = b"""[interface.roles]
actuator = ["EMB_*"]
[interface.actuator]
commands = ["{corner}"]
[ABC-001]
text = "something holds"
source = "a standard"
asil = "D"
nodes = ["EMB_*"]
parameters = {limit_ms = 15.0}
cases = ["control.*"]
"""
_PROTECTION = b"""[e2e."Fast"]
profile = "P05"
data_id = 1
[send_types]
x = "cyclic"
"""
_DBC = """VERSION ""
NS_ :
BS_:
BU_: A
BO_ 100 Fast: 8 A
 SG_ Crc : 0|16@1+ (1,0) [0|65535] "" A
 SG_ Cnt : 16|8@1+ (1,0) [0|255] "" A
"""


@lru_cache(maxsize=1)
def _file() -> Path:
    """In memory where there is such a place: written and read some million times."""
    memory = Path("/dev/shm")
    number, name = tempfile.mkstemp(".toml", dir=memory if os.access(memory, os.W_OK) else None)
    os.close(number)
    atexit.register(Path(name).unlink, missing_ok=True)
    return Path(name)


def seeds() -> list[bytes]:
    """A file of each kind."""
    return [b"\x00" + _REQUIREMENTS, b"\x01" + _PROTECTION, b"\x00", b"\x01"]


def check(data: bytes) -> None:
    """One input."""
    # every text once would be enough to fill the memory, and others keep what they have
    kept = dict(_module._CACHE)
    try:
        _check(data)
    finally:
        _module._CACHE.clear()
        _module._CACHE.update(kept)


def _check(data: bytes) -> None:
    content = data[1:]
    try:
        if data[:1] and data[0] & 1:
            text = content.decode("utf-8", "replace")
            Database.from_text(_DBC, name="fuzz.dbc", protection=text)
        else:
            file = _file()
            file.write_bytes(content)
            for each in load_requirement_file(file).requirements.values():
                assert each.text and each.source
    except SimcoreError as error:
        assert str(error)
