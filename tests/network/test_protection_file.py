"""The TOML beside a database: settings of messages, presets, and errors with file and key."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from simcore.errors import InputError
from simcore.network import Database, E2eConfig
from simcore.network.e2e_config import PlainChecksum, SignalPlace
from simcore.network.protection_file import ProtectionFile
from simcore.protection import e2e_sender

PLAIN_DBC = """BU_: A
BO_ 801 Brake: 8 A
 SG_ Crc : 0|16@1+ (1,0) [0|0] "" Vector__XXX
 SG_ Cnt : 16|8@1+ (1,0) [0|0] "" Vector__XXX
 SG_ Force : 24|16@1+ (1,0) [0|0] "" Vector__XXX
BO_ 802 Short: 8 A
 SG_ Sum : 56|8@1+ (1,0) [0|0] "" Vector__XXX
 SG_ Alive : 48|4@1+ (1,0) [0|0] "" Vector__XXX
 SG_ Toggle : 52|1@1+ (1,0) [0|0] "" Vector__XXX
 SG_ Wide : 0|16@1- (1,0) [0|0] "" Vector__XXX
BO_ 803 Bare: 16 A
"""

PROTECTED_DBC = (
    PLAIN_DBC
    + """BA_DEF_ BO_ "E2EProfile" ENUM "None","P05";
BA_DEF_ BO_ "E2EDataId" INT 0 65535;
BA_DEF_ SG_ "GenSigFuncType" ENUM "No","Counter","Checksum";
BA_DEF_DEF_ "E2EProfile" "None";
BA_DEF_DEF_ "E2EDataId" 0;
BA_DEF_DEF_ "GenSigFuncType" "No";
BA_ "E2EProfile" BO_ 801 1;
BA_ "E2EDataId" BO_ 801 291;
BA_ "GenSigFuncType" SG_ 801 Crc 2;
BA_ "GenSigFuncType" SG_ 801 Cnt 1;
"""
)

P05 = E2eConfig(profile="P05", data_id=291, counter_signal="Cnt", checksum_signal="Crc")
LITTLE = "little_endian"


def config_of(toml: str, message: str = "Brake", *, dbc: str = PLAIN_DBC) -> E2eConfig | None:
    """The settings of `message` in a database without a protection file, and this one."""
    found = Database.from_text(dbc, name="plain.dbc").message(message)
    return ProtectionFile(toml, "x.protection.toml").e2e_config_of(
        message_name=found.name,
        arbitration_id=found.arbitration_id,
        length=found.length,
        attributes=found.attributes,
        signals=found.signals,
    )


# ---- settings ----


def test_an_empty_file_changes_nothing() -> None:
    assert config_of("") is None
    assert config_of("[e2e]\n[secoc]\n") is None
    assert config_of("", dbc=PROTECTED_DBC) == P05


def test_a_profile_with_its_signals_found_by_their_places() -> None:
    assert config_of('[e2e.messages.Brake]\nprofile = "P05"\ndata_id = 0x123\n') == P05
    assert config_of("[e2e.messages.Brake]\nprofile = 5\ndata_id = 291\n") == P05
    bare = config_of('[e2e.messages.Bare]\nprofile = "Profile_04"\ndata_id = 1\n', "Bare")
    assert bare == E2eConfig(profile="P04", data_id=1)


def test_all_settings_of_a_profile() -> None:
    toml = """[e2e.messages.Bare]
