"""E2E settings from DBC attributes: every spelling, every profile's places, every refusal."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from typing import Any

import pytest

from simcore.errors import InputError, UsageError
from simcore.network import Database, E2eConfig, Signal
from simcore.network.e2e_attributes import data_ids_of, profile_of
from simcore.network.e2e_config import SignalPlace, e2e_config_of, plain_counter
from simcore.network.e2e_layout import PROFILES, Place, bit_positions


def signals_of(text: str, length: int = 64) -> tuple[Signal, ...]:
    """Signals written as `Name start|length@order`, separated by commas; (f,o) for a scale."""
    lines = []
    for each in filter(None, text.split(",")):
        name, place, *scale = each.split()
        lines.append(f' SG_ {name} : {place} {scale[0] if scale else "(1;0)"} [0|0] "" Vector__XXX')
    body = "\n".join(lines).replace(";", ",")
    database = Database.from_text(f"BU_: A\nBO_ 1 M: {length} A\n{body}\n", name="s.dbc")
    return database.message("M").signals


def config_of(
    attributes: dict[str, Any],
    signals: str = "",
    of_signals: dict[str, dict[str, Any]] | None = None,
    length: int = 64,
) -> E2eConfig | None:
    given = of_signals or {}
    return e2e_config_of(
        message_name="M",
        length=length,
        attributes=attributes,
        signals=[replace(s, attributes=given.get(s.name, {})) for s in signals_of(signals)],
    )


FUNCTIONS = {"Crc": {"GenSigFuncType": "Checksum"}, "Cnt": {"GenSigFuncType": "Counter"}}
P05_SIGNALS = "Crc 0|16@1+,Cnt 16|8@1+,Force 24|16@1+"
P05 = E2eConfig(profile="P05", data_id=0x123, counter_signal="Cnt", checksum_signal="Crc")


# ---- spellings ----


@pytest.mark.parametrize(
    "spelling", ["P05", "p05", "P5", "PROFILE_05", "Profile 5", "profile05", "E2E_P05", "5", 5]
)
def test_a_profile_in_any_spelling(spelling: str | int) -> None:
    attributes = {"E2EProfile": spelling, "E2EDataId": 0x123}
    assert config_of(attributes, P05_SIGNALS, FUNCTIONS) == P05


@pytest.mark.parametrize("spelling", ["None", "none", "NONE", "", "No", "0", 0])
def test_no_profile_in_any_spelling(spelling: str | int) -> None:
    attributes = {"E2EProfile": spelling, "E2EDataId": 0x123}
    assert config_of(attributes, P05_SIGNALS, FUNCTIONS) is None
    assert config_of({}, P05_SIGNALS, FUNCTIONS) is None


def test_every_profile_is_known_by_its_number() -> None:
    for name in PROFILES:
        assert profile_of(name) == profile_of(int(name[1:])) == profile_of(f"Profile_{name[1:]}")
    assert profile_of("counter") == "COUNTER"


@pytest.mark.parametrize("spelling", ["P03", "P4m", "SecOC", "99"])
def test_another_profile_is_refused(spelling: str) -> None:
    with pytest.raises(
        InputError,
        match=rf"^message M, E2EProfile: expected one of P01 P02 .* P44, got '{spelling}'$",
    ):
        config_of({"E2EProfile": spelling, "E2EDataId": 1}, P05_SIGNALS, FUNCTIONS)


@pytest.mark.parametrize(
    "attributes",
    [
        {"e2e_profile": "P05", "E2E_DataID": "0x123"},
        {"E2EProfile": "P05", "DataId": 0x123},
        {"E2EProfile": "P05", "E2EDataID": 291.0},
    ],
)
def test_names_of_attributes_in_any_spelling(attributes: dict[str, Any]) -> None:
    assert config_of(attributes, P05_SIGNALS, FUNCTIONS) == P05


@pytest.mark.parametrize(
    ("checksum", "counter"),
    [
        ({"GenSigFuncType": 2}, {"GenSigFuncType": 1}),
        ({"GenSigFuncType": "CRC"}, {"GenSigFuncType": "Counter"}),
        ({"SigFuncType": 2}, {"SigFuncType": 1}),
        ({"SigType": "MessageChecksum"}, {"SigType": "MessageCounter"}),
    ],
)
def test_functions_of_signals_in_any_spelling(
    checksum: dict[str, Any], counter: dict[str, Any]
) -> None:
    attributes = {"E2EProfile": "P05", "E2EDataId": 0x123}
    functions = {"Crc": checksum, "Cnt": counter, "Force": {"GenSigFuncType": "NoFunction"}}
    assert config_of(attributes, P05_SIGNALS, functions) == P05
    functions["Force"] = {"GenSigFuncType": 0}
    assert config_of(attributes, P05_SIGNALS, functions) == P05


def test_signals_named_by_the_message() -> None:
    attributes = {
        **{"E2EProfile": "P05", "E2EDataId": 0x123},
        **{"E2ECounterSignal": "Cnt", "E2ECrcSignal": "Crc"},
    }
    assert config_of(attributes, P05_SIGNALS) == P05
    with pytest.raises(
        InputError, match=r"^message M, E2E protection: no signal 'Cntr': did you mean 'Cnt'\?$"
    ):
        config_of(attributes | {"E2ECounterSignal": "Cntr"}, P05_SIGNALS)


def test_attributes_on_the_checksum_signal() -> None:
    own = {"E2EProfile": "P05", "E2EDataId": 0x123, "E2EMaxDeltaCounter": 5}
    default = {"E2EProfile": "None", "E2EDataId": 0, "E2EMaxDeltaCounter": 0}
    functions = {
        "Crc": FUNCTIONS["Crc"] | own,
        "Cnt": FUNCTIONS["Cnt"] | default,
        "Force": default,
    }
    assert config_of({}, P05_SIGNALS, functions) == replace(P05, max_delta_counter=5)
    assert config_of({"E2EProfile": "None"}, P05_SIGNALS, functions) is not None


def test_signals_that_disagree_are_refused() -> None:
    functions = {"Crc": {"E2EProfile": "P05"}, "Force": {"E2EProfile": "P04"}}
    with pytest.raises(
        InputError, match=r"^message M, E2EProfile of its signals: expected one value, got P04, P05"
    ):
        config_of({}, P05_SIGNALS, functions)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("1,2,0x10", (1, 2, 16)),
        ("[1 2; 0X10]", (1, 2, 16)),
        ("0x2A", (42,) * 16),
        ("7", (7,) * 16),
        ("", ()),
    ],
)
def test_lists_of_data_ids_in_decimal_and_hexadecimal(text: str, ids: tuple[int, ...]) -> None:
    assert data_ids_of(text) == ids


@pytest.mark.parametrize("name", ["E2EDataIdList", "DataIds", "DataIDList", "E2E_Data_Ids"])
def test_a_list_of_data_ids_under_any_name(name: str) -> None:
    ids = tuple(range(16))
    attributes = {"E2EProfile": "P22", name: ",".join(str(each) for each in ids)}
    functions = {"Crc": {"GenSigFuncType": 2}, "Cnt": {"GenSigFuncType": 1}}
    assert config_of(attributes, "Crc 0|8@1+,Cnt 8|4@1+", functions, 8) == E2eConfig(
        profile="P22", data_id_list=ids, counter_signal="Cnt", checksum_signal="Crc"
    )


@pytest.mark.parametrize("text", ["1,2,3", "1,x", "256", ""])
def test_a_list_that_is_not_sixteen_ids_is_refused(text: str) -> None:
    with pytest.raises(
        InputError,
        match=rf"^message M, E2E protection: expected an E2EDataIdList of 16 numbers of 0\.\.255, "
        rf"or one for all, got {re.escape(repr(text) if text else 'none')}$",
    ):
        config_of({"E2EProfile": "P22", "E2EDataIdList": text}, "", length=8)


# ---- places ----


@pytest.mark.parametrize(
    ("profile", "signals", "attributes"),
    [
        ("P01", "Crc 0|8@1+,Cnt 8|4@1+", {}),
        ("P01", "Crc 7|8@0+,Cnt 11|4@0+", {}),
        ("P11", "Crc 64|8@1+,Cnt 72|4@1+", {"E2EOffset": 64}),
        ("P11", "Crc 56|8@1+,Cnt 4|4@1+", {"E2ECRCOffset": 56, "E2ECounterOffset": 4}),
        ("P02", "Crc 0|8@1+,Cnt 8|4@1+", {"E2EDataIdList": "5"}),
        ("P22", "Crc 16|8@1+,Cnt 24|4@1+", {"E2EDataIdList": "5", "E2EOffset": 16}),
        ("P04", "Crc 71|32@0+,Cnt 23|16@0+", {}),
        ("P44", "Crc 71|32@0+,Cnt 23|16@0+", {}),
        ("P05", "Crc 0|16@1+,Cnt 23|8@0+", {}),
        ("P05", "Crc 64|16@1+,Cnt 80|8@1+", {"E2EOffset": 64}),
        ("P06", "Crc 7|16@0+,Cnt 39|8@0+", {}),
        ("P07", "Crc 7|64@0+,Cnt 103|32@0+", {}),
        ("P08", "Crc 7|32@0+,Cnt 71|32@0+", {}),
    ],
)
def test_the_signals_of_every_profile_lie_where_its_header_has_them(
    profile: str, signals: str, attributes: dict[str, Any]
) -> None:
    length = 32 if PROFILES[profile].length_max == 32 else 64
    settings: dict[str, Any] = {"E2EProfile": profile, "E2EDataId": 1} | attributes
    config = config_of(settings, signals, FUNCTIONS, length)
    assert config is not None
    assert (config.counter_signal, config.checksum_signal) == ("Cnt", "Crc")
    crc, cnt = sorted(signals_of(signals), key=lambda s: s.name != "Crc")
    assert bit_positions(crc.start_bit, crc.length, crc.byte_order) == config.crc_place.bits()
    places = config.header_counter_place
    assert bit_positions(cnt.start_bit, cnt.length, cnt.byte_order) == places.bits()
    # one bit further on it is refused, whichever signal it is
    for name in ("Crc", "Cnt"):
        given = [
            replace(
                s,
                start_bit=s.start_bit + (8 if s.name == name else 0),
                attributes=FUNCTIONS[s.name],
            )
            for s in (crc, cnt)
        ]
        with pytest.raises(
            InputError, match=rf"^message M, signal {name}: E2E profile {profile}: expected \d+ bit"
        ):
            e2e_config_of(message_name="M", length=length, attributes=settings, signals=given)


def test_a_place_says_where_its_bits_are() -> None:
    assert Place(8, 4).bits() == [8, 9, 10, 11]
    assert Place(16, 16).bits() == [*range(24, 32), *range(16, 24)]
    assert Place(0, 16, "little_endian").bits() == [*range(16)]
    assert (Place(64, 32).start_bit, Place(8, 4).start_bit) == (71, 11)


@pytest.mark.parametrize(
    ("signals", "text"),
    [
        (
            "Crc 7|16@0+,Cnt 16|8@1+",
            r"^message M, signal Crc: E2E profile P05: expected 16 bits from bit 0, "
            r"little-endian, unscaled, got 16 bits from bit 7, big_endian, factor 1, offset 0$",
        ),
        ("Crc 0|16@1+,Cnt 16|7@1+", r"signal Cnt: .* got 7 bits from bit 16"),
        ("Crc 0|16@1+ (2;0),Cnt 16|8@1+", r"signal Crc: .* factor 2, offset 0$"),
        ("Crc 0|16@1+,Cnt 16|8@1+ (1;-1)", r"signal Cnt: .* factor 1, offset -1$"),
    ],
)
def test_a_signal_that_is_not_the_header_field_is_refused(signals: str, text: str) -> None:
    with pytest.raises(InputError, match=text):
        config_of({"E2EProfile": "P05", "E2EDataId": 1}, signals, FUNCTIONS)


def test_a_header_may_have_no_signals() -> None:
    config = config_of({"E2EProfile": "P05", "E2EDataId": 1}, "Force 24|16@1+")
    assert config == E2eConfig(profile="P05", data_id=1)


@pytest.mark.parametrize(
    ("functions", "text"),
    [
        ({}, "expected one signal with GenSigFuncType 'Counter', got none"),
        (
            {"Cnt": FUNCTIONS["Cnt"], "Force": FUNCTIONS["Cnt"]},
            "expected one signal with GenSigFuncType 'Counter', got Cnt, Force",
        ),
        (
            {"Cnt": FUNCTIONS["Cnt"]},
            "expected one signal with GenSigFuncType 'Checksum', got none",
        ),
    ],
)
def test_a_header_with_signals_that_do_not_say_what_they_are_is_refused(
    functions: dict[str, dict[str, Any]], text: str
) -> None:
    with pytest.raises(InputError, match=rf"^message M, E2E protection: {text}$"):
        config_of({"E2EProfile": "P05", "E2EDataId": 1}, P05_SIGNALS, functions)


@pytest.mark.parametrize(
    ("attributes", "length", "text"),
    [
        (
            {"E2EProfile": "P05"},
            8,
            r"E2E protection: expected an E2EDataId of 0\.\.65535, got none",
        ),
        ({"E2EProfile": "P05", "E2EDataId": 65536}, 8, r"E2EDataId of 0\.\.65535, got 65536$"),
        ({"E2EProfile": "P07", "E2EDataId": -1}, 64, r"E2EDataId of 0\.\.4294967295, got -1$"),
        (
            {"E2EProfile": "P05", "E2EDataId": "a"},
            8,
            r"E2EDataId: expected a whole number, got 'a'",
        ),
        (
            {"E2EProfile": "P05", "E2EDataId": 1.5},
            8,
            r"E2EDataId: expected a whole number, got 1.5",
        ),
        (
            {"E2EProfile": "P05", "E2EDataId": 1, "E2EOffset": 48},
            8,
            r"^message M, E2E profile P05: length: expected 9\.\.4096 bytes, got 8$",
        ),
        ({"E2EProfile": "P01", "E2EDataId": 1}, 64, r"length: expected 2\.\.32 bytes, got 64$"),
        (
            {"E2EProfile": "P01", "E2EDataId": 1, "E2EDataIdMode": "E2E_P01_DATAID_UPPER"},
            8,
            r"^message M, E2E profile P01: data_id_mode: expected one of BOTH .*, got UPPER$",
        ),
        (
            {"E2EProfile": "P05", "E2EDataId": 1, "E2EOffset": -8},
            8,
            r"^message M, E2EOffset: expected 0 or more bits, got -8$",
        ),
        (
            {"E2EProfile": "P05", "E2EDataId": 1, "E2EOffset": 3},
            8,
            r"^message M, E2E profile P05: offset_bits: expected whole bytes, got 3$",
        ),
        (
            {"E2EProfile": "P05", "E2EDataId": 1, "E2EDataLength": 7},
            8,
            r"^message M, E2EDataLength: expected 8 bytes or 64 bits, got 7$",
        ),
        (
            {"E2EProfile": "P05", "E2EDataId": 1, "E2EMaxDeltaCounter": 256},
            8,
            r"^message M, E2E profile P05: max_delta_counter: expected 1\.\.255, got 256$",
        ),
        (
            {"E2EProfile": "CHECKSUM"},
            8,
            r"^message M, E2E protection: expected CHECKSUM to be configured in a TOML file, with",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    attributes: dict[str, Any], length: int, text: str
) -> None:
    with pytest.raises(InputError, match=text):
        config_of(attributes, "", length=length)


@pytest.mark.parametrize("spelling", ["NIBBLE", "nibble", "E2E_P01_DATAID_NIBBLE"])
def test_the_mode_of_the_data_id_in_any_spelling(spelling: str) -> None:
    attributes = {"E2EProfile": "P01", "E2EDataId": 1, "E2EDataIdMode": spelling}
    config = config_of(attributes | {"E2EDataLength": 64}, "", length=8)
    assert config is not None
    assert config.data_id_mode == "NIBBLE"


# ---- a counter alone ----


def test_a_counter_alone_by_attribute() -> None:
    functions = {"Cnt": {"GenSigFuncType": "Counter"}}
    place = SignalPlace(start_bit=19, length=2, byte_order="big_endian")
    assert config_of({"E2EProfile": "COUNTER"}, "Cnt 19|2@0+", functions) == E2eConfig(
        profile="COUNTER", counter_signal="Cnt", counter_place=place
    )
    with pytest.raises(
        InputError,
        match=r"^message M, signal Cnt: expected an unsigned and unscaled counter or checksum, "
        r"got factor 1, offset 0, signed$",
    ):
        config_of({"E2EProfile": "COUNTER"}, "Cnt 19|2@0-", functions)
    with pytest.raises(InputError, match=r"one signal with GenSigFuncType 'Counter', got none$"):
        config_of({"E2EProfile": "COUNTER"}, "Cnt 19|2@0+")


# ---- the whole way from a DBC ----


def test_settings_come_from_a_dbc_and_belong_to_its_messages() -> None:
    text = """BU_: A
