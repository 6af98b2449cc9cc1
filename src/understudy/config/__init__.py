"""A configuration file to `understudy.core.settings.Settings`, or all its faults at once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.config.document import read_document
from understudy.config.environment import fill
from understudy.config.faults import ConfigError, ConfigFault, Refused, Report
from understudy.config.grammar import ROOT
from understudy.config.resolve import resolve
from understudy.core.settings import Settings

__all__ = ["ConfigError", "ConfigFault", "json_schema", "load"]


def load(text: str, env: Mapping[str, str], *, source: str = "understudy.yaml") -> Settings:
    """The settings that a YAML text describes, with variables filled from `env`.

    `source` names the text in faults. Callers' keys are kept as digests only, providers' keys as
    `Secret`; no fault and no notice holds a value that came from `env`.

    Raises:
        ConfigError: with every fault that can be found in one reading.
    """
    report = Report()
    try:
        tree = fill(read_document(text, report), env, report)
        settings = resolve(ROOT.read(tree, (), report), report)
    except Refused:
        settings = None
    if settings is None or report.faults:
        raise ConfigError(report.faults, source=source)
    return settings


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of the file, from the description that the loader reads by.

    What the schema can't say (names that refer to others, defaults that hang on the kind) the
    loader says; what the schema refuses the loader refuses.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Understudy's configuration",
        **ROOT.schema(),
    }
