"""`${NAME}`, `${NAME:-default}` and `$$`, filled after the YAML is read.

After, so that a variable's value is always one scalar: it can add no key, whatever it holds. Any
other `$` stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from understudy.config.document import Branch, Broken, Listing, Node, Scalar
from understudy.config.faults import Path, Report, nearest

__all__ = ["fill"]

_DOLLAR = re.compile(
    r"""
    (?P<escaped>   \$\$ )
  | \$\{ (?P<name> [A-Za-z_][A-Za-z0-9_]* ) (?: :- (?P<default> [^${}]* ) )? \}
  | (?P<malformed> \$\{ )
    """,
    re.ASCII | re.VERBOSE,
)


def fill(node: Node, env: Mapping[str, str], report: Report, at: Path = ()) -> Node:
    """The same tree with every variable filled in; what can't be filled is reported and broken.

    As in a shell, the default of `${NAME:-default}` also stands in for an empty value.
    """
    match node:
        case Branch(entries):
            return Branch(
                {key: fill(value, env, report, (*at, key)) for key, value in entries.items()}
            )
        case Listing(items):
            return Listing(
                tuple(fill(item, env, report, (*at, place)) for place, item in enumerate(items))
            )
        case Scalar(text, "text") if "$" in text:
            return _fill_text(text, env, report, at)
        case _:
            return node


def _fill_text(text: str, env: Mapping[str, str], report: Report, at: Path) -> Node:
    names: list[str] = []
    pieces: list[str] = []
    end = 0
    broken = False
    for match in _DOLLAR.finditer(text):
        pieces.append(text[end : match.start()])
        end = match.end()
        if match["escaped"]:
            pieces.append("$")
            continue
        if match["malformed"]:
            report.fault(
                at,
                "has a `${` that begins no variable",
                "write ${NAME} or ${NAME:-default} (not one inside another), or $${ for the signs",
            )
            return Broken()
        name, default = match["name"], match["default"]
        names.append(name)
        value = env.get(name)
        if default is not None:
            value = value or default
        if value is None:
            report.fault(at, f"the environment has no {name}", _how_to_set(name, env))
            broken = True
            continue
        pieces.append(value)
    if broken:
        return Broken()
    pieces.append(text[end:])
    return Scalar("".join(pieces), "text", tuple(names))


def _how_to_set(name: str, env: Mapping[str, str]) -> str:
    meant = nearest(name, env)
    hint = f" (there is {meant})" if meant else ""
    return f"set {name}{hint}, or write ${{{name}:-}} where it may be empty"
