"""Which request meets which fault: rules, their short written form, and their counting."""

from __future__ import annotations

import fnmatch
import hashlib

import msgspec

from understudy.mock.catalogue import CATALOGUE
from understudy.mock.faults.entry import CatalogueEntry
from understudy.mock.faults.scene import Args
from understudy.mock.reply import Where

__all__ = ["Counter", "FaultRule", "parse_rule"]

_ANSWERS = (
    "/v1/messages", "/messages", "/v1/chat/completions", "/chat/completions", "/v1/responses",
    "/responses",
)  # fmt: skip
_OTHERS = ("/v1/messages/count_tokens", "/messages/count_tokens", "/v1/models", "/models")


class FaultRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Plays `fault` on the requests that it matches.

    `model` is a pattern (`claude-*`), `key` the end of an account's key, `path` a pattern of paths;
    without a path the rule is for everything but `/health`. Of the requests that match, every
    `every`th fails, beginning with the first; or `share` of them (0 to 1), drawn by their number,
    so that the same run fails at the same places; `times` at most. `n`, `seconds`, `size` and
    `retry_after` are the fault's own settings.
    """

    fault: str
    model: str = "*"
    key: str = ""
    path: str | None = None
    where: Where | None = None
    times: int | None = None
    every: int | None = None
    share: float | None = None
    n: int | None = None
    seconds: float | None = None
    size: int | None = None
    retry_after: str | None = None

    def __post_init__(self) -> None:
        """Raises ValueError for a fault that is not in the catalogue, or cannot be so."""
        entry = CATALOGUE.get(_named(self.fault))
        if entry is None:
            raise ValueError(f"no fault named {self.fault!r}; GET /mock/catalogue lists them")
        msgspec.structs.force_setattr(self, "fault", entry.name)
        if isinstance(self.where, str):  # The plain word will do, from Python too.
            msgspec.structs.force_setattr(self, "where", Where(self.where))
        if self.where is not None and not entry.allows(self.where):
            places = ", ".join(dict.fromkeys((entry.where.value, *(w.value for w in entry.wheres))))
            raise ValueError(f"{self.fault} strikes {places}, not {self.where.value}")
        share = 1.0 if self.share is None else self.share
        if self.every == 0 or min(self.every or 1, self.times or 0, self.seconds or 0) < 0:
            raise ValueError("every is 1 or more, times and seconds are not negative")
        if not 0 <= share <= 1:
            raise ValueError("share is between 0 and 1")

    @property
    def entry(self) -> CatalogueEntry:
        """The fault."""
        return CATALOGUE[self.fault]

    @property
    def place(self) -> Where:
        """Where it strikes."""
        return self.where or self.entry.where

    @property
    def args(self) -> Args:
        """The fault's settings."""
        own = Args(n=self.n, seconds=self.seconds, size=self.size, retry_after=self.retry_after)
        return own.over(self.entry.defaults)

    def matches(self, path: str, model: str, key: str) -> bool:
        """Whether a request is meant."""
        if self.path is None:
            if path not in _ANSWERS and path not in _OTHERS:
                return False
        elif not fnmatch.fnmatchcase(path, self.path):
            return False
        return key.endswith(self.key) and fnmatch.fnmatchcase(model, self.model)


def _named(fault: str) -> str:
    """The fault's name in the catalogue; hyphens will do for it too."""
    return fault.strip().replace("-", "_")


class Counter:
    """Counts the requests that a rule matched, and says which of them fail."""

    __slots__ = ("_matched", "_played")

    def __init__(self) -> None:
        self._matched = 0
        self._played = 0

    def next(self, rule: FaultRule) -> bool:
        """Whether the next request that matched fails."""
        number = self._matched
        self._matched += 1
        if rule.times is not None and self._played >= rule.times:
            return False
        if number % (rule.every or rule.entry.every):
            return False
        if rule.share is not None and _draw(rule.fault, number) >= rule.share:
            return False
        self._played += 1
        return True


def _draw(name: str, number: int) -> float:
    """A number in [0, 1) that is the same for the same rule and request."""
    drawn = hashlib.sha256(f"{name}\x1f{number}".encode()).digest()
    return int.from_bytes(drawn[:7], "big") / (1 << 56)


def parse_rule(text: str) -> FaultRule:
    """`name[@where][:argument][;setting=value]*`, as in a header or a model's name.

    Raises:
        ValueError: it does not read so, or names what is not there.
    """
    head, *settings = text.split(";")
    head, _, argument = head.partition(":")
    name, _, where = head.partition("@")
    fields: dict[str, object] = {"fault": name.strip()}
    if where:
        fields["where"] = where.strip()
    for setting in settings:
        key, _, value = setting.partition("=")
        fields[key.strip()] = value.strip()
    entry = CATALOGUE.get(_named(name))
    if argument and entry is not None:
        fields[entry.argument] = argument.strip()
    try:
        return msgspec.convert(fields, FaultRule, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