profile = "P01"
data_id = 0x321
data_id_mode = "NIBBLE"
crc_offset_bits = 64
counter_offset_bits = 80
data_id_nibble_offset_bits = 84
max_delta_counter_init = 2
max_no_new_or_repeated_data = 5
sync_counter_init = 1
profile_behavior = false
strict = true
"""
    assert config_of(toml, "Bare") == E2eConfig(
        profile="P01",
        data_id=0x321,
        data_id_mode="NIBBLE",
        crc_offset_bits=64,
        counter_offset_bits=80,
        data_id_nibble_offset_bits=84,
        max_delta_counter_init=2,
        max_no_new_or_repeated_data=5,
        sync_counter_init=1,
        profile_behavior=False,
        strict=True,
    )
    toml = '[e2e.messages.Bare]\nprofile="P44"\ndata_id=1\nmin_length=12\nmax_length=16\n'
    config = config_of(toml + "offset_bits=0\nmax_delta_counter=9\n", "Bare")
    assert config == E2eConfig(
        profile="P44", data_id=1, min_length=12, max_length=16, max_delta_counter=9
    )


@pytest.mark.parametrize(
    "written", ["7", "[7]", '"7"', '"0x7"', str([7] * 16), '"7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7"']
)
def test_a_list_of_data_ids_in_any_form(written: str) -> None:
    config = config_of(f'[e2e.messages.Bare]\nprofile = "P22"\ndata_id_list = {written}\n', "Bare")
    assert config == E2eConfig(profile="P22", data_id_list=(7,) * 16)


def test_single_settings_go_over_those_of_the_database() -> None:
    toml = "[e2e.messages.Brake]\nmax_delta_counter = 7\ndata_id = 5\n"
    assert config_of(toml, dbc=PROTECTED_DBC) == E2eConfig(
        profile="P05",
        data_id=5,
        counter_signal="Cnt",
        checksum_signal="Crc",
        max_delta_counter=7,
    )


def test_settings_for_all_messages_give_way_to_those_of_one() -> None:
    general = "[e2e]\nmax_delta_counter = 2\nstrict = true\n"
    config = config_of(general, dbc=PROTECTED_DBC)
    assert config is not None
    assert (config.max_delta_counter, config.strict) == (2, True)
    own = general + "[e2e.messages.Brake]\nmax_delta_counter = 4\nstrict = false\n"
    config = config_of(own, dbc=PROTECTED_DBC)
    assert config is not None
    assert (config.max_delta_counter, config.strict) == (4, False)


def test_a_message_may_be_left_unprotected() -> None:
    toml = '[e2e.messages.Brake]\nprofile = "None"\n'
    assert config_of(toml, dbc=PROTECTED_DBC) is None


def test_settings_that_are_wrong_in_the_database_are_overruled() -> None:
    broken = PROTECTED_DBC.replace("BO_ 801 291", "BO_ 801 0").replace("801 Cnt 1", "801 Cnt 0")
    assert config_of('[e2e.messages.Brake]\nprofile="P05"\ndata_id=291\n', dbc=broken) == P05


# ---- counters and simple checksums ----


def test_a_counter_alone() -> None:
    toml = '[e2e.messages.Short]\nprofile = "COUNTER"\ncounter_signal = "Alive"\n'
    place = SignalPlace(start_bit=48, length=4, byte_order=LITTLE)
    expected = E2eConfig(profile="COUNTER", counter_signal="Alive", counter_place=place)
    assert config_of(toml, "Short") == expected
    # the tolerance for all messages is meant for E2E counters, which are longer
    toggle = '[e2e]\nmax_delta_counter = 5\n[e2e.messages.Short]\nprofile = "COUNTER"\n'
    config = config_of(toggle + 'counter_signal = "Toggle"\n', "Short")
    assert config is not None
    assert config.max_delta_counter == 1
    config = config_of(toml + "counter_max = 14\nmax_delta_counter = 2\n", "Short")
    assert config is not None
    assert (config.counter_max, config.max_delta_counter) == (14, 2)


def test_a_checksum_with_and_without_a_counter() -> None:
    toml = """[e2e.messages.Short]
profile = "CHECKSUM"
checksum_signal = "Sum"
checksum = { algorithm = "sum8", id_bytes = 2, includes_length = true, prefix = [9] }
"""
    checksum = PlainChecksum(algorithm="sum8", prefix=b"\x08\x03\x22\x09")
    sum_place = SignalPlace(start_bit=56, length=8, byte_order=LITTLE)
    alone = E2eConfig(
        profile="CHECKSUM", checksum_signal="Sum", checksum_place=sum_place, checksum=checksum
    )
    assert config_of(toml, "Short") == alone
    sent = e2e_sender(alone, 8).protect(bytes([1, 2, 3, 4, 5, 6, 7, 0xFF]))
    assert sent[7] == 8 + 0x03 + 0x22 + 9 + sum(range(8))
    both = config_of(toml + 'counter_signal = "Alive"\n', "Short")
    assert both is not None
    assert both.counter_place == SignalPlace(start_bit=48, length=4, byte_order=LITTLE)
    assert both.checksum == checksum


# ---- presets ----

HYUNDAI_DBC = """BU_: A
BO_ 272 Steering: 16 A
 SG_ CHECKSUM : 0|16@1+ (1,0) [0|0] "" Vector__XXX
 SG_ COUNTER : 16|8@1+ (1,0) [0|0] "" Vector__XXX
