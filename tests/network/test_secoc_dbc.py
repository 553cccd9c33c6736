"""The second shipped interface is the reference interface and SecOC on the brake commands."""

from __future__ import annotations

import re

import cantools
import pytest

from simcore.network import Database
from simcore.resources import dbc_path

PLAIN = dbc_path("chassis_fd.dbc").read_bytes().decode("ascii").splitlines()
SECURED = dbc_path("chassis_fd_secoc.dbc").read_bytes().decode("ascii").splitlines()
COMMANDS = ("CDC_EmbCmd", "CDC2_EmbCmd")

ADDED = re.compile(r'^(?: SG_|CM_ SG_|BA_ "Gen\w+" SG_|BA_DEF_|BA_DEF_DEF_|BA_) .*"?SecOC')
CHANGED = {
    "BO_ 96 CDC_EmbCmd: 24 CDC": "BO_ 96 CDC_EmbCmd: 32 CDC",
    "BO_ 100 CDC2_EmbCmd: 24 CDC2": "BO_ 100 CDC2_EmbCmd: 32 CDC2",
    'BA_ "DBName" "chassis_fd";': 'BA_ "DBName" "chassis_fd_secoc";',
    'BA_DEF_ SG_ "GenSigFuncType" ENUM "NoFunction","Counter","Checksum";': (
        'BA_DEF_ SG_ "GenSigFuncType" ENUM '
        '"NoFunction","Counter","Checksum","Freshness","Authenticator";'
    ),
}


def is_secoc(line: str) -> bool:
    """Whether a line is about SecOC alone: its attributes, or its two signals."""
    return bool(re.search(r'"SecOC\w+"|\bSecOC_(?:Fv|Mac)\b', line))


def test_without_its_secoc_lines_it_is_the_reference_interface_line_by_line() -> None:
    assert [CHANGED.get(line, line) for line in PLAIN] == [
        line for line in SECURED if not is_secoc(line)
    ]
    assert not [line for line in PLAIN if "SecOC" in line]


def test_every_line_that_goes_beyond_it_is_about_secoc() -> None:
    extra = [line for line in SECURED if is_secoc(line)]
    assert len(extra) == len(SECURED) - len(PLAIN)
    assert all(ADDED.match(line) for line in extra)


def test_it_loads_strictly_and_without_a_problem() -> None:
    parsed = cantools.database.load_file(dbc_path("chassis_fd_secoc.dbc"), strict=True)
    assert isinstance(parsed, cantools.database.can.Database)
    database = Database.load(dbc_path("chassis_fd_secoc.dbc"))
    assert database.problems == ()
    database.refuse_errors()


def test_exactly_the_two_brake_commands_are_secured() -> None:
    database = Database.load(dbc_path("chassis_fd_secoc.dbc"))
    assert tuple(m.name for m in database.messages if m.secoc is not None) == COMMANDS
    assert not [m for m in Database.reference().messages if m.secoc is not None]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_authentic_part_is_the_plain_payload_and_the_trailer_fills_the_frame(name: str) -> None:
    secured = Database.load(dbc_path("chassis_fd_secoc.dbc")).message(name)
    plain = Database.reference().message(name)
    config = secured.secoc
    assert config is not None
    assert (secured.length, config.secured_length) == (32, 32)
    assert config.authentic_length == plain.length == 24
    assert (config.freshness_value_trunc_length, config.auth_info_trunc_length) == (16, 48)
    assert (config.freshness_value_length, config.profile) == (64, None)
    assert (config.freshness_signal, config.authenticator_signal) == ("SecOC_Fv", "SecOC_Mac")
    assert secured.e2e == plain.e2e
    places = {s.name: (s.start_bit, s.length) for s in secured.signals}
    assert places.items() > {s.name: (s.start_bit, s.length) for s in plain.signals}.items()


def test_data_ids_are_unique_and_differ_from_every_identifier_and_e2e_data_id() -> None:
    database = Database.load(dbc_path("chassis_fd_secoc.dbc"))
    data_ids = [m.secoc.data_id for m in database.messages if m.secoc is not None]
    others = {m.arbitration_id for m in database.messages}
    others |= {m.e2e.data_id for m in database.messages if m.e2e is not None}
    assert len(set(data_ids)) == len(data_ids)
    assert not set(data_ids) & others


