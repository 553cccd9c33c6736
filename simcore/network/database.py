"""The network database: messages, signals and nodes as a file describes them.

DBC, KCD, SYM and ARXML files. cantools parses them (`loading`), `reading` turns the result into
immutable objects and reads the attributes the simulation needs; what is wrong with a file that
loads all the same is in `Database.problems`. Encoding and decoding live in `codec`.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from simcore.errors import InputError, UsageError
from simcore.network.loading import Source, format_of, loaded, text_of
from simcore.network.messages import AttributeValue, Message, unknown_name
from simcore.network.problems import Problem
from simcore.network.reading import Reader
from simcore.resources import dbc_path

if TYPE_CHECKING:
    import os


NO_SENDER = "Vector__XXX"
"""Stands for the sender of messages that name none, as in a DBC file."""


class Database:
    """Messages and nodes of one network file. Immutable, shared by copies, pickled as its text."""

    __slots__ = (
        "_by_id",
        "_by_name",
        "_received",
        "_sent",
        "_source",
        "attributes",
        "buses",
        "data_bps",
        "is_fd",
        "messages",
        "name",
        "node_attributes",
        "nodes",
        "nominal_bps",
        "problems",
        "rates_bps",
        "redundant_nodes",
    )

    def __init__(self, source: Source) -> None:
        parsed, problems = loaded(source)
        reader = Reader(self, parsed, source)
        self.name = source.name
        self._source = source
        self.nodes: tuple[str, ...] = tuple(node.name for node in parsed.nodes)
        self.buses: tuple[str, ...] = tuple(bus.name for bus in parsed.buses)
        self.messages: tuple[Message, ...] = reader.messages()
        self.attributes: Mapping[str, AttributeValue] = reader.attributes()
        """The attributes of the network, defaults of the file included."""
        self.node_attributes: Mapping[str, Mapping[str, AttributeValue]] = reader.node_attributes()
        self.redundant_nodes: frozenset[str] = frozenset(
            node
            for node, attributes in self.node_attributes.items()
            if attributes.get("RedundantNode") == "Yes"
        )
        """Nodes connected to the redundant bus, too."""
        self.nominal_bps: int | None = reader.bitrate_bps("Baudrate", "baudrate")
        self.data_bps: int | None = reader.bitrate_bps("BaudrateCANFD", "fd_baudrate")
        self.rates_bps: Mapping[str, tuple[int | None, int | None]] = {
            bus: (
                reader.bitrate_bps("Baudrate", "baudrate", bus),
                reader.bitrate_bps("BaudrateCANFD", "fd_baudrate", bus),
            )
            for bus in self.buses
        }
        """Nominal and data rate of each network that the file describes, where it gives them."""
        self.is_fd: bool = any(message.is_fd for message in self.messages)
        self.problems: tuple[Problem, ...] = (*problems, *reader.problems)
        """What is wrong with the file, in the order in which it was found."""
        self._by_name: dict[str, list[Message]] = {}
        self._by_id: dict[tuple[int, bool], list[Message]] = {}
        for message in self.messages:
            self._by_name.setdefault(message.name, []).append(message)
            key = message.arbitration_id, message.is_extended_id
            self._by_id.setdefault(key, []).append(message)
        senders = dict.fromkeys((*self.nodes, *(s for m in self.messages for s in m.senders)))
        self._sent = {
            node: tuple(m for m in self.messages if node in m.senders) for node in senders
        }
        nobodys = tuple(message for message in self.messages if not message.senders)
        if nobodys:
            self._sent[NO_SENDER] = nobodys
        self._received = {
            node: tuple(m for m in self.messages if node in m.receivers) for node in self.nodes
        }

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        lenient: bool = False,
        format: str | None = None,
        protection: str | os.PathLike[str] | None = None,
    ) -> Database:
        """Read the file at `path`; `format` is dbc, kcd, sym or arxml, None for its extension.

        With `lenient` what does not parse is left out and listed in `problems`, as far as the
        rest makes sense without it. E2E and SecOC settings come from the TOML file `protection`,
        or from `<stem>.protection.toml` beside the database where there is one. Raises
        `InputError` with file and, where known, line.
        """
        name = str(path)
        kind = format_of(name, format)
        text = text_of(_content(name, f"a readable {kind.upper()} file"))
        settings = Path(path).with_suffix(".protection.toml") if protection is None else protection
        if protection is None and not Path(settings).is_file():
            return cls.from_text(text, name=name, format=kind, lenient=lenient)
        return cls.from_text(
            text,
            name=name,
            format=kind,
            lenient=lenient,
            protection=text_of(_content(str(settings), "a readable TOML file")),
            protection_name=str(settings),
        )

    @classmethod
    def from_text(
        cls,
        text: str,
        *,
        name: str = "database.dbc",
        format: str | None = None,
        lenient: bool = False,
        protection: str | None = None,
        protection_name: str = "protection.toml",
    ) -> Database:
        """The database in `text`; `name` stands for the file in error texts.

        `protection` is the text of a TOML file with E2E and SecOC settings. The same text under
        the same name is parsed once per process.
        """
        return _database_of(
            Source(
                text=text.replace("\r\n", "\n"),
                name=name,
                format=format_of(name, format),
                lenient=lenient,
                protection=protection,
                protection_name=protection_name if protection is not None else "",
            )
        )

    @classmethod
    def reference(cls) -> Database:
        """The packaged chassis CAN FD interface, `chassis_fd.dbc`."""
        path = dbc_path("chassis_fd.dbc")
        return cls.from_text(text_of(path.read_bytes()), name=path.name)

    def refuse_errors(self) -> None:
        """Raises `InputError` for the first problem that is an error, and counts the others."""
        errors = [each for each in self.problems if each.severity == "error"]
        if errors:
            raise errors[0].as_error(len(errors) - 1)

    def message(
        self,
        name_or_id: str | int,
        *,
        is_extended_id: bool | None = None,
        bus: str | None = None,
    ) -> Message:
        """The message of that name or arbitration id.

        An id that exists in both formats needs `is_extended_id`, a name or id that exists on
        several buses needs `bus`. Raises `UsageError` for an unknown one, with the nearest name.
        """
        if isinstance(name_or_id, str):
            found = self._by_name.get(name_or_id, [])
            what = f"message {name_or_id!r}"
            if not found:
                raise self._unknown_message(name_or_id)
        else:
            kinds = (False, True) if is_extended_id is None else (is_extended_id,)
            found = [m for kind in kinds for m in self._by_id.get((name_or_id, kind), ())]
            what = f"message id {name_or_id:#05x}"
            if len({m.is_extended_id for m in found}) > 1:
                raise UsageError(f"{what} is in both formats, pass is_extended_id ({self.name})")
        if bus is not None:
            found = [message for message in found if message.bus == bus]
        if len(found) == 1:
            return found[0]
        if not found:
            raise UsageError(f"{what} is not in the database ({self.name})")
        buses = sorted({message.bus for message in found})
        if len(buses) > 1:
            raise UsageError(f"{what} is on the buses {', '.join(buses)}, pass bus ({self.name})")
        raise UsageError(f"{what} is {len(found)} times in the database ({self.name})")

    def _unknown_message(self, name: str) -> UsageError:
        """With the nearest names, and the file that does not have it."""
        error = unknown_name("unknown message", name, self._by_name)
        if "did you mean" not in error.where:
            near = difflib.get_close_matches(name, self._by_name, n=3, cutoff=0.0)
            named = f": the nearest are {', '.join(near)}" if near else ": there are none"
            return UsageError(f"{error.where}{named} ({self.name})")
        return UsageError(f"{error.where} ({self.name})")

    def sent_by(self, node: str) -> tuple[Message, ...]:
        """The messages `node` sends, in database order."""
        if node not in self._sent:
            raise unknown_name("unknown node", node, self.nodes)
        return self._sent[node]

    @property
    def senders(self) -> tuple[str, ...]:
        """Everybody who sends: the nodes, senders not declared as such, and `NO_SENDER`."""
        return tuple(self._sent)

    @property
    def text(self) -> str:
        """What the file says."""
        return self._source.text

    @property
    def is_lenient(self) -> bool:
        """Whether the file was loaded as far as possible."""
        return self._source.lenient

    def received_by(self, node: str) -> tuple[Message, ...]:
        """The messages of which `node` receives at least one signal, in database order."""
        if node not in self._received:
            raise unknown_name("unknown node", node, self.nodes)
        return self._received[node]

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _database_of, (self._source,)

    def __repr__(self) -> str:
        return f"<Database {self.name}: {len(self.messages)} messages>"


_CACHE: dict[Source, Database] = {}


def _database_of(source: Source) -> Database:
    known = _CACHE.get(source)
    if known is None:
        known = _CACHE[source] = Database(source)
    return known


def _content(name: str, expected: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise InputError(
            "network database", expected=expected, got=error.strerror, file=name
        ) from None
    except ValueError as error:  # a NUL byte in the name
        raise InputError("network database", expected=expected, got=str(error), file=name) from None
