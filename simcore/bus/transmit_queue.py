"""The lists in which a controller keeps its transmit requests, and their order.

By priority a heap (the hot path of `Controller.send` uses it directly), else in order of request.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush

from simcore.bus.frame import Frame
from simcore.bus.options import ControllerOptions, TransmitPolicy

Request = tuple[int, int, int, Frame]
"""Arbitration key, request number, request time, frame."""


def is_by_priority(options: ControllerOptions) -> bool:
    """Whether what contends is a heap."""
    return options.transmit is TransmitPolicy.PRIORITY or (
        options.transmit is TransmitPolicy.MAILBOXES and not options.mailboxes_by_request
    )


def insert(queue: list[Request], request: Request, options: ControllerOptions) -> None:
    """Among what contends: by priority, or by request number."""
    if is_by_priority(options):
        heappush(queue, request)
        return
    at = len(queue)
    while at and queue[at - 1][1] > request[1]:
        at -= 1
    queue.insert(at, request)


def take_first(queue: list[Request], options: ControllerOptions) -> Request:
    """Remove what is sent next."""
    return heappop(queue) if is_by_priority(options) else queue.pop(0)


def is_among(request: Request, queues: Iterable[list[Request]]) -> bool:
    """Whether a request for the same message waits."""
    return any(other[0] == request[0] for queue in queues for other in queue)


def replace_in(queues: Iterable[list[Request]], request: Request) -> bool:
    """Put a request into the place of an older one for the same message; whether there was one."""
    for queue in queues:
        for index, old in enumerate(queue):
            if old[0] == request[0]:
                queue[index] = (old[0], old[1], *request[2:])
                return True
    return False
