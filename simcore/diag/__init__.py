"""Diagnostics: the UDS server and its services, trouble codes, DoIP."""

from simcore.diag.access import Access
from simcore.diag.codes import Nrc, ResetKind, Session, Sid
from simcore.diag.operation import Answer, Operation
from simcore.diag.server import UdsServer
from simcore.diag.table import DiagnosticTable

__all__ = [
    "Access",
    "Answer",
    "DiagnosticTable",
    "Nrc",
    "Operation",
    "ResetKind",
    "Session",
    "Sid",
    "UdsServer",
]
