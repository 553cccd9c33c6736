"""A judged module as ReqIF 1.2 (OMG formal/2016-07-01), for requirement tools.

Requirements and cases are specification objects, and each "verifies" is a relation from case to
requirement. Identifiers follow from the ids, so that a second export updates the first. The header
must state a time; it is a parameter, since a report of the same run is the same file.
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

from simcore.errors import UsageError
from simcore.report.files import write_file
from simcore.report.junit import legal
from simcore.testing.conformance.result import ConformanceResult
from simcore.testing.conformance.writers.summary import requirement_rows, what_happened
from simcore.version import __version__

NAMESPACE = "http://www.omg.org/spec/ReqIF/20110401/reqif.xsd"
UNKNOWN_TIME = "1970-01-01T00:00:00Z"
"""What the header says where no time is given."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)")
_LENGTH = 32_000
_REQUIREMENT = ("ReqIF.ForeignID", "ReqIF.Text", "Source", "ASIL", "Verdict", "Remark")
_CASE = ("ReqIF.ForeignID", "ReqIF.Text", "Group", "Verdict", "Evidence", "Replay")


def write_reqif(
    path: str | os.PathLike[str], result: ConformanceResult, *, time: str = UNKNOWN_TIME
) -> Path:
    """Write the exchange file. `time` is ISO 8601 with a zone.

    Raises `InputError` where `path` cannot be written, `UsageError` for a time of another form.
    """
    return write_file(path, reqif_bytes(result, time=time), what="ReqIF export")


