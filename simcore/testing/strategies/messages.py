"""Messages of a network database."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from simcore.errors import UsageError
from simcore.network import Database, Message
from simcore.testing.strategies.arguments import require_database, require_flag

_DIAGNOSTIC = ("DiagRequest", "DiagResponse", "DiagState")


def messages(
    database: Database,
    *,
    sender: str | None = None,
    receiver: str | None = None,
    cyclic: bool | None = None,
    protected: bool | None = None,
    diagnostics: bool | None = None,
) -> SearchStrategy[Message]:
    """Messages of `database` that can be encoded; shrink towards the first of the file.

    `sender` and `receiver` name nodes. `cyclic` (with a cycle time), `protected` (with E2E) and
    `diagnostics` (requests and responses) take only such messages, or with False only others.
    Raises `UsageError` for an unknown node, and where nothing is left.
    """
    found = selected(
        "messages",
        database,
        sender=sender,
        receiver=receiver,
        cyclic=cyclic,
        protected=protected,
        diagnostics=diagnostics,
    )
    return st.sampled_from(found)


def selected(
    where: str,
    database: Database,
    *,
    sender: str | None = None,
    receiver: str | None = None,
    cyclic: bool | None = None,
    protected: bool | None = None,
    diagnostics: bool | None = None,
) -> tuple[Message, ...]:
    """The messages that `messages` draws from, in the order of the file; `where` is for errors."""
    require_database(where, database)
    flags = {"cyclic": cyclic, "protected": protected, "diagnostics": diagnostics}
    for name, flag in flags.items():
        if flag is not None:
            require_flag(f"{where}, {name}", flag)
    sent = database.messages if sender is None else database.sent_by(sender)
    received = sent if receiver is None else database.received_by(receiver)
    found = tuple(
        message
        for message in sent
        if any(message is each for each in received)
        and not message.defect
        and cyclic in (None, message.cycle_time_ns is not None)
        and protected in (None, message.e2e is not None)
        and diagnostics in (None, is_diagnostic(message))
    )
    if not found:
        wanted = {"sender": sender, "receiver": receiver, **flags}
        given = ", ".join(
            f"{name}={value!r}" for name, value in wanted.items() if value is not None
        )
        raise UsageError(
            where, expected=f"at least one message of {database.name}", got=f"none with {given}"
        )
    return found


def is_diagnostic(message: Message) -> bool:
    """Whether it carries diagnostic requests or responses, as the database says."""
    return any(message.attributes.get(name) in ("Yes", 1) for name in _DIAGNOSTIC)
