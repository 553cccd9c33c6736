"""Faults are data: named, comparable, with a sentence for the report."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from simcore.faults import EcuSilent


def test_a_silent_ecu_has_a_sentence_that_names_it() -> None:
    assert EcuSilent(node="EMB_FL").sentence == "EMB_FL silent: supply of the ECU lost"


def test_a_fault_is_a_value() -> None:
    fault = EcuSilent(node="EMB_FL")
    assert fault == EcuSilent(node="EMB_FL") != EcuSilent(node="EMB_FR")
    assert hash(fault) == hash(EcuSilent(node="EMB_FL"))
    assert pickle.loads(pickle.dumps(fault)) == fault
    with pytest.raises(dataclasses.FrozenInstanceError):
        fault.node = "CDC"  # type: ignore[misc]


def test_a_fault_takes_keywords_only() -> None:
    with pytest.raises(TypeError, match="positional"):
        EcuSilent("EMB_FL")  # type: ignore[call-arg,misc]
