"""Every fuzz target stands its seeds, its corpus and some hundred inputs made from them.

The long runs, guided by coverage, are `make fuzz`; these are the same checks without atheris.
"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simcore.protection import E2eStatus
from simcore.protection.e2e_receiver import E2eReceiver
from tests.fuzz import run
from tests.fuzz.draw import Draw
from tests.fuzz.targets import TARGETS, as_line, inputs_of, load

EXAMPLES = {"uds": 150, "dbc": 25, "files": 60}
"""Where an input takes long; else 300."""


def altered(inputs: list[bytes], count: int, size_max: int) -> list[bytes]:
    """Inputs with some bytes changed, cut out or doubled; the same ones every time."""
    source = random.Random(1)
    made = []
    for _ in range(count):
        data = bytearray(source.choice(inputs))
        for _ in range(source.randrange(1, 5)):
            at = source.randrange(len(data) + 1)
            match source.randrange(3):
                case 0:
                    data[at : at + 1] = bytes((source.randrange(256),))
                case 1:
                    del data[at : at + source.randrange(8)]
                case 2:
                    data[at:at] = data[at : at + source.randrange(8)]
        made.append(bytes(data[:size_max]))
    return made


@pytest.mark.parametrize("name", TARGETS)
def test_target_stands_its_corpus_and_what_is_made_of_it(name: str) -> None:
    target = load(name)
    inputs = inputs_of(target)
    assert inputs
    for data in [*inputs, b"", *altered(inputs, EXAMPLES.get(name, 300), target.SIZE_MAX)]:
        target.check(data)


def test_reader_that_raises_anything_else_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    target = load("image")

    def broken(data: bytes) -> Any:
        return data[4]

    monkeypatch.setattr(target, "read_image", broken)
    with pytest.raises(IndexError):
        target.check(b"\0")


def test_receiver_that_takes_altered_frames_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    target = load("e2e")
    monkeypatch.setattr(E2eReceiver, "check", lambda self, data: E2eStatus.OK)
    order_4_alters_a_frame = bytes((0, 4, 9, 5))
    with pytest.raises(AssertionError, match="P04"):
        target.check(order_4_alters_a_frame)


def test_codec_that_loses_a_bit_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    target = load("codec")
    codec = target.messages()[0].codec
    sound = codec.encode
    monkeypatch.setattr(codec, "encode", lambda *given: bytes(len(sound(*given))))
    length = target.messages()[0].length
    with pytest.raises(AssertionError):
        target.check(b"\0\0" + b"\x01" * length)


def test_draw_ends_with_zeros_and_nothing() -> None:
    draw = Draw(b"\x05\x06\x07")
    assert (draw.byte(), draw.piece(9), bool(draw)) == (5, b"\x06\x07", False)
    assert (draw.byte(), draw.piece(2), draw.rest()) == (0, b"", b"")


def test_any_input_can_be_written_as_a_line_of_a_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = load("image")
    data = [bytes(range(256)), b"# 'quoted' \"and\" \\x41", b"\n\r\t"]
    lines = "# what it was\n" + "".join(f"{as_line(each)}\n" for each in data)
    (tmp_path / "image.txt").write_text(lines, encoding="ascii")
    monkeypatch.setattr("tests.fuzz.targets.CORPUS", tmp_path)
    assert inputs_of(target)[-3:] == data


def test_what_broke_something_is_replayed_from_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "image-crash-1"
    file.write_bytes(b"\0abc")
    assert run.main(["--replay", str(file)]) == 0
    assert capsys.readouterr().out.startswith("image: 4 bytes: \\x00abc\nnothing is wrong")
    assert run.main(["--replay", str(tmp_path / "nothing-1")]) == 2
    assert "expected a file named <target>-" in capsys.readouterr().err


def test_without_atheris_it_says_what_is_missing() -> None:
    hidden = "import sys; sys.modules['atheris'] = None; sys.argv = ['run', 'codec', '--runs', '1']"
    script = f"{hidden}; from tests.fuzz.run import main; sys.exit(main())"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "fuzzing needs atheris" in ended.stderr
