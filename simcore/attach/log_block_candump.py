"""candump logs as columns: lines that look alike are read together.

Lines of one length with their first `#` at one place form a table of characters, in which time,
identifier and data are columns. The first line of a table says where these stand; lines that differ
from it in more than digits are tried again by themselves, and what is left (remote and error
frames, raw length codes, whatever is bad) goes to `log_candump` line by line, as do its errors.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from simcore.attach.log_block import (
    DATA,
    EXTENDED,
    LATEST_NS,
    Block,
    Blocks,
    Channels,
    open_log,
    within_range,
)
from simcore.attach.log_candump import read_candump
from simcore.attach.log_record import LogRecord
from simcore.bus import LENGTH_TO_DLC
from simcore.bus.frame import MAX_BASE_ID, MAX_EXTENDED_ID
from simcore.errors import InputError
from simcore.units import NS_PER_S

_PIECE = 1 << 22
"""Bytes read at a time."""
_FORM = re.compile(
    rb"\((\d{1,10})\.(\d{6}|\d{9})\) ([!-~]+) ([0-9A-Fa-f]{3}|[0-9A-Fa-f]{8})"
    rb"#(#[0-9A-Fa-f])?((?:[0-9A-Fa-f]{2})*)( [RT])?"
)
_TRIES = 16
"""So many forms of lines of one length are read together, others one by one."""
_LINE_LIMIT = 512

_NEWLINE, _RETURN, _HASH = b"\n\r#"
_BAD = 255
_HEX = np.full(256, _BAD, np.uint8)
for _digit in b"0123456789ABCDEFabcdef":
    _HEX[_digit] = int(chr(_digit), 16)
_DIGITS = np.full(256, _BAD, np.uint8)
_DIGITS[ord("0") : ord("9") + 1] = np.arange(10)

Bytes = NDArray[np.uint8]
Rows = NDArray[np.intp]
Flags = NDArray[np.bool_]


def candump_blocks(path: Path, channels: Channels) -> Blocks:
    """Blocks of the log at `path`. Raises `InputError` with the line of the first bad entry."""
    rest, line, done = b"", 1, 0
    with open_log(path) as file:
        while piece := file.read(_PIECE):
            end = piece.rfind(b"\n") + 1
            done += len(piece)
            if end == 0:
                rest += piece
                continue
            lines = _Lines(rest + piece[:end], str(path), line, channels)
            rest = piece[end:]
            block, damage = lines.read()
            yield block, done
            if damage is not None:
                raise damage
            line += len(lines.starts)
    if rest:
        raise InputError(
            f"candump log, byte offset {done - len(rest)}",
            expected="the end of the line",
            got="the end of the file",
            file=str(path),
            line=line,
        )


class _Lines:
    """Whole lines of a log and the block they become."""

    def __init__(self, text: bytes, file: str, line: int, channels: Channels) -> None:
        self._text = text
        self._file = file
        self._line = line
        self._channels = channels
        self._characters = np.frombuffer(text, np.uint8)
        self._ends = np.flatnonzero(self._characters == _NEWLINE)
        self.starts = np.concatenate(([0], self._ends[:-1] + 1)).astype(np.intp)
        self._block = Block.empty(len(self.starts))
        self._alone: list[Rows] = []

    def read(self) -> tuple[Block, InputError | None]:
        """All entries, or those before the first bad line and what is wrong with it."""
        # A line feed after a carriage return ends a line, too.
        before = self._characters[np.maximum(self._ends - 1, 0)]
        lengths = self._ends - self.starts - (before == _RETURN)
        hashes = np.append(np.flatnonzero(self._characters == _HASH), len(self._characters))
        places = hashes[np.searchsorted(hashes, self.starts)] - self.starts
        places = np.minimum(places, _LINE_LIMIT)
        forms = np.minimum(lengths, _LINE_LIMIT) * (_LINE_LIMIT + 1) + places
        order = np.argsort(forms, kind="stable")
        bounds = np.flatnonzero(np.diff(forms[order])) + 1
        for rows in np.split(order, bounds):
            if len(rows):
                self._read_alike(rows, int(lengths[rows[0]]))
        return self._read_alone()

    def _read_alike(self, rows: Rows, length: int) -> None:
        if not 0 < length < _LINE_LIMIT:
            self._alone.append(rows)
            return
        windows = as_strided(
            self._characters, (len(self._characters) - length + 1, length), (1, 1), writeable=False
        )
        table = windows[self.starts[rows]]
        for _ in range(_TRIES):
            form = _form_of(table[0].tobytes())
            if form is None:
                fits = np.zeros(len(rows), np.bool_)
            else:
                fits = self._read_table(rows, table, form)
            fits_not = ~fits
            if not fits[0]:
                self._alone.append(rows[:1])
                fits_not[0] = False
            rows, table = rows[fits_not], table[fits_not]
            if not len(rows):
                return
        self._alone.append(rows)

    def _read_table(self, rows: Rows, table: Bytes, form: _Form) -> NDArray[np.bool_]:
        """Enter the lines that are of this form and say which are."""
        first = table[0]
        fits: Flags = (table[:, form.fixed] == first[form.fixed]).all(axis=1)
        seconds, fraction = _DIGITS[table[:, form.seconds]], _DIGITS[table[:, form.fraction]]
        identifier, data = _HEX[table[:, form.identifier]], _HEX[table[:, form.data]]
        for part in (seconds, fraction, identifier, data, _HEX[table[:, form.flags]]):
            fits &= (part != _BAD).all(axis=1)
        fits &= (table[:, form.direction] == ord("R")).all(axis=1) | (
            table[:, form.direction] == ord("T")
        ).all(axis=1)
        whole_s = _number(seconds, 10)
        fits &= whole_s < LATEST_NS // NS_PER_S
        numbers = _number(identifier, 16)
        is_extended = identifier.shape[1] == 8
        fits &= numbers <= (MAX_EXTENDED_ID if is_extended else MAX_BASE_ID)
        kept, block = rows[fits], self._block
        nanoseconds = _number(fraction, 10) * 10 ** (9 - fraction.shape[1])
        block.time_ns[kept] = (whole_s * NS_PER_S + nanoseconds)[fits]
        name = first[form.channel].tobytes().decode("utf-8", "replace")
        block.channel[kept] = self._channels.number(name)
        block.kind[kept] = DATA
        block.identifier[kept] = numbers[fits] | (EXTENDED if is_extended else 0)
        length = data.shape[1] // 2
        block.length[kept] = length
        block.data[kept, :length] = (data[:, 0::2] << 4 | data[:, 1::2])[fits]
        return fits

    def _read_alone(self) -> tuple[Block, InputError | None]:
        alone = np.sort(np.concatenate(self._alone)) if self._alone else np.empty(0, np.intp)
        is_entry = np.ones(len(self.starts), np.bool_)
        for row in alone.tolist():
            try:
                record = self._record(row)
            except InputError as error:
                is_entry[row:] = False
                return self._block.take(is_entry), _at_line(error, self._line + row)
            if record is None:
                is_entry[row] = False
            else:
                self._block.set(row, record, self._channels)
        return (self._block if is_entry.all() else self._block.take(is_entry)), None

    def _record(self, row: int) -> LogRecord | None:
        text = self._text[self.starts[row] : self._ends[row] + 1]
        record = next(read_candump(text, self._file), None)
        return None if record is None else within_range(record, self._file)


class _Form(NamedTuple):
    """Where things stand in a line."""

    seconds: slice
    fraction: slice
    channel: slice
    identifier: slice
    flags: slice
    data: slice
    direction: slice
    fixed: Rows
    """Characters that are the same in all lines of the form."""


def _form_of(line: bytes) -> _Form | None:
    """The form of a `line` that is an ordinary frame."""
    found = _FORM.fullmatch(line)
    if found is None:
        return None
    length = len(found[6]) // 2
    if length not in LENGTH_TO_DLC if found[5] else length > 8:
        return None
    seconds, fraction, channel, identifier = (slice(*found.span(n)) for n in (1, 2, 3, 4))
    flags_end = found.end(5) if found[5] else found.start(6)
    flags = slice(flags_end - bool(found[5]), flags_end)
    data = slice(*found.span(6))
    direction = slice(found.end(7) - 1, found.end(7)) if found[7] else slice(0, 0)
    fixed = np.ones(len(line), np.bool_)
    for part in (seconds, fraction, identifier, flags, data, direction):
        fixed[part] = False
    places = np.flatnonzero(fixed)
    return _Form(seconds, fraction, channel, identifier, flags, data, direction, places)


def _number(digits: Bytes, base: int) -> NDArray[np.int64]:
    total = np.zeros(len(digits), np.int64)
    for place in range(digits.shape[1]):
        total = total * base + digits[:, place]
    return total


def _at_line(error: InputError, line: int) -> InputError:
    """The same error at its line of the file."""
    told = InputError(
        error.where, expected=error.expected, got=error.got, file=error.file, line=line
    )
    told.__cause__ = error.__cause__
    return told
