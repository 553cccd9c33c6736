"""What happens to a software update of the vehicle, from the tester's side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from simcore.errors import UsageError
from simcore.faults import FlashPowerCut
from simcore.rig import Campaign
from simcore.testing.strategies.arguments import chosen_from, require_whole
from simcore.units import NS_PER_MS
from simcore.update.flash import CutKind

UPDATE_KINDS = ("load", "activate", "cancel", "acknowledge", "reset", "power_cut")
"""From what a campaign does to what must not harm it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateAction:
    """One thing that a tester, or fate, does to one ECU in a campaign.

    `load` begins to bring metadata and image to it, `activate`, `cancel` and `acknowledge` are the
    commands of that name, `reset` power-cycles it, `power_cut` takes its supply away at the flash
    operation `operation` from now on.
    """

    kind: str
    node: str
    operation: int = 1

    def __post_init__(self) -> None:
        if self.kind not in UPDATE_KINDS:
            raise UsageError(
                "UpdateAction.kind",
                expected=f"one of {', '.join(UPDATE_KINDS)}",
                got=repr(self.kind),
            )
        require_whole("UpdateAction", 1, operation=self.operation)

    def apply(self, campaign: Campaign) -> None:
        """Do it; commands wait for their answer, so virtual time may pass."""
        match self.kind:
            case "load":
                dialogue = campaign.dialogues.get(self.node)
                if dialogue is None or dialogue.done or dialogue.failure:
                    campaign.load_one(self.node)
            case "activate":
                campaign.activate(self.node)
            case "cancel":
                campaign.cancel(self.node)
            case "acknowledge":
                campaign.acknowledge(self.node)
            case "reset":
                campaign.rig.reset(self.node)
            case _:
                campaign.rig.inject(
                    FlashPowerCut(
                        node=self.node,
                        operation=self.operation,
                        kind=CutKind.TORN,
                        off_ns=50 * NS_PER_MS,
                    )
                )


def update_events(
    *,
    nodes: Iterable[str] = ("EMB_FL", "EMB_FR", "EMB_RL", "EMB_RR", "CDC"),
    kinds: Iterable[str] | None = None,
    max_operation: int = 200,
) -> SearchStrategy[UpdateAction]:
    """What happens to an update: `draw(update_events()).apply(campaign)`.

    `nodes` are those of the campaign, `kinds` of `UPDATE_KINDS`; power is cut at one of the next
    `max_operation` flash operations. They shrink towards loading the first node.
    """
    names = tuple(nodes)
    if not names:
        raise UsageError("update_events, nodes", expected="at least one node", got="none")
    chosen = chosen_from("update_events, kinds", kinds, UPDATE_KINDS)
    require_whole("update_events", 1, max_operation=max_operation)
    places = st.sampled_from(names)
    parts = [
        st.builds(
            UpdateAction,
            kind=st.just(kind),
            node=places,
            operation=st.integers(1, max_operation) if kind == "power_cut" else st.just(1),
        )
        for kind in chosen
    ]
    return st.one_of(parts)
