"""Decoded messages as measurement channels: ASAM MDF 4.1 (MF4).

One channel group per table, named as the table, with channels called as in `columns`: the signals
with unit and comment, and `Message.time_ns`, the exact times. The master channel has seconds as
64-bit floats. A signal with texts is stored raw, its conversion gives the text where there is one
and else the physical value; every other signal is stored as its physical value. Where a multiplexed
signal is absent its sample is marked invalid. Nothing is compressed and no date is written, so the
same tables give the same bytes.

asammdf is an extra (`simcore[mf4]`), imported on first use; it takes a whole file into memory.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simcore.network import Message, Signal
from simcore.network.batch import BatchDecoder
from simcore.report.columns import OnRows, Table, storable
from simcore.report.files import write_file
from simcore.report.mf4 import TIME_OFFSET_VALID, require_asammdf, without_date
from simcore.units import NS_PER_S


def write_columns_mf4(
    path: Path, tables: Sequence[Table], *, raw: bool = False, on_rows: OnRows | None = None
) -> Path:
    """Write all tables into one file.

    Raises `UsageError` without asammdf, `InputError` where `path` cannot be written.
    """
    require_asammdf()
    from asammdf import MDF

    with MDF(version="4.10") as file:
        header: Any = file.header  # of version 4, which its annotation leaves open
        header.abs_time = header.tz_offset = header.daylight_save_time = 0
        header.time_flags = TIME_OFFSET_VALID
        for table in tables:
            file.append(_channels(table, raw), acq_name=table.name, comment=table.message.comment)
            if on_rows is not None:
                on_rows(len(table.time_ns))
        content = io.BytesIO()
        file.save(content, compression=0)  # deflate streams differ between zlib builds
    return write_file(path, without_date(content.getvalue()), what="columns")


def _channels(table: Table, raw: bool) -> list[Any]:
    """The channels of one group."""
    from asammdf import Signal as Channel

    message = table.message
    times_s = table.time_ns / NS_PER_S
    found = [
        Channel(
            samples=np.ascontiguousarray(table.time_ns),
            timestamps=times_s,
            name=table.time_column,
            unit="ns",
        )
    ]
    physical = BatchDecoder(message).decode(table.data, raw=raw, lenient=True)
    with_texts = [name for name in physical if not raw and _has_texts(message, name)]
    raws = BatchDecoder(message, with_texts).decode(table.data, raw=True, lenient=True)
    for name, column in physical.items():
        signal = message.signal(name)
        samples = storable(np.ma.getdata(raws.get(name, column)))
        is_text = samples.dtype.kind == "U"
        found.append(
            Channel(
                samples=np.char.encode(samples, "utf-8") if is_text else samples,
                timestamps=times_s,
                name=table.column(name),
                unit="" if raw else signal.unit,
                comment=signal.comment,
                conversion=_conversion(signal) if name in raws else None,
                encoding="utf-8" if is_text else None,
                invalidation_bits=_absent(column),
            )
        )
    return found


def _has_texts(message: Message, name: str) -> bool:
    """Whether one conversion says what the column `name` is."""
    twins = [signal for signal in message.signals if signal.name == name]
    return len(twins) == 1 and bool(twins[0].choices) and not twins[0].is_float


def _absent(column: NDArray[Any]) -> NDArray[np.bool_] | None:
    return np.ma.getmaskarray(column) if isinstance(column, np.ma.MaskedArray) else None


def _conversion(signal: Signal) -> Any:
    """From raw values to texts, and to physical values where there is no text."""
    from asammdf.blocks.conversion_utils import from_dict

    fields: dict[str, object] = {
        "default_addr": {"a": float(signal.scale), "b": float(signal.offset)}
    }
    for index, (raw, text) in enumerate(sorted(signal.choices.items())):
        fields[f"val_{index}"] = raw
        fields[f"text_{index}"] = str(text)
    return from_dict(fields)
