"""Standard output whose reader may leave early, as in `simcore run | head -1`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def unbroken_output() -> Iterator[None]:
    """What is printed inside goes nowhere once nobody reads it, and the program goes on.

    So a run still writes its report and ends with the exit code of its verdict.
    """
    try:
        yield
    except BrokenPipeError:
        _discard()
    except SystemExit:  # what rich makes of a BrokenPipeError
        _discard()


def _discard() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
