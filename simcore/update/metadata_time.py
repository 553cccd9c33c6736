"""Calendar time of the simulation: what `expires` of update metadata is compared with.

Metadata carries UTC to the second (TUF 4.2.1). Simulated time 0 is `EPOCH`; everything is counted
in whole seconds since 1970 and no clock is read.
"""

from __future__ import annotations

import re

from simcore.errors import InputError, UsageError
from simcore.units import NS_PER_S

EPOCH = "2030-01-01T00:00:00Z"
"""The instant of simulated time 0."""
EPOCH_S = 1_893_456_000
"""The same in seconds since 1970-01-01T00:00:00Z."""
DAY_S = 86_400

_TEXT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z")
_DAYS_BEFORE_MONTH = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
_LAST_S = 253_402_300_799  # 9999-12-31T23:59:59Z


def seconds_at(now_ns: int) -> int:
    """Seconds since 1970 at a simulated time."""
    return EPOCH_S + now_ns // NS_PER_S


def utc_text(time_s: int) -> str:
    """Seconds since 1970 as metadata write it: `2030-01-01T00:00:00Z`."""
    if not 0 <= time_s <= _LAST_S:
        raise UsageError("utc_text()", expected=f"0..{_LAST_S} s since 1970", got=f"{time_s} s")
    days, second = divmod(time_s, DAY_S)
    year = 1970 + days // 366  # never too late
    while _days_before(year + 1) <= days:
        year += 1
    days -= _days_before(year)
    month = 12
    while _days_before_month(year, month) > days:
        month -= 1
    day = days - _days_before_month(year, month) + 1
    hour, minute = second // 3600, second // 60 % 60
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second % 60:02}Z"


def time_of(text: str) -> int:
    """The inverse of `utc_text`. Raises `InputError` for anything else."""
    found = _TEXT.fullmatch(text)
    if found:
        year, month, day, hour, minute, second = (int(part) for part in found.groups())
        if year >= 1970 and 1 <= month <= 12 and hour < 24 and minute < 60 and second < 60:
            days = _days_before(year) + _days_before_month(year, month) + day - 1
            time_s = days * DAY_S + hour * 3600 + minute * 60 + second
            if day > 0 and utc_text(time_s) == text:  # refuses 30 February
                return time_s
    raise InputError("time of metadata", expected=f"UTC as {EPOCH}", got=repr(text))


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _days_before(year: int) -> int:
    """Days from 1970-01-01 to the first of January of `year`."""
    gone = year - 1
    return (year - 1970) * 365 + (gone // 4 - gone // 100 + gone // 400) - 477


def _days_before_month(year: int, month: int) -> int:
    return _DAYS_BEFORE_MONTH[month - 1] + (month > 2 and _is_leap(year))