BO_ 1 Brake: 8 A
 SG_ Crc : 0|8@1+ (1,0) [0|0] "" Vector__XXX
 SG_ Cnt : 8|4@1+ (1,0) [0|0] "" Vector__XXX
BA_DEF_ BO_ "E2EProfile" ENUM "None","P01","P22";
BA_DEF_ BO_ "E2EDataIdList" STRING;
BA_DEF_ SG_ "GenSigFuncType" INT 0 2;
BA_DEF_DEF_ "E2EProfile" "None";
BA_DEF_DEF_ "E2EDataIdList" "";
BA_DEF_DEF_ "GenSigFuncType" 0;
BA_ "E2EProfile" BO_ 1 2;
BA_ "E2EDataIdList" BO_ 1 "0x1F";
BA_ "GenSigFuncType" SG_ 1 Crc 2;
BA_ "GenSigFuncType" SG_ 1 Cnt 1;
"""
    database = Database.from_text(text, name="p22.dbc")
    config = database.message("Brake").e2e
    assert config == E2eConfig(
        profile="P22", data_id_list=(31,) * 16, counter_signal="Cnt", checksum_signal="Crc"
    )
    assert copy.deepcopy(config) is config is copy.copy(config)
    bad = text.replace('BO_ 1 "0x1F"', 'BO_ 1 "1,2"')
    database = Database.from_text(bad, name="p22.dbc")
    assert database.message("Brake").e2e is None
    assert [problem.severity for problem in database.problems] == ["error"]
    with pytest.raises(InputError, match=r"^p22.dbc:2: message Brake, E2E protection: expected an"):
        database.refuse_errors()


# ---- numbers ----


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"sync_counter_init": -1}, "sync_counter_init: expected 0 or more, got -1"),
        ({"max_no_new_or_repeated_data": -2}, "max_no_new_or_repeated_data: expected 0 or more"),
        ({"max_delta_counter_init": -1}, "max_delta_counter_init: expected 0..14, got -1"),
        ({"max_delta_counter_init": 15}, "max_delta_counter_init: expected 0..14, got 15"),
        ({"data_id": True}, "data_id: expected a whole number, got True"),
        ({"data_id": 5.0}, "data_id: expected a whole number, got 5.0"),
        ({"max_delta_counter": 1.5}, "max_delta_counter: expected a whole number, got 1.5"),
        ({"offset_bits": 8.0}, "offset_bits: expected a whole number, got 8.0"),
        ({"profile": "COUNTER", "counter_max": 3.0}, "counter_max: expected a whole number"),
        ({"profile": "P22", "data_id_list": (1,) * 15 + (True,)}, "data_id_list: expected whole n"),
        ({"profile": "P22", "data_id_list": (1,) * 15 + (2.0,)}, "data_id_list: expected whole n"),
    ],
)
def test_settings_that_are_no_number_or_out_of_range_are_refused(
    settings: dict[str, Any], text: str
) -> None:
    given: dict[str, Any] = {"profile": "P01", "data_id": 1} | settings
    with pytest.raises(UsageError, match=f": {re.escape(text)}"):
        E2eConfig(**given)


def test_the_ends_of_the_tolerances_are_allowed() -> None:
    for profile, most in (("P01", 14), ("P02", 15)):
        for least in (0, most):
            config = E2eConfig(
                profile=profile,
                data_id_list=(1,) * 16 if profile == "P02" else (),
                max_delta_counter_init=least,
                sync_counter_init=0,
                max_no_new_or_repeated_data=0,
            )
            assert config.max_delta_counter_init == least


# ---- multiplexers ----

PAGES = """BU_: A
BO_ 1 M: 8 A
 SG_ Sw M : 16|8@1+ (1,0) [0|0] "" A
 SG_ P0 m0 : 24|8@1+ (1,0) [0|0] "" A
 SG_ P1 m1 : 24|8@1+ (1,0) [0|0] "" A
 SG_ Crc %s : 0|16@1+ (1,0) [0|0] "" A
 SG_ Both m0 : 40|8@1+ (1,0) [0|0] "" A
