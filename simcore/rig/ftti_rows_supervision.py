"""Rows of the reaction-time table: alive, deadline and logical supervision of each safety task.

Judged on the supervision itself (WDG-001): that very kind of supervision in the Watchdog Manager of
the node finds the task, whatever finds it besides, and the status is on the bus. That the safe path
opens as well is WDG-002, in `ftti_rows_tasks`.
"""

from __future__ import annotations

from simcore.faults import TaskOrderSwapped, TaskSkipped, TaskSlow
from simcore.rig.ftti import CRUISE, SECONDARY, OperatingPoint, Row
from simcore.rig.ftti_sought import status_told, supervised
from simcore.rig.injection import AnyFault
from simcore.units import ms

_HAZARD = "a safety function does not run as it should and nobody knows"
_CDC_TASKS = ("CDC/control", "CDC/send CDC_EmbCmd", "CDC/monitor")
_CDC2_TASKS = ("CDC2/control", "CDC2/send CDC2_EmbCmd", "CDC2/monitor")
_EMB_TASKS = (
    "EMB_FL/force loop",
    "EMB_FL/communication",
    "EMB_FL/monitor",
    "EMB_FL/send EMB_FL_St1",
    "EMB_FL/send EMB_FL_St2",
)
_CDC_ORDER = ("CDC/control/monitor", "CDC/control/send CDC_EmbCmd")
_CDC2_ORDER = ("CDC2/control/monitor", "CDC2/control/send CDC2_EmbCmd")
_EMB_ORDER = ("EMB_FL/communication/monitor", "EMB_FL/force loop/monitor")


def _skipped(place: str) -> AnyFault:
    node, _, task = place.partition("/")
    return TaskSkipped(node=node, task=task)


def _slow(place: str) -> AnyFault:
    node, _, task = place.partition("/")
    return TaskSlow(node=node, task=task, factor=4.0)


def _swapped(place: str) -> AnyFault:
    node, first, second = place.split("/")
    return TaskOrderSwapped(node=node, first=first, second=second)


def node_of(place: str) -> str:
    """`CDC` of `CDC/control`."""
    return place.partition("/")[0]


def _rows(name: str, places: tuple[str, ...], point: OperatingPoint) -> tuple[Row, ...]:
    """One row of alive, deadline or logical supervision."""
    text, kind, fault = {
        "alive": ("is skipped", "alive", _skipped),
        "deadline": ("takes 4 times as long", "deadline", _slow),
        "logical": ("in the wrong order", "order", _swapped),
    }[name]
    return (
        Row(
            id=f"{name}_supervision{'_secondary' if point is SECONDARY else ''}",
            requirement="WDG-001",
            broken=f"task {{}} {text}",
            hazard=_HAZARD,
            places=places,
            points=(point,),
            fault=fault,
            detection=lambda place: supervised(node_of(place), kind),
            safe_state=lambda place: status_told(node_of(place)),
            fhti_max_ns=ms(100),
            ftti_ns=ms(200),
        ),
    )


ROWS = (
    *_rows("alive", (*_CDC_TASKS, *_CDC2_TASKS, *_EMB_TASKS), CRUISE),
    *_rows("deadline", (*_CDC_TASKS, *_CDC2_TASKS, *_EMB_TASKS), CRUISE),
    *_rows("logical", (*_CDC_ORDER, *_CDC2_ORDER, *_EMB_ORDER), CRUISE),
    *_rows("alive", _CDC2_TASKS, SECONDARY),
    *_rows("deadline", _CDC2_TASKS, SECONDARY),
    *_rows("logical", _CDC2_ORDER, SECONDARY),
)
