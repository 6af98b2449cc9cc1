"""Everything that one place keeps."""

from __future__ import annotations

from typing import Protocol

from understudy.ports.job_store import JobStore
from understudy.ports.pulls import PullStore

__all__ = ["Store"]


class Store(JobStore, PullStore, Protocol):
    """Jobs, and operators' words."""
