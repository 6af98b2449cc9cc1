"""Reads a configuration again, while a product runs."""

from __future__ import annotations

import os
from pathlib import Path

from understudy.config import ConfigError, load
from understudy.core.settings import Settings
from understudy.services.logs import Log

__all__ = ["read_again", "read_settings"]


def read_settings(path: Path) -> Settings:
    """What a file says, with this process's environment.

    Raises:
        ConfigError: it is wrong.
        OSError: it can't be read.
        UnicodeDecodeError: it is no text.
    """
    return load(path.read_text(encoding="utf-8"), os.environ, source=str(path))


def read_again(path: Path, log: Log) -> Settings | None:
    """What a file says by now; None if there is a fault in it, which is told."""
    try:
        return read_settings(path)
    except ConfigError as error:
        for line in error.lines():
            log.note("reload refused", text=line)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "the file is not UTF-8 text"
        log.note("reload refused", text=reason)
    return None
