"""End-to-end protection of frames: profiles and the E2E state machine (AUTOSAR PRS_E2EProtocol)."""

from simcore.protection.e2e_profile05 import Profile05Receiver, Profile05Sender
from simcore.protection.e2e_state_machine import (
    COM_003,
    E2eEvent,
    E2eSmConfig,
    E2eState,
    E2eStateMachine,
    StateLimits,
)
from simcore.protection.e2e_status import USABLE, E2eStatus

__all__ = [
    "COM_003",
    "USABLE",
    "E2eEvent",
    "E2eSmConfig",
    "E2eState",
    "E2eStateMachine",
    "E2eStatus",
    "Profile05Receiver",
    "Profile05Sender",
    "StateLimits",
]
