"""The kinds of provider that a configuration may name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from understudy.providers.anthropic import ANTHROPIC
from understudy.providers.base import Manners
from understudy.providers.compatible import COMPATIBLE
from understudy.providers.openai import OPENAI

__all__ = ["LATER_KINDS", "MANNERS"]

#: Kind → manners.
MANNERS: Mapping[str, Manners] = MappingProxyType(
    {manners.kind: manners for manners in (ANTHROPIC, OPENAI, COMPATIBLE)}
)

#: Kinds that the contract names and that this version does not speak yet. A configuration with
#: one is refused by name, which is another thing than a word it has never heard.
LATER_KINDS: frozenset[str] = frozenset({"gemini", "azure-openai", "bedrock", "vertex"})
