"""Response times as a CSV table, times in ns. Not here: any figure (`network.response_time`)."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from simcore.network.response_time import Analysis, MessageTiming, ResponseTime
from simcore.report.files import write_file

COLUMNS = (
    "priority id is_extended_id message sender transmission_ns period_ns jitter_ns blocking_ns "
    "busy_period_ns instances response_ns deadline_ns slack_ns schedulable remark"
).split()


def write_response_table(path: str | os.PathLike[str], analysis: Analysis) -> Path:
    """Write the table. Raises `InputError` where `path` cannot be written."""
    data = response_csv(analysis).encode("utf-8", "backslashreplace")
    return write_file(path, data, what="table of response times")


def response_csv(analysis: Analysis) -> str:
    """One row per message by falling priority, then those that were not analysed.

    A cell is empty where nothing is known.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for number, row in enumerate(analysis.messages, start=1):
        writer.writerow({"priority": number} | _known(row.message) | _bound(row))
    for message in analysis.not_analysed:
        writer.writerow(_known(message) | {"remark": "not analysed: no period"})
    return text.getvalue()


def _known(message: MessageTiming) -> dict[str, object]:
    return {
        "id": f"0x{message.arbitration_id:X}",
        "is_extended_id": "yes" if message.is_extended_id else "no",
        "message": message.name,
        "sender": message.sender,
        "transmission_ns": message.transmission_ns,
        "period_ns": message.period_ns,
        "jitter_ns": message.jitter_ns,
        "deadline_ns": message.deadline_ns,
    }


def _bound(row: ResponseTime) -> dict[str, object]:
    silent = " ".join(row.assumes_silent)
    return {
        "blocking_ns": row.blocking_ns,
        "busy_period_ns": row.busy_period_ns,
        "instances": len(row.instances_ns) or None,
        "response_ns": row.response_ns,
        "deadline_ns": row.deadline_ns,
        "slack_ns": row.slack_ns,
        "schedulable": "yes" if row.is_schedulable else "no",
        "remark": row.reason or (f"while these do not send: {silent}" if silent else ""),
    }
