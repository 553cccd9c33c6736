"""The reference interface `dbc/chassis_fd.dbc` keeps its promises.

Only the file is under test here, read by cantools. How simcore compiles it is tested in
`test_database.py` and `test_codec.py`.
"""

from __future__ import annotations

import hashlib
import logging
import re
import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import cantools
import pytest
from cantools.database.can import Message, Signal
from cantools.database.namedsignalvalue import NamedSignalValue

from simcore.watchdog.statuses import GlobalStatus

DBC = Path(__file__).resolve().parents[2] / "dbc" / "chassis_fd.dbc"
README = DBC.with_name("README.md")
TEXT = DBC.read_bytes().decode("ascii")
DB: Any = cantools.database.load_file(DBC, strict=True)

CORNERS = ("FL", "FR", "RL", "RR")
EMBS = tuple(f"EMB_{corner}" for corner in CORNERS)
NODES = ("CDC", "CDC2", *EMBS, "BPS", "IMU", "EPS", "VCU", "ADAS", "PDM", "GW", "TST")
DIAGNOSED = ("CDC", "CDC2", *EMBS, "GW")
QUALITY = {0: "Init", 1: "Invalid", 2: "Degraded", 3: "Valid"}

# id, name, sender, bytes, cycle in ms, layout: the interface a supplier builds against. The layout
# is the start of a BLAKE2 digest over name, position, sign, scale, offset and unit of each signal;
# a difference means that frames on the wire changed their meaning.
CYCLIC = (
    (0x060, "CDC_EmbCmd", "CDC", 24, 5, "2d978a11"),
    (0x064, "CDC2_EmbCmd", "CDC2", 24, 10, "6144f77a"),
    (0x080, "EMB_FL_St1", "EMB_FL", 20, 5, "9340e348"),
    (0x081, "EMB_FR_St1", "EMB_FR", 20, 5, "719e691d"),
    (0x082, "EMB_RL_St1", "EMB_RL", 20, 5, "66efe2dd"),
    (0x083, "EMB_RR_St1", "EMB_RR", 20, 5, "e7e37d7b"),
    (0x0A0, "BPS_Pedal", "BPS", 16, 5, "fd95f84a"),
    (0x0A8, "IMU_Data", "IMU", 16, 5, "47f294b9"),
    (0x0B0, "SAS_Angle", "EPS", 12, 10, "6760fee2"),
    (0x0C0, "CDC_WhlSpd", "CDC", 16, 10, "fc0dae47"),
    (0x0C8, "CDC_VehDyn", "CDC", 16, 10, "9c0b36de"),
    (0x0D0, "CDC_BrkSt", "CDC", 16, 10, "79c5cfa0"),
    (0x0D8, "CDC_RegenReq", "CDC", 12, 10, "a6bb8a65"),
    (0x0E0, "VCU_Torque", "VCU", 16, 10, "e351c640"),
    (0x0F0, "ADAS_LongReq", "ADAS", 16, 20, "09f10299"),
    (0x0F8, "CDC_SteerReq", "CDC", 8, 10, "aeeebf8a"),
    (0x180, "CDC_Epb", "CDC", 12, 20, "20f59a72"),
    (0x280, "EMB_FL_St2", "EMB_FL", 20, 50, "5e627aa7"),
    (0x281, "EMB_FR_St2", "EMB_FR", 20, 50, "3ec29999"),
    (0x282, "EMB_RL_St2", "EMB_RL", 20, 50, "a05cd38c"),
    (0x283, "EMB_RR_St2", "EMB_RR", 20, 50, "bb411939"),
    (0x2A0, "PDM_Supply", "PDM", 12, 50, "e00f8a7d"),
    (0x3C0, "CDC_Hmi", "CDC", 8, 100, "2eb9c369"),
    (0x3D0, "VEH_Mode", "GW", 12, 100, "a19cb3bc"),
    (0x3E0, "GW_VehId", "GW", 12, 1000, "b72a765f"),
    (0x3F0, "GW_GnssPos", "GW", 24, 1000, "22a57ba6"),
)
NUMERIC = re.compile(r"E2E_\w+|CDC_AbsActv|GW_SwPartNo\d\d|\w+_Wdg(?:ErrCnt|FirstExp)")
"""Short signals that are numbers or bit fields, not enumerations."""


