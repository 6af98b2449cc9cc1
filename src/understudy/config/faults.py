"""What is wrong with a configuration, where, and what would be right."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable

import msgspec

__all__ = [
    "ConfigError",
    "ConfigFault",
    "Path",
    "Refused",
    "Report",
    "nearest",
    "spell_path",
    "suggest",
]

#: Where a value stands: keys and indexes, from the root. () is the file itself.
Path = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_LONGEST_KEY = 64


class ConfigFault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong. Never holds a value that came from the environment."""

    #: As `features.assistant.targets[1]`; empty where the file as a whole is meant.
    path: str
    problem: str
    #: What would be right.
    remedy: str
    #: Counted from 1; None where no line is to blame.
    line: int | None = None

    def __str__(self) -> str:
        said = f"{self.problem}; {self.remedy}"
        return f"{self.path}: {said}" if self.path else said


class ConfigError(Exception):
    """The configuration is refused: every fault of it, in the order of the file."""

    def __init__(self, faults: tuple[ConfigFault, ...], *, source: str = "understudy.yaml") -> None:
        super().__init__(faults)
        self.faults = faults
        self.source = source

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """One line a fault: `FILE:LINE: path: what is wrong; what would be right`."""
        return [
            f"{self.source}:{fault.line}: {fault}" if fault.line else f"{self.source}: {fault}"
            for fault in self.faults
        ]


class Refused(Exception):  # noqa: N818 - not an error of anyone's: it ends the reading of one value
    """This value can't be used; the report already says why."""


class Report:
    """Collects faults and notices while one file is read."""

    def __init__(self) -> None:
        #: The line of each key and item of the file, as far as it is read.
        self.lines: dict[Path, int] = {}
        self._faults: list[ConfigFault] = []
        self._paths: set[Path] = set()
        self._notices: list[str] = []

    @property
    def faults(self) -> tuple[ConfigFault, ...]:
        """What is wrong, in the order of the file."""
        return tuple(sorted(self._faults, key=lambda fault: fault.line or 0))

    @property
    def notices(self) -> tuple[str, ...]:
        """What is not wrong, but should be known at start."""
        return tuple(self._notices)

    def fault(self, at: Path, problem: str, remedy: str, *, line: int | None = None) -> None:
        """Something is wrong. Its line is that of the path, or of the nearest path above it."""
        if line is None:
            line = self._line_of(at)
        fault = ConfigFault(path=spell_path(at), problem=problem, remedy=remedy, line=line)
        self._paths.add(at)
        if fault not in self._faults:
            self._faults.append(fault)

    def has_fault_below(self, *places: Path) -> bool:
        """Whether something at one of these paths, or in what stands there, is wrong."""
        return any(path[: len(at)] == at for path in self._paths for at in places)

    def refuse(self, at: Path, problem: str, remedy: str) -> Refused:
        """Something is wrong with a value that nothing can be made of: raise what this returns."""
        self.fault(at, problem, remedy)
        return Refused()

    def notice(self, at: Path, text: str) -> None:
        """Something that an operator should know."""
        self._notices.append(f"{spell_path(at)}: {text}")

    def _line_of(self, at: Path) -> int | None:
        for length in range(len(at), 0, -1):
            line = self.lines.get(at[:length])
            if line is not None:
                return line
        return None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    found = difflib.get_close_matches(name[:_LONGEST_KEY], list(known), n=1)
    return found[0] if found else None


def suggest(name: str, known: Iterable[str]) -> str:
    """What would be right instead of a name that nothing has."""
    names = list(known)
    if not names:
        return "there are none here"
    meant = nearest(name, names)
    return f"did you mean `{meant}`?" if meant else f"known here: {', '.join(names)}"


def spell_path(at: Path) -> str:
    """A path as people write it; keys that are no plain words are quoted and cut."""
    spelled = ""
    for step in at:
        if isinstance(step, int):
            spelled += f"[{step}]"
            continue
        key = step if _PLAIN_KEY.fullmatch(step) else json.dumps(step[:_LONGEST_KEY])
        spelled += f".{key}" if spelled else key
    return spelled
