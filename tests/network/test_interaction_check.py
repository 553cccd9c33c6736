"""Send attributes that a restbus will refuse or replace are problems of the file, all at once."""

from __future__ import annotations

import pytest

from simcore.errors import InputError
from simcore.network import Database
from simcore.network.interaction_check import require_send_types, unknown_send_types
from simcore.network.send_types import STANDARD, SendTypes

TEXT = """VERSION ""
BU_: E R
BO_ 256 M: 8 E
 SG_ A : 0|8@1+ (1,0) [0|255] "" R
BO_ 257 N: 8 E
 SG_ B : 0|8@1+ (1,0) [0|255] "" R
BO_ 258 Q: 8 E
 SG_ C : 0|8@1+ (1,0) [0|255] "" R
BA_DEF_ BO_ "GenMsgSendType" STRING ;
BA_DEF_ SG_ "GenSigSendType" STRING ;
BA_DEF_ SG_ "GenSigInactiveValue" INT 0 100000;
BA_DEF_ BO_ "GenMsgCycleTimeFast" INT -10 65535;
"""
UNKNOWN = """BA_ "GenMsgSendType" BO_ 256 "No";
BA_ "GenMsgSendType" BO_ 257 "No";
BA_ "GenMsgSendType" BO_ 258 "Cyclic";
BA_ "GenSigSendType" SG_ 258 C "Perhaps";
"""


def problems(attributes: str) -> list[str]:
    return [str(problem) for problem in Database.from_text(TEXT + attributes).problems]


def test_every_unknown_send_type_is_a_warning_that_names_the_way_out() -> None:
    assert problems(UNKNOWN) == [
        "database.dbc:3: warning: message M, GenMsgSendType: send type 'No' is unknown (of 2 "
        "messages): a restbus needs to be told what it means, as --send-type 'No=Cyclic'",
        "database.dbc:7: warning: message Q, GenSigSendType: send type 'Perhaps' is unknown: "
        "a restbus needs to be told what it means, as --send-type 'Perhaps=Cyclic'",
    ]
    Database.from_text(TEXT + UNKNOWN).refuse_errors()
    assert problems(UNKNOWN.replace("No", "Cyclic").replace("Perhaps", "OnChange")) == []


def test_what_the_rules_refuse_or_replace_is_a_warning_too() -> None:
    inactive = """BA_ "GenMsgSendType" BO_ 256 "IfActive";
BA_ "GenMsgCycleTimeFast" BO_ 256 10;
BA_ "GenSigInactiveValue" SG_ 256 A 300;
"""
    assert problems(inactive) == [
        "database.dbc:3: warning: message M, signal A, GenSigInactiveValue: expected 0..255 raw, "
        "got 300: the start value 0 is used"
    ]
    huge = "1" + 400 * "0"
    assert problems(inactive.replace("300", huge))[0].endswith(
        f"expected 0..255 raw, got {huge}: the start value 0 is used"
    )
    assert problems('BA_ "GenMsgCycleTimeFast" BO_ 257 -5;\n') == [
        "database.dbc:5: warning: message N, GenMsgCycleTimeFast: expected a time in ms, 0 or "
        "more, got -5: a restbus refuses it"
    ]


def test_several_unknown_send_types_are_refused_together_a_single_one_where_it_stands() -> None:
    database = Database.from_text(TEXT + UNKNOWN)
    with pytest.raises(
        InputError,
        match=r"^database\.dbc: 2 unknown send types: expected each one of Cyclic, .*, got 'No' "
        r"\(GenMsgSendType of M and 1 more\), 'Perhaps' \(GenSigSendType of Q\)$",
    ):
        require_send_types(database.messages, STANDARD)
    own = SendTypes({"Perhaps": "OnChange"})
    require_send_types(database.messages, own)
    assert list(unknown_send_types(database.messages, own)) == [("GenMsgSendType", "No")]
