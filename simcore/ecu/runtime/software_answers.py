"""How the update client's results become answers of diagnostic services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simcore.diag.codes import Nrc
from simcore.diag.operation import Operation
from simcore.ecu.runtime.software import LAST_ATTACK, Software
from simcore.units import NS_PER_MS
from simcore.update.client import Result, UpdateClient
from simcore.update.guards import Refused
from simcore.update.states import UpdateState

if TYPE_CHECKING:
    from simcore.ecu.runtime.ecu import Ecu

OK = b"\x00"
POLL_NS = 5 * NS_PER_MS


class Busy:
    """An answer that leaves when flash and checks are done with it."""

    __slots__ = ("_answer", "_client", "_until_ns")

    def __init__(self, client: UpdateClient, answer: bytes, now_ns: int) -> None:
        self._client = client
        self._answer = answer
        self._until_ns = max(client.busy_until_ns, now_ns + 1)

    def step(self, now_ns: int) -> bytes | Nrc | None:
        self._until_ns = max(self._until_ns, self._client.busy_until_ns)
        return self._answer if now_ns >= self._until_ns else None

    def next_deadline_ns(self) -> int:
        return self._until_ns


class UntilState:
    """An answer that leaves when the client has left a state: one byte, 00 for a good end."""

    __slots__ = ("_client", "_good", "_next_ns", "_while")

    def __init__(
        self,
        client: UpdateClient,
        while_in: UpdateState,
        good: tuple[UpdateState, ...],
        now_ns: int,
    ) -> None:
        self._client = client
        self._while = while_in
        self._good = good
        self._next_ns = now_ns + POLL_NS

    def step(self, now_ns: int) -> bytes | Nrc | None:
        self._next_ns = now_ns + POLL_NS
        if self._client.state is self._while:
            return None
        return verdict(self._client.state in self._good)

    def next_deadline_ns(self) -> int:
        return self._next_ns


def verdict(good: bool) -> bytes:
    return OK if good else b"\x01"


class SoftwareAnswers:
    """What every handler needs: the client, and its answers."""

    __slots__ = ("_ecu", "_software")

    def __init__(self, ecu: Ecu, software: Software) -> None:
        self._ecu = ecu
        self._software = software

    def keep_attack(self, cause: str, detail: str) -> None:
        """An attack was refused before the client heard of it: the version report names it."""
        self._ecu.port.memory[LAST_ATTACK] = cause.encode()
        self._ecu.port.log("reaction", f"update: {cause}: {detail}")

    def ready(self) -> UpdateClient | None:
        """The client, where there is one."""
        return self._software.client

    def answered(
        self, what: str, result: Result, now_ns: int, data: bytes = b""
    ) -> bytes | Nrc | Operation:
        """The answer to a command, and its reset."""
        client = self._software.client
        assert client is not None
        if isinstance(result, Refused):
            self._ecu.port.log("reaction", f"update: {what} refused: {result.reason}")
            self._software.look(answering=True)
            return result.nrc
        self._software.look(answering=True)
        if client.busy_until_ns > now_ns:
            return Busy(client, data, now_ns)
        return data
