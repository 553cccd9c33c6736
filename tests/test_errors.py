"""The exception tree: texts, attributes, and errors that travel to another process."""

from __future__ import annotations

import copy
import pickle

import pytest

from simcore.errors import InputError, SimcoreError, UsageError


def test_the_two_branches_are_told_apart() -> None:
    assert issubclass(UsageError, SimcoreError)
    assert issubclass(UsageError, ValueError)
    assert issubclass(InputError, SimcoreError)
    assert not issubclass(InputError, (UsageError, ValueError))


@pytest.mark.parametrize("kind", [UsageError, InputError])
@pytest.mark.parametrize(
    ("expected", "got", "text"),
    [
        (None, None, "message 0x060"),
        ("0..65000 N", None, "message 0x060: expected 0..65000 N"),
        (None, "70000 N", "message 0x060: got 70000 N"),
        ("0..65000 N", "70000 N", "message 0x060: expected 0..65000 N, got 70000 N"),
        (0, False, "message 0x060: expected 0, got False"),
    ],
)
def test_a_text_says_where_what_was_expected_and_what_came(
    kind: type[UsageError] | type[InputError], expected: object, got: object, text: str
) -> None:
    error = kind("message 0x060", expected=expected, got=got)
    assert str(error) == text
    assert (error.where, error.expected, error.got) == ("message 0x060", expected, got)


@pytest.mark.parametrize(
    ("file", "line", "text"),
    [
        (None, None, "signal: got 7"),
        ("a.dbc", None, "a.dbc: signal: got 7"),
        ("a.dbc", 12, "a.dbc:12: signal: got 7"),
    ],
)
def test_bad_input_is_located_by_file_and_line(
    file: str | None, line: int | None, text: str
) -> None:
    error = InputError("signal", got=7, file=file, line=line)
    assert str(error) == text
    assert (error.file, error.line) == (file, line)


@pytest.mark.parametrize("how", ["deep copy", "pickle"])
@pytest.mark.parametrize(
    "error",
    [
        UsageError("where", expected="this", got="that"),
        InputError("where", expected=1, got=2, file="f", line=3),
        SimcoreError("plain"),
    ],
)
def test_a_copied_error_keeps_its_text_and_its_attributes(how: str, error: SimcoreError) -> None:
    twin = copy.deepcopy(error) if how == "deep copy" else pickle.loads(pickle.dumps(error))
    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert vars(twin) == vars(error)


def test_callers_may_catch_a_broken_contract_as_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"^speed: expected more than 0, got 0$"):
        raise UsageError("speed", expected="more than 0", got=0)
