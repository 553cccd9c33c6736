"""Who is who on the diagnostic network: logical addresses, testers and what they may reach.

After ISO 13400-2:2019, table 13: external test equipment 0x0E00..0x0E7F (required by law) and
0x0E80..0x0EFF, test equipment of the manufacturer in the vehicle 0x0F00..0x0F7F.
"""

from __future__ import annotations

from hashlib import blake2b

from simcore.diag.doip_settings import (
    CENTRAL_SECURITY_ACTIVATION,
    DEFAULT_ACTIVATION,
    REGULATION_ACTIVATION,
    ActivationRule,
    AllowedTester,
    Confirmation,
    DoipSettings,
)
from simcore.ecu.runtime.diagnostics_rows import VIN

GATEWAY_ADDRESS = 0x1000
LOGICAL_ADDRESSES: dict[str, int] = {
    "GW": GATEWAY_ADDRESS,
    "CDC": 0x1010,
    "CDC2": 0x1011,
    "EMB_FL": 0x1020,
    "EMB_FR": 0x1021,
    "EMB_RL": 0x1022,
    "EMB_RR": 0x1023,
}
"""By node name. Nodes without diagnostics have none."""
FUNCTIONAL_ADDRESS = 0xE400
"""All of them at once."""

DIAGNOSTIC_TESTER = 0x0E00
WORKSHOP_TESTER = 0x0E80
DATA_LOGGER = 0x0F00
"""Built into the vehicle: controllers only, no actuator."""
CONFIRMED_ACTIVATION = 0xE1
"""Of the manufacturer: the driver has to agree."""
ACCESS_LIST: tuple[AllowedTester, ...] = (
    AllowedTester(
        address=DIAGNOSTIC_TESTER,
        types=frozenset(
            {
                DEFAULT_ACTIVATION,
                REGULATION_ACTIVATION,
                CENTRAL_SECURITY_ACTIVATION,
                CONFIRMED_ACTIVATION,
            }
        ),
    ),
    AllowedTester(address=WORKSHOP_TESTER),
    AllowedTester(
        address=DATA_LOGGER,
        targets=frozenset(LOGICAL_ADDRESSES[name] for name in ("GW", "CDC", "CDC2")),
        types=frozenset({DEFAULT_ACTIVATION}),
    ),
)
"""Who may activate routing, and what it then reaches (SEC-001). Nobody else gets in."""

EID = bytes.fromhex("02534D430001")
"""A locally administered MAC address."""


def central_security_secret(vin: bytes = VIN) -> bytes:
    """What the central security activation asks for. A test value: anybody can compute it."""
    return blake2b(b"simcore DoIP central security " + vin, digest_size=4).digest()


def doip_settings(vin: bytes = VIN) -> DoipSettings:
    """The DoIP entity of the reference gateway."""
    return DoipSettings(
        address=GATEWAY_ADDRESS,
        vin=vin,
        eid=EID,
        gid=EID,
        testers=ACCESS_LIST,
        activations={
            DEFAULT_ACTIVATION: ActivationRule(),
            REGULATION_ACTIVATION: ActivationRule(),
            CENTRAL_SECURITY_ACTIVATION: ActivationRule(secret=central_security_secret(vin)),
            CONFIRMED_ACTIVATION: ActivationRule(confirmation=Confirmation.ASKED),
        },
    )
