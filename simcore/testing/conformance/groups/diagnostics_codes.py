"""Trouble codes of any node: a fault becomes one, with a snapshot, and is cleared (DIA-002).

The fault is a message that stays away: `trouble` of the role says which. Status bits, masks and
reports are those of ISO 14229-1:2020, 12.3 and annex D.2; which code it is, is the module's matter.
"""

from __future__ import annotations

from simcore.diag.codes import Nrc
from simcore.diag.dtc_status import CONFIRMED_DTC, TEST_FAILED
from simcore.faults import MessageStopped
from simcore.testing.conformance.case import Case
from simcore.testing.conformance.dialogue import TABLE, Dialogue, milliseconds
from simcore.testing.conformance.dialogue import diagnostic_case as case
from simcore.testing.conformance.interface import Interface
from simcore.testing.conformance.trial import Trial

ALL_BITS = 0xFF
CLEAR_ALL = "14 FF FF FF"
_RECORD = 4
"""Bytes of a code with its status."""


def cases(interface: Interface) -> list[Case]:
    """None where the list names no message whose loss is a trouble."""
    if interface.diag_request is None or not interface.binding(TABLE, {}):
        return []
    if not interface.binding("trouble", ""):
        return []
    return [
        case("dtc.none", "a sound module has no trouble code that failed", _none),
        case("dtc.stored", "a lost message is a code that failed, then a confirmed one", _stored),
        case("dtc.snapshot", "a snapshot tells what was when the fault was found", _snapshot),
        case("dtc.brief", "a frame lost now and then is no trouble code", _brief),
        case("dtc.healed", "with the message back the code has not failed, but stays", _healed),
        case("dtc.clear", "14 FF FF FF clears; while the fault lasts the code comes back", _clear),
        case("dtc.power_cycle", "codes survive a power cycle", _power_cycle),
        case("dtc.setting", "with 85 02 nothing is stored, until the session ends", _setting),
        case("dtc.refusal", "a group of codes that is not there is refused", _refusal),
    ]


