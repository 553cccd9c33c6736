"""`rig.tester`: the diagnostic tester as a script uses it.

    rig.tester.request("EMB_FL", bytes.fromhex("22 F190"))
    rig.tester.functional(bytes.fromhex("3E 00"))
    rig.tester.start("EMB_FL", dialogue)      # goes on while the script drives the car

It plays the node that the database names as sender of the diagnostic requests (TST in the shipped
interface); the node is put there when the tester is first used. All state is the node's, see
`tester_node`, so a fork has a tester of its own that goes on where this one stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simcore.diag.client import Outcome, shown
from simcore.ecu import RestbusNode
from simcore.ecu.runtime.diagnostic_addresses import diagnosed_nodes
from simcore.errors import UsageError
from simcore.rig.tester_node import (
    Conversation,
    Dialogue,
    FunctionalRequest,
    SingleRequest,
    Statistics,
    TesterNode,
)
from simcore.transport import LinkSettings
from simcore.units import NS_PER_S

if TYPE_CHECKING:
    from simcore.rig.bench import Bench

PRESENT_PERIOD_NS = 2 * NS_PER_S
"""S3client: between two TesterPresent."""
_LONGEST_NS = 3600 * NS_PER_S
"""A blocking request without a timeout ends by P2 and P2*, unless a server says 0x78 for ever."""


class Tester:
    """Asks ECUs over the bus; made anew by each `rig.tester`."""

    __slots__ = ("_name", "_rig")

    def __init__(self, rig: Bench) -> None:
        self._rig = rig
        self._name = _place_of(rig)

    # -- one request ------------------------------------------------------------------------------

    def request(self, node: str, payload: bytes, timeout: int | None = None) -> bytes | None:
        """Ask an ECU and let time pass until it has answered; `None` where it has not.

        A negative response is returned as it is. P2 and P2* end the waiting; `timeout` ns do, too.
        """
        return self.ask(node, payload, timeout).response

    def ask(self, node: str, payload: bytes, timeout: int | None = None) -> Outcome:
        """As `request`, with all there is to know about it."""
        request = SingleRequest(_octets(f"request to {node}", payload))
        self.start(node, request)
        limit_ns = _limit_ns("request", timeout)
        ended = self._rig.run_until(Ended(request), timeout=limit_ns)
        if not ended:
            self._node.give_up(node, request, self._rig.now_ns)
            self._rig.host(self._name).ask_again()
        assert request.outcome is not None or not ended
        return (
            request.outcome
            if request.outcome is not None
            else request.given_up(self._rig.now_ns, limit_ns)
        )

    def send(self, node: str, payload: bytes) -> SingleRequest:
        """Ask without waiting; the handle has `done` and `outcome` once there is one."""
        request = SingleRequest(_octets(f"request to {node}", payload))
        self.start(node, request)
        return request

    def functional(self, payload: bytes, timeout: int | None = None) -> dict[str, bytes]:
        """Ask all at once and wait as long as any may answer: final responses by node."""
        payload = _octets("functional request", payload)
        request = self._node.ask_all(payload, self._rig.now_ns)
        self._rig.host(self._name).ask_again()
        self._rig.run_until(
            FunctionalEnded(self._rig.host(self._name).node, request),
            timeout=_limit_ns("functional request", timeout),
        )
        answers = "; ".join(f"{node} {shown(each)}" for node, each in request.answers.items())
        self._rig.log.add(self._name, "note", f"all: {shown(payload)} -> {answers or 'nothing'}")
        return dict(request.answers)

    # -- in the background ------------------------------------------------------------------------

    def start(self, node: str, dialogue: Dialogue) -> Dialogue:
        """Hold a dialogue while the script goes on; several for one ECU one after the other.

        Returns the dialogue. That of a fork is another one: ask `dialogue(node)` there.
        """
        conversation = self._conversation(node)
        host = self._rig.host(self._name)
        if not isinstance(dialogue, Dialogue):
            raise UsageError(
                f"tester: dialogue with {node}",
                expected="an object with next_request, done and failure",
                got=repr(dialogue),
            )
        if not host.running:
            raise UsageError(f"tester: {node}", expected=f"{self._name} with supply", got="off")
        self._node.add(conversation.messages.node, dialogue, self._rig.now_ns)
        host.ask_again()
        return dialogue

    def dialogue(self, node: str) -> Dialogue | None:
        """The dialogue that is held with an ECU now."""
        return self._conversation(node).current

    def is_idle(self, node: str | None = None) -> bool:
        """Whether nothing is asked and nothing waits to be, of one ECU or of all."""
        nodes = self._node.conversations if node is None else (node,)
        return all(self._conversation(each).is_idle for each in nodes)

    def wait(self, *dialogues: Dialogue, timeout: int) -> bool:
        """Let time pass until these dialogues are over; whether they are."""
        return self._rig.run_until(AllDone(dialogues), timeout=timeout)

    def present(self, period_ns: int | None = PRESENT_PERIOD_NS) -> None:
        """Keep every ECU's session alive from now on (functional 3E 80); `None`: no longer."""
        if period_ns is not None and (type(period_ns) is not int or period_ns <= 0):
            raise UsageError(
                "tester: present", expected="whole ns > 0, or None", got=repr(period_ns)
            )
        self._node.be_present(period_ns, self._rig.now_ns)
        self._rig.host(self._name).ask_again()

    def use_link(self, link: LinkSettings) -> None:
        """Send with other settings from now on, as frame size and separation time.

        Statistics begin anew. Raises `UsageError` while anything is asked.
        """
        if not self.is_idle():
            raise UsageError("tester: use_link", expected="nothing to be asked meanwhile")
        host = self._rig.host(self._name)
        tester = TesterNode(diagnosed_nodes(self._rig.database).values(), link=link)
        tester.record = self._node.record
        host.replace(tester)

    # -- looking back -----------------------------------------------------------------------------

    @property
    def nodes(self) -> tuple[str, ...]:
        """The ECUs that can be asked."""
        return tuple(self._node.conversations)

    def statistics(self, node: str) -> Statistics:
        """What passed between the tester and an ECU so far."""
        return self._conversation(node).statistics

    def session(self, node: str) -> int:
        """The session an ECU is in, as far as the tester knows."""
        return self._conversation(node).client.session

    # -- inside -----------------------------------------------------------------------------------

    @property
    def _node(self) -> TesterNode:
        host = self._rig.host(self._name)
        node = host.node
        if isinstance(node, TesterNode):
            return node
        if not isinstance(node, RestbusNode):
            raise UsageError(
                f"rig.tester at {self._name}",
                expected="the place as the rig was built",
                got=f"a {type(node).__name__}, put there by the script",
            )
        tester = TesterNode(diagnosed_nodes(self._rig.database).values())
        was_running = host.running
        host.replace(tester)
        if not was_running:
            host.halt()
        return tester

    def _conversation(self, node: str) -> Conversation:
        conversations = self._node.conversations
        found = conversations.get(node)
        if found is None:
            raise UsageError(
                f"tester: {node!r}", expected=f"one of {', '.join(conversations)}", got=node
            )
        return found


