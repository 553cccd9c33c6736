"""The recorded values of one signal out of a bus log, as a `Column` that drives a restbus.

Time 0 is the first entry of the log, whatever it is, so that all signals of one log keep their
times to each other. Of frames at the same instant the last one counts. Frames that do not have the
signal, because a multiplexer selects another page, are no samples.

Not here: reading logs (`log_reader`), columns of CSV files (`simcore.network.columns`), decoding of
whole logs (`log_columns`).
"""

from __future__ import annotations

import os
from pathlib import Path

from simcore.attach.log_reader import Log, read_log
from simcore.errors import InputError
from simcore.network import Message
from simcore.network.columns import Column
from simcore.network.messages import Number

SUFFIXES = (".log", ".candump", ".asc", ".blf", ".mf4")


def is_log(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a bus log, by its suffix."""
    return Path(path).suffix.lower() in SUFFIXES


class LogSignals:
    """A bus log, read once, from which columns are taken."""

    def __init__(self, log: Log) -> None:
        self._log = log.require_whole()
        self._start_ns = min((record.time_ns for record in log.records), default=0)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> LogSignals:
        """Read the log at `path`. Raises `InputError`, for a damaged one too."""
        return cls(read_log(path))

    def column(self, message: Message, signal: str, *, channel: str | None = None) -> Column:
        """The physical values of a signal. Raises `InputError` where the log has none.

        `channel` is needed where the message came on several.
        """
        message.signal(signal)  # refuses an unknown one
        samples: dict[int, Number] = {}
        channels: dict[str, None] = {}
        frame_count = short_count = 0
        last_ns: int | None = None
        for record in self._log.records:
            frame = record.frame
            if (
                frame is None
                or frame.is_remote_frame
                or frame.arbitration_id != message.arbitration_id
                or frame.is_extended_id != message.is_extended_id
            ):
                continue
            channels[record.channel] = None
            if channel is not None and record.channel != channel:
                continue
            frame_count += 1
            if len(frame.data) < message.length:
                short_count += 1
                continue
            if last_ns is not None and record.time_ns < last_ns:
                raise self._bad(
                    message, f"times in order, {last_ns} ns or more", f"{record.time_ns} ns"
                )
            last_ns = record.time_ns
            value = message.codec.decode(frame.data[: message.length]).get(signal)
            if value is not None:
                samples[record.time_ns - self._start_ns] = value
        if channel is None and len(channels) > 1:
            names = ", ".join(sorted(channels))
            raise self._bad(message, f"one of the channels {names}", "none chosen")
        if not samples:
            got = f"{frame_count} frames of it, {short_count} of them too short"
            if channel is not None and channel not in channels:
                got = f"none on channel {channel}, others on {', '.join(channels) or 'none'}"
            raise self._bad(message, f"frames with the signal {signal}", got)
        return Column(tuple(samples), tuple(samples.values()))

    def _bad(self, message: Message, expected: str, got: str) -> InputError:
        where = f"bus log, message {message.label}"
        return InputError(where, expected=expected, got=got, file=self._log.file)