def test_the_bus_load_stays_below_half() -> None:
    """The same sum as for the reference interface: worst-case stuffing, with intermission."""
    load_ratio = 0.0
    for message in Database.load(dbc_path("chassis_fd_secoc.dbc")).messages:
        if message.cycle_time_ns is not None:
            data_bits = 33 + 5 * (message.length > 16) + 10 * message.length
            frame_us = 32 / 0.5 + data_bits / 2
            load_ratio += frame_us * 1000 / message.cycle_time_ns
    assert load_ratio == pytest.approx(0.423, abs=0.0005)


# -- what must be unique -------------------------------------------------------------------------

TWO = """VERSION ""
BU_: ENG BRK
BO_ 32 One: 8 ENG
 SG_ A : 7|8@0+ (1,0) [0|0] "" BRK
BO_ 33 Two: 8 ENG
 SG_ B : 7|8@0+ (1,0) [0|0] "" BRK
BO_ 34 Three: 8 BRK
 SG_ C : 7|8@0+ (1,0) [0|0] "" ENG
"""
HEADS = {name: f"[secoc.messages.{name}]\nprofile = 1\n" for name in ("One", "Two", "Three")}


def problems_of(**tables: str) -> list[str]:
    """Of a network with these settings."""
    settings = "".join(HEADS[name] + text for name, text in tables.items())
    return [
        str(each) for each in Database.from_text(TWO, name="n.dbc", protection=settings).problems
    ]


def test_a_data_id_twice_is_an_error_of_the_file_that_gives_it() -> None:
    assert problems_of(One="data_id = 5\n", Three="data_id = 5\n") == [
        "protection.toml:4: error: messages 0x020 One and 0x022 Three: "
        "they have the same SecOC data id"
    ]
    assert problems_of(One="data_id = 5\n", Three="data_id = 6\n") == []


def test_a_freshness_value_id_twice_at_one_sender_is_an_error() -> None:
    one, two = "data_id = 5\n", "data_id = 6\nfreshness_value_id = 5\n"
    assert problems_of(One=one, Two=two) == [
        "protection.toml:4: error: messages 0x020 One and 0x021 Two: "
        "they have the same SecOC freshness value id"
    ]
    assert problems_of(One=one, Three=two) == []


def test_attributes_are_blamed_on_the_database() -> None:
    text = dbc_path("chassis_fd_secoc.dbc").read_text(encoding="ascii")
    old = 'BA_ "SecOCDataId" BO_ 100 24676;'
    assert text.count(old) == 1
    database = Database.from_text(text.replace(old, old.replace("24676", "24672")), name="x.dbc")
    (problem,) = database.problems
    assert (problem.severity, problem.file) == ("error", "x.dbc")
    assert problem.text == "they have the same SecOC data id"
    assert text.splitlines()[(problem.line or 0) - 1].startswith("BO_ 100 CDC2_EmbCmd")


def test_an_e2e_header_that_the_trailer_would_overwrite_is_an_error() -> None:
    settings = HEADS["One"] + 'data_id = 5\n[e2e.messages.One]\nprofile = "P05"\ndata_id = 9\n'
    for offset, problems in ((8, []), (24, [3])):
        text = settings + f"offset_bits = {offset}\n"
        database = Database.from_text(TWO, name="n.dbc", protection=text)
        assert [each.line for each in database.problems] == problems
    plain = '[e2e.messages.One]\nprofile = "COUNTER"\ncounter_signal = "A"\n'
    counted = Database.from_text(
        TWO, name="n.dbc", protection=HEADS["One"] + "data_id = 5\n" + plain
    )
    assert counted.problems == ()
    assert str(database.problems[0]) == (
        "n.dbc:3: error: message One: the E2E header reaches to byte 5: "
        "expected it in front of the SecOC trailer, which begins at byte 4"
    )