def reqif_bytes(result: ConformanceResult, *, time: str = UNKNOWN_TIME) -> bytes:
    """The document, UTF-8."""
    if not _TIME.fullmatch(time):
        raise UsageError("write_reqif, time", expected="as 2026-01-31T12:00:00Z", got=time)
    document: bytes = ET.tostring(_Export(result, time).root(), encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + document + b"\n"


class _Export:
    def __init__(self, result: ConformanceResult, time: str) -> None:
        self.result = result
        self.time = time

    def root(self) -> ET.Element:
        root = ET.Element("REQ-IF", {"xmlns": NAMESPACE})
        self._header(ET.SubElement(root, "THE-HEADER"))
        content = ET.SubElement(ET.SubElement(root, "CORE-CONTENT"), "REQ-IF-CONTENT")
        self._types(content)
        objects = ET.SubElement(content, "SPEC-OBJECTS")
        relations = ET.SubElement(content, "SPEC-RELATIONS")
        specifications = ET.SubElement(content, "SPECIFICATIONS")
        requirements = self._requirements(objects)
        cases = self._cases(objects, relations)
        self._specification(specifications, "requirements", requirements)
        self._specification(specifications, "cases", cases)
        ET.indent(root)
        return root

    def _header(self, parent: ET.Element) -> None:
        result = self.result
        header = ET.SubElement(parent, "REQ-IF-HEADER", {"IDENTIFIER": _id("header", result.node)})
        for tag, text in (
            ("COMMENT", f"{result.dut} judged as {result.node}, digest {result.digest}"),
            ("CREATION-TIME", self.time),
            ("REQ-IF-TOOL-ID", f"simcore {__version__}"),
            ("REQ-IF-VERSION", "1.0"),
            ("SOURCE-TOOL-ID", f"simcore {__version__}"),
            ("TITLE", f"Conformance of {result.node}"),
        ):
            ET.SubElement(header, tag).text = legal(text)

    def _types(self, content: ET.Element) -> None:
        datatypes = ET.SubElement(content, "DATATYPES")
        self._element(
            datatypes,
            "DATATYPE-DEFINITION-STRING",
            "text",
            {"LONG-NAME": "text", "MAX-LENGTH": str(_LENGTH)},
        )
        types = ET.SubElement(content, "SPEC-TYPES")
        for name, attributes in (("requirement", _REQUIREMENT), ("case", _CASE)):
            made = self._element(types, "SPEC-OBJECT-TYPE", f"type {name}", {"LONG-NAME": name})
            listed = ET.SubElement(made, "SPEC-ATTRIBUTES")
            for attribute in attributes:
                one = self._element(
                    listed,
                    "ATTRIBUTE-DEFINITION-STRING",
                    f"{name} {attribute}",
                    {"LONG-NAME": attribute},
                )
                kind = ET.SubElement(one, "TYPE")
                ET.SubElement(kind, "DATATYPE-DEFINITION-STRING-REF").text = _id("text")
        self._element(types, "SPEC-RELATION-TYPE", "type verifies", {"LONG-NAME": "verifies"})
        self._element(
            types, "SPECIFICATION-TYPE", "type specification", {"LONG-NAME": "specification"}
        )

    def _requirements(self, objects: ET.Element) -> list[str]:
        made = []
        for row in requirement_rows(self.result):
            requirement = row.requirement
            values = dict(
                zip(
                    _REQUIREMENT,
                    (
                        requirement.id,
                        requirement.text,
                        requirement.source,
                        requirement.asil,
                        str(row.verdict),
                        row.why_not_tested,
                    ),
                    strict=True,
                )
            )
            made.append(self._object(objects, "requirement", requirement.id, values))
        return made

    def _cases(self, objects: ET.Element, relations: ET.Element) -> list[str]:
        made = []
        for case in self.result.cases:
            evidence = what_happened(case)
            texts = (case.id, case.title, str(case.group), str(case.verdict), evidence)
            values = dict(zip(_CASE, (*texts, case.replay_command), strict=True))
            made.append(self._object(objects, "case", case.id, values))
            for name in case.requirements:
                relation = self._element(relations, "SPEC-RELATION", f"{case.id} verifies {name}")
                _reference(relation, "TYPE", "SPEC-RELATION-TYPE-REF", _id("type verifies"))
                _reference(relation, "SOURCE", "SPEC-OBJECT-REF", made[-1])
                target = _id("requirement object", name)
                _reference(relation, "TARGET", "SPEC-OBJECT-REF", target)
        return made

    def _object(self, objects: ET.Element, kind: str, name: str, values: Mapping[str, str]) -> str:
        made = self._element(objects, "SPEC-OBJECT", f"{kind} object", {"LONG-NAME": name}, name)
        _reference(made, "TYPE", "SPEC-OBJECT-TYPE-REF", _id(f"type {kind}"))
        listed = ET.SubElement(made, "VALUES")
        for attribute, text in values.items():
            shown = legal(text)[:_LENGTH]
            value = ET.SubElement(listed, "ATTRIBUTE-VALUE-STRING", {"THE-VALUE": shown})
            definition = ET.SubElement(value, "DEFINITION")
            reference = ET.SubElement(definition, "ATTRIBUTE-DEFINITION-STRING-REF")
            reference.text = _id(f"{kind} {attribute}")
        return _id(f"{kind} object", name)

    def _specification(self, parent: ET.Element, name: str, objects: list[str]) -> None:
        title = f"{self.result.node} {name}"
        made = self._element(
            parent, "SPECIFICATION", f"specification {title}", {"LONG-NAME": title}
        )
        kind = _id("type specification")
        _reference(made, "TYPE", "SPECIFICATION-TYPE-REF", kind)
        children = ET.SubElement(made, "CHILDREN")
        for identifier in objects:
            node = self._element(children, "SPEC-HIERARCHY", f"{title} {identifier}")
            _reference(node, "OBJECT", "SPEC-OBJECT-REF", identifier)

    def _element(
        self,
        parent: ET.Element,
        tag: str,
        name: str,
        attributes: Mapping[str, str] | None = None,
        more: str = "",
    ) -> ET.Element:
        shown = {key: legal(value) for key, value in (attributes or {}).items()}
        identified = {"IDENTIFIER": _id(name, more), "LAST-CHANGE": self.time, **shown}
        return ET.SubElement(parent, tag, identified)


def _reference(parent: ET.Element, role: str, tag: str, identifier: str) -> None:
    ET.SubElement(ET.SubElement(parent, role), tag).text = identifier


def _id(*words: str) -> str:
    """An xsd:ID that follows from the words: begins with an underscore, holds no blank."""
    return "_" + blake2b("\x1f".join(filter(None, words)).encode(), digest_size=12).hexdigest()
