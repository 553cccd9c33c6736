"""`simcore audit`: verify and print the audit log that an ECU has exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simcore.cli.exits import Exit
from simcore.cli.output import unbroken_output
from simcore.errors import InputError, UsageError
from simcore.units import format_ns

if TYPE_CHECKING:
    from simcore.update.audit_record import AuditEntry
    from simcore.update.audit_verify import AuditVerdict

_KEY_SIZE = 32
_HASH_SHOWN = 16


@click.command(short_help="Verify and print the audit log of an ECU.")
@click.argument("log_file", metavar="LOG", type=click.Path(path_type=Path))
@click.option(
    "--key",
    "key_text",
    metavar="FILE|HEX",
    help="The ECU's public key: 64 hex digits, or a file with them, with 32 bytes or with PEM.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def audit(log_file: Path, key_text: str | None, as_json: bool) -> None:
    """Verify LOG, an exported audit log, and print its entries.

    An ECU chains its entries by hashes and signs them at checkpoints and at the end of an export.
    What is missing, exchanged, edited or forged is named, with the entry. Without --key the log
    is verified against the key that it names itself: then compare the fingerprint.

    \b
    Exit codes: 0 intact, 1 damaged or forged, 2 usage, 3 LOG is no audit log or cannot be read,
    70 internal error.
    """
    from simcore.update.audit_verify import verify_log

    key = None if key_text is None else _public_key(key_text)
    verdict = verify_log(_read(log_file), key)
    with unbroken_output():
        if as_json:
            click.echo(json.dumps(_as_json(verdict), indent=2, sort_keys=True))
        else:
            _print(verdict, is_key_given=key is not None)
    raise click.exceptions.Exit(int(Exit.PASSED if verdict.accepted else Exit.CHECK_FAILED))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(
            "audit log", expected="a readable file", got=error.strerror, file=str(file)
        ) from None


def _public_key(text: str) -> bytes:
    """The key that `--key` names or is."""
    if len(text) == 2 * _KEY_SIZE and _is_hex(text):
        return bytes.fromhex(text)
    content = _read_key(Path(text))
    if len(content) == _KEY_SIZE:
        return content
    if content.lstrip().startswith(b"-----BEGIN"):
        return _pem_key(content, text)
    line = content.strip().decode("ascii", "replace")
    if len(line) == 2 * _KEY_SIZE and _is_hex(line):
        return bytes.fromhex(line)
    raise InputError(
        "public key",
        expected="64 hex digits, 32 bytes or PEM",
        got=f"{len(content)} bytes",
        file=text,
    )


def _read_key(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        expected = "64 hex digits, or a readable file"
        raise UsageError("--key", expected=expected, got=f"{file}: {error.strerror}") from None


def _pem_key(content: bytes, name: str) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError("public key", expected="an Ed25519 public key", got="other PEM", file=name)
    return key.public_bytes_raw()


def _is_hex(text: str) -> bool:
    return all(digit in "0123456789abcdefABCDEF" for digit in text)


# ---- printing ----


def _print(verdict: AuditVerdict, *, is_key_given: bool) -> None:
    for entry in verdict.entries:
        click.echo(_line(entry))
    lost = sum(1 for entry in verdict.entries if entry.kind == "damage")
    sealed = "never" if verdict.sealed_ns is None else format_ns(verdict.sealed_ns)
    click.echo(f"ecu      {verdict.ecu}")
    click.echo(f"key      {verdict.fingerprint}{_key_note(verdict, is_key_given)}")
    click.echo(f"exported {sealed}")
    if lost:
        plural = "entry" if lost == 1 else "entries"
        click.echo(f"lost     {lost} {plural} to losses of power, as the log itself says")
    click.echo(_outcome(verdict))


def _key_note(verdict: AuditVerdict, is_key_given: bool) -> str:
    if verdict.key_is_confirmed:
        return ", as given"
    return "" if is_key_given else ", as the log itself says: compare, or give --key"


def _outcome(verdict: AuditVerdict) -> str:
    if verdict.fault is None:
        return f"intact   {len(verdict.entries)} entries"
    return f"REFUSED  {verdict.fault.title}: {verdict.text}"


def _line(entry: AuditEntry) -> str:
    parts = [f"{entry.sequence:>5}", f"{format_ns(entry.time_ns):>18}", f"{entry.kind:<12}"]
    if entry.text:
        parts.append(entry.text)
    parts += [f"{name}={_short(value)}" for name, value in sorted(entry.fields.items())]
    return " ".join(parts).rstrip()


def _short(value: str | int) -> str:
    text = str(value)
    return text if len(text) <= 2 * _HASH_SHOWN else f"{text[:_HASH_SHOWN]}..."


def _as_json(verdict: AuditVerdict) -> dict[str, object]:
    return {
        "ecu": verdict.ecu,
        "key": verdict.key.hex(),
        "fingerprint": verdict.fingerprint,
        "key_is_confirmed": verdict.key_is_confirmed,
        "intact": verdict.accepted,
        "fault": None if verdict.fault is None else verdict.fault.title,
        "text": verdict.text,
        "exported_ns": verdict.sealed_ns,
        "entries": [
            {
                "sequence": entry.sequence,
                "time_ns": entry.time_ns,
                "kind": entry.kind,
                "text": entry.text,
                "fields": dict(entry.fields),
            }
            for entry in verdict.entries
        ],
    }
