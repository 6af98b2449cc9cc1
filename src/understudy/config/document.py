"""YAML text to a plain tree with lines. Nothing here knows what a key means.

PyYAML composes, under its safe loader; no value is ever constructed, so a scalar keeps its spelling
(`off` stays `off`, which YAML 1.1 reads as false) and the tags stay what they are: a hint of type.
Aliases are allowed, since two features may well share a list of targets; a limit on the size
of the expanded tree keeps one from growing into a bomb. Merge keys and other tags are refused.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import yaml

from understudy.config.faults import Path, Refused, Report

__all__ = ["Branch", "Broken", "Listing", "Node", "Scalar", "read_document"]

#: The tree of the largest sensible file has a few thousand nodes and six levels.
_MOST_CHARACTERS = 512 * 1024
_MOST_NODES = 20_000
_DEEPEST = 24

_YAML = "tag:yaml.org,2002:"
_TYPES: dict[str, Literal["text", "number", "boolean", "nothing"]] = {
    f"{_YAML}str": "text",
    f"{_YAML}value": "text",
    f"{_YAML}timestamp": "number",
    f"{_YAML}int": "number",
    f"{_YAML}float": "number",
    f"{_YAML}bool": "boolean",
    f"{_YAML}null": "nothing",
}
_QUOTE_HINT = 'quote what holds a special character, such as "${NAME}" or "[::1]:8080"'


class Scalar(msgspec.Struct, frozen=True):
    """A text, number, boolean or nothing, as it was spelled."""

    text: str
    type: Literal["text", "number", "boolean", "nothing"] = "text"
    #: Names of the environment variables that were filled in; then `text` may be a secret.
    variables: tuple[str, ...] = ()


class Branch(msgspec.Struct, frozen=True):
    """A mapping, in the order of the file."""

    entries: dict[str, Node]


class Listing(msgspec.Struct, frozen=True):
    """A sequence."""

    items: tuple[Node, ...]


class Broken(msgspec.Struct, frozen=True):
    """A value that was already refused, with its fault reported."""


Node = Scalar | Branch | Listing | Broken


class _Loader(yaml.SafeLoader):
    """Composes no deeper than a configuration can be, whatever the recursion limit."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise yaml.MarkedYAMLError(problem="nested too deep", problem_mark=self.get_mark())
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read_document(text: str, report: Report) -> Node:
    """The tree of a YAML text; the lines go to the report. Values that can't be read stand in the
    tree as `Broken`.

    Raises:
        Refused: where there is no tree at all; the report says why.
    """
    if len(text) > _MOST_CHARACTERS:
        raise report.refuse((), "the file is too large", "keep it under 512 KiB")
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        problem, line = _explain(error, text)
        report.fault((), f"not readable as YAML: {problem}", _QUOTE_HINT, line=line)
        raise Refused from None
    if root is None:
        raise report.refuse((), "the file is empty", "start from what `understudy init` writes")
    return _Reader(report).read(root, ())


def _explain(error: yaml.YAMLError, text: str) -> tuple[str, int | None]:
    """PyYAML's own words without its excerpts of the file, which may hold a secret."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "a fault of syntax"
        if "\\t" in problem:
            problem = "a tab; YAML is indented with spaces"
        return problem.replace("\n", " "), mark.line + 1 if mark else None
    position = getattr(error, "position", None)
    if isinstance(position, int):
        return "a character that is not printable", text.count("\n", 0, position) + 1
    return "a fault of syntax", None


class _Reader:
    """Turns PyYAML's nodes into ours."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._count = 0

    def read(self, node: yaml.Node, at: Path) -> Node:
        line = node.start_mark.line + 1
        self._report.lines.setdefault(at, line)
        self._count += 1
        if self._count > _MOST_NODES or len(at) > _DEEPEST:
            self._report.fault(
                (), "too many values, or an alias that holds itself", "write it out", line=line
            )
            raise Refused
        if isinstance(node, yaml.ScalarNode) and node.tag in _TYPES:
            return Scalar(node.value, _TYPES[node.tag])
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_YAML}map":
            return self._branch(node, at)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_YAML}seq":
            return Listing(
                tuple(self.read(item, (*at, place)) for place, item in enumerate(node.value))
            )
        self._report.fault(at, "has a YAML tag", "write a plain value", line=line)
        return Broken()

    def _branch(self, node: yaml.MappingNode, at: Path) -> Branch:
        entries: dict[str, Node] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._report.fault(at, "has a key that is no text", "write a plain key", line=line)
                continue
            if key.tag == f"{_YAML}merge":
                self._report.fault(
                    at, "has a merge key (`<<`)", "write the keys out, one by one", line=line
                )
                continue
            here = (*at, key.value)
            if key.value in entries:
                first = self._report.lines[here]
                self._report.fault(
                    here, f"stands twice (first in line {first})", "keep one of them", line=line
                )
                continue
            self._report.lines[here] = line
            entries[key.value] = self.read(value, here)
        return Branch(entries)
