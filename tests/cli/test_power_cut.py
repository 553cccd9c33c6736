"""`simcore power-cut` from outside: bad arguments, an interruption, the same with any workers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from simcore.cli import power_cut as command
from simcore.update import power_cut_run
from simcore.update.power_cut import Story, SweepPlan, SweepResult
from simcore.update.power_cut_single import Plot, SingleStory


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """One short story instead of all."""
    story = SingleStory(plot=Plot.REFUSED, image_size=1536, sector_size=512)
    monkeypatch.setattr(command, "_stories", lambda device: (story,))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--device", "car"), "'car' is not one of"),
        (("--workers", "0"), "0 is not in the range x>=1"),
        (("--torn", "-1"), "-1 is not in the range x>=0"),
        (("--grid", "-1"), "-1 is not in the range x>=0"),
        (("--stride", "0"), "0 is not in the range x>=1"),
    ],
)
def test_a_bad_argument_is_refused(simcore: Any, arguments: tuple[str, ...], message: str) -> None:
    ended = simcore("power-cut", *arguments)
    assert ended.code == 2
    assert message in ended.err


def test_an_interruption_ends_without_a_traceback(
    simcore: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> list[SweepResult]:
        raise KeyboardInterrupt

    monkeypatch.setattr(power_cut_run, "sweep", interrupted)
    ended = simcore("power-cut")
    assert ended.code not in (0, 1)
    assert "Traceback" not in ended.err


@pytest.mark.usefixtures("tiny")
def test_the_json_is_the_same_with_one_process_and_with_two(simcore: Any, tmp_path: Path) -> None:
    texts = []
    for workers in ("1", "2"):
        file = tmp_path / f"{workers}.json"
        ended = simcore(
            "power-cut", "--torn", "1", "--grid", "2", "--workers", workers, "--json", file
        )
        assert ended.code == 0
        texts.append(file.read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    data = json.loads(texts[0])
    assert data["passed"] and data["stories"][0]["bricks"] == 0


def test_every_plot_is_swept() -> None:
    def names(device: str) -> Sequence[str]:
        stories: Sequence[Story] = command._stories(device)
        return [story.name for story in stories]

    single = " ".join(names("single"))
    for word in ("test", "perm", "revert", "hang", "refused", "unstable", "client rollback"):
        assert word in single
    assert "client hang at start" in single
    assert {"bundle commit", "bundle rollback"} <= set(names("bundle"))
    assert SweepPlan().stride == 1
