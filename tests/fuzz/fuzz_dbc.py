"""Network files: any text gives a database or an `InputError`, and what is loaded can be used.

The first byte says whether the load is lenient; the rest is the text of a DBC.
"""

from __future__ import annotations

from simcore.errors import SimcoreError
from simcore.network import Database
from simcore.network import database as _module

NAME = "dbc"
INSTRUMENTED = ("simcore.network", "cantools.database.can.formats.dbc")
SIZE_MAX = 700
_SMALL = b"""VERSION ""
NS_ :
BS_:
BU_: A B
BO_ 100 Fast: 8 A
 SG_ Crc : 0|8@1+ (1,0) [0|255] "" B
 SG_ Cnt : 8|4@1+ (1,0) [0|15] "" B
 SG_ Mux M : 16|4@1+ (1,0) [0|15] "" B
 SG_ Speed m0 : 20|12@1- (0.1,-5) [0|100] "km/h" B
 SG_ Big m1 : 31|10@0+ (2,1) [0|0] "" Vector__XXX
BO_ 2147483848 Slow: 64 Vector__XXX
 SG_ F : 0|32@1- (1,0) [0|0] "" A
CM_ SG_ 100 Cnt "counter";
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 10000;
BA_DEF_ BO_ "VFrameFormat" ENUM "Standard","Extended",@"StandardFD","ExtendedFD";
BA_DEF_ BO_ "E2EProfile" STRING ;
BA_DEF_ BO_ "E2EDataId" INT 0 65535;
BA_DEF_DEF_ "GenMsgCycleTime" 0;
BA_ "GenMsgCycleTime" BO_ 100 10;
BA_ "VFrameFormat" BO_ 2147483848 15;
VAL_ 100 Cnt 0 "zero" 1 "one" ;
SIG_VALTYPE_ 2147483848 F : 1;
""".replace(b'@"S', b'"reserved",' * 12 + b'"S')


def seeds() -> list[bytes]:
    """A small network with something of everything."""
    return [b"\x00" + _SMALL, b"\x01" + _SMALL, *(bytes((0,)) + _SMALL[: 60 * n] for n in range(8))]


def check(data: bytes) -> None:
    """One input."""
    lenient = bool(data[:1] and data[0] & 1)
    kept = dict(_module._CACHE)
    try:
        _check(data, lenient)
    finally:  # every text once would be enough to fill the memory
        _module._CACHE.clear()
        _module._CACHE.update(kept)


def _check(data: bytes, lenient: bool) -> None:
    try:
        database = Database.from_text(
            data[1:].decode("utf-8", "replace"), name="fuzz.dbc", lenient=lenient
        )
    except SimcoreError as error:
        assert str(error)
        return
    for message in database.messages:
        if not message.is_undecodable and 0 < message.length <= 64:
            try:
                message.codec.decode(bytes(message.length))
            except SimcoreError:
                assert message.codec.is_multiplexed
    assert database.problems is not None
