"""Metrics of deferred jobs. Age before length: a long line that moves is well, an old one is not
(Amazon Builders' Library, "Avoiding insurmountable queue backlogs").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

__all__ = ["JobMetrics", "Line"]


class Line(msgspec.Struct):
    """The jobs of one feature and priority, tenants together. `oldest` in seconds."""

    feature: str
    priority: str
    oldest: float = 0.0
    queued: int = 0
    running: int = 0


class JobMetrics(Collector):
    """What is exposed of jobs; register it where the product's other metrics are.

    Args:
        lines: gives each line as it was last counted.
    """

    def __init__(self, lines: Callable[[], list[Line]]) -> None:
        self._lines = lines
        self._accepted: dict[str, int] = {}
        self._returned: dict[str, int] = {}
        self._ended: dict[tuple[str, str], int] = {}
        self._locked: dict[str, int] = {}
        self._failures = 0

    def accepted(self, feature: str) -> None:
        """A job was taken."""
        self._accepted[feature] = self._accepted.get(feature, 0) + 1

    def returned(self, feature: str) -> None:
        """A job that was begun waits again."""
        self._returned[feature] = self._returned.get(feature, 0) + 1

    def ended(self, feature: str, status: str) -> None:
        """A job is over."""
        row = feature, str(status)
        self._ended[row] = self._ended.get(row, 0) + 1

    def locked(self, feature: str) -> None:
        """A job or its result could not be opened: the key that it was sealed with is missing."""
        self._locked[feature] = self._locked.get(feature, 0) + 1

    def store_failed(self) -> None:
        """The store could not do what it was asked."""
        self._failures += 1

    def describe(self) -> list[Metric]:
        """Nothing is collected when it is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every family, for the library."""
        yield from self._of_lines()
        accepted = CounterMetricFamily(
            "understudy_jobs_accepted", "Requests taken as jobs.", labels=("feature",)
        )
        for feature, count in self._accepted.items():
            accepted.add_metric((feature,), count)
        returned = CounterMetricFamily(
            "understudy_jobs_returned",
            "Times that a job was begun and went back to wait.",
            labels=("feature",),
        )
        for feature, count in self._returned.items():
            returned.add_metric((feature,), count)
        ended = CounterMetricFamily(
            "understudy_jobs_ended", "Jobs by how they ended.", labels=("feature", "status")
        )
        for row, count in self._ended.items():
            ended.add_metric(row, count)
        locked = CounterMetricFamily(
            "understudy_jobs_locked",
            "Times that a job or its result could not be opened for want of its key.",
            labels=("feature",),
        )
        for feature, count in self._locked.items():
            locked.add_metric((feature,), count)
        failures = CounterMetricFamily(
            "understudy_store_failures", "Times that the store failed those who look after jobs."
        )
        failures.add_metric((), self._failures)
        yield from (accepted, returned, ended, locked, failures)

    def _of_lines(self) -> Iterator[Metric]:
        labels = ("feature", "priority")
        oldest = GaugeMetricFamily(
            "understudy_jobs_oldest_seconds", "Age of the oldest job that waits.", labels=labels
        )
        queued = GaugeMetricFamily("understudy_jobs_queued", "Jobs that wait.", labels=labels)
        running = GaugeMetricFamily("understudy_jobs_running", "Jobs that run.", labels=labels)
        for line in self._lines():
            place = (line.feature, line.priority)
            oldest.add_metric(place, line.oldest)
            queued.add_metric(place, line.queued)
            running.add_metric(place, line.running)
        yield from (oldest, queued, running)