SG_MUL_VAL_ 1 Both Sw 0-1;
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Sw", "a multiplexer: it selects which signals are sent"),
        ("P1", "one that only some pages of multiplexer Sw have"),
    ],
)
def test_a_counter_that_is_a_multiplexer_or_not_in_every_frame_is_refused(
    name: str, text: str
) -> None:
    signals = Database.from_text(PAGES % "").message("M").signals
    expected = "expected a counter or checksum that is in every frame, got "
    with pytest.raises(InputError, match=f"^message M, signal {name}: {expected}{text}$"):
        plain_counter("M", name, signals)
    assert plain_counter("M", "Both", signals).counter_signal == "Both"


def test_a_header_of_signals_that_are_not_in_every_frame_is_refused() -> None:
    for crc, counter, name in (("", "Sw", "Sw"), ("m1", "P0", "Crc")):
        text = PAGES % crc
        if counter != "Sw":
            text = text.replace("Sw M : 16", "Sw M : 48").replace("P0 m0 : 24", "P0 m0 : 16")
        signals = Database.from_text(text).message("M").signals
        attributes: dict[str, int | float | str] = {
            "E2EProfile": "P05",
            "E2EDataId": 1,
            "E2ECounterSignal": counter,
            "E2ECrcSignal": "Crc",
        }
        with pytest.raises(InputError, match=f"^message M, signal {name}: expected a counter or c"):
            e2e_config_of(message_name="M", length=8, attributes=attributes, signals=signals)


