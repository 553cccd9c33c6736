"""`simcore diag`: the diagnostic tables of the reference ECUs on paper."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from simcore.cli.diag import diag
from simcore.errors import InputError, UsageError


def said(*arguments: str) -> str:
    result = CliRunner().invoke(diag, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_a_node_is_described_in_markdown() -> None:
    text = said("CDC2")
    assert text.startswith("# Diagnostics of CDC2\n")
    assert "| 0xF190 | VIN | 17 B | all | - |" in text
    assert text.count("\n# ") == 0


def test_without_a_node_all_reference_ecus_are_described() -> None:
    described = json.loads(said("--format", "json"))
    assert set(described) >= {"CDC", "CDC2", "EMB_FL", "EMB_FR", "EMB_RL", "EMB_RR", "GW"}
    for node, content in described.items():
        assert {"Sessions", "Services", "Data identifiers"} <= set(content), node
        assert ("Trouble codes" in content) is (node != "GW"), node


def test_the_text_goes_to_a_file_where_one_is_named(tmp_path: Path) -> None:
    file = tmp_path / "cdc2.html"
    assert said("CDC2", "--format", "html", "--output", str(file)) == ""
    text = file.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "<h1>Diagnostics of CDC2</h1>" in text


def test_an_unknown_node_is_refused() -> None:
    with pytest.raises(UsageError, match=r"NODE: expected one of .*CDC2.*, got 'CDC3'"):
        said("CDC3")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/x\.md: cannot write: No such file"):
        said("CDC2", "--output", str(tmp_path / "nowhere" / "x.md"))
