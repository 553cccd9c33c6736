"""A writer that packs equal values once."""

from __future__ import annotations

import copy
import pickle

from simcore.ecu.bps.communication import pedal_writer
from simcore.ecu.runtime.repetition import RepeatingWriter
from simcore.network import Database

PRESSED = (20.0, 20.5, 100.0, 0.0, 3, 3, 3, 1)
RELEASED = (0.0, 0.0, 0.0, 0.0, 3, 3, 3, 0)


def test_every_payload_is_the_one_of_the_plain_writer() -> None:
    plain = pedal_writer(Database.reference())
    repeating = RepeatingWriter(plain)
    for values in (RELEASED, RELEASED, PRESSED, PRESSED, RELEASED):
        assert repeating.write(*values) == plain.write(*values)


def test_equal_values_are_packed_once() -> None:
    writer = RepeatingWriter(pedal_writer(Database.reference()))
    first = writer.write(*PRESSED)
    assert writer.write(*PRESSED) is first
    assert writer.write(*RELEASED) != first


def test_a_refused_value_leaves_nothing_behind() -> None:
    writer = RepeatingWriter(pedal_writer(Database.reference()))
    good = writer.write(*PRESSED)
    try:
        writer.write(*(1e9, *PRESSED[1:]))
    except ValueError:
        assert writer.write(*PRESSED) == good
    else:
        raise AssertionError("a travel of 1e9 mm was packed")


def test_copies_go_on_alone() -> None:
    writer = RepeatingWriter(pedal_writer(Database.reference()))
    data = writer.write(*PRESSED)
    for twin in (copy.deepcopy(writer), pickle.loads(pickle.dumps(writer))):
        assert twin.write(*RELEASED) != data
        assert twin.write(*PRESSED) == data
    assert writer.write(*PRESSED) is data
