"""Who talks diagnostics with whom, as the database says it: attributes, not names.

`DiagRequest` marks physical requests, `DiagResponse` responses, `DiagState` functional requests
(Vector's attributes). Frame format, length and rate of a link are those of its messages. Both ends
read this, the ECU and the tester.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from simcore.errors import UsageError
from simcore.network import Database, Message
from simcore.transport import Address, LinkSettings

_YES = ("Yes", 1)
_TX_DLS = (8, 12, 16, 20, 24, 32, 48, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosticMessages:
    """The messages of one node's diagnostic link."""

    node: str
    request: Message
    response: Message
    functional: Message | None
    """Functional requests that the node receives."""

    def server_address(self) -> Address:
        """The link as the ECU sees it."""
        return self.tester_address().mirrored()

    def tester_address(self) -> Address:
        """The link as the tester sees it."""
        functional = self.functional
        return Address(
            self.request.arbitration_id,
            self.response.arbitration_id,
            is_extended_id=self.request.is_extended_id,
            functional_tx_id=None if functional is None else functional.arbitration_id,
        )

    @property
    def request_ids(self) -> tuple[int, ...]:
        """Identifiers of the frames that the node is to receive."""
        functional = () if self.functional is None else (self.functional.arbitration_id,)
        return (self.request.arbitration_id, *functional)

    def link_settings(self, message: Message, settings: LinkSettings | None = None) -> LinkSettings:
        """Settings of the end that sends `message`; the frame format is the database's."""
        settings = settings if settings is not None else LinkSettings()
        most = min(message.length, settings.tx_dl)
        longest = max((dl for dl in _TX_DLS if dl <= most), default=8)
        return replace(
            settings,
            tx_dl=longest if message.is_fd else 8,
            is_fd=message.is_fd,
            bitrate_switch=message.bitrate_switch,
        )

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def diagnostic_messages(database: Database, node: str) -> DiagnosticMessages | None:
    """The diagnostic link of a node; `None` where the database has none for it.

    Raises `UsageError` for a node with more than one request or response, and for a mixture of
    identifier formats.
    """
    received, sent = database.received_by(node), database.sent_by(node)
    requests = [each for each in received if each.attributes.get("DiagRequest") in _YES]
    responses = [each for each in sent if each.attributes.get("DiagResponse") in _YES]
    functional = [each for each in received if each.attributes.get("DiagState") in _YES]
    if not requests and not responses:
        return None
    where = f"{node}: diagnostic messages of {database.name}"
    if len(requests) != 1 or len(responses) != 1 or len(functional) > 1:
        names = ", ".join(each.name for each in (*requests, *responses, *functional))
        raise UsageError(
            where,
            expected="one DiagRequest, one DiagResponse and at most one DiagState",
            got=names,
        )
    if len({each.is_extended_id for each in (*requests, *responses, *functional)}) != 1:
        raise UsageError(where, expected="identifiers of one format", got="11 and 29 bits")
    return DiagnosticMessages(
        node=node,
        request=requests[0],
        response=responses[0],
        functional=functional[0] if functional else None,
    )


def diagnosed_nodes(database: Database) -> dict[str, DiagnosticMessages]:
    """Every node that has a diagnostic link, in database order."""
    found = ((node, diagnostic_messages(database, node)) for node in database.nodes)
    return {node: messages for node, messages in found if messages is not None}
