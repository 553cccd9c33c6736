"""What is left of a failure: written once, for the shrunk example, as source that says the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simcore import Database, EcuSilent, Frame, InputError, UsageError, ms
from simcore.faults import FlashPowerCut, SpoofedMessage
from simcore.testing import failures, profiles
from simcore.testing.failures import BrokenRequirementError, is_final_run, load_function
from simcore.testing.machine_source import Kept, Source
from simcore.testing.machine_steps import step
from simcore.testing.sequence import play, sequences
from simcore.update.flash import CutKind

DATABASE = Database.reference()


class Fragile:
    """Raises at the third frame it receives."""

    def start(self, port: Any, now_ns: int) -> None:
        self.count = 0

    def receive(self, frame: Frame, now_ns: int) -> None:
        self.count += 1
        if self.count == 3:
            raise ZeroDivisionError("three")

    def on_timer(self, now_ns: int) -> None: ...

    def next_deadline_ns(self) -> None:
        return None


def search(folder: Path) -> str:
    @settings(
        max_examples=60,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(steps=sequences(DATABASE, "EPS", messages=["CDC_SteerReq"]))
    def fuzz(steps: list[Any]) -> None:
        play(steps, node="EPS", module=Fragile, name="fragile", folder=folder)

    with pytest.raises(BrokenRequirementError, match=r"ROB-001: EPS: receive raised ZeroDiv") as e:
        fuzz()
    return str(e.value)


def test_only_the_shrunk_example_is_written_and_it_is_the_same_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    real = failures.Evidence.source

    def counted(evidence: failures.Evidence) -> str:
        calls.append(real(evidence))
        return calls[-1]

    monkeypatch.setattr(failures.Evidence, "source", counted)
    text = search(tmp_path)
    assert len(calls) == 1
    (folder,) = tmp_path.iterdir()
    assert calls[0].count("bench.send") == 3
    assert folder.name.startswith("fragile-")
    assert f"replay: simcore run {folder.as_posix()}/scenario.py" in text
    before = {each.name: each.read_bytes() for each in folder.iterdir()}
    search(tmp_path)  # by another worker, say
    assert [each.name for each in tmp_path.iterdir()] == [folder.name]
    assert {each.name: each.read_bytes() for each in folder.iterdir()} == before


def test_nothing_is_final_outside_of_hypothesis(tmp_path: Path) -> None:
    assert not is_final_run()
    steps = [step("bench.send", "CDC_SteerReq")] * 3
    with pytest.raises(BrokenRequirementError, match=r"^ROB-001: EPS: receive raised ZeroDivision"):
        play(steps, node="EPS", module=Fragile, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (EcuSilent(node="EMB_FL"), "EcuSilent(node='EMB_FL')"),
        (
            FlashPowerCut(node="CDC", operation=3, kind=CutKind.TORN, off_ns=ms(50)),
            "FlashPowerCut(node='CDC', operation=3, kind=CutKind.TORN, off_ns=ms(50))",
        ),
        (
            SpoofedMessage(bus="A", message=DATABASE.message("BPS_Pedal"), values={"BPS_Pos": 1}),
            "SpoofedMessage(bus='A', message=rig.database.message('BPS_Pedal'), "
            "values={'BPS_Pos': 1})",
        )
        if "BPS_Pos" in {each.name for each in DATABASE.message("BPS_Pedal").signals}
        else (Kept("fault_1"), "fault_1"),
        (
            Frame(0x12, b"\x01" * 12, is_fd=True, bitrate_switch=True),
            'Frame(0x012, bytes.fromhex("010101010101010101010101"), is_fd=True, '
            "bitrate_switch=True)",
        ),
        (Frame(0x1, is_remote_frame=True, dlc=3), "Frame(0x001, is_remote_frame=True, dlc=3)"),
        ((1, [2.5, None]), "(1, [2.5, None])"),
        ((b"",), '(b"",)'),
    ],
)
def test_values_are_written_as_source(value: object, text: str) -> None:
    source = Source()
    assert source.value(value) == text
    names: dict[str, Any] = {}
    exec("\n".join(source.imports()), names)  # what is imported is there
    if "rig." not in text and "fault_" not in text:
        assert eval(text, names) == value


def test_times_are_written_as_a_person_would() -> None:
    source = Source()
    times = (0, 7, 2_000, ms(5), ms(2000))
    assert [source.time(each) for each in times] == ["0", "7", "us(2)", "ms(5)", "s(2)"]
    assert step("rig.run_for", ms(5)).line(source) == "rig.run_for(ms(5))"
    kept = step("rig.inject", EcuSilent(node="CDC"), keep="fault_0", duration=ms(1))
    assert kept.line(source) == "fault_0 = rig.inject(EcuSilent(node='CDC'), duration=ms(1))"


def test_what_cannot_be_written_or_loaded_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^step of a sequence: expected numbers, texts, bytes"):
        Source().value(object())
    with pytest.raises(UsageError, match=r"^step fly.away: expected one of rig, Backend, Camp"):
        step("fly.away").carry_out({"rig": None})
    file = tmp_path / "mine.py"
    file.write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"mine.py: judge of a machine: expected a function f$"):
        load_function(str(file), "f")


def test_the_ci_profile_draws_the_same_in_every_run() -> None:
    chosen = settings.get_profile(profiles.CI)
    assert (chosen.derandomize, chosen.database, chosen.deadline) == (True, None, None)
    assert chosen.stateful_step_count == profiles.STEPS
    before = settings._current_profile  # type: ignore[attr-defined]
    profiles.load()
    settings.load_profile(before)
    assert st.integers() is not None
