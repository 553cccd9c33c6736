"""Rows of the reaction-time table: tasks out of step, and a watchdog that is not answered right."""

from __future__ import annotations

from collections.abc import Callable

from simcore.faults import (
    BrownOut,
    EcuReset,
    StackRestart,
    TaskDoubled,
    TaskHung,
    TaskOrderSwapped,
    TaskSkipped,
    TaskSlow,
    WatchdogAnswerEarly,
    WatchdogAnswerLate,
    WatchdogAnswerMissing,
    WatchdogAnswerWrong,
)
from simcore.rig.ftti import BRAKING, CRUISE, EVERYWHERE, LOW_FRICTION, SECONDARY, Row
from simcore.rig.ftti_sought import (
    CONTROLLERS,
    WHEELS,
    actuator_replaced,
    actuator_replaced_on_slip,
    commanded_again,
    controller_replaced,
    ill_served,
    lost_or_left_lane,
    lost_or_surges,
    out_of_step,
    path_opened,
    slip_lost_or_left_lane,
    slip_lost_or_surges,
    taken_over,
    wheel_of,
)
from simcore.rig.injection import AnyFault
from simcore.rig.reference import EMB_NODES
from simcore.units import ms

_OLD_COMMAND = "commands that no longer fit what is going on"
_OLD_FORCE = "a clamp force that nobody controls"
_BLIND = "the watchdog is satisfied by software that does not work"
Of = Callable[[str], AnyFault]

CONTROLLER_FAULTS: tuple[tuple[str, str, Of], ...] = (
    ("hung", "hangs", lambda node: TaskHung(node=node, task="control")),
    ("slow", "takes 8 times as long", lambda node: TaskSlow(node=node, task="control", factor=8.0)),
    ("skipped", "is skipped", lambda node: TaskSkipped(node=node, task="control")),
    ("doubled", "runs twice", lambda node: TaskDoubled(node=node, task="control")),
    (
        "swapped",
        "runs behind the monitor",
        lambda node: TaskOrderSwapped(node=node, first="control", second="monitor"),
    ),
)
ACTUATOR_FAULTS: tuple[tuple[str, str, Of], ...] = (
    ("hung", "hangs", lambda w: TaskHung(node=f"EMB_{w}", task="force loop")),
    (
        "slow",
        "takes 20 times as long",
        lambda w: TaskSlow(node=f"EMB_{w}", task="communication", factor=20.0),
    ),
    ("skipped", "is skipped", lambda w: TaskSkipped(node=f"EMB_{w}", task="force loop")),
    ("doubled", "runs twice", lambda w: TaskDoubled(node=f"EMB_{w}", task="force loop")),
    (
        "swapped",
        "runs behind the monitor",
        lambda w: TaskOrderSwapped(node=f"EMB_{w}", first="force loop", second="monitor"),
    ),
)

CONTROLLER_TASK_ROWS = tuple(
    Row(
        id=f"control_{name}",
        requirement="WDG-002",
        broken=f"{{}}: control task {text}",
        hazard=_OLD_COMMAND,
        places=CONTROLLERS,
        points=(BRAKING, CRUISE, LOW_FRICTION),
        fault=fault,
        detection=out_of_step,
        safe_state=controller_replaced,
        fhti_max_ns=ms(100),
        ftti_ns=ms(200),
        hazardous=lost_or_left_lane,
        on_slip_hazardous=slip_lost_or_left_lane,
    )
    for name, text, fault in CONTROLLER_FAULTS
)

ACTUATOR_TASK_ROWS = tuple(
    Row(
        id=f"actuator_{name}",
        requirement="WDG-002",
        broken=f"EMB_{{}}: {'communication task' if name == 'slow' else 'force loop'} {text}",
        hazard=_OLD_FORCE,
        places=WHEELS,
        points=(BRAKING, LOW_FRICTION),
        fault=fault,
        detection=lambda wheel: out_of_step(f"EMB_{wheel}"),
        safe_state=actuator_replaced,
        on_slip_safe=actuator_replaced_on_slip,
        fhti_max_ns=ms(100),
        ftti_ns=ms(200),
        hazardous=lost_or_left_lane,
        on_slip_hazardous=slip_lost_or_left_lane,
    )
    for name, text, fault in ACTUATOR_FAULTS
)


def _hung(place: str) -> AnyFault:
    node, _, task = place.partition("/")
    return TaskHung(node=node, task=task)


