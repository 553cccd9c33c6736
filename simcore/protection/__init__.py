"""Protection of frames: E2E profiles and their state machine, secure onboard communication.

AUTOSAR PRS_E2EProtocol and PRS SecOcProtocol.
"""

from simcore.protection.cmac import Cmac, KeyStore
from simcore.protection.e2e_factory import e2e_receiver, e2e_sender, e2e_state_machine
from simcore.protection.e2e_profile05 import Profile05Receiver, Profile05Sender
from simcore.protection.e2e_receiver import E2eReceiver
from simcore.protection.e2e_sender import E2eSender
from simcore.protection.e2e_state_machine import (
    COM_003,
    E2eEvent,
    E2eSmConfig,
    E2eState,
    E2eStateMachine,
    StateLimits,
)
from simcore.protection.e2e_status import USABLE, E2eSmStatus, E2eStatus, map_status_to_sm
from simcore.protection.freshness import SingleCounterReceiver, SingleCounterSender
from simcore.protection.freshness_multi import (
    FreshnessMaster,
    FreshnessSlave,
    MultiCounterReceiver,
    MultiCounterSender,
    SyncReceiver,
    SyncSender,
)
from simcore.protection.secoc import SecOcReceiver, SecOcSender, secoc_receiver, secoc_sender
from simcore.protection.secoc_status import SecOcOutcome, SecOcOverride, SecOcReason, SecOcResult

__all__ = [
    "COM_003",
    "Cmac",
    "E2eEvent",
    "E2eReceiver",
    "E2eSender",
    "E2eSmConfig",
    "E2eSmStatus",
    "E2eState",
    "E2eStateMachine",
    "E2eStatus",
    "FreshnessMaster",
    "FreshnessSlave",
    "KeyStore",
    "MultiCounterReceiver",
    "MultiCounterSender",
    "Profile05Receiver",
    "Profile05Sender",
    "SecOcOutcome",
    "SecOcOverride",
    "SecOcReason",
    "SecOcReceiver",
    "SecOcResult",
    "SecOcSender",
    "SingleCounterReceiver",
    "SingleCounterSender",
    "StateLimits",
    "SyncReceiver",
    "SyncSender",
    "USABLE",
    "e2e_receiver",
    "e2e_sender",
    "e2e_state_machine",
    "map_status_to_sm",
    "secoc_receiver",
    "secoc_sender",
]