BO_ 273 Other: 16 A
 SG_ CHECKSUM : 0|16@1+ (1,0) [0|0] "" Vector__XXX
 SG_ COUNTER : 24|8@1+ (1,0) [0|0] "" Vector__XXX
BO_ 2147549184 Extended: 16 A
 SG_ CHECKSUM : 0|16@1+ (1,0) [0|0] "" Vector__XXX
 SG_ COUNTER : 16|8@1+ (1,0) [0|0] "" Vector__XXX
"""

VW_DBC = """BU_: A
BO_ 253 ESP_21: 8 A
 SG_ ESP_21_CRC : 0|8@1+ (1,0) [0|0] "" Vector__XXX
 SG_ ESP_21_BZ : 8|4@1+ (1,0) [0|0] "" Vector__XXX
BO_ 254 ESP_22: 8 A
 SG_ CHECKSUM : 0|8@1+ (1,0) [0|0] "" Vector__XXX
 SG_ COUNTER : 8|4@1+ (1,0) [0|0] "" Vector__XXX
BO_ 255 ESP_23: 8 A
 SG_ ESP_23_CRC : 0|8@1+ (1,0) [0|0] "" Vector__XXX
"""


def test_the_preset_of_hyundai_is_profile_5_where_the_layout_is_there() -> None:
    toml = ProtectionFile.of_preset("hyundai_canfd").text
    assert config_of(toml, "Steering", dbc=HYUNDAI_DBC) == E2eConfig(
        profile="P05",
        data_id=272 ^ 0xF800,
        counter_signal="COUNTER",
        checksum_signal="CHECKSUM",
    )
    assert config_of(toml, "Other", dbc=HYUNDAI_DBC) is None
    assert config_of(toml, "Extended", dbc=HYUNDAI_DBC) is None


def test_the_preset_of_vw_is_profile_22_for_messages_with_a_list() -> None:
    toml = '[e2e]\npreset = "vw_mqb"\n[e2e.messages.ESP_21]\ndata_id_list = 0xF5\n'
    assert config_of(toml, "ESP_21", dbc=VW_DBC) == E2eConfig(
        profile="P22",
        data_id_list=(0xF5,) * 16,
        counter_signal="ESP_21_BZ",
        checksum_signal="ESP_21_CRC",
    )
    assert config_of(toml, "ESP_22", dbc=VW_DBC) is None
    assert config_of(toml, "ESP_23", dbc=VW_DBC) is None
    listed = (
        VW_DBC + 'BA_DEF_ BO_ "DataIds" STRING;\nBA_DEF_DEF_ "DataIds" "";\n'
        'BA_ "DataIds" BO_ 254 "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16";\n'
    )
    config = config_of(toml, "ESP_22", dbc=listed)
    assert config is not None
    assert config.data_id_list == tuple(range(1, 17))
    assert (config.counter_signal, config.checksum_signal) == ("COUNTER", "CHECKSUM")


def test_a_listed_message_of_vw_may_leave_its_header_out_but_not_use_it_otherwise() -> None:
    bare = VW_DBC + "BO_ 256 Motor_14: 8 A\n"
    other = bare + ' SG_ Torque : 4|8@1+ (1,0) [0|0] "" Vector__XXX\n'
    toml = '[e2e]\npreset = "vw_mqb"\n[e2e.messages.Motor_14]\ndata_id_list = 1\n'
    assert config_of(toml, "Motor_14", dbc=bare) == E2eConfig(profile="P22", data_id_list=(1,) * 16)
    with pytest.raises(InputError, match=r"message Motor_14, e2e: expected a profile, here or in"):
        config_of(toml, "Motor_14", dbc=other)


def test_a_preset_for_one_message() -> None:
    toml = '[e2e.messages.Steering]\npreset = "hyundai_canfd"\nmax_delta_counter = 5\n'
    config = config_of(toml, "Steering", dbc=HYUNDAI_DBC)
    assert config is not None
    assert (config.profile, config.max_delta_counter) == ("P05", 5)
    with pytest.raises(
        InputError, match=r"message Other, e2e: expected a profile, here or in the database, or a l"
    ):
        config_of(toml.replace("Steering", "Other"), "Other", dbc=HYUNDAI_DBC)


# ---- the database takes it up ----


def test_a_file_beside_the_database_is_taken_up(tmp_path: Path) -> None:
    (tmp_path / "car.dbc").write_text(PLAIN_DBC, encoding="utf-8")
    (tmp_path / "car.protection.toml").write_text(
        '[e2e.messages.Brake]\nprofile = "P05"\ndata_id = 291\n'
        "[secoc.messages.Bare]\nprofile = 1\ndata_id = 7\n",
        encoding="utf-8",
    )
    database = Database.load(tmp_path / "car.dbc")
    database.refuse_errors()
    assert database.message("Brake").e2e == P05
    secoc = database.message("Bare").secoc
    assert secoc is not None
    assert secoc.data_id == 7
    again = pickle.loads(pickle.dumps(database))
    assert again.message("Brake").e2e == P05


def test_a_preset_is_given_from_the_library() -> None:
    text = ProtectionFile.of_preset("hyundai_canfd").text
    database = Database.from_text(HYUNDAI_DBC, name="h.dbc", protection=text)
    assert [message.e2e is not None for message in database.messages] == [True, False, False]


# ---- refusals ----

BRAKE = "[e2e.messages.Brake]\n"


@pytest.mark.parametrize(
    ("toml", "text"),
    [
        ("[e2e\n", r"^x.toml:1: not a valid TOML file: Expected ']' .*line 1, column 5\)$"),
        ("\ufeff=", r"^x.toml:1: not a valid TOML file: "),
        ("[e2ee]\n", r"^x.toml:\d+: e2ee: unknown field: did you mean 'e2e'\?$"),
        ("e2e = 3\n", r"^x.toml:\d+: e2e: expected a table, got 3$"),
        (
            "[e2e]\nprest = 'x'\n",
            r"^x.toml:\d+: e2e.prest: unknown field: did you mean 'preset'\?$",
        ),
        ("[e2e]\nstrict = 1\n", r"^x.toml:\d+: e2e.strict: expected true or false, got 1$"),
        (
            "[e2e]\nmessages = 3\n",
            r"^x.toml:\d+: e2e.messages: expected a table per message, got 3$",
        ),
        (
            "[e2e.messages]\nBrake = 3\n",
            r"^x.toml:\d+: e2e.messages.Brake: expected a table, got 3",
        ),
        (
            BRAKE + "profil = 'P05'\n",
            r"^x.toml:\d+: e2e.messages.Brake.profil: unknown field: did you mean 'profile'\?$",
        ),
        (
            BRAKE + "data_id = 'x'\n",
            r"^x.toml:\d+: e2e.messages.Brake.data_id: expected a whole number, got 'x'$",
        ),
        (
            BRAKE + "checksum = { algoritm = 'sum8' }\n",
            r"^x.toml:\d+: e2e.messages.Brake.checksum.algoritm: unknown field: did you mean '",
        ),
        (
            BRAKE + "checksum = { init = 1 }\n",
            r"^x.toml:\d+: e2e.messages.Brake.checksum: expected a table with algorithm$",
        ),
        (
            "[e2e]\npreset = 'hyundai'\n",
            r"^x.toml:\d+: e2e.preset: expected one of hyundai_canfd vw_mqb, got 'hyundai'$",
        ),
        (
            BRAKE + "preset = 'vw'\n",
            r"^x.toml:\d+: e2e.messages.Brake.preset: expected one of hyundai_canfd vw_mqb, got '",
        ),
        (
            "[secoc.messages.Brake]\nkeyid = 1\n",
            r"^x.toml:\d+: secoc.messages.Brake.keyid: unknown field: did you mean 'key_id'\?$",
        ),
    ],
)
def test_a_file_that_is_not_understood_is_refused_with_its_key(toml: str, text: str) -> None:
    with pytest.raises(InputError, match=text):
        ProtectionFile(toml, "x.toml")


@pytest.mark.parametrize("section", ["e2e", "secoc"])
def test_a_message_that_is_not_in_the_database_is_refused(section: str) -> None:
    file = ProtectionFile(f"[{section}.messages.Brak]\n", "x.toml")
    file.check_messages(["Brak"])
    with pytest.raises(
        InputError,
        match=rf"^x.toml:\d+: {section}.messages.Brak: unknown message: did you mean 'Brake'\?$",
    ):
        file.check_messages(["Brake", "Steer"])


@pytest.mark.parametrize(
    ("message", "settings", "text"),
    [
        ("Brake", 'profile = "P03"', r"profile: expected one of P01 .* CHECKSUM, got 'P03'$"),
        ("Brake", 'profile = "P05"', r"E2E protection: expected a data_id, got none$"),
        ("Brake", "data_id = 5", r"e2e: expected a profile, here or in the database, or a layout"),
        (
            "Brake",
            'profile = "P05"\ndata_id = 65536',
            r"E2E profile P05: data_id: expected 0\.\.0xFFFF, got 0x10000$",
        ),
        (
            "Brake",
            'profile = "P05"\ndata_id = 1\ndata_id_list = 5',
            r"data_id_list: expected none in profile P05, got 5$",
        ),
        (
            "Brake",
            'profile = "P05"\ndata_id = 1\nmin_length = 5',
            r"min_length: expected none in profile P05, got 5$",
        ),
        (
            "Bare",
            'profile = "P22"\ndata_id_list = [1, 2]',
            r"data_id_list: expected 16 numbers of 0\.\.255, or one for all, got \[1, 2\]$",
        ),
        (
            "Bare",
            'profile = "P22"\ndata_id_list = "a b"',
            r"data_id_list: expected 16 numbers .*, got 'a b'$",
        ),
        ("Bare", 'profile = "P22"', r"data_id_list: expected 16 numbers .*, got ''$"),
        (
            "Bare",
            'profile = "P08"\ndata_id = 1\noffset_bits = 8',
            r"E2E profile P08: length: expected 17\.\.4194304 bytes, got 16$",
        ),
        (
            "Brake",
            'profile = "P05"\ndata_id = 1\noffset_bits = 8',
            r"signal Crc: E2E profile P05: expected 16 bits from bit 8, .* from bit 0",
        ),
        (
            "Brake",
            'profile = "P05"\ndata_id = 1\ncounter_signal = "Cnt1"',
            r"E2E protection: no signal 'Cnt1': did you mean 'Cnt'\?$",
        ),
        ("Short", 'profile = "COUNTER"', r"COUNTER: expected a counter_signal, got none$"),
        (
            "Short",
            'profile = "COUNTER"\ncounter_signal = "Alice"',
            r"E2E protection: no signal 'Alice': did you mean 'Alive'\?$",
        ),
        (
            "Short",
            'profile = "COUNTER"\ncounter_signal = "Wide"',
            r"signal Wide: expected an unsigned and unscaled counter .*, signed$",
        ),
        (
            "Short",
            'profile = "COUNTER"\ncounter_signal = "Alive"\ncounter_max = 16',
            r"protection COUNTER: counter_max: expected 1\.\.15, got 16$",
        ),
        (
            "Short",
            'profile = "COUNTER"\ncounter_signal = "Alive"\nchecksum_signal = "Sum"',
            r"checksum_signal: expected none in profile COUNTER, got Sum$",
        ),
        (
            "Short",
            'profile = "CHECKSUM"\nchecksum_signal = "Sum"',
            r"CHECKSUM: expected a checksum_signal and a checksum, got none$",
        ),
        (
            "Short",
            'profile = "CHECKSUM"\nchecksum_signal = "Alive"\nchecksum = { algorithm = "sum8" }',
            r"protection CHECKSUM: checksum_place: expected 8 bits, got 4$",
        ),
        (
            "Short",
            'profile = "CHECKSUM"\nchecksum_signal = "Sum"\nchecksum = { algorithm = "crc9" }',
            r"checksum algorithm: expected xor8, .*, got 'crc9'$",
        ),
        (
            "Short",
            'profile = "CHECKSUM"\nchecksum_signal = "Sum"\n'
            'checksum = { algorithm = "sum8", id_bytes = 1 }',
            r"checksum: expected id_bytes that hold the CAN id, .*, got 1 for 0x322, \[\]$",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(message: str, settings: str, text: str) -> None:
    toml = f"[e2e.messages.{message}]\n{settings}\n"
    with pytest.raises(
        InputError, match=rf"^x\.protection\.toml:\d+: message {message}, {text}"
    ) as refusal:
        config_of(toml, message)
    assert refusal.value.file == "x.protection.toml"
    database = Database.from_text(PLAIN_DBC, name="plain.dbc", protection=toml)
    assert database.message(message).e2e is None
    (error,) = [problem for problem in database.problems if problem.severity == "error"]
    assert (error.file, error.where.split(",")[0]) == ("protection.toml", f"message {message}")


def test_a_file_is_shared_by_copies_and_pickled_as_its_text() -> None:
    file = ProtectionFile('[e2e.messages.Brake]\nprofile = "P05"\ndata_id = 291\n', "x.toml")
    assert copy.deepcopy(file) is file is copy.copy(file)
    again = pickle.loads(pickle.dumps(file))
    assert (again.text, again.name) == (file.text, file.name)


# ---- places in the file ----


@pytest.mark.parametrize(
    ("toml", "text"),
    [
        (
            '# a\n[e2e]\n\nstrict = "yes"\n',
            "x.toml:4: e2e.strict: expected true or false, got 'yes'",
        ),
        (
            "[e2e]\nmessages.Brake.strict = 3\n",
            "x.toml:2: .*Brake.strict: expected true or false, g",
        ),
        (
            '[e2e.messages."Brake"]\ndata_id = true\n',
            "x.toml:2: .*: expected a whole number, got true",
        ),
        (
            "[e2e.messages.Brake]\ndata_id_list = 1.5\n",
            "x.toml:2: .*: expected a whole number or a string or a list, got 1.5",
        ),
        ("[e2e.messages.Brake]\ndata_id_list = [1, []]\n", "x.toml:2: .*: .*number, got a list"),
        ("[e2e.messages.Brake]\nprofile = {}\n", "x.toml:2: .*: .*string, got a table"),
        ("[e2e]\n[e2e.messages.No]\n", None),
    ],
)
def test_a_wrong_type_is_named_in_words_of_toml_with_its_line(toml: str, text: str | None) -> None:
    if text is None:
        with pytest.raises(InputError, match=r"^x\.toml:2: e2e\.messages\.No: unknown message"):
            ProtectionFile(toml, "x.toml").check_messages(["Brake"])
        return
    with pytest.raises(InputError, match=f"^{text}"):
        ProtectionFile(toml, "x.toml")


def test_a_refused_setting_of_a_message_has_its_line() -> None:
    toml = '\n[e2e.messages.Bare]\nprofile = "P01"\ndata_id = 1\nsync_counter_init = -1\n'
    with pytest.raises(
        InputError,
        match=r"^x\.protection\.toml:5: message Bare, E2E profile P01: sync_counter_init: expected "
        "0 or more, got -1$",
    ):
        config_of(toml, "Bare")


# ---- presets that leave messages alone ----


def test_a_preset_that_lacks_its_lists_or_matches_nothing_says_so() -> None:
    dbc = """BU_: A
