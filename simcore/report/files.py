"""Writing a finished report or log to disk, with the one error text for all of them.

Not here: what is in the files (`html`, `junit`, `logs`).
"""

from __future__ import annotations

import os
from pathlib import Path

from simcore.errors import InputError


def write_file(path: str | os.PathLike[str], data: bytes, *, what: str) -> Path:
    """Write `data` to `path`, creating missing folders, and return the path.

    `what` names the content in the error text. Raises `InputError` where the folder or the file
    cannot be written; a file cut short by a full disk is reported, never passed over.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    except (OSError, ValueError) as failure:  # ValueError: a NUL in the path
        reason = getattr(failure, "strerror", None) or str(failure)
        raise InputError(
            f"writing the {what}",
            expected="a path that can be written",
            got=reason,
            file=str(target),
        ) from failure
    return target
