"""The interface control document: what is in the files is on the page, and nothing else."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from simcore import Database
from simcore.errors import InputError, UsageError
from simcore.network.messages import Message
from simcore.report.icd import bits_of, choices_text, icd_page, write_icd
from simcore.rig.requirements import load_requirement_file

HEAD = 'VERSION ""\nNS_ :\nBS_:\nBU_: A B\n'


@pytest.fixture(scope="module")
def database() -> Database:
    return Database.reference()


def page(database: Database, node: str | None = None) -> str:
    return icd_page(database, load_requirement_file(), version="1.2.3", node=node)


def one(text: str) -> Message:
    (message,) = Database.from_text(HEAD + text).messages
    return message


def test_every_message_signal_and_requirement_is_on_the_page(database: Database) -> None:
    text = unescape(page(database))
    for message in database.messages:
        assert f">{message.name}</a>" in text
        for signal in message.signals:
            assert f'<td class="strong">{signal.name}' in text
            assert signal.comment in text
    for name, requirement in load_requirement_file().requirements.items():
        assert f'<td class="id">{name}</td>' in text and requirement.text in text


def test_of_one_node_it_shows_what_that_node_sends_and_receives(database: Database) -> None:
    text = page(database, "EMB_FL")
    shown = set(re.findall(r'<td class="strong"><a href="#message-\d+">(\w+)</a></td>', text))
    both = (*database.sent_by("EMB_FL"), *database.received_by("EMB_FL"))
    assert shown == {message.name for message in both}
    assert "<td>sent</td>" in text and "<td>received</td>" in text
    requirements = load_requirement_file().requirements
    for name, requirement in requirements.items():
        assert (f'<td class="id">{name}</td>' in text) is requirement.concerns("EMB_FL")


def test_the_same_files_give_the_same_page(database: Database, tmp_path: Path) -> None:
    file = write_icd(tmp_path / "icd.html", database, None, version="1")
    first = file.read_bytes()
    assert write_icd(tmp_path / "icd.html", database, None, version="1").read_bytes() == first
    assert b"no requirement list" in first
    with pytest.raises(InputError, match="expected a path that can be written"):
        write_icd(file / "below", database, None, version="1")


def test_an_unknown_node_is_refused(database: Database) -> None:
    with pytest.raises(UsageError, match=r"node 'EMB_XX': expected one of CDC, .*, got EMB_XX"):
        page(database, "EMB_XX")


def test_bits_are_where_the_codec_has_them() -> None:
    """Each bit of a signal, set alone in the payload, is the one the codec reads."""
    for order in "01":
        for start, length in ((7, 8), (3, 4), (20, 11), (37, 17), (12, 1)):
            message = one(f'BO_ 5 M: 8 A\n SG_ S : {start}|{length}@{order}+ (1,0) [0|0] "" B\n')
            places = bits_of(message.signals[0])
            assert len(set(places)) == length
            values = set()
            for place in range(64):
                data = bytearray(8)
                data[place // 8] = 1 << (place % 8)
                value = message.codec.decode(bytes(data))["S"]
                assert bool(value) is (place in places)
                values.add(value)
            assert values == {0, *(1 << bit for bit in range(length))}


def test_unused_bits_and_multiplexed_signals_are_shown_as_such() -> None:
    text = """BO_ 5 M: 2 A
 SG_ Mux M : 0|4@1+ (1,0) [0|0] "" B
 SG_ One m1 : 8|8@1+ (1,0) [0|0] "" B
 SG_ Two m2 : 8|8@1+ (1,0) [0|0] "" B
"""
    shown = icd_page(Database.from_text(HEAD + text), None, version="1")
    assert '<td class="c-1" colspan="4" title="unused"></td>' in shown
    assert "Multiplexed: of several signals in one place the first is drawn." in shown
    assert "Mux = 2" in shown


def test_a_long_value_table_says_how_much_is_left_out() -> None:
    table = " ".join(f'{raw} "text {raw}"' for raw in range(40))
    text = f'BO_ 5 M: 1 A\n SG_ S : 0|8@1+ (1,0) [0|0] "" B\nVAL_ 5 S {table} ;\n'
    shown = choices_text(one(text).signals[0])
    assert shown.startswith("0 = text 0, 1 = text 1")
    assert shown.endswith("31 = text 31, and 8 more")