# ---- data ids that nobody wrote ----


def test_a_data_id_that_is_only_the_default_of_its_attribute_is_a_warning() -> None:
    text = """BU_: A
BO_ 1 M: 8 A
 SG_ Crc : 0|16@1+ (1,0) [0|0] "" A
 SG_ Cnt : 16|8@1+ (1,0) [0|0] "" A
BA_DEF_ BO_ "E2EProfile" ENUM "None","P05";
BA_DEF_ BO_ "E2EDataId" INT 0 65535;
BA_DEF_ SG_ "GenSigFuncType" ENUM "No","Counter","Checksum";
BA_DEF_DEF_ "E2EProfile" "None";
BA_DEF_DEF_ "E2EDataId" 0;
BA_DEF_DEF_ "GenSigFuncType" "No";
BA_ "E2EProfile" BO_ 1 1;
BA_ "GenSigFuncType" SG_ 1 Crc 2;
BA_ "GenSigFuncType" SG_ 1 Cnt 1;
"""
    database = Database.from_text(text)
    assert [str(each) for each in database.problems] == [
        "database.dbc:2: warning: message M, E2E data id: 0 is only the attribute's default "
        "(BA_DEF_DEF_)"
    ]
    assert Database.from_text(text + 'BA_ "E2EDataId" BO_ 1 0;\n').problems == ()
    settings = "[e2e.messages.M]\ndata_id = 0\n"
    assert Database.from_text(text, protection=settings).problems == ()
    assert len(Database.from_text(text, protection="[e2e]\nstrict = true\n").problems) == 1