BO_ 1 ESP_21: 8 A
 SG_ ESP_21_CRC : 0|8@1+ (1,0) [0|0] "" A
 SG_ ESP_21_BZ : 8|4@1+ (1,0) [0|0] "" A
BO_ 2 ACC_06: 8 A
 SG_ CHECKSUM : 0|8@1+ (1,0) [0|0] "" A
 SG_ COUNTER : 8|4@1+ (1,0) [0|0] "" A
BO_ 3 Other: 8 A
"""

    def problems(toml: str) -> list[str]:
        found = Database.from_text(dbc, protection=toml, protection_name="x.toml")
        return [str(problem) for problem in found.problems]

    preset = '[e2e]\npreset = "vw_mqb"\n'
    missing = "x.toml:2: warning: preset vw_mqb: "
    assert problems(preset) == [
        missing + "2 messages have the layout, data_id_list missing: ESP_21, ACC_06"
    ]
    one = preset + "[e2e.messages.ESP_21]\ndata_id_list = 5\n"
    assert problems(one) == [missing + "1 message has the layout, data_id_list missing: ACC_06"]
    assert problems(one + '[e2e.messages.ACC_06]\nprofile = "None"\n') == []
    assert problems('[e2e]\npreset = "hyundai_canfd"\n') == [
        "x.toml:2: warning: preset hyundai_canfd: no message has its layout: nothing is protected "
        "by it"
    ]
