"""Send types: every spelling, a house's own words, and what is refused."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path

import pytest

from simcore.errors import InputError, UsageError
from simcore.network.send_types import KNOWN, STANDARD, SendMode, SendTypes

# -- texts ---------------------------------------------------------------------------------------

MEANINGS = {
    "cyclic": "Cyclic cycle cyclicX FixedPeriodic Periodic",
    "event": "Event triggered spontan spontanX spontaneous spontanWithDelay",
    "event repeated": "spontanWithRepitition spontaneousWithRepetition",
    "on write": "OnWrite",
    "on write repeated": "OnWriteWithRepetition",
    "on change": "OnChange",
    "on change repeated": "OnChangeWithRepetition",
    "if active": "IfActive EnabledPeriodic cyclicIfActive cyclicIfActiveX cyclicIfActiveFast",
    "if active repeated": "IfActiveWithRepetition",
    "on change, if active": "OnChangeAndIfActive",
    "cyclic, event": "EventPeriodic cyclicAndTriggered cyclicAndEvent cyclicAndSpontanX "
    "cyclicAndSpontaneous cyclicAndSpontanWithDelay",
    "cyclic, event repeated": "CE cyclicWithRepeatOnDemand",
    "cyclic, if active": "CA",
    "if active, event": "cyclicIfActiveAndTriggered cyclicIfActiveAndSpontanWD",
    "": "none NoMsgSendType NoSigSendType NotUsed not_used vector_leerstring reserved",
}
PARTS = {
    "cyclic": SendMode.CYCLIC,
    "event": SendMode.EVENT,
    "on write": SendMode.ON_WRITE,
    "on change": SendMode.ON_CHANGE,
    "if active": SendMode.IF_ACTIVE,
    "repeated": SendMode.REPETITION,
}


@pytest.mark.parametrize(
    ("text", "meaning"), [(t, m) for m, texts in MEANINGS.items() for t in texts.split()]
)
def test_the_spellings_of_real_files_mean_what_they_say(text: str, meaning: str) -> None:
    wanted = SendMode.NONE
    for part, mode in PARTS.items():
        if re.search(rf"\b{part}\b", meaning):
            wanted |= mode
    assert STANDARD.mode(text) == wanted


def test_case_blanks_and_underscores_make_no_difference() -> None:
    for text, mode in KNOWN.items():
        for spelling in (text.upper(), text.lower(), "_".join(text), f" {text} "):
            assert STANDARD.mode(spelling) == mode, spelling


def test_a_house_adds_its_own_words_and_redefines_known_ones() -> None:
    types = SendTypes({"Zyklisch": "Cyclic", "Event": "OnChange"})
    assert types.mode("zyklisch") == SendMode.CYCLIC
    assert types.mode("EVENT") == SendMode.ON_CHANGE
    assert STANDARD.mode("zyklisch") is None and STANDARD.mode("Event") == SendMode.EVENT
    assert pickle.loads(pickle.dumps(types)).mode("Zyklisch") == SendMode.CYCLIC
    assert copy.deepcopy(types) is types


def test_an_own_word_needs_a_known_meaning() -> None:
    with pytest.raises(
        UsageError, match=r"^send type 'X': expected one of Cyclic, .*, got 'sometimes'$"
    ):
        SendTypes({"X": "sometimes"})


def test_own_words_come_from_a_toml_file_or_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "types.toml"
    file.write_text('[send_types]\n"OEM 1" = "Cyclic"\n')
    assert SendTypes.load(file).mode("oem1") == SendMode.CYCLIC
    assert SendTypes.parse(["OEM 2=OnWrite"]).mode("OEM 2") == SendMode.ON_WRITE
    with pytest.raises(UsageError, match=r"^send type: expected TEXT=SEND_TYPE, got 'OEM'$"):
        SendTypes.parse(["OEM"])


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("[send_types", "types.toml: send types: not valid TOML: "),
        ("a = 1\n", r"types.toml: send types: expected a table \[send_types\]$"),
        ('[send_types]\nX = "y"\n', "types.toml: send type 'X': expected one of .*, got 'y'$"),
        ("[send_types]\nX = 1\n", "types.toml: send type 'X': expected one of .*, got 1$"),
    ],
)
def test_a_bad_file_of_own_words_is_refused(tmp_path: Path, content: str, text: str) -> None:
    file = tmp_path / "types.toml"
    file.write_text(content)
    with pytest.raises(InputError, match=text):
        SendTypes.load(file)


def test_a_missing_file_of_own_words_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"send types: expected a readable TOML file, got No such"):
        SendTypes.load(tmp_path / "none.toml")
