"""The services of ISO 14229-1, one file each; `SERVICES` lists them all."""

from __future__ import annotations

from simcore.diag.services.authentication import Authentication
from simcore.diag.services.clear_dtc import ClearDiagnosticInformation
from simcore.diag.services.communication_control import CommunicationControl
from simcore.diag.services.control_dtc import ControlDtcSetting
from simcore.diag.services.ecu_reset import EcuReset
from simcore.diag.services.io_control import InputOutputControl
from simcore.diag.services.read_data import ReadDataByIdentifier
from simcore.diag.services.read_dtc import ReadDtcInformation
from simcore.diag.services.request_download import RequestDownload
from simcore.diag.services.request_upload import RequestUpload
from simcore.diag.services.routine_control import RoutineControl
from simcore.diag.services.security_access import SecurityAccess
from simcore.diag.services.service import Service
from simcore.diag.services.session_control import DiagnosticSessionControl
from simcore.diag.services.tester_present import TesterPresent
from simcore.diag.services.transfer_data import TransferData
from simcore.diag.services.transfer_exit import RequestTransferExit
from simcore.diag.services.write_data import WriteDataByIdentifier

__all__ = ["SERVICES", "Service"]

SERVICES: dict[int, Service] = {
    service.sid: service
    for service in (
        DiagnosticSessionControl(),
        EcuReset(),
        ClearDiagnosticInformation(),
        ReadDtcInformation(),
        ReadDataByIdentifier(),
        SecurityAccess(),
        CommunicationControl(),
        Authentication(),
        WriteDataByIdentifier(),
        InputOutputControl(),
        RoutineControl(),
        RequestDownload(),
        RequestUpload(),
        TransferData(),
        RequestTransferExit(),
        TesterPresent(),
        ControlDtcSetting(),
    )
}
"""By service identifier, in ascending order."""