class _Codes:
    """Trouble codes of the module, and the fault that makes one."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        self.dialogue = Dialogue(trial)
        self.message = str(trial.interface.binding("trouble"))
        self.wait_ns = milliseconds(trial.parameter("dtc_ms"))

    def listed(self, mask: int) -> dict[bytes, int]:
        """Code and status of what has any of these bits."""
        data = self.dialogue.positive(bytes((0x19, 0x02, mask)))[2:]
        whole = len(data) - len(data) % _RECORD
        self.trial.expect(
            whole == len(data),
            text="length of the list of codes",
            measured=f"{len(data)} bytes",
            limit=f"a multiple of {_RECORD}",
        )
        return {data[at : at + 3]: data[at + 3] for at in range(0, whole, _RECORD)}

    def lose(self) -> None:
        """The message stays away for as long as a code needs."""
        self.trial.bench.inject(MessageStopped(message=self.message), duration=self.wait_ns)
        self.trial.run_for(self.wait_ns - 1)

    def expect_some(self, found: dict[bytes, int], text: str, *, some: bool = True) -> None:
        self.trial.expect(
            bool(found) is some,
            text=text,
            measured=shown(found),
            limit="one at least" if some else "none",
        )


def shown(found: dict[bytes, int]) -> str:
    """Codes with their status."""
    return ", ".join(f"{code.hex().upper()} {status:02X}" for code, status in found.items()) or "no"


def _none(trial: Trial) -> None:
    codes = _Codes(trial)
    codes.expect_some(codes.listed(TEST_FAILED), "codes that fail now", some=False)


def _stored(trial: Trial) -> None:
    codes = _Codes(trial)
    before = codes.listed(CONFIRMED_DTC)
    codes.lose()
    failed = codes.listed(TEST_FAILED)
    codes.expect_some(failed, f"codes that fail without {codes.message}")
    after = codes.listed(CONFIRMED_DTC)
    fresh = {code: status for code, status in after.items() if code not in before}
    codes.expect_some(fresh, "new confirmed codes")
    wrong = {code: status for code, status in failed.items() if not status & TEST_FAILED}
    codes.expect_some(wrong, "codes listed without the bit that was asked for", some=False)
    data = codes.dialogue.positive(bytes((0x19, 0x01, CONFIRMED_DTC)))
    count = int.from_bytes(data[3:5], "big") if len(data) == 5 else -1
    trial.expect(
        count == len(after),
        text="number of confirmed codes (19 01)",
        measured=f"{count}",
        limit=f"{len(after)}, as listed",
    )


def _snapshot(trial: Trial) -> None:
    codes = _Codes(trial)
    codes.lose()
    found = codes.listed(CONFIRMED_DTC)
    codes.expect_some(found, "confirmed codes")
    for code, status in found.items():
        data = codes.dialogue.positive(
            b"\x19\x04" + code + b"\xff", text=f"snapshot of {code.hex().upper()}"
        )
        trial.expect(
            data[1:4] == code and data[4:5] == bytes((status,)) and len(data) > 7,
            text="code, status, and records",
            measured=data.hex(" ").upper(),
            limit="of this code, one record at least",
        )


def _brief(trial: Trial) -> None:
    codes = _Codes(trial)
    for _ in range(3):
        trial.bench.inject(MessageStopped(message=codes.message, frames=1))
        trial.run_for(codes.wait_ns // 3)
    codes.expect_some(codes.listed(CONFIRMED_DTC), "confirmed codes", some=False)


def _healed(trial: Trial) -> None:
    codes = _Codes(trial)
    codes.lose()
    during = codes.listed(CONFIRMED_DTC)
    codes.expect_some(during, "confirmed codes while the message is away")
    trial.run_for(codes.wait_ns)
    after = codes.listed(ALL_BITS)
    codes.expect_some(
        {code: each for code, each in after.items() if each & TEST_FAILED and code in during},
        "codes that fail after it",
        some=False,
    )
    gone = [code for code in during if not after.get(code, 0) & CONFIRMED_DTC]
    trial.expect(
        not gone,
        text="codes that are confirmed no longer",
        measured=", ".join(code.hex().upper() for code in gone) or "no",
        limit="none",
    )


def _clear(trial: Trial) -> None:
    codes = _Codes(trial)
    codes.lose()
    codes.expect_some(codes.listed(CONFIRMED_DTC), "confirmed codes before")
    trial.run_for(codes.wait_ns)
    codes.dialogue.positive(CLEAR_ALL)
    codes.expect_some(codes.listed(CONFIRMED_DTC), "confirmed codes after clearing", some=False)
    fault = trial.bench.inject(MessageStopped(message=codes.message))
    trial.run_for(codes.wait_ns)
    codes.dialogue.positive(CLEAR_ALL)
    trial.run_for(codes.wait_ns)
    codes.expect_some(codes.listed(TEST_FAILED), "codes that fail: the fault lasts")
    fault.clear()


def _power_cycle(trial: Trial) -> None:
    codes = _Codes(trial)
    codes.lose()
    before = codes.listed(CONFIRMED_DTC)
    codes.expect_some(before, "confirmed codes before")
    trial.run_for(codes.wait_ns)
    trial.power_cycle()
    trial.run_for(milliseconds(trial.parameter("reset_ms")))
    after = codes.listed(CONFIRMED_DTC)
    trial.expect(
        set(before) <= set(after),
        text="confirmed codes after a power cycle",
        measured=shown(after),
        limit=f"those of before: {shown(before)}",
    )


def _setting(trial: Trial) -> None:
    codes = _Codes(trial)
    dialogue = codes.dialogue
    dialogue.enter()
    dialogue.positive("85 02", text="storing is switched off at standstill")
    trial.bench.tester.present()
    codes.lose()
    trial.bench.tester.present(None)
    codes.expect_some(codes.listed(CONFIRMED_DTC), "confirmed codes meanwhile", some=False)
    trial.run_for(codes.wait_ns)
    dialogue.enter(dialogue.default_session)
    codes.lose()
    codes.expect_some(codes.listed(CONFIRMED_DTC), "confirmed codes after the session")


def _refusal(trial: Trial) -> None:
    dialogue = Dialogue(trial)
    dialogue.refused("14 00 00 01", Nrc.REQUEST_OUT_OF_RANGE)
    dialogue.refused("14 FF FF", Nrc.INCORRECT_MESSAGE_LENGTH_OR_INVALID_FORMAT)
    dialogue.refused("19 02", Nrc.INCORRECT_MESSAGE_LENGTH_OR_INVALID_FORMAT)
    dialogue.refused("19 04 00 00 01 FF", Nrc.REQUEST_OUT_OF_RANGE)