def messages(*, cyclic: bool) -> list[Message]:
    return [m for m in DB.messages if (attribute(m, "GenMsgSendType") == "Cyclic") is cyclic]


def attribute(owner: Message | Signal, name: str) -> Any:
    """The value of an attribute, its default where absent, an ENUM as its text."""
    definition = DB.dbc.attribute_definitions[name]
    attributes = owner.dbc.attributes if owner.dbc else {}
    if name not in attributes:
        return definition.default_value
    value = attributes[name].value
    return definition.choices[value] if definition.type_name == "ENUM" else value


def signals() -> list[tuple[Message, Signal]]:
    return [(message, signal) for message in DB.messages for signal in message.signals]


def physical(signal: Signal, raw: int) -> float:
    value = signal.conversion.raw_to_scaled(raw, decode_choices=False)
    assert not isinstance(value, (str, NamedSignalValue))
    return value


def raw_range(signal: Signal) -> tuple[int, int]:
    half = 1 << signal.length - 1
    return (-half, half - 1) if signal.is_signed else (0, 2 * half - 1)


def limits(signal: Signal) -> tuple[float, float]:
    assert signal.minimum is not None, signal.name
    assert signal.maximum is not None, signal.name
    return signal.minimum, signal.maximum


def is_within(signal: Signal, value: float) -> bool:
    """As cantools checks: with a tolerance of a millionth of a step for the rounding of floats."""
    lowest, highest = limits(signal)
    slack = 1e-6 * abs(signal.scale)
    return lowest - slack <= value <= highest + slack


def layout_digest(message: Message) -> str:
    rows = [
        f"{s.name} {s.start} {s.length} {s.byte_order} {s.is_signed} {s.is_float} "
        f"{float(s.scale)!r} {float(s.offset)!r} {s.unit or ''} {s.multiplexer_ids}"
        for s in sorted(message.signals, key=lambda s: s.name)
    ]
    return hashlib.blake2b("\n".join(rows).encode(), digest_size=4).hexdigest()


# --- the file -------------------------------------------------------------------------------------


def test_the_file_loads_strictly_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        cantools.database.load_file(DBC, strict=True)
    assert caplog.records == []


def test_the_file_is_plain_ascii_with_one_newline_per_line_and_a_version() -> None:
    assert "\r" not in TEXT
    assert TEXT.endswith(";\n")
    assert not re.search(r"[ \t]+$", TEXT.split("NS_ :")[1], flags=re.MULTILINE)
    assert DB.version == "1.0.0"


def test_messages_stand_in_the_order_of_their_ids() -> None:
    ids = [int(number) for number in re.findall(r"^BO_ (\d+) ", TEXT, flags=re.MULTILINE)]
    assert len(ids) == len(DB.messages)
    assert all(before < after for before, after in pairwise(ids))