class Ended:
    """Predicate: a request has its outcome."""

    __slots__ = ("_request",)

    def __init__(self, request: SingleRequest) -> None:
        self._request = request

    def __call__(self) -> bool:
        return self._request.done


class AllDone:
    """Predicate: dialogues are over."""

    __slots__ = ("_dialogues",)

    def __init__(self, dialogues: tuple[Dialogue, ...]) -> None:
        self._dialogues = dialogues

    def __call__(self) -> bool:
        for each in self._dialogues:  # noqa: SIM110 - asked after every instant
            if not each.done and not each.failure:
                return False
        return True


class FunctionalEnded:
    """Predicate: nobody may answer a functional request any more."""

    __slots__ = ("_node", "_request")

    def __init__(self, node: object, request: FunctionalRequest) -> None:
        self._node = node
        self._request = request

    def __call__(self) -> bool:
        return getattr(self._node, "functional_request", None) is not self._request


def _place_of(rig: Bench) -> str:
    """Who sends the diagnostic requests."""
    senders = {
        sender for each in diagnosed_nodes(rig.database).values() for sender in each.request.senders
    }
    if len(senders) != 1:
        raise UsageError(
            f"rig.tester on {rig.database.name}",
            expected="one sender of all messages with DiagRequest",
            got=", ".join(sorted(senders)) or "none",
        )
    return senders.pop()


def _octets(where: str, payload: object) -> bytes:
    if not isinstance(payload, (bytes, bytearray)) or not payload:
        raise UsageError(f"tester: {where}", expected="at least one byte", got=repr(payload))
    return bytes(payload)


def _limit_ns(where: str, timeout: int | None) -> int:
    if timeout is None:
        return _LONGEST_NS
    if type(timeout) is not int or timeout <= 0:
        raise UsageError(f"tester: {where}, timeout", expected="whole ns > 0", got=repr(timeout))
    return timeout
