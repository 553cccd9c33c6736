"""What a restbus has to say about its database before anything runs.

What is not played and why, what is contradictory and what was made of it, and signals that look
like protection but have none configured: those would be sent with constant values, and a receiver
that checks them would rightly refuse the message. A message that has E2E or SecOC is taken to be
complete.

The look is by words, in the name of a signal or its `GenSigFuncType`: `_CRC`, `Checksum`, `_Cs`;
`Counter`, `_Cnt`, `_BZ`. A counter of events looks the same, so this is a note and no verdict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from simcore.network import Database, Message
from simcore.network.interaction_rules import SendRules, application_signals
from simcore.network.messages import Signal

CHECKSUM_WORDS = frozenset(
    "crc crc4 crc8 crc16 crc32 cs cks chk chks chksm chksum chksumm checksum checkcode".split()
)
COUNTER_WORDS = frozenset(
    "counter cnt count alive alivecounter alivecnt alv livecounter msgcounter msgcnt "
    "msgcount rollingcounter rolcnt rollcnt sqc bz botschaftszaehler".split()
)
LAST_COUNTER_WORDS = frozenset(("cntr", "ctr"))
"""At the end of a name a counter, elsewhere the centre."""
COUNTER_BITS_MAX = 16
CHECKSUM_BITS_MAX = 64
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
"""Parts of a name: at underscores and where the case changes. `SteWhl_No_Cs`: Ste Whl No Cs."""


def protection_look(signal: Signal) -> str:
    """`counter`, `checksum`, or nothing: what a signal looks like."""
    words: set[str] = set()
    is_counted = False
    for text in (signal.name, str(signal.attributes.get("GenSigFuncType", ""))):
        parts = [word.casefold() for word in _WORD.findall(text)]
        words.update(parts, text.casefold().split("_"))
        is_counted |= not LAST_COUNTER_WORDS.isdisjoint(parts[-1:])
    if words & CHECKSUM_WORDS and signal.length <= CHECKSUM_BITS_MAX:
        return "checksum"
    is_counted = is_counted or bool(words & COUNTER_WORDS)
    return "counter" if is_counted and 1 < signal.length <= COUNTER_BITS_MAX else ""


def unprotected_signals(messages: Iterable[Message]) -> dict[str, list[str]]:
    """`Message.Signal` of what looks like `counter` or `checksum` and that nothing fills in."""
    found: dict[str, list[str]] = {"counter": [], "checksum": []}
    for message in messages:
        if message.e2e is not None or message.secoc is not None:
            continue
        for signal in application_signals(message):
            look = protection_look(signal)
            if look and not signal.is_float:
                found[look].append(f"{message.name}.{signal.name}")
    return found


def restbus_notes(
    database: Database, rules: Iterable[SendRules], skipped: Mapping[str, str]
) -> tuple[str, ...]:
    """Everything worth saying, one text each, in the order of the database."""
    notes = []
    if database.is_lenient:
        notes += [str(each) for each in database.problems if each.severity != "warning"]
    notes += [f"{name} is not played: {reason}" for name, reason in skipped.items()]
    played = list(rules)
    notes += [f"{each.message.label}: {note}" for each in played for note in each.notes]
    found = unprotected_signals(each.message for each in played)
    told = [f"{len(names)} {look}-like" for look, names in found.items() if names]
    if told:
        names = ", ".join(name for names in found.values() for name in names)
        stem = Path(database.name).stem
        one = sum(map(len, found.values())) == 1
        notes.append(
            f"{' and '.join(told)} signal{' has' if one else 's have'} no protection configured "
            f"and {'is' if one else 'are'} sent with constant values (configure E2E in the "
            f"database or in {stem}.protection.toml): {names}"
        )
    return tuple(notes)