def _node(place: str) -> str:
    return place.partition("/")[0]


HUNG_ROWS = (
    Row(
        id="safety_task_hung",
        requirement="WDG-002",
        broken="task {} hangs",
        hazard="a safety function is gone and nobody knows",
        places=(
            "CDC/control",
            "CDC/send CDC_EmbCmd",
            "CDC/monitor",
            "CDC2/control",
            "CDC2/send CDC2_EmbCmd",
            "CDC2/monitor",
            *(f"EMB_{wheel}/{task}" for wheel in WHEELS for task in ("communication", "monitor")),
        ),
        points=(CRUISE,),
        fault=_hung,
        detection=lambda place: out_of_step(_node(place)),
        safe_state=lambda place: path_opened(_node(place)),
        fhti_max_ns=ms(100),
        ftti_ns=ms(200),
    ),
    Row(
        id="secondary_task_hung",
        requirement="WDG-002",
        broken="CDC lost already, task {} hangs",
        hazard="a safety function is gone and nobody knows",
        places=("CDC2/control", "CDC2/send CDC2_EmbCmd", "CDC2/monitor"),
        points=(SECONDARY,),
        fault=_hung,
        detection=lambda place: out_of_step(_node(place)),
        safe_state=lambda place: path_opened(_node(place)),
        fhti_max_ns=ms(100),
        ftti_ns=ms(200),
    ),
)

WATCHDOG_FAULTS: tuple[tuple[str, str, Of], ...] = (
    ("wrong", "wrong", lambda node: WatchdogAnswerWrong(node=node)),
    ("early", "early", lambda node: WatchdogAnswerEarly(node=node)),
    ("late", "late", lambda node: WatchdogAnswerLate(node=node)),
    ("missing", "missing", lambda node: WatchdogAnswerMissing(node=node)),
)

ANSWER_ROWS = tuple(
    Row(
        id=f"answer_{name}",
        requirement="WDG-003",
        broken=f"{{}}: every watchdog answer {text}",
        hazard=_BLIND,
        places=CONTROLLERS,
        points=(BRAKING, CRUISE, LOW_FRICTION),
        fault=fault,
        detection=ill_served,
        safe_state=controller_replaced,
        fhti_max_ns=ms(100),
        ftti_ns=ms(200),
        hazardous=lost_or_left_lane,
        on_slip_hazardous=slip_lost_or_left_lane,
    )
    for name, text, fault in WATCHDOG_FAULTS
) + tuple(
    Row(
        id=f"actuator_answer_{name}",
        requirement="WDG-003",
        broken=f"{{}}: every watchdog answer {text}",
        hazard=_BLIND,
        places=EMB_NODES,
        points=(BRAKING, LOW_FRICTION),
        fault=fault,
        detection=ill_served,
        safe_state=lambda node: actuator_replaced(wheel_of(node)),
        on_slip_safe=lambda node: actuator_replaced_on_slip(wheel_of(node)),
        fhti_max_ns=ms(100),
        ftti_ns=ms(200),
        hazardous=lost_or_left_lane,
        on_slip_hazardous=slip_lost_or_left_lane,
    )
    for name, text, fault in WATCHDOG_FAULTS
)

RESTART_ROWS = tuple(
    Row(
        id=f"controller_{name}",
        requirement="DEG-002",
        broken=f"{{}}: {text}",
        hazard="nobody commands the brakes while it starts",
        places=("CDC",),
        points=EVERYWHERE,
        fault=fault,
        detection=taken_over,
        safe_state=commanded_again,
        fhti_max_ns=ms(15),  # DEG-002, from the third missed frame
        counted_from="CDC_EmbCmd",
        ftti_ns=ms(100),
        hazardous=lost_or_surges,
        on_slip_hazardous=slip_lost_or_surges,
    )
    for name, text, fault in (
        ("reset", "reset", lambda node: EcuReset(node=node)),
        ("brown_out", "supply dips for 20 ms", lambda node: BrownOut(node=node, off_ns=ms(20))),
        ("stack_restart", "communication restarts", lambda node: StackRestart(node=node)),
    )
)

ROWS = (
    *CONTROLLER_TASK_ROWS,
    *ACTUATOR_TASK_ROWS,
    *HUNG_ROWS,
    *ANSWER_ROWS,
    *RESTART_ROWS,
)