def test_cantools_dump_prints_every_message() -> None:
    command = [sys.executable, "-m", "cantools", "dump", str(DBC)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert printed.stderr == ""
    names = re.findall(r"^  Name: +(\w+)$", printed.stdout, flags=re.MULTILINE)
    assert {message.name for message in DB.messages} <= set(names)


def facts(database: Any) -> dict[str, object]:
    """Everything the file says, as plain values."""

    def attributes(owner: object) -> dict[str, object]:
        found = getattr(owner, "attributes", None) or {}
        return {name: attr.value for name, attr in found.items()}

    told: dict[str, object] = {
        "version": database.version,
        "attributes": attributes(database.dbc),
        "definitions": {
            name: (d.type_name, d.kind, d.minimum, d.maximum, d.choices, d.default_value)
            for name, d in database.dbc.attribute_definitions.items()
        },
        "value tables": {name: dict(t) for name, t in database.dbc.value_tables.items()},
        "buses": [(bus.name, bus.comment, bus.baudrate) for bus in database.buses],
        "nodes": [(n.name, n.comment, attributes(n.dbc)) for n in database.nodes],
    }
    for message in database.messages:
        told[message.name] = (
            (message.frame_id, message.length, message.senders, message.is_fd),
            (message.cycle_time, message.send_type, message.comment, attributes(message.dbc)),
        )
        for s in message.signals:
            told[f"{message.name}.{s.name}"] = (
                (s.start, s.length, s.byte_order, s.is_signed, s.is_float, s.scale, s.offset),
                (s.minimum, s.maximum, s.unit, s.choices, sorted(s.receivers), s.raw_initial),
                (s.is_multiplexer, s.multiplexer_ids, s.comment, attributes(s.dbc)),
            )
    return told


def test_nothing_is_lost_when_cantools_writes_the_file_and_reads_it_again() -> None:
    written = DB.as_dbc_string()
    again = cantools.database.load_string(written, "dbc", strict=True)
    assert facts(again) == facts(DB)


# --- nodes and messages ---------------------------------------------------------------------------


def test_the_nodes_are_those_of_the_topology_each_with_a_comment() -> None:
    assert tuple(node.name for node in DB.nodes) == NODES
    assert all(len(node.comment or "") > 40 for node in DB.nodes)


@pytest.mark.parametrize("row", CYCLIC, ids=lambda row: row[1])
def test_a_cyclic_message_keeps_its_id_sender_length_cycle_and_layout(
    row: tuple[int, str, str, int, int, str],
) -> None:
    message = DB.get_message_by_frame_id(row[0])
    cycle_ms = attribute(message, "GenMsgCycleTime")
    head = (message.frame_id, message.name, message.senders, message.length, cycle_ms)
    assert head == (row[0], row[1], [row[2]], row[3], row[4])
    assert layout_digest(message) == row[5]


def test_no_other_message_is_cyclic() -> None:
    assert [message.frame_id for message in messages(cyclic=True)] == [row[0] for row in CYCLIC]


def test_diagnostic_requests_and_responses_form_pairs_eight_identifiers_apart() -> None:
    for index, node in enumerate(DIAGNOSED):
        request = DB.get_message_by_frame_id(0x6A0 + index)
        response = DB.get_message_by_frame_id(0x6A8 + index)
        assert (request.name, request.senders) == (f"DIAG_{node}_Req", ["TST"])
        assert (response.name, response.senders) == (f"DIAG_{node}_Rsp", [node])
        assert (request.receivers, response.receivers) == ({node}, {"TST"})
        assert attribute(request, "DiagRequest") == attribute(response, "DiagResponse") == "Yes"
        assert attribute(request, "DiagResponse") == attribute(response, "DiagRequest") == "No"
    functional = DB.get_message_by_frame_id(0x7DF)
    assert (functional.senders, functional.receivers) == (["TST"], set(DIAGNOSED))
    assert attribute(functional, "DiagState") == "Yes"


def test_diagnostic_frames_carry_64_raw_bytes_in_order() -> None:
    frames = [m for m in DB.messages if m.name.startswith("DIAG_")]
    assert len(frames) == 2 * len(DIAGNOSED) + 1
    payload = bytes(range(64))
    for message in frames:
        assert attribute(message, "TpApplType") == "ISO-TP"
        words = message.decode(payload)
        assert isinstance(words, dict)
        assert words["DIAG_Data0"] == 0x0706050403020100
        assert message.encode(words) == payload


def test_every_node_but_the_tester_has_one_network_management_frame() -> None:
    base = DB.dbc.attributes["NmBaseAddress"].value
    for node in DB.nodes[:-1]:
        address = node.dbc.attributes["NmStationAddress"].value
        message = DB.get_message_by_frame_id(base + address)
        assert (message.name, message.senders) == (f"NM_{node.name}", [node.name])
        assert message.get_signal_by_name("NM_SrcAddr").raw_initial == address
        assert attribute(message, "NmMessage") == "Yes"
    assert sum(attribute(m, "NmMessage") == "Yes" for m in DB.messages) == len(NODES) - 1


# --- receivers ------------------------------------------------------------------------------------


def test_every_signal_is_received_by_known_nodes_other_than_its_sender() -> None:
    for message, signal in signals():
        assert signal.receivers, f"{message.name}.{signal.name} has no receiver"
        assert set(signal.receivers) <= set(NODES) - set(message.senders)


def test_everyone_who_uses_a_cyclic_frame_receives_its_e2e_header() -> None:
    for message in messages(cyclic=True):
        for name in ("E2E_CRC", "E2E_Cnt"):
            assert set(message.get_signal_by_name(name).receivers) == message.receivers


@pytest.mark.parametrize("lane", ["CDC", "CDC2"])
def test_an_actuator_receives_only_the_requests_of_its_own_corner(lane: str) -> None:
    message = DB.get_message_by_name(f"{lane}_EmbCmd")
    for corner in CORNERS:
        received = {s.name for s in message.signals if f"EMB_{corner}" in s.receivers}
        own = {f"{lane}_{corner}_{x}" for x in ("FReq", "Mode", "FSlope", "ReqVld", "AbsActv")}
        common = {f"{lane}_{x}" for x in ("Src", "DrvBrkActv", "EmgcyBrk", "PwrMode")}
        assert received == own | common | {"E2E_CRC", "E2E_Cnt"}


@pytest.mark.parametrize(
    "name",
    [
        *(f"{emb}_St{i}" for emb in EMBS for i in (1, 2)),
        *("BPS_Pedal", "IMU_Data", "SAS_Angle", "VCU_Torque", "ADAS_LongReq", "PDM_Supply"),
        "VEH_Mode",
    ],
)
def test_both_controller_lanes_receive_every_signal_of_an_input_frame(name: str) -> None:
    for signal in DB.get_message_by_name(name).signals:
        assert {"CDC", "CDC2"} <= set(signal.receivers), signal.name


@pytest.mark.parametrize(
    ("name", "receivers"),
    [
        ("BPS_Pedal", {*EMBS}),
        ("CDC_VehDyn", {*EMBS, "CDC2"}),
        ("CDC_EmbCmd", {"CDC2"}),
        ("CDC2_EmbCmd", {"CDC"}),
        ("CDC_RegenReq", {"VCU", "CDC2"}),
        ("CDC_SteerReq", {"EPS", "CDC2"}),
        ("CDC_Hmi", {"GW"}),
        ("CDC_BrkSt", {"GW", "ADAS", "VCU", "CDC2"}),
    ],
)
def test_a_frame_reaches_those_who_act_on_it(name: str, receivers: set[str]) -> None:
    assert receivers <= DB.get_message_by_name(name).receivers


# --- supervision ----------------------------------------------------------------------------------

SUPERVISED = {
    "CDC": ("CDC_BrkSt", "CDC_BrkSt"),
    "CDC2": ("CDC2_EmbCmd", "CDC2_EmbCmd"),
    **{emb: (f"{emb}_St1", f"{emb}_St2") for emb in EMBS},
}
"""Node -> messages with the state of its supervision and with the details of it."""


def texts(signal: Signal) -> dict[int, str]:
    return {int(raw): str(text) for raw, text in (signal.choices or {}).items()}


@pytest.mark.parametrize("node", SUPERVISED)
def test_a_supervised_node_tells_its_status_its_enable_line_and_what_expired(node: str) -> None:
    state, details = (DB.get_message_by_name(name) for name in SUPERVISED[node])
    status, line = (state.get_signal_by_name(f"{node}_{name}") for name in ("WdgSt", "EnLine"))
    named = {each.value: each.name.capitalize() for each in GlobalStatus}
    assert texts(status) == named | {7: "SNA"}
    assert (texts(line), line.raw_initial) == ({0: "Off", 1: "On"}, 1)
    for name in ("WdgErrCnt", "WdgFirstExp"):
        signal = details.get_signal_by_name(f"{node}_{name}")
        assert (signal.length, signal.raw_initial, signal.choices) == (4, 0, None)


@pytest.mark.parametrize("node", ["CDC", *EMBS])
def test_a_node_with_monitoring_of_function_tells_what_it_does(node: str) -> None:
    signal = DB.get_message_by_name(SUPERVISED[node][0]).get_signal_by_name(f"{node}_MonSt")
    assert texts(signal) == {0: "Ok", 1: "Limiting", 2: "Cut", 3: "SNA"}


# --- value tables, comments, ranges ---------------------------------------------------------------


def test_every_short_signal_has_a_value_table() -> None:
    for message, signal in signals():
        if signal.length <= 4 and not NUMERIC.fullmatch(signal.name):
            assert signal.choices, f"{message.name}.{signal.name} has no value table"
        if signal.choices and signal.length <= 2:
            assert len(signal.choices) == 1 << signal.length, signal.name


def test_value_names_are_unique_and_their_values_fit_the_signal() -> None:
    for message, signal in signals():
        names = [str(text) for text in (signal.choices or {}).values()]
        assert len(set(names)) == len(names), f"{message.name}.{signal.name}"
        for raw in signal.choices or {}:
            assert is_within(signal, physical(signal, raw)), f"{message.name}.{signal.name} {raw}"


def test_every_shared_value_table_is_that_of_a_signal() -> None:
    used = [{raw: str(text) for raw, text in (s.choices or {}).items()} for _, s in signals()]
    for name, table in DB.dbc.value_tables.items():
        assert {raw: str(text) for raw, text in table.items()} in used, name


def test_all_quality_signals_share_one_value_table() -> None:
    found = [s for _, s in signals() if "Qf" in s.name]
    assert len(found) == 22
    for signal in found:
        assert {raw: str(text) for raw, text in (signal.choices or {}).items()} == QUALITY


def test_every_message_and_signal_has_a_comment_of_its_own() -> None:
    for message in DB.messages:
        comments = [signal.comment or "" for signal in message.signals]
        assert len(set(comments)) == len(comments), message.name
        for comment in (message.comment or "", *comments):
            assert re.fullmatch(r"[A-Z].{14,}\.", comment), f"{message.name}: {comment!r}"


def test_minimum_and_maximum_are_values_the_signal_can_carry() -> None:
    for message, signal in signals():
        assert limits(signal)[0] < limits(signal)[1]
        if signal.is_float:
            continue
        lowest, highest = raw_range(signal)
        for limit in limits(signal):
            raw = int(signal.conversion.numeric_scaled_to_raw(limit))
            assert lowest <= raw <= highest, f"{message.name}.{signal.name}: {limit}"
            assert abs(physical(signal, raw) - limit) <= 1e-6 * abs(signal.scale)


def test_signal_names_are_unique_inside_a_message() -> None:
    for message in DB.messages:
        names = [signal.name for signal in message.signals]
        assert len(set(names)) == len(names), message.name


# --- start values ---------------------------------------------------------------------------------


def test_every_signal_has_a_start_value_within_its_range() -> None:
    for message, signal in signals():
        assert signal.raw_initial is not None, f"{message.name}.{signal.name} has no start value"
        raw = int(signal.raw_initial)
        lowest, highest = raw_range(signal)
        assert lowest <= raw <= highest
        assert is_within(signal, physical(signal, raw)), f"{message.name}.{signal.name}: {raw}"


def test_quality_starts_as_init_and_a_measurement_as_not_available() -> None:
    requests = {"ADAS_LongReq", "CDC_RegenReq"}  # nobody may act on a start value
    chosen = {"VCU_Gear", "EPB_Switch", "EPB_TextReq", "HMI_MsgId", "HMI_Chime", "CDC_EmgcyLamp"}
    chosen |= {"NM_WakeReason", "NM_AwakeReason", *(f"{emb}_BusSel" for emb in EMBS)}
    for message, signal in signals():
        named = {str(text): raw for raw, text in (signal.choices or {}).items()}
        if "Qf" in signal.name:
            assert signal.raw_initial == named["Init"], signal.name
        elif "SNA" in named and message.name not in requests and signal.name not in chosen:
            assert signal.raw_initial == named["SNA"], signal.name


def test_nothing_brakes_drives_or_steers_at_its_start_value() -> None:
    resting = {"N", "Nm", "kN/s", "km/h", "A", "rpm", "mm", "mm/s", "deg/s", "m/s"}
    for message, signal in signals():
        start = physical(signal, int(signal.raw_initial or 0))
        is_named = int(signal.raw_initial or 0) in (signal.choices or {})
        if signal.unit in resting and not is_named:
            assert start == pytest.approx(0.0, abs=1e-9), f"{message.name}.{signal.name}"
    for lane in ("CDC", "CDC2"):
        for corner in CORNERS:
            initial = {
                suffix: DB.get_message_by_name(f"{lane}_EmbCmd")
                .get_signal_by_name(f"{lane}_{corner}_{suffix}")
                .initial
                for suffix in ("FReq", "Mode", "ReqVld")
            }
            assert initial == {"FReq": 0, "Mode": "Off", "ReqVld": "NotValid"}


def start_values(message: Message, page: int | None) -> dict[str, float | int | str]:
    values: dict[str, float | int | str] = {}
    for signal in message.signals:
        if signal.multiplexer_ids is None or signal.multiplexer_ids == [page]:
            values[signal.name] = physical(signal, int(signal.raw_initial or 0))
        if signal.is_multiplexer and page is not None:
            values[signal.name] = page
    return values


@pytest.mark.parametrize("message", DB.messages, ids=lambda message: message.name)
def test_start_values_survive_encoding_and_decoding(message: Message) -> None:
    for page in (0, 1, 2, 3) if message.is_multiplexed() else (None,):
        values = start_values(message, page)
        payload = message.encode(values)
        assert len(payload) == message.length
        assert message.decode(payload, decode_choices=False) == values


# --- layouts that exercise a codec ----------------------------------------------------------------


def test_position_bytes_are_ieee_doubles_and_big_endian_fields() -> None:
    message = DB.get_message_by_name("GW_GnssPos")
    values = {"E2E_CRC": 0, "E2E_Cnt": 0, "GW_GnssQf": 3, "GW_GnssSatCnt": 12}
    payload = message.encode(
        values
        | {"GW_GnssLat": 1.0, "GW_GnssLon": -2.0}
        | {"GW_GnssAlt": -2, "GW_GnssHead": 90, "GW_GnssClimb": -0.1}
    )
    # Altitude -1 raw in 13 bits, heading 90 in 9, climb -1 raw in 10: 32 bits, high bit first.
    tail = (0x1FFF << 19) | (90 << 10) | 0x3FF
    latitude, longitude = "000000000000f03f", "00000000000000c0"
    assert payload.hex() == f"000000{3 | 12 << 2:02x}{latitude}{longitude}{tail:08x}"


def test_vehicle_identification_spans_three_pages_and_a_fourth_holds_the_part_number() -> None:
    message = DB.get_message_by_name("GW_VehId")
    pages: dict[int, list[str]] = {page: [] for page in range(4)}
    for signal in message.signals:
        for page in signal.multiplexer_ids or []:
            pages[page].append(signal.name)
    vin = [name for page in (0, 1, 2) for name in sorted(pages[page])]
    assert vin == [f"GW_Vin{number:02d}" for number in range(1, 18)]
    assert {f"GW_SwPartNo{digit:02d}" for digit in range(1, 11)} < set(pages[3])


# --- attributes -----------------------------------------------------------------------------------


def test_the_database_names_its_bus_and_both_bit_rates() -> None:
    values = {name: attr.value for name, attr in DB.dbc.attributes.items()}
    assert values == {
        "BusType": "CAN FD",
        "DBName": "chassis_fd",
        "Baudrate": 500_000,
        "BaudrateCANFD": 2_000_000,
        "NmBaseAddress": 0x500,
    }


def test_every_message_is_a_base_format_fd_frame_with_bit_rate_switch() -> None:
    for message in DB.messages:
        assert attribute(message, "VFrameFormat") == "StandardCAN_FD"
        assert attribute(message, "CANFD_BRS") == "1"
        assert (message.is_fd, message.is_extended_frame) == (True, False)
        assert message.length in {8, 12, 16, 20, 24, 32, 48, 64}


def test_exactly_the_cyclic_messages_are_protected_by_profile_5() -> None:
    for message in messages(cyclic=True):
        assert attribute(message, "E2EProfile") == "P05"
        assert attribute(message, "GenMsgCycleTime") in {5, 10, 20, 50, 100, 1000}
        assert attribute(message, "GenMsgILSupport") == "Yes"
    for message in messages(cyclic=False):
        assert attribute(message, "GenMsgSendType") == "Event"
        assert attribute(message, "E2EProfile") == "None"
        assert attribute(message, "E2EDataId") == 0
        assert not message.cycle_time
        assert attribute(message, "GenMsgILSupport") == "No"
        assert not [s for s in message.signals if s.name.startswith("E2E_")]


def test_data_ids_are_unique_and_differ_from_every_identifier() -> None:
    data_ids = [attribute(message, "E2EDataId") for message in messages(cyclic=True)]
    assert len(set(data_ids)) == len(data_ids)
    assert not set(data_ids) & {message.frame_id for message in DB.messages}


def test_counter_and_checksum_are_marked_and_lie_where_profile_5_puts_them() -> None:
    for message in messages(cyclic=True):
        marked = {
            attribute(s, "GenSigFuncType"): (s.name, s.start, s.length, s.byte_order, s.is_signed)
            for s in message.signals
        }
        assert marked.pop("Checksum") == ("E2E_CRC", 0, 16, "little_endian", False)
        assert marked.pop("Counter") == ("E2E_Cnt", 16, 8, "little_endian", False)
        assert set(marked) == {"NoFunction"}


def test_signals_of_event_frames_are_not_sent_cyclically() -> None:
    for message, signal in signals():
        is_cyclic = attribute(message, "GenMsgSendType") == "Cyclic"
        expected = "Cyclic" if is_cyclic else "NoSigSendType"
        assert attribute(signal, "GenSigSendType") == expected


# --- load and start offsets -----------------------------------------------------------------------


def wire_time_us(length: int) -> float:
    """Worst-case stuffing of a base-format FD frame with bit-rate switch, with intermission."""
    nominal_bits = 32
    data_bits = 33 + 5 * (length > 16) + 10 * length
    return nominal_bits * 1e6 / 500_000 + data_bits * 1e6 / 2_000_000


def cycle_and_offset_ms(message: Message) -> tuple[int, int]:
    return (
        int(attribute(message, "GenMsgCycleTime")),
        int(attribute(message, "GenMsgStartDelayTime")),
    )


def bus_load_ratio() -> float:
    return sum(
        wire_time_us(message.length) / (1000 * cycle_and_offset_ms(message)[0])
        for message in messages(cyclic=True)
    )


def slot_wire_times_us() -> list[float]:
    """Wire time queued in each 1 ms slot of 100 ms; slower frames count in every 100 ms."""
    slots = [0.0] * 100
    for message in messages(cyclic=True):
        cycle_ms, offset_ms = cycle_and_offset_ms(message)
        for slot in range(offset_ms, 100, min(cycle_ms, 100)):
            slots[slot] += wire_time_us(message.length)
    return slots


def test_the_longest_frame_takes_203_us() -> None:
    assert max(wire_time_us(m.length) for m in messages(cyclic=True)) == pytest.approx(203.0)


def test_start_offsets_are_shorter_than_their_cycle_and_every_frame_starts_within_100_ms() -> None:
    for message in messages(cyclic=True):
        cycle_ms, offset_ms = cycle_and_offset_ms(message)
        assert 0 <= offset_ms < min(cycle_ms, 100), message.name


def test_start_offsets_follow_the_tasks_of_the_ecus() -> None:
    offsets = {m.name: cycle_and_offset_ms(m)[1] for m in messages(cyclic=True)}
    assert (offsets["CDC_EmbCmd"], offsets["IMU_Data"], offsets["BPS_Pedal"]) == (0, 3, 4)
    assert offsets["EMB_FL_St1"] == offsets["EMB_FR_St1"]
    assert offsets["EMB_RL_St1"] == offsets["EMB_RR_St1"]
    names = ("CDC_WhlSpd", "CDC_VehDyn", "CDC_BrkSt", "CDC_RegenReq", "CDC_SteerReq")
    assert len({offsets[name] for name in names}) == len(names)


def test_worst_case_bus_load_is_below_half() -> None:
    assert bus_load_ratio() <= 0.50


def test_no_millisecond_is_filled_to_more_than_seventy_percent() -> None:
    assert max(slot_wire_times_us()) <= 700.0


def test_the_readme_states_the_load_and_every_start_offset_of_the_file() -> None:
    text = README.read_text(encoding="ascii")
    assert f"{100 * bus_load_ratio():.1f} % load" in text
    assert f"fullest millisecond {max(slot_wire_times_us()):.0f} us" in text
    stated = {}
    for cycle_ms, row in re.findall(r"^\| (\d+) \| (\d+: .*) \|$", text, flags=re.MULTILINE):
        for group in row.split("; "):
            offset_ms, names = group.split(": ")
            for name in names.split(", "):
                stated[name] = (int(cycle_ms), int(offset_ms))
    assert stated == {m.name: cycle_and_offset_ms(m) for m in messages(cyclic=True)}


# --- two buses ------------------------------------------------------------------------------------


def redundant() -> list[Message]:
    return [m for m in DB.messages if attribute(m, "RedundantBus") == "Yes"]


def test_what_braking_needs_is_sent_on_both_buses_and_nothing_else() -> None:
    assert [message.name for message in redundant()] == [
        "CDC_EmbCmd",
        "CDC2_EmbCmd",
        *(f"{emb}_St1" for emb in EMBS),
        "BPS_Pedal",
        "CDC_VehDyn",
        "CDC_BrkSt",
        "CDC_Hmi",
    ]
    for message in DB.messages:
        assert ("Sent on both buses." in message.comment) is (message in redundant())


def test_every_sender_of_a_redundant_message_and_its_brake_receivers_are_on_both_buses() -> None:
    nodes = {node.name for node in DB.nodes if attribute(node, "RedundantNode") == "Yes"}
    assert nodes == {"CDC", "CDC2", *EMBS, "BPS", "GW"}
    assert {sender for message in redundant() for sender in message.senders} <= nodes


def test_the_readme_states_the_load_of_the_second_bus() -> None:
    load_ratio = sum(
        wire_time_us(message.length) / (1000 * cycle_and_offset_ms(message)[0])
        for message in redundant()
    )
    assert f"`CHASSIS_B`: {100 * load_ratio:.1f} % load" in README.read_text(encoding="ascii")
