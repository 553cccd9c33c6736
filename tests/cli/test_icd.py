"""`simcore icd`: the interface control document on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Simcore = Callable[..., Any]

DBC = 'VERSION ""\nNS_ :\nBS_:\nBU_: A B\nBO_ 5 M: 1 A\n SG_ S : 0|8@1+ (1,0) [0|0] "" B\n'


def test_the_shipped_network_comes_with_its_requirements(simcore: Simcore, tmp_path: Path) -> None:
    file = tmp_path / "out" / "emb.html"
    ended = simcore("icd", "--as", "EMB_FL", "-o", file)
    assert ended.code == 0, ended.err
    text = file.read_text(encoding="utf-8")
    assert "BRK-005" in text and "Interface control document: EMB_FL" in text


def test_another_network_has_none_unless_they_are_named(simcore: Simcore, tmp_path: Path) -> None:
    network, listed = tmp_path / "my.dbc", tmp_path / "list.toml"
    network.write_text(DBC, encoding="utf-8")
    listed.write_text('[MY-1]\ntext = "works"\nsource = "me"\n', encoding="utf-8")
    file = tmp_path / "icd.html"
    ended = simcore("icd", network, "-o", file)
    assert ended.code == 0 and "1 messages, 0 requirements" in ended.out
    ended = simcore("icd", network, "--requirements", listed, "-o", file)
    assert ended.code == 0 and "1 messages, 1 requirements" in ended.out
    assert "MY-1" in file.read_text(encoding="utf-8")


def test_what_cannot_be_done_is_said(simcore: Simcore, tmp_path: Path) -> None:
    ended = simcore("icd", "--as", "EMB_XX", "-o", tmp_path / "x.html")
    assert ended.code == 2 and "node 'EMB_XX': expected one of" in ended.err
    ended = simcore("icd", tmp_path / "none.dbc", "-o", tmp_path / "x.html")
    assert ended.code == 3 and "none.dbc" in ended.err
