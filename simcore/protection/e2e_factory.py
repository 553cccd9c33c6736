"""From the settings of a message to its sender, receiver and state machine: one literal table."""

from __future__ import annotations

from dataclasses import replace

from simcore.network.e2e_config import E2eConfig
from simcore.network.e2e_layout import PLAIN, PROFILES
from simcore.protection.e2e_header import Header
from simcore.protection.e2e_legacy import LegacyReceiver
from simcore.protection.e2e_plain import PlainHeader
from simcore.protection.e2e_profile01_11 import Profile01Header
from simcore.protection.e2e_profile02_22 import Profile02Header
from simcore.protection.e2e_profile04_44 import Profile04Header
from simcore.protection.e2e_profile05 import Profile05Header, Profile05Receiver, Profile05Sender
from simcore.protection.e2e_profile06 import Profile06Header
from simcore.protection.e2e_profile07 import Profile07Header
from simcore.protection.e2e_profile08 import Profile08Header
from simcore.protection.e2e_receiver import E2eReceiver, UncountedReceiver
from simcore.protection.e2e_sender import E2eSender
from simcore.protection.e2e_state_machine import COM_003, E2eSmConfig, E2eStateMachine

HEADERS: dict[str, type[Header]] = {
    "P01": Profile01Header,
    "P02": Profile02Header,
    "P04": Profile04Header,
    "P05": Profile05Header,
    "P06": Profile06Header,
    "P07": Profile07Header,
    "P08": Profile08Header,
    "P11": Profile01Header,
    "P22": Profile02Header,
    "P44": Profile04Header,
    "COUNTER": PlainHeader,
    "CHECKSUM": PlainHeader,
}
"""Profile -> what fills in and reads its header; the layouts are in `network.e2e_layout`."""

LEGACY = frozenset({"P01", "P02"})
"""Profiles with INITIAL, SYNC and WRONG_CRC."""


def e2e_sender(config: E2eConfig, length: int, *, counter: int | None = None) -> E2eSender:
    """A sender for payloads of `length` bytes; `counter` is that of its first frame.

    None stands for the profile's own first counter: 1 for P02 and P22, else 0. Raises `UsageError`
    for what the profile does not have.
    """
    if counter is None:
        layout = PROFILES.get(config.profile)
        counter = 0 if layout is None else layout.first_counter
    if config.profile == "P05" and not config.offset_bits and _is_fixed(config):
        sender = Profile05Sender(config.data_id, length, counter=counter)
        sender.config = config
        return sender
    return E2eSender(HEADERS[config.profile](config, length), counter=counter)


def e2e_receiver(config: E2eConfig, length: int, *, strict: bool = False) -> E2eReceiver:
    """A receiver for payloads of `length` bytes; strict where asked for here or in `config`.

    Raises `UsageError` for what the profile does not have.
    """
    strict = strict or config.strict
    if config.profile == "P05" and not config.offset_bits and _is_fixed(config):
        receiver = Profile05Receiver(
            config.data_id, length, max_delta_counter=config.max_delta_counter, strict=strict
        )
        receiver.config = config
        return receiver
    header = HEADERS[config.profile](config, length)
    if config.profile in LEGACY:
        return LegacyReceiver(header, strict=strict)
    kind = UncountedReceiver if header.counter_modulo == 1 else E2eReceiver
    return kind(header, max_delta_counter=config.max_delta_counter, strict=strict)


def e2e_state_machine(config: E2eConfig, limits: E2eSmConfig = COM_003) -> E2eStateMachine:
    """A state machine with `limits`, reading the statuses of profiles 1 and 2 as `config` says."""
    if config.profile in PLAIN or limits.profile_behavior == config.profile_behavior:
        return E2eStateMachine(limits)
    return E2eStateMachine(replace(limits, profile_behavior=config.profile_behavior))


def _is_fixed(config: E2eConfig) -> bool:
    return config.min_length is None and config.max_length is None
