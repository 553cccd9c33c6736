"""What a restbus will refuse or replace in the send attributes of a database, all of it at once.

`reading` makes problems of it when a file is loaded, so that nobody meets one after the other in
one run after the other. The rules themselves are in `interaction_rules`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from simcore.errors import InputError
from simcore.network.interaction_rules import send_rules_of
from simcore.network.messages import Message
from simcore.network.send_types import STANDARD, SendTypes, known_texts

_RULES = ("GenMsg", "GenSig")


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: the message, the attribute with its signal where it has one, and the text."""

    message: Message
    where: str
    text: str


def send_findings(messages: Iterable[Message]) -> list[Finding]:
    """Unknown send types, each text once, and what `send_rules_of` refuses or replaces."""
    named = [message for message in messages if _has_send_attributes(message)]
    found = []
    for (attribute, text), users in unknown_send_types(named).items():
        others = f" (of {len(users)} messages)" if len(users) > 1 else ""
        meaning = f"a restbus needs to be told what it means, as --send-type {text + '=Cyclic'!r}"
        told = f"send type {text!r} is unknown{others}: {meaning}"
        found.append(Finding(users[0], attribute, told))
    for message in named:
        try:
            notes = send_rules_of(message, lenient=True).notes
        except InputError as error:
            where = error.where.removeprefix(f"message {message.label}, ")
            text = f"expected {error.expected}, got {error.got}: a restbus refuses it"
            found.append(Finding(message, where, text))
            continue
        for note in notes:
            where, _, text = note.partition(": ")
            if where.endswith("GenSigInactiveValue"):
                found.append(Finding(message, where, text))
    return found


def unknown_send_types(
    messages: Iterable[Message], send_types: SendTypes = STANDARD
) -> dict[tuple[str, str], list[Message]]:
    """(attribute, text) of every unknown send type, and the messages that have it."""
    found: dict[tuple[str, str], list[Message]] = {}
    for message in messages:
        for key in dict.fromkeys(_texts(message)):
            if send_types.mode(key[1]) is None:
                found.setdefault(key, []).append(message)
    return found


def require_send_types(messages: Iterable[Message], send_types: SendTypes) -> None:
    """Raises `InputError` that names all unknown send types where there are several."""
    unknown = unknown_send_types(messages, send_types)
    if len(unknown) < 2:
        return  # a single one is refused where it stands, with its message and signal
    told = [
        f"{text!r} ({attribute} of {users[0].name}{f' and {more} more' if more else ''})"
        for (attribute, text), users in unknown.items()
        for more in (len(users) - 1,)
    ]
    raise InputError(
        f"{len(unknown)} unknown send types",
        expected=f"each one of {known_texts()}, or an own table of send types",
        got=", ".join(told),
        file=next(iter(unknown.values()))[0].database.name,
    )


def _texts(message: Message) -> Iterator[tuple[str, str]]:
    yield "GenMsgSendType", message.send_type
    for signal in message.signals:
        yield "GenSigSendType", str(signal.attributes.get("GenSigSendType", ""))


def _has_send_attributes(message: Message) -> bool:
    """Whether anything is written that could be wrong; a quick look, for large files."""
    if message.send_type or any(name.startswith(_RULES) for name in message.attributes):
        return True
    return any("GenSigSendType" in signal.attributes for signal in message.signals)
