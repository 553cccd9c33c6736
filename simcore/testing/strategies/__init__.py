"""Hypothesis strategies from a network database: what a test engineer fuzzes an interface with.

    from hypothesis import given
    from simcore import Database
    from simcore.testing.strategies import frames

    DATABASE = Database.reference()

    @given(frame=frames(DATABASE, receiver="EMB_FL"))
    def test_any_frame_is_survived(frame): ...

Plural nouns; everything but the database is a keyword. Times are virtual, in ns; other numbers have
their unit in their name. Values are honest to the database: what is drawn can be sent, unless
reserved values are asked for. Everything shrinks towards calm and early: start values, no fault,
pedal released, time 0, few. Bad arguments raise `UsageError` when the strategy is made.
"""

from simcore.testing.strategies.drives import Drive, Stretch, drives
from simcore.testing.strategies.e2e import E2E_KINDS, E2eFault, e2e_faults
from simcore.testing.strategies.frames import frames, raw_frames
from simcore.testing.strategies.messages import messages
from simcore.testing.strategies.schedules import fault_schedules, faults
from simcore.testing.strategies.signals import signal_values
from simcore.testing.strategies.uds import UDS_KINDS, uds_requests
from simcore.testing.strategies.updates import UPDATE_KINDS, UpdateAction, update_events

__all__ = [
    "Drive",
    "E2E_KINDS",
    "E2eFault",
    "Stretch",
    "UDS_KINDS",
    "UPDATE_KINDS",
    "UpdateAction",
    "drives",
    "e2e_faults",
    "fault_schedules",
    "faults",
    "frames",
    "messages",
    "raw_frames",
    "signal_values",
    "uds_requests",
    "update_events",
]
